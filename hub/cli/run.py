"""`hub run`, `hub serve`, `hub work`: the hub as a process."""

from pathlib import Path

import typer

from hub.cli.output import ConfigOption, errors

ListenOption = typer.Option("", "--listen", help="HOST:PORT instead of hub.listen.")
LevelOption = typer.Option("info", "--log-level", help="debug, info, warning or error.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("run")(run)
    app.command("serve")(serve)
    app.command("work")(work)


def run(config: Path = ConfigOption, listen: str = ListenOption, level: str = LevelOption) -> None:
    """Do everything in one process: webhooks, API, pulls, translation, delivery. Stop with Ctrl-C or SIGTERM."""
    from hub import process

    with errors():
        process.start(config, listen, level, web=True, work=True)


def serve(config: Path = ConfigOption, listen: str = ListenOption, level: str = LevelOption) -> None:
    """Only webhooks and the API. Needs PostgreSQL, with `hub work` beside it."""
    from hub import process

    with errors():
        process.start(config, listen, level, web=True, work=False)


def work(config: Path = ConfigOption, level: str = LevelOption) -> None:
    """Only pulls, translation and delivery. Several may run on PostgreSQL."""
    from hub import process

    with errors():
        process.start(config, "", level, web=False, work=True)
