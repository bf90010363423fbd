"""The rig for tests that drive a hub against a real store."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.rig import ONE, Rig


@pytest.fixture
async def make_rig(tmp_path: Path, store_url: str) -> AsyncIterator[Callable[..., Rig]]:
    """Make rigs on this test's store; they are closed at its end."""
    made: list[Rig] = []

    def make(toml: str = ONE, *, mapping: str = "", mappings: str = "") -> Rig:
        rig = Rig(tmp_path, store_url, toml, mapping=mapping, mappings=mappings)
        made.append(rig)
        return rig

    yield make
    for rig in made:
        await rig.close()


@pytest.fixture
def rig(make_rig: Callable[..., Rig]) -> Rig:
    """A hub with one shop (own site) and one destination (erp)."""
    return make_rig()
