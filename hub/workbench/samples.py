"""Stored messages and documents of one order, as samples for a mapping's author."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from canonical.errors import HubError
from canonical.parsing import parse_json
from hub import desk
from hub.store import Connection, history, inbox, views


@dataclass(frozen=True, slots=True)
class Sample:
    """A record as it came, parsed, and whose it is. `message` is its id in the store."""

    record: Any
    kind: str
    key: str
    own: dict[str, str] = field(default_factory=dict)
    message: int | None = None

    @property
    def shop(self) -> str:
        """The shop that it came for, "" where nobody said."""
        return self.own.get("shop", "")


def of_order(connection: Connection, number: str, kind: str, shop: str = "") -> list[Sample]:
    """The records of a kind that are stored for an order (its number, or the one that people see), newest first.

    Raises desk.NotFound, which tells what there is instead.
    """
    story = views.trace(connection, number)
    if not story["messages"]:
        raise desk.NotFound(f"the hub has never seen {number}", hint="hub orders list")
    mine = [m for m in story["messages"] if m["kind"] == kind and shop in ("", m["shop"])]
    found = list(_read(history.bodies(connection, [m["id"] for m in mine if m["subject"] or not m["key"]])))
    if not found:
        held = ", ".join(sorted({f"{m['kind']} of shop {m['shop']}" for m in story["messages"]}))
        why = "no longer keeps" if mine else "has never had"
        told = f"the store {why} a {kind} message of {number}" + (f" and shop {shop}" if shop else "")
        raise desk.NotFound(f"{told}; there are: {held}", hint=f"hub trace {number}")
    return found[::-1]


def document_of(connection: Connection, number: str, kind: str, shop: str = "") -> list[Sample]:
    """The documents of that number, for destinations' mappings. Raises desk.NotFound."""
    rows = views.document(connection, number, kind=kind, shop=shop or None)
    if not rows:
        raise desk.NotFound(f"the store has no {kind} {number}", hint="hub orders list")
    return [Sample(row["body"], kind, number, {"shop": row["shop"]}) for row in rows]


def _read(rows: Iterable[dict[str, Any]]) -> Iterable[Sample]:
    for row in rows:
        try:
            record = parse_json(inbox.decompress(row["body"]))
        except HubError:  # kept as it came: nothing that a mapping could read
            continue
        own = {name: str(row[name]) for name in ("tenant", "shop", "channel")}
        yield Sample(record, row["kind"], row["key"], own, row["id"])
