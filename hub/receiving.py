"""From a push's bytes or a page's records to messages as they are stored."""

import asyncio
import hashlib
import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

import orjson
import structlog

from adapters.port import Channel, Envelope, Hint
from canonical.errors import HubError, InternalError, SignatureRejected
from hub.store import StoreError, inbox
from hub.store.inbox import Incoming

log = structlog.get_logger("hub.receiving")
T = TypeVar("T")

RAW = "raw"
"""Kind of a message that was signed but not understood: it keeps its bytes and headers until it can be unpacked."""
LONGEST = 128
"""Characters of a record's number that are kept beside it, to find it by; a longer one is no number of an order."""
_SECRET = re.compile(r"authorization|token|secret|cookie|sign|hmac", re.I)


@dataclass(slots=True)
class ShopFront:
    """A configured shop with its channel adapter, which is replaced when the shop's tokens are refreshed."""

    name: str
    tenant: str
    code: str
    channel: Channel
    mappings: str  # the folder under mappings/channels
    overlay: str = ""  # a mapping in it (or folder/name) that this shop puts over the channel's
    rebuild: Callable[[Mapping[str, str]], Channel] | None = None  # the adapter with other tokens
    tokens_at: float = 0.0  # when the tokens in use were fetched (epoch seconds); 0.0: they are those of hub.toml
    renewing: asyncio.Lock = field(default_factory=asyncio.Lock)


def unpack(shop: ShopFront, headers: Mapping[str, str], raw: bytes, now: datetime) -> list[Incoming]:
    """A verified push as messages. What is not understood becomes one raw message: it will be a dead letter."""
    try:
        return [incoming(shop, record, "push", now) for record in shop.channel.unpack(headers, raw, now)]
    except HubError:
        pass
    except Exception as error:  # an adapter's own mistake must not lose a signed message
        log.exception("unpack.failed", shop=shop.name, error=type(error).__name__)
    kept = {k: v.partition("?")[0] for k, v in headers.items() if not _SECRET.search(k)}
    digest = hashlib.sha256(b"\0".join([shop.name.encode(), b"raw", raw])).hexdigest()
    stamp = now.timestamp()
    packed = inbox.compress(raw)
    text = orjson.dumps(kept).decode()
    return [Incoming(shop.tenant, shop.name, shop.code, RAW, "", "", "", "push", digest, packed, stamp, headers=text)]


def incoming(shop: ShopFront, record: Envelope | Hint, via: str, now: datetime) -> Incoming:
    """A record as it is stored. Equal digests mean the same message; see `digest_of`."""
    stamp = now.timestamp()
    body, key = encode(record.body), record.key[:LONGEST]
    if isinstance(record, Hint):
        digest = digest_of(shop.name, "hint", record, record.message_id or f"{stamp!r}/{record.body!r}", b"")
        return Incoming(
            shop.tenant, shop.name, shop.code, record.kind, key, "", "", via, digest,
            inbox.compress(body), stamp, inbox.FETCH,
        )  # fmt: skip
    identity = record.message_id or (record.revision and "content") or f"{stamp!r}"
    digest = digest_of(shop.name, record.kind, record, identity, b"" if record.message_id else body)
    return Incoming(
        shop.tenant, shop.name, shop.code, record.kind, key, (record.subject or key)[:LONGEST],
        record.revision[:64], via, digest, inbox.compress(body), stamp,
    )  # fmt: skip


def digest_of(shop: str, kind: str, record: Envelope | Hint, identity: str, body: bytes) -> str:
    """By the platform's own message id where it has one; else by content, if that says when it was made."""
    head = f"{shop}\0{kind}\0{record.key}\0{identity}".encode()
    return hashlib.sha256(head + b"\0" + body).hexdigest()


def encode(body: Any) -> bytes:
    """A record as JSON bytes. Integers beyond 64 bits go through the slower standard library."""
    try:
        return orjson.dumps(body)
    except (TypeError, orjson.JSONEncodeError):
        return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def accepted_counts(items: Sequence[Incoming], repeats: Sequence[Incoming]) -> dict[tuple[str, ...], float]:
    """What the counters learn of accepted messages."""
    counts: dict[tuple[str, ...], float] = {}
    for item in items:
        accepted = ("accepted", item.channel, item.kind, item.via)
        counts[accepted] = counts.get(accepted, 0) + 1
    for item in repeats:
        ignored = ("ignored", item.channel, "duplicate")
        counts[ignored] = counts.get(ignored, 0) + 1
    return counts


def rejected(shop: ShopFront, raw: bytes, error: SignatureRejected, sender: str, now: datetime) -> dict[str, Any]:
    """A quarantine row: enough to find the cause, nothing of the body."""
    return {
        "shop": shop.name,
        "at": now.timestamp(),
        "code": error.code,
        "why": error.message[:300],
        "size": len(raw),
        "digest": hashlib.sha256(raw).hexdigest(),
        "sender": sender[:64],
    }


async def guarded(work: Awaitable[T]) -> T:
    """Await an adapter's work; its own mistakes come out as InternalError, the store's errors as they are."""
    try:
        return await work
    except (HubError, StoreError):  # the shop's budget lies in the store; the adapter knows no store
        raise
    except Exception as error:
        log.exception("adapter.failed")
        raise internal(error) from error


def internal(error: Exception) -> InternalError:
    """Our own mistake as an error that goes with the message."""
    return InternalError(f"{type(error).__name__}: {error}", evidence={"type": type(error).__name__})
