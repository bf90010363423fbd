"""`hub mapping new | mend`: mappings that the hub proposes."""

import typer


def register(app: typer.Typer) -> None:
    """Add the commands."""
