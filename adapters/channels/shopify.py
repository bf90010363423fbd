"""Shopify: orders and refunds through the GraphQL Admin API (its queries: shopify.graphql), and webhooks.

Pull: orders by updated_at behind a cursor, which is a place and not a page: rows that change meanwhile move nothing. A
refund changes its order, so refunds are read out of the orders of the window.

GraphQL's answers are put into REST's words, which webhooks speak. What JMESPath cannot join is laid together here:
refund rows beside their lines, and the shares of a discount beside the discount.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import httpx
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from adapters import signing
from adapters.graphql import TOO_DEAR, Dialect, GraphQL, Operations, answer_of, check, refusal
from adapters.port import Capability, Credentials, Envelope, Hint, Page, Receipt, Reply, Talk, Window
from adapters.wire_json import number, objects, text, typed
from canonical import parse_json
from canonical.errors import HubError, NotAuthorised, NotUnderstood, Refusal, Refused, SignatureRejected, Unavailable

ANSWERS: dict[str, type[Refusal]] = {
    **dict.fromkeys(["408", "429", "THROTTLED", "INTERNAL_SERVER_ERROR", "TIMEOUT"], Unavailable),
    **dict.fromkeys(["401", "402", "403", "423", "430", "ACCESS_DENIED", "SHOP_INACTIVE"], NotAuthorised),
    **dict.fromkeys(["400", "404", "406", "422", "MAX_COST_EXCEEDED", "BAD_REQUEST"], Refused),
}
"""HTTP statuses and GraphQL's extensions.code."""
WORDS = {"exceeded": "429", "throttled": "429", "scope": "403", "access token": "401", "api key": "401"}
"""The status that REST errors without one must have had: by what their text contains."""
FETCHED = ("order_transactions/", "fulfillments/", "returns/", "orders/risk", "orders/edited")
SILENT = ("orders/delete", "customers/", "shop/", "app/")
SHAPES = (
    "Known are REST's order, orders, refund and refunds, bare or under that name, GraphQL's orders, order, node and "
    "refund, and the webhooks orders/* and refunds/create."
)
GID = "gid://shopify/"
RENAMED = (
    "display_financial_status=financial_status display_fulfillment_status=fulfillment_status currency_code=currency "
    "presentment_currency_code=presentment_currency original_unit_price_set=price_set original_price_set=price_set "
    "allocated_amount_set=amount_set unfulfilled_quantity=fulfillable_quantity is_gift_card=gift_card "
    "country_code_v2=country_code display_status=shipment_status"
)
LOWER = "financial_status fulfillment_status shipment_status status kind restock_type cancel_reason"
GRAPHQL = Dialect(GID, dict(pair.split("=") for pair in RENAMED.split()), frozenset(LOWER.split()))
OPERATIONS = Operations(Path(__file__).with_suffix(".graphql"))
LONG = {"lineItems": "MoreLines", "refundLineItems": "MoreRefunded"}
AN_ORDER = {"financial_status", "total_price", "total_price_set", "order_number"}
CONTAINERS = ("order", "orders", "refund", "refunds", "node", "nodes")


