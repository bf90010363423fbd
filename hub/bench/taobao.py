"""The Taobao order mapping by hand."""

from decimal import Decimal

from hub.bench.handwritten import NOTHING, Json, beijing, cents, filled, money, text, whole, words, yes

STATES = {
    "TRADE_NO_CREATE_PAY": "open",
    "WAIT_BUYER_PAY": "open",
    "PAY_PENDING": "open",
    "WAIT_PRE_AUTH_CONFIRM": "open",
    "PAID_FORBID_CONSIGN": "open",
    "WAIT_SELLER_SEND_GOODS": "open",
    "SELLER_CONSIGNED_PART": "open",
    "WAIT_BUYER_CONFIRM_GOODS": "open",
    "TRADE_BUYER_SIGNED": "open",
    "TRADE_FINISHED": "completed",
    "TRADE_CLOSED": "cancelled",
    "TRADE_CLOSED_BY_TAOBAO": "cancelled",
}
LINE_REFUNDS = {
    "": "none",
    "NO_REFUND": "none",
    "CLOSED": "none",
    "WAIT_SELLER_AGREE": "requested",
    "WAIT_BUYER_RETURN_GOODS": "requested",
    "WAIT_SELLER_CONFIRM_GOODS": "requested",
    "SELLER_REFUSE_BUYER": "rejected",
    "SUCCESS": "refunded",
}
STEPS = {
    "FRONT_NOPAID_FINAL_NOPAID": "nothing paid",
    "FRONT_PAID_FINAL_NOPAID": "deposit paid",
    "FRONT_PAID_FINAL_PAID": "all paid",
    "FRONT_PAID_FRONT_FORFEITED": "deposit forfeited",
}
UNPAID = {"TRADE_NO_CREATE_PAY", "WAIT_BUYER_PAY", "PAY_PENDING", "WAIT_PRE_AUTH_CONFIRM", "TRADE_CLOSED_BY_TAOBAO"}
PAID = {
    "PAID_FORBID_CONSIGN",
    "WAIT_SELLER_SEND_GOODS",
    "SELLER_CONSIGNED_PART",
    "WAIT_BUYER_CONFIRM_GOODS",
    "TRADE_BUYER_SIGNED",
    "TRADE_FINISHED",
}
SHIPPED = {"WAIT_BUYER_CONFIRM_GOODS", "TRADE_BUYER_SIGNED", "TRADE_FINISHED"}
SHIPPABLE = {"WAIT_SELLER_SEND_GOODS", "SELLER_CONSIGNED_PART"}
UNDER_WAY = {"WAIT_SELLER_AGREE", "WAIT_BUYER_RETURN_GOODS", "WAIT_SELLER_CONFIRM_GOODS"}
SHIPS_ALL_THE_SAME = {None, "", "NO_REFUND", "CLOSED", "SELLER_REFUSE_BUYER"}
ADDRESS = ("receiver_name", "receiver_address", "receiver_mobile", "receiver_phone", "receiver_state", "oaid")
RECEIVER = (
    ("province", "receiver_state"),
    ("city", "receiver_city"),
    ("district", "receiver_district"),
    ("town", "receiver_town"),
    ("street", "receiver_address"),
)
LINE = (("title", "title"), ("variant", "sku_properties_name"), ("warehouse", "store_code"))
NO_POSTCODE = ("", "000000", None)


