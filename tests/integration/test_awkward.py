"""Awkward input that must come out right: every kind of it, from a platform's wire to the ERP.

Where each kind is proven. Cases (`taobao order-money`) are mappings/channels/taobao/cases/order-money.json. Tests are
here where no file is named. `fates` is tests/unit/sandbox/test_fates.py: whole stories of every channel, by label.

| kind | where |
| --- | --- |
| multi-line, multi-quantity | order-money of taobao, jd, douyin, shopify; generic order-paid; fates multi_line |
| Taobao step trades: deposit, balance | taobao order-step; fates presale |
| a refunded line reads 0.00: the divided fee | taobao order-line-refunds |
| Taobao closed after refund, closed unpaid | taobao order-status, order-closed; fates unpaid_cancel |
| JD split children, cancelled parents | jd order-end-and-kin, order-state; fates split |
| JD fen and yuan | jd refund-application, order-money |
| Douyin unpaid cancel, refund before shipping | douyin order-closed, refund-kinds; fates unpaid_cancel |
| Douyin REFUND_ONLY after shipping | test_refund_only_after_shipping_never_cancels; douyin order-refunds |
| Shopify partial refunds | shopify order-refunds, refund-kinds; fates partial_refund, goodwill |
| Shopify discount allocations | shopify order-money; fates discounts |
| Shopify two currencies, edited orders | shopify order-money, order-refunds; test_push_and_pull_in_either_order... |
| Shopify cancelled, test orders, no address | shopify order-cancelled, order-people; fates cancelled, test_order |
| numbers where strings are usual | shopify order-money, jd order-money, taobao order-money; fates numbers |
| gifts at price 0 | order-money of taobao, jd, douyin; generic order-paid; fates gift |
| ids above 2^53 | test_numbers_of_any_size_stay_as_they_are; douyin order-people |
| a masked address, then none | test_an_address_that_was_told_once_stays; taobao order-shape |
| push before pull, pull before push | test_push_and_pull_in_either_order_are_one_delivery |
| the same push 50 times at once | test_fifty_copies_of_a_push_at_once_are_one_order; tests/unit/web/test_hooks.py |
| messages out of order | test_states_told_backwards_end_in_the_last_one; test_flow.py |
| a stale page | test_a_page_that_lags_behind_changes_nothing |
| unknown status words | order-status and refund-status of every channel; test_flow.py |
| unknown SKU where one is needed | test_a_line_without_a_sku_stops_where_a_sku_is_needed; kingdee, qimen order-no-sku |
| totals that do not add up | order-money of every channel; test_flow.py; tests/unit/canonical/test_checks.py |
| wrong types | test_whatever_is_signed_is_kept_and_stops_nobody; taobao order-problems, shopify order-money |
| 10 MB bodies | test_a_body_of_almost_10_mb_goes_through; tests/unit/web/test_hooks.py: 413 above the limit |
| deep nesting, broken UTF-8, keys twice, NaN | test_whatever_is_signed...; tests/unit/canonical/test_parsing.py |
| wrong signature | test_a_wrong_signature_gets_the_platform_s_own_refusal; push.json of every channel |
| old timestamp | test_an_old_push_is_refused_where_its_time_is_signed; push.json of every channel |
| replayed request | test_a_request_that_is_sent_again_changes_nothing |
| push, pull and replay in any order | test_any_order.py; tests/unit/canonical/test_identity.py |
| paging while the list changes | tests/unit/channels/test_*.py; tests/unit/sandbox/test_pulling.py |
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from adapters.sandbox.deals import douyin, jd, shopify, site, taobao
from adapters.sandbox.story import Book, Step
from dlq import shelf
from hub import desk
from hub.store import state, views
from tests.integration.market import SHOPS, Market
from tests.rig import Rig, order

PAID: dict[str, Callable[[Book], Step]] = {
    "taobao": lambda book: taobao.Deal(book, book.basket(2, most=3, off=True)).seen("WAIT_SELLER_SEND_GOODS"),
    "jd": lambda book: jd.Deal(book, book.basket(2, most=3, off=True)).seen(jd.TO_SHIP),
    "douyin": lambda book: douyin.Deal(book, book.basket(2, most=3, off=True)).seen(douyin.TO_SHIP),
    "shopify": lambda book: shopify.Deal(book, book.basket(2, most=3, off=True), taxed=True).seen(),
    "own": lambda book: site.Deal(book, book.basket(2, most=3, off=True)).seen("paid", "paid"),
}
"""A paid order of each shop, with two lines of several pieces and discounts."""
ABROAD: Callable[[Book], Step] = lambda book: shopify.Deal(book, book.basket(1), buyer_currency="EUR").seen()  # noqa: E731
EDITED: Callable[[Book], Step] = lambda book: shopify.Deal(book, book.basket(3)).seen(paid="pending", kept={1: 0})  # noqa: E731


@pytest.fixture
async def market(tmp_path: Path, sqlite_url: str) -> AsyncIterator[Market]:
    made = Market(tmp_path, sqlite_url)
    yield made
    await made.close()


async def letters(rig: Rig, **filters: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = await rig.read(shelf.find, **filters)
    return found


# -- how often, and in which order -----------------------------------------------------------------------------------


@pytest.mark.parametrize("first", ["push", "pull"])
@pytest.mark.parametrize(
    ("shop", "write"),
    [*PAID.items(), ("shopify", ABROAD), ("shopify", EDITED)],
    ids=[*PAID, "two currencies", "edited"],
)
async def test_push_and_pull_in_either_order_are_one_delivery(
    market: Market, shop: str, write: Callable[[Book], Step], first: str
) -> None:
    step = write(market.book(shop))
    market.show(shop, step)
    for way in ("push", "pull") if first == "push" else ("pull", "push"):
        if way == "pull":
            await market.pull(shop)
        else:
            assert (await market.tell(shop, step)).status == 200
        await market.work()
        assert [sent["order_no"] for sent in market.sent()] == [step.key], way
    assert await letters(market) == []
    assert await market.balances()


@pytest.mark.parametrize("shop", SHOPS)
async def test_fifty_copies_of_a_push_at_once_are_one_order(market: Market, shop: str) -> None:
    step = PAID[shop](market.book(shop))
    market.show(shop, step)
    replies = await asyncio.gather(*(market.tell(shop, step, message_id="the-same") for _ in range(50)))
    assert {reply.status for reply in replies} == {200}
    await market.work()
    assert [sent["order_no"] for sent in market.sent()] == [step.key]
    calls = market.platform(shop).calls
    assert sum(calls.values()) <= 1, "a thin event is fetched once"
    assert sum(row["n"] for row in await market.read(views.message_states)) >= 50
    assert await market.balances()


@pytest.mark.parametrize("shop", ["shopify", "own"])
async def test_states_told_backwards_end_in_the_last_one(market: Market, shop: str) -> None:
    book = market.book(shop)
    if shop == "shopify":
        deal = shopify.Deal(book, book.basket(2))
        steps = [deal.seen(0, paid="authorized"), deal.seen(60), deal.seen(120, shipped="fulfilled")]
        steps.append(deal.seen(180, shipped="fulfilled", closed=True))
    else:
        own = site.Deal(book, book.basket(2))
        steps = [own.seen("pending", "unpaid", 0), own.seen("paid", "paid", 60)]
        steps += [own.seen("shipped", "paid", 120, shipping="shipped")]
        steps += [own.seen("completed", "paid", 180, shipping="delivered")]
    for step in reversed(steps):
        await market.tell(shop, step)
        await market.work()
    assert [sent["state"] for sent in market.sent()] == ["completed"]
    story = await market.read(views.trace, steps[0].key)
    assert [m["reason"].partition(":")[0] for m in story["messages"]] == ["", "stale", "stale", "stale"]
    assert await market.balances()


@pytest.mark.parametrize("shop", ["taobao", "douyin", "own"])
async def test_a_page_that_lags_behind_changes_nothing(market: Market, shop: str) -> None:
    """A replica of the platform shows an order as it was one change ago, after the hub has seen the change."""
    book = market.book(shop)
    if shop == "taobao":
        trade = taobao.Deal(book, book.basket(1))
        before, after = (
            trade.seen("WAIT_SELLER_SEND_GOODS", 0),
            trade.seen("WAIT_BUYER_CONFIRM_GOODS", 60, shipped=book.when(60)),
        )
    elif shop == "douyin":
        sale = douyin.Deal(book, book.basket(1))
        before, after = sale.seen(douyin.TO_SHIP, 0), sale.seen(douyin.SHIPPED, 60, shipped=book.when(60))
    else:
        own = site.Deal(book, book.basket(1))
        before, after = own.seen("paid", "paid", 0), own.seen("shipped", "paid", 60, shipping="shipped")
    market.show(shop, before)
    market.show(shop, after)
    await market.pull(shop, "order")
    await market.work()
    market.platform(shop).shop.lag("order", after.key, market.platform(shop).clock() + 60)
    assert await market.pull(shop, "order") == 1
    await market.work()
    assert [sent["fulfilment"] for sent in market.sent()] == ["shipped"]
    story = await market.read(views.trace, after.key)
    assert [m["reason"].partition(":")[0] for m in story["messages"]] == ["", "stale"]


# -- what must never happen ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", [True, False], ids=["a part", "all"])
async def test_refund_only_after_shipping_never_cancels(market: Market, part: bool) -> None:
    book = market.book("douyin")
    deal, number = douyin.Deal(book, book.basket(1, off=True)), book.number(18, "14")
    fen, sent_at, done = (deal.basket.lines[0].amount // 3 if part else None), book.when(10), (12, 1, 3)
    steps = [
        deal.seen(douyin.SHIPPED, 20, shipped=sent_at),
        deal.aftersale(number, 6, 1, 1, 60, fen=fen, asked=60),
        deal.seen(douyin.SHIPPED, 60, shipped=sent_at, aftersale={0: (6, 1, 1)}),
        deal.seen(douyin.SHIPPED, 120, shipped=sent_at, aftersale={0: done})
        if part
        else deal.seen(douyin.CLOSED, 120, main=douyin.REFUNDED_SHIPPED, shipped=sent_at, aftersale={0: done}),
        deal.aftersale(number, 12, 1, 3, 120, fen=fen, asked=60),
    ]
    for step in steps:
        market.show("douyin", step)
        await market.tell("douyin", step)
        await market.work()
        await market.pull("douyin")
        await market.work()
    assert {sent["state"] for sent in market.sent()} == ({"open"} if part else {"open", "completed"})
    last = await market.document(deal.number)
    assert (last["fulfilment"], last["cancelled_at"], last["shippable"]) == ("shipped", None, False)
    assert last["payment"] == ("partially_refunded" if part else "refunded")
    refund = await market.document(number, "refund")
    assert (refund["kind"], refund["phase"], refund["state"]) == ("refund_only", "after_shipping", "refunded")
    assert await letters(market) == []


@pytest.mark.parametrize("shop", ["douyin", "taobao"])
async def test_an_address_that_was_told_once_stays(market: Market, shop: str) -> None:
    book = market.book(shop)
    if shop == "douyin":
        sale = douyin.Deal(book, book.basket(1))
        told, lost = sale.seen(douyin.TO_SHIP, 0), sale.seen(douyin.TO_SHIP, 60, address=False, seller_words="已备货")
    else:
        trade = taobao.Deal(book, book.basket(1))
        told = trade.seen("WAIT_SELLER_SEND_GOODS", 0)
        lost = trade.seen("WAIT_SELLER_SEND_GOODS", 60, address=False, seller_memo="已备货")
    for step in (told, lost):
        market.show(shop, step)
        await market.tell(shop, step)
        await market.work()
    first, second = market.sent()
    assert first["receiver"]["token"]
    assert first["receiver"]["masked"] is True
    assert second["receiver"] == first["receiver"]
    assert (second["seller_note"], second["shippable"]) == ("已备货", True)


@pytest.mark.parametrize("number", [2**53 + 1, 2**63 - 1, 2**63, 2**64 + 1, 10**29 + 7, "00012", "N/a #1?&%"], ids=str)
async def test_numbers_of_any_size_stay_as_they_are(market: Market, number: int | str) -> None:
    record = order("W1") | {"order_no": str(number)}
    record["items"][0]["id"] = number
    raw = json.dumps(record).replace(f'"order_no": "{number}"', f'"order_no": {json.dumps(number)}').encode()
    assert (await market.push(raw)).status == 200
    await market.work()
    (sent,) = market.sent()
    assert (sent["order_no"], sent["lines"][0]["line_no"]) == (str(number), str(number))
    assert (await market.document(str(number)))["order_no"] == str(number)


async def test_a_line_without_a_sku_stops_where_a_sku_is_needed(tmp_path: Path, sqlite_url: str) -> None:
    """An archive takes the order as it is; the ERP's own body cannot be made: a letter names the field."""
    kingdee = """
[destinations.kingdee]
kind = "http"
url = "https://kingdee.example.com/k3cloud/save"
mapping = "kingdee"
[destinations.plain]
kind = "http"
url = "https://plain.example.com/documents"
[[routes]]
on = "order"
to = ["kingdee", "plain"]
"""
    rig = Rig(tmp_path, sqlite_url, kingdee)
    try:
        bare = order(minute=1)
        bare["items"] = [bare["items"][0] | {"sku": ""}]
        await rig.push(bare)
        await rig.work()
        assert sorted(await rig.states()) == ["dead", "delivered"]
        (letter,) = await letters(rig)
        assert (letter["destination"], letter["cause"], letter["subject"]) == ("kingdee", "mapping.missing", "W1001")
        assert "FMaterialId" in letter["problems"][0]["rule"]
        assert letter["problems"][0]["path"]
        assert letter["problems"][0]["hint"]
        await rig.push(order(minute=2))
        await rig.work()
        (held,) = [d for d in await rig.read(views.deliveries_list, destination="kingdee") if d["state"] == "held"]
        assert held["subject"] == "W1001"
        await rig.run(desk.discard, [letter["id"]], "lin", "the shop has typed the SKU since")
        await rig.work()
        assert [r.url.host for r in rig.seen].count("kingdee.example.com") == 1
        assert await letters(rig) == []
        assert await rig.balances()
    finally:
        await rig.close()


