"""Shopify: orders and refunds through the GraphQL Admin API (its queries: shopify.graphql), and webhooks.

Pull: orders by updated_at behind a cursor, which is a place and not a page: rows that change meanwhile move nothing. A
refund changes its order, so refunds are read out of the orders of the window. Queries cost points: one that is too big
for the shop is asked again for fewer orders; one that does not fit right now waits until the bucket has refilled.

GraphQL's answers are put into the words of REST, which webhooks speak: lists for connections, numbers for gids, snake_case.
What JMESPath cannot join is laid together here: refund rows beside their lines, shares of a discount beside it.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import httpx
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from adapters import signing
from adapters.answers import retry_after
from adapters.port import Capability, Credentials, Envelope, Hint, Page, Receipt, Reply, Talk, Window
from canonical import parse_json
from canonical.errors import HubError, NotAuthorised, NotUnderstood, Refusal, Refused, SignatureRejected, Unavailable

T = TypeVar("T")
ANSWERS: dict[str, type[Refusal]] = {
    **dict.fromkeys(["408", "429", "THROTTLED", "INTERNAL_SERVER_ERROR", "TIMEOUT"], Unavailable),
    **dict.fromkeys(["401", "402", "403", "423", "430", "ACCESS_DENIED", "SHOP_INACTIVE"], NotAuthorised),
    **dict.fromkeys(["400", "404", "406", "422", "MAX_COST_EXCEEDED", "BAD_REQUEST"], Refused),
}
"""HTTP statuses and GraphQL's extensions.code. From 500 on an outage; what nobody told us of is refused."""
WORDS = {"exceeded": "429", "throttled": "429", "scope": "403", "access token": "401", "api key": "401"}
"""The status that REST errors without one must have had: by what their text contains."""
TOO_BIG = "wire.query_too_big"
FETCHED = ("order_transactions/", "fulfillments/", "returns/", "orders/risk", "orders/edited")
SILENT = ("orders/delete", "customers/", "shop/", "app/")
SHAPES = (
    "Known are REST's order, orders, refund and refunds (with or without that name around them), GraphQL pages of "
    "orders, one order, node or refund, and the webhooks orders/* and refunds/create."
)
GID = "gid://shopify/"
LONG = {"lineItems": "MoreLines", "refundLineItems": "MoreRefunded"}
PARTS = Path(__file__).with_suffix(".graphql").read_text(encoding="utf-8").split("\n\n")
ASKED = {found.group(1): part for part in PARTS if (found := re.match(r"(?:query|mutation|fragment) (\w+)", part))}


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
    page_size: int = Field(20, ge=1, le=250, description="Orders a query; fewer where they cost too much.")
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
        self._base = settings.gateway.rstrip("/") or f"https://{settings.shop}"

    def verify(self, headers: Mapping[str, str], raw: bytes, now: datetime) -> None:
        """Base64 HMAC-SHA256 over the raw body, with the secret or the one before it. There is no time in it."""
        given, both = told(headers, "hmac-sha256"), (self.settings.client_secret, self.settings.old_client_secret)
        expected = [signing.hmac_base64(s.get_secret_value(), raw) for s in both if s and s.get_secret_value()]
        if not raw or not any([signing.same(given, one) for one in expected]):
            hint = "Check client_secret. Test notifications sent from the admin are signed with another secret."
            raise SignatureRejected("X-Shopify-Hmac-Sha256 is missing or does not match the body", hint=hint)

    def unpack(self, headers: Mapping[str, str], raw: bytes, now: datetime) -> Iterator[Envelope | Hint]:
        """The topic decides. One event may come once for each subscription, and once for each topic."""
        topic, event = told(headers, "topic"), told(headers, "event-id")
        number = f"{topic}:{event}:{told(headers, 'name')}" if event else told(headers, "webhook-id")
        body = parse_json(raw)
        if topic.startswith(FETCHED) and isinstance(body, dict) and "line_items" not in body:
            about = typed(body.get("order_edit") or body.get("order") or body, dict)
            yield Hint("order", text(about.get("order_id") or about.get("id")), number, body)
        elif topic and not topic.startswith(("orders/", "refunds/", *SILENT)):
            raise NotUnderstood(f"the topic {topic} tells of no order", hint="Subscribe to orders/* and refunds/create.")
        elif not topic.startswith(SILENT):
            for found in records(body):
                thin = self.settings.fetch_after_push and isinstance(found, Envelope)
                hint = Hint(found.kind, found.key, number, found.body)
                yield hint if thin else replace(found, message_id=number)

    def acknowledge(self, error: HubError | None) -> Reply:
        """Any 2xx within five seconds; everything else comes again, eight times in four hours."""
        if error is None:
            return Reply(200)
        return Reply(401 if isinstance(error, SignatureRejected) else 503 if error.retryable else 400)

    def read(self, body: Any, kind: str | None = None) -> Iterator[Envelope | Hint]:
        """Everything that SHAPES names; `str` and `bytes` are parsed. The refunds inside of an order are given only
        for kind "refund": webhooks and the pull of refunds bring them."""
        raw = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body
        data = parse_json(raw) if isinstance(raw, bytes) else raw
        return (record for record in records(data, kind) if kind in (None, record.kind))

    def pull(self, kind: str, window: Window, cursor: str | None, now: datetime) -> Talk[Page]:
        """Orders by updated_at. The cursor is "orders a query:Shopify's cursor"."""
        first, _, after = (cursor or f"{self.settings.page_size}:").partition(":")
        size, data, name = int(first), None, "Orders" if kind == "order" else "Refunds"
        span = f"updated_at:>='{window.start:%Y-%m-%dT%H:%M:%SZ}' AND updated_at:<'{window.end:%Y-%m-%dT%H:%M:%SZ}'"
        while data is None:
            try:
                data = yield from self._ask(name, {"first": size, "after": after or None, "query": span}, now)
            except Refused as error:
                if error.code != TOO_BIG or size == 1:
                    raise
                size //= 2
        page = typed(data.get("orders"), dict)
        for node in typed(page.get("nodes"), list):
            yield from self._complete(node, now)
        envelopes = [found for found in records({"data": data}, kind) if isinstance(found, Envelope)]
        info = typed(page.get("pageInfo"), dict)
        more = info.get("hasNextPage") is True and page["nodes"] and info.get("endCursor")
        return Page([e for e in envelopes if e.kind == kind], f"{size}:{info['endCursor']}" if more else None)

    def fetch(self, kind: str, key: str, now: datetime) -> Talk[Envelope]:
        """order(id), or node(id) of a refund."""
        name, gid = ("OneOrder", f"{GID}Order/{key}") if kind == "order" else ("OneRefund", f"{GID}Refund/{key}")
        data = yield from self._ask(name, {"id": gid}, now)
        yield from self._complete(data.get("order") or data.get("node"), now)
        for found in records({"data": data}) if data.get("order") or data.get("node") else []:
            if isinstance(found, Envelope) and found.kind == kind:
                return found
        hint = "Orders older than 60 days need the scope read_all_orders."
        raise Refused(f"there is no {kind} {key}", code="wire.no_such_record", hint=hint)

    def _complete(self, node: Any, now: datetime) -> Talk[None]:
        """Ask for the rows that did not fit: of the order's lines, of its refunds' rows."""
        for part in [node, *typed(typed(node, dict).get("refunds"), list)]:
            for name, query in LONG.items():
                rows = typed(typed(part, dict).get(name), dict)
                while (info := typed(rows.get("pageInfo"), dict)).get("hasNextPage") is True and info.get("endCursor"):
                    data = yield from self._ask(query, {"id": part.get("id"), "after": info["endCursor"]}, now)
                    more = typed(typed(data.get("node"), dict).get(name), dict)
                    rows["nodes"] = [*typed(rows.get("nodes"), list), *typed(more.get("nodes"), list)]
                    rows["pageInfo"] = more.get("pageInfo")

    def refresh(self, now: datetime) -> Talk[Credentials | None]:
        """Expiring offline tokens: /admin/oauth/access_token. None where the token does not expire."""
        if self.settings.refresh_token is None:
            return None
        own = {"client_id": self.settings.client_id, "client_secret": self.settings.client_secret.get_secret_value()}
        sent = {**own, "grant_type": "refresh_token", "refresh_token": self.settings.refresh_token.get_secret_value()}
        fresh = answer_of((yield httpx.Request("POST", f"{self._base}/admin/oauth/access_token", json=sent)), now)
        tokens = {name: text(fresh[name]) for name in ("access_token", "refresh_token") if text(fresh.get(name))}
        if "access_token" not in tokens:
            raise NotAuthorised("Shopify gave no new token", hint="Install the app in the shop again.")
        seconds = typed(fresh.get("expires_in"), int)
        return Credentials(tokens, now + timedelta(seconds=seconds) if 0 < seconds < 10**9 else None)

    def tell(self, change: Mapping[str, Any], now: datetime) -> Talk[Receipt]:
        """A shipment: fulfillmentCreate, for what may be fulfilled. Stock, absolute: inventorySetQuantities."""
        if str(change["schema"]).startswith("stock/"):
            return (yield from self._stock(change, now))
        number, carrier = str(change.get("tracking_no") or ""), str(change.get("carrier") or "")
        data = yield from self._ask("ToShip", {"id": f"{GID}Order/{change['order_no']}"}, now)
        order = typed(rest(data.get("order")), dict)
        if number and number in [t["number"] for f in order.get("fulfillments", []) for t in f["tracking_info"]]:
            return Receipt(number, already_there=True)
        parcels = to_fulfil(order, {str(n["line_no"]): int(n["quantity"]) for n in change.get("lines") or []})
        if not parcels:
            hint = "Shopify lets nothing of it be fulfilled: it is on hold, cancelled, done, or somebody else's."
            raise Refused(f"order {change['order_no']} has nothing to fulfil", hint=hint)
        tracking = {"number": number, "company": self.settings.carriers.get(carrier, carrier)}
        sent = {"lineItemsByFulfillmentOrder": parcels, "trackingInfo": tracking, "notifyCustomer": True}
        yield from self._ask("Ship", {"fulfillment": sent}, now)
        return Receipt(number)

    def _stock(self, change: Mapping[str, Any], now: datetime) -> Talk[Receipt]:
        sku, place = str(change["sku"]), (change.get("extra") or {}).get("location_id") or self.settings.location_id
        data = yield from self._ask("Item", {"query": f"sku:'{sku}'"}, now)
        items = [item["id"] for item in data["inventoryItems"]["nodes"] if item["sku"] == sku]
        if len(items) != 1 or not place:
            raise Refused(f"{len(items)} items have the sku {sku}", hint="One must have it; set location_id as well.")
        stock = {"inventoryItemId": items[0], "locationId": f"{GID}Location/{place}", "changeFromQuantity": None}
        quantities = [{**stock, "quantity": int(change["available"])}]
        sent = {"name": "available", "reason": "correction", "quantities": quantities}
        yield from self._ask("SetStock", {"input": sent, "key": f"{sku}:{place}:{change.get('revision')}"}, now)
        return Receipt(sku)

    def _ask(self, name: str, variables: Mapping[str, Any], now: datetime) -> Talk[dict[str, Any]]:
        """One operation of shopify.graphql with the fragments that it uses; the `data` of its answer."""
        names = [name]
        for known in names:
            names += [n for n in re.findall(r"\.\.\.(\w\w\w+)", ASKED[known]) if n not in names]
        url = f"{self._base}/admin/api/{self.settings.api_version}/graphql.json"
        sent = {"query": "\n".join(ASKED[known] for known in names), "variables": variables}
        token = {"X-Shopify-Access-Token": self.settings.access_token.get_secret_value()}
        data = answer_of((yield httpx.Request("POST", url, headers=token, json=sent)), now).get("data")
        if isinstance(data, dict):
            return data
        raise NotUnderstood(f"{name} was answered without data", hint=SHAPES)


