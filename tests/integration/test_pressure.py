"""Senders are slowed when disk or backlog are full, and shops are asked within their budgets; on both stores."""

import shutil
from collections import namedtuple
from collections.abc import Callable

import pytest

from hub import clock
from hub.store import state
from tests.rig import Rig, order


async def looked(rig: Rig) -> str:
    """What it says when it looks again."""
    rig.flow.pressure._looked = 0.0  # noqa: SLF001  # the next look comes in two seconds otherwise
    return await rig.flow.pressure.full()


async def test_a_backlog_slows_the_senders_until_it_is_gone(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig()
    rig.hub.config.hub.__dict__["backlog"] = 2
    await rig.push(order("W1"))
    await rig.push(order("W2"))
    assert await looked(rig) == ""
    await rig.push(order("W3"))
    assert await looked(rig) == "more than 2 messages and deliveries are unfinished (hub.backlog)"
    await rig.work()
    assert await looked(rig) == ""


async def test_a_full_disk_slows_the_senders(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage(10**12, 10**12, 5 * 1024**2))
    told = "only 5 MiB are free on the store's disk (hub.disk_free)"
    assert await looked(rig) == (told if rig.hub.store.sqlite else "")


async def test_a_budget_is_shared_and_refills(rig: Rig) -> None:
    now = clock.now().timestamp()
    waits = [await rig.run(state.take_budget, "shop/site", 2.0, now) for _ in range(4)]
    assert waits == [0.0, 0.0, 0.5, 0.5]
    assert await rig.run(state.take_budget, "shop/other", 2.0, now) == 0.0
    assert await rig.run(state.take_budget, "shop/site", 2.0, now + 0.6) == 0.0
