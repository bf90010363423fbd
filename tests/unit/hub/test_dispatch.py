"""Places of a destination are given away once."""

import asyncio
from collections.abc import Mapping
from typing import Any

from hub.delivering import Claim, Lease
from hub.dispatch import Dispatch


async def test_places_that_the_store_is_asked_for_are_not_promised_as_well() -> None:
    asked, answered = asyncio.Event(), asyncio.Event()
    turns = 0

    async def claim(_name: str, _free: int) -> Claim:
        nonlocal turns
        turns += 1
        if turns == 2:
            asked.set()
            await answered.wait()
        return Claim()

    async def deliver(_name: str, _row: Mapping[str, Any], _doubtful: bool, _lease: Lease) -> None:
        raise AssertionError("there is nothing to deliver")

    dispatch = Dispatch({"erp": 10}, claim, deliver, alone=False)
    task = asyncio.create_task(dispatch.run("erp"))
    await asked.wait()
    assert dispatch.promise() == {}
    answered.set()
    await asyncio.sleep(0)  # the answer is taken
    await asyncio.sleep(0)
    assert dispatch.promise() == {"erp": 7}
    dispatch.stop()
    await task