# -- at the door -----------------------------------------------------------------------------------------------------

REFUSALS: dict[str, Any] = {
    "taobao": {"success": False, "sub_code": "sign-check-failure", "sub_message": "Illegal request"},
    "jd": {"error_response": {"code": "12"}},
    "douyin": {"code": 40003, "msg": "isv.signature-invalid"},
    "shopify": None,
    "own": {"error": "wire.signature"},
}


@pytest.mark.parametrize("shop", SHOPS)
async def test_a_wrong_signature_gets_the_platform_s_own_refusal(market: Market, shop: str) -> None:
    step = PAID[shop](market.book(shop))
    reply = await market.tell(shop, step, flaw="signature")
    assert reply.status == 401
    assert (json.loads(reply.body) if reply.body else None) == REFUSALS[shop]
    bare = await market.flow.receive(market.hub.shops[shop], {":path": f"/hooks/{shop}"}, b"{}", "203.0.113.8")
    assert bare.status == 401
    kept = await market.read(state.quarantined)
    assert sorted((k["shop"], k["sender"]) for k in kept) == [(shop, "203.0.113.7"), (shop, "203.0.113.8")]
    assert await market.read(views.message_states) == []
    assert step.key not in str(kept)


@pytest.mark.parametrize("shop", ["taobao", "jd", "own"])
async def test_an_old_push_is_refused_where_its_time_is_signed(market: Market, shop: str) -> None:
    """Douyin and Shopify sign no time: an old push of theirs is a duplicate, or stale."""
    for age in (3600.0, -3600.0):
        assert (await market.tell(shop, PAID[shop](market.book(shop)), age=age)).status == 401
    assert {k["code"] for k in await market.read(state.quarantined)} == {"wire.timestamp"}
    assert await market.read(views.message_states) == []


