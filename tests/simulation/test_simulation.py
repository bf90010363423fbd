"""`hub chaos --simulated` as a command: it replays exactly, tells what broke, and refuses what makes no sense."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.terminal import Terminal, environment

SHAPE = {"seeds", "passed", "failed", "failures", "events_hash", "seconds", "virtual_seconds", "seeds_per_cpu_second"}


def simulated(folder: Path, *words: object, hash_seed: int = 0, code: int = 0) -> dict[str, object]:
    """What the command says as JSON."""
    said = Terminal(folder)(
        "chaos", "--simulated", "--at-once", 1, *words, "--json",
        variables={"PYTHONHASHSEED": str(hash_seed)}, code=code, within=250,
    )  # fmt: skip
    found: dict[str, object] = said.json
    return found


@pytest.mark.parametrize("processes", [1, 3])
def test_a_seed_is_the_same_in_another_process_with_another_order_of_sets(tmp_path: Path, processes: int) -> None:
    words = ("--seeds", 5, "--first-seed", 16, "--processes", processes)
    one, other = (simulated(tmp_path, *words, hash_seed=seed) for seed in (1, 2))
    assert one["events_hash"] == other["events_hash"]
    assert (one["seeds"], one["passed"], one["failed"], one["failures"]) == (5, 5, 0, [])
    assert one.keys() == SHAPE


def test_a_seed_does_not_depend_on_those_before_it(tmp_path: Path) -> None:
    both = simulated(tmp_path, "--seeds", 2, "--first-seed", 20, "--trace", "--folder", tmp_path / "both")
    single = [simulated(tmp_path, "--seeds", 1, "--first-seed", seed) for seed in (20, 21)]
    assert both["seeds"] == 2
    again = simulated(tmp_path, "--seeds", 2, "--first-seed", 20)
    assert both["events_hash"] == again["events_hash"] != single[0]["events_hash"]


@pytest.mark.usefixtures("postgres")
def test_a_seed_is_the_same_on_another_postgresql_server(tmp_path: Path) -> None:
    words = ("--seeds", 2, "--store", "postgresql")
    one, other = (simulated(tmp_path, *words, hash_seed=seed) for seed in (1, 2))
    assert one["events_hash"] == other["events_hash"]
    assert one["failures"] == []


BROKEN = """
from tests.simulation.mutants import MUTANTS
from hub.cli import main
import sys
MUTANTS["{mutant}"].plant()
sys.argv = ["hub", "chaos", "--simulated", "--seeds", "{seeds}", "--first-seed", "1", "--at-once", "1", {more}]
main()
"""


def with_a_bug(folder: Path, mutant: str, seeds: int, *more: str) -> subprocess.CompletedProcess[str]:
    """The command with a bug planted into the hub."""
    program = BROKEN.format(mutant=mutant, seeds=seeds, more=", ".join(map(repr, more)))
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder, env=environment(), capture_output=True, text=True, timeout=250, check=False,
    )  # fmt: skip


def test_a_failing_seed_is_told_with_the_command_that_plays_it_again(tmp_path: Path) -> None:
    done = with_a_bug(tmp_path, "lanes-off", 1, "--json", "--folder", str(tmp_path / "failed"))
    assert done.returncode == 1, done.stderr
    found = json.loads(done.stdout)
    assert found.keys() == SHAPE
    assert (found["seeds"], found["passed"], found["failed"]) == (1, 0, 1)
    (failure,) = found["failures"]
    assert failure.keys() == {"seed", "broken", "again"}
    assert any("took effect after" in what for what in failure["broken"])
    assert failure["again"].startswith("hub chaos --seeds 1 --first-seed 1 --simulated --processes 1 --store sqlite")
    assert failure["again"] in " ".join(done.stderr.split())
    assert list((tmp_path / "failed").glob("**/seed-1/hub.db")), "its store stays"


def test_what_cannot_come_to_rest_is_told_by_what_still_waits(tmp_path: Path) -> None:
    done = with_a_bug(tmp_path, "release-forgotten", 1, "--json", "--folder", str(tmp_path / "failed"))
    assert done.returncode == 1, done.stderr
    (failure,) = json.loads(done.stdout)["failures"]
    assert any("deliveries held behind nothing" in what for what in failure["broken"])
    assert any("still moving" in what for what in failure["broken"])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--simulated", "--store", "oracle"), "'oracle' is no store for chaos"),
        (("--trace",), "--trace is for simulations"),
        (("--processes", "3"), "--processes is for simulations"),
        (("--simulated", "--statements"), "--statements adds to a trace"),
        (("--simulated", "--store", "postgresql", "--processes", "1"), "shared by several processes"),
        (("--simulated", "--seeds", "0"), "'--seeds'"),
        (("--simulated", "--first-seed=-1"), "'--first-seed'"),
        (("--simulated", "--processes", "0"), "'--processes'"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, words: tuple[str, ...], told: str) -> None:
    said = Terminal(tmp_path)("chaos", *words, code=2)
    assert told in said.out + said.err
