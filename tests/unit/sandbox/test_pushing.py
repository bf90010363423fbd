"""Pushes: signed as the platform signs, delivered again until acknowledged, bounded, and twice or late on demand."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from adapters.port import Hint
from adapters.sandbox.feed import Feed
from adapters.sandbox.pushing import Push, Pusher
from adapters.sandbox.traffic import CHANNELS, Step, Story, orders
from canonical.errors import SignatureRejected
from tests.unit.sandbox.conversation import Hands, adapter, fill, sandbox

Reaction = Callable[[httpx.Request], httpx.Response]
WAITS = (0.0, 0.0, 0.0)


async def pushed(channel: str, reaction: Reaction, *pushes: Push) -> Pusher:
    """Deliver to a hub that reacts so."""
    box = sandbox(Hands())
    async with httpx.AsyncClient(transport=httpx.MockTransport(reaction)) as client:
        pusher = Pusher(box.platforms[channel], client, f"http://hub/hooks/{channel}", waits=WAITS)
        for push in pushes:
            pusher.send(push)
        await pusher.settle()
    return pusher


def steps(channel: str) -> list[tuple[Story, Step]]:
    stories = orders(channel, 7, 60, Hands().at)
    return [(story, step) for story in stories for step in story.steps if step.how == "both" and step.kind != "raw"]


@pytest.mark.parametrize("channel", CHANNELS)
def test_the_real_adapter_accepts_and_understands_every_push(channel: str) -> None:
    hands = Hands()
    platform, reader = sandbox(hands).platforms[channel], adapter(channel)
    told = steps(channel)
    assert told
    for story, step in told:
        body = platform.message(step, "m-1")
        headers = {k.lower(): v for k, v in platform.sign_push(body, "m-1", step.topic).items()}
        reader.verify(headers, body, hands.utc)
        found = list(reader.unpack(headers, body, hands.utc))
        assert (step.kind, step.key) in [(f.kind, f.key) for f in found] or (channel, found[0].kind) == ("jd", "order")
        assert all(f.key in (step.key, story.subject) or isinstance(f, Hint) for f in found if f.kind == "order")


@pytest.mark.parametrize("channel", CHANNELS)
def test_the_real_adapter_rejects_a_spoiled_push(channel: str) -> None:
    hands = Hands()
    platform, reader = sandbox(hands).platforms[channel], adapter(channel)
    body = b'{"any":"thing"}'
    headers = {k.lower(): v for k, v in platform.sign_push(body + b" ", "m-1", "orders/updated").items()}
    with pytest.raises(SignatureRejected):
        reader.verify(headers, body, hands.utc)


@pytest.mark.parametrize("channel", ["taobao", "jd", "site"])
def test_an_old_timestamp_is_rejected_where_there_is_one(channel: str) -> None:
    hands = Hands()
    platform, reader = sandbox(hands).platforms[channel], adapter(channel)
    headers = {k.lower(): v for k, v in platform.sign_push(b"{}", "m-1", age=3600).items()}
    with pytest.raises(SignatureRejected):
        reader.verify(headers, b"{}", hands.utc)


async def test_a_push_is_sent_again_until_it_is_acknowledged() -> None:
    ids: list[str] = []

    def third_time_lucky(request: httpx.Request) -> httpx.Response:
        ids.append(request.headers["webhook-id"])
        if len(ids) == 1:
            raise httpx.ConnectError("nobody there")
        return httpx.Response(500 if len(ids) == 2 else 200)

    pusher = await pushed("site", third_time_lucky, Push(b"{}", "m-7"))
    assert ids == ["m-7"] * 3
    assert (pusher.tally.acknowledged, pusher.tally.given_up, pusher.tally.deliveries) == (1, 0, 3)
    assert pusher.tally.statuses == {0: 1, 500: 1, 200: 1}


async def test_the_platform_gives_up_in_the_end() -> None:
    pusher = await pushed("shopify", lambda _: httpx.Response(503), Push(b"{}", "m-1"))
    assert (pusher.tally.given_up, pusher.tally.deliveries) == (1, len(WAITS) + 1)


async def test_douyin_wants_its_own_words() -> None:
    """A 200 that does not say code 0 is no acknowledgement."""
    answers = iter([b"ok", b'{"code":1}', b'{"code":0,"msg":"success"}'])
    pusher = await pushed("douyin", lambda _: httpx.Response(200, content=next(answers)), Push(b"[]", "m-1"))
    assert (pusher.tally.acknowledged, pusher.tally.deliveries) == (1, 3)


async def test_copies_share_their_message_id() -> None:
    ids: list[str] = []

    def yes(request: httpx.Request) -> httpx.Response:
        ids.append(request.headers["x-shopify-event-id"])
        return httpx.Response(200)

    pusher = await pushed("shopify", yes, Push(b"{}", "m-1", copies=50))
    assert ids == ["m-1"] * 50
    assert (pusher.tally.messages, pusher.tally.copies, pusher.tally.acknowledged) == (1, 50, 50)


async def test_a_forged_push_is_not_sent_again_once_it_is_turned_away() -> None:
    pusher = await pushed("site", lambda _: httpx.Response(401), Push(b"{}", "m-1", flaw="signature"))
    assert (pusher.tally.rejected, pusher.tally.deliveries) == (1, 1)


async def test_a_feed_plays_every_step_and_tells_what_to_expect() -> None:
    """A push before the list shows the record, a list before the push, and everything in between."""
    box, arrived = sandbox(Hands()), list[dict[str, Any]]()

    def yes(request: httpx.Request) -> httpx.Response:
        arrived.append({"path": request.url.path, "id": request.headers.get("webhook-id", "")})
        status = 401 if b'"data": {}}' in request.content else 200
        return httpx.Response(status, json={"code": 0})

    stories = {channel: orders(channel, 7, 40, Hands().at - 60) for channel in CHANNELS}
    feed = Feed(box.platforms, stories, box.setup.clock)
    async with httpx.AsyncClient(transport=httpx.MockTransport(yes)) as client:
        began, shops = Hands().at - 600, {"site": "my-site"}
        feed.start("http://hub", began, client=client, shops=shops, waits=WAITS, patience=0.2)
        await feed.settle()
    report = feed.report()
    assert report["done"] is True
    assert report["steps"]["played"] == report["steps"]["of"] == feed.total
    assert {a["path"] for a in arrived} == {"/hooks/" + c for c in ("taobao", "jd", "douyin", "shopify", "my-site")}
    assert report["pushes"]["site"]["given_up"] == 0
    assert report["expected"]["taobao"]["stories"] == 40
    numbers = {s.subject for s in stories["site"] if s.orders}
    assert {r.key for r in box.platforms["site"].shop.all("order")} == numbers


async def test_a_record_that_is_only_pushed_can_be_fetched_but_is_not_listed_yet() -> None:
    hands = Hands()
    box = sandbox(hands)
    record = fill(box, "site", 1, hands.at - 100, hands.at - 50)[0]
    record.listed = False
    shop = box.platforms["site"].shop
    assert shop.get("order", record.key) is record
    assert shop.all("order") == []


async def test_a_lagging_replica_shows_the_former_state_for_a_while() -> None:
    hands = Hands()
    box = sandbox(hands)
    platform = box.platforms["site"]
    story = next(s for s in orders("site", 7, 80, hands.at) if s.label == "stale_page")
    feed = Feed(box.platforms, {"site": [story]}, hands)
    async with httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(200))) as client:
        feed.pushers["site"] = Pusher(platform, client, "http://hub/hooks/site", waits=WAITS)
        for number, step in enumerate(story.steps):
            feed.play("site", step, f"m-{number}")
        record = platform.shop.get("order", story.subject)
        assert record is not None
        during = platform.shown(record)["status"]
        hands.at += 5
        later = platform.shown(record)["status"]
        await feed.pushers["site"].settle()
    assert (during, later) == ("paid", "shipped")
    assert json.dumps(record.before) != json.dumps(record.body)
