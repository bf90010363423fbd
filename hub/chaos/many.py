"""Many seeds, some at a time, and the table of what they found."""

import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from hub.chaos.seed import Ground, Outcome, run

Tell = Callable[[Outcome], None]


def many(
    first: int, count: int, *, postgresql: bool, at_once: int, tell: Tell, folder: Path | None = None
) -> list[Outcome]:
    """Run seeds `first`, `first` + 1, ...; `tell` hears of each as it ends. Folders of those that failed stay."""
    where = folder or Path(tempfile.mkdtemp(prefix="hub-chaos-"))
    seeds = range(first, first + count)
    lanes = 1 if postgresql else max(1, min(at_once, count))  # a killed PostgreSQL must be one seed's alone
    grounds = [_ground(where / f"lane-{lane}", postgresql) for lane in range(lanes)]
    try:
        with ThreadPoolExecutor(lanes) as pool:
            parts = [pool.submit(_lane, ground, seeds[lane::lanes], tell) for lane, ground in enumerate(grounds)]
            found = [outcome for part in parts for outcome in part.result()]
    finally:
        for ground in grounds:
            ground.close()
    return sorted(found, key=lambda outcome: outcome.seed)


def _ground(folder: Path, postgresql: bool) -> Ground:
    folder.mkdir(parents=True, exist_ok=True)
    return Ground(folder, postgresql)


def _lane(ground: Ground, seeds: range, tell: Tell) -> list[Outcome]:
    done = []
    for seed in seeds:
        outcome = run(ground, seed)
        tell(outcome)
        done.append(outcome)
    return done
