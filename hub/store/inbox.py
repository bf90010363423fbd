"""Messages as they came. Accepted means: in this table, committed."""

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Connection, Double, bindparam, insert, select, update

from dlq.upsert import insert_into
from hub import clock
from hub.store.engine import as_dicts, instant_values, lock_lanes, moment, this_instant
from hub.store.queues import ready, shared
from hub.store.tables import LIVE, MESSAGES_PENDING, REPLAY, messages
from hub.store.vault import of

RECEIVED, FETCH, TRANSLATED, IGNORED, DEAD = "received", "fetch", "translated", "ignored", "dead"
AGAIN = "again"
"""The reason of a message that is mapped once more for deliveries of it that died."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """One message on its way to the disk. `digest` is equal for what is the same message; `body` is compressed."""

    tenant: str
    shop: str
    channel: str
    kind: str
    key: str
    subject: str
    revision: str
    via: str
    digest: str
    body: bytes
    received_at: float
    state: str = RECEIVED
    headers: str | None = None
    queue: int = LIVE


@dataclass(frozen=True, slots=True)
class Hold:
    """A lease that is taken as a row is stored: whose it is, and how many seconds it lasts."""

    owner: str
    lease: float


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a message."""

    id: int
    state: str
    reason: str = ""
    document_id: int | None = None
    same_as: int | None = None
    mapping_version: str = ""


def compress(raw: bytes) -> bytes:
    """As bodies are kept: zlib level 1, the cheapest that still saves two thirds."""
    return zlib.compress(raw, 1)


def decompress(stored: bytes) -> bytes:
    """The bytes as they came."""
    return zlib.decompress(stored)


def accept(
    connection: Connection, incoming: Sequence[Incoming], hold: Hold | None = None, now: float = 0.0
) -> tuple[dict[int, Incoming], list[Incoming]]:
    """Store messages. Returns the new ones by their ids, in order, and those whose content is known already.

    With `hold`, those to be mapped are leased as if they had been claimed already.
    """
    if not incoming:
        return {}, []
    first: dict[str, Incoming] = {}
    repeats: list[Incoming] = []
    for item in incoming:
        if item.digest in first:
            repeats.append(item)
        else:
            first[item.digest] = item
    if len(first) > 1:
        lock_lanes(connection, first)  # two that store the same in another order would wait for each other
    written = clock.now().timestamp()  # not when it came: the clock may have been set back since
    rows = [_row(i) | {"due_at": min(i.received_at, written)} for i in first.values()]
    if hold is not None:
        until = moment(connection, now) + hold.lease
        for row in rows:
            mine = row["state"] == RECEIVED
            row |= {"lease_until": until if mine else 0.0, "lease_owner": hold.owner if mine else ""}
    stored = connection.execute(_accept(connection.dialect.name), rows).all()
    new = {row.digest: row.id for row in stored}
    repeats += [item for digest, item in first.items() if digest not in new]
    return {new[digest]: first[digest] for digest in sorted(new, key=lambda digest: int(new[digest]))}, repeats


@cache
def _accept(dialect: str) -> Any:
    statement = insert_into(dialect, messages).on_conflict_do_nothing(index_elements=["digest"])
    return statement.returning(messages.c.id, messages.c.digest)


def as_claimed(number: int, item: Incoming) -> dict[str, Any]:
    """A message that was stored with a lease, as `claim` would give it."""
    fresh = {"id": number, "reason": "", "mapping_version": "", "attempts": 0, "body": item.body, "overlay": None}
    return _row(item) | fresh


def keep_repeats(connection: Connection, repeats: Sequence[Incoming]) -> None:
    """Note pushed duplicates: ignored, without their body, pointing at the first."""
    if not repeats:
        return
    digests = {item.digest for item in repeats}
    known = connection.execute(select(messages.c.digest, messages.c.id).where(messages.c.digest.in_(sorted(digests))))
    first = {row.digest: row.id for row in known}
    extra = {"digest": None, "body": None, "headers": None, "state": IGNORED, "reason": "duplicate"}
    rows = [{**_row(i), **extra, "same_as": first.get(i.digest), "done_at": i.received_at} for i in repeats]
    connection.execute(insert(messages), rows)


def claim(connection: Connection, state: str, limit: int, now: float, lease: float, owner: str) -> list[dict[str, Any]]:
    """Take up to `limit` messages that wait in this state, the most urgent and oldest first."""

    def take(queues: tuple[int, ...], most: int) -> list[dict[str, Any]]:
        values = {"from": state, "b_lease": lease, "owner": owner, "most": most}
        statement = _claim(queues, connection.dialect.name == "postgresql")
        return as_dicts(connection.execute(statement, values | instant_values(connection, now)))

    rows = shared(limit, take)
    rows.sort(key=lambda row: int(row["id"]))
    return rows


@cache
def _claim(queues: tuple[int, ...], skip_locked: bool) -> Any:
    c, now = messages.c, this_instant(skip_locked)
    due = (c.state == bindparam("from"), MESSAGES_PENDING, c.due_at <= now, c.lease_until <= now)
    return (
        update(messages)
        .where(c.id.in_(ready(messages, queues, *due, skip_locked=skip_locked).scalar_subquery()))
        .values(lease_until=now + bindparam("b_lease", type_=Double), lease_owner=bindparam("owner"))
        .returning(messages)
    )


