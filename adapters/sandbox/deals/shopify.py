"""How the Shopify shop shows an order: the REST resource, which webhooks carry and from which GraphQL answers are made.

Amounts are text in the shop's currency beside `*_set` with the buyer's. Ids are integers above 2**53.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from adapters.sandbox.goods import Basket, spread, yuan
from adapters.sandbox.platform import iso
from adapters.sandbox.story import Book, Step, Story

ABROAD = {"EUR": 92, "GBP": 79, "CAD": 137}
"""Hundredths of the buyer's currency for one unit of the shop's (USD)."""
TAX = 8
"""Percent of sales tax, added to the prices."""


class Deal:
    """One order as it goes through its life."""

    def __init__(self, book: Book, basket: Basket, *, buyer_currency: str = "USD", taxed: bool = False) -> None:
        self.book, self.basket, self.buyer_currency = book, basket, buyer_currency
        self.id = int(book.number(18, "8"))
        self.row_ids = [int(book.number(18, "9")) for _ in basket.lines]
        self.placed = book.ago()
        self.label = f"#{int(book.number(12)) % 900_000 + 100_000}"
        self.taxes = [line.amount * TAX // 100 if taxed else 0 for line in basket.lines]
        self.reference = book.hex(20)
        self.person = book.number(13, "6")

    @property
    def total(self) -> int:
        """What the buyer owes, with tax, in cents."""
        return self.basket.payable + sum(self.taxes)

    def seen(
        self, later: int = 0, how: str = "both", topic: str = "orders/updated", copies: int = 1, **about: Any
    ) -> Step:
        """The order as it stands at that moment, with the webhook that belongs to it."""
        return self.step(self.body(self.book.when(later), **about), later, how, topic, copies)

    def step(
        self, body: dict[str, Any], later: int = 0, how: str = "both", topic: str = "orders/updated", copies: int = 1
    ) -> Step:
        """A body of one's own making, changed at that moment."""
        at = self.book.when(later)
        return Step(self.book.at + later, how, "order", str(self.id), body, at, self.placed, topic=topic, copies=copies)

    def body(
        self,
        at: int,
        *,
        paid: str = "paid",
        shipped: str | None = None,
        cancelled: str | None = None,
        closed: bool = False,
        refunds: Sequence[dict[str, Any]] = (),
        kept: Mapping[int, int] | None = None,
        address: bool = True,
        **more: Any,
    ) -> dict[str, Any]:
        """`kept` tells lines by index whose current_quantity is no longer the ordered one. `more` overrides members."""
        order: dict[str, Any] = {
            "id": self.id,
            "admin_graphql_api_id": f"gid://shopify/Order/{self.id}",
            "name": self.label,
            "order_number": int(self.label[1:]),
            "created_at": iso(self.placed),
            "processed_at": iso(self.placed),
            "updated_at": iso(at),
            "closed_at": iso(at) if closed else None,
            "cancelled_at": iso(at) if cancelled else None,
            "cancel_reason": cancelled,
            "confirmed": True,
            "test": False,
            "currency": "USD",
            "presentment_currency": self.buyer_currency,
            "financial_status": paid,
            "fulfillment_status": shipped,
            "source_name": "web",
            "tags": "",
            "note": None,
            "note_attributes": [],
            "payment_gateway_names": ["bogus"],
            "line_items": [self._row(i, shipped, (kept or {}).get(i)) for i in range(len(self.basket.lines))],
            "shipping_lines": self._shipping(),
            "tax_lines": self._tax_lines(sum(self.taxes)),
            "fulfillments": [self._fulfillment(at)] if shipped else [],
            "refunds": list(refunds),
            "email": "buyer@example.com",
            "phone": None,
            "customer": {
                "id": int(self.person),
                "email": "buyer@example.com",
                "first_name": "Ada",
                "last_name": "Field",
            },
            "shipping_address": self._address() if address else None,
            "billing_address": self._address() if address else None,
        }
        left = self.total - max(sum(self._refunded(r) for r in refunds), self._taken_out(kept or {}))
        return order | self._totals(paid, left) | self._discounts() | more

    def _taken_out(self, kept: Mapping[int, int]) -> int:
        """Cents of the pieces that an edit or a refund took out of the order."""
        lines = enumerate(self.basket.lines)
        return sum(self.worth(i) * (x.quantity - kept.get(i, x.quantity)) // x.quantity for i, x in lines)

    def _totals(self, paid: str, left: int) -> dict[str, Any]:
        """As placed, and `current_*` as it is now; `left` is what the order still comes to, in cents."""
        basket, tax = self.basket, sum(self.taxes)
        net = basket.goods - basket.discount
        return {
            "taxes_included": False,
            "total_line_items_price": yuan(basket.goods),
            "total_discounts": yuan(basket.discount),
            "subtotal_price": yuan(net),
            "total_tax": yuan(tax),
            "total_price": yuan(self.total),
            "total_tip_received": "0.00",
            "total_outstanding": yuan(0 if paid not in ("pending", "authorized") else self.total),
            "current_total_price": yuan(left),
            "current_subtotal_price": yuan(net - (self.total - left)),
            "current_total_tax": yuan(tax),
            "current_total_discounts": yuan(basket.discount),
            "total_price_set": self._set(self.total),
            "total_discounts_set": self._set(basket.discount),
            "total_tax_set": self._set(tax),
            "total_shipping_price_set": self._set(basket.shipping),
            "subtotal_price_set": self._set(net),
            "total_line_items_price_set": self._set(basket.goods),
            "current_total_price_set": self._set(left),
        }

    def worth(self, index: int) -> int:
        """A line after discounts, with its tax, in cents."""
        return self.basket.lines[index].amount + self.taxes[index]

    def _set(self, cents: int) -> dict[str, Any]:
        """The amount in the shop's currency and in the buyer's."""
        rate = ABROAD.get(self.buyer_currency, 100)
        return {
            "shop_money": {"amount": yuan(cents), "currency_code": "USD"},
            "presentment_money": {"amount": yuan(cents * rate // 100), "currency_code": self.buyer_currency},
        }

    def _row(self, index: int, shipped: str | None, kept: int | None) -> dict[str, Any]:
        line, goods = self.basket.lines[index], self.basket.lines[index].goods
        left = line.quantity if kept is None else kept
        sent = shipped == "fulfilled" or (shipped == "partial" and index == 0)
        return {
            "id": self.row_ids[index],
            "admin_graphql_api_id": f"gid://shopify/LineItem/{self.row_ids[index]}",
            "sku": goods.sku,
            "product_id": goods.item_id,
            "variant_id": goods.variant_id,
            "title": goods.title,
            "variant_title": goods.variant,
            "name": f"{goods.title} - {goods.variant}",
            "quantity": line.quantity,
            "current_quantity": left,
            "fulfillable_quantity": 0 if sent else left,
            "fulfillment_status": "fulfilled" if sent else None,
            "price": yuan(line.price),
            "price_set": self._set(line.price),
            "total_discount": "0.00",
            "discount_allocations": self._allocations(index),
            "tax_lines": self._tax_lines(self.taxes[index]),
            "taxable": True,
            "requires_shipping": True,
            "gift_card": False,
            "properties": [],
            "vendor": "Sandbox Home",
        }

    def _allocations(self, index: int) -> list[dict[str, Any]]:
        """The line's own discount is application 0, its share of the code is the one after it."""
        line = self.basket.lines[index]
        parts, automatic = [], any(x.discount for x in self.basket.lines)
        if line.discount:
            parts.append((line.discount, 0))
        if line.share:
            parts.append((line.share, int(automatic)))
        return [
            {"amount": yuan(cents), "amount_set": self._set(cents), "discount_application_index": which}
            for cents, which in parts
        ]

    def _discounts(self) -> dict[str, Any]:
        applications: list[dict[str, Any]] = []
        own = sum(line.discount for line in self.basket.lines)
        if own:
            applications.append(_application("automatic", "Spring offer", own, "each"))
        if self.basket.share:
            applications.append(_application("discount_code", "WELCOME", self.basket.share, "across"))
        codes = (
            [{"code": "WELCOME", "amount": yuan(self.basket.share), "type": "fixed_amount"}]
            if self.basket.share
            else []
        )
        return {"discount_applications": applications, "discount_codes": codes}

    def _shipping(self) -> list[dict[str, Any]]:
        cents = self.basket.shipping
        if not cents:
            return []
        line: dict[str, Any] = {"id": self.id + 1, "title": "Standard", "code": "STD", "price": yuan(cents)}
        line |= {
            "discounted_price": yuan(cents),
            "price_set": self._set(cents),
            "discounted_price_set": self._set(cents),
        }
        return [line | {"discount_allocations": [], "tax_lines": []}]

    def _tax_lines(self, cents: int) -> list[dict[str, Any]]:
        if not cents:
            return []
        return [{"title": "State Tax", "rate": TAX / 100, "price": yuan(cents), "price_set": self._set(cents)}]

    def _fulfillment(self, at: int) -> dict[str, Any]:
        return {
            "id": self.id + 2,
            "order_id": self.id,
            "status": "success",
            "shipment_status": None,
            "created_at": iso(at),
            "updated_at": iso(at),
            "tracking_company": "UPS",
            "tracking_number": f"1Z{self.person}",
            "tracking_numbers": [f"1Z{self.person}"],
            "name": f"{self.label}.1",
            "line_items": [],
        }

    def _address(self) -> dict[str, Any]:
        return {
            "name": "Ada Field",
            "first_name": "Ada",
            "last_name": "Field",
            "company": None,
            "address1": "12 Sample Road",
            "address2": "",
            "city": "Springfield",
            "province": "Oregon",
            "province_code": "OR",
            "zip": "97477",
            "country": "United States",
            "country_code": "US",
            "phone": "+1 555 0100",
        }

    def refund(
        self, later: int, returned: Mapping[int, int], *, cents: int | None = None, restock: str = "no_restock"
    ) -> dict[str, Any]:
        """A refund; `returned` tells quantities of lines by index, `cents` the money when it is not theirs."""
        at, number = self.book.when(later), int(self.book.number(18, "7"))
        rows = []
        for index, quantity in returned.items():
            line = self.basket.lines[index]
            parts = spread(line.amount, [1] * line.quantity)[-quantity:]
            tax = self.taxes[index] * quantity // line.quantity
            rows.append((index, quantity, sum(parts), tax))
        money = sum(net + tax for _, _, net, tax in rows) if cents is None else cents
        return {
            "id": number,
            "admin_graphql_api_id": f"gid://shopify/Refund/{number}",
            "order_id": self.id,
            "created_at": iso(at),
            "processed_at": iso(at),
            "note": "wrong size" if returned else "goodwill",
            "restock": restock != "no_restock",
            "user_id": None,
            "duties": [],
            "order_adjustments": [],
            "refund_shipping_lines": [],
            "refund_line_items": [self._refund_row(number, *row, restock) for row in rows],
            "transactions": [self._transaction(number, money, at)],
        }

    def _refund_row(self, number: int, index: int, quantity: int, net: int, tax: int, restock: str) -> dict[str, Any]:
        """subtotal and total_tax are numbers here, as on the platform."""
        return {
            "id": number + 1 + index,
            "line_item_id": self.row_ids[index],
            "quantity": quantity,
            "restock_type": restock,
            "location_id": None,
            "subtotal": net / 100,
            "total_tax": tax / 100,
            "subtotal_set": self._set(net),
            "total_tax_set": self._set(tax),
            "line_item": self._row(index, None, None),
        }

    def _transaction(self, number: int, cents: int, at: int) -> dict[str, Any]:
        return {
            "id": number + 900,
            "order_id": self.id,
            "parent_id": number + 800,
            "kind": "refund",
            "status": "success",
            "gateway": "bogus",
            "amount": yuan(cents),
            "currency": "USD",
            "amount_set": self._set(cents),
            "created_at": iso(at),
            "processed_at": iso(at),
            "test": False,
        }

    @staticmethod
    def _refunded(refund: Mapping[str, Any]) -> int:
        """Cents that really went back."""
        return sum(int(t["amount"].replace(".", "")) for t in refund["transactions"])

    def refund_step(self, refund: dict[str, Any], later: int, how: str = "push") -> Step:
        """The refunds/create webhook. A refund has no list of its own: it is pulled inside of its order."""
        key, at = str(refund["id"]), self.book.when(later)
        return Step(self.book.at + later, how, "refund", key, refund, at, at, str(self.id), topic="refunds/create")

    def story(self, label: str, *steps: Step, final: Mapping[str, Any] | None = None, **fate: Any) -> Story:
        return Story(
            "shopify", label, str(self.id), tuple(sorted(steps, key=lambda s: s.at)), final=final or {}, **fate
        )


def _application(kind: str, name: str, cents: int, method: str) -> dict[str, Any]:
    named = {"code": name} if kind == "discount_code" else {"title": name}
    return {
        "type": kind,
        "target_type": "line_item",
        "target_selection": "all",
        "allocation_method": method,
        "value": yuan(cents),
        "value_type": "fixed_amount",
        **named,
    }
