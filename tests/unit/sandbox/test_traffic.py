"""The generated traffic: the same for the same seed, honest in its sums, and with every awkward kind in it."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from adapters.sandbox.platform import from_beijing
from adapters.sandbox.story import Step, Story
from adapters.sandbox.traffic import CHANNELS, expected, orders
from tests.unit.sandbox.conversation import NOW

AWKWARD = {
    "taobao": {"presale", "presale_deposit", "refunded_line", "unpaid_cancel", "refund_after_shipping", "gift", "held"},
    "jd": {"split", "unpaid_cancel", "paid_cancel", "locked", "return", "exchange", "repair", "gift", "cod"},
    "douyin": {"unpaid_cancel", "refund_before_shipping", "refund_only", "refund_only_part", "risk", "storm", "gift"},
    "shopify": {"partial_refund", "discounts", "two_currencies", "edited", "cancelled", "test_order", "no_address"},
    "site": {
        "push_first",
        "pull_first",
        "duplicates",
        "storm",
        "out_of_order",
        "old",
        "forged",
        "undecodable",
        "numbers",
    },
}
BROKEN = {"unknown_word", "bad_totals", "wrong_type", "missing_sku"}


def written(channel: str, seed: int = 7, count: int = 100) -> list[Story]:
    return orders(channel, seed, count, NOW)


def bodies(channel: str, kind: str = "order") -> list[tuple[str, Any]]:
    return [
        (story.label, step.body)
        for story in written(channel)
        for step in story.steps
        if step.kind == kind and story.label not in ("bad_totals", "wrong_type")
    ]


def as_text(stories: list[Story]) -> str:
    return json.dumps([[s.as_dict(), [repr(step) for step in s.steps]] for s in stories])


@pytest.mark.parametrize("channel", CHANNELS)
def test_the_same_seed_writes_the_same_book(channel: str) -> None:
    assert as_text(written(channel)) == as_text(written(channel))
    assert as_text(written(channel)) != as_text(written(channel, seed=8))


@pytest.mark.parametrize("channel", CHANNELS)
def test_every_awkward_kind_is_there(channel: str) -> None:
    labels = set(expected(written(channel, count=80))["labels"])
    assert AWKWARD[channel] | BROKEN <= labels


def record(step: Step) -> Mapping[str, Any]:
    """The step's body, which is no raw bytes here."""
    assert isinstance(step.body, Mapping)
    return step.body


def test_a_demos_worth_has_enough_of_everything() -> None:
    told = [expected(orders(channel, 7, 80, NOW)) for channel in CHANNELS]
    assert sum(t["orders"] for t in told) + sum(sum(t["dead"].values()) for t in told) >= 400
    assert sum(t["refunds"] for t in told) >= 80
    assert len({cause for t in told for cause in t["dead"]}) >= 4


@pytest.mark.parametrize("channel", CHANNELS)
def test_numbers_are_unique_and_above_2_53(channel: str) -> None:
    stories = [s for s in written(channel) if s.orders]
    assert len({s.subject for s in stories}) == len(stories)
    if channel in ("taobao", "douyin", "shopify"):
        assert all(int(s.subject) > 2**53 for s in stories)


@pytest.mark.parametrize("channel", CHANNELS)
def test_steps_are_in_order_of_time_and_not_before_their_record(channel: str) -> None:
    for story in written(channel):
        assert [s.at for s in story.steps] == sorted(s.at for s in story.steps)
        assert all(step.created <= step.modified <= NOW + step.at for step in story.steps)


def test_taobao_adds_up() -> None:
    """The identities that hold on real trades."""
    for label, trade in bodies("taobao"):
        lines = trade["orders"]["order"]
        for line in lines:
            listed = Decimal(line["price"]) * line["num"]
            assert Decimal(line["total_fee"]) == listed - Decimal(line["discount_fee"]) + Decimal(line["adjust_fee"])
        assert Decimal(trade["total_fee"]) == sum(Decimal(x["price"]) * x["num"] for x in lines)
        assert Decimal(trade["discount_fee"]) == sum(Decimal(x["part_mjz_discount"]) for x in lines)
        if trade.get("pay_time") is None:
            assert all("divide_order_fee" not in x for x in lines)
            continue
        assert Decimal(trade["payment"]) == sum(Decimal(x["divide_order_fee"]) for x in lines) + Decimal(
            trade["post_fee"]
        )
        if label == "refunded_line" and any(x["refund_status"] == "SUCCESS" for x in lines):
            assert [x["payment"] for x in lines if x["refund_status"] == "SUCCESS"] == ["0.00"]


