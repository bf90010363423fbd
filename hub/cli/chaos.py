"""`hub chaos`: faults drawn by a seed, and a checker that believes only receivers and store."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from hub.cli.output import PROBLEMS, WELL, JsonOption, emit, err, errors, fail, out, table

if TYPE_CHECKING:
    from hub.chaos.seed import Outcome as Real
    from hub.chaos.simulation.world import Outcome as Simulated


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("chaos")(chaos)


def chaos(
    seeds: int = typer.Option(20, "--seeds", min=1, help="How many seeds."),
    first_seed: int = typer.Option(1, "--first-seed", min=0, help="The first one; the same seed draws the same."),
    store: str = typer.Option("sqlite", "--store", help="sqlite, or postgresql (a server of its own)."),
    simulated: bool = typer.Option(False, "--simulated", help="One thread under virtual time: a seed replays exactly."),
    processes: int | None = typer.Option(
        None, "--processes", min=1, max=9, help="Simulated: hub processes; 1, or one that serves and others that work."
    ),
    trace: bool = typer.Option(False, "--trace", help="Simulated: every event of each seed, a line each."),
    statements: bool = typer.Option(False, "--statements", help="With --trace: every SQL statement too."),
    late: bool = typer.Option(
        False, "--late", help="Simulated: receivers also take effect after the timeout, which nothing can close."
    ),
    at_once: int = typer.Option(2, "--at-once", min=1, max=32, help="Seeds under way at once, on SQLite."),
    folder: Path | None = typer.Option(None, "--folder", help="Where stores and logs of failed seeds stay."),
    as_json: bool = JsonOption,
) -> None:
    """Try to break every promise: kill -9 at write points, full disks, clock jumps, locks, receivers that misbehave.

    Each seed draws traffic and faults, plays them against the hub, waits for calm, and checks receivers and store: all
    accepted messages accounted for, nothing twice in effect, everything in order, books and audit chain whole. Without
    --simulated it starts real processes, which takes seconds a seed and ends by the machine's clock.
    """
    if store not in ("sqlite", "postgresql"):
        fail(f"{store!r} is no store for chaos", hint="sqlite or postgresql", code=2)
    only = {"--processes": processes, "--trace": trace, "--statements": statements, "--late": late}
    if not simulated and (wrong := next((name for name, given in only.items() if given), "")):
        fail(f"{wrong} is for simulations", hint=f"hub chaos --simulated {wrong} ...", code=2)
    if statements and not trace:
        fail("--statements adds to a trace", hint="hub chaos --simulated --trace --statements ...", code=2)
    if store == "postgresql" and processes == 1:
        fail("a simulated PostgreSQL is shared by several processes", hint="--processes 3", code=2)
    if simulated:
        several = processes or (3 if store == "postgresql" else 1)
        _simulated(seeds, first_seed, several, store, trace, statements, late, at_once, folder, as_json)
    else:
        _real(seeds, first_seed, store, at_once, folder, as_json)


def _real(seeds: int, first: int, store: str, at_once: int, folder: Path | None, as_json: bool) -> None:
    from hub.chaos.many import many  # heavy, and only needed here

    told = _Told(seeds, f"--store {store}")
    with errors():
        found = many(first, seeds, postgresql=store == "postgresql", at_once=at_once, tell=told.real, folder=folder)
    told.end(as_json, sum(o.accepted for o in found), sum(o.kills for o in found), {})


def _simulated(
    seeds: int,
    first: int,
    processes: int,
    store: str,
    trace: bool,
    statements: bool,
    late: bool,
    at_once: int,
    folder: Path | None,
    as_json: bool,
) -> None:
    from hub.chaos.simulation.many import Wanted, events_hash, many  # heavy, and only needed here

    told = _Told(seeds, f"--simulated --processes {processes} --store {store}{' --late' if late else ''} --trace")
    wanted = Wanted(first, seeds, processes, store == "postgresql", at_once, late, statements)
    say = (lambda line: typer.echo(line, err=True)) if trace else None  # rich would take longer than the seed
    with errors():
        found = many(wanted, told.simulated, trace=say, folder=folder)
    cpu = sum(o.cpu for o in found)
    figures = {
        "events_hash": events_hash(found),
        "seconds": round(cpu, 1),
        "virtual_seconds": round(sum(o.virtual for o in found), 1),
        "seeds_per_cpu_second": round(len(found) / cpu, 2),
    }
    told.end(as_json, sum(o.accepted for o in found), sum(o.kills for o in found), figures)


class _Told:
    """Progress as seeds end, and the table or JSON at the end. `again` are the options that play a seed again."""

    def __init__(self, seeds: int, again: str) -> None:
        self._seeds, self._again, self._done = seeds, again, 0
        self._failures: list[dict[str, Any]] = []

    def real(self, outcome: "Real") -> None:
        """Hear of a seed that ended."""
        counts = f"{outcome.accepted} accepted, {outcome.kills} processes killed, {outcome.seconds:.1f} s"
        self._ended(outcome.seed, outcome.broken, counts)

    def simulated(self, outcome: "Simulated") -> None:
        """The same of a simulated one."""
        counts = f"{outcome.accepted} accepted, {outcome.kills} processes killed, {outcome.virtual:.1f} virtual s"
        self._ended(outcome.seed, outcome.broken, f"{counts} in {outcome.cpu:.2f} s")

    def _ended(self, seed: int, broken: list[str], counts: str) -> None:
        self._done += 1
        mark = "[red]✗[/]" if broken else "[green]✓[/]"
        err.print(f"{mark} seed {seed} ({self._done}/{self._seeds}): {counts}")
        for what in broken[:5]:
            err.print(f"    {what[:500]}", markup=False)
        if broken:
            again = f"hub chaos --seeds 1 --first-seed {seed} {self._again}"
            err.print(f"    again: {again}", markup=False)
            self._failures.append({"seed": seed, "broken": broken, "again": again})

    def end(self, as_json: bool, accepted: int, killed: int, figures: dict[str, Any]) -> None:
        """Tell the sum, and leave with the exit code."""
        failed = len(self._failures)
        passed = self._done - failed
        if as_json:
            emit({"seeds": self._done, "passed": passed, "failed": failed, **figures, "failures": self._failures})
        else:
            rows = [("seeds", self._done), ("passed", passed), ("failed", failed)]
            more = [(name.replace("_", " "), value) for name, value in figures.items()]
            table(("figure", "value"), [*rows, ("pushes accepted", accepted), ("processes killed", killed), *more])
            if not failed:
                out.print("[green]every promise held[/]")
        raise typer.Exit(PROBLEMS if failed else WELL)
