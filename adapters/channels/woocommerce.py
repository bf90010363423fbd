"""WooCommerce through its REST API v3: orders and their refunds of a shop that somebody runs on a site of their own.

Over https the keys go as HTTP Basic, over plain http each request is signed (OAuth 1.0a, HMAC-SHA256).
Lists are by page number. An order that changes while pages are read leaves the window, and those behind it move up:
so pages are read from the last one back to the first. Refunds have no time of change; they are never changed.
An order says of its refunds only their sums: the record of an order is the order with its refunds in full, and a push
that lacks them is a hint. The record of a refund is the refund with what a mapping needs of its `order`.
Webhooks are not repeated, and five failures in a row switch them off: pull as well."""

import hashlib
import html
import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from adapters import signing
from adapters.answers import retry_after
from adapters.port import Capability, Credentials, Envelope, Hint, Page, Receipt, Reply, Talk, Window
from adapters.wire_json import objects, text, typed
from canonical import parse_json
from canonical.errors import HubError, NotAuthorised, NotUnderstood, Refusal, Refused, SignatureRejected, Unavailable

SIZE = 100  # the most that a page takes
ZONES = timedelta(hours=15)  # how far a shop's own clock may be from UTC, with summer time
PING = re.compile(rb"webhook_id=\d{1,20}")
OF_ORDER = ("id", "number", "currency", "status", "date_completed_gmt", "date_paid_gmt")
MISSING = ("woocommerce_rest_shop_order_invalid_id", "woocommerce_rest_shop_order_invalid_post_id")
HINTS = {
    "rest_no_route": "Set the site's permalinks to anything but plain, and check url in hub.toml.",
    "woocommerce_rest_cannot_view": "The key may not read orders: make one for a user who may (WooCommerce, Advanced).",
    "woocommerce_rest_authentication_error": "Check consumer_key and consumer_secret in hub.toml.",
}
SHAPES = "Known are orders and refunds of the REST API v3, lists of them, answers of orders/batch, and webhook bodies."


