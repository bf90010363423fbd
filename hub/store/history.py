"""Stored inputs of mappings, read in pages, and what was found when versions were held against each other.

A channel's mapping is fed with messages, a destination's with documents and, once they are sent there, deliveries.
"""

import json
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, and_, delete, func, insert, literal, or_, select, update

from hub.store.engine import skip_locked
from hub.store.tables import deliveries, documents, messages
from hub.store.workbench import mapping_diffs, mapping_shadows

SLACK = 3600.0
"""Seconds by which the order of ids may differ from the order of arrival, at most."""
PAGE_BYTES = 16 * 1024**2
"""Compressed bytes after which a page ends before its time."""
DIFFS_KEPT = 50
"""Reports kept of each mapping."""

_m, _d, _out = messages.c, documents.c, deliveries.c
_RECORD = and_(_m.body.is_not(None), or_(_m.subject != "", _m.key == ""))
"""Messages that are records: not repeats, whose body is kept once, and not thin events, which have a key alone."""


class Page(NamedTuple):
    """Rows, oldest first, and whether there may be more after them."""

    rows: list[dict[str, Any]]
    more: bool


def message_page(
    connection: Connection,
    kind: str,
    shops: Collection[str],
    after: int,
    limit: int,
    *,
    since: float = 0.0,
    upto: int = 0,
) -> Page:
    """Records of these shops with an id above `after` (and not above `upto`), oldest first; `body` is compressed."""
    columns = (_m.id, _m.tenant, _m.shop, _m.channel, _m.kind, _m.key, _m.body, _m.received_at)
    query = select(*columns).where(_m.id > after, *_records(kind, shops)).order_by(_m.id).limit(limit)
    if since:
        query = query.where(_m.received_at >= since)
    if upto:
        query = query.where(_m.id <= upto)
    return _page(connection, query, limit)


def before_newest(connection: Connection, kind: str, shops: Collection[str], count: int) -> int:
    """The id after which the newest `count` records of these shops lie; 0 if there are no more than that."""
    ids = select(_m.id).where(*_records(kind, shops)).order_by(_m.id.desc()).offset(count).limit(1)
    return int(connection.execute(ids).scalar() or 0)


def before_time(connection: Connection, since: float) -> int:
    """An id after which every message lies that arrived since then."""
    return max(first_since(connection, _m.id, _m.received_at, since - SLACK) - 2, 0)


def first_since(connection: Connection, number: Any, at: Any, since: float) -> int:
    """The lowest id of a row that is no older, or one beyond the highest. Ids follow time: it is found by halving."""
    low, high = 0, int(connection.execute(select(func.max(number))).scalar() or 0)
    while low < high:
        middle = (low + high + 1) // 2
        found = connection.execute(select(at).where(number >= middle).order_by(number).limit(1)).scalar()
        low, high = (middle, high) if found is not None and found < since else (low, middle - 1)
    return low + 1


def newest_message(connection: Connection) -> int:
    """The highest id of a message; 0 in an empty store."""
    return int(connection.execute(select(func.max(_m.id))).scalar() or 0)


def document_page(
    connection: Connection, kind: str, destinations: Collection[str], after: int, limit: int, since: float = 0.0
) -> Page:
    """Documents that went to one of these destinations (all of the kind, without any), oldest first."""
    query = select(_d.id, _d.tenant, _d.shop, _d.channel, _d.kind, _d.number.label("key"), _d.body)
    query = query.where(_d.id > after, *_documents(kind, destinations)).order_by(_d.id).limit(limit)
    if since:
        query = query.where(_d.updated_at >= since)
    return _page(connection, query, limit)


def before_newest_document(connection: Connection, kind: str, destinations: Collection[str], count: int) -> int:
    """The id after which the newest `count` documents lie."""
    ids = select(_d.id).where(*_documents(kind, destinations)).order_by(_d.id.desc()).offset(count).limit(1)
    return int(connection.execute(ids).scalar() or 0)


def delivery_page(
    connection: Connection, kind: str, destinations: Collection[str], after: int, limit: int, upto: int
) -> Page:
    """Deliveries to these destinations with an id above `after` and not above `upto`, oldest first; `body` is
    compressed, `received_at` when they were made."""
    at = _out.created_at.label("received_at")
    columns = (_out.id, _out.tenant, _out.shop, _out.channel, _out.kind, _out.key, _out.body, at)
    query = select(*columns).where(_out.kind == kind, _out.destination.in_(list(destinations)))
    query = query.where(_out.id > after, _out.id <= upto)
    return _page(connection, query.order_by(_out.id).limit(limit), limit)


def newest_delivery(connection: Connection) -> int:
    """The highest id of a delivery; 0 in an empty store."""
    return int(connection.execute(select(func.max(_out.id))).scalar() or 0)


def bodies(connection: Connection, ids: Collection[int], *, of_deliveries: bool = False) -> list[dict[str, Any]]:
    """Messages (or deliveries) by their ids, as the pages have them."""
    c = _out if of_deliveries else _m
    query = select(c.id, c.tenant, c.shop, c.channel, c.kind, c.key, c.body).where(c.id.in_(list(ids)))
    return [dict(row) for row in connection.execute(query.where(c.body.is_not(None)).order_by(c.id)).mappings()]


