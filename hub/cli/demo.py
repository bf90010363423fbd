"""`hub demo` and `hub sandbox`."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from hub.cli.output import PROBLEMS, WELL, errors, out, table

if TYPE_CHECKING:
    from rich.table import Table


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("demo")(demo)
    app.command("sandbox")(sandbox)


def demo(
    folder: Path = typer.Option(Path("var/demo"), "--folder", help="Where hub.toml, mappings and store are left."),
    orders: int = typer.Option(450, "--orders", min=50, help="Orders over all five shops."),
) -> None:
    """Run the main job by itself against imitated platforms, and prove that nothing was lost. Exit 0 if it holds."""
    from hub import demo as job

    started = time.perf_counter()
    with errors(), _Progress() as progress:
        outcome = job.run(folder, progress.tell, progress.watch, orders)
    out.print("\n[bold]the books[/]: accepted = delivered + waiting + held + ignored + dead")
    columns = ("channel", "destination", "accepted", "delivered", "waiting", "held", "ignored", "dead", "holds")
    table(columns, [[("yes" if r[c] else "NO") if c == "holds" else r[c] for c in columns] for r in outcome.balance])
    out.print("\n[bold]what the receivers counted themselves[/]")
    counted = ("taken", "requests", "duplicate_requests", "duplicates_in_effect", "out_of_order")
    table(("receiver", *counted), [[n, *(b.get(c, "") for c in counted)] for n, b in outcome.receivers.items()])
    out.print()
    for what, holds in outcome.checks:
        out.print(f"[green]✓[/] {what}" if holds else f"[red]✗ {what}[/]")
    for one in outcome.astray[:5]:
        out.print(f"  {one}", markup=False)
    out.print(
        f"\n{'all of it holds' if outcome.well else 'NOT ALL OF IT HOLDS'}, after {time.perf_counter() - started:.0f} s"
    )
    config = folder / "hub.toml"
    hub = Path(sys.argv[0]).name if Path(sys.argv[0]).name == "hub" else "hub"
    prefix = "" if hub != "hub" or not Path(".venv/bin/hub").exists() else ".venv/bin/"
    out.print("try next:")
    out.print(f"  {prefix}hub dlq groups -c {config}")
    out.print(f"  {prefix}hub trace {outcome.sample or 'ORDER'} -c {config}")
    out.print(f"  {prefix}hub orders list -c {config}")
    raise typer.Exit(WELL if outcome.well else PROBLEMS)


def sandbox(
    host: str = typer.Option("127.0.0.1", "--host", help="Address to listen on."),
    port: int = typer.Option(9400, "--port", help="Port; 0 takes a free one."),
    seed: int = typer.Option(7, "--seed", help="The same seed makes the same traffic."),
    orders: int = typer.Option(400, "--orders", help="Orders over all five shops."),
    show_config: bool = typer.Option(False, "--show-config", help="Print a hub.toml that talks to it, and end."),
) -> None:
    """Run imitated platforms and receivers, to try a configuration without accounts. Traffic begins on
    POST /control/start {"hub_url": "http://127.0.0.1:8080"}."""
    import asyncio

    import tomlkit

    from adapters.sandbox.server import Setup, listen, serve_on  # only this command waits for it
    from hub import demo as job

    if show_config:
        settings = job.sandbox_settings(f"http://{host}:{port}")
        sys.stdout.write(tomlkit.dumps({**settings, "routes": job.ROUTES}))
        return
    with listen(host, port) as listener:
        bound = listener.getsockname()[1]
        out.print(f"sandbox at http://{host}:{bound}; Ctrl-C ends it")
        asyncio.run(serve_on(listener, Setup(seed=seed, orders=orders)))


class _Progress:
    """A live table on a terminal; elsewhere a line every few seconds."""

    def __init__(self) -> None:
        from rich.live import Live

        self._live: Live | None = (
            Live(console=out.console, refresh_per_second=4, transient=True) if out.is_terminal else None
        )
        self._told = 0.0

    def __enter__(self) -> "_Progress":
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def tell(self, text: str) -> None:
        """One line that stays."""
        (self._live.console if self._live else out).print(text, markup=False)

    def watch(self, view: dict[str, Any]) -> None:
        """Where everything stands."""
        if self._live:
            self._live.update(_picture(view))
            return
        if time.perf_counter() - self._told < 3:
            return
        self._told = time.perf_counter()
        places = ", ".join(
            f"{d['name']} {d['delivered']} delivered {d['waiting']} waiting {d['dead']} dead"
            + (f" (breaker {d['breaker']})" if d["breaker"] != "closed" else "")
            for d in view["destinations"]
        )
        steps = view["steps"]
        self.tell(f"{steps['played']}/{steps['of']} events, {sum(view['accepted'].values())} accepted; {places}")


def _picture(view: dict[str, Any]) -> "Table":
    from rich.table import Table

    shown = Table(title=f"{view['steps']['played']} of {view['steps']['of']} events on the platforms", box=None)
    for name in ("destination", "breaker", "delivered", "waiting", "held", "dead"):
        shown.add_column(name)
    for d in view["destinations"]:
        colour = "green" if d["breaker"] == "closed" else "red"
        shown.add_row(
            d["name"], f"[{colour}]{d['breaker']}[/]", *(str(d[k]) for k in ("delivered", "waiting", "held", "dead"))
        )
    shown.caption = "accepted: " + ", ".join(f"{n} {c}" for n, c in sorted(view["accepted"].items()))
    return shown