class WooCommerceShop(BaseModel):
    """The site, its keys, and the webhooks' secret."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(pattern="^https?://[^?#]+$", description="Address of the site, as the site itself names it.")
    consumer_key: SecretStr = Field(description="ck_...: WooCommerce, Settings, Advanced, REST API.")
    consumer_secret: SecretStr = Field(description="cs_..., made with it.")
    webhook_secret: SecretStr | None = Field(None, description="Secret of the webhooks on orders.")
    keys_in_query: bool = Field(
        False, description="For hosts that cut the Authorization header off: keys go into the address, over https."
    )


class WooCommerce:
    """One WooCommerce shop."""

    title: ClassVar[str] = "WooCommerce"
    kinds: ClassVar[tuple[str, ...]] = ("order", "refund")
    capabilities: ClassVar[frozenset[Capability]] = frozenset(Capability) - {Capability.TOKEN_REFRESH}
    Settings: ClassVar[type[BaseModel]] = WooCommerceShop

    def __init__(self, settings: WooCommerceShop) -> None:
        self.settings = settings

    def verify(self, headers: Mapping[str, str], raw: bytes, now: datetime) -> None:
        """X-WC-Webhook-Signature: base64 HMAC-SHA256 of the body. The ping that tries an address has none."""
        if "x-www-form-urlencoded" in headers.get("content-type", "") and PING.fullmatch(raw):
            return
        if self.settings.webhook_secret is None:
            raise SignatureRejected("this shop takes no webhooks: it has no webhook_secret")
        # the shop decodes entities in the secret before it signs
        secret = html.unescape(self.settings.webhook_secret.get_secret_value())
        if not signing.same(headers.get("x-wc-webhook-signature"), signing.hmac_base64(secret, raw)):
            raise SignatureRejected("X-WC-Webhook-Signature does not match the body")

    def unpack(self, headers: Mapping[str, str], raw: bytes, now: datetime) -> Iterator[Envelope | Hint]:
        """Orders; nothing for a ping, or for webhooks on products and customers."""
        topic = headers.get("x-wc-webhook-topic", "order.updated")
        if PING.fullmatch(raw) or not topic.startswith("order."):
            return iter(())
        return self.read(parse_json(raw))

    def acknowledge(self, error: HubError | None) -> Reply:
        """A 2xx is success; everything else counts towards switching the webhook off."""
        if error is None:
            return Reply(200, b"{}")
        status = 401 if isinstance(error, SignatureRejected) else 503 if error.retryable else 400
        return Reply(status, b'{"error":"%s"}' % error.code.encode())

    def read(self, body: Any, kind: str | None = None) -> Iterator[Envelope | Hint]:
        """Everything that SHAPES names."""
        return (found for found in records(body) if kind in (None, found.kind))

    def pull(self, kind: str, window: Window, cursor: str | None, now: datetime) -> Talk[Page]:
        """One page, from the last to the first; the cursor is its number. Refunds are hints: they lack the currency."""
        page = int(cursor or 0)
        rows, pages = yield from self._list(kind, window, page or 1, now)
        if not page and pages > 1:
            page = pages
            rows, _ = yield from self._list(kind, window, page, now)
        after = str(page - 1) if page > 1 else None
        if kind == "refund":
            first, end = (f"{moment:%FT%T}" for moment in (window.start, window.end))
            inside = [row for row in rows if first <= (text(row.get("date_created_gmt")) or first) < end]
            return Page([], after, [hint for row in inside if isinstance(hint := refund(row), Hint)])
        page_of: list[Envelope] = []
        for row in rows:
            page_of += [(yield from self._complete(row, now))]
        return Page(page_of, after)

    def fetch(self, kind: str, key: str, now: datetime) -> Talk[Envelope]:
        """GET orders/ID with its refunds; for a refund, whose key is "order/refund", the refund and its order."""
        number, _, part = key.partition("/")
        if kind == "refund" and not part:
            hint = "WooCommerce finds a refund by its order only: fetch it as ORDER/REFUND, or pull the time of it."
            raise Refused(f"the order of the refund {key} is not known", code="wire.no_such_record", hint=hint)
        order, _ = yield from self._ask("GET", f"orders/{quote(number, '')}", {}, now)
        if kind == "order":
            return (yield from self._complete(typed(order, dict), now))
        found, _ = yield from self._ask("GET", f"orders/{quote(number, '')}/refunds/{quote(part, '')}", {}, now)
        return of_refund(typed(found, dict), typed(order, dict))

    def refresh(self, now: datetime) -> Talk[Credentials | None]:
        """Keys do not end."""
        yield from ()
        return None

    def tell(self, change: Mapping[str, Any], now: datetime) -> Talk[Receipt]:
        """A shipment: a note with its number to the customer, and `completed` once all has left. Stock, absolute."""
        if str(change["schema"]).startswith("stock/"):
            path, body = stock(change)
            yield from self._ask("PUT", path, body, now)
            return Receipt(str(change["sku"]))
        order, number = quote(text(change["order_no"]), ""), text(change.get("tracking_no"))
        notes, _ = yield from self._ask("GET", f"orders/{order}/notes", {}, now)
        told = bool(number) and any(number in text(note.get("note")) for note in objects(notes))
        if not told:
            carrier = text(change.get("carrier_name")) or text(change.get("carrier"))
            note = {"note": f"{carrier} {number}".strip() or "shipped", "customer_note": True}
            yield from self._ask("POST", f"orders/{order}/notes", note, now)
        if change.get("complete"):
            yield from self._ask("PUT", f"orders/{order}", {"status": "completed"}, now)
        return Receipt(number, already_there=told)

    def _list(self, kind: str, window: Window, page: int, now: datetime) -> Talk[tuple[list[dict[str, Any]], int]]:
        """Rows of a page, and how many pages there are. `after` and `before` leave out the moment itself."""
        params = {"per_page": str(SIZE), "page": str(page), "orderby": "id", "order": "asc"}
        if kind == "order":
            span = (window.start - timedelta(seconds=1), window.end)
            names, path = ("modified_after", "modified_before"), "orders"
            params |= {"status": "any", "dates_are_gmt": "true"}
        else:  # older shops read these times by their own clock
            span, names, path = (window.start - ZONES, window.end + ZONES), ("after", "before"), "refunds"
        params |= dict(zip(names, (f"{moment:%FT%T}" for moment in span), strict=True))
        rows, pages = yield from self._ask("GET", path, params, now)
        if not isinstance(rows, list):
            raise NotUnderstood(f"the list of {kind}s is no list", hint=SHAPES)
        return objects(rows), pages

    def _complete(self, order: dict[str, Any], now: datetime) -> Talk[Envelope]:
        """An order with its refunds in full."""
        if objects(order.get("refunds")):
            path = f"orders/{quote(text(order.get('id')), '')}/refunds"
            rows, _ = yield from self._ask("GET", path, {"per_page": str(SIZE)}, now)
            order = {**order, "refunds": objects(rows)}
        return of_order(order)

    def _ask(self, method: str, path: str, params: dict[str, Any], now: datetime) -> Talk[tuple[Any, int]]:
        """One request; what it answers, and X-WP-TotalPages. Parameters of PUT and POST are the body."""
        url = f"{self.settings.url.rstrip('/')}/wp-json/wc/v3/{path}"
        query = {name: str(value) for name, value in params.items()} if method == "GET" else {}
        key, secret = self.settings.consumer_key.get_secret_value(), self.settings.consumer_secret.get_secret_value()
        headers = {"Accept": "application/json"}
        if url.startswith("http://"):
            query = signed(method, url, query, key, secret, now)
        elif self.settings.keys_in_query:
            query |= {"consumer_key": key, "consumer_secret": secret}
        else:
            headers["Authorization"] = "Basic " + signing.base64_text(f"{key}:{secret}".encode())
        address = httpx.URL(url).copy_with(query="&".join(f"{k}={v}" for k, v in encoded(query)).encode() or None)
        request = httpx.Request(method, address, headers=headers, json=None if method == "GET" else params)
        return answered((yield request), now)


def signed(
    method: str, url: str, query: Mapping[str, str], key: str, secret: str, now: datetime, nonce: str = ""
) -> dict[str, str]:
    """OAuth 1.0a with one leg, HMAC-SHA256: the query with what signs it. Each request has a nonce of its own."""
    if not nonce:
        nonce = hashlib.sha256(f"{method} {url} {sorted(query.items())} {now.isoformat()}".encode()).hexdigest()[:40]
    own = {"oauth_consumer_key": key, "oauth_timestamp": str(int(now.timestamp())), "oauth_nonce": nonce}
    whole = {**query, **own, "oauth_signature_method": "HMAC-SHA256"}
    joined = quote("&".join(f"{name}={value}" for name, value in sorted(encoded(whole))), "")
    base = f"{method}&{quote(url, '')}&{joined}"
    return {**whole, "oauth_signature": signing.hmac_base64(f"{secret}&", base.encode())}


def encoded(query: Mapping[str, str]) -> list[tuple[str, str]]:
    """Names and values as RFC 3986 writes them."""
    return [(quote(name, "~"), quote(value, "~")) for name, value in query.items()]


def answered(response: httpx.Response, now: datetime) -> tuple[Any, int]:
    """The answer's JSON and its number of pages. HTML comes from what stands before the shop, and goes away."""
    status, headers = response.status_code, {k.lower(): v for k, v in response.headers.items()}
    if status in (408, 429) or status >= 500:
        wait = retry_after(headers, now)
        raise Unavailable(f"WooCommerce answered HTTP {status}", retry_after=wait, throttled=status == 429)
    try:
        body = parse_json(response.content)
    except NotUnderstood:
        raise Unavailable(f"HTTP {status}, but no JSON: a page of the site or of what stands before it") from None
    if status >= 400:
        raise refusal(typed(body, dict), status)
    pages = headers.get("x-wp-totalpages", "")
    return body, int(pages) if pages.isdecimal() and pages.isascii() and len(pages) < 7 else 1


