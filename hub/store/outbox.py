"""Deliveries: what must reach a destination, in sequence, once in effect.

A lane is one order (or stock figure) at one destination. At most one delivery of a lane is on its way; later ones are
held and released in order. A dead one holds its successors; nothing else does.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from sqlalchemy import Connection, Double, and_, bindparam, case, exists, func, insert, select, update

from hub.store.engine import as_dicts, instant_values, lock_lanes, moment, this_instant
from hub.store.inbox import Hold
from hub.store.queues import ready, shared
from hub.store.tables import DELIVERIES_PENDING, LIVE, REPLAY, RETRY, attempts, deliveries, destinations
from hub.store.vault import of

WAITING, HELD, SENDING, IN_DOUBT = "waiting", "held", "sending", "in_doubt"
DELIVERED, DEAD, SUPERSEDED, DISCARDED = "delivered", "dead", "superseded", "discarded"
UNFINISHED = (WAITING, HELD, SENDING, IN_DOUBT, DEAD)
BY_LANE = "lane"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one attempt led to. `due_at` is set for waiting and in_doubt; the attempt's own row goes with it."""

    id: int
    lane: str
    state: str
    at: float
    seconds: float
    number: int
    outcome: str
    status: int | None = None
    error: str = ""
    answer: str = ""
    reference: str = ""
    due_at: float = 0.0
    mapping_version: str = ""
    uncounted: bool = False  # the attempt never reached the destination: it costs no try
    unsettled: bool = False  # nobody knows whether it took effect: it is asked about before anything is sent


@dataclass(slots=True)
class Enqueued:
    """What became of new deliveries. `replaced` are dead ones whose letters are the caller's to close; `started` were
    stored with a lease, as if they had been claimed; `waiting` are the destinations that others wait for."""

    replaced: list[int] = field(default_factory=list)
    started: list[dict[str, Any]] = field(default_factory=list)
    waiting: set[str] = field(default_factory=set)


def enqueue(
    connection: Connection,
    rows: Sequence[dict[str, Any]],
    latest: frozenset[str],
    now: float,
    places: Mapping[str, int] | None = None,
    hold: Hold | None = None,
) -> Enqueued:
    """Add deliveries; those behind an unfinished one of their lane are held.

    For destinations in `latest` a new one replaces what waits. With `hold`, as many as there are `places` for at a
    destination are leased at once.
    """
    result, free = Enqueued(), dict(places or {})
    if not rows:
        return result
    lock_lanes(connection, (row["lane"] for row in rows))
    result.replaced = _replace(connection, [r for r in rows if r["destination"] in latest], now)
    busy = set(connection.execute(_BUSY, {"lanes": sorted({row["lane"] for row in rows})}).scalars())
    until = moment(connection, now) + hold.lease if hold and free else 0.0
    fresh: list[dict[str, Any]] = []
    newest = {row["lane"]: row["idempotency_key"] for row in rows if row["destination"] in latest}
    for row in rows:
        row["body"] = of(row["tenant"], row["body"])
        if newest.get(row["lane"], row["idempotency_key"]) != row["idempotency_key"]:
            fresh.append(row | _NEW | {"state": SUPERSEDED})
            continue
        name = row["destination"]
        if row["lane"] in busy:
            fresh.append(row | _NEW | {"state": HELD, "held_by": BY_LANE})
        elif hold and free.get(name, 0) > 0:
            free[name] -= 1
            leased = {"state": SENDING, "attempts": 1, "first_at": now, "lease_until": until}
            fresh.append(row | _NEW | leased | {"lease_owner": hold.owner})
        else:
            fresh.append(row | _NEW)
            result.waiting.add(name)
        busy.add(row["lane"])
    if until:
        ids = {row.idempotency_key: row.id for row in connection.execute(_INSERT, fresh)}
        result.started = [_as_claimed(ids[r["idempotency_key"]], r) for r in fresh if r["state"] == SENDING]
    else:
        connection.execute(insert(deliveries), fresh)
    return result


_NEW = {"state": WAITING, "held_by": "", "attempts": 0, "first_at": None, "lease_until": 0.0, "lease_owner": ""}
_INSERT = insert(deliveries).returning(deliveries.c.idempotency_key, deliveries.c.id)
_BUSY = (
    select(deliveries.c.lane)
    .distinct()
    .where(deliveries.c.lane.in_(bindparam("lanes", expanding=True)), deliveries.c.state.in_(UNFINISHED))
)


