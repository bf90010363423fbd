"""What was learned of the platforms' records, and what in them no mapping knows.

Two rows of `drift_profiles` without a shop are the jobs of which one process of many takes each: walking along the
messages, and telling the hook. Their leases are in that row, and the walk's cursor.
"""

import zlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, case, func, insert, null, select, update

from dlq.upsert import insert_into
from hub.store.history import newest_message
from hub.store.tables import messages
from hub.store.workbench import drift_findings, drift_profiles

WALK, HOOK = "walk", "hook"
_f, _p, _m = drift_findings.c, drift_profiles.c, messages.c
_LARGE = 64 * 1024
"""Compressed bytes of a message above which it is passed over."""
_BODY = case((func.length(_m.body) <= _LARGE, _m.body), else_=null()).label("body")
_MESSAGE = (_m.id, _m.shop, _m.channel, _m.kind, _m.key, _m.subject, _BODY, _m.received_at)


@dataclass(slots=True)
class Found:
    """What some messages of a shop had in common; times are of their arrival, epoch seconds."""

    shop: str
    kind: str
    channel: str
    what: str
    path: str
    detail: str
    sample: str
    message_id: int
    first_at: float
    last_at: float
    count: int = 1
    again: bool = False


def lease(connection: Connection, job: str, now: float, seconds: float, owner: str, backlog: int = 0) -> int | None:
    """Take a job if nobody else has it; returns the walk's cursor, None if somebody has.

    In a store that has history the first walk begins `backlog` messages behind the newest.
    """
    ours = (_p.shop == "", _p.kind == job)
    taken = (
        update(drift_profiles)
        .where(*ours, (_p.lease_until <= now) | (_p.lease_owner == owner))
        .values(lease_until=now + seconds, lease_owner=owner, updated_at=now)
        .returning(_p.cursor)
    )
    cursor = connection.execute(taken).scalar()
    if cursor is not None:
        return int(cursor)
    begin = max(newest_message(connection) - backlog, 0)
    made = _insert(connection).values(
        shop="", kind=job, channel="", cursor=begin, lease_until=now + seconds, lease_owner=owner, updated_at=now
    )
    new = connection.execute(made.on_conflict_do_nothing().returning(_p.cursor)).scalar()
    return None if new is None else int(new)


def release(connection: Connection, job: str, owner: str, cursor: int | None, now: float) -> bool:
    """Give a job back, the walk having come to `cursor`; False if another process has taken it over."""
    values: dict[str, Any] = {"lease_until": now, "updated_at": now}
    if cursor is not None:
        values["cursor"] = cursor
    held = update(drift_profiles).where(_p.shop == "", _p.kind == job, _p.lease_owner == owner)
    return bool(connection.execute(held.values(**values)).rowcount)


def behind(
    connection: Connection, after: int, limit: int, backlog: int, until: float
) -> tuple[list[dict[str, Any]], int]:
    """The next messages of the walk that arrived until then, and where it has come with them.

    Of more than `backlog` messages a sample is taken, spread evenly over all of them: the walk never falls far behind.
    """
    newest = newest_message(connection)
    query = select(*_MESSAGE).order_by(_m.id)
    if newest - after > backlog:
        step = (newest - after) / limit
        sample = [after + round(step * (i + 1)) for i in range(limit)]
        rows = [dict(r) for r in connection.execute(query.where(_m.id.in_(sample))).mappings()]
        return rows, newest
    rows = [dict(r) for r in connection.execute(query.where(_m.id > after).limit(limit)).mappings()]
    settled = next((i for i, row in enumerate(rows) if row["received_at"] > until), len(rows))
    rows = rows[:settled]
    return rows, rows[-1]["id"] if rows else after


def profile(connection: Connection, shop: str, kind: str) -> bytes | None:
    """What was kept of a shop's records of a kind."""
    kept = connection.execute(select(_p.profile).where(_p.shop == shop, _p.kind == kind)).scalar()
    return zlib.decompress(kept) if kept else None