def draft(trade: Json) -> Json:
    """A Trade as an order's draft."""
    status, step = trade["status"], trade.get("step_trade_status")
    orders = trade["orders"]["order"]
    alive = [o for o in orders if o["status"] != "TRADE_CLOSED_BY_TAOBAO"]
    state = _state(trade, status, orders)
    payment = _payment(trade, status, step, orders)
    end = trade.get("end_time") or max((o["end_time"] for o in orders if o.get("end_time")), default=None)
    shipped_at = trade.get("consign_time") or min(
        (o["consign_time"] for o in orders if o.get("consign_time")), default=None
    )
    document = {
        "order_no": text(trade["tid"]),
        "revision": beijing(trade.get("modified") or trade["created"]),
        "kind": _kind(trade, step),
        "state": state,
        "payment": payment,
        "fulfilment": _fulfilment(trade, status, orders),
        "cod": trade["type"] == "cod",
        "currency": "CNY",
        "placed_at": beijing(trade["created"]),
        **filled(trade, (("buyer_note", "buyer_message"), ("seller_note", "seller_memo"))),
    }
    if trade.get("pay_time"):
        document["paid_at"] = beijing(trade["pay_time"])
    if shipped_at:
        document["shipped_at"] = beijing(shipped_at)
    if end and state in ("completed", "cancelled"):
        document[f"{state}_at"] = beijing(end)
    if ship_by := next((t for n in ("send_time", "delivery_time") if len(t := trade.get(n) or "") == 19), None):
        document["ship_by"] = beijing(ship_by)
    if trade.get("trade_from"):
        document["tags"] = words(trade["trade_from"])
    lines = [_line(o, trade) for o in (orders if status == "TRADE_CLOSED_BY_TAOBAO" else alive)]
    document["lines"] = lines
    document["totals"] = totals = _totals(trade, payment, lines)
    _people(trade, document)
    if payment != "unpaid":
        document["payments"] = [_paid(trade, totals)]
    if trade.get("promotion_details"):
        document["discounts"] = _discounts(trade["promotion_details"]["promotion_detail"])
    if document["kind"] == "presale":
        _presale(trade, step, document)
    document["extra"] = _extra(trade, step)
    if holds := _holds(trade, status, step, orders, alive):
        document["holds"] = holds
    return document


def _discounts(promotions: list[Json]) -> list[Json]:
    return [
        {
            "code": text(p["promotion_id"]),
            **filled(p, (("title", "promotion_name"),)),
            "amount": money(p["discount_fee"]),
            "funded_by": "shop",
        }
        for p in promotions
        if p.get("discount_fee")
    ]


def _kind(trade: Json, step: str | None) -> str:
    if trade["type"] == "step" or step or yes(trade.get("new_presell")):
        return "presale"
    return "group_buy" if yes(trade.get("team_buy_hold")) or yes(trade.get("share_group_hold")) else "normal"


def _state(trade: Json, status: str, orders: list[Json]) -> str:
    if status == "TRADE_CLOSED" and (trade.get("consign_time") or any(o.get("consign_time") for o in orders)):
        return "completed"
    return STATES[status]


def _payment(trade: Json, status: str, step: str | None, orders: list[Json]) -> str:
    if step == "FRONT_PAID_FRONT_FORFEITED":
        return "deposit_paid"
    if status == "TRADE_CLOSED":
        return "refunded"
    if step == "FRONT_PAID_FINAL_NOPAID":
        return "deposit_paid"
    if status in UNPAID:
        return "unpaid"
    if any(o.get("refund_status") == "SUCCESS" for o in orders):
        whole_ = all(
            o["status"] == "TRADE_CLOSED_BY_TAOBAO"
            or (o.get("refund_status") == "SUCCESS" and o["status"] == "TRADE_CLOSED")
            for o in orders
        )
        return "refunded" if whole_ else "partially_refunded"
    if trade["type"] == "cod" and not trade.get("pay_time") and status not in ("TRADE_BUYER_SIGNED", "TRADE_FINISHED"):
        return "unpaid"
    return "paid" if status in PAID or trade.get("pay_time") else "unpaid"


def _fulfilment(trade: Json, status: str, orders: list[Json]) -> str:
    if status in ("TRADE_FINISHED", "TRADE_BUYER_SIGNED"):
        return "delivered"
    if status == "WAIT_BUYER_CONFIRM_GOODS":
        return "shipped"
    if status == "SELLER_CONSIGNED_PART":
        return "partially_shipped"
    if any(o.get("consign_time") for o in orders):
        waiting = any(not o.get("consign_time") and o["status"] != "TRADE_CLOSED_BY_TAOBAO" for o in orders)
        return "partially_shipped" if waiting else "shipped"
    return "shipped" if trade.get("consign_time") else "unshipped"