@pytest.mark.parametrize("shop", SHOPS)
async def test_a_request_that_is_sent_again_changes_nothing(market: Market, shop: str) -> None:
    """Byte for byte the same request, later: counted, and neither translated nor delivered again."""
    step = PAID[shop](market.book(shop))
    market.show(shop, step)
    for _ in range(3):
        assert (await market.tell(shop, step, message_id="the-same")).status == 200
        await market.work()
    assert len(market.sent()) == 1
    story = await market.read(views.trace, step.key)
    ignored = [m["reason"].partition(":")[0] for m in story["messages"] if m["state"] == "ignored"]
    assert set(ignored) <= {"duplicate", "thin event"}, "JD's relay gives its messages no number"
    assert len(ignored) >= 2
    assert await market.balances()


SPOILED = {
    "broken UTF-8": b'{"a": "\xff\xfe"}',
    "NaN": b'{"tid": NaN, "orderId": NaN, "order_id": NaN, "id": NaN, "order_no": NaN}',
    "duplicate keys": b'{"tid": 1, "tid": 2, "id": 1, "id": 2, "order_no": "1", "order_no": "2"}',
    "deep": b"[" * 5000 + b"]" * 5000,
    "half": b'{"id": 1',
    "a number": b"17",
    "wrong types": b'{"tid": {}, "orderId": [], "id": {}, "order_no": {}, "items": "x", "tag": [], "data": 3}',
    "a list of nothing": b"[null, 1, []]",
    "other people's": b'{"hello": "world"}',
}


