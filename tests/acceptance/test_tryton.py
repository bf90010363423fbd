"""A real ERP at the other end: 100 mixed documents through a hub process into Tryton, which is stopped and killed on
the way; then Tryton's own books are compared with what the channel said."""

import asyncio
import hashlib
import hmac
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapters.destinations.tryton import ADAPTER
from adapters.port import Delivery
from canonical.errors import NotAuthorised, Refused
from dlq import shelf
from hub import clock, wire
from hub.processes import free_port, running
from hub.store import Store, outbox, views
from tests.erp import TAX, Erp
from tests.guards import HANGS
from tests.rig import order

SKUS = ["CUP-1", "CUP-2", "PLATE-1"]
CONFIG = """
[hub]
store = "sqlite:///hub.db"
listen = "127.0.0.1:{port}"
lease = "20s"
[shops.site]
channel = "generic"
signature = {{ scheme = "hmac-sha256-hex", header = "x-signature", secret = "front-door" }}
[destinations.erp]
kind = "tryton"
url = "{erp}"
database = "books"
key = "{key}"
in_flight = 4
timeout = "60s"
retry = {{ first = "500ms", factor = 2, most = "3s" }}
breaker = {{ failures = 0.5, over = "10s", at_least = 6, open_for = "1s" }}
[[routes]]
on = "order"
to = ["erp"]
[[routes]]
on = "refund"
to = ["erp"]
"""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


@pytest.fixture(scope="module")
def erp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Erp]:
    made = Erp(tmp_path_factory.mktemp("erp"), SKUS)
    yield made
    made.stop()


def sold(number: str, price: str = "10.00", quantity: int = 2, **changes: Any) -> dict[str, Any]:
    """An order of `quantity` cups, freight 5.00."""
    goods = Decimal(price) * quantity
    total = str(goods + 5)
    line = {"id": "1", "sku": "CUP-1", "title": "杯", "quantity": quantity, "price": price, "total": str(goods)}
    amounts = {"goods": str(goods), "shipping": "5.00", "total": total, "paid": total}
    return order(number, items=[line]) | amounts | changes


def refunded(number: str, amount: str, kind: str = "refund_only", **changes: Any) -> dict[str, Any]:
    """A refund of one cup that was paid."""
    item = {"order_item_id": "1", "sku": "CUP-1", "quantity": 1, "amount": amount}
    return {
        "refund_no": f"R-{number}", "order_no": number, "type": kind, "status": "refunded", "phase": "after_shipping",
        "amount": amount, "currency": "CNY", "items": [item], "reason": "broken",
        "created_at": "2026-11-02T08:00:00Z", "updated_at": "2026-11-02T09:00:00Z", **changes,
    }  # fmt: skip


def day_of_a_shop() -> list[dict[str, Any]]:
    """100 documents: orders, some changed without an effect on the books, refunds, cancellations, unknown articles."""
    told = [sold(f"T{n:03d}", price=f"{10 + n % 7}.{n % 10}0", quantity=1 + n % 3) for n in range(52)]
    told += [sold(f"T{n:03d}", price=f"{10 + n % 7}.{n % 10}0", quantity=1 + n % 3, note="ring twice",
                  updated_at="2026-11-01T10:00:00Z") for n in range(8)]  # fmt: skip
    told += [refunded(f"T{n:03d}", "3.00") for n in range(7)]
    told += [refunded(f"T{n:03d}", "10.00", "return") for n in range(7, 14)]
    told += [refunded(f"T{n:03d}", "1.00", status="requested") for n in range(14, 18)]
    told += [sold(f"C{n:03d}", status="cancelled") for n in range(7)]
    told += [sold(f"T{n:03d}", price=f"{10 + n % 7}.{n % 10}0", quantity=1 + n % 3, status="cancelled",
                  updated_at="2026-11-01T11:00:00Z") for n in range(20, 25)]  # fmt: skip
    unknown = {"id": "1", "sku": "LAMP-9", "title": "灯", "quantity": 1, "price": "20.00", "total": "20.00"}
    return told + [order(f"U{n:03d}", items=[unknown], goods="20.00", total="20.00") for n in range(10)]


