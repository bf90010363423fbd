"""The audit log: every act of a person or a token, and the hub's own turns. Append-only, chained by hash.

Each entry's hash covers its own words and the hash of the one before, so that no entry can be changed, taken out or
put in between without breaking all that follow. The database refuses to change or remove entries (triggers); the
chain shows it where somebody got round that. Entries cut off at the end are found by a head that was noted elsewhere.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select

from hub.store.engine import lock_lanes
from hub.store.tables import audit

BEGIN = "0" * 64
"""The hash before the first entry."""
_PART = 1000


@dataclass(frozen=True, slots=True)
class Verdict:
    """What reading the whole chain showed. `broken` is the id of the first entry that does not fit, or None."""

    entries: int
    head: str
    broken: int | None = None
    why: str = ""
    missing: str = ""  # a head that was expected and is nowhere in the chain

    @property
    def whole(self) -> bool:
        """Whether nothing was changed, removed or put in."""
        return self.broken is None and not self.missing


def write(connection: Connection, now: float, actor: str, act: str, subject: str, detail: str = "") -> None:
    """Append one entry. Late in a transaction: writers of the log wait for one another."""
    write_all(connection, now, actor, [(act, subject, detail)])


def write_all(connection: Connection, now: float, actor: str, acts: Sequence[tuple[str, str, str]]) -> None:
    """Append (act, subject, detail) of one actor, in order."""
    if not acts:
        return
    lock_lanes(connection, ["audit"])
    last = connection.execute(select(audit.c.hash).order_by(audit.c.id.desc()).limit(1)).scalar()
    rows, before = [], last or BEGIN
    for act, subject, detail in acts:
        row = {"at": now, "actor": actor[:64], "act": act, "subject": subject[:200], "detail": detail}
        before = row["hash"] = seal(before, row)
        rows.append(row)
    connection.execute(insert(audit), rows)


def seal(before: str, row: Mapping[str, Any]) -> str:
    """The hash of an entry that follows on `before`: SHA-256 of both as JSON."""
    text = json.dumps([before, row["at"], row["actor"], row["act"], row["subject"], row["detail"]], ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def verify(connection: Connection, expected: str = "") -> Verdict:
    """Read the whole chain, in bounded memory. `expected`: a head noted earlier, which must be in the chain."""
    entries, before, seen = 0, BEGIN, not expected
    for row in _all(connection):
        if row["hash"] != seal(before, row):
            why = "its words or its place were changed, or entries before it were removed"
            return Verdict(entries, before, row["id"], why)
        before = row["hash"]
        seen = seen or before == expected
        entries += 1
    return Verdict(entries, before, missing="" if seen else expected)


def entries(connection: Connection, *, before: int | None = None, limit: int = 50) -> list[dict[str, Any]]:
    """Newest first; `before` is the id to go on from."""
    query = select(audit).order_by(audit.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(audit.c.id < before)
    return [dict(row) for row in connection.execute(query).mappings()]


def _all(connection: Connection) -> Iterator[dict[str, Any]]:
    reached = 0
    while True:
        query = select(audit).where(audit.c.id > reached).order_by(audit.c.id).limit(_PART)
        part = [dict(row) for row in connection.execute(query).mappings()]
        yield from part
        if len(part) < _PART:
            return
        reached = part[-1]["id"]
