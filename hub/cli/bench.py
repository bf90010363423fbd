"""`hub bench`: how fast it is, beside a bare loop."""

import typer

from hub.cli.output import PROBLEMS, WELL, JsonOption, emit, err, errors, out, table

app = typer.Typer(help="Benchmarks, each beside a baseline that runs in the same rounds.", no_args_is_help=True)


@app.command()
def flow(
    orders: int = typer.Option(5000, "--orders", min=1, help="Orders to send."),
    store: str = typer.Option("", "--store", help="Database URL of an empty store; empty: a fresh SQLite file."),
    destinations: int = typer.Option(1, "--destinations", min=1, max=10, help="Destinations each order goes to."),
    workers: int = typer.Option(0, "--workers", min=0, max=16, help="PostgreSQL: hub work processes beside hub serve."),
    peer: str = typer.Option("", "--peer", help="Send the load to this address of another tool instead of the hub."),
    port: int = typer.Option(9555, "--peer-port", help="Where that tool must post to: http://127.0.0.1:PORT/hub/d0."),
    as_json: bool = JsonOption,
) -> None:
    """Signed webhooks through a hub process to a receiver, beside the same client and receiver without the hub."""
    from hub.bench import flow as measure  # heavy, and only needed here

    def tell(text: str) -> None:
        err.print(text, markup=False)

    with errors():
        if peer:
            found = measure.peer(orders, peer, port, tell)
            emit(found) if as_json else table(("figure", "value"), found.items())
            raise typer.Exit(PROBLEMS if found["lost"] else WELL)
        figures = measure.flow(orders, store, destinations, workers, tell)
    if as_json:
        emit(figures.as_dict())
    else:
        table(("figure", "value"), figures.as_dict().items())
    bad = figures.lost or figures.duplicates or figures.out_of_order
    if bad and not as_json:
        out.print("[red]some orders were lost, doubled or out of order[/]")
    raise typer.Exit(PROBLEMS if bad else WELL)


@app.command()
def backlog(
    rows: int = typer.Option(1_000_000, "--rows", min=1000, help="Dead letters, and waiting deliveries."),
    as_json: bool = JsonOption,
) -> None:
    """What a million dead letters and a million waiting deliveries cost: memory of a process, time of a page."""
    from hub.bench import backlog as measure  # heavy, and only needed here

    with errors():
        figures = measure.backlog(rows, lambda text: err.print(text, markup=False)).as_dict()
    emit(figures) if as_json else table(("figure", "value"), figures.items())


@app.command()
def replay(
    letters: int = typer.Option(100_000, "--letters", min=1000, help="Dead letters to replay."),
    rate: float = typer.Option(40.0, "--rate", min=1.0, help="Live orders a second."),
    seconds: float = typer.Option(20.0, "--seconds", min=1.0, help="Length of a turn; three without and three beside."),
    pace: float = typer.Option(0.0, "--pace", min=0.0, help="Letters a second at most; 0: as fast as they go."),
    as_json: bool = JsonOption,
) -> None:
    """What a large replay does to live orders to the same destination: their latency without it and beside it."""
    from hub.bench import replays as measure  # heavy, and only needed here

    with errors():
        figures = measure.measure(letters, rate, seconds, pace or None, lambda text: err.print(text, markup=False))
    emit(figures.as_dict()) if as_json else table(("figure", "value"), figures.as_dict().items())
    raise typer.Exit(PROBLEMS if figures.lost else WELL)


@app.command()
def mapping(
    rounds: int = typer.Option(15, "--rounds", min=1, max=1000, help="Rounds; each measures every way in turn."),
    check: bool = typer.Option(False, "--check", help="Exit 1 where a goal is missed."),
    as_json: bool = JsonOption,
) -> None:
    """What mapping an order costs, beside the `jmespath` library and beside the same mapping written by hand.

    CPU time of one process; ratios are taken inside each round, and their median counts. The goals are those of
    docs/benchmarks.md.

    Example: hub bench mapping --rounds 50 --json
    """
    from hub import adapting
    from hub.bench import mapping as measure  # only needed here

    with errors():
        results = measure.measure(adapting.mappings_folder(), rounds, lambda text: err.print(text, markup=False))
    if as_json:
        emit({result.platform: result.as_dict() for result in results})
    else:
        rows = [
            (result.platform, name.replace("_", " "), f"{found:.2f}", goal, "yes" if met else "no")
            for result in results
            for name, found, goal, met in result.goals()
        ]
        table(("order of", "ratio", "found", "goal", "met"), rows)
        for result in results:
            told = ", ".join(f"{name} {value:.0f}" for name, value in result.microseconds.items())
            out.print(f"{result.platform}, microseconds of CPU: {told}")
    missed = not all(met for result in results for *_, met in result.goals())
    raise typer.Exit(PROBLEMS if check and missed else WELL)
