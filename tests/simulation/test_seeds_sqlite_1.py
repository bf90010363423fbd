"""Seeds with one process on SQLite."""

from pathlib import Path

import pytest

from tests.simulation.seeds import play


@pytest.mark.slow
@pytest.mark.parametrize("first", [1, 51, 101])
def test_every_promise_holds(tmp_path: Path, first: int) -> None:
    assert play(tmp_path, first, 50) == ""
