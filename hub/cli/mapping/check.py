"""`hub mapping check | schema | show`: what is wrong with a mapping, and what it resolves to."""

import typer


def register(app: typer.Typer) -> None:
    """Add the commands."""
