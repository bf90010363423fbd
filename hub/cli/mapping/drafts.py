"""`hub mapping new | mend`: mappings that the hub proposes."""

import typer

from hub.cli.mapping import mend, new


def register(app: typer.Typer) -> None:
    """Add the commands."""
    new.register(app)
    mend.register(app)
