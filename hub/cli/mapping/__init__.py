"""`hub mapping`: write, check, test, compare and activate mappings."""

import typer

from hub.cli.mapping import cases, check, drafts, history, versions

app = typer.Typer(help="Mappings: write, check, test, compare and activate them.", no_args_is_help=True)
for part in (drafts, check, cases, history, versions):
    part.register(app)
