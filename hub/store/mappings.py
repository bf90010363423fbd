"""Versions of mappings, immutable, and which of them was activated when."""

import json
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from hub.store.tables import mapping_activations, mapping_versions


def version(connection: Connection, name: str, wanted: str) -> dict[str, Any] | None:
    """One stored version of a mapping, with its sources as a dictionary."""
    c = mapping_versions.c
    row = connection.execute(select(mapping_versions).where(c.name == name, c.version == wanted)).mappings().first()
    return {**row, "sources": json.loads(row["sources"])} if row else None


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
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    row = dialect.insert(mapping_versions).values(name=name, version=version, sources=json.dumps(sources), **told)
    connection.execute(row.on_conflict_do_nothing())
