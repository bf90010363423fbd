"""`hub bench`: how fast it is, beside a bare loop."""

import typer

from hub.cli.output import PROBLEMS, WELL, emit, err, errors, out, table

app = typer.Typer(help="Benchmarks: real processes over loopback, every id checked.", no_args_is_help=True)


@app.callback()
def _root() -> None:
    """Keep `flow` a command of its own."""


@app.command()
def flow(
    orders: int = typer.Option(5000, "--orders", min=1, help="Orders to send."),
    store: str = typer.Option("", "--store", help="Database URL of an empty store; empty: a fresh SQLite file."),
    destinations: int = typer.Option(1, "--destinations", min=1, max=10, help="Destinations each order goes to."),
    as_json: bool = typer.Option(False, "--json", help="JSON for machines."),
) -> None:
    """Signed webhooks through a hub process to a receiver, beside the same client and receiver without the hub."""
    from hub import bench as measure  # heavy, and only needed here

    with errors():
        figures = measure.flow(orders, store, destinations, lambda text: err.print(text, markup=False))
    if as_json:
        emit(figures.as_dict())
    else:
        table(("figure", "value"), figures.as_dict().items())
    bad = figures.lost or figures.duplicates or figures.out_of_order
    if bad and not as_json:
        out.print("[red]some orders were lost, doubled or out of order[/]")
    raise typer.Exit(PROBLEMS if bad else WELL)
