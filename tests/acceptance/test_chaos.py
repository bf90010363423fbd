"""Seeds of `hub chaos` against real processes, on SQLite and on PostgreSQL. docs/reliability.md has the long runs."""

import pytest

from tests.acceptance.terminal import Terminal


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("store", "seeds"), [("sqlite", 12), pytest.param("postgresql", 4, marks=pytest.mark.postgres)]
)
def test_no_promise_breaks(terminal: Terminal, store: str, seeds: int) -> None:
    said = terminal("chaos", "--seeds", str(seeds), "--store", store, "--json", within=800)
    assert said.json["failures"] == []
    assert (said.json["seeds"], said.json["passed"], said.json["failed"]) == (seeds, seeds, 0)
