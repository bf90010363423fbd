"""The same order as Shopify's GraphQL shows it, made from the REST resource: other names, upper-case words, gids."""

from collections.abc import Mapping
from typing import Any

from adapters.sandbox.graphql import connection

_FULFILMENT = {
    None: "UNFULFILLED",
    "partial": "PARTIALLY_FULFILLED",
    "fulfilled": "FULFILLED",
    "restocked": "RESTOCKED",
}


def order_node(order: Mapping[str, Any]) -> dict[str, Any]:
    """The Order object; amounts are MoneyBags in the shop's and the buyer's currency."""
    lines = [_line(order, row) for row in order["line_items"]]
    refunds = [refund_node(r, order) for r in order["refunds"]]
    transactions = _sale(order) + [_transaction(t) for r in order["refunds"] for t in r["transactions"]]
    return {
        "__typename": "Order",
        "id": order["admin_graphql_api_id"],
        "legacyResourceId": str(order["id"]),
        "name": order["name"],
        "number": order["order_number"],
        "createdAt": order["created_at"],
        "updatedAt": order["updated_at"],
        "processedAt": order["processed_at"],
        "closedAt": order["closed_at"],
        "closed": order["closed_at"] is not None,
        "cancelledAt": order["cancelled_at"],
        "cancelReason": (order["cancel_reason"] or "").upper() or None,
        "confirmed": order["confirmed"],
        "test": order["test"],
        "edited": order["updated_at"] != order["created_at"],
        "currencyCode": order["currency"],
        "presentmentCurrencyCode": order["presentment_currency"],
        "displayFinancialStatus": order["financial_status"].upper(),
        "displayFulfillmentStatus": _FULFILMENT[order["fulfillment_status"]],
        "taxesIncluded": order["taxes_included"],
        "taxExempt": False,
        "sourceName": order["source_name"],
        "sourceIdentifier": None,
        "poNumber": None,
        "tags": [t.strip() for t in order["tags"].split(",") if t.strip()],
        "note": order["note"],
        "customAttributes": [{"key": a["name"], "value": a["value"]} for a in order["note_attributes"]],
        "email": order["email"],
        "phone": order["phone"],
        "paymentGatewayNames": order["payment_gateway_names"],
        "totalWeight": "0",
        "returnStatus": "NO_RETURN",
        **_sums(order),
        "customer": _customer(order["customer"]),
        "shippingAddress": _address(order["shipping_address"]),
        "billingAddress": _address(order["billing_address"]),
        "discountCode": next((c["code"] for c in order["discount_codes"]), None),
        "discountCodes": [c["code"] for c in order["discount_codes"]],
        "discountApplications": connection([_application(a, order) for a in order["discount_applications"]]),
        "taxLines": [_tax(t) for t in order["tax_lines"]],
        "lineItems": connection(lines),
        "shippingLine": next((_shipping(s) for s in order["shipping_lines"]), None),
        "shippingLines": connection([_shipping(s) for s in order["shipping_lines"]]),
        "fulfillments": [_fulfillment(f) for f in order["fulfillments"]],
        "refunds": refunds,
        "transactions": transactions,
        "fulfillmentOrders": connection([_fulfillment_order(order)]),
    }


def refund_node(refund: Mapping[str, Any], order: Mapping[str, Any]) -> dict[str, Any]:
    """The Refund object. Amounts are text here, whatever the REST resource has."""
    rows = [_refund_row(row, order) for row in refund["refund_line_items"]]
    transactions = [_transaction(t) for t in refund["transactions"]]
    money = next((t["amount_set"] for t in refund["transactions"]), None)
    return {
        "__typename": "Refund",
        "id": refund["admin_graphql_api_id"],
        "legacyResourceId": str(refund["id"]),
        "createdAt": refund["created_at"],
        "updatedAt": refund["created_at"],
        "processedAt": refund["processed_at"],
        "note": refund["note"],
        "totalRefundedSet": _bag(money) if money else None,
        "refundLineItems": connection(rows),
        "refundShippingLines": connection([]),
        "orderAdjustments": connection([]),
        "transactions": connection(transactions),
        "duties": [],
        "return": None,
        "order": {
            "__typename": "Order",
            "id": order["admin_graphql_api_id"],
            "name": order["name"],
            "updatedAt": order["updated_at"],
            "currencyCode": order["currency"],
        },
    }


