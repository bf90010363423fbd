"""Where dead letters lie. Every function works on a given connection and never commits."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Double,
    Index,
    Integer,
    RowMapping,
    String,
    Table,
    Text,
    bindparam,
    insert,
    literal_column,
    select,
    update,
)

from dlq import groups
from dlq.groups import Change, Id, metadata
from dlq.letter import DeadLetter, State

_ALIVE = "state in ('open','replaying')"

letters = Table(
    "dead_letters",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("about", String(160), nullable=False),
    Column("tenant", String(64), nullable=False),
    Column("step", String(16), nullable=False),
    Column("cause", String(64), nullable=False),
    Column("title", String(300), nullable=False),
    Column("fingerprint", String(32), nullable=False),
    Column("shop", String(64), nullable=False),
    Column("channel", String(64), nullable=False),
    Column("destination", String(64), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("key", String(128), nullable=False),
    Column("subject", String(128), nullable=False),
    Column("revision", String(64), nullable=False),
    Column("message_id", Id),
    Column("delivery_id", Id),
    Column("problems", Text, nullable=False),
    Column("evidence", Text, nullable=False),
    Column("hint", String(300), nullable=False),
    Column("mapping_version", String(128), nullable=False),
    Column("state", String(16), nullable=False),
    Column("owner", String(64), nullable=False, server_default=""),
    Column("died", Integer, nullable=False, server_default="1"),  # how often, replays included
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    Column("closed_at", Double),
    Column("closed_by", String(64), nullable=False, server_default=""),
    Column("closed_why", Text, nullable=False, server_default=""),
    Column("currency", String(8), nullable=False, server_default=""),
    Column("stake", Id, nullable=False, server_default="0"),  # in ten-thousandths of the currency's unit
    Column("edition", Integer, nullable=False, server_default="0"),  # how often a person changed what is to go on
    Index("dead_letters_by_state", "state", "id"),
    Index("dead_letters_alive", "about", unique=True, info={"where": _ALIVE}),
    Index("dead_letters_by_group", "state", "fingerprint", "id"),
    Index("dead_letters_by_subject", "subject"),
    Index("dead_letters_by_message", "message_id"),
    Index("dead_letters_by_key", "key", "kind", "shop", info={"where": _ALIVE}),
)

notes = Table(
    "dead_letter_notes",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("letter_id", Id, nullable=False, index=True),
    Column("at", Double, nullable=False),
    Column("actor", String(64), nullable=False),
    Column("text", Text, nullable=False),
)

_alive = letters.c.state.in_([literal_column("'open'"), literal_column("'replaying'")])
"""Written out: SQLite uses a partial index only where it can read its condition."""


def put(connection: Connection, new: Sequence[DeadLetter], now: float) -> None:
    """Shelve letters. What died again keeps its letter: the newest problems, state open, one more death."""
    if not new:
        return
    rows = {letter.about: _row(letter, now) for letter in new}
    columns = (letters.c.id, letters.c.about, letters.c.fingerprint, letters.c.currency, letters.c.stake)
    known = connection.execute(select(*columns).where(letters.c.about.in_(list(rows)), _alive)).all()
    changes: list[Change] = []
    for row in known:
        fresh = {k: v for k, v in rows.pop(row.about).items() if k not in ("about", "created_at", "died")}
        connection.execute(update(letters).where(letters.c.id == row.id).values(died=letters.c.died + 1, **fresh))
        changes += [_ended(row), _died(fresh | {"id": row.id})]
    if rows:
        stored = insert(letters).returning(letters.c.id, letters.c.about)
        ids = {row.about: row.id for row in connection.execute(stored, list(rows.values()))}
        changes += [_died(row | {"id": ids[about]}) for about, row in rows.items()]
    groups.keep(connection, changes, now)


def _died(row: dict[str, Any]) -> Change:
    return Change(row["fingerprint"], 1, row["currency"], row["stake"], died=True, sample=row)


def _ended(row: Any) -> Change:
    return Change(row.fingerprint, -1, row.currency, row.stake)


def close(
    connection: Connection, about: Iterable[str], state: State, now: float, *, by: str = "hub", why: str = ""
) -> int:
    """End the living letters about these; returns how many."""
    names = list(about)
    if not names:
        return 0
    return _end(connection, letters.c.about.in_(names), state, now, by, why)


def _end(connection: Connection, which: Any, state: State, now: float, by: str, why: str) -> int:
    ended = connection.execute(
        update(letters)
        .where(which, _alive)
        .values(state=state, closed_at=now, updated_at=now, closed_by=by, closed_why=why)
        .returning(letters.c.fingerprint, letters.c.currency, letters.c.stake)
    ).all()
    groups.keep(connection, [_ended(row) for row in ended], now)
    return len(ended)


def supersede(
    connection: Connection, documents: Sequence[tuple[int, tuple[str, str, str, str]]], now: float
) -> list[tuple[int, int]]:
    """Documents are known as of these messages: close what died of them before.

    Takes (message id, (shop, kind, key, revision)) of each; gives (message id of the dead, of the one that beat it).
    Only letters of steps up to `route`, of older messages, and with a revision no newer.
    """
    places = {document[:3] for _, document in documents}
    beaten: list[tuple[int, int]] = []
    for row in connection.execute(_OF_KEYS, {"keys": sorted({key for _, _, key in places})}).all():
        if (row.shop, row.kind, row.key) not in places:
            continue
        place = (row.shop, row.kind, row.key)
        newer = [m for m, d in documents if d[:3] == place and m > row.message_id and not_older(d[3], row.revision)]
        if not newer:
            continue
        beaten.append((row.message_id, newer[-1]))
        why = f"a newer revision went through (message {newer[-1]})"
        _end(connection, letters.c.id == row.id, State.SUPERSEDED, now, "hub", why)
    return beaten


_OF_KEYS = select(
    letters.c.id, letters.c.shop, letters.c.kind, letters.c.key, letters.c.revision, letters.c.message_id
).where(letters.c.key.in_(bindparam("keys", expanding=True)), letters.c.delivery_id.is_(None), _alive)


def not_older(revision: str, other: str) -> bool:
    """Whether a platform's mark is at least as new as another. Times count as instants, whatever their offset."""
    if revision.isdecimal() and other.isdecimal():
        return int(revision) >= int(other)
    try:
        return datetime.fromisoformat(revision) >= datetime.fromisoformat(other)
    except (TypeError, ValueError):  # no times, or only one of them has an offset
        return revision >= other


