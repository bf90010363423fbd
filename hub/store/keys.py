"""The tenants' keys in the store: made once, loaded at the start, rotated by command."""

from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import Connection, Table, insert, select, text, update

from hub.store.tables import deliveries, documents, messages, tenant_keys
from hub.store.vault import PEOPLE, Vault, of

_LOCK = 7_305_402
_PART = 200
_SEALED: tuple[tuple[Table, tuple[str, ...]], ...] = (
    (messages, ("body", "overlay")),
    (documents, ("body",)),
    (deliveries, ("body", "overlay")),
)


def all_of(connection: Connection) -> list[dict[str, Any]]:
    """Every key, the oldest first."""
    return [dict(row) for row in connection.execute(select(tenant_keys).order_by(tenant_keys.c.created_at)).mappings()]


def prepare(connection: Connection, vault: Vault, tenants: Iterable[str], now: float) -> None:
    """Load the keys, and make those that are missing."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    rows = all_of(connection)
    vault.load(rows)
    fresh = [vault.fresh(tenant, now) for tenant in vault.missing(tenants)]
    if fresh:
        connection.execute(insert(tenant_keys), fresh)
        vault.load([row | {"retired_at": None} for row in fresh])


def reseal(connection: Connection, vault: Vault) -> int:
    """Seal every tenant's key with the first hub.key; returns how many."""
    rows = all_of(connection)
    for row in rows:
        sealed = vault.resealed(row)
        if sealed is not None:
            connection.execute(update(tenant_keys).where(tenant_keys.c.id == row["id"]).values(sealed=sealed))
    return len(rows)


def renew(connection: Connection, vault: Vault, tenant: str, now: float) -> None:
    """A new key for a tenant; the old ones only open from now on."""
    mine = (tenant_keys.c.tenant == tenant, tenant_keys.c.retired_at.is_(None))
    connection.execute(update(tenant_keys).where(*mine).values(retired_at=now))
    fresh = vault.fresh(tenant, now)
    connection.execute(insert(tenant_keys).values(**fresh))
    vault.load([fresh | {"retired_at": None}])


def tenants_of(connection: Connection) -> list[str]:
    """Every tenant that has a key of its own; "" stands for all others."""
    found = connection.execute(select(tenant_keys.c.tenant).where(tenant_keys.c.tenant != PEOPLE).distinct())
    return sorted(found.scalars())


def parts(connection: Connection) -> Iterator[tuple[Table, tuple[str, ...], int, int]]:
    """All that is sealed, in parts: table, columns, and the first and last id of a part."""
    for table, columns in _SEALED:
        after = 0
        while ids := list(
            connection.execute(select(table.c.id).where(table.c.id > after).order_by(table.c.id).limit(_PART)).scalars()
        ):
            yield table, columns, ids[0], ids[-1]
            after = ids[-1]


def rewrite(connection: Connection, table: Table, columns: tuple[str, ...], first: int, last: int) -> int:
    """Read and write a part again: sealed with each tenant's present key. Returns how many rows."""
    wanted = [table.c.id, table.c.tenant, *(table.c[name] for name in columns)]
    rows = connection.execute(select(*wanted).where(table.c.id.between(first, last))).mappings().all()
    for row in rows:
        values = {name: of(row["tenant"], row[name]) for name in columns if row[name] is not None}
        if values:
            connection.execute(update(table).where(table.c.id == row["id"]).values(**values))
    return len(rows)
