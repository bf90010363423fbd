"""The root of the command: global options, and every noun's commands in one place."""

import io
import sys

import typer

from hub.cli import (
    audit,
    bench,
    chaos,
    deliveries,
    demo,
    destinations,
    dlq,
    docs,
    doctor,
    erase,
    init,
    keys,
    mapping,
    orders,
    pull,
    run,
    tokens,
    trace,
)
from hub.cli import map as trial

app = typer.Typer(
    name="hub",
    help="Orders, refunds and stock from every channel to ERP, WMS and tax, with nothing lost.\n\n"
    "Start with: hub init, hub check, hub run. Try a mapping with: hub map taobao FILE. "
    "See one order's whole story with: hub trace ORDER.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

init.register(app)
run.register(app)
trial.register(app)
trace.register(app)
app.add_typer(orders.app, name="orders")
app.add_typer(deliveries.app, name="deliveries")
app.add_typer(destinations.app, name="destinations")
app.add_typer(dlq.app, name="dlq")
app.add_typer(mapping.app, name="mapping")
app.add_typer(audit.app, name="audit")
app.add_typer(tokens.app, name="token")
app.add_typer(bench.app, name="bench")
chaos.register(app)
erase.register(app)
app.add_typer(keys.app, name="key")
demo.register(app)
pull.register(app)
doctor.register(app)
docs.register(app)


def main() -> None:
    """Entry point. A sign that a terminal's encoding lacks is spelled out, and stops nothing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    app()
