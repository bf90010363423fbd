"""A receiver that stands for an ERP, a WMS or a tax system, and keeps honest books of what reached it.

    POST|PUT|PATCH /receivers/<name>/documents[?shop=&kind=&key=&subject=&revision=]   takes one document, JSON or XML
    GET  /receivers/<name>/documents/<idempotency key>   200 when it has it, else 404: for in-doubt ones
    GET  /receivers/<name>/documents                          everything taken, in order of arrival
    GET  /receivers/<name>/report                             the counts

A canonical document names itself; the result of a destination mapping is named by the query of its address. The
idempotency key comes in `Idempotency-Key` or `webhook-id`. With a secret, the Standard Webhooks signature is checked.
"""

import asyncio
import hashlib
import hmac
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from xml.parsers.expat import ExpatError

import xmltodict
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from adapters.sandbox.goods import SKUS
from adapters.sandbox.platform import WALL_CLOCK, Clock, Cut, answer, standard_webhooks

TOLERANCE = 300
"""Seconds that a signature's timestamp may differ from the receiver's clock."""


class Behaviour(BaseModel):
    """How a receiver behaves; times count from the moment it was told so, requests likewise."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    fail_from: float = Field(0, description="seconds: from here on it answers fail_status")
    fail_until: float = Field(0, description="seconds: until here (0: it does not fail by time)")
    fail_requests: tuple[int, int] = Field(
        (0, 0), description="it fails from the first to the second request, counted from 1"
    )
    fail_status: int = Field(503, description="status of a failure")
    retry_after: int | None = Field(None, description="Retry-After header of a failure, seconds")
    hang_every: int = Field(0, description="every nth request waits hang_for seconds before its answer")
    hang_for: float = Field(30, description="seconds")
    drop_every: int = Field(
        0, description="every nth taken document: kept, then the connection closes without an answer"
    )
    refuse_every: int = Field(
        0, description="refuses one in n order numbers, always the same ones, whatever the revision"
    )
    refuse_kinds: tuple[str, ...] = Field((), description="kinds that refuse_every looks at; empty: all")
    refuse_field: str = Field("invoice.title", description="the field that a refusal names")
    refuse_code: str = Field("TAX_4031", description="the code that a refusal names")
    needs_sku: bool = Field(
        False, description="refuses lines without a SKU, and those that no shop of the sandbox sells"
    )
    style: str = Field("status", description='"status": 201, 422 ...; "body": HTTP 200 with success true or false')
    duplicate_status: int = Field(200, description="status of the answer to a key that was taken before: 200 or 409")


@dataclass(frozen=True, slots=True)
class Taken:
    """One document in effect."""

    number: int
    idempotency_key: str
    kind: str
    shop: str
    subject: str
    key: str
    revision: str
    digest: str
    body: Mapping[str, Any] = field(default_factory=dict)

    @property
    def identity(self) -> tuple[str, str, str, str]:
        """What it is about; a newer revision has the same one."""
        return (self.shop, self.subject, self.kind, self.key)

    def as_dict(self) -> dict[str, Any]:
        """Without the body."""
        return {name: getattr(self, name) for name in self.__slots__ if name != "body"}


class Receiver:
    """One system with one inbox."""

    def __init__(
        self, name: str, *, secret: str = "", behaviour: Behaviour | None = None, clock: Clock = WALL_CLOCK
    ) -> None:
        self.name, self.secret, self.clock = name, secret, clock
        self.taken: dict[str, Taken] = {}
        self._counts = dict.fromkeys(
            ("requests", "duplicate_requests", "failed", "refused", "dropped", "hung", "signature_refused"), 0
        )
        self._out_of_order = self._twice = 0
        self._newest: dict[tuple[str, str, str, str], Taken] = {}
        self._effects: set[tuple[str, ...]] = set()
        self.behave(behaviour or Behaviour())

    def behave(self, behaviour: Behaviour) -> None:
        """From now on."""
        self.behaviour = behaviour
        self._since, self._told = self.clock(), 0

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/documents", self.receive, methods=["POST", "PUT", "PATCH"]),
            Route("/documents", self.list_taken, methods=["GET"]),
            Route("/documents/{key:path}", self.look_up, methods=["GET"]),
            Route("/report", self.show_report, methods=["GET"]),
        ]

    async def receive(self, request: Request) -> Response:
        """One delivery."""
        raw = await request.body()
        self._counts["requests"] += 1
        self._told += 1
        if self._is_failing():
            self._counts["failed"] += 1
            wait = self.behaviour.retry_after
            headers = {} if wait is None else {"Retry-After": str(wait)}
            return answer({"error": "temporarily unavailable"}, self.behaviour.fail_status, headers)
        if self.secret and not self._proven(request.headers, raw):
            self._counts["signature_refused"] += 1
            return answer({"error": "signature"}, 401)
        key = request.headers.get("idempotency-key") or request.headers.get("webhook-id", "")
        try:
            body = _parsed(raw, request.headers.get("content-type", ""))
        except (ValueError, ExpatError):
            return self._refused("body", "UNREADABLE")
        if not key:
            return self._refused("Idempotency-Key", "NO_KEY")
        return await self._judge(key, body, request.query_params)

    async def _judge(self, key: str, body: dict[str, Any], query: Mapping[str, str]) -> Response:
        behaviour = self.behaviour
        if key in self.taken:
            self._counts["duplicate_requests"] += 1
            return self._yes(self.taken[key], again=True)
        document = self._document(key, body, query)
        wrong = self._fault(document, body)
        if wrong:
            return self._refused(*wrong)
        self._take(document)
        if behaviour.drop_every and len(self.taken) % behaviour.drop_every == 0:
            self._counts["dropped"] += 1
            return Cut()
        if behaviour.hang_every and self._told % behaviour.hang_every == 0:
            self._counts["hung"] += 1
            await asyncio.sleep(behaviour.hang_for)
        return self._yes(document)

    async def look_up(self, request: Request) -> Response:
        """Whether a document is there, by its idempotency key."""
        document = self.taken.get(request.path_params["key"])
        if document is None:
            return answer({"found": False}, 404)
        return answer({"found": True, "reference": self._reference(document), **document.as_dict()})

    async def list_taken(self, request: Request) -> Response:  # an endpoint's signature
        return answer([t.as_dict() for t in self.taken.values()])

    async def show_report(self, request: Request) -> Response:  # an endpoint's signature
        return answer(self.report())

    def report(self) -> dict[str, Any]:
        """`taken` counts documents in effect, `documents` distinct numbers; out_of_order and duplicates should be 0."""
        counts: dict[str, Any] = dict(self._counts)
        counts |= {"taken": len(self.taken), "documents": len(self._newest)}
        counts |= {"duplicates_in_effect": self._twice, "out_of_order": self._out_of_order}
        for name, place in (("by_kind", 2), ("by_shop", 0)):
            tally: dict[str, int] = {}
            for identity in self._newest:
                word = identity[place]
                tally[word] = tally.get(word, 0) + 1
            counts[name] = dict(sorted(tally.items()))
        return counts

    def newest(self) -> dict[tuple[str, str, str], Taken]:
        """The newest document of each number, by shop, kind and number."""
        return {(taken.shop, taken.kind, taken.key): taken for taken in self._newest.values()}

    def _is_failing(self) -> bool:
        behaviour, (first, last) = self.behaviour, self.behaviour.fail_requests
        by_time = behaviour.fail_from <= self.clock() - self._since < behaviour.fail_until
        return by_time or first <= self._told <= last

    def _proven(self, headers: Mapping[str, str], raw: bytes) -> bool:
        """Standard Webhooks, checked with a recipe of our own."""
        message_id, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
        if not stamp.isdecimal() or abs(self.clock() - int(stamp)) > TOLERANCE:
            return False
        expected = standard_webhooks(self.secret, message_id, int(stamp), raw)["webhook-signature"]
        return any(hmac.compare_digest(expected, s) for s in headers.get("webhook-signature", "").split())

    def _document(self, key: str, body: dict[str, Any], query: Mapping[str, str]) -> Taken:
        kind = query.get("kind") or str(body.get("schema", "")).partition("/")[0] or "unknown"
        number = query.get("key") or _first(body, f"{kind}_no", "request_no", "sku")
        return Taken(
            number=len(self.taken) + 1,
            idempotency_key=key,
            kind=kind,
            shop=query.get("shop") or str(body.get("shop", "")),
            subject=query.get("subject") or _first(body, "order_no"),
            key=number,
            revision=query.get("revision") or str(body.get("revision", "")),
            digest=_digest(body),
            body=body,
        )

    def _take(self, document: Taken) -> None:
        """Into the books. Twice in effect: the same content once more, at once or for a revision that was there."""
        self.taken[document.idempotency_key] = document
        last = self._newest.get(document.identity)
        effect = (*document.identity, document.revision, document.digest)
        self._twice += effect in self._effects or (last is not None and last.digest == document.digest)
        self._effects.add(effect)
        older = last is not None and _instant(document.revision) < _instant(last.revision)
        self._out_of_order += older
        if last is None or not older:
            self._newest[document.identity] = document

    def _fault(self, document: Taken, body: dict[str, Any]) -> tuple[str, str] | None:
        """The field and code of a refusal, or None."""
        behaviour = self.behaviour
        lines = body.get("lines")
        for index, line in enumerate(lines if isinstance(lines, list) else ()):
            if behaviour.needs_sku and document.kind == "order" and line.get("sku") not in SKUS:
                return f"lines[{index}].sku", "UNKNOWN_SKU"
        looked_at = not behaviour.refuse_kinds or document.kind in behaviour.refuse_kinds
        if behaviour.refuse_every and looked_at:
            subject = document.subject or document.key
            if zlib.crc32(f"{document.shop}/{subject}".encode()) % behaviour.refuse_every == 0:
                return behaviour.refuse_field, behaviour.refuse_code
        return None

    def _refused(self, field: str, code: str) -> Response:
        self._counts["refused"] += 1
        body = {"success": False, "code": code, "field": field, "message": f"{field} cannot be taken"}
        return answer(body, 200 if self.behaviour.style == "body" else 422)

    def _yes(self, document: Taken, again: bool = False) -> Response:
        body = {"success": True, "code": "DUPLICATE" if again else "OK", "reference": self._reference(document)}
        if self.behaviour.style == "body":
            return answer(body)
        return answer(body, self.behaviour.duplicate_status if again else 201)

    def _reference(self, document: Taken) -> str:
        return f"{self.name.upper()}-{document.number:06d}"


def _parsed(raw: bytes, media_type: str) -> dict[str, Any]:
    """The body as a mapping; of XML what is inside the root. Raises ValueError or ExpatError."""
    if "xml" in media_type:
        root = next(iter(xmltodict.parse(raw).values()))
        return root if isinstance(root, dict) else {"text": root}
    body = json.loads(raw)
    if not isinstance(body, dict):
        raise ValueError("a document is an object")
    return body


def _first(body: Mapping[str, Any], *names: str) -> str:
    return next((str(body[n]) for n in names if body.get(n) is not None), "")


def _digest(body: Mapping[str, Any]) -> str:
    """What it says, whenever it was said."""
    content = {k: v for k, v in body.items() if k != "revision"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def _instant(revision: str) -> tuple[float, str]:
    """A revision that is a time is compared as one, any other as text."""
    try:
        return datetime.fromisoformat(revision).timestamp(), ""
    except ValueError:
        return 0, revision
