"""The contract between the hub and everything that knows a vendor's wire.

An adapter does no I/O, keeps no state between calls, has no clock and never retries. Where it needs the network it
is a generator (`Talk`): it yields an `httpx.Request`, is handed the `httpx.Response`, and returns its result. Retry,
circuit breaker, throttle, timeout, masking and the exchange log live once, in `hub/wire.py`. Every method may run in
several threads at once, and may be called again with the same delivery.
"""

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, Protocol, TypeVar

import httpx
from pydantic import BaseModel

from canonical.errors import HubError

T = TypeVar("T")
Talk = Generator[httpx.Request, httpx.Response, T]
"""A conversation: yields requests, receives responses (fully read, any status), returns T or raises HubError."""


class Capability(StrEnum):
    """What a channel can do. A missing one means: the platform cannot, or we have not written it (see its page)."""

    WEBHOOK = "webhook"
    PULL_ORDERS = "pull orders"
    PULL_REFUNDS = "pull refunds"
    FETCH = "fetch"
    TOKEN_REFRESH = "token refresh"  # noqa: S105  # a capability's name
    SHIPMENT_BACK = "shipment back"
    STOCK_BACK = "stock back"


@dataclass(frozen=True, slots=True)
class Envelope:
    """One record of a platform as it came: still in the platform's words.

    `key` is the record's own number on the platform, as text. `subject` is the order that it belongs to (equal to
    `key` for orders; a refund's order), "" where the platform does not say. `revision` is the platform's own mark of
    when it last changed, as text, "" if none. `message_id` is the platform's id of this very message, where it has
    one that is equal on a redelivery ("" otherwise: the hub then compares the content).
    Tenant, shop, time of arrival and way (push, pull, file) are the hub's to add.
    """

    kind: str
    key: str
    body: Any
    revision: str = ""
    subject: str = ""
    message_id: str = ""


@dataclass(frozen=True, slots=True)
class Hint:
    """A thin event: says that something changed, not what. The hub fetches it."""

    kind: str
    key: str
    message_id: str = ""
    body: Any = None


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a pull. `next_cursor` is opaque text for the next talk, or None at the end of the window."""

    envelopes: list[Envelope]
    next_cursor: str | None = None
    hints: list[Hint] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Window:
    """A half-open span of modification time [start, end), both UTC; the end lies in the past and never moves."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Reply:
    """What the hub answers to a push, in the platform's own words."""

    status: int
    body: bytes = b""
    media_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class Credentials:
    """Fresh tokens of a shop; `settings` holds the Settings fields that replace the old ones, as plain text."""

    settings: Mapping[str, str]
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One document on its way to one destination.

    `body` is what to send: the canonical document (JSON-ready) or the result of the destination's mapping.
    `idempotency_key` is the same on every attempt. `key` is the document's number, `subject` its order's.
    `root` is the name of the outermost element if the body goes out as XML.
    """

    id: str
    tenant: str
    destination: str
    kind: str
    shop: str
    key: str
    subject: str
    revision: str
    sequence: int
    idempotency_key: str
    body: Any
    attempt: int = 1
    root: str = "request"


@dataclass(frozen=True, slots=True)
class Receipt:
    """The destination has it. `reference` is its own number; `already_there` when it told us it was a duplicate."""

    reference: str = ""
    already_there: bool = False


class Channel(Protocol):
    """A platform that sells. The module adapters/channels/<code>.py exports its class as `ADAPTER`.

    An instance belongs to one shop: `ADAPTER(settings)`. Settings is a pydantic model, `extra="forbid"`; secrets are
    `SecretStr`; every field has a description (it becomes the reference page).
    """

    title: ClassVar[str]
    kinds: ClassVar[tuple[str, ...]]
    capabilities: ClassVar[frozenset[Capability]]
    Settings: ClassVar[type[BaseModel]]

    def __init__(self, settings: Any) -> None: ...

    def verify(self, headers: Mapping[str, str], raw: bytes, now: datetime) -> None:
        """Prove the sender of a push over its raw bytes. Header names are lower-case. Raises SignatureRejected."""

    def unpack(self, headers: Mapping[str, str], raw: bytes, now: datetime) -> Iterator[Envelope | Hint]:
        """Split a verified push into records. Raises NotUnderstood."""

    def acknowledge(self, error: HubError | None) -> Reply:
        """Answer a push: None means that everything in it is on disk."""

    def read(self, body: Any, kind: str | None = None) -> Iterator[Envelope | Hint]:
        """Split anything that the platform answers or pushes, already parsed, into records: list pages, single
        answers, bare records, push bodies. `kind` narrows it. Raises NotUnderstood, or the class that the
        platform's error envelope means. `hub map` and `pull` both read through here."""

    def pull(self, kind: str, window: Window, cursor: str | None, now: datetime) -> Talk[Page]:
        """One page of what changed inside the window, by the platform's own paging rules."""

    def fetch(self, kind: str, key: str, now: datetime) -> Talk[Envelope]:
        """One record by its number."""

    def refresh(self, now: datetime) -> Talk[Credentials | None]:
        """Fresh tokens, or None where the platform has no refresh."""

    def tell(self, change: Mapping[str, Any], now: datetime) -> Talk[Receipt]:
        """Report a shipment or a stock figure (a canonical document as plain data) back to the platform."""


class Destination(Protocol):
    """A system that receives documents. adapters/destinations/<code>.py exports its class as `ADAPTER`."""

    title: ClassVar[str]
    Settings: ClassVar[type[BaseModel]]
    can_look_up: bool

    def __init__(self, settings: Any) -> None: ...

    def push(self, delivery: Delivery, now: datetime) -> Talk[Receipt]:
        """Send one document. Raises Refused, Unavailable or NotAuthorised."""

    def look_up(self, delivery: Delivery, now: datetime) -> Talk[Receipt | None]:
        """Ask whether the destination already has it (None: it does not). Called when an outcome is in doubt."""


@dataclass(frozen=True, slots=True)
class Alert:
    """What somebody shall hear. `id` is the same each time that it is told."""

    id: str
    title: str
    lines: tuple[str, ...] = ()


class Notifier(Protocol):
    """A service through which people are told. adapters/notifiers/<code>.py exports its class as `ADAPTER`."""

    title: ClassVar[str]
    Settings: ClassVar[type[BaseModel]]
    per_minute: ClassVar[int]
    """Messages that the service takes in a minute, with some to spare."""

    def __init__(self, settings: Any) -> None: ...

    def tell(self, alert: Alert, now: datetime) -> Talk[None]:
        """Send one. Raises Unavailable, or Refused where the settings are wrong."""