def _as_claimed(number: int, row: dict[str, Any]) -> dict[str, Any]:
    return row | {
        "id": number,
        "overlay": None,
        "reference": "",
        "error": "",
        "mapping_version": "",
        "done_at": None,
        "next_key": "",
    }


def _replace(connection: Connection, rows: Sequence[dict[str, Any]], now: float) -> list[int]:
    if not rows:
        return []
    old = and_(deliveries.c.lane.in_(sorted({r["lane"] for r in rows})), deliveries.c.state.in_([WAITING, HELD, DEAD]))
    dead = list(connection.execute(select(deliveries.c.id).where(old, deliveries.c.state == DEAD)).scalars())
    connection.execute(update(deliveries).where(old).values(state=SUPERSEDED, done_at=now))
    return dead


def claim(
    connection: Connection,
    destination: str,
    state: str,
    limit: int,
    now: float,
    hold: Hold,
    kinds: tuple[str, ...] = (),
) -> list[dict[str, Any]]:
    """Take up to `limit` due deliveries of a destination that are in `state` (waiting, or in_doubt to be settled), of
    these kinds of document only where some are named."""

    def take(queues: tuple[int, ...], most: int) -> list[dict[str, Any]]:
        values = {"b_destination": destination, "from": state, "b_lease": hold.lease, "owner": hold.owner}
        statement = _claim(queues, kinds, connection.dialect.name == "postgresql")
        return as_dicts(connection.execute(statement, values | instant_values(connection, now) | {"most": most}))

    rows = shared(limit, take)
    rows.sort(key=lambda row: int(row["id"]))
    return rows


@cache
def _claim(queues: tuple[int, ...], kinds: tuple[str, ...], skip_locked: bool) -> Any:
    c, now = deliveries.c, this_instant(skip_locked)
    mine = (c.destination == bindparam("b_destination"), c.state == bindparam("from"), DELIVERIES_PENDING)
    due = ready(deliveries, queues, *mine, c.due_at <= now, skip_locked=skip_locked, kinds=kinds)
    return (
        update(deliveries)
        .where(c.id.in_(due.scalar_subquery()))
        .values(
            state=SENDING,
            attempts=c.attempts + 1,
            first_at=func.coalesce(c.first_at, now),
            lease_until=now + bindparam("b_lease", type_=Double),
            lease_owner=bindparam("owner"),
        )
        .returning(deliveries)
    )


def record(connection: Connection, outcomes: Sequence[Outcome], owner: str) -> tuple[list[Outcome], int]:
    """Write outcomes and their attempts, release what they held. Returns those that were still ours to record, and how
    many deliveries may go now that could not before."""
    if not outcomes:
        return [], 0
    lock_lanes(connection, (o.lane for o in outcomes))
    # The number of the attempt is the fence: a lease that was lost and taken again counts one more.
    values = {"ids": [o.id for o in outcomes], "owner": owner}
    ours = {row.id: row.attempts for row in connection.execute(_OURS, values)}
    mine = [o for o in outcomes if ours.get(o.id) == o.number and ours.pop(o.id)]
    if not mine:
        return [], 0
    connection.execute(_RECORD, [_values(o) for o in mine])
    connection.execute(_ATTEMPT, [_attempt(o) for o in mine])
    return mine, release(connection, {o.lane for o in mine if o.state == DELIVERED})


_OURS = select(deliveries.c.id, deliveries.c.attempts).where(
    deliveries.c.id.in_(bindparam("ids", expanding=True)),
    deliveries.c.state == SENDING,
    deliveries.c.lease_owner == bindparam("owner"),
)
_ATTEMPT = insert(attempts)

_RECORD = (
    update(deliveries)
    .where(deliveries.c.id == bindparam("b_id"))
    .values(
        state=bindparam("b_state"),
        due_at=bindparam("b_due"),
        reference=bindparam("b_reference"),
        error=bindparam("b_error"),
        unsettled=bindparam("b_unsettled"),
        mapping_version=bindparam("b_version"),
        done_at=bindparam("b_done"),
        attempts=deliveries.c.attempts - bindparam("b_uncounted"),
        queue=case(
            (and_(deliveries.c.queue == LIVE, bindparam("b_state") == WAITING), RETRY), else_=deliveries.c.queue
        ),
        lease_until=0.0,
        lease_owner="",
    )
)