def refusal(error: Mapping[str, Any], status: int) -> Refusal:
    """What an error {code, message, data} means."""
    code, said = text(error.get("code")), text(error.get("message"))
    message, hint = f"WooCommerce: HTTP {status} {code} {said}".strip()[:300], HINTS.get(code, "")
    evidence = {"status": status, "code": code, "message": said[:300]}
    if status in (401, 403):
        return NotAuthorised(message, hint=hint or HINTS["woocommerce_rest_authentication_error"], evidence=evidence)
    if code in MISSING:
        return Refused(message, code="wire.no_such_record", evidence=evidence)
    return Refused(message, hint=hint, evidence=evidence)


def records(body: Any) -> Iterator[Envelope | Hint]:
    """Records inside of anything that the shop answers or pushes."""
    for item in typed(body, list):
        yield from records(item)
    if isinstance(body, list):
        return
    body = typed(body, dict)
    if {"code", "message"} <= body.keys():
        status = typed(body.get("data"), dict).get("status")
        raise refusal(body, status if isinstance(status, int) else 400)
    if "refunded_by" in body or "refunded_payment" in body:
        yield refund(body)
    elif "line_items" in body and text(body.get("id")):
        short = any("amount" not in one for one in objects(body.get("refunds")))
        yield Hint("order", text(body["id"]), body=body) if short else of_order(body)
    elif body.keys() == {"id"} and text(body["id"]):  # order.deleted: into the trash, or for good
        yield Hint("order", text(body["id"]), body=body)
    else:
        raise NotUnderstood("neither an order nor a refund of WooCommerce", hint=SHAPES)


