"""Documents of invented shops, complete and right; tests change what they are about."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from canonical import Invoice, Order, Refund, Shipment, Stock
from canonical.fields import Document
from canonical.money import MINOR_DIGITS, minor_unit

MOMENT = datetime(2024, 6, 18, 4, 30, tzinfo=UTC)


def line_data(number: int = 1, **changes: Any) -> dict[str, Any]:
    """One line of 2 x 50.00 with 10.00 off."""
    return {
        "line_no": f"88{number}",
        "sku": "CUP-BLUE",
        "title": "Blue cup",
        "quantity": 2,
        "unit_price": "50.00",
        "discount": "10.00",
        "amount": "90.00",
        **changes,
    }


def order_data(**changes: Any) -> dict[str, Any]:
    """A paid order of two lines that may ship."""
    totals = {"goods": "200.00", "discount": "20.00", "shipping": "8.00", "tax": "0.00", "other": "0.00"}
    return {
        "tenant": "default",
        "shop": "tea-house",
        "channel": "taobao",
        "order_no": "9223372036854775899",
        "revision": "2024-06-18T05:00:00Z",
        "state": "open",
        "payment": "paid",
        "fulfilment": "unshipped",
        "currency": "CNY",
        "totals": {**totals, "payable": "188.00", "paid": "188.00", "refunded": "0.00"},
        "placed_at": "2024-06-18T04:30:00Z",
        "paid_at": "2024-06-18T04:31:00Z",
        "buyer": {"id": "AAH-1", "nickname": "tea lover", "email": None},
        "receiver": {"name": "Lin Mu", "phone": "13500001111", "city": "Hangzhou", "street": "1 Lake Road"},
        "lines": [line_data(1), line_data(2)],
        "buyer_note": "ring twice",
        "invoice": {"title": "Lake Ltd", "tax_no": "9133"},
        **changes,
    }


def order(**changes: Any) -> Order:
    """The order of `order_data`."""
    return Order.model_validate(order_data(**changes))


def totals(**changes: Any) -> dict[str, Any]:
    """The order's totals with changes."""
    return {**order_data()["totals"], **changes}


def refund(**changes: Any) -> Refund:
    """A refund that was asked for."""
    data = {
        "tenant": "default",
        "shop": "tea-house",
        "channel": "taobao",
        "refund_no": "700100",
        "order_no": "9223372036854775899",
        "revision": MOMENT,
        "kind": "refund_only",
        "state": "requested",
        "amount": "90.00",
        "currency": "CNY",
        "lines": [{"line_no": "881", "sku": "CUP-BLUE", "quantity": 1, "amount": "90.00"}],
        "buyer_note": "it broke",
    }
    return Refund.model_validate({**data, **changes})


def shipment(**changes: Any) -> Shipment:
    """A parcel with the whole order."""
    data = {
        "tenant": "default",
        "shop": "tea-house",
        "channel": "taobao",
        "shipment_no": "WMS-1",
        "order_no": "9223372036854775899",
        "revision": MOMENT,
        "carrier": "sf",
        "tracking_no": "SF0001",
        "complete": True,
        "lines": [{"line_no": "881", "quantity": 2}],
    }
    return Shipment.model_validate({**data, **changes})


def stock(**changes: Any) -> Stock:
    """What may be sold of one article."""
    data = {"tenant": "default", "sku": "CUP-BLUE", "warehouse": "HZ-1", "revision": MOMENT, "available": 12}
    return Stock.model_validate({**data, **changes})


def invoice(**changes: Any) -> Invoice:
    """An invoice to issue."""
    data = {
        "tenant": "default",
        "request_no": "R20240618X1",
        "order_nos": ["9223372036854775899"],
        "kind": "blue",
        "title": "Lake Ltd",
        "currency": "CNY",
        "state": "requested",
        "lines": [{"name": "cup", "quantity": "2", "unit_price": "39.82300885", "amount": "79.65", "tax_rate": "0.13"}],
    }
    return Invoice.model_validate({**data, **changes})


def every_kind() -> list[Document]:
    """One document of each kind."""
    return [order(), refund(), shipment(), stock(), invoice()]


def amounts_of(currency: str) -> st.SearchStrategy[Decimal]:
    """Amounts that a currency can express."""
    return st.integers(-(10**12), 10**12).map(lambda minor: minor * minor_unit(currency))


@st.composite
def orders(draw: st.DrawFn) -> Order:
    """Any order that the model takes: right in itself where money is concerned, free in all else."""
    currency = draw(st.sampled_from(sorted(MINOR_DIGITS)))
    cash = amounts_of(currency)
    names = st.text(st.characters(codec="utf-8"), max_size=12)
    moments = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  # bounds
    lines = [
        line_data(number, quantity=draw(st.integers(1, 99)), amount=draw(cash | st.none()), title=draw(names))
        for number in range(draw(st.integers(0, 4)))
    ]
    figures = [draw(cash) for _ in range(5)]
    goods, discount, shipping, tax, other = figures
    return order(
        currency=currency,
        revision=draw(moments),
        placed_at=draw(moments | st.none()),
        state=draw(st.sampled_from(["open", "completed", "cancelled"])),
        payment=draw(st.sampled_from(["unpaid", "paid", "partially_refunded", "refunded"])),
        holds=draw(
            st.lists(st.sampled_from([{"code": "risk_review", "word": "x"}, {"code": "balance_due"}]), max_size=2)
        ),
        cod=draw(st.booleans()),
        lines=[{**one, "unit_price": None, "discount": None} for one in lines],
        totals={
            "goods": goods,
            "discount": discount,
            "shipping": shipping,
            "tax": tax,
            "other": other,
            "payable": goods - discount + shipping + tax + other,
        },
        buyer_note=draw(names | st.none()),
        tags=draw(st.lists(names, max_size=3)),
        extra=draw(st.dictionaries(names, st.integers() | names | st.booleans() | st.none(), max_size=3)),
    )
