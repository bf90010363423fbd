"""People are told what changed and what waits too long, once, until it is taken; on both stores."""

import json
from collections.abc import Callable
from typing import Any

import httpx
from sqlalchemy import text

from hub import alerting, clock, desk
from hub.store import alerts
from tests.rig import ONE, Rig, order

TOML = (
    ONE
    + """
[alerts]
waiting = "5m"
[alerts.to.it]
kind = "webhook"
url = "https://it.example.com/alerts"
"""
)


def heard(rig: Rig) -> list[dict[str, Any]]:
    return [json.loads(r.content)["data"] for r in rig.seen if r.url.host == "it.example.com"]


async def turn(rig: Rig) -> int:
    return await alerting.turn(rig.hub.store, rig.http, rig.hub.config.alerts, rig.hub.notifiers)


async def pass_time(rig: Rig, seconds: float) -> None:
    """As if so much time had gone by since everything that is in the store."""

    def work(connection: Any) -> None:
        for place in (
            "deliveries set created_at = created_at",
            "alerts set told_at = told_at",
            "alerts set due_at = due_at",
        ):
            connection.execute(text(f"update {place} - :s"), {"s": seconds})

    await rig.run(work)


async def test_a_groups_life_is_told_once_each_time_it_changes(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(TOML)
    rig.answer = lambda r: httpx.Response(422 if r.url.host == "erp.example.com" else 200)
    await rig.push(order())
    await rig.work()
    assert await turn(rig) == 1
    assert await turn(rig) == 0
    (first,) = heard(rig)
    assert first["title"] == "dead letters: a group is open"
    assert "erp delivery.refused: 1 letter(s), 20.00 CNY at stake" in first["lines"][0]
    assert "Rosa Lind" not in json.dumps(first)
    rig.answer = lambda _request: httpx.Response(200)
    await rig.run(desk.replay, [1], "li")
    await rig.work()
    await pass_time(rig, 60)
    assert await turn(rig) == 1
    assert heard(rig)[-1]["title"] == "dead letters: a group is resolved"


async def test_what_waits_too_long_is_told_and_that_it_went_on(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(TOML)
    rig.answer = lambda r: httpx.Response(503 if r.url.host == "erp.example.com" else 200)
    await rig.push(order())
    await rig.work()
    assert await turn(rig) == 0, "not yet"
    await pass_time(rig, 400)
    assert await turn(rig) == 1
    assert heard(rig)[-1]["lines"] == ["destination erp: 1 waiting, the oldest for 6 min"]
    await pass_time(rig, 60)
    assert await turn(rig) == 0, "known already"
    await rig.run(lambda c: c.execute(text("update deliveries set state = 'delivered'")))
    assert await turn(rig) == 1
    assert heard(rig)[-1]["title"] == "what waited has gone on"


async def test_what_was_not_taken_is_told_later_together(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(TOML)
    rig.answer = lambda r: httpx.Response(422 if r.url.host == "erp.example.com" else 503)
    await rig.push(order())
    await rig.work()
    assert await turn(rig) == 0
    await rig.push(order("W2", status="teleported"))
    await rig.work()
    rig.answer = lambda _request: httpx.Response(200)
    await pass_time(rig, 60)
    assert await turn(rig) == 2
    assert len(heard(rig)[-1]["lines"]) == 2
    assert heard(rig)[-1]["title"].endswith("(and 1 more)")
    assert await rig.open_letters(), "an alert that was not taken is no dead letter"
    assert len(await rig.open_letters()) == 2


async def test_one_process_tells(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(TOML)
    now = clock.now().timestamp()
    assert await rig.run(alerts.lease, now, 60.0, "one") is True
    assert await rig.run(alerts.lease, now, 60.0, "another") is False
    assert await rig.run(alerts.lease, now, 60.0, "one") is True
