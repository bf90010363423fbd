"""Deliveries under way, and what becomes of them when their process does not come back."""

from collections.abc import Collection

from sqlalchemy import ColumnElement, Connection, and_, select, update

from hub.store.engine import instant_values, skip_locked, this_instant
from hub.store.outbox import IN_DOUBT, SENDING
from hub.store.tables import DELIVERIES_PENDING, deliveries, destinations

_SENDING = and_(
    DELIVERIES_PENDING, deliveries.c.destination.in_(select(destinations.c.name)), deliveries.c.state == SENDING
)
"""What is under way, whatever its destination, by the index that begins with the destination."""


def reap(connection: Connection, now: float, spared: Collection[int] = ()) -> int:
    """Deliveries whose worker's lease ran out: the request may have been sent, so their outcome is in doubt.

    `spared` are under way in this process, which knows better than any clock.
    """
    c, moment = deliveries.c, this_instant(connection.dialect.name == "postgresql")
    late = _untouched(connection, _SENDING, c.lease_until <= moment, c.id.not_in(sorted(spared)))
    lost = {"state": IN_DOUBT, "lease_until": 0.0, "lease_owner": "", "error": "the worker stopped in the middle"}
    return int(
        connection.execute(
            update(deliveries).where(late).values(due_at=now, **lost), instant_values(connection, now)
        ).rowcount
    )


def heartbeat(connection: Connection, ids: Collection[int], owner: str, now: float, lease: float) -> None:
    """Hold on to what is under way for another lease."""
    if ids:
        c, moment = deliveries.c, this_instant(connection.dialect.name == "postgresql")
        mine = _untouched(connection, c.id.in_(sorted(ids)), c.state == SENDING, c.lease_owner == owner)
        connection.execute(
            update(deliveries).where(mine).values(lease_until=moment + lease), instant_values(connection, now)
        )


def _untouched(connection: Connection, *conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """Deliveries that nobody writes just now: their outcome is on its way. To wait for several of them could be to wait
    for somebody who waits for us."""
    found = select(deliveries.c.id).where(*conditions)
    return deliveries.c.id.in_(found.with_for_update(**skip_locked(connection)).scalar_subquery())


def drop_leases(connection: Connection, now: float) -> int:
    """Only for a single working process: what a former one was sending is in doubt at once."""
    connection.execute(update(deliveries).where(_SENDING).values(lease_until=0.0))
    return reap(connection, now)


def abandon(connection: Connection, owner: str, now: float) -> int:
    """A process that stops gives back what it was sending and could not finish: the outcome is in doubt."""
    mine = (_SENDING, deliveries.c.lease_owner == owner)
    lost = {"state": IN_DOUBT, "lease_until": 0.0, "lease_owner": "", "error": "the process was told to stop"}
    return int(connection.execute(update(deliveries).where(*mine).values(due_at=now, **lost)).rowcount)
