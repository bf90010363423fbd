"""What is just mapped goes on in the process that mapped it; the store decides all the same."""

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

import httpx
import pytest
from sqlalchemy import text

from hub import clock, desk
from hub.dispatch import IDLE, Outlet
from hub.store import inbox, outbox
from hub.workers import Workers
from tests.rig import ONE, Rig, order
from tests.virtual import passes, virtual


@asynccontextmanager
async def working(rig: Rig) -> AsyncIterator[Workers]:
    """All loops of a process over the rig, until they are told to stop."""
    workers = Workers(rig.hub, rig.flow, rig.http)
    task = asyncio.create_task(workers.run())
    await passes(0.3)
    try:
        yield workers
    finally:
        workers.stopping.set()
        await task


async def until(rig: Rig, *states: str) -> None:
    """Wait until the deliveries are in these states."""
    for _ in range(200):
        if await rig.states() == list(states):
            return
        await passes(0.05)
    raise AssertionError(f"{await rig.states()} instead of {states}")


async def leases(rig: Rig) -> list[str]:
    """Who holds messages."""
    rows = await rig.read(lambda c: c.execute(text("select lease_owner from messages where lease_until > 0")).all())
    return [row[0] for row in rows]


@virtual
async def test_a_push_goes_through_without_a_look_into_the_store(rig: Rig) -> None:
    async with working(rig):
        await until(rig)
        started = asyncio.get_running_loop().time()
        await rig.push(order())
        await until(rig, "delivered")
        assert asyncio.get_running_loop().time() - started < IDLE
    assert await leases(rig) == []
    attempts = await rig.read(lambda c: c.execute(text("select number, outcome from attempts")).all())
    assert [tuple(row) for row in attempts] == [(1, "delivered")]


@virtual
async def test_while_it_is_paused_nothing_starts(rig: Rig) -> None:
    async with working(rig):
        await rig.push(order("W0"))
        await until(rig, "delivered")
        await rig.run(desk.pause, "erp", "kim", "stock count")
        await rig.push(order())
        await until(rig, "delivered", "waiting")
        await asyncio.sleep(0.8)
        assert len(rig.seen) == 1
        await rig.run(desk.resume, "erp", "kim")
        await until(rig, "delivered", "delivered")


@virtual
async def test_versions_of_one_order_go_one_after_the_other(rig: Rig) -> None:
    async with working(rig):
        await asyncio.gather(*(rig.push(order(minute=minute, note=f"v{minute}")) for minute in range(6)))
        await until(rig, *["delivered"] * 6)
    revisions = [body["revision"] for body in rig.bodies()]
    assert revisions == sorted(revisions)
    assert revisions[-1] == "2026-11-01T09:05:00Z"


@virtual
async def test_no_more_at_once_than_the_destination_has_places(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(ONE.replace('[[routes]]\non = "order"', 'in_flight = 3\n[[routes]]\non = "order"', 1))
    under_way, most = 0, 0

    async def slow(_request: httpx.Request) -> httpx.Response:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.05)
        under_way -= 1
        return httpx.Response(200)

    http = httpx.AsyncClient(transport=httpx.MockTransport(slow))
    rig.flow.http = http
    async with working(rig):
        await asyncio.gather(*(rig.push(order(f"W{number}")) for number in range(20)))
        await until(rig, *["delivered"] * 20)
    await http.aclose()
    assert most == 3


@virtual
async def test_what_was_kept_and_not_begun_is_free_when_the_process_stops(rig: Rig) -> None:
    rig.flow.keeps = True
    await rig.push(order())
    assert await leases(rig) == [rig.hub.store.owner]
    rig.flow.drop_kept()
    await rig.run(inbox.give_back, rig.hub.store.owner)
    assert await leases(rig) == []
    await rig.work()
    assert await rig.states() == ["delivered"]


@virtual
async def test_what_is_kept_beside_others_that_wait_takes_nothing_twice(rig: Rig) -> None:
    await rig.push(order("W1"))
    rig.flow.keeps = True
    await rig.push(order("W2"))
    await rig.work()
    assert sorted(body["order_no"] for body in rig.bodies()) == ["W1", "W2"]


@pytest.mark.parametrize("times", [1, 3])
@virtual
async def test_an_outcome_that_could_not_be_written_is_written_later(rig: Rig, times: int) -> None:
    await rig.push(order())
    await rig.flow.translate()
    (row,) = (await rig.flow.claim("erp", 10)).rows
    await rig.run(lambda c: c.execute(text("alter table attempts rename to elsewhere")))
    task = asyncio.create_task(rig.flow.deliver("erp", row, False))
    await asyncio.sleep(0.2 + times)
    assert not task.done()
    await rig.run(lambda c: c.execute(text("alter table elsewhere rename to attempts")))
    await task
    assert await rig.states() == ["delivered"]
    assert len(rig.seen) == 1


@virtual
async def test_new_ones_are_leased_as_they_are_stored_as_far_as_there_are_places(rig: Rig) -> None:
    await rig.push(order("W0"))
    await rig.work()
    for number in (1, 2, 3):
        await rig.push(order(f"W{number}"))
    given: list[outbox.Enqueued] = []

    class Two(Outlet):
        def promise(self) -> Mapping[str, int]:
            return {"erp": 2}

        def start(self, promised: Mapping[str, int], new: outbox.Enqueued, until: float = math.inf) -> None:
            given.append(new)

    rig.flow.outlet = Two()
    await rig.flow.translate()
    assert [row["subject"] for row in given[0].started] == ["W1", "W2"]
    assert given[0].waiting == {"erp"}
    assert await rig.states() == ["delivered", "sending", "sending", "waiting"]
    for row in given[0].started:
        await rig.flow.deliver("erp", row, False)
    assert clock.now().timestamp() > given[0].started[0]["first_at"]
    assert (await rig.states()).count("delivered") == 3
