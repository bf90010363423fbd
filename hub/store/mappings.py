"""Versions of mappings, immutable, and which of them was activated when."""

import json
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, and_, func, insert, make_url, select
from sqlalchemy.exc import DatabaseError, IntegrityError

from dlq.upsert import insert_into
from hub.store.engine import Store
from hub.store.workbench import mapping_activations, mapping_versions


def version(connection: Connection, name: str, wanted: str) -> dict[str, Any] | None:
    """One stored version of a mapping, with its sources as a dictionary."""
    c = mapping_versions.c
    row = connection.execute(select(mapping_versions).where(c.name == name, c.version == wanted)).mappings().first()
    return {**row, "sources": json.loads(row["sources"])} if row else None


def by_version(connection: Connection, wanted: str) -> dict[str, Any] | None:
    """The stored version of that name, whatever mapping it is of: `name` and `sources`."""
    row = connection.execute(select(mapping_versions).where(mapping_versions.c.version == wanted)).mappings().first()
    return {"name": row["name"], "sources": json.loads(row["sources"])} if row else None


def versions(connection: Connection, name: str) -> list[dict[str, Any]]:
    """What is stored of a mapping, newest first, without the sources."""
    columns = [c for c in mapping_versions.c if c.name != "sources"]
    query = select(*columns).where(mapping_versions.c.name == name).order_by(mapping_versions.c.created_at.desc())
    return [dict(row) for row in connection.execute(query).mappings()]


def activations(connection: Connection, name: str, limit: int = 100) -> list[dict[str, Any]]:
    """Which version was put in force when and by whom, newest first."""
    c = mapping_activations.c
    query = select(mapping_activations).where(c.name == name).order_by(c.sequence.desc()).limit(limit)
    return [dict(row) for row in connection.execute(query).mappings()]


def add(connection: Connection, name: str, version: str, sources: dict[str, str], **told: Any) -> None:
    """Keep a version (`told`: origin, based_on, created_at, created_by, why). What is known already stays as it is."""
    row = insert_into(connection.dialect.name, mapping_versions).on_conflict_do_nothing()
    connection.execute(row.values(name=name, version=version, sources=json.dumps(sources), **told))


def activate(
    connection: Connection, name: str, version: str, sequence: int, now: float, actor: str, why: str, *, forced: bool
) -> bool:
    """Put a version in force ("": the file on disk) as the mapping's activation of that number. False where another
    one has that number already: somebody was faster."""
    row = {"name": name, "sequence": sequence, "version": version, "at": now, "actor": actor, "why": why}
    try:
        with connection.begin_nested():
            connection.execute(insert(mapping_activations).values(**row, forced=forced))
    except IntegrityError:
        return False
    return True


def newest_activation(connection: Connection) -> int:
    """A number that grows with each activation of any mapping, 0 before the first."""
    return int(connection.execute(select(func.max(mapping_activations.c.id))).scalar() or 0)


def pins(connection: Connection) -> dict[str, dict[str, str]]:
    """Full name -> sources, of every mapping of which a stored version is in force."""
    a, v = mapping_activations.c, mapping_versions.c
    last = select(a.name, func.max(a.sequence).label("sequence")).group_by(a.name).subquery()
    query = (
        select(v.name, v.sources)
        .join(mapping_activations, and_(a.name == v.name, a.version == v.version))
        .join(last, and_(last.c.name == a.name, last.c.sequence == a.sequence))
    )
    return {row.name: json.loads(row.sources) for row in connection.execute(query)}


def pins_at_start(store: Store) -> dict[str, dict[str, str]]:
    """The same before the tables are brought up to date: none where there is no store, or no such table yet."""
    if store.sqlite and not Path(make_url(store.url).database or "").exists():
        return {}
    try:
        with store.look() as connection:
            return pins(connection)
    except DatabaseError:  # no such table yet; or no database, which is told when it is opened to work
        return {}