def test_its_books_are_the_channels_books(erp: Erp, tmp_path: Path) -> None:
    port, told = free_port(), day_of_a_shop()
    assert len(told) == 100
    config = tmp_path / "hub.toml"
    config.write_text(CONFIG.format(port=port, erp=erp.url, key=erp.key), encoding="utf-8")
    command = [sys.executable, "-m", "hub", "run", "-c", str(config), "--log-level", "warning"]
    store = Store(f"sqlite:///{tmp_path}/hub.db")
    with running(command, tmp_path / "log", port):
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=HANGS) as front:
            for record in told:
                raw = json.dumps(record, ensure_ascii=False).encode()
                signature = hmac.new(b"front-door", raw, hashlib.sha256).hexdigest()
                answer = front.post("/hooks/site", content=raw, headers={"x-signature": signature})
                assert answer.status_code == 200
        wait_until(store, delivered=15)
        erp.stop()
        time.sleep(3)
        erp.start()
        wait_until(store, delivered=35)
        erp.stop(kill=True)
        time.sleep(2)
        erp.start()
        wait_until(store)
    with store.look() as connection:
        letters = shelf.find(connection, limit=500)
        balance = views.balance(connection, ["erp"])
    store.close()
    assert all(row["holds"] for row in balance)
    assert Counter(letter["cause"] for letter in letters) == {"delivery.unknown_sku": 10, "delivery.frozen": 5}
    compare(erp, told)


def compare(erp: Erp, told: list[dict[str, Any]]) -> None:
    """Tryton's own books: each order and each paid refund once, with the amounts that the channel said."""
    sales = erp.search("sale.sale", [], "reference", "state", "total_amount", "lines.quantity")
    wanted: dict[str, Decimal] = {}
    for record in told:
        if record.get("status") == "cancelled" or record["order_no"].startswith("U"):
            continue
        if "refund_no" not in record:
            wanted[record["order_no"]] = Decimal(record["total"])
        elif record["status"] == "refunded":
            wanted[record["refund_no"]] = -Decimal(record["amount"])
    assert Counter(sale["reference"] for sale in sales) == Counter(wanted.keys()), "each once"
    assert {sale["reference"]: Decimal(sale["total_amount"]["decimal"]) for sale in sales} == wanted
    assert {sale["state"] for sale in sales} <= {"confirmed", "processing", "done"}


def wait_until(store: Store, delivered: int | None = None) -> None:
    """Until so many deliveries are through; without a number, until none is on its way."""
    deadline, counts = time.perf_counter() + 600, dict[str, int]()
    while time.perf_counter() < deadline:
        with store.look() as connection:
            counts = next((r["counts"] for r in views.destination_states(connection) if r["name"] == "erp"), {})
            messages = {row["state"] for row in views.message_states(connection)}
        moving = sum(counts.get(state, 0) for state in (outbox.WAITING, outbox.SENDING, outbox.IN_DOUBT))
        dead = counts.get(outbox.DEAD, 0)
        if delivered is not None and counts.get(outbox.DELIVERED, 0) >= delivered:
            return
        if delivered is None and not moving and "received" not in messages and dead >= 15:
            return
        time.sleep(0.3)
    raise AssertionError(f"still {counts}")


def attempt(erp: Erp, kind: str, number: str, body: Any, *, key: str = "", ask: bool = False, **settings: str) -> Any:
    """One push (or look-up) over the hub's own client."""
    settings |= {"url": erp.url, "database": "books", "key": key or erp.key}
    adapter = ADAPTER(ADAPTER.Settings.model_validate(settings))
    delivery = Delivery(
        id="1", tenant="default", destination="erp", kind=kind, shop="site", key=number, subject=number, revision="1",
        sequence=1, idempotency_key=f"k-{number}", body=body,
    )  # fmt: skip

    async def converse() -> Any:
        async with wire.client() as http:
            talk = adapter.look_up if ask else adapter.push
            return await wire.converse(http, talk(delivery, clock.now()), 60.0)

    return asyncio.run(converse())


def document(number: str, amount: str = "20.00", sku: str = "CUP-2", **changes: Any) -> dict[str, Any]:
    """A canonical order as the hub sends it."""
    line = {"line_no": "1", "sku": sku, "quantity": 2, "amount": amount}
    return {
        "schema": "order/1", "shop": "site", "order_no": number, "state": "open", "currency": "CNY",
        "totals": {"payable": amount, "shipping": "0.00"}, "lines": [line],
        "receiver": {"name": "Rosa Lind", "city": "苏州市", "street": "平江路 9 号"}, **changes,
    }  # fmt: skip


