"""Group commit: who waits together is committed together; what cannot be written refuses itself alone."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from hub.gathering import Gatherer
from hub.store import StoreTrouble
from tests.virtual import virtual


@virtual
async def test_items_that_come_together_are_committed_together() -> None:
    batches: list[list[int]] = []

    async def commit(items: list[int]) -> list[int]:
        batches.append(list(items))
        await asyncio.sleep(0.01)
        return [i * 10 for i in items]

    gatherer = Gatherer(commit, most=50, patience=0.005)
    assert await asyncio.gather(*(gatherer.put(i) for i in range(120))) == [i * 10 for i in range(120)]
    assert [len(b) for b in batches] == [50, 50, 20]


def failing(error: Exception) -> Callable[[list[int]], Awaitable[list[int]]]:
    """A commit that fails where 1 is among its items."""

    async def commit(items: list[int]) -> list[int]:
        if 1 in items:
            raise error
        return items

    return commit


@virtual
async def test_the_store_s_trouble_is_told_to_everybody_in_a_commit_and_to_nobody_else() -> None:
    full = StoreTrouble("database or disk is full")
    gatherer = Gatherer(failing(full), most=2, patience=0)
    results = await asyncio.gather(*(gatherer.put(i) for i in range(4)), return_exceptions=True)
    assert results == [full, full, 2, 3]
    with pytest.raises(StoreTrouble, match="disk is full"):
        await gatherer.put(1)


@virtual
async def test_one_that_cannot_be_written_refuses_itself_alone() -> None:
    gatherer = Gatherer(failing(ValueError("no such text")), most=4, patience=0)
    results = await asyncio.gather(*(gatherer.put(i) for i in range(4)), return_exceptions=True)
    assert [isinstance(r, ValueError) for r in results] == [False, True, False, False]


@virtual
async def test_who_comes_after_a_quiet_while_waits_for_nobody_and_the_next_wait_for_each_other() -> None:
    batches: list[list[int]] = []

    async def commit(items: list[int]) -> list[int]:
        batches.append(items)
        await asyncio.sleep(0.05)
        return items

    async def late(item: int) -> None:
        await asyncio.sleep(0.05)
        await gatherer.put(item)

    gatherer = Gatherer(commit, most=50, patience=5.0)
    began = asyncio.get_running_loop().time()
    await gatherer.put(1)
    assert asyncio.get_running_loop().time() - began == pytest.approx(0.05), "its own commit, and no wait before it"
    await asyncio.gather(gatherer.put(2), late(3), late(4))
    assert batches == [[1], [2, 3, 4]]
