"""Imitation of somebody's own shop: /site/api/orders and /site/api/refunds, and pushes by Standard Webhooks.

The API is the plain kind that own sites have: a bearer token, `updated_since`, `updated_before`, `cursor` and `limit`
in the query, `{"items": [...], "next_cursor": "..."}` back, oldest change first, 401 and 429 with JSON errors. Events
are `{"type": "order.updated", "sent_at": ..., "data": {...}}`.
"""

import base64
import hmac
import json
from datetime import datetime
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from adapters.sandbox.platform import Platform, Rejected, after, answer, iso, standard_webhooks
from adapters.sandbox.story import Step

_KINDS = {"orders": "order", "refunds": "refund"}


class Site(Platform):
    """The site's server and its one shop. Pushes are signed with the account's push_secret."""

    code: ClassVar[str] = "site"

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/api/{kinds:str}", self.serve, methods=["GET"]),
            Route("/api/{kinds:str}/{key:str}", self.serve, methods=["GET"]),
        ]

    def reply(self, request: Request, raw: bytes) -> Response:  # the frame's signature
        if not hmac.compare_digest(request.headers.get("authorization", ""), f"Bearer {self.shop.account.token}"):
            raise Rejected("unauthorized", "the bearer token is missing or wrong", status=401)
        wait = self.admit()
        if wait:
            raise Rejected("too_many_requests", f"{int(wait) + 1}", status=429)
        kinds = request.path_params["kinds"]
        if kinds not in _KINDS:
            raise Rejected("not_found", f"no {kinds} here", status=404)
        self.count(kinds)
        if "key" in request.path_params:
            record = self.shop.get(_KINDS[kinds], request.path_params["key"])
            if record is None:
                raise Rejected("not_found", "no such number", status=404)
            return answer(self.shown(record))
        return answer(self._page(_KINDS[kinds], request))

    def refuse(self, why: Rejected, request: Request) -> Response:  # the frame's signature
        headers = {"Retry-After": why.message} if why.status == 429 else {}
        return answer({"error": {"code": why.code, "message": why.message}}, why.status, headers)

    def sign_push(self, body: bytes, message_id: str, topic: str = "", age: float = 0) -> dict[str, str]:
        """The three headers of Standard Webhooks."""
        return standard_webhooks(self.shop.account.push_secret, message_id, int(self.clock() - age), body)

    def message(self, step: Step, message_id: str) -> bytes:  # it goes into a header
        """The record as it is at that moment, under the name of what happened."""
        event = {"type": f"{step.kind}.{step.topic or 'updated'}", "sent_at": iso(self.clock()), "data": step.body}
        return json.dumps(event, ensure_ascii=False).encode()

    def _page(self, kind: str, request: Request) -> dict[str, Any]:
        query = request.query_params
        try:
            start = _moment(query.get("updated_since"), float("-inf"))
            end = _moment(query.get("updated_before"), float("inf"))
            limit = min(max(int(query.get("limit", "50")), 1), 200)
            mark = _decoded(query["cursor"]) if query.get("cursor") else (float("-inf"), "")
        except ValueError as error:
            raise Rejected("bad_request", f"a parameter is wrong: {error}", status=400) from None
        rows = [r for r in self.shop.between(kind, start, end) if r.modified < end]
        behind = after(rows, mark, limit + 1)
        here = behind[:limit]
        cursor = _encoded(here[-1].modified, here[-1].key) if len(behind) > limit else None
        return {"items": [self.shown(r) for r in here], "next_cursor": cursor}


def _moment(text: str | None, default: float) -> float:
    """ISO 8601 or epoch seconds."""
    if not text:
        return default
    return int(text) if text.isdecimal() else datetime.fromisoformat(text).timestamp()


def _encoded(modified: float, key: str) -> str:
    return base64.urlsafe_b64encode(json.dumps([modified, key]).encode()).decode()


def _decoded(cursor: str) -> tuple[float, str]:
    modified, key = json.loads(base64.urlsafe_b64decode(cursor))
    return modified, key
