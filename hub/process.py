"""The hub as a process: built from hub.toml, run until it is told to stop."""

import asyncio
import contextlib
import gc
import sys
from pathlib import Path

from canonical.errors import ConfigError
from hub import wiring
from hub.logs import configure
from hub.store import StoreError
from hub.workers import SWEEP, Workers, stop_on_signals

SWITCH = 0.002
"""Seconds that one thread may keep the others from the interpreter: each answer waits for the store's thread as long,
and Python's own 5 ms is for programs that compute."""


def start(config: Path, listen: str, level: str, *, web: bool, work: bool) -> None:
    """Serve, work, or both, until a signal says stop. Raises ConfigError with all that is wrong."""
    from hub.web.server import loop_factory  # heavy, and only needed here

    configure(json=not sys.stderr.isatty(), level=level)
    sys.setswitchinterval(SWITCH)
    hub = wiring.build(config)
    if hub.store.alone and not (web and work):
        raise ConfigError(["hub serve and hub work need PostgreSQL (hub.store); on SQLite use hub run"])
    wiring.start(hub)
    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(_main(hub, _address(listen or hub.config.hub.listen), web=web, work=work))
    except KeyboardInterrupt:
        sys.stderr.write("stopped at once; nothing that was accepted is lost\n")
    finally:
        hub.store.close()


async def keep_time(hub: wiring.Hub, stopping: asyncio.Event) -> None:
    """Go by the clock that all processes share, and go on doing so."""
    while not stopping.is_set():
        with contextlib.suppress(StoreError):  # it is away: the clock will be asked again
            await hub.store.agree_on_time()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), SWEEP)


def _address(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise ConfigError([f"hub.listen: {listen!r} is not HOST:PORT, such as 127.0.0.1:8080"])
    return host.strip("[]") or "127.0.0.1", int(port)


async def _main(hub: wiring.Hub, listen: tuple[str, int], *, web: bool, work: bool) -> None:
    flow, http = wiring.connect(hub)
    workers = Workers(hub, flow, http)
    stop_on_signals(workers.stopping)
    try:
        if work:
            workers.take_over()
        if web:
            from hub.web.app import create_server  # heavy, and only needed here
            from hub.web.server import serve as serve_app

            app = create_server(hub, flow)
        gc.collect()
        gc.freeze()  # what is loaded stays: looking through it for garbage would stop everything for 0.1 s now and then
        async with asyncio.TaskGroup() as group:
            group.create_task(keep_time(hub, workers.stopping))
            if work:
                group.create_task(workers.run())
            if web:
                group.create_task(serve_app(app, *listen, workers.stopping))
    except* ConfigError as failures:
        raise failures.exceptions[0] from None
    finally:
        await flow.close()
        await http.aclose()
