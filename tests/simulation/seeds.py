"""Ranges of seeds that CI plays, each as a test of its own, in files that run side by side."""

from pathlib import Path

from hub.chaos.simulation.many import Wanted, many


def play(folder: Path, first: int, count: int, *, processes: int = 1, postgresql: bool = False) -> str:
    """Play seeds in this process. Returns what broke, with the command that plays it again; "" where all held."""
    found = many(Wanted(first, count, processes, postgresql), lambda _: None, folder=folder)
    assert [outcome.seed for outcome in found] == list(range(first, first + count))
    store = "postgresql" if postgresql else "sqlite"
    again = f"hub chaos --simulated --seeds 1 --processes {processes} --store {store} --trace --first-seed"
    return "\n".join("\n".join([f"{again} {o.seed}", *o.broken]) for o in found if o.broken)