def erase(connection: Connection, tenant: str, shop: str, subject: str, now: float, *, by: str) -> list[int]:
    """Take out of an order's letters what might be personal; those about messages end, those about deliveries stay.
    Returns their ids."""
    mine = (letters.c.tenant == tenant) & (letters.c.shop == shop) & (letters.c.subject == subject)
    ids = list(connection.execute(select(letters.c.id).where(mine)).scalars())
    _end(connection, mine & letters.c.delivery_id.is_(None), State.DISCARDED, now, by, "the person's data was erased")
    empty = {"problems": "[]", "evidence": "{}", "title": letters.c.cause}
    connection.execute(update(letters).where(letters.c.id.in_(ids)).values(**empty))
    connection.execute(update(notes).where(notes.c.letter_id.in_(ids)).values(text="erased"))
    return ids


def find(
    connection: Connection,
    *,
    state: str | None = State.OPEN,
    before: int | None = None,
    limit: int = 50,
    subject: str | None = None,
    **equal: Any,
) -> list[dict[str, Any]]:
    """Newest first; `before` is the id to go on from; `equal` filters by column (shop, cause, fingerprint ...)."""
    query = select(letters).order_by(letters.c.id.desc()).limit(limit)
    if state:
        query = query.where(letters.c.state == state)
    if before is not None:
        query = query.where(letters.c.id < before)
    if subject:
        query = query.where((letters.c.subject == subject) | (letters.c.key == subject))
    for name, value in equal.items():
        if value not in (None, ""):
            query = query.where(letters.c[name] == value)
    return [shown(row) for row in connection.execute(query).mappings()]


def get(connection: Connection, letter_id: int) -> dict[str, Any] | None:
    """One letter with its notes, or None."""
    row = connection.execute(select(letters).where(letters.c.id == letter_id)).mappings().first()
    if row is None:
        return None
    found = shown(row)
    found["notes"] = _notes(connection, letter_id)
    return found


def of_orders(connection: Connection, orders: Iterable[str]) -> list[dict[str, Any]]:
    """Every letter about these orders with its notes, oldest first."""
    names = list(orders)
    about = letters.c.subject.in_(names) | letters.c.key.in_(names)
    found = [shown(row) for row in connection.execute(select(letters).where(about).order_by(letters.c.id)).mappings()]
    for letter in found:
        letter["notes"] = _notes(connection, letter["id"])
    return found