def _line(order: Json, trade: Json) -> Json:
    quantity, price, amount = whole(order["num"]), money(order["price"]), _amount(order, trade)
    refund = order.get("refund_status") or ""
    line = {
        "line_no": text(order["oid"]),
        "quantity": quantity,
        "unit_price": price,
        "discount": cents(price * quantity - amount),
        "amount": amount,
        "tax": money(order["sub_order_tax_fee"]) if order.get("sub_order_tax_fee") else Decimal(0),
        "shipped_quantity": quantity if order.get("consign_time") or order["status"] in SHIPPED else 0,
        "gift": order.get("is_free_gift", False),
        **filled(order, LINE),
    }
    if sku := order.get("outer_sku_id") or order.get("outer_iid"):
        line["sku"] = text(sku)
    if order.get("num_iid"):
        line["item_id"] = text(order["num_iid"])
    if order.get("sku_id") not in (None, "", "0", 0):
        line["variant_id"] = text(order["sku_id"])
    if refund != "SUCCESS":
        line["refund"], line["refunded_amount"] = LINE_REFUNDS[refund], Decimal(0)
    elif order["status"] == "TRADE_CLOSED":
        line["refund"], line["refunded_amount"] = "refunded", amount
    else:
        line["refund"] = "partially_refunded"
    if len(order.get("delivery_time") or "") == 19:
        line["ship_by"] = beijing(order["delivery_time"])
    extra = filled(order, (("carrier_name", "logistics_company"), ("tracking_no", "invoice_no")))
    if order.get("bind_oids"):
        extra["ship_together_with"] = words(order["bind_oids"])
    if extra:
        line["extra"] = extra
    return line


def _amount(order: Json, trade: Json) -> Decimal:
    if order.get("divide_order_fee"):
        return money(order["divide_order_fee"])
    if order.get("total_fee"):
        return money(order["total_fee"]) - money(order.get("part_mjz_discount") or "0.00")
    return money(trade["payment"]) - money(trade["post_fee"])


def _totals(trade: Json, payment: str, lines: list[Json]) -> Json:
    payable = money(trade["payment"])
    goods = discount = NOTHING
    for line in lines:
        goods += line["unit_price"] * line["quantity"]
        discount += line["discount"]
    totals = {
        "goods": cents(goods),
        "discount": cents(discount),
        "shipping": money(trade["post_fee"]),
        "tax": money(trade["order_tax_fee"]) if trade.get("order_tax_fee") else Decimal(0),
        "other": Decimal(0),
        "payable": payable,
    }
    if payment == "unpaid":
        totals["paid"] = Decimal(0)
    elif payment == "deposit_paid":
        totals["paid"] = money(trade["step_paid_fee"])
    else:
        totals["paid"] = payable
    if payment in ("unpaid", "deposit_paid"):
        totals["refunded"] = Decimal(0)
    elif payment == "refunded":
        totals["refunded"] = totals["paid"]
    elif not any(line["refund"] == "partially_refunded" for line in lines):
        totals["refunded"] = cents(sum((line["refunded_amount"] for line in lines), NOTHING))
    return totals


