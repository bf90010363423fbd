"""`hub mapping versions | activate | rollback | follow`: which version is in force."""

import typer


def register(app: typer.Typer) -> None:
    """Add the commands."""