def finish(connection: Connection, done: Iterable[Done], owner: str, now: float) -> set[int]:
    """Record what became of messages; returns the ids of those that were no longer ours (a late worker records
    nothing)."""
    rows = {d.id: d for d in done}
    if not rows:
        return set()
    written = connection.execute(_FINISH, [_finished(d, owner, now) for d in rows.values()]).rowcount
    if written == len(rows):
        return set()
    ours = select(messages.c.id).where(
        messages.c.id.in_(list(rows)), messages.c.done_at == now, messages.c.lease_owner == ""
    )
    return rows.keys() - set(connection.execute(ours).scalars())


def _finished(d: Done, owner: str, now: float) -> dict[str, Any]:
    return {
        "b_id": d.id,
        "b_owner": owner,
        "b_state": d.state,
        "b_reason": d.reason[:200],
        "b_document": d.document_id,
        "b_same": d.same_as,
        "b_version": d.mapping_version,
        "b_now": now,
    }


_FINISH = (
    update(messages)
    .where(messages.c.id == bindparam("b_id"), messages.c.lease_owner == bindparam("b_owner"))
    .values(
        state=bindparam("b_state"),
        reason=bindparam("b_reason"),
        document_id=bindparam("b_document"),
        same_as=bindparam("b_same"),
        mapping_version=bindparam("b_version"),
        done_at=bindparam("b_now"),
        lease_until=0.0,
        lease_owner="",
    )
)


def postpone(connection: Connection, message_id: int, owner: str, due_at: float) -> None:
    """Try a message again later."""
    connection.execute(
        update(messages)
        .where(messages.c.id == message_id, messages.c.lease_owner == owner)
        .values(due_at=due_at, attempts=messages.c.attempts + 1, lease_until=0.0, lease_owner="")
    )


def reopen(connection: Connection, ids: Sequence[int], state: str, now: float, version: str = "") -> int:
    """Send dead messages through again, to be mapped by a version ("": the one in force)."""
    return _again(connection, ids, DEAD, now, version, state=state, reason="")


def map_again(connection: Connection, ids: Sequence[int], now: float, version: str = "") -> int:
    """Send messages that became documents through again: for their deliveries that died."""
    return _again(connection, ids, TRANSLATED, now, version, state=RECEIVED, reason=AGAIN)


def _again(connection: Connection, ids: Sequence[int], before: str, now: float, version: str, **values: Any) -> int:
    if not ids:
        return 0
    fresh = {"due_at": now, "attempts": 0, "lease_until": 0.0, "lease_owner": "", "done_at": None, "queue": REPLAY}
    mine = (messages.c.id.in_(list(ids)), messages.c.state == before)
    done = connection.execute(update(messages).where(*mine).values(**fresh, **values, mapping_version=version))
    return int(done.rowcount)


def map_as_it_is(connection: Connection, message_id: int, owner: str) -> None:
    """A message that was asked for anew came back unchanged: it is mapped as it lies here."""
    mine = (messages.c.id == message_id, messages.c.lease_owner == owner)
    connection.execute(update(messages).where(*mine).values(state=RECEIVED, lease_until=0.0, lease_owner=""))


def end(connection: Connection, ids: Sequence[int], reason: str, now: float) -> None:
    """Dead messages that shall not go on: superseded or discarded."""
    connection.execute(
        update(messages)
        .where(messages.c.id.in_(list(ids)), messages.c.state == DEAD)
        .values(state=IGNORED, reason=reason[:200], done_at=now)
    )


def end_erased(connection: Connection, tenant: str, shop: str, subject: str, now: float) -> None:
    """Messages of an order whose bodies were erased cannot be mapped any more, by a process that still has them in
    memory neither: they are not its own from now on."""
    c = messages.c
    mine = (c.tenant == tenant, c.shop == shop, c.subject == subject, c.state.in_([RECEIVED, FETCH, DEAD]))
    ended = {"state": IGNORED, "reason": "erased", "done_at": now, "lease_until": 0.0, "lease_owner": ""}
    connection.execute(update(messages).where(*mine).values(ended))


def drop_leases(connection: Connection) -> None:
    """Only for a single working process: what a former one held is free."""
    connection.execute(
        update(messages).where(MESSAGES_PENDING, messages.c.lease_until > 0).values(lease_until=0.0, lease_owner="")
    )


def give_back(connection: Connection, owner: str) -> None:
    """A process that stops gives back the messages that it holds."""
    mine = (MESSAGES_PENDING, messages.c.lease_owner == owner)
    connection.execute(update(messages).where(*mine).values(lease_until=0.0, lease_owner=""))


def by_digest(connection: Connection, digest: str) -> int | None:
    """The message that has this content."""
    return connection.execute(select(messages.c.id).where(messages.c.digest == digest)).scalar()


def overlay(connection: Connection, message_id: int, packed: bytes | None) -> None:
    """What a person made of a record; it is mapped instead of the body. None: the body again."""
    connection.execute(update(messages).where(messages.c.id == message_id).values(overlay=packed))


def get(connection: Connection, message_id: int) -> dict[str, Any] | None:
    """One message, or None."""
    row = connection.execute(select(messages).where(messages.c.id == message_id)).mappings().first()
    return dict(row) if row else None


def _row(item: Incoming) -> dict[str, Any]:
    return {
        "tenant": item.tenant,
        "shop": item.shop,
        "channel": item.channel,
        "kind": item.kind,
        "key": item.key,
        "subject": item.subject,
        "revision": item.revision,
        "via": item.via,
        "digest": item.digest,
        "headers": item.headers,
        "body": of(item.tenant, item.body),
        "state": item.state,
        "queue": item.queue,
        "received_at": item.received_at,
        "due_at": item.received_at,
    }