def to_fulfil(order: Mapping[str, Any], wanted: Mapping[str, int]) -> list[dict[str, Any]]:
    """What of an order may be fulfilled, as fulfillmentCreate takes it: the wanted lines, or all of them."""
    parcels = []
    for group in order.get("fulfillment_orders", []):
        rows = []
        for row in group["line_items"] if {"action": "CREATE_FULFILLMENT"} in group["supported_actions"] else []:
            left = row["remaining_quantity"]
            if count := min(left, wanted.get(row["line_item"]["id"], 0)) if wanted else left:
                rows.append({"id": f"{GID}FulfillmentOrderLineItem/{row['id']}", "quantity": count})
        if rows:
            gid = f"{GID}FulfillmentOrder/{group['id']}"
            parcels.append({"fulfillmentOrderId": gid, "fulfillmentOrderLineItems": rows})
    return parcels


def answer_of(response: httpx.Response, now: datetime) -> dict[str, Any]:
    """The JSON of an answer. Raises what its status or its errors mean."""
    status, headers = response.status_code, {k.lower(): v for k, v in response.headers.items()}
    if not response.is_success:
        evidence = {"status": status, "answer": response.text[:1000]}
        raise refusal(str(status), evidence, retry_after(headers, now))
    body = parse_json(response.content)
    if not isinstance(body, dict):
        raise NotUnderstood("Shopify did not answer with an object", hint=SHAPES)
    check(body)
    return body