def ids_of_group(connection: Connection, fingerprint: str) -> list[int]:
    """Open letters of the one group whose fingerprint begins like this, oldest first; nothing if several do."""
    matches = letters.c.fingerprint.startswith(fingerprint, autoescape=True)
    rows = connection.execute(
        select(letters.c.id, letters.c.fingerprint).where(letters.c.state == State.OPEN, matches).order_by(letters.c.id)
    ).all()
    return [row.id for row in rows] if len({row.fingerprint for row in rows}) == 1 else []


def claim(connection: Connection, ids: Sequence[int], now: float) -> list[RowMapping]:
    """Take open letters for a replay; those that are gone or taken are left out."""
    query = select(letters).where(letters.c.id.in_(list(ids)), letters.c.state == State.OPEN).order_by(letters.c.id)
    if connection.dialect.name == "postgresql":
        query = query.with_for_update()
    rows = list(connection.execute(query).mappings())
    if rows:
        connection.execute(
            update(letters)
            .where(letters.c.id.in_([r["id"] for r in rows]))
            .values(state=State.REPLAYING, updated_at=now)
        )
    return rows


def unclaim(connection: Connection, ids: Sequence[int], now: float) -> None:
    """Letters that were taken for a replay and could not go are open again."""
    if ids:
        mine = letters.c.id.in_(sorted(ids)) & (letters.c.state == State.REPLAYING)
        connection.execute(update(letters).where(mine).values(state=State.OPEN, updated_at=now))


def replaying(connection: Connection, about: Sequence[str]) -> dict[str, int]:
    """Which of these are on their way again: what they are about, to the letter."""
    mine = letters.c.about.in_(sorted(about)) & (letters.c.state == State.REPLAYING)
    return {row.about: row.id for row in connection.execute(select(letters.c.id, letters.c.about).where(mine))}


def subjects(connection: Connection, ids: Sequence[int]) -> dict[int, str]:
    """The order of each letter."""
    rows = connection.execute(select(letters.c.id, letters.c.subject).where(letters.c.id.in_(list(ids)))).all()
    return {row.id: row.subject for row in rows}


def assign(connection: Connection, ids: Sequence[int], owner: str, now: float) -> int:
    """Give letters to a person; an empty owner takes them back."""
    done = connection.execute(update(letters).where(letters.c.id.in_(list(ids))).values(owner=owner, updated_at=now))
    return int(done.rowcount)


def assign_group(connection: Connection, fingerprint: str, owner: str, now: float) -> int:
    """Give the living letters of a group to a person."""
    mine = (letters.c.fingerprint == fingerprint) & _alive
    return int(connection.execute(update(letters).where(mine).values(owner=owner, updated_at=now)).rowcount)


def note(connection: Connection, letter_id: int, actor: str, said: str, now: float) -> None:
    """Keep what a person found out."""
    connection.execute(insert(notes).values(letter_id=letter_id, at=now, actor=actor, text=said))


def shown(row: RowMapping) -> dict[str, Any]:
    """A row as plain data."""
    data = dict(row)
    data["problems"] = json.loads(data["problems"])
    data["evidence"] = json.loads(data["evidence"])
    del data["about"]
    data["money"] = groups.money({data.pop("currency"): data.pop("stake")})
    return data


def _notes(connection: Connection, letter_id: int) -> list[dict[str, Any]]:
    said = connection.execute(select(notes).where(notes.c.letter_id == letter_id).order_by(notes.c.id)).mappings()
    return [{"at": n["at"], "by": n["actor"], "text": n["text"]} for n in said]


def _row(letter: DeadLetter, now: float) -> dict[str, Any]:
    return {
        "about": letter.about,
        "tenant": letter.tenant,
        "step": letter.step,
        "cause": letter.cause,
        "title": letter.title[:300],
        "fingerprint": letter.fingerprint,
        "shop": letter.shop,
        "channel": letter.channel,
        "destination": letter.destination,
        "kind": letter.kind,
        "key": letter.key[:128],
        "subject": letter.subject[:128],
        "revision": letter.revision[:64],
        "message_id": letter.message_id,
        "delivery_id": letter.delivery_id,
        "problems": json.dumps(list(letter.problems), ensure_ascii=False),
        "evidence": json.dumps(letter.evidence, ensure_ascii=False, default=str),
        "hint": letter.hint[:300],
        "mapping_version": letter.mapping_version,
        "currency": letter.currency,
        "stake": letter.stake,
        "state": State.OPEN,
        "created_at": now,
        "updated_at": now,
    }
