"""Alerts on their way to people, and what they were told of already."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from dlq.upsert import insert_into
from hub.store import outbox
from hub.store.tables import (
    DELIVERIES_PENDING,
    MESSAGES_PENDING,
    alert_marks,
    alerts,
    deliveries,
    destinations,
    messages,
)

TURN = "turn"
COUNTED = 10_000
_a, _k = alerts.c, alert_marks.c


def lease(connection: Connection, now: float, seconds: float, owner: str) -> bool:
    """Be the one process that tells people for the next while."""
    turn = insert_into(connection.dialect.name, alert_marks).values(about=TURN, since=now)
    connection.execute(turn.on_conflict_do_nothing())
    free = (_k.about == TURN, (_k.lease_until <= now) | (_k.lease_owner == owner))
    taken = update(alert_marks).where(*free).values(lease_until=now + seconds, lease_owner=owner)
    return bool(connection.execute(taken).rowcount)


def add(connection: Connection, notifiers: Sequence[str], about: str, title: str, line: str, now: float) -> None:
    """One alert for each of those who are told."""
    row = {"about": about, "title": title[:300], "line": line, "at": now, "due_at": now}
    if notifiers:
        connection.execute(insert(alerts), [row | {"notifier": name} for name in notifiers])


def late(connection: Connection, before: float) -> dict[str, tuple[float, int]]:
    """What has waited since before that moment: "messages", and each destination; since when, and how many, COUNTED at
    most."""
    found: dict[str, tuple[float, int]] = {}
    m, d = messages.c, deliveries.c

    def look(about: str, since: Any, *conditions: Any) -> None:
        some = select(since.label("since")).where(*conditions, since < before).limit(COUNTED).subquery()
        oldest, count = connection.execute(select(func.min(some.c.since), func.count()).select_from(some)).one()
        if count:
            found[about] = (oldest, count)

    look("messages", m.received_at, MESSAGES_PENDING)
    moving = (DELIVERIES_PENDING, d.state.in_([outbox.WAITING, outbox.SENDING, outbox.IN_DOUBT]))
    for name in connection.execute(select(destinations.c.name).order_by(destinations.c.name)).scalars():
        look(f"destination {name}", d.created_at, d.destination == name, *moving)
    return found


def marks(connection: Connection) -> dict[str, float]:
    """What people were told that it waits too long, and since when."""
    return {row.about: row.since for row in connection.execute(select(alert_marks).where(_k.about != TURN))}


def mark(connection: Connection, about: str, since: float) -> None:
    """People know of it."""
    connection.execute(insert(alert_marks).values(about=about, since=since))


def unmark(connection: Connection, about: str) -> None:
    """It is over."""
    connection.execute(delete(alert_marks).where(_k.about == about))


def due(connection: Connection, notifier: str, now: float, most: int) -> list[dict[str, Any]]:
    """The next alerts for one notifier, oldest first."""
    query = select(alerts).where(_a.notifier == notifier, _a.told_at.is_(None), _a.due_at <= now)
    return [dict(row) for row in connection.execute(query.order_by(_a.id).limit(most)).mappings()]


def told(connection: Connection, ids: Sequence[int], now: float) -> None:
    """They were taken."""
    connection.execute(update(alerts).where(_a.id.in_(list(ids))).values(told_at=now))


def postpone(connection: Connection, ids: Sequence[int], due_at: float, error: str) -> None:
    """They were not."""
    again = {"due_at": due_at, "attempts": _a.attempts + 1, "error": error[:500]}
    connection.execute(update(alerts).where(_a.id.in_(list(ids))).values(**again))


def last_told(connection: Connection, notifier: str) -> float:
    """When this notifier took something last; 0 if never."""
    query = select(func.max(_a.told_at)).where(_a.notifier == notifier)
    return float(connection.execute(query).scalar() or 0.0)
