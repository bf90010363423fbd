"""`hub mapping diff | shadow | drift`: mappings held against what the platforms really sent."""

import typer

from hub.cli.mapping import drift


def register(app: typer.Typer) -> None:
    """Add the commands."""
    drift.register(app)