def _people(trade: Json, document: Json) -> None:
    buyer = filled(trade, (("id", "buyer_open_uid"), ("nickname", "buyer_nick")))
    if (trade.get("buyer_email") or "").strip():
        buyer["email"] = text(trade["buyer_email"])
    if buyer:
        document["buyer"] = buyer
    if any(map(trade.get, ADDRESS)):
        country = trade.get("receiver_country")
        receiver = filled(trade, RECEIVER)
        if trade.get("receiver_name"):
            receiver["name"] = text(trade["receiver_name"])
        if phone := trade.get("receiver_mobile") or trade.get("receiver_phone"):
            receiver["phone"] = text(phone)
        receiver["country"] = text(country) if country and country != "中国" else "CN"
        if trade.get("receiver_zip") not in NO_POSTCODE:
            receiver["postcode"] = text(trade["receiver_zip"])
        shown = ("receiver_name", "receiver_mobile", "receiver_phone", "receiver_address")
        receiver["masked"] = any("*" in (trade.get(name) or "") for name in shown)
        if trade.get("oaid"):
            receiver["token"] = text(trade["oaid"])
        document["receiver"] = receiver
    if trade.get("invoice_name"):
        document["invoice"] = filled(trade, (("title", "invoice_name"), ("tax_no", "buyer_tax_no")))
        if kind := trade.get("invoice_kind") or trade.get("invoice_type"):
            document["invoice"]["kind"] = text(kind)


def _paid(trade: Json, totals: Json) -> Json:
    payment = {"amount": totals["paid"]}
    if trade.get("alipay_no"):
        payment["method"], payment["reference"] = "alipay", text(trade["alipay_no"])
    if trade.get("pay_time"):
        payment["paid_at"] = beijing(trade["pay_time"])
    return payment


def _presale(trade: Json, step: str | None, document: Json) -> None:
    presale = {}
    if details := (trade.get("step_pay_details") or {}).get("step_pay_detail"):
        first: Json = next((d for d in details if text(d["step_no"]) == "1"), {})
        if first.get("step_actual_pay_fee"):
            presale["deposit"] = money(first["step_actual_pay_fee"])
    elif step in ("FRONT_PAID_FINAL_NOPAID", "FRONT_PAID_FRONT_FORFEITED"):
        presale["deposit"] = money(trade["step_paid_fee"])
    if step == "FRONT_PAID_FINAL_NOPAID":
        presale["balance"] = money(trade["payment"]) - money(trade["step_paid_fee"])
    if presale:
        document["presale"] = presale


def _extra(trade: Json, step: str | None) -> Json:
    extra = {"trade_type": trade["type"]}
    if step:
        extra["step"] = STEPS[step]
    if trade.get("seller_flag") is not None:
        extra["seller_flag"] = whole(trade["seller_flag"])
    if trade.get("rx_audit_status"):
        extra["prescription"] = text(trade["rx_audit_status"])
    return extra


def _holds(trade: Json, status: str, step: str | None, orders: list[Json], alive: list[Json]) -> list[Json]:
    holds = []
    grouped = yes(trade.get("team_buy_hold")) or yes(trade.get("share_group_hold"))
    if status in SHIPPABLE:
        if trade.get("shipping_type") != "virtual" and not any(map(trade.get, ADDRESS)):
            holds.append({"code": "address_missing", "word": "receiver_address"})
        if grouped:
            holds.append({"code": "group_incomplete", "word": "team_buy_hold"})
        word = next((name for name in ("top_hold", "forbid_consign", "ofp_hold") if yes(trade.get(name))), None)
        if word:
            holds.append({"code": "platform_hold", "word": word})
    elif status == "PAID_FORBID_CONSIGN":
        holds.append({"code": "group_incomplete" if grouped else "platform_hold", "word": status})
    if step == "FRONT_PAID_FINAL_NOPAID" and not status.startswith("TRADE_CLOSED"):
        holds.append({"code": "balance_due", "word": step})
    under_way = next((o["refund_status"] for o in orders if o.get("refund_status") in UNDER_WAY), None)
    if under_way and not any(o.get("refund_status") in SHIPS_ALL_THE_SAME for o in alive):
        holds.append({"code": "refund_in_progress", "word": under_way})
    if (yes(trade.get("is_force_wlb")) and yes(trade.get("is_brand_sale"))) or all(
        yes(o.get("is_force_dc")) for o in orders
    ):
        holds.append({"code": "platform_fulfilled", "word": "is_force_wlb"})
    return holds
