"""The frame that every imitated platform shares: a shop's records, paging, limits, bad days and refusals.

These are imitations for the demo, the tests and `hub sandbox`, written from the platforms' public documentation. They
run on loopback and never speak to the real ones. They are strict where the platforms are: a wrong signature, an old
timestamp, an unknown application or a field that was not asked for gets what the platform would give.

Nothing is frozen for a reader: a list is computed afresh for every page, so records shift while somebody pages.
"""

import asyncio
import base64
import bisect
import copy
import hashlib
import hmac
import json
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, ClassVar

import httpx
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import Receive, Scope, Send

from adapters.sandbox.story import Step

Clock = Callable[[], float]
"""Seconds since 1970. The sandbox is the other side of the wire: it has a clock of its own, which tests replace."""

WALL_CLOCK: Clock = time.time

BEIJING = timezone(timedelta(hours=8))


def beijing(at: float) -> str:
    """`2026-03-01 09:30:00`, as the Chinese platforms write time."""
    return datetime.fromtimestamp(at, BEIJING).strftime("%Y-%m-%d %H:%M:%S")


def from_beijing(text: str) -> float:
    """The opposite of `beijing`. Raises ValueError."""
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=BEIJING).timestamp()


def iso(at: float) -> str:
    """`2026-03-01T01:30:00Z`."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def answer(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer; numbers keep all their digits."""
    content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    return Response(content, status, headers, media_type="application/json")


def standard_webhooks(secret: str, message_id: str, stamp: int, body: bytes) -> dict[str, str]:
    """The three headers of Standard Webhooks, by a recipe of our own."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    mac = hmac.new(key, f"{message_id}.{stamp}.".encode() + body, hashlib.sha256).digest()
    signature = "v1," + base64.b64encode(mac).decode()
    return {"webhook-id": message_id, "webhook-timestamp": str(stamp), "webhook-signature": signature}


class Rejected(Exception):  # an answer, not a fault of the imitation
    """The request is refused; the platform's envelope is made from `code`, `sub` and the text."""

    def __init__(self, code: str, message: str, sub: str = "", status: int = 200) -> None:
        super().__init__(message)
        self.code, self.message, self.sub, self.status = code, message, sub, status


class Cut(Response):
    """No answer at all: the connection ends. In process, where there is none, the client sees httpx's own error."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        abort = scope.get("sandbox.abort")
        if abort is None:
            raise httpx.RemoteProtocolError("Server disconnected without sending a response.")
        abort()
        while (await receive())["type"] != "http.disconnect":
            pass


@dataclass(slots=True)
class Record:
    """One order or refund in the platform's own shape, with the times that the platform's filters look at."""

    kind: str
    key: str
    body: dict[str, Any]
    modified: float
    created: float
    subject: str = ""
    listed: bool = True
    before: dict[str, Any] | None = None
    lags_until: float = 0
    seen: bool = False


@dataclass(slots=True)
class Account:
    """What a seller was given: the application's key and secret, and the token of the shop."""

    app_key: str
    app_secret: str
    token: str
    refresh_token: str = ""
    push_secret: str = ""
    """A Standard Webhooks secret (`whsec_...`), where pushes are signed so."""
    expired: set[str] = field(default_factory=set)
    """Tokens that were good once."""

    def expire(self) -> None:
        """The token stops being good; only a refresh gives a new one."""
        self.expired.add(self.token)

    def accepts(self, token: str) -> bool:
        return token == self.token and token not in self.expired

    def renew(self) -> None:
        """A fresh pair; the old ones stop being good."""
        self.expire()
        turn = len(self.expired)
        self.token = f"{self.token.partition('~')[0]}~{turn}"
        self.refresh_token = f"{self.refresh_token.partition('~')[0]}~{turn}"


class Shop:
    """A seller's orders and refunds on one platform, as they are now."""

    def __init__(self, name: str, account: Account) -> None:
        self.name, self.account = name, account
        self._records: dict[tuple[str, str], Record] = {}

    def put(self, record: Record) -> None:
        """Create it, or replace what is there: it moves to its new place in every list."""
        old = self._records.get((record.kind, record.key))
        if old is not None:
            record.before = old.before if old.body == record.body else old.body
            record.created = old.created
        self._records[record.kind, record.key] = record

    def get(self, kind: str, key: str) -> Record | None:
        return self._records.get((kind, key))

    def lag(self, kind: str, key: str, until: float) -> None:
        """Until then every answer shows this record as it was one change ago: a replica that lags behind."""
        self._records[kind, key].lags_until = until

    def between(self, kind: str, start: float, end: float, *, by: str = "modified") -> list[Record]:
        """What lies in [start, end], both ends inclusive, oldest first. `by` is "modified" or "created"."""
        rows = [r for r in self._records.values() if r.kind == kind and r.listed and start <= getattr(r, by) <= end]
        return sorted(rows, key=lambda r: (getattr(r, by), r.key))

    def all(self, kind: str) -> list[Record]:
        """Every record of a kind, oldest change first."""
        return self.between(kind, float("-inf"), float("inf"))


