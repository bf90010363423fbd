"""Imitation of Shopify's Admin API: POST /shopify/admin/api/<version>/graphql.json, and webhooks.

Queries: orders(first, after, query, sortKey, reverse), order(id), node(id), nodes(ids). As the real one: HTTP 200 for
errors of a query, a bucket of cost points that refills, THROTTLED without Retry-After when a query does not fit,
access errors by status, webhooks with the REST resource signed over the raw body.
"""

import base64
import hashlib
import hmac
import json
import math
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from adapters.sandbox.deals.shopify_graphql import order_node, refund_node
from adapters.sandbox.graphql import QueryError, Selected, choose, connected, cost, parse
from adapters.sandbox.platform import WALL_CLOCK, BadDay, Clock, Platform, Record, Rejected, Shop, after, answer, iso
from adapters.sandbox.story import Step

MOST = 1000
"""Points that one query may cost at most."""
BUCKET, REFILL = 2000, 100
"""Points that can be saved up, and points a second, of a standard shop."""
_BOUND = re.compile(r"(\w+):\s*(>=|<=|>|<|)\s*'?([^'\s]+)'?")


class Shopify(Platform):
    """One shop's admin."""

    code: ClassVar[str] = "shopify"

    def __init__(
        self,
        shop: Shop,
        *,
        clock: Clock = WALL_CLOCK,
        limit: int | None = None,
        days: Iterable[BadDay] = (),
    ) -> None:
        """`limit` is the refill of the bucket, points a second."""
        super().__init__(shop, clock=clock, days=days)
        self.refill = limit or REFILL
        self._points, self._since = float(BUCKET), clock()

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/admin/api/{version}/graphql.json", self.serve, methods=["POST"]),
            Route("/admin/oauth/access_token", self.serve, methods=["POST"]),
        ]

    def reply(self, request: Request, raw: bytes) -> Response:
        if request.url.path.endswith("/admin/oauth/access_token"):
            return answer(self._refreshed(raw))
        given = request.headers.get("x-shopify-access-token", "")
        if not self.shop.account.accepts(given):
            message = "[API] Invalid API key or access token (unrecognized login or wrong password)"
            raise Rejected("401", message, status=401)
        try:
            body = json.loads(raw)
            query, variables = str(body["query"]), body.get("variables") or {}
        except (ValueError, KeyError, TypeError):
            raise Rejected("400", "Required parameter missing or invalid", status=400) from None
        version = {"X-Shopify-API-Version": request.path_params["version"]}
        try:
            return answer(self._run(query, variables), headers=version)
        except QueryError as error:
            self.count("query errors")
            shown: dict[str, Any] = {"message": error.message, "path": ["query"]}
            return answer({"errors": [shown | {"extensions": {"code": error.code}}]}, headers=version)

    def refuse(self, why: Rejected, request: Request) -> Response:  # the frame's signature
        return answer({"errors": why.message}, why.status)

    def message(self, step: Step, message_id: str) -> bytes:  # it goes into a header
        """The REST resource, as it is at that moment; orders/edited tells only what was edited."""
        if step.topic == "orders/edited":
            edit = {"id": int(step.key) + 7, "order_id": int(step.key), "committed_at": iso(step.modified)}
            return json.dumps({"order_edit": edit | {"line_items": {"additions": [], "removals": []}}}).encode()
        return json.dumps(step.body, ensure_ascii=False, separators=(",", ":")).encode()

    def sign_push(self, body: bytes, message_id: str, topic: str = "", age: float = 0) -> dict[str, str]:
        """Only the body is signed; the rest of the headers tells what it is."""
        mac = hmac.new(self.shop.account.app_secret.encode(), body, hashlib.sha256).digest()
        return {
            "X-Shopify-Topic": topic or "orders/updated",
            "X-Shopify-Hmac-Sha256": base64.b64encode(mac).decode(),
            "X-Shopify-Shop-Domain": f"{self.shop.name}.myshopify.com",
            "X-Shopify-API-Version": "2026-07",
            "X-Shopify-Webhook-Id": message_id,
            "X-Shopify-Event-Id": message_id,
            "X-Shopify-Triggered-At": iso(self.clock() - age),
        }

    def _refreshed(self, raw: bytes) -> dict[str, Any]:
        """A fresh pair of expiring tokens."""
        account = self.shop.account
        try:
            given = json.loads(raw)
        except ValueError:
            given = {}
        if given.get("client_secret") != account.app_secret or given.get("refresh_token") != account.refresh_token:
            raise Rejected("400", "invalid_request", status=400)
        account.renew()
        tokens = {"access_token": account.token, "refresh_token": account.refresh_token}
        return tokens | {"expires_in": 3600, "scope": "read_orders"}

    def _run(self, query: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Parse, charge, answer."""
        kind, selection = parse(query, variables)
        if kind != "query":
            raise QueryError("this imitation takes no mutations", "ACCESS_DENIED")
        asked = cost(selection)
        if asked > MOST:
            raise QueryError(f"Query cost is {asked}, which exceeds the single query max cost limit ({MOST}).",
                             "MAX_COST_EXCEEDED")  # fmt: skip
        self._fill()
        if asked > self._points:
            self.count("throttled")
            error = {"message": "Throttled", "extensions": {"code": "THROTTLED"}}
            return {"errors": [error], "extensions": {"cost": self._cost(asked, None)}}
        data = {part.alias or part.name: self._answered(part) for part in selection}
        actual = max(1, min(asked, len(json.dumps(data)) // 400))
        self._points -= actual
        return {"data": data, "extensions": {"cost": self._cost(asked, actual)}}

    def _answered(self, part: Selected) -> Any:
        self.count(part.name)
        if part.name == "orders":
            return choose(part.selection, self._orders(part.arguments), "OrderConnection")
        if part.name == "order":
            return choose(part.selection, self._order(str(part.arguments.get("id"))), "Order")
        if part.name == "node":
            return choose(part.selection, self._node(str(part.arguments.get("id"))), "Node")
        if part.name == "nodes":
            return [choose(part.selection, self._node(str(i)), "Node") for i in part.arguments.get("ids") or []]
        if part.name == "shop":
            shop = {"id": "gid://shopify/Shop/1", "name": self.shop.name, "currencyCode": "USD"}
            return choose(part.selection, shop, "Shop")
        raise QueryError(f"Field '{part.name}' doesn't exist on type 'QueryRoot'", "undefinedField")

    def _orders(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Oldest change first when asked to sort by UPDATED_AT; a cursor is a place, not a page."""
        first = int(arguments.get("first") or 0)
        if not 1 <= first <= 250:
            raise QueryError("you must provide first (1 to 250)", "BAD_REQUEST")
        by = "modified" if arguments.get("sortKey") == "UPDATED_AT" else "created"
        start, end = _bounds(str(arguments.get("query") or ""))
        rows = [r for r in self.shop.between("order", start, end, by="modified") if r.modified < end or end == math.inf]
        if by == "created":
            rows.sort(key=lambda r: (r.created, r.key))
        mark = _decoded(arguments["after"]) if arguments.get("after") else (-math.inf, "")
        behind = after(rows, mark, first + 1) if by == "modified" else rows[: first + 1]
        edges = [{"node": self._shown(r), "cursor": _encoded(r)} for r in behind[:first]]
        return connected(edges, len(behind) > first)

    def _order(self, gid: str) -> dict[str, Any] | None:
        record = self.shop.get("order", gid.rpartition("/")[2])
        return self._shown(record) if record else None

    def _node(self, gid: str) -> dict[str, Any] | None:
        if "/Refund/" not in gid:
            return self._order(gid)
        record = self.shop.get("refund", gid.rpartition("/")[2])
        order = self.shop.get("order", record.subject) if record else None
        return refund_node(self.shown(record), order.body) if record and order else None

    def _shown(self, record: Record) -> dict[str, Any]:
        return order_node(self.shown(record))

    def _fill(self) -> None:
        now = self.clock()
        self._points = min(BUCKET, self._points + (now - self._since) * self.refill)
        self._since = now

    def _cost(self, asked: int, actual: int | None) -> dict[str, Any]:
        throttle = {"maximumAvailable": BUCKET, "currentlyAvailable": int(self._points), "restoreRate": self.refill}
        return {"requestedQueryCost": asked, "actualQueryCost": actual, "throttleStatus": throttle}


def _bounds(query: str) -> tuple[float, float]:
    """The span that `updated_at` filters ask for; an upper bound with `<=` is widened to be compared with `<`."""
    start, end = -math.inf, math.inf
    for name, mark, value in _BOUND.findall(query):
        if name != "updated_at":
            continue
        try:
            at = datetime.fromisoformat(value).timestamp()
        except ValueError:
            raise QueryError(f"{value} is no time", "BAD_REQUEST") from None
        if mark in (">", ">="):
            start = max(start, at + (mark == ">"))
        elif mark in ("<", "<="):
            end = min(end, at + (mark == "<="))
    return start, end


def _encoded(record: Record) -> str:
    return base64.b64encode(json.dumps([record.modified, record.key]).encode()).decode()


def _decoded(cursor: str) -> tuple[float, str]:
    try:
        modified, key = json.loads(base64.b64decode(cursor))
    except ValueError:
        raise QueryError("Invalid cursor for current pagination sort.", "BAD_REQUEST") from None
    return modified, key
