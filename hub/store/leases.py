"""Deliveries under way, and what becomes of them when their process does not come back.

A request that a process had sent may still be worked on when nobody waits for its answer any more. Whoever asks about
it too early is told that nothing arrived, sends it again, and both take effect. So what is lost is in doubt, and is
asked about when its destination's `timeout` has passed once more: the request cannot have begun later than now.
"""

from collections.abc import Collection, Mapping

from sqlalchemy import ColumnElement, Connection, Double, and_, case, literal, select, update

from hub.store.engine import instant_values, skip_locked, this_instant
from hub.store.outbox import IN_DOUBT, SENDING
from hub.store.tables import DELIVERIES_PENDING, deliveries, destinations

Timeouts = Mapping[str, float]
"""How long a request to each destination may take, in seconds."""
GONE = 60.0
"""The same for a destination that hub.toml does not have any more."""
TIMES = 3
"""A lease lasts at least so many timeouts of its destination: a question, the request, and time to write it down."""

_SENDING = and_(
    DELIVERIES_PENDING, deliveries.c.destination.in_(select(destinations.c.name)), deliveries.c.state == SENDING
)
"""What is under way, whatever its destination, by the index that begins with the destination."""


def lasting(lease: float, timeout: float) -> float:
    """How many seconds a lease on a delivery lasts, when it is taken and when it is prolonged."""
    return max(lease, TIMES * timeout)


def reap(connection: Connection, now: float, timeouts: Timeouts, spared: Collection[int] = ()) -> int:
    """Deliveries whose worker's lease ran out: the request may have been sent, so their outcome is in doubt.

    `spared` are under way in this process, which knows better than any clock.
    """
    c, moment = deliveries.c, this_instant(connection.dialect.name == "postgresql")
    late = _untouched(connection, _SENDING, c.lease_until <= moment, c.id.not_in(sorted(spared)))
    lost = _lost(now, timeouts, "the worker stopped in the middle")
    done = connection.execute(update(deliveries).where(late).values(lost), instant_values(connection, now))
    return int(done.rowcount)


def expired_of(connection: Connection, owner: str, now: float) -> frozenset[int]:
    """What a process is said to be sending under leases that have run out."""
    c, moment = deliveries.c, this_instant(connection.dialect.name == "postgresql")
    query = select(c.id).where(_SENDING, c.lease_owner == owner, c.lease_until <= moment)
    return frozenset(connection.execute(query, instant_values(connection, now)).scalars())


def heartbeat(
    connection: Connection, ids: Collection[int], owner: str, now: float, lease: float, timeouts: Timeouts
) -> dict[int, float]:
    """Hold on to what is under way for another lease. Returns what is still held, and for how many seconds."""
    if not ids:
        return {}
    c, moment = deliveries.c, this_instant(connection.dialect.name == "postgresql")
    mine = _untouched(connection, c.id.in_(sorted(ids)), c.state == SENDING, c.lease_owner == owner)
    lengths = {name: lasting(lease, timeout) for name, timeout in timeouts.items()}
    held = update(deliveries).where(mine).values(lease_until=moment + _by_destination(lengths, lease))
    found = connection.execute(held.returning(c.id, c.destination), instant_values(connection, now))
    return {row.id: lengths.get(row.destination, lease) for row in found}


def _untouched(connection: Connection, *conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """Deliveries that nobody writes just now: their outcome is on its way. To wait for several of them could be to wait
    for somebody who waits for us."""
    found = select(deliveries.c.id).where(*conditions)
    return deliveries.c.id.in_(found.with_for_update(**skip_locked(connection)).scalar_subquery())


def drop_leases(connection: Connection, now: float, timeouts: Timeouts) -> int:
    """Only for a single working process: what a former one was sending is in doubt, however long its lease."""
    connection.execute(update(deliveries).where(_SENDING).values(lease_until=0.0))
    return reap(connection, now, timeouts)


def abandon(connection: Connection, owner: str, now: float, timeouts: Timeouts) -> int:
    """A process that stops gives back what it was sending and could not finish: the outcome is in doubt."""
    mine = (_SENDING, deliveries.c.lease_owner == owner)
    lost = _lost(now, timeouts, "the process was told to stop")
    return int(connection.execute(update(deliveries).where(*mine).values(lost)).rowcount)


def _lost(now: float, timeouts: Timeouts, why: str) -> dict[str, object]:
    due_at = literal(now, Double) + _by_destination(timeouts, GONE)
    return {"state": IN_DOUBT, "due_at": due_at, "lease_until": 0.0, "lease_owner": "", "error": why}


def _by_destination(seconds: Mapping[str, float], otherwise: float) -> ColumnElement[float]:
    """So many seconds, by the destination of each delivery."""
    rest = literal(otherwise, Double)
    chosen = {name: literal(length, Double) for name, length in seconds.items()}
    return case(chosen, value=deliveries.c.destination, else_=rest) if chosen else rest