class Throttle:
    """So many calls in any second, counted as the platforms do: a sliding window."""

    def __init__(self, per_second: int) -> None:
        self.per_second = per_second
        self._calls: deque[float] = deque()

    def wait(self, now: float) -> float:
        """0 when the call is let in, else the seconds after which one would be."""
        while self._calls and self._calls[0] <= now - 1:
            self._calls.popleft()
        if len(self._calls) >= self.per_second:
            return self._calls[0] + 1 - now
        self._calls.append(now)
        return 0


@dataclass(frozen=True, slots=True)
class BadDay:
    """A stretch in which a server misbehaves: from `start` to `end`, in seconds after the sandbox started.

    `what` is "error" (answers `status`, an HTML page as gateways do), "slow" (waits `delay` seconds, then answers) or
    "cut" (closes the connection). `every` 3 means every third request.
    """

    what: str
    start: float = 0
    end: float = float("inf")
    every: int = 1
    status: int = 503
    delay: float = 2


class Weather:
    """The bad days of one server."""

    def __init__(self, days: Iterable[BadDay], began: float) -> None:
        self.days = list(days)
        self._began = began
        self._seen = 0

    async def strike(self, now: float) -> Response | None:
        """What to answer instead, or None when the sky is clear (perhaps after a wait)."""
        self._seen += 1
        for day in self.days:
            if day.start <= now - self._began < day.end and self._seen % day.every == 0:
                if day.what == "slow":
                    await asyncio.sleep(day.delay)
                elif day.what == "cut":
                    return Cut()
                else:
                    return Response("<html><body>gateway trouble</body></html>", day.status, media_type="text/html")
        return None


class Platform(ABC):
    """One imitated platform with one shop.

    A channel's file gives the routes, checks a request's signature, answers it, writes its error envelope, and signs
    pushes. Requests are counted in `calls`: by what was asked, and "refused".
    """

    code: ClassVar[str]

    def __init__(
        self,
        shop: Shop,
        *,
        clock: Clock = WALL_CLOCK,
        limit: int | None = None,
        days: Iterable[BadDay] = (),
    ) -> None:
        self.shop, self.clock = shop, clock
        self.throttle = Throttle(limit) if limit else None
        self.weather = Weather(days, clock())
        self.calls: dict[str, int] = {}

    @abstractmethod
    def routes(self) -> list[BaseRoute]:
        """Paths below /<code>."""

    @abstractmethod
    def reply(self, request: Request, raw: bytes) -> Response:
        """Check and answer one request. Raises Rejected."""

    @abstractmethod
    def refuse(self, why: Rejected, request: Request) -> Response:
        """The platform's error envelope."""

    def message(self, step: Step, message_id: str) -> bytes:
        """The body of the push that tells of a step."""
        raise LookupError(f"{self.code} pushes nothing over HTTP")

    def sign_push(self, body: bytes, message_id: str, topic: str = "", age: float = 0) -> dict[str, str]:
        """Headers of a push with this body, signed `age` seconds ago. Platforms without such pushes keep this."""
        raise LookupError(f"{self.code} pushes nothing over HTTP")

    def acknowledged(self, response: httpx.Response) -> bool:
        """Whether the hub's answer to a push is the yes that this platform waits for."""
        return response.is_success

    async def serve(self, request: Request) -> Response:
        """Every request comes through here."""
        raw = await request.body()
        spoiled = await self.weather.strike(self.clock())
        if spoiled is not None:
            self.count("spoiled")
            return spoiled
        try:
            return self.reply(request, raw)
        except Rejected as why:
            self.count("refused")
            return self.refuse(why, request)

    def shown(self, record: Record, *, whole: bool = True) -> dict[str, Any]:
        """What an answer holds of a record: a copy, of its former state while a replica lags."""
        lags = record.before is not None and self.clock() < record.lags_until
        record.seen |= whole and not lags
        return copy.deepcopy(record.before if lags and record.before is not None else record.body)

    def count(self, what: str) -> None:
        self.calls[what] = self.calls.get(what, 0) + 1

    def admit(self) -> float:
        """Seconds to wait when the limit is reached, else 0."""
        return self.throttle.wait(self.clock()) if self.throttle else 0


def page_of(rows: list[Record], page: int, size: int) -> list[Record]:
    """Page `page` (from 0) of rows as they are now."""
    return rows[page * size : (page + 1) * size]


def after(rows: list[Record], mark: tuple[float, str], size: int) -> list[Record]:
    """The rows behind a cursor (modified, key); rows are oldest first."""
    places = [(r.modified, r.key) for r in rows]
    start = bisect.bisect_right(places, mark)
    return rows[start : start + size]


def pick(body: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Only the members that were asked for, as platforms with a `fields` parameter answer."""
    asked = {n.strip().split(".")[0] for n in names}
    return {k: v for k, v in body.items() if k in asked}
