"""Telling people: a group of dead letters changed its state, or something waits longer than it should.

What is to be told is written down first, and told until it is taken; many at once go out as one message, within what
the service takes in a minute. A notifier that fails is its own trouble: it never becomes a dead letter.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import httpx
import structlog

from adapters.port import Alert, Notifier
from canonical.errors import HubError, Unavailable
from dlq import groups
from dlq.life import Life
from hub import clock
from hub.config import Alerts
from hub.store import Connection, Store, alerts
from hub.wire import converse

log = structlog.get_logger("hub.alerting")

LEASE = 60.0
TIMEOUT = 10.0
TOGETHER = 20
"""Alerts in one message at most; the rest is summed up in the next."""
SLOWEST = 900.0


async def turn(store: Store, http: httpx.AsyncClient, policy: Alerts, notifiers: Mapping[str, Notifier]) -> int:
    """Note what is new, tell what is due. Returns how many alerts were taken. One process of many does it."""
    if not notifiers:
        return 0
    now = clock.now().timestamp()
    if not await store.run(alerts.lease, now, LEASE, store.owner):
        return 0
    await store.run(gather, policy, list(notifiers), now)
    return sum([await _tell(store, http, name, notifier) for name, notifier in notifiers.items()])


def gather(connection: Connection, policy: Alerts, names: Sequence[str], now: float) -> int:
    """Write down what people shall hear; returns how much that is."""
    count = 0
    for group in groups.untold(connection):
        groups.told(connection, group["fingerprint"], group["state"])
        if group["state"] == Life.IGNORED:
            continue
        count += 1
        title, line = _of_group(group)
        alerts.add(connection, names, f"group {group['fingerprint']}", title, line, now)
    late, known = alerts.late(connection, now - policy.waiting), alerts.marks(connection)
    for about, (since, many) in late.items():
        if about not in known:
            count += 1
            alerts.mark(connection, about, since)
            minutes = int((now - since) / 60)
            line = f"{about}: {many} waiting, the oldest for {minutes} min"
            alerts.add(connection, names, about, "something waits longer than it should", line, now)
    for about in known.keys() - late.keys():
        count += 1
        alerts.unmark(connection, about)
        alerts.add(
            connection, names, about, "what waited has gone on", f"{about}: nothing waits too long any more", now
        )
    return count


def _of_group(group: Mapping[str, Any]) -> tuple[str, str]:
    place = group["destination"] or group["channel"]
    worth = ", ".join(f"{amount} {currency}" for currency, amount in group["money"].items())
    stake = f", {worth} at stake" if worth else ""
    owner = f" to {group['owner']}" if group["owner"] else ""
    line = f"{group['fingerprint'][:8]} {place} {group['cause']}: {group['count']} letter(s){stake}; {group['title']}"
    return f"dead letters: a group is {group['state']}{owner}", line


async def _tell(store: Store, http: httpx.AsyncClient, name: str, notifier: Notifier) -> int:
    now = clock.now()
    stamp = now.timestamp()
    if stamp - await store.read(alerts.last_told, name) < 60.0 / notifier.per_minute:
        return 0
    rows = await store.read(alerts.due, name, stamp, TOGETHER)
    if not rows:
        return 0
    ids = [row["id"] for row in rows]
    try:
        await converse(http, notifier.tell(_together(rows), now), TIMEOUT)
    except HubError as error:
        wait = min(2.0 ** min(rows[0]["attempts"] + 1, 20), SLOWEST)
        if isinstance(error, Unavailable) and error.retry_after:
            wait = max(wait, error.retry_after)
        log.warning("alert.not_taken", notifier=name, code=error.code, why=error.message)
        await store.run(alerts.postpone, ids, stamp + wait, f"{error.code}: {error.message}")
        return 0
    await store.run(alerts.told, ids, stamp)
    return len(ids)


def _together(rows: Sequence[Mapping[str, Any]]) -> Alert:
    number = hashlib.blake2s(",".join(str(row["id"]) for row in rows).encode(), digest_size=6).hexdigest()
    title = rows[0]["title"] if len(rows) == 1 else f"{rows[0]['title']} (and {len(rows) - 1} more)"
    return Alert(f"alert-{number}", title, tuple(row["line"] for row in rows))
