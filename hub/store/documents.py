"""Canonical documents: the newest version of each, by identity."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, RowMapping, bindparam, insert, select, update

from hub.store.tables import documents
from hub.store.vault import of


class Identity(NamedTuple):
    """What makes two documents the same one."""

    tenant: str
    kind: str
    shop: str
    number: str


def load(connection: Connection, identities: Iterable[Identity]) -> dict[Identity, RowMapping]:
    """The stored documents of these identities."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for tenant, kind, shop, number in identities:
        groups.setdefault((tenant, kind, shop), []).append(number)
    found: dict[Identity, RowMapping] = {}
    for (tenant, kind, shop), numbers in groups.items():
        # Not rows of four in one list: SQLite would read the whole table for that.
        values = {"tenant": tenant, "kind": kind, "shop": shop, "numbers": sorted(numbers)}
        for row in connection.execute(_LOAD, values).mappings():
            found[Identity(tenant, kind, shop, row["number"])] = row
    return found


_LOAD = select(documents).where(
    documents.c.tenant == bindparam("tenant"),
    documents.c.kind == bindparam("kind"),
    documents.c.shop == bindparam("shop"),
    documents.c.number.in_(bindparam("numbers", expanding=True)),
)


def add(connection: Connection, rows: Sequence[dict[str, Any]]) -> dict[Identity, int]:
    """Insert new documents; returns their ids."""
    if not rows:
        return {}
    sealed = [{**row, "body": of(row["tenant"], row["body"])} for row in rows]
    stored = connection.execute(_ADD, sealed)
    return {Identity(r.tenant, r.kind, r.shop, r.number): r.id for r in stored}


_ADD = insert(documents).returning(
    documents.c.id, documents.c.tenant, documents.c.kind, documents.c.shop, documents.c.number
)


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
