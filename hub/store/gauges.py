"""How much waits, where, and since when: for metrics. Each query reads what has not ended, never the whole history."""

from typing import Any

from sqlalchemy import Connection, func, select

from dlq import State
from dlq.shelf import letters
from hub.store.tables import DELIVERIES_PENDING, MESSAGES_PENDING, deliveries, messages


def waiting_deliveries(connection: Connection) -> list[dict[str, Any]]:
    """By destination and state: count, and when the oldest was accepted (epoch seconds)."""
    d = deliveries.c
    query = select(d.destination, d.state, func.count().label("n"), func.min(d.accepted_at).label("oldest"))
    rows = connection.execute(query.where(DELIVERIES_PENDING).group_by(d.destination, d.state))
    return [dict(r) for r in rows.mappings()]


def waiting_messages(connection: Connection) -> list[dict[str, Any]]:
    """By channel and state: count, and when the oldest was received (epoch seconds)."""
    m = messages.c
    query = select(m.channel, m.state, func.count().label("n"), func.min(m.received_at).label("oldest"))
    rows = connection.execute(query.where(MESSAGES_PENDING).group_by(m.channel, m.state))
    return [dict(r) for r in rows.mappings()]


def open_letters(connection: Connection) -> list[dict[str, Any]]:
    """By channel, destination and cause: count, and when the oldest was written (epoch seconds)."""
    c = letters.c
    query = select(c.channel, c.destination, c.cause, func.count().label("n"), func.min(c.created_at).label("oldest"))
    rows = connection.execute(query.where(c.state == State.OPEN).group_by(c.channel, c.destination, c.cause))
    return [dict(r) for r in rows.mappings()]


def unfinished(connection: Connection, most: int) -> int:
    """Messages and deliveries that have not ended, counted up to `most` of each."""
    found = 0
    for table, pending in ((messages, MESSAGES_PENDING), (deliveries, DELIVERIES_PENDING)):
        part = select(table.c.id).where(pending).limit(most).subquery()
        found += int(connection.execute(select(func.count()).select_from(part)).scalar() or 0)
    return found