def check(body: Mapping[str, Any]) -> None:
    """Raise what the errors inside of an answer mean: REST's in five shapes, GraphQL's, a mutation's userErrors."""
    for result in typed(body.get("data"), dict).values():
        if faults := typed(result, dict).get("userErrors"):
            raise Refused("Shopify refuses the change", evidence={"userErrors": faults})
    if not (errors := body.get("errors") or body.get("error")):
        return
    first = typed(errors[0] if isinstance(errors, list) else None, dict)
    code = text(typed(first.get("extensions"), dict).get("code"))
    cost = typed(typed(body.get("extensions"), dict).get("cost"), dict)
    bucket, wanted = typed(cost.get("throttleStatus"), dict), number(cost.get("requestedQueryCost"))
    most, left, refill = (number(bucket.get(n)) for n in ("maximumAvailable", "currentlyAvailable", "restoreRate"))
    if code == "MAX_COST_EXCEEDED" or (code == "THROTTLED" and 0 < most < wanted):
        raise Refused("the query costs more than the shop ever has", code=TOO_BIG, evidence={"cost": cost})
    wait = max(0.0, wanted - left) / refill if code == "THROTTLED" and refill else None
    said = next((status for word, status in WORDS.items() if word in str(errors).lower()), "")
    raise refusal(code or said, {"errors": errors, **({"cost": cost} if cost else {})}, wait)


def refusal(code: str, evidence: Mapping[str, Any], wait: float | None = None) -> Refusal:
    """The error that a status or a code means."""
    means = ANSWERS.get(code) or (Unavailable if code.isdecimal() and int(code) >= 500 else Refused)
    if means is Unavailable:
        return Unavailable(f"Shopify: {code}", retry_after=wait, throttled=code in ("429", "THROTTLED"), evidence=evidence)
    return means(f"Shopify refuses: {code or 'see its answer'}", evidence=evidence)


def records(body: Any, kind: str | None = None) -> Iterator[Envelope | Hint]:
    """Records inside of anything that Shopify answers or pushes."""
    if isinstance(body, list):
        for item in body:
            yield from records(item, kind)
        return
    if not isinstance(body, dict):
        raise NotUnderstood(f"expected a JSON object, found {type(body).__name__}", hint=SHAPES)
    if isinstance(status := body.get("status"), int) and "body" in body:  # an answer kept with its status
        after = [v for k, v in typed(body.get("headers"), dict).items() if k.lower() == "retry-after"]
        if status >= 400:
            raise refusal(str(status), {"answer": body["body"]}, number(after[0]) if after else None)
        yield from records(body["body"], kind)
    ...