def refund(row: dict[str, Any]) -> Envelope | Hint:
    """A refund with its order; a hint where only the order's number is known."""
    if isinstance(row.get("order"), dict):
        return of_refund(row, row["order"])
    up = [text(link.get("href")) for link in objects(typed(row.get("_links"), dict).get("up"))]
    order = text(row.get("parent_id")) or next((href.rpartition("/")[2] for href in up if "/orders/" in href), "")
    if order and (number := text(row.get("id"))):
        return Hint("refund", f"{order}/{number}", body=row)
    raise NotUnderstood("the refund names no order", hint=SHAPES)


def of_order(order: dict[str, Any]) -> Envelope:
    """An order in full. What was refunded of a line is laid into it, as JMESPath cannot join."""
    if not (number := text(order.get("id"))):
        raise NotUnderstood("an order without id", hint=SHAPES)
    if rows := [row for one in objects(order.get("refunds")) for row in objects(one.get("line_items"))]:
        lines = objects(order.get("line_items"))
        mine = [[row for row in rows if text(line.get("id")) in refunded_lines(row)] for line in lines]
        order = {**order, "line_items": [{**line, "refund_rows": r} for line, r in zip(lines, mine, strict=True)]}
    return Envelope("order", number, order, text(order.get("date_modified_gmt")), number)


def refunded_lines(row: Mapping[str, Any]) -> list[str]:
    """The order's lines that a refund's line is about."""
    return [text(one.get("value")) for one in objects(row.get("meta_data")) if one.get("key") == "_refunded_item_id"]


def of_refund(row: dict[str, Any], order: dict[str, Any]) -> Envelope:
    """A refund with what a mapping needs of its order."""
    number, subject = text(row.get("id")), text(order.get("id"))
    if not (number and subject):
        raise NotUnderstood("a refund without id, or without its order's", hint=SHAPES)
    body = {**row, "order": {name: order.get(name) for name in OF_ORDER}}
    return Envelope("refund", number, body, text(row.get("date_created_gmt")), subject)


def stock(change: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The path and body of PUT products: what may be sold, as it is, not as a difference."""
    extra = typed(change.get("extra"), dict)
    if not (product := text(extra.get("product_id"))):
        hint = "Fill extra.product_id in the mapping of the stock, and extra.variation_id of a variation."
        raise Refused(f"the stock of {change['sku']} names no WooCommerce product", hint=hint)
    variation = text(extra.get("variation_id"))
    path = f"products/{quote(product, '')}" + (f"/variations/{quote(variation, '')}" if variation else "")
    return path, {"manage_stock": True, "stock_quantity": int(change["available"])}


ADAPTER = WooCommerce