def keep_profile(
    connection: Connection, shop: str, kind: str, channel: str, records: int, data: bytes, now: float
) -> None:
    """Keep it."""
    values = {"channel": channel, "records": records, "profile": zlib.compress(data, 1), "updated_at": now}
    statement = _insert(connection).values(shop=shop, kind=kind, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["shop", "kind"], set_=values))


def profiles(connection: Connection) -> list[dict[str, Any]]:
    """How many records were looked at, by shop and kind."""
    query = select(_p.shop, _p.kind, _p.channel, _p.records, _p.updated_at).where(_p.shop != "")
    return [dict(row) for row in connection.execute(query.order_by(_p.shop, _p.kind)).mappings()]


def add(connection: Connection, found: Iterable[Found], most: int) -> list[Found]:
    """Count findings, at most so many of one shop and kind.

    Returns the new ones and those that are open again: what is seen again after it stayed away, and what the hub
    itself had closed.
    """
    news = []
    for item in found:
        same = _same(item)
        row = connection.execute(select(_f.id, _f.closed_at, _f.closed_by).where(*same)).first()
        if row is None:
            held = select(func.count()).where(_f.shop == item.shop, _f.kind == item.kind)
            if (connection.execute(held).scalar() or 0) < most:
                connection.execute(insert(drift_findings).values(**_row(item)))
                news.append(item)
            continue
        values: dict[str, Any] = {
            "count": _f.count + item.count,
            "last_at": item.last_at,
            "message_id": item.message_id,
            "sample": item.sample,
        }
        if row.closed_at is not None and (item.again or row.closed_by == HUB):
            values |= {"closed_at": None, "closed_by": "", "told_at": None, "opened_at": item.first_at}
            news.append(item)
        connection.execute(update(drift_findings).where(_f.id == row.id).values(**values))
    return news


HUB = "hub"
"""Who has closed what closed itself."""


def findings(
    connection: Connection,
    *,
    shop: str = "",
    channel: str = "",
    closed: bool = False,
    ids: Collection[int] | None = None,
    limit: int = 1000,
) -> list[dict[str, Any]]:
    """Findings, the newest first; open ones only unless `closed`."""
    query = select(drift_findings).order_by(_f.last_at.desc(), _f.id.desc()).limit(limit)
    if not closed:
        query = query.where(_f.closed_at.is_(None))
    if shop:
        query = query.where(_f.shop == shop)
    if channel:
        query = query.where(_f.channel == channel)
    if ids is not None:
        query = query.where(_f.id.in_(list(ids)))
    return [dict(row) for row in connection.execute(query).mappings()]


def close(connection: Connection, ids: Collection[int], by: str, now: float) -> int:
    """Close open findings; returns how many."""
    if not ids:
        return 0
    ended = update(drift_findings).where(_f.id.in_(list(ids)), _f.closed_at.is_(None))
    return int(connection.execute(ended.values(closed_at=now, closed_by=by)).rowcount)


def untold(connection: Connection, limit: int) -> list[dict[str, Any]]:
    """Open findings that the hook has not taken yet, oldest first."""
    query = select(drift_findings).where(_f.told_at.is_(None), _f.closed_at.is_(None)).order_by(_f.id).limit(limit)
    return [dict(row) for row in connection.execute(query).mappings()]


def told(connection: Connection, ids: Sequence[int], now: float, owner: str) -> None:
    """The hook has taken these; gives its job back."""
    connection.execute(update(drift_findings).where(_f.id.in_(list(ids))).values(told_at=now))
    release(connection, HOOK, owner, None, now)


def _same(item: Found) -> tuple[Any, ...]:
    return (
        _f.shop == item.shop,
        _f.kind == item.kind,
        _f.what == item.what,
        _f.path == item.path,
        _f.detail == item.detail,
    )


def _row(item: Found) -> dict[str, Any]:
    names = (
        "shop",
        "kind",
        "channel",
        "what",
        "path",
        "detail",
        "sample",
        "message_id",
        "first_at",
        "last_at",
        "count",
    )
    return {name: getattr(item, name) for name in names} | {"opened_at": item.first_at}


def _insert(connection: Connection) -> Any:
    return insert_into(connection.dialect.name, drift_profiles)
