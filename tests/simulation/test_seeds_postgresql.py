"""Seeds with three processes on a real PostgreSQL server."""

from pathlib import Path

import pytest

from tests.simulation.seeds import play


@pytest.mark.slow
@pytest.mark.usefixtures("postgres")
@pytest.mark.parametrize("first", [1, 11])
def test_every_promise_holds(tmp_path: Path, first: int) -> None:
    assert play(tmp_path, first, 10, processes=3, postgresql=True) == ""
