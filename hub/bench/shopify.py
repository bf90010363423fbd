"""The Shopify order mapping by hand."""

from decimal import Decimal
from typing import Any

from hub.bench.handwritten import NOTHING, Json, cents, filled, iso, money, text, whole, words

PAYMENTS = {
    "pending": "unpaid",
    "authorized": "authorized",
    "partially_paid": "deposit_paid",
    "paid": "paid",
    "partially_refunded": "partially_refunded",
    "refunded": "refunded",
    "voided": "voided",
    "expired": "voided",
}
FULFILMENTS: dict[str | None, str] = {
    None: "unshipped",
    "partial": "partially_shipped",
    "partially_fulfilled": "partially_shipped",
    "fulfilled": "shipped",
    **dict.fromkeys(
        ("restocked", "unfulfilled", "unshipped", "not_eligible", "pending", "pending_fulfillment", "open"), "unshipped"
    ),
    **dict.fromkeys(("in_progress", "on_hold", "scheduled", "request_declined"), "unshipped"),
}
SOME_SHIPPED = ("fulfilled", "partial", "partially_fulfilled")
PAID = ("paid", "partially_refunded", "refunded")
OWN_SALES = ("web", "pos", "shopify_draft_order", "iphone", "android")


def shop_money(part: Json, name: str) -> Any:
    """The text of an amount in the shop's currency: of name_set, else of name itself."""
    of_set = part.get(f"{name}_set")
    return (of_set["shop_money"]["amount"] if of_set else None) or part.get(name)


def draft(order: Json) -> Json:
    """An Order as an order's draft."""
    status, financial = order.get("fulfillment_status"), order["financial_status"]
    cancelled, closed = order.get("cancelled_at"), order.get("closed_at")
    included, gateways = bool(order.get("taxes_included")), order.get("payment_gateway_names") or ()
    document = {
        "order_no": text(order["id"]),
        "revision": iso(order["updated_at"]),
        "state": _state(status, cancelled, closed),
        "payment": PAYMENTS[financial],
        "fulfilment": _fulfilment(order, status),
        "cod": any(
            "Cash on Delivery" in n or "cash_on_delivery" in n for n in order.get("payment_gateway_names") or ()
        ),
        "currency": order.get("currency") or order["total_price_set"]["shop_money"]["currency_code"],
        **filled(order, (("display_no", "name"), ("buyer_note", "note"), ("cancel_reason", "cancel_reason"))),
    }
    source = order.get("source_name")
    elsewhere = source and source not in OWN_SALES and order.get("processed_at")
    document["placed_at"] = iso(order["processed_at"] if elsewhere else order["created_at"])
    sent = [f["created_at"] for f in order.get("fulfillments") or () if f["status"] == "success"]
    if sent:
        document["shipped_at"] = iso(max(sent))
    if closed and status in SOME_SHIPPED:
        document["completed_at"] = iso(closed)
    if cancelled:
        document["cancelled_at"] = iso(cancelled)
    if order.get("tags") is not None:
        document["tags"] = words(order["tags"])
    _people(order, document)
    document["lines"] = lines = [
        _line(one, status, included=included)
        for one in order["line_items"]
        if one.get("kept_quantity") != 0 and not one.get("tip") and not one.get("tip_payment_gateway")
    ]
    document["totals"] = _totals(order, financial, lines, included=included)
    if financial in PAID and (names := [name for name in gateways if name]):
        total = {"amount": money(shop_money(order, "total_price"))} if len(names) == 1 else {}
        document["payments"] = [{"method": name, **total} for name in names]
    if discounts := _discounts(order):
        document["discounts"] = discounts
    document["extra"] = filled(order, (("source_name", "source_name"),))
    if order.get("presentment_currency") != order.get("currency"):
        document["extra"]["presentment_currency"] = text(order["presentment_currency"])
        amount = order["total_price_set"]["presentment_money"]["amount"]
        document["extra"]["volatile"] = {"presentment_total": amount}
    if company := (order.get("shipping_address") or {}).get("company"):
        document["extra"]["company"] = text(company)
    if holds := _holds(order, document, financial, status, cancelled):
        document["holds"] = holds
    return document


def _state(status: str | None, cancelled: str | None, closed: str | None) -> str:
    if (cancelled or closed) and status in SOME_SHIPPED:
        return "completed"
    return "cancelled" if cancelled else "open"


def _fulfilment(order: Json, status: str | None) -> str:
    sent = order.get("fulfillments") or ()
    if status == "fulfilled" and any(f.get("shipment_status") == "delivered" for f in sent):
        late = any(f["status"] == "success" and f.get("shipment_status") != "delivered" for f in sent)
        return "shipped" if late else "delivered"
    return FULFILMENTS[status]


def _people(order: Json, document: Json) -> None:
    customer, address = order.get("customer") or {}, order.get("shipping_address")
    buyer = {}
    if customer.get("id"):
        buyer["id"] = text(customer["id"])
    if name := " ".join(part for part in (customer.get("first_name"), customer.get("last_name")) if part):
        buyer["nickname"] = name
    if email := order.get("email") or order.get("contact_email"):
        buyer["email"] = text(email)
    if buyer:
        document["buyer"] = buyer
    if not address:
        return
    receiver = filled(address, (("province", "province"), ("city", "city"), ("postcode", "zip")))
    parts = (address.get("first_name"), address.get("last_name"))
    if name := address.get("name") or " ".join(part for part in parts if part):
        receiver["name"] = text(name)
    if phone := address.get("phone") or order.get("phone"):
        receiver["phone"] = text(phone)
    if country := address.get("country_code") or address.get("country"):
        receiver["country"] = text(country)
    if street := ", ".join(part for part in (address.get("address1"), address.get("address2")) if part):
        receiver["street"] = street
    document["receiver"] = receiver


