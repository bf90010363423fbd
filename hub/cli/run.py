"""`hub run`, `hub serve`, `hub work`: the hub as a process."""

import asyncio
import sys
from pathlib import Path

import typer

from canonical.errors import ConfigError
from hub import wiring
from hub.cli.output import ConfigOption, err, errors
from hub.logs import configure
from hub.workers import Workers, stop_on_signals

ListenOption = typer.Option("", "--listen", help="HOST:PORT instead of hub.listen.")
LevelOption = typer.Option("info", "--log-level", help="debug, info, warning or error.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("run")(run)
    app.command("serve")(serve)
    app.command("work")(work)


def run(config: Path = ConfigOption, listen: str = ListenOption, level: str = LevelOption) -> None:
    """Do everything in one process: webhooks, API, pulls, translation, delivery. Stop with Ctrl-C or SIGTERM."""
    _start(config, listen, level, web=True, work=True)


def serve(config: Path = ConfigOption, listen: str = ListenOption, level: str = LevelOption) -> None:
    """Only webhooks and the API. Needs PostgreSQL, with `hub work` beside it."""
    _start(config, listen, level, web=True, work=False)


def work(config: Path = ConfigOption, level: str = LevelOption) -> None:
    """Only pulls, translation and delivery. Several may run on PostgreSQL."""
    _start(config, "", level, web=False, work=True)


def _start(config: Path, listen: str, level: str, *, web: bool, work: bool) -> None:
    from hub.web.server import loop_factory  # heavy, and only needed here

    with errors():
        configure(json=not sys.stderr.isatty(), level=level)
        hub = wiring.build(config)
        if hub.store.sqlite and not (web and work):
            raise ConfigError(["hub serve and hub work need PostgreSQL (hub.store); on SQLite use hub run"])
        wiring.start(hub)
        try:
            with asyncio.Runner(loop_factory=loop_factory()) as runner:
                runner.run(_main(hub, _address(listen or hub.config.hub.listen), web=web, work=work))
        except KeyboardInterrupt:
            err.print("stopped at once; nothing that was accepted is lost")
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
