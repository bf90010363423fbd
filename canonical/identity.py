"""Which document it is, whether it is newer than the one we have, and whether anything in it changed."""

import hashlib
from enum import StrEnum
from typing import Any, NamedTuple, TypeVar, cast

from canonical.fields import VOLATILE, Document
from canonical.invoice import Invoice
from canonical.order import Order, Receiver
from canonical.refund import Refund
from canonical.serialise import exact
from canonical.shipment import Shipment
from canonical.stock import Stock

D = TypeVar("D", bound=Document)

_FINAL_ORDER = frozenset({"completed", "cancelled"})
_FINAL_REFUND = frozenset({"refunded", "rejected", "cancelled"})
_INVOICE_RANK = {"requested": 0, "failed": 0, "issued": 1, "void": 2}


class Key(NamedTuple):
    """Which document it is, within its tenant. `shop` is the warehouse for stock, "" for an invoice."""

    kind: str
    shop: str
    number: str


class Verdict(StrEnum):
    """What a message means for the document that we have."""

    NEW = "new"
    """There is none yet."""
    NEWER = "newer"
    """It takes the stored one's place, and something changed."""
    SAME_CONTENT = "same_content"
    """A newer revision without a business change: remembered, nothing to deliver."""
    DUPLICATE = "duplicate"
    """The same revision and the same content: counted, nothing sent."""
    STALE = "stale"
    """An older revision, or an equal one that would step back from a final state: counted, nothing sent."""

    @property
    def taken(self) -> bool:
        """Whether the document takes the stored one's place."""
        return self in (Verdict.NEW, Verdict.NEWER, Verdict.SAME_CONTENT)

    @property
    def delivered(self) -> bool:
        """Whether there is something to deliver."""
        return self in (Verdict.NEW, Verdict.NEWER)


class Settled(NamedTuple):
    """`document` is what holds from now on, `content` its hash, `why` says more about a verdict of stale."""

    verdict: Verdict
    document: Any
    content: str
    why: str = ""


def key_of(document: Document) -> Key:
    """The document's identity within its tenant: kind, shop, number."""
    match document:
        case Order():
            return Key("order", document.shop, document.order_no)
        case Refund():
            return Key("refund", document.shop, document.refund_no)
        case Shipment():
            return Key("shipment", document.shop, document.shipment_no)
        case Stock():
            return Key("stock", document.warehouse, document.sku)
        case Invoice():
            return Key("invoice", "", document.request_no)
    raise TypeError(f"not a document of the canonical model: {type(document).__name__}")


def subject_of(document: Document) -> str:
    """The order that the document is about ("" for stock; the first one of an invoice over several)."""
    if isinstance(document, Invoice):
        return document.order_nos[0] if document.order_nos else ""
    return str(getattr(document, "order_no", ""))


def is_final(document: Document) -> bool:
    """Whether the document's state says that nothing more will happen."""
    return _rank(document) > 0


def content_hash(document: Document) -> str:
    """32 hex digits that change when the content does: all but `revision` and what is volatile in `extra`.

    Fields at their defaults do not count, so that a field added to the model later makes no content new; neither do
    zeros at the end of an amount, nor the order of names in `extra`.
    """
    plain = _without_volatile(exact(document))
    text = plain.model_dump_json(
        by_alias=True, exclude={"revision"}, exclude_defaults=True, exclude_computed_fields=True
    )
    return hashlib.blake2b(f"{document.document_kind} {text}".encode(), digest_size=16).hexdigest()


def merge(stored: D | None, new: D) -> D:
    """The newer of two versions of one document, with the address of the other one if only that has one.

    A later message without an address never erases a stored one, nor does one whose address is hidden by the
    platform replace the same place in clear; an address that arrives late is still taken.
    """
    if stored is None:
        return new
    newest, other = (stored, new) if _is_older(new, stored) else (new, stored)
    if not (isinstance(newest, Order) and isinstance(other, Order)) or not _better(other.receiver, newest.receiver):
        return newest
    holds = tuple(hold for hold in newest.holds if hold.code != "address_missing")
    return cast("D", newest.model_copy(update={"receiver": other.receiver, "holds": holds}))


def settle(stored: D | None, new: D, *, stored_content: str = "", erased: bool = False) -> Settled:
    """Weigh a message against the document that we have; `stored_content` spares hashing that one again.

    An older message that still knows the address is no news but for the address: the verdict is newer, and the
    document is the stored one completed; not where that was `erased`.
    """
    if stored is None:
        return Settled(Verdict.NEW, new, content_hash(new))
    older = _is_older(new, stored)
    before = stored_content or content_hash(stored)
    merged = merge(stored, new)
    if merged is stored or (older and erased):
        return Settled(Verdict.STALE, stored, before, "an older revision than the one we have")
    content = content_hash(merged)
    if content == before:
        same_moment = older or _revision(new) == _revision(stored)
        return Settled(Verdict.DUPLICATE if same_moment else Verdict.SAME_CONTENT, merged, content)
    if _revision(new) == _revision(stored) and _rank(new) < _rank(stored):
        return Settled(Verdict.STALE, stored, before, "would step back from a final state at the same revision")
    return Settled(Verdict.NEWER, merged, content)


def compare(stored: D | None, new: D) -> Verdict:
    """The verdict of `settle` alone."""
    return settle(stored, new).verdict


def _revision(document: Document) -> Any:
    return getattr(document, "revision", None)


def _is_older(new: Document, stored: Document) -> bool:
    """Invoices have no revision: what comes later is newer."""
    return not isinstance(new, Invoice) and bool(_revision(new) < _revision(stored))


def _rank(document: Document) -> int:
    """How final the state is: 0 while something may still happen. Never falls within one revision."""
    match document:
        case Order():
            return int(document.state in _FINAL_ORDER)
        case Refund():
            return int(document.state in _FINAL_REFUND)
        case Invoice():
            return _INVOICE_RANK[document.state]
    return 0


def _better(other: Receiver | None, newest: Receiver | None) -> bool:
    """Whether the other version's address is to be kept in place of the newest one's."""
    if other is None or not (other.street or other.token):
        return False
    if newest is None or not (newest.street or newest.token):
        return True
    return newest.masked and not other.masked and _place(other) == _place(newest)


def _place(receiver: Receiver) -> tuple[str | None, ...]:
    """What stays readable of an address when the platform hides it."""
    return receiver.token, receiver.country, receiver.province, receiver.city, receiver.district


def _without_volatile(document: D) -> D:
    changes: dict[str, Any] = {}
    extra = getattr(document, "extra", None)
    if extra:
        changes["extra"] = _ordered(extra)
    if isinstance(document, Order) and any(line.extra for line in document.lines):
        changes["lines"] = tuple(
            line.model_copy(update={"extra": _ordered(line.extra)}) if line.extra else line for line in document.lines
        )
    return document.model_copy(update=changes) if changes else document


def _ordered(extra: dict[str, Any]) -> dict[str, Any]:
    return {name: _sorted(value) for name, value in sorted(extra.items()) if name != VOLATILE}


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _sorted(inner) for name, inner in sorted(value.items())}
    if isinstance(value, (list, tuple)):
        return [_sorted(inner) for inner in value]
    return value
