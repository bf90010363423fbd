"""Many seeds one after the other, or some at once in processes of their own, and what they found."""

import hashlib
import multiprocessing
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hub.chaos.simulation.world import Ground, Outcome, simulate

Tell = Callable[[Outcome], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which seeds to play, and against what. `at_once` is for SQLite: a PostgreSQL server belongs to one run."""

    first: int
    count: int
    processes: int = 1
    postgresql: bool = False
    at_once: int = 1
    late: bool = False
    statements: bool = False


def many(
    wanted: Wanted, tell: Tell, *, trace: Callable[[str], None] | None = None, folder: Path | None = None
) -> list[Outcome]:
    """Play the seeds in order; `tell` hears of each as it ends. Folders of those that failed stay in `folder`."""
    seeds = range(wanted.first, wanted.first + wanted.count)
    with _place(folder) as place:
        if wanted.at_once == 1 or wanted.postgresql or trace is not None or wanted.count == 1:
            return _here(wanted, seeds, tell, trace, place)
        return _at_once(wanted, seeds, tell, place)


def events_hash(found: Sequence[Outcome]) -> str:
    """One hash over the hashes of all seeds."""
    return hashlib.blake2b("".join(o.events_hash for o in found).encode(), digest_size=16).hexdigest()


@contextmanager
def _place(folder: Path | None) -> Iterator[Path]:
    """A folder in memory where there is one: a simulation wants no disk. It goes away unless something failed."""
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
        return
    memory = Path("/dev/shm")  # noqa: S108  # a folder of its own is made in it
    made = Path(tempfile.mkdtemp(prefix="hub-simulation-", dir=memory if memory.is_dir() else None))
    yield made
    if not any(made.glob("**/seed-*")):
        shutil.rmtree(made, ignore_errors=True)


def _here(wanted: Wanted, seeds: range, tell: Tell, trace: Callable[[str], None] | None, place: Path) -> list[Outcome]:
    ground = Ground(place, processes=wanted.processes, postgresql=wanted.postgresql)
    found = []
    try:
        for seed in seeds:
            outcome = simulate(ground, seed, trace=trace, statements=wanted.statements, late=wanted.late)
            tell(outcome)
            found.append(outcome)
    finally:
        ground.close()
    return found


_ground: Ground | None = None
"""What one of the processes of `at_once` stands on."""


def _begin(place: Path, processes: int) -> None:
    global _ground  # noqa: PLW0603  # a process has one
    own = place / multiprocessing.current_process().name
    own.mkdir(parents=True, exist_ok=True)
    _ground = Ground(own, processes=processes)


def _one(seed: int, late: bool) -> Outcome:
    assert _ground is not None  # noqa: S101  # _begin has run
    return simulate(_ground, seed, late=late)


def _at_once(wanted: Wanted, seeds: range, tell: Tell, place: Path) -> list[Outcome]:
    context = multiprocessing.get_context("spawn")  # a fork would take over threads and connections
    found = []
    with ProcessPoolExecutor(
        min(wanted.at_once, wanted.count), context, initializer=_begin, initargs=(place, wanted.processes)
    ) as pool:
        for outcome in pool.map(_one, seeds, [wanted.late] * wanted.count):
            tell(outcome)
            found.append(outcome)
    return found