@pytest.mark.parametrize("shop", SHOPS)
async def test_whatever_is_signed_is_kept_and_stops_nobody(market: Market, shop: str) -> None:
    step = PAID[shop](market.book(shop))
    market.show(shop, step)
    for what, body in SPOILED.items():
        assert (await market.knock(shop, body, topic="orders/updated")).status == 200, what
    await market.tell(shop, step)
    await market.work()
    assert [sent["order_no"] for sent in market.sent()] == [step.key]
    found = await letters(market)
    for letter in found:
        assert letter["hint"]
        assert letter["cause"] != "hub.internal"
        assert "Traceback" not in str(letter["evidence"])
    states = {row["state"]: row["n"] for row in await market.read(views.message_states)}
    assert states["dead"] == len(found) >= len(SPOILED) - 3
    assert sum(states.values()) >= len(SPOILED), "each is on disk, whatever it is"
    assert await market.balances()


async def test_a_body_of_almost_10_mb_goes_through(market: Market) -> None:
    note = "很" * 3_300_000
    await market.push(order(note=note))
    await market.push(order("W2"))
    await market.work()
    big, small = sorted(market.sent(), key=lambda sent: -len(sent["buyer_note"]))
    assert (big["buyer_note"] == note, small["order_no"]) == (True, "W2")
    assert await market.balances()
