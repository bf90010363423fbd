"""The real adapters pull from the imitated platforms, while records change underneath."""

import random
from datetime import timedelta

import pytest

from adapters.port import Window
from adapters.sandbox.story import Book
from canonical.errors import HubError, NotAuthorised
from tests.unit.sandbox.conversation import (
    NOW,
    Hands,
    adapter,
    changed,
    client_of,
    fill,
    pull_all,
    sandbox,
    talk_through,
)

CHANNELS = ("taobao", "jd", "douyin", "shopify", "site")
COUNTS = {"taobao": 60, "jd": 230, "douyin": 230, "shopify": 230, "site": 230}
"""More than two pages of each."""


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("kind", ["order", "refund"])
async def test_a_quiet_window_gives_every_record(channel: str, kind: str) -> None:
    hands = Hands()
    box = sandbox(hands)
    records = fill(box, channel, COUNTS[channel], NOW - 3000, NOW - 60)
    window = Window(hands.utc - timedelta(hours=1), hands.utc - timedelta(seconds=30))
    async with client_of(box) as client:
        found = await pull_all(adapter(channel), kind, window, hands, client, None)
    assert {e.key for e in found if e.kind == kind} == {r.key for r in records if r.kind == kind}


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("kind", ["order", "refund"])
@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_nothing_is_missed_while_the_list_changes(channel: str, kind: str, seed: int) -> None:
    """Between any two requests records change or appear: they leave the window, and the lists shift. What was not
    changed has to come out of the first window, the rest out of the one after it."""
    hands, rng = Hands(), random.Random(seed)
    box = sandbox(hands)
    shop = box.platforms[channel].shop
    start = hands.utc - timedelta(hours=1)
    before = [r for r in fill(box, channel, COUNTS[channel], NOW - 3000, NOW - 60) if r.kind == kind]
    book, moved = Book(channel, 99 + seed, NOW, 1), set[str]()

    def goes_on() -> None:
        hands.at += 1
        for record in rng.sample(before, rng.choice((0, 1, 2, 3))):
            moved.add(record.key)
            for newer in changed(channel, book, hands.at, shop.get(record.kind, record.key)):
                shop.put(newer)
        if rng.random() < 0.3:
            for fresh in changed(channel, book, hands.at):
                shop.put(fresh)

    async with client_of(box) as client:
        end = hands.utc
        first = await pull_all(adapter(channel), kind, Window(start, end), hands, client, goes_on)
        hands.at += 60
        second = await pull_all(adapter(channel), kind, Window(end, hands.utc), hands, client, None)
    seen_first = {e.key for e in first}
    assert {r.key for r in before} - moved <= seen_first
    on_the_shelf = {r.key for r in shop.all(kind)}
    assert on_the_shelf == seen_first | {e.key for e in second}
    last = {e.key: e.revision for e in [*first, *second]}
    newest = {e.key: max(f.revision for f in [*first, *second] if f.key == e.key) for e in second}
    assert all(last[key] == newest[key] for key in newest)


@pytest.mark.parametrize("channel", CHANNELS)
async def test_one_record_is_fetched_by_its_number(channel: str) -> None:
    hands = Hands()
    box = sandbox(hands)
    order, refund = fill(box, channel, 1, NOW - 3000, NOW - 60)
    async with client_of(box) as client:
        for record in (order, refund):
            found = await talk_through(adapter(channel).fetch(record.kind, record.key, hands.utc), client)
            assert (found.kind, found.key) == (record.kind, record.key)


@pytest.mark.parametrize("channel", ["taobao", "jd", "douyin", "shopify"])
async def test_an_expired_token_is_refused_and_renewed(channel: str) -> None:
    hands = Hands()
    box = sandbox(hands)
    records = fill(box, channel, 3, NOW - 3000, NOW - 60)
    window = Window(hands.utc - timedelta(hours=1), hands.utc)
    async with client_of(box) as client:
        await client.post(f"/control/platform/{channel}", json={"expire_token": True})
        with pytest.raises(NotAuthorised):
            await pull_all(adapter(channel), "order", window, hands, client, None)
        fresh = await talk_through(adapter(channel).refresh(hands.utc), client)
        assert fresh is not None
        found = await pull_all(adapter(channel, **fresh.settings), "order", window, hands, client, None)
        with pytest.raises(HubError):
            await talk_through(adapter(channel).refresh(hands.utc), client)  # the old refresh token is used up
    assert {e.key for e in found} == {r.key for r in records if r.kind == "order"}
