"""A hub behind its application, in this process, over a fresh SQLite file."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import structlog

from tests.rig import Rig
from tests.unit.web.visitor import Visitor


@pytest.fixture
async def rig(tmp_path: Path, sqlite_url: str) -> AsyncIterator[Rig]:
    """A hub with one shop (site) and one destination (erp)."""
    made = Rig(tmp_path, sqlite_url)
    yield made
    await made.close()


@pytest.fixture
async def visitor(rig: Rig) -> AsyncIterator[Visitor]:
    """Somebody who talks HTTP to the hub, in any role."""
    made = Visitor(rig)
    await made.arrive()
    yield made
    await made.leave()


@pytest.fixture(autouse=True)
def _structlog_as_it_was() -> Iterator[None]:
    told = structlog.get_config()
    yield
    structlog.configure(**told)