def _line(one: Json, status: str | None, *, included: bool) -> Json:
    kept = one.get("kept_quantity")
    quantity = whole(one["quantity"] if kept is None else kept)
    price = money(shop_money(one, "price"))
    allocations = one.get("discount_allocations")
    discount = NOTHING
    if allocations:
        for each in allocations:
            discount += money(shop_money(each, "amount"))
    elif one.get("total_discount"):
        discount = money(one["total_discount"])
    line = {
        "line_no": text(one["id"]),
        "quantity": quantity,
        "unit_price": price,
        "discount": cents(discount),
        "amount": cents(price * quantity - discount),
        "tax": NOTHING if included else _taxes(one),
        "shipped_quantity": quantity if status == "fulfilled" else _shipped(one, quantity),
        **filled(one, (("sku", "sku"), ("variant", "variant_title"))),
        **_refund(one, quantity),
    }
    for name in ("product", "variant"):
        if (number := one.get(f"{name}_id") or (one.get(name) or {}).get("id")) is not None:
            line["item_id" if name == "product" else "variant_id"] = text(number)
    if title := one.get("title") or one.get("name"):
        line["title"] = text(title)
    line["extra"] = {n: one[n] for n in ("requires_shipping", "gift_card") if one.get(n) is not None}
    return line


def _taxes(one: Json) -> Decimal:
    total = NOTHING
    for tax in one.get("tax_lines") or ():
        total += money(shop_money(tax, "price"))
    return cents(total)


def _shipped(one: Json, quantity: int) -> int:
    now = one.get("current_quantity")
    now = quantity if now is None else whole(now)
    left = one.get("fulfillable_quantity")
    return now - (now if left is None else whole(left))


def _refund(one: Json, quantity: int) -> Json:
    rows = one.get("refund_line_items")
    if not rows:
        return {"refund": "none", "refunded_amount": NOTHING}
    done = [r for r in rows if any(t["status"] == "success" for t in r.get("transactions") or ())]
    amount = cents(sum((money(shop_money(r, "subtotal")) for r in done), NOTHING))
    if not done:
        return {"refund": "requested", "refunded_amount": amount}
    whole_ = sum(r["quantity"] for r in done) >= quantity
    return {"refund": "refunded" if whole_ else "partially_refunded", "refunded_amount": amount}


def _totals(order: Json, financial: str, lines: list[Json], *, included: bool) -> Json:
    if order.get("lines_taken_out"):
        raise ValueError("an edited order")
    payable, goods, discount, shipping = money(shop_money(order, "total_price")), NOTHING, NOTHING, NOTHING
    for line in lines:
        goods += line["unit_price"] * line["quantity"]
        discount += line["discount"]
    for one in order.get("shipping_lines") or ():
        if not one.get("is_removed"):
            shipping += money(shop_money(one, "discounted_price") or one["price"])
    return {
        "goods": cents(goods),
        "discount": cents(discount),
        "shipping": cents(shipping),
        "tax": NOTHING if included else money(shop_money(order, "total_tax")),
        "other": _other(order),
        "payable": payable,
        "paid": _paid(order, financial, payable),
        "refunded": _refunded(order),
    }


def _other(order: Json) -> Decimal:
    other = NOTHING
    for name in ("total_tip_received", "original_total_additional_fees"):
        if (amount := shop_money(order, name)) is not None:
            other += money(amount)
    if not order.get("duties_included") and order.get("original_total_duties_set"):
        other += money(order["original_total_duties_set"]["shop_money"]["amount"])
    return cents(other)


def _paid(order: Json, financial: str, payable: Decimal) -> Decimal:
    if financial in PAID:
        return payable
    if financial == "partially_paid":
        return money(shop_money(order, "current_total_price")) - money(shop_money(order, "total_outstanding"))
    return NOTHING


def _refunded(order: Json) -> Decimal:
    refunded = NOTHING
    for refund in order.get("refunds") or ():
        for one in refund["transactions"]:
            if one["kind"] == "refund" and one["status"] == "success":
                refunded += money(shop_money(one, "amount"))
    return cents(refunded)


def _discounts(order: Json) -> list[Json]:
    if applications := order.get("discount_applications"):
        return [
            {
                **filled(one, (("code", "code"), ("title", "title"))),
                "amount": cents(sum((money(shop_money(share, "amount")) for share in one["shares"]), NOTHING)),
                "funded_by": "shop",
            }
            for one in applications
        ]
    return [
        {"code": text(one["code"]), "amount": money(one["amount"]), "funded_by": "shop"}
        for one in order.get("discount_codes") or ()
    ]


def _holds(order: Json, document: Json, financial: str, status: str | None, cancelled: str | None) -> list[Json]:
    holds = []
    items, lines = order["line_items"], document["lines"]
    if order.get("test"):
        holds.append({"code": "test_order", "word": "test"})
    if status in ("on_hold", "scheduled"):
        holds.append({"code": "platform_hold", "word": status})
    if not cancelled and financial == "partially_paid":
        holds.append({"code": "balance_due", "word": financial})
    if not cancelled and status != "fulfilled":
        if not order.get("shipping_address") and any(one.get("requires_shipping") for one in items):
            holds.append({"code": "address_missing", "word": "shipping_address"})
        if items and all(one.get("requires_shipping") is False for one in items):
            holds.append({"code": "platform_fulfilled", "word": "requires_shipping"})
    waits = document["state"] == "open" and document["fulfilment"] in ("unshipped", "partially_shipped")
    if waits and lines and all(line["refund"] not in ("none", "rejected") for line in lines):
        holds.append({"code": "refund_in_progress", "word": "refunds"})
    return holds
