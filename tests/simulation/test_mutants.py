"""Planted bugs are found, and where they are, the hub as it is keeps its promises.

Each is played from a seed shortly before its find; `python -m tests.simulation.mutants --all` plays them from seed 1.
"""

import json
import subprocess
import sys

import pytest

from tests.acceptance.terminal import PROJECT, environment
from tests.simulation.mutants import MUTANTS

SEEDS = 2
"""How many seeds each has, from its start."""


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
@pytest.mark.parametrize("name", MUTANTS)
def test_a_planted_bug_is_found(name: str) -> None:
    mutant = MUTANTS[name]
    found = played(name, "--first", mutant.start, "--seeds", SEEDS)
    assert found["found"] is not None, f"nothing tells that this promise is broken: {mutant.breaks}"
    assert found["broken"]


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 3])
def test_the_hub_as_it_is_passes_the_same_seeds(processes: int) -> None:
    starts = sorted({mutant.start for mutant in MUTANTS.values() if mutant.processes == processes})
    found = [played("none", "--processes", processes, "--first", start, "--seeds", SEEDS) for start in starts]
    assert found
    assert [one["broken"] for one in found if one["found"] is not None] == []
