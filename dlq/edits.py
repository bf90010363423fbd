"""What people changed of a dead letter's document or record before it goes on. The original stays as it came."""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Column, Connection, Double, Integer, String, Table, Text, and_, insert, select, update

from dlq.groups import Id, metadata
from dlq.letter import State
from dlq.shelf import letters

edits = Table(
    "dead_letter_edits",
    metadata,
    Column("letter_id", Id, primary_key=True, autoincrement=False),
    Column("edition", Integer, primary_key=True, autoincrement=False),
    Column("at", Double, nullable=False),
    Column("actor", String(64), nullable=False),
    Column("why", Text, nullable=False, server_default=""),
    Column("changes", Text, nullable=False),  # JSON: [path, before, after], against the original
)


def claim(connection: Connection, letter_id: int, expected: int, now: float) -> bool:
    """Take the next edition of an open letter. False where somebody was faster: it has another edition by now."""
    mine = and_(letters.c.id == letter_id, letters.c.state == State.OPEN, letters.c.edition == expected)
    done = connection.execute(update(letters).where(mine).values(edition=expected + 1, updated_at=now))
    return bool(done.rowcount)


def keep(
    connection: Connection, letter_id: int, edition: int, actor: str, why: str, changes: Sequence[Any], now: float
) -> None:
    """Keep who changed what."""
    told = json.dumps([list(change) for change in changes], ensure_ascii=False, default=str)
    row = {"letter_id": letter_id, "edition": edition, "at": now, "actor": actor, "why": why, "changes": told}
    connection.execute(insert(edits).values(**row))


def of(connection: Connection, letter_id: int) -> list[dict[str, Any]]:
    """Every edition of a letter, oldest first."""
    rows = connection.execute(select(edits).where(edits.c.letter_id == letter_id).order_by(edits.c.edition)).mappings()
    return [{**row, "changes": json.loads(row["changes"])} for row in rows]


def erase(connection: Connection, ids: Sequence[int]) -> None:
    """Take out of these letters' editions what was there before and after; which places were changed stays."""
    for row in connection.execute(select(edits).where(edits.c.letter_id.in_(list(ids)))).mappings().all():
        paths = json.dumps([[path, "erased", "erased"] for path, _, _ in json.loads(row["changes"])])
        mine = and_(edits.c.letter_id == row["letter_id"], edits.c.edition == row["edition"])
        connection.execute(update(edits).where(mine).values(changes=paths, why="erased"))