class TestWhatItRefuses:
    def test_an_article_that_it_does_not_have(self, erp: Erp) -> None:
        with pytest.raises(Refused, match="LAMP-9") as refused:
            attempt(erp, "order", "E1", document("E1", sku="LAMP-9"))
        assert refused.value.code == "delivery.unknown_sku"

    def test_an_expired_key(self, erp: Erp) -> None:
        with pytest.raises(NotAuthorised):
            attempt(erp, "order", "E2", document("E2"), key="0" * 64)

    def test_a_currency_that_it_does_not_keep(self, erp: Erp) -> None:
        with pytest.raises(Refused, match="currency") as refused:
            attempt(erp, "order", "E3", document("E3", currency="SEK"))
        assert refused.value.code == "delivery.erp_settings"

    def test_a_change_to_a_frozen_sale(self, erp: Erp) -> None:
        assert attempt(erp, "order", "E4", document("E4")).already_there is False
        with pytest.raises(Refused) as changed:
            attempt(erp, "order", "E4", document("E4", amount="30.00"))
        with pytest.raises(Refused) as cancelled:
            attempt(erp, "order", "E4", document("E4", state="cancelled"))
        assert (changed.value.code, cancelled.value.code) == ("delivery.frozen", "delivery.frozen")


class TestTax:
    """The channel's prices hold the tax; the ERP keeps it apart, and its totals are the channel's to the cent."""

    def test_is_kept_apart(self, erp: Erp) -> None:
        attempt(erp, "order", "X1", document("X1", amount="22.60"), tax=TAX)
        assert self.books(erp, "X1") == ("20.00", "2.60", "22.60")

    def test_and_the_total_stays_the_channels_whatever_the_division_leaves(self, erp: Erp) -> None:
        lines = [{"line_no": "1", "sku": "CUP-2", "quantity": 3, "amount": "10.01"}]
        totals = {"payable": "13.51", "shipping": "3.50"}
        attempt(erp, "order", "X2", document("X2", lines=lines, totals=totals), tax=TAX)
        assert self.books(erp, "X2")[2] == "13.51"

    def test_a_return_takes_its_tax_back(self, erp: Erp) -> None:
        line = {"line_no": "1", "sku": "CUP-2", "quantity": 1, "amount": "11.30"}
        back = {"refund_no": "X3", "order_no": "X1", "kind": "return_and_refund", "state": "refunded", "shop": "site",
                "amount": "11.30", "currency": "CNY", "lines": [line]}  # fmt: skip
        attempt(erp, "refund", "X3", back, tax=TAX)
        assert self.books(erp, "X3") == ("-10.00", "-1.30", "-11.30")

    def test_one_that_it_does_not_have_is_a_matter_of_its_settings(self, erp: Erp) -> None:
        with pytest.raises(Refused) as refused:
            attempt(erp, "order", "X4", document("X4"), tax="VAT 99%")
        assert refused.value.code == "delivery.erp_settings"

    def books(self, erp: Erp, number: str) -> tuple[str, ...]:
        """Untaxed, tax and total of a sale."""
        names = ("untaxed_amount", "tax_amount", "total_amount")
        (sale,) = erp.search("sale.sale", [["reference", "=", number]], *names)
        return tuple(sale[name]["decimal"] for name in names)


class TestSafeToRepeat:
    def test_the_same_order_twice_is_one_sale(self, erp: Erp) -> None:
        first = attempt(erp, "order", "E5", document("E5"))
        again = attempt(erp, "order", "E5", document("E5", buyer_note="changed"))
        assert again.already_there is True
        assert first.reference in ("", again.reference)
        assert len(erp.search("sale.sale", [["reference", "=", "E5"]])) == 1

    def test_a_look_up_tells_what_took_effect(self, erp: Erp) -> None:
        assert attempt(erp, "order", "E6", document("E6"), ask=True) is None
        attempt(erp, "order", "E6", document("E6"))
        assert attempt(erp, "order", "E6", document("E6"), ask=True).already_there is True
        assert attempt(erp, "order", "E6", document("E6", state="cancelled"), ask=True) is None

    def test_amounts_that_do_not_divide_still_sum_up(self, erp: Erp) -> None:
        attempt(erp, "order", "E7", document("E7", amount="10.01", lines=[
            {"line_no": "1", "sku": "CUP-2", "quantity": 3, "amount": "10.01"}
        ]))  # fmt: skip
        (sale,) = erp.search("sale.sale", [["reference", "=", "E7"]], "total_amount")
        assert sale["total_amount"]["decimal"] == "10.01"
