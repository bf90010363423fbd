"""`hub mapping diff | shadow | drift`: mappings held against what the platforms really sent."""

import typer


def register(app: typer.Typer) -> None:
    """Add the commands."""