def release(connection: Connection, lanes: Iterable[str]) -> int:
    """Let the first held delivery of each lane go, if nothing unfinished is before it. Returns how many went."""
    names = sorted(lanes)
    if not names:
        return 0
    return _free(connection, list(connection.execute(_HEADS, {"lanes": names}).scalars()))


_HEADS = (
    select(func.min(deliveries.c.id))
    .where(
        deliveries.c.lane.in_(bindparam("lanes", expanding=True)),
        deliveries.c.state == HELD,
        deliveries.c.held_by == BY_LANE,
    )
    .group_by(deliveries.c.lane)
)


def release_orphans(connection: Connection, looked_at: int = 2000) -> int:
    """Free heads of lanes whose predecessors have all ended, of so many of each destination as have waited longest.
    Finds nothing unless a release was missed."""
    ids: list[int] = []
    for name in connection.execute(_NAMES).scalars().all():
        ids += connection.execute(_ORPHANS, {"name": name, "looked_at": looked_at}).scalars()
    return _free(connection, ids)


def _orphans() -> Any:
    c, earlier = deliveries.c, deliveries.alias("earlier")
    held = select(c.id, c.lane, c.held_by).where(
        c.destination == bindparam("name"), DELIVERIES_PENDING, c.state == HELD
    )
    some = held.order_by(c.queue, c.due_at, c.id).limit(bindparam("looked_at")).subquery()
    before = (earlier.c.lane == some.c.lane, earlier.c.id < some.c.id, earlier.c.state.in_(UNFINISHED))
    return select(some.c.id).where(some.c.held_by == BY_LANE, ~exists().where(*before))


_NAMES = select(destinations.c.name).order_by(destinations.c.name)
_ORPHANS = _orphans()


def _free(connection: Connection, ids: Sequence[int]) -> int:
    return int(connection.execute(_FREE, {"ids": list(ids)}).rowcount) if ids else 0


def _freeing() -> Any:
    c, earlier = deliveries.c, deliveries.alias("earlier")
    before = (earlier.c.lane == c.lane, earlier.c.id < c.id, earlier.c.state.in_(UNFINISHED))
    heads = update(deliveries).where(c.id.in_(bindparam("ids", expanding=True)), ~exists().where(*before))
    return heads.values(state=WAITING, held_by="")


_FREE = _freeing()


def hold_others(connection: Connection, tenant: str, subject: str, by: str) -> int:
    """Degrade policy `hold`: while `by` cannot take an order, its other waiting deliveries stay."""
    done = connection.execute(
        update(deliveries)
        .where(
            deliveries.c.tenant == tenant,
            deliveries.c.subject == subject,
            deliveries.c.destination != by,
            deliveries.c.state == WAITING,
        )
        .values(state=HELD, held_by=by)
    )
    return int(done.rowcount)


def release_others(connection: Connection, tenant: str, subjects: Iterable[str], by: str) -> None:
    """The destination took the order: what it held goes back into its lane."""
    mine = and_(
        deliveries.c.tenant == tenant,
        deliveries.c.subject.in_(list(subjects)),
        deliveries.c.state == HELD,
        deliveries.c.held_by == by,
    )
    lanes = set(connection.execute(select(deliveries.c.lane).where(mine)).scalars())
    connection.execute(update(deliveries).where(mine).values(held_by=BY_LANE))
    release(connection, lanes)


def revive(connection: Connection, ids: Sequence[int], now: float) -> int:
    """Dead deliveries go on from where they stuck, with fresh tries, behind live ones. What is in doubt is asked about
    first, and not before its request has had its time."""
    c = deliveries.c
    due_at = case((and_(c.unsettled, c.due_at > now), c.due_at), else_=now)
    fresh = {"due_at": due_at, "attempts": 0, "first_at": None, "error": "", "done_at": None, "queue": REPLAY}
    mine = (c.id.in_(list(ids)), c.state == DEAD)
    state = case((c.unsettled, IN_DOUBT), else_=WAITING)
    return int(connection.execute(update(deliveries).where(*mine).values(state=state, **fresh)).rowcount)


