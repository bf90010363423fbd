"""Seeds with three processes, one that serves and two that work, each with a clock of its own."""

from pathlib import Path

import pytest

from tests.simulation.seeds import play


@pytest.mark.slow
@pytest.mark.parametrize("first", [51, 76])
def test_every_promise_holds(tmp_path: Path, first: int) -> None:
    assert play(tmp_path, first, 25, processes=3) == ""
