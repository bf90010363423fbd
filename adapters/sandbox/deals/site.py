"""How somebody's own site shows an order and a refund: the shape that mappings/channels/generic documents."""

from collections.abc import Mapping
from typing import Any

from adapters.sandbox.goods import Basket, yuan
from adapters.sandbox.platform import iso
from adapters.sandbox.story import Book, Step, Story


class Deal:
    """One order as it goes through its life. Amounts are text or numbers, as such sites mix them."""

    def __init__(self, book: Book, basket: Basket, *, numbers: bool = False) -> None:
        self.book, self.basket, self.numbers = book, basket, numbers
        self.number = "W" + book.number(10)
        self.rows = [book.number(12) for _ in basket.lines]
        self.placed = book.ago()
        self.paid = self.placed + book.rng.randrange(5, 200)
        self.customer = book.number(8)

    def money(self, cents: int) -> str | float:
        """Text, or a number where the site's programmers left it one."""
        return cents / 100 if self.numbers else yuan(cents)

    def seen(
        self, status: str, payment: str, later: int = 0, how: str = "both", *, copies: int = 1, **about: Any
    ) -> Step:
        """The order in this state, changed at that moment."""
        return self.step(self.body(status, payment, self.book.when(later), **about), later, how, copies)

    def step(self, body: dict[str, Any], later: int = 0, how: str = "both", copies: int = 1) -> Step:
        """A body of one's own making, changed at that moment."""
        at = self.book.when(later)
        topic = "created" if later == 0 else "updated"
        return Step(self.book.at + later, how, "order", self.number, body, at, self.placed, topic=topic, copies=copies)

    def body(
        self,
        status: str,
        payment: str,
        at: int,
        *,
        shipping: str = "none",
        refunded: int = 0,
        lines: Mapping[int, str] | None = None,
        address: bool = True,
        **more: Any,
    ) -> dict[str, Any]:
        """`lines` tells the refund_status of lines by index. `more` overrides the order's members."""
        basket, paid = self.basket, payment not in ("unpaid", "authorized")
        order: dict[str, Any] = {
            "order_no": self.number,
            "status": status,
            "payment_status": payment,
            "shipping_status": shipping,
            "currency": "EUR",
            "created_at": iso(self.placed),
            "updated_at": iso(at),
            "paid_at": iso(self.paid) if paid else None,
            "shipped_at": iso(at) if shipping in ("shipped", "delivered") else None,
            "completed_at": iso(at) if status == "completed" else None,
            "cancelled_at": iso(at) if status == "cancelled" else None,
            "goods": self.money(basket.goods),
            "discount": self.money(basket.discount),
            "shipping": self.money(basket.shipping),
            "tax": self.money(0),
            "total": self.money(basket.payable),
            "paid": self.money(basket.payable if paid else 0),
            "refunded": self.money(refunded),
            "customer": {"id": self.customer, "name": "Kim Sample", "email": "kim@example.com"},
            "items": [self._row(i, shipping, (lines or {}).get(i, "none")) for i in range(len(basket.lines))],
            "coupons": [],
            "note": "",
        }
        if basket.share:
            order["coupons"] = [{"code": "HELLO", "title": "First order", "amount": self.money(basket.share)}]
        if address:
            order["address"] = self._address()
        return order | more

    def _row(self, index: int, shipping: str, refund: str) -> dict[str, Any]:
        line = self.basket.lines[index]
        gone = shipping in ("shipped", "delivered") or (shipping == "partial" and index == 0)
        return {
            "id": self.rows[index],
            "sku": line.goods.sku,
            "product_id": line.goods.item_id,
            "variant_id": line.goods.variant_id,
            "title": line.goods.title,
            "variant": line.goods.variant,
            "quantity": line.quantity,
            "price": self.money(line.price),
            "discount": self.money(line.discount + line.share),
            "total": self.money(line.amount),
            "tax": self.money(0),
            "shipped_quantity": line.quantity if gone else 0,
            "refund_status": refund,
            "refunded": self.money(line.amount if refund == "refunded" else 0),
            "gift": line.gift,
        }

    def _address(self) -> dict[str, Any]:
        return {
            "name": "Kim Sample",
            "phone": "+49 30 5550100",
            "country": "DE",
            "state": "Berlin",
            "city": "Berlin",
            "street": "Musterweg 7",
            "postcode": "10115",
        }

    def refund(
        self,
        number: str,
        status: str,
        later: int,
        *,
        index: int = 0,
        cents: int | None = None,
        kind: str = "refund_only",
        phase: str = "before_shipping",
        asked: int = 0,
    ) -> Step:
        """A refund case of one line; all of the line when cents is left out."""
        line, at, since = self.basket.lines[index], self.book.when(later), self.book.when(asked)
        amount = self.money(line.amount if cents is None else cents)
        row = {"order_item_id": self.rows[index], "sku": line.goods.sku, "quantity": line.quantity, "amount": amount}
        body: dict[str, Any] = {
            "refund_no": number,
            "order_no": self.number,
            "type": kind,
            "status": status,
            "phase": phase,
            "amount": amount,
            "shipping": self.money(0),
            "currency": "EUR",
            "items": [row],
            "reason": "changed my mind",
            "note": "",
            "created_at": iso(since),
            "updated_at": iso(at),
            "completed_at": iso(at) if status in ("refunded", "rejected", "cancelled") else None,
        }
        if kind == "return":
            body["return"] = {"carrier": "DHL", "tracking_no": "JJD" + self.customer}
        topic = "created" if later == asked else "updated"
        return Step(self.book.at + later, "both", "refund", number, body, at, since, self.number, topic=topic)

    def story(self, label: str, *steps: Step, final: Mapping[str, Any] | None = None, **fate: Any) -> Story:
        return Story("site", label, self.number, tuple(sorted(steps, key=lambda s: s.at)), final=final or {}, **fate)
