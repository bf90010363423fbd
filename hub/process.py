"""The hub as a process: built from hub.toml, run until it is told to stop."""

import asyncio
import sys
from pathlib import Path

from canonical.errors import ConfigError
from hub import wiring
from hub.logs import configure
from hub.workers import Workers, stop_on_signals


def start(config: Path, listen: str, level: str, *, web: bool, work: bool) -> None:
    """Serve, work, or both, until a signal says stop. Raises ConfigError with all that is wrong."""
    from hub.web.server import loop_factory  # heavy, and only needed here

    configure(json=not sys.stderr.isatty(), level=level)
    hub = wiring.build(config)
    if hub.store.sqlite and not (web and work):
        raise ConfigError(["hub serve and hub work need PostgreSQL (hub.store); on SQLite use hub run"])
    wiring.start(hub)
    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(_main(hub, _address(listen or hub.config.hub.listen), web=web, work=work))
    except KeyboardInterrupt:
        sys.stderr.write("stopped at once; nothing that was accepted is lost\n")
    finally:
        hub.store.close()


def _address(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise ConfigError([f"hub.listen: {listen!r} is not HOST:PORT, such as 127.0.0.1:8080"])
    return host.strip("[]") or "127.0.0.1", int(port)


async def _main(hub: wiring.Hub, listen: tuple[str, int], *, web: bool, work: bool) -> None:
    from hub.web.app import create_server  # heavy, and only needed here
    from hub.web.server import serve as serve_app

    flow, http = wiring.connect(hub)
    workers = Workers(hub, flow, http)
    stop_on_signals(workers.stopping)
    try:
        if work:
            workers.take_over()
        async with asyncio.TaskGroup() as group:
            if work:
                group.create_task(workers.run())
            if web:
                group.create_task(serve_app(create_server(hub, flow), *listen, workers.stopping))
    except* ConfigError as failures:
        raise failures.exceptions[0] from None
    finally:
        await flow.close()
        await http.aclose()