def overlay(connection: Connection, delivery_id: int, packed: bytes | None, edition: int) -> None:
    """What a person made of a document; it is sent instead of the body, with an idempotency key of its own: the
    destination may remember what it said to the old one. None: the body again.

    What is in doubt keeps the key under which it was sent until it was asked about; see hub.store.doubts.
    """
    c = deliveries.c
    key = func.substr(c.idempotency_key, 1, 36) + f"-e{edition}"
    now, later = case((c.unsettled, c.idempotency_key), else_=key), case((c.unsettled, key), else_="")
    values = {"overlay": packed, "idempotency_key": now, "next_key": later}
    connection.execute(update(deliveries).where(c.id == delivery_id).values(values))


def get(connection: Connection, delivery_id: int) -> dict[str, Any] | None:
    """One delivery with its bodies, or None."""
    row = connection.execute(select(deliveries).where(deliveries.c.id == delivery_id)).mappings().first()
    return dict(row) if row else None


def dead_of(connection: Connection, messages: Sequence[int]) -> dict[int, list[int]]:
    """The dead deliveries of these messages: message to deliveries."""
    found: dict[int, list[int]] = {}
    if messages:
        query = select(deliveries.c.id, deliveries.c.message_id)
        query = query.where(deliveries.c.message_id.in_(list(messages)), deliveries.c.state == DEAD)
        for row in connection.execute(query):
            found.setdefault(row.message_id, []).append(row.id)
    return found


def replaced(connection: Connection, ids: Sequence[int], now: float) -> None:
    """Dead deliveries whose message was mapped anew: what it became now goes in their place."""
    mine = (deliveries.c.id.in_(list(ids)), deliveries.c.state == DEAD)
    connection.execute(update(deliveries).where(*mine).values(state=SUPERSEDED, done_at=now))


def successors(connection: Connection, ids: Sequence[int]) -> int:
    """How many deliveries are held behind these."""
    lanes = select(deliveries.c.lane).where(deliveries.c.id.in_(list(ids)))
    held = (deliveries.c.state == HELD, deliveries.c.lane.in_(lanes))
    return int(connection.execute(select(func.count()).select_from(deliveries).where(*held)).scalar() or 0)


def discard(connection: Connection, ids: Sequence[int], now: float, followers: bool = False) -> None:
    """Dead deliveries end without an effect; what they held goes on, or (`followers`) ends with them."""
    mine = and_(deliveries.c.id.in_(list(ids)), deliveries.c.state == DEAD)
    lanes = set(connection.execute(select(deliveries.c.lane).where(mine)).scalars())
    lock_lanes(connection, lanes)
    connection.execute(update(deliveries).where(mine).values(state=DISCARDED, done_at=now))
    if followers:
        behind = (deliveries.c.lane.in_(sorted(lanes)), deliveries.c.state == HELD)
        connection.execute(update(deliveries).where(*behind).values(state=DISCARDED, done_at=now))
    release(connection, lanes)


def next_due(connection: Connection, now: float) -> float | None:
    """When the next waiting delivery wants to start, if it lies in the future."""
    c = deliveries.c
    query = select(func.min(c.due_at)).where(DELIVERIES_PENDING, c.state.in_([WAITING, IN_DOUBT]), c.due_at > now)
    return connection.execute(query).scalar()


def _values(o: Outcome) -> dict[str, Any]:
    ended = o.state in (DELIVERED, DEAD)
    return {
        "b_id": o.id,
        "b_state": o.state,
        "b_due": o.due_at,
        "b_reference": o.reference[:200],
        "b_error": o.error,
        "b_unsettled": o.unsettled,
        "b_version": o.mapping_version,
        "b_done": o.at + o.seconds if ended else None,
        "b_uncounted": 1 if o.uncounted else 0,
    }


def _attempt(o: Outcome) -> dict[str, Any]:
    return {
        "delivery_id": o.id,
        "number": o.number,
        "at": o.at,
        "seconds": o.seconds,
        "outcome": o.outcome,
        "status": o.status,
        "error": o.error,
        "answer": o.answer,
        "next_at": o.due_at if o.due_at and o.state in (WAITING, IN_DOUBT) else None,
    }
