"""`hub chaos`: faults drawn by a seed, and a checker that believes only receivers and store."""

from pathlib import Path
from typing import Any

import typer

from hub.cli.output import PROBLEMS, WELL, JsonOption, emit, err, errors, fail, out, table


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("chaos")(chaos)


def chaos(
    seeds: int = typer.Option(20, "--seeds", min=1, help="How many seeds."),
    first_seed: int = typer.Option(1, "--first-seed", min=0, help="The first one; the same seed draws the same."),
    store: str = typer.Option("sqlite", "--store", help="sqlite, or postgresql (a server of its own, killed too)."),
    at_once: int = typer.Option(2, "--at-once", min=1, max=32, help="Seeds under way at once, on SQLite."),
    folder: Path | None = typer.Option(None, "--folder", help="Where logs and stores of failed seeds stay."),
    as_json: bool = JsonOption,
) -> None:
    """Try to break every promise: kill -9 at write points, full disks, clock jumps, locks, receivers that misbehave.

    Each seed draws traffic and faults, runs real hub processes, waits for calm, and checks receivers and store: all
    accepted messages accounted for, nothing twice in effect, everything in order, books and audit chain whole.
    """
    from hub.chaos.many import many  # heavy, and only needed here
    from hub.chaos.seed import Outcome

    if store not in ("sqlite", "postgresql"):
        fail(f"{store!r} is no store for chaos", hint="sqlite or postgresql", code=2)
    failures: list[dict[str, Any]] = []
    done = 0

    def tell(outcome: Outcome) -> None:
        nonlocal done
        done += 1
        mark = "[red]✗[/]" if outcome.broken else "[green]✓[/]"
        counts = f"{outcome.accepted} accepted, {outcome.kills} processes killed, {outcome.seconds:.1f} s"
        err.print(f"{mark} seed {outcome.seed} ({done}/{seeds}): {counts}")
        for what in outcome.broken[:5]:
            err.print(f"    {what[:500]}", markup=False)
        if outcome.broken:
            again = f"hub chaos --seeds 1 --first-seed {outcome.seed} --store {store}"
            err.print(f"    again: {again}", markup=False)
            failures.append({"seed": outcome.seed, "broken": outcome.broken, "again": again})

    with errors():
        found = many(first_seed, seeds, postgresql=store == "postgresql", at_once=at_once, tell=tell, folder=folder)
    passed = sum(not outcome.broken for outcome in found)
    if as_json:
        emit({"seeds": len(found), "passed": passed, "failed": len(found) - passed, "failures": failures})
    else:
        accepted, killed = sum(o.accepted for o in found), sum(o.kills for o in found)
        rows = [("seeds", len(found)), ("passed", passed), ("failed", len(found) - passed)]
        table(("figure", "value"), [*rows, ("pushes accepted", accepted), ("processes killed", killed)])
        if passed == len(found):
            out.print("[green]every promise held[/]")
    raise typer.Exit(WELL if passed == len(found) else PROBLEMS)
