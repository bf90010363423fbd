"""The store's own trouble is nobody's fault: nothing dies of a full disk, and nothing has to be sent again by hand."""

import contextlib
import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event
from sqlalchemy.exc import OperationalError

from hub.store import StoreError, views
from tests.integration.market import Market
from tests.integration.test_awkward import PAID
from tests.rig import ONE, Rig, order


@contextlib.contextmanager
def full_disk(well: int, ill: int) -> Iterator[list[int]]:
    """So many commits go through, then so many do not; yields the numbers of those that did not."""
    done, refused = 0, []

    def commit(_: Any) -> None:
        nonlocal done
        done += 1
        if well < done <= well + ill:
            refused.append(done)
            raise OperationalError("commit", None, sqlite3.OperationalError("database or disk is full"))

    event.listen(Engine, "commit", commit)
    try:
        yield refused
    finally:
        event.remove(Engine, "commit", commit)


@pytest.fixture
async def market(tmp_path: Path, store_url: str) -> AsyncIterator[Market]:
    market = Market(tmp_path, store_url, ONE + '\n[shops.taobao.pull]\nlimit = "100/s"\n')
    yield market
    await market.close()


@pytest.mark.parametrize("well", range(1, 5))
async def test_whichever_write_fails_orders_go_through_and_none_is_sent_twice(rig: Rig, well: int) -> None:
    for name in ("W1", "W2", "W3"):
        await rig.push(order(name))
    with full_disk(well - 1, 2) as refused:
        for _ in range(4):
            with contextlib.suppress(StoreError):
                await rig.work()
    assert refused == [well, well + 1]
    assert sorted(body["order_no"] for body in rig.bodies()) == ["W1", "W2", "W3"]
    assert await rig.states() == ["delivered"] * 3
    assert await rig.open_letters() == []
    assert await rig.balances()


async def test_a_push_that_is_not_on_disk_is_not_accepted(rig: Rig) -> None:
    with full_disk(0, 1), pytest.raises(StoreError):
        await rig.push(order())
    assert await rig.read(views.message_states) == []
    assert (await rig.push(order())).status == 200
    await rig.work()
    assert await rig.states() == ["delivered"]


async def test_a_record_that_could_not_be_asked_for_is_asked_for_later(market: Market) -> None:
    step = PAID["taobao"](market.book("taobao"))
    market.show("taobao", step)
    await market.tell("taobao", step)
    with full_disk(1, 1) as refused, pytest.raises(StoreError):
        await market.flow.fetch()
    assert refused, "the budget of the shop is kept in the store"
    assert await market.open_letters() == []
    assert [row["state"] for row in await market.read(views.message_states)] == ["fetch"]
