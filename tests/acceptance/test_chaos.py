"""Seeds of `hub chaos` against real processes, on SQLite and on PostgreSQL. docs/reliability.md has the long runs."""

from pathlib import Path

import pytest

from tests.acceptance.terminal import Terminal


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    ("store", "seeds"), [("sqlite", 10), pytest.param("postgresql", 4, marks=pytest.mark.postgres)]
)
def test_no_promise_breaks(tmp_path: Path, store: str, seeds: int) -> None:
    said = Terminal(tmp_path)("chaos", "--seeds", str(seeds), "--store", store, "--json", within=1100)
    assert said.json["failures"] == []
    assert (said.json["seeds"], said.json["passed"], said.json["failed"]) == (seeds, seeds, 0)