def _page(connection: Connection, query: Select[Any], limit: int) -> Page:
    """A page of rows with bodies: large ones make it shorter, so that it never needs much memory."""
    rows, size = list[dict[str, Any]](), 0
    with connection.execution_options(yield_per=20).execute(query) as result:
        for row in result.mappings():
            rows.append(dict(row))
            size += len(row["body"])
            if size >= PAGE_BYTES:
                return Page(rows, True)
    return Page(rows, len(rows) == limit)


def _records(kind: str, shops: Collection[str]) -> tuple[Any, ...]:
    return (_m.kind == kind, _m.shop.in_(list(shops)), _RECORD)


def _documents(kind: str, destinations: Collection[str]) -> tuple[Any, ...]:
    listed = literal(",") + _d.routed + ","
    there = [listed.contains(f",{name},", autoescape=True) for name in destinations]
    return (_d.kind == kind, *([or_(*there)] if there else []))


# -- reports -----------------------------------------------------------------------------------------------------


def keep_diff(
    connection: Connection, name: str, old: str, new: str, report: Mapping[str, Any], actor: str, now: float
) -> int:
    """Note that a person has seen what a version changes. `name` is full; returns the report's id."""
    text = json.dumps(report)
    row = insert(mapping_diffs).values(name=name, old=old, new=new, at=now, actor=actor, report=text)
    made = connection.execute(row.returning(mapping_diffs.c.id)).scalar_one()
    kept = select(mapping_diffs.c.id).where(mapping_diffs.c.name == name).order_by(mapping_diffs.c.id.desc())
    edge = connection.execute(kept.offset(DIFFS_KEPT).limit(1)).scalar()
    if edge is not None:
        connection.execute(delete(mapping_diffs).where(mapping_diffs.c.name == name, mapping_diffs.c.id <= edge))
    return int(made)


def diffs(connection: Connection, name: str, new: str, old: str = "") -> list[dict[str, Any]]:
    """Reports of a version of a mapping (against `old`, if told), newest first."""
    c = mapping_diffs.c
    query = select(mapping_diffs).where(c.name == name, c.new == new).order_by(c.id.desc())
    rows = connection.execute(query.where(c.old == old) if old else query).mappings()
    return [{**row, "report": json.loads(row["report"])} for row in rows]


# -- shadows -----------------------------------------------------------------------------------------------------


def add_shadow(
    connection: Connection, name: str, version: str, cursor: int, until: float, actor: str, now: float
) -> int:
    """Begin to watch what a version would make of everything after `cursor`."""
    row = insert(mapping_shadows).values(
        name=name, version=version, started_at=now, until=until, actor=actor, cursor=cursor
    )
    return int(connection.execute(row.returning(mapping_shadows.c.id)).scalar_one())


def shadows(connection: Connection, name: str = "", *, running: bool = False) -> list[dict[str, Any]]:
    """Shadows, newest first, with their report."""
    query: Select[Any] = select(mapping_shadows).order_by(mapping_shadows.c.id.desc())
    if name:
        query = query.where(mapping_shadows.c.name == name)
    if running:
        query = query.where(mapping_shadows.c.ended_at.is_(None))
    return [_shadow(row) for row in connection.execute(query).mappings()]


def lease_shadow(connection: Connection, now: float, lease: float, owner: str) -> dict[str, Any] | None:
    """Take the running shadow that nobody has looked after for longest; None if there is none."""
    c = mapping_shadows.c
    due = (
        select(c.id)
        .where(c.ended_at.is_(None), c.lease_until <= now)
        .order_by(c.lease_until, c.id)
        .limit(1)
        .with_for_update(**skip_locked(connection))
    )
    taken = (
        update(mapping_shadows)
        .where(c.id.in_(due.scalar_subquery()))
        .values(lease_until=now + lease, lease_owner=owner)
        .returning(mapping_shadows)
    )
    row = connection.execute(taken).mappings().first()
    return _shadow(row) if row is not None else None


def keep_shadow(connection: Connection, shadow_id: int, owner: str, **values: Any) -> bool:
    """Write `cursor`, `report` (plain data), `lease_until` or `ended_at`; False if it is no longer ours."""
    if "report" in values:
        values["report"] = json.dumps(values["report"])
    c = mapping_shadows.c
    ours = (c.id == shadow_id, c.lease_owner == owner, c.ended_at.is_(None))
    return bool(connection.execute(update(mapping_shadows).where(*ours).values(**values)).rowcount)


def end_shadow(connection: Connection, shadow_id: int, now: float) -> bool:
    """End a running shadow; False if it has ended."""
    c = mapping_shadows.c
    running = update(mapping_shadows).where(c.id == shadow_id, c.ended_at.is_(None))
    return bool(connection.execute(running.values(ended_at=now, lease_owner="")).rowcount)


def _shadow(row: Mapping[str, Any] | Any) -> dict[str, Any]:
    data = dict(row)
    data["report"] = json.loads(data["report"]) if data["report"] else None
    return data