def test_jd_adds_up() -> None:
    for label, order in bodies("jd"):
        if order["orderTotalPrice"] == "0.00":
            assert label in ("unpaid_cancel", "split")
            continue
        goods = sum(Decimal(x["jdPrice"]) * int(x["itemTotal"]) for x in order["itemInfoList"])
        rows = order["couponDetailList"]
        off = sum(Decimal(c["couponPrice"]) for c in rows if "skuId" not in c)
        assert Decimal(order["orderTotalPrice"]) == goods
        assert Decimal(order["orderSellerPrice"]) == goods - Decimal(order["sellerDiscount"])
        assert Decimal(order["orderPayment"]) == goods - off - Decimal(order["balanceUsed"])


def test_jd_refund_applications_are_in_fen() -> None:
    applications = [body for _, body in bodies("jd", "refund") if "applyRefundSum" in body]
    paid = {int(o["orderId"]): o["orderPayment"] for _, o in bodies("jd") if o["orderState"] == "LOCKED"}
    assert applications
    assert all(Decimal(a["applyRefundSum"]) / 100 == Decimal(paid[a["orderId"]]) for a in applications)


def test_douyin_adds_up() -> None:
    for _, order in bodies("douyin"):
        rows = order["sku_order_list"]
        assert rows[0]["order_id"] == order["order_id"]
        for part in (order, *rows):
            assert part["order_amount"] - part["promotion_amount"] == part["pay_amount"]
        for name in ("order_amount", "promotion_amount", "pay_amount"):
            assert sum(row[name] for row in rows) == order[name]
        assert all(isinstance(row["pay_amount"], int) for row in rows)


def test_shopify_adds_up() -> None:
    for label, order in bodies("shopify"):
        rows = order["line_items"]
        shipping = sum(Decimal(s["price"]) for s in order["shipping_lines"])
        goods, off = Decimal(order["total_line_items_price"]), Decimal(str(order["total_discounts"]))
        assert goods == sum(Decimal(str(r["price"])) * r["quantity"] for r in rows)
        assert off == sum(Decimal(a["amount"]) for r in rows for a in r["discount_allocations"])
        assert Decimal(order["total_price"]) == goods - off + shipping + Decimal(order["total_tax"])
        if label == "two_currencies":
            money = order["total_price_set"]
            assert money["shop_money"]["currency_code"] == "USD" != money["presentment_money"]["currency_code"]


def test_the_site_adds_up() -> None:
    for _, order in bodies("site"):
        goods = sum(Decimal(str(r["price"])) * r["quantity"] for r in order["items"])
        amounts = {n: Decimal(str(order[n])) for n in ("goods", "discount", "shipping", "tax", "total")}
        assert goods == amounts["goods"]
        assert amounts["total"] == goods - amounts["discount"] + amounts["shipping"] + amounts["tax"]
        assert sum(Decimal(str(r["total"])) for r in order["items"]) == goods - amounts["discount"]


def test_gifts_cost_nothing() -> None:
    prices = [min(line["price"] for line in t["orders"]["order"]) for label, t in bodies("taobao") if label == "gift"]
    assert prices
    assert set(prices) == {"0.00"}


def test_a_split_order_has_its_parent_and_children() -> None:
    story = next(s for s in written("jd") if s.label == "split")
    children = {step.key: body["parentOrderId"] for step in story.steps if "parentOrderId" in (body := record(step))}
    assert set(children.values()) == {story.subject}
    assert len(children) == 2
    assert story.orders == 3


def test_a_lost_address_was_there_before() -> None:
    for channel, member in (("taobao", "receiver_name"), ("douyin", "post_addr"), ("jd", "consigneeInfo")):
        story = next(s for s in written(channel) if s.label == "lost_address")
        assert [member in record(step) for step in story.steps] == [True, False]


def test_the_unknown_word_is_shared_by_a_group() -> None:
    words = [body["status"] for label, body in bodies("taobao") if label == "unknown_word"]
    assert len(words) >= 3
    assert set(words) == {"WAIT_SELLER_CUSTOMS_CLEARANCE"}


def test_closed_unpaid_keeps_its_amount_on_douyin() -> None:
    closed = [b for label, b in bodies("douyin") if label == "unpaid_cancel" and b["order_status"] == 4]
    assert closed
    assert all(b["pay_time"] == 0 and b["pay_amount"] > 0 for b in closed)


def test_times_are_written_as_the_platform_does() -> None:
    for story in written("taobao"):
        for step in story.steps:
            if step.kind == "order":
                assert from_beijing(record(step)["modified"]) == step.modified
