"""Canonical documents: the newest version of each, by identity."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, RowMapping, bindparam, insert, select, tuple_, update

from hub.store.tables import documents
from hub.store.vault import of


class Identity(NamedTuple):
    """What makes two documents the same one."""

    tenant: str
    kind: str
    shop: str
    number: str


_IDENTITY = tuple_(documents.c.tenant, documents.c.kind, documents.c.shop, documents.c.number)


def load(connection: Connection, identities: Iterable[Identity]) -> dict[Identity, RowMapping]:
    """The stored documents of these identities."""
    wanted = list(identities)
    if not wanted:
        return {}
    rows = connection.execute(select(documents).where(_IDENTITY.in_(wanted))).mappings()
    return {Identity(r["tenant"], r["kind"], r["shop"], r["number"]): r for r in rows}


def add(connection: Connection, rows: Sequence[dict[str, Any]]) -> dict[Identity, int]:
    """Insert new documents; returns their ids."""
    if not rows:
        return {}
    c = documents.c
    sealed = [{**row, "body": of(row["tenant"], row["body"])} for row in rows]
    stored = connection.execute(insert(documents).returning(c.id, c.tenant, c.kind, c.shop, c.number), sealed)
    return {Identity(r.tenant, r.kind, r.shop, r.number): r.id for r in stored}


def replace(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Write newer versions over stored documents; each row has `b_id` and the columns' new values as b_NAME."""
    if rows:
        connection.execute(_REPLACE, rows)


_CHANGING = (
    "revision",
    "content",
    "body",
    "state",
    "display_no",
    "version",
    "routed",
    "mapping_version",
    "message_id",
    "updated_at",
)
_REPLACE = (
    update(documents)
    .where(documents.c.id == bindparam("b_id"))
    .values({name: bindparam(f"b_{name}") for name in _CHANGING})
)


def changing(row: dict[str, Any], document_id: int) -> dict[str, Any]:
    """An insert's row as an update's."""
    values = {f"b_{name}": row[name] for name in _CHANGING}
    return {"b_id": document_id, **values, "b_body": of(row["tenant"], row["body"])}


def mark_for_review(connection: Connection, ids: Iterable[int]) -> None:
    """Orders that went on with an assumed answer."""
    connection.execute(update(documents).where(documents.c.id.in_(list(ids))).values(review=True))