def _sums(order: Mapping[str, Any]) -> dict[str, Any]:
    gone = [t["amount_set"] for r in order["refunds"] for t in r["transactions"]]
    unpaid = order["financial_status"] in ("pending", "authorized", "voided")
    total = order["total_price_set"]
    return {
        "totalPriceSet": _bag(total),
        "originalTotalPriceSet": _bag(total),
        "currentTotalPriceSet": _bag(order["current_total_price_set"]),
        "subtotalPriceSet": _bag(order["subtotal_price_set"]),
        "currentSubtotalPriceSet": _bag(order["subtotal_price_set"]),
        "totalDiscountsSet": _bag(order["total_discounts_set"]),
        "currentTotalDiscountsSet": _bag(order["total_discounts_set"]),
        "totalShippingPriceSet": _bag(order["total_shipping_price_set"]),
        "currentShippingPriceSet": _bag(order["total_shipping_price_set"]),
        "totalTaxSet": _bag(order["total_tax_set"]),
        "currentTotalTaxSet": _bag(order["total_tax_set"]),
        "totalTipReceivedSet": _bag(_none(total)),
        "totalReceivedSet": _bag(_none(total) if unpaid else total),
        "totalOutstandingSet": _bag(total if unpaid else _none(total)),
        "totalCapturableSet": _bag(total if order["financial_status"] == "authorized" else _none(total)),
        "totalRefundedSet": _bag(_added(gone) if gone else _none(total)),
        "totalRefundedShippingSet": _bag(_none(total)),
        "netPaymentSet": _bag(total),
        "originalTotalDutiesSet": None,
        "currentTotalDutiesSet": None,
        "originalTotalAdditionalFeesSet": None,
        "currentTotalAdditionalFeesSet": None,
    }


