"""Planted bugs are found, and where they are, the hub as it is keeps its promises.

Each is played at the seed that finds it first; `python -m tests.simulation.mutants --all` plays them from seed 1.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from hub.chaos.simulation.world import Ground, simulate
from tests.acceptance.terminal import PROJECT, environment
from tests.simulation.mutants import MUTANTS


def played(*words: object) -> dict[str, object]:
    """Play a mutant in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.simulation.mutants", *map(str, words)],
        cwd=PROJECT, env=environment(), capture_output=True, text=True, timeout=250, check=False,
    )  # fmt: skip
    assert done.stdout, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, mutant in MUTANTS.items() if mutant.start])
def test_a_planted_bug_is_found(name: str) -> None:
    mutant = MUTANTS[name]
    found = played(name, "--first", mutant.start, "--seeds", 1)
    assert found["found"] is not None, f"nothing tells that this promise is broken: {mutant.breaks}"
    assert found["broken"]


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 3])
def test_the_hub_as_it_is_passes_the_same_seeds(tmp_path: Path, processes: int) -> None:
    seeds = sorted({mutant.start for mutant in MUTANTS.values() if mutant.processes == processes and mutant.start})
    ground = Ground(tmp_path, processes=processes)
    found = [simulate(ground, seed) for seed in seeds]
    ground.close()
    assert found
    assert {outcome.seed: outcome.broken for outcome in found if outcome.broken} == {}