class ShopifyShop(BaseModel):
    """The shop, the app's token and secrets."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    shop: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$", description="Domain of the shop: example.myshopify.com.")
    access_token: SecretStr = Field(description="Admin API access token of the app in this shop.")
    client_secret: SecretStr = Field(min_length=1, description="The app's client secret. Proves webhooks.")
    old_client_secret: SecretStr | None = Field(None, description="The one before, while it is being replaced.")
    client_id: str = Field("", description="The app's client id; only to renew expiring tokens.")
    refresh_token: SecretStr | None = Field(None, description="Renews an expiring access_token; both change.")
    api_version: str = Field("2026-07", pattern=r"^(\d{4}-\d\d|unstable)$", description="Version of the Admin API.")
    gateway: str = Field("", pattern="^(https?://.*)?$", description="Address of the admin, if not https://<shop>.")
    page_size: int = Field(5, ge=1, le=250, description="Orders a query; fewer where they cost too much.")
    fetch_after_push: bool = Field(False, description="Fetch the order that a webhook tells of: REST shows no holds.")
    location_id: str = Field("", description="Number of the location whose stock is told.")
    carriers: dict[str, str] = Field({}, description="Shopify's name for a carrier code of the hub, if it differs.")


class Shopify:
    """One Shopify shop."""

    title: ClassVar[str] = "Shopify"
    kinds: ClassVar[tuple[str, ...]] = ("order", "refund")
    capabilities: ClassVar[frozenset[Capability]] = frozenset(Capability)
    Settings: ClassVar[type[BaseModel]] = ShopifyShop

    def __init__(self, settings: ShopifyShop) -> None:
        self.settings = settings
        self._admin = f"{settings.gateway.rstrip('/') or 'https://' + settings.shop}/admin"
        url, token = f"{self._admin}/api/{settings.api_version}/graphql.json", settings.access_token.get_secret_value()
        self._api = GraphQL(url, {"X-Shopify-Access-Token": token}, OPERATIONS, ANSWERS, LONG)

    def verify(self, headers: Mapping[str, str], raw: bytes, now: datetime) -> None:
        """Base64 HMAC-SHA256 over the raw body, with the secret or the one before it. There is no time in it."""
        given, both = told(headers, "hmac-sha256"), (self.settings.client_secret, self.settings.old_client_secret)
        expected = [signing.hmac_base64(s.get_secret_value(), raw) for s in both if s and s.get_secret_value()]
        matching = [signing.same(given, one) for one in expected]  # all of them, whichever fits
        if not raw or not any(matching):
            hint = "Check client_secret. Test notifications of the admin are signed with another secret."
            raise SignatureRejected("X-Shopify-Hmac-Sha256 is missing or does not match the body", hint=hint)

    def unpack(self, headers: Mapping[str, str], raw: bytes, now: datetime) -> Iterator[Envelope | Hint]:
        """The topic decides. One event may come for several subscriptions and topics: each is a message of its own."""
        topic, event, body = told(headers, "topic"), told(headers, "event-id"), parse_json(raw)
        mark = f"{topic}:{event}:{told(headers, 'name')}" if event else told(headers, "webhook-id")
        if topic.startswith(FETCHED) and "line_items" not in typed(body, dict):
            about = typed(typed(body, dict).get("order_edit") or typed(body, dict).get("order") or body, dict)
            yield Hint("order", text(about.get("order_id") or about.get("id")), mark, body)
        elif topic and not topic.startswith(("orders/", "refunds/", *SILENT)):
            raise NotUnderstood(
                f"the topic {topic} tells of no order", hint="Subscribe to orders/* and refunds/create."
            )
        elif not topic.startswith(SILENT):
            for found in records(body):
                hint = Hint(found.kind, found.key, mark, found.body)
                yield hint if self.settings.fetch_after_push else replace(found, message_id=mark)

    def acknowledge(self, error: HubError | None) -> Reply:
        """Any 2xx within five seconds; everything else comes again, eight times in four hours."""
        rejected = isinstance(error, SignatureRejected)
        return Reply(200 if error is None else 401 if rejected else 503 if error.retryable else 400)

    def read(self, body: Any, kind: str | None = None) -> Iterator[Envelope | Hint]:
        """Everything that SHAPES names; `str` and `bytes` are parsed. Refunds inside of orders are asked for apart."""
        raw = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body
        data = parse_json(raw) if isinstance(raw, bytes) else raw
        return (record for record in records(data, kind) if kind in (None, record.kind))

    def pull(self, kind: str, window: Window, cursor: str | None, now: datetime) -> Talk[Page]:
        """Orders by updated_at. The cursor is "orders a query:Shopify's cursor"; too dear, they are halved."""
        first, _, after = (cursor or f"{self.settings.page_size}:").partition(":")
        span = f"updated_at:>='{window.start:%Y-%m-%dT%H:%M:%SZ}' AND updated_at:<'{window.end:%Y-%m-%dT%H:%M:%SZ}'"
        asked = {"first": int(first), "after": after or None, "query": span}
        try:
            data = yield from self._api.ask("Orders" if kind == "order" else "Refunds", asked, now)
        except Refused as error:
            if error.code != TOO_DEAR or first == "1":
                raise
            return (yield from self.pull(kind, window, f"{int(first) // 2}:{after}", now))
        page = typed(data.get("orders"), dict)
        for node in objects(page.get("nodes")):
            yield from self._api.complete(node, now)
        found = [record for record in records({"data": data}, kind) if record.kind == kind]
        info = typed(page.get("pageInfo"), dict)
        more = info.get("hasNextPage") is True and page.get("nodes") and text(info.get("endCursor"))
        return Page(found, f"{first}:{more}" if more else None)

    def fetch(self, kind: str, key: str, now: datetime) -> Talk[Envelope]:
        """order(id), or node(id) of a refund."""
        name, gid = ("OneOrder", f"{GID}Order/{key}") if kind == "order" else ("OneRefund", f"{GID}Refund/{key}")
        data = yield from self._api.ask(name, {"id": gid}, now)
        if not (node := typed(data.get("order") or data.get("node"), dict)):
            hint = "Orders older than 60 days need the scope read_all_orders."
            raise Refused(f"there is no {kind} {key}", code="wire.no_such_record", hint=hint)
        yield from self._api.complete(node, now)
        return an_order(GRAPHQL.rest(node)) if kind == "order" else a_refund(GRAPHQL.rest(node))

    def refresh(self, now: datetime) -> Talk[Credentials | None]:
        """Expiring offline tokens: /admin/oauth/access_token. None where the token does not expire."""
        if self.settings.refresh_token is None:
            return None
        own = {"client_id": self.settings.client_id, "client_secret": self.settings.client_secret.get_secret_value()}
        sent = {**own, "grant_type": "refresh_token", "refresh_token": self.settings.refresh_token.get_secret_value()}
        fresh = answer_of((yield httpx.Request("POST", f"{self._admin}/oauth/access_token", json=sent)), now, ANSWERS)
        tokens = {name: text(fresh[name]) for name in ("access_token", "refresh_token") if text(fresh.get(name))}
        if "access_token" not in tokens:
            raise NotAuthorised("Shopify gave no new token", hint="Install the app in the shop again.")
        seconds = min(number(fresh.get("expires_in")), 10**9)
        return Credentials(tokens, now + timedelta(seconds=seconds) if seconds else None)

    def tell(self, change: Mapping[str, Any], now: datetime) -> Talk[Receipt]:
        """A shipment: fulfillmentCreate, for what may be fulfilled. Stock, absolute: inventorySetQuantities."""
        if str(change["schema"]).startswith("stock/"):
            return (yield from self._stock(change, now))
        label, carrier = str(change.get("tracking_no") or ""), str(change.get("carrier") or "")
        data = yield from self._api.ask("ToShip", {"id": f"{GID}Order/{change['order_no']}"}, now)
        order = typed(GRAPHQL.rest(data.get("order")), dict)
        if label and label in [t["number"] for f in order.get("fulfillments", []) for t in f["tracking_info"]]:
            return Receipt(label, already_there=True)
        parcels = to_fulfil(order, {str(n["line_no"]): int(n["quantity"]) for n in change.get("lines") or []})
        if not parcels:
            hint = "Shopify lets nothing of it be fulfilled: it is on hold, cancelled, done, or somebody else's."
            raise Refused(f"order {change['order_no']} has nothing to fulfil", hint=hint)
        tracking = {"number": label, "company": self.settings.carriers.get(carrier, carrier)}
        sent = {"lineItemsByFulfillmentOrder": parcels, "trackingInfo": tracking, "notifyCustomer": True}
        yield from self._api.ask("Ship", {"fulfillment": sent}, now)
        return Receipt(label)

    def _stock(self, change: Mapping[str, Any], now: datetime) -> Talk[Receipt]:
        sku, place = str(change["sku"]), (change.get("extra") or {}).get("location_id") or self.settings.location_id
        data = yield from self._api.ask("Item", {"query": f"sku:'{sku}'"}, now)
        items = [item["id"] for item in data["inventoryItems"]["nodes"] if item["sku"] == sku]
        if len(items) != 1 or not place:
            raise Refused(f"{len(items)} items have the sku {sku}", hint="One must have it; set location_id as well.")
        # Null as what it was before opts out of Shopify's comparison: the WMS knows the stock, Shopify is told.
        stock = {"inventoryItemId": items[0], "locationId": f"{GID}Location/{place}", "changeFromQuantity": None}
        quantities = [{**stock, "quantity": int(change["available"])}]
        sent = {"name": "available", "reason": "correction", "quantities": quantities}
        yield from self._api.ask("SetStock", {"input": sent, "key": f"{sku}:{place}:{change.get('revision')}"}, now)
        return Receipt(sku)


def to_fulfil(order: Mapping[str, Any], wanted: Mapping[str, int]) -> list[dict[str, Any]]:
    """What of an order may be fulfilled, as fulfillmentCreate takes it: the wanted lines, or all of them."""
    parcels = []
    for group in objects(order.get("fulfillment_orders")):
        may = {"action": "CREATE_FULFILLMENT"} in group["supported_actions"]
        left = {row["id"]: (row["line_item"]["id"], row["remaining_quantity"]) for row in group["line_items"] if may}
        counts = {key: min(count, wanted.get(line, 0)) if wanted else count for key, (line, count) in left.items()}
        rows = [{"id": f"{GID}FulfillmentOrderLineItem/{key}", "quantity": n} for key, n in counts.items() if n]
        gid = f"{GID}FulfillmentOrder/{group['id']}"
        parcels += [{"fulfillmentOrderId": gid, "fulfillmentOrderLineItems": rows}] if rows else []
    return parcels


def records(body: Any, kind: str | None = None) -> Iterator[Envelope]:
    """Records inside of anything that Shopify answers or pushes."""
    if isinstance(body, list):
        for item in body:
            yield from records(item, kind)
    elif not isinstance(body, dict):
        raise NotUnderstood(f"expected a JSON object, found {type(body).__name__}", hint=SHAPES)
    elif isinstance(status := body.get("status"), int) and "body" in body:  # an answer that was kept with its status
        if status >= 400:
            wait = number(typed(body.get("headers"), dict).get("Retry-After")) or None
            raise refusal(str(status), ANSWERS, {"answer": body["body"]}, wait)
        yield from records(body["body"], kind)
    elif body.keys() & {"errors", "error", "data"} and "id" not in body:
        check(body, ANSWERS, next((status for word, status in WORDS.items() if word in str(body).lower()), ""))
        yield from records(GRAPHQL.rest(body.get("data")), kind)
    elif any(name != name.lower() for name in body):
        yield from records(GRAPHQL.rest(body), kind)
    elif "refund_line_items" in body or ("total_refunded_set" in body and not body.keys() & AN_ORDER):
        yield a_refund(body)
    elif "line_items" in body and body.keys() & AN_ORDER:
        yield from of_an_order(body, kind)
    else:
        yield from contained(body, kind)


def contained(body: dict[str, Any], kind: str | None) -> Iterator[Envelope]:
    """What lies in a container of REST, or in the data of GraphQL."""
    if not (name := next((n for n in CONTAINERS if isinstance(body.get(n), dict | list)), "")):
        what = text(body.get("admin_graphql_api_id")).removeprefix(GID).partition("/")[0] or ", ".join(sorted(body)[:3])
        raise NotUnderstood(f"neither an order nor a refund: {what or 'an empty object'}", hint=SHAPES)
    value = GRAPHQL.rest(body[name])
    for item in value if isinstance(value, list) else [value]:
        if not isinstance(item, dict):
            raise NotUnderstood(f"{name} holds {type(item).__name__}", hint=SHAPES)
        if name.startswith("refund") or "refund_line_items" in item:
            yield a_refund(item)
        else:
            yield from of_an_order(item, kind)


def of_an_order(order: dict[str, Any], kind: str | None) -> Iterator[Envelope]:
    """The order, or for kind "refund" the refunds inside of it."""
    if kind != "refund":
        yield an_order(order)
        return
    for refund in objects(order.get("refunds")):
        yield a_refund({"order": {name: order.get(name) for name in ("id", "currency")}, **refund})


def a_refund(body: dict[str, Any]) -> Envelope:
    """One refund. Raises NotUnderstood for what refunds/calculate answers: a refund that was not made."""
    if not (key := text(body.get("id"))):
        raise NotUnderstood("a refund without an id: a calculation, or a part of one", hint=SHAPES)
    order = text(body.get("order_id")) or text(typed(body.get("order"), dict).get("id"))
    changed = body.get("updated_at") or body.get("processed_at") or body.get("created_at")
    return Envelope("refund", key, body, text(changed), order)


def an_order(order: dict[str, Any]) -> Envelope:
    """One order, with what lies in several of its places laid together: see mappings/channels/shopify/order.toml."""
    rows: dict[str, list[Any]] = {}
    shares: dict[Any, list[Any]] = {}
    lines: list[dict[str, Any]] = []
    for refund in objects(order.get("refunds")):
        # Without a transaction no money moved: lines were taken out of the order.
        for row in objects(refund.get("refund_line_items")) if refund.get("transactions") else []:
            line_no = text(row.get("line_item_id")) or text(typed(row.get("line_item"), dict).get("id"))
            rows.setdefault(line_no, []).append({**row, "line_item": None, "transactions": refund["transactions"]})
    for line in objects(order.get("line_items")):
        refunded, kept, left = rows.get(text(line.get("id")), []), line.get("quantity"), line.get("current_quantity")
        if isinstance(kept, int) and isinstance(left, int) and not order.get("cancelled_at"):
            kept = min(kept, left + sum(typed(row.get("quantity"), int) for row in refunded))
        lines.append({**line, "refund_line_items": refunded, "kept_quantity": kept})
    parts = [*lines, *objects(order.get("shipping_lines"))]
    for share in [share for part in parts for share in objects(part.get("discount_allocations"))]:
        place = share.get("discount_application_index", typed(share.get("discount_application"), dict).get("index"))
        shares.setdefault(str(place), []).append(share)
    discounts = objects(order.get("discount_applications"))
    discounts = [{**one, "shares": shares.get(str(n), [])} for n, one in enumerate(discounts)]
    taken_out = any(line["kept_quantity"] != line.get("quantity") for line in lines)
    body = {**order, "line_items": lines, "discount_applications": discounts, "lines_taken_out": taken_out}
    return Envelope("order", text(order.get("id")), body, text(order.get("updated_at")), text(order.get("id")))


def told(headers: Mapping[str, str], name: str) -> str:
    """A header of a webhook, which bears the prefix of old or of new webhooks."""
    return (headers.get(f"x-shopify-{name}") or headers.get(f"shopify-{name}") or "").strip()


ADAPTER = Shopify
