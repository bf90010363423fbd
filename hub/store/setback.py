"""A clock that was set back, on SQLite: its dates are the machine's, and what was written before would be waited for.

A machine that starts with its local time taken for UTC is eight hours ahead until NTP corrects it. Processes that share
a PostgreSQL go by the database's clock.
"""

from dataclasses import replace

from sqlalchemy import Connection, Double, case, column, func, inspect, select, table, update

from hub.store import state
from hub.store.tables import attempts, destinations, messages, pulls

MOMENTS = ("due_at", "lease_until", "reached")
"""What the columns are called, in whatever table, that say until when something waits, or up to when a shop was
pulled: from a moment that is still to come the next pull would begin, and miss what changes until then."""

LATELY = 1000
"""How many messages and attempts are looked at for the latest moment: more than are written at once."""


def newest(connection: Connection) -> float:
    """The latest moment at which something was done, as it was written: after now, if the clock was set back since.

    What was written last need not be what came last: it may have come before the clock ran ahead.
    """
    received = select(messages.c.received_at.label("at")).order_by(messages.c.id.desc()).limit(LATELY)
    tried = select(attempts.c.at).order_by(attempts.c.id.desc()).limit(LATELY)
    latest = (select(func.max(lately.c.at)) for lately in (received.subquery(), tried.subquery()))
    return max(connection.execute(query).scalar() or 0.0 for query in latest)


def take_off(connection: Connection, seconds: float, now: float) -> None:
    """Whatever waits for a moment after now waits so many seconds less. It reads every table that has such a moment."""
    inspector = inspect(connection)
    for name in inspector.get_table_names():
        there = {found["name"] for found in inspector.get_columns(name)}
        for moment in sorted(there.intersection(MOMENTS)):
            shown = table(name, column(moment, Double))
            ahead = shown.c[moment]
            connection.execute(update(shown).where(ahead > now).values({moment: ahead - seconds}))
    start = case((pulls.c.window_start > now, now), else_=pulls.c.window_start)
    connection.execute(update(pulls).where(pulls.c.window_end > now).values(window_start=start, window_end=now))
    for row in connection.execute(select(destinations)).mappings():
        circuits = {
            kind: replace(
                circuit,
                until=_less(circuit.until, seconds, now),
                slices=tuple((_less(start, seconds, now), good, bad) for start, good, bad in circuit.slices),
            )
            for kind, circuit in state.circuits_of(row).items()
        }
        state.keep_destination(connection, row["name"], now, circuits=circuits)


def _less(moment: float, seconds: float, now: float) -> float:
    return moment - seconds if moment > now else moment