def _line(order: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
    applications = order["discount_applications"]
    return {
        "__typename": "LineItem",
        "id": row["admin_graphql_api_id"],
        "title": row["title"],
        "variantTitle": row["variant_title"],
        "name": row["name"],
        "sku": row["sku"],
        "quantity": row["quantity"],
        "currentQuantity": row["current_quantity"],
        "unfulfilledQuantity": row["fulfillable_quantity"],
        "fulfillableQuantity": row["fulfillable_quantity"],
        "nonFulfillableQuantity": 0,
        "refundableQuantity": row["current_quantity"],
        "fulfillmentStatus": row["fulfillment_status"] or "unfulfilled",
        "originalUnitPriceSet": _bag(row["price_set"]),
        "discountedUnitPriceSet": _bag(row["price_set"]),
        "totalDiscountSet": _bag(_none(row["price_set"])),
        "discountAllocations": [
            {
                "allocatedAmountSet": _bag(a["amount_set"]),
                "discountApplication": _application(applications[a["discount_application_index"]], order),
            }
            for a in row["discount_allocations"]
        ],
        "taxLines": [_tax(t) for t in row["tax_lines"]],
        "taxable": row["taxable"],
        "requiresShipping": row["requires_shipping"],
        "isGiftCard": row["gift_card"],
        "customAttributes": [],
        "vendor": row["vendor"],
        "product": {"id": f"gid://shopify/Product/{row['product_id']}", "legacyResourceId": str(row["product_id"])},
        "variant": {
            "id": f"gid://shopify/ProductVariant/{row['variant_id']}",
            "legacyResourceId": str(row["variant_id"]),
        },
    }


def _refund_row(row: Mapping[str, Any], order: Mapping[str, Any]) -> dict[str, Any]:
    line = next(x for x in order["line_items"] if x["id"] == row["line_item_id"])
    return {
        "id": f"gid://shopify/RefundLineItem/{row['id']}",
        "quantity": row["quantity"],
        "restockType": row["restock_type"].upper(),
        "restocked": row["restock_type"] != "no_restock",
        "subtotalSet": _bag(row["subtotal_set"]),
        "totalTaxSet": _bag(row["total_tax_set"]),
        "priceSet": _bag(line["price_set"]),
        "lineItem": _line(order, line),
    }


def _transaction(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "__typename": "OrderTransaction",
        "id": f"gid://shopify/OrderTransaction/{row['id']}",
        "kind": row["kind"].upper(),
        "status": row["status"].upper(),
        "gateway": row["gateway"],
        "formattedGateway": row["gateway"],
        "amountSet": _bag(row["amount_set"]),
        "createdAt": row["created_at"],
        "processedAt": row["processed_at"],
        "test": row["test"],
        "authorizationCode": None,
        "paymentId": None,
        "parentTransaction": None,
    }


def _sale(order: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What was paid: one sale, or one authorisation while nothing is captured."""
    if order["financial_status"] == "pending":
        return []
    kind = "authorization" if order["financial_status"] in ("authorized", "voided") else "sale"
    row = {"id": order["id"] + 5, "kind": kind, "status": "success", "gateway": "bogus", "test": False}
    times = {"created_at": order["created_at"], "processed_at": order["processed_at"]}
    return [_transaction(row | times | {"amount_set": order["total_price_set"]})]


def _application(row: Mapping[str, Any], order: Mapping[str, Any]) -> dict[str, Any]:
    code = row["type"] == "discount_code"
    value = {"__typename": "MoneyV2", "amount": row["value"], "currencyCode": order["currency"]}
    return {
        "__typename": "DiscountCodeApplication" if code else "AutomaticDiscountApplication",
        "code": row.get("code"),
        "title": row.get("title"),
        "index": order["discount_applications"].index(row),
        "allocationMethod": row["allocation_method"].upper(),
        "targetSelection": row["target_selection"].upper(),
        "targetType": row["target_type"].upper(),
        "value": value,
    }


def _shipping(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": f"gid://shopify/ShippingLine/{row['id']}",
        "title": row["title"],
        "code": row["code"],
        "source": "shopify",
        "carrierIdentifier": None,
        "originalPriceSet": _bag(row["price_set"]),
        "discountedPriceSet": _bag(row["discounted_price_set"]),
        "discountAllocations": [],
        "taxLines": [],
        "isRemoved": False,
    }


def _fulfillment(row: Mapping[str, Any]) -> dict[str, Any]:
    tracking = {"company": row["tracking_company"], "number": row["tracking_number"], "url": None}
    return {
        "id": f"gid://shopify/Fulfillment/{row['id']}",
        "legacyResourceId": str(row["id"]),
        "name": row["name"],
        "status": row["status"].upper(),
        "displayStatus": "FULFILLED",
        "createdAt": row["created_at"],
        "updatedAt": row["updated_at"],
        "deliveredAt": None,
        "inTransitAt": None,
        "estimatedDeliveryAt": None,
        "trackingInfo": [tracking],
    }


def _fulfillment_order(order: Mapping[str, Any]) -> dict[str, Any]:
    done = order["fulfillment_status"] == "fulfilled"
    return {
        "id": f"gid://shopify/FulfillmentOrder/{order['id'] + 3}",
        "status": "CLOSED" if done else "OPEN",
        "requestStatus": "UNSUBMITTED",
        "fulfillBy": None,
        "fulfillmentHolds": [],
        "supportedActions": [] if done else [{"action": "CREATE_FULFILLMENT"}],
        "assignedLocation": {"name": "Main", "location": {"id": "gid://shopify/Location/1"}},
    }


def _customer(row: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if row is None:
        return None
    return {
        "id": f"gid://shopify/Customer/{row['id']}",
        "legacyResourceId": str(row["id"]),
        "email": row["email"],
        "defaultEmailAddress": {"emailAddress": row["email"]},
        "displayName": f"{row['first_name']} {row['last_name']}",
        "firstName": row["first_name"],
        "lastName": row["last_name"],
        "phone": None,
    }


def _address(row: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if row is None:
        return None
    names = {"first_name": "firstName", "last_name": "lastName", "province_code": "provinceCode"}
    names |= {"country_code": "countryCodeV2"}
    return {names.get(k, k): v for k, v in row.items()} | {"countryCode": row["country_code"]}


def _tax(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "title": row["title"],
        "rate": row["rate"],
        "ratePercentage": row["rate"] * 100,
        "priceSet": _bag(row["price_set"]),
    }


def _bag(row: Mapping[str, Any]) -> dict[str, Any]:
    """{"shop_money": ...} as shopMoney; amounts lose their last zero, as there: "12.5"."""
    return {
        name: {"amount": _short(row[old]["amount"]), "currencyCode": row[old]["currency_code"]}
        for name, old in (("shopMoney", "shop_money"), ("presentmentMoney", "presentment_money"))
    }


def _short(amount: str) -> str:
    return amount[:-1] if amount.endswith("0") else amount


def _none(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: {**money, "amount": "0.00"} for name, money in row.items()}


def _added(rows: list[Mapping[str, Any]]) -> dict[str, Any]:
    """The sum of several amounts, in both currencies."""
    total = {}
    for name, money in rows[0].items():
        cents = sum(int(row[name]["amount"].replace(".", "")) for row in rows)
        total[name] = {**money, "amount": f"{cents // 100}.{cents % 100:02d}"}
    return total
