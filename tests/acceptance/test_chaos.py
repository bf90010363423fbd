"""A few seeds of `hub chaos` against real processes, on SQLite and on PostgreSQL. `make soak` runs many."""

from pathlib import Path

import pytest

from tests.acceptance.terminal import Terminal


@pytest.mark.slow
@pytest.mark.parametrize(("store", "seeds"), [("sqlite", 3), pytest.param("postgresql", 1, marks=pytest.mark.postgres)])
def test_no_promise_breaks(tmp_path: Path, store: str, seeds: int) -> None:
    words = ("--seeds", str(seeds), "--store", store, "--at-once", "2", "--folder", str(tmp_path / "seeds"))
    said = Terminal(tmp_path)("chaos", *words, "--json", within=280)
    assert said.json["failures"] == []
    assert (said.json["seeds"], said.json["passed"], said.json["failed"]) == (seeds, seeds, 0)
