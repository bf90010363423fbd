"""Group commit: who waits together is committed together, and learns of trouble."""

import asyncio

import pytest

from hub.flow import Gatherer


async def test_items_that_come_together_are_committed_together() -> None:
    batches: list[list[int]] = []

    async def commit(items: list[int]) -> list[int]:
        batches.append(list(items))
        await asyncio.sleep(0.01)
        return [i * 10 for i in items]

    gatherer = Gatherer(commit, most=50, pause=0.005)
    assert await asyncio.gather(*(gatherer.put(i) for i in range(120))) == [i * 10 for i in range(120)]
    assert [len(b) for b in batches] == [50, 50, 20]


async def test_a_failed_commit_is_told_to_everybody_in_it_and_to_nobody_else() -> None:
    async def commit(items: list[int]) -> list[int]:
        if 1 in items:
            raise OSError("disk full")
        return items

    gatherer = Gatherer(commit, most=2, pause=0)
    results = await asyncio.gather(*(gatherer.put(i) for i in range(4)), return_exceptions=True)
    assert [isinstance(r, OSError) for r in results] == [True, True, False, False]
    with pytest.raises(OSError, match="disk full"):
        await gatherer.put(1)
