"""Small shared state: destinations' circuits and budgets, pull cursors, counters, quarantine, tokens."""

import json
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import Any

from sqlalchemy import Connection, RowMapping, bindparam, delete, func, insert, or_, select, update

from dlq.upsert import insert_into
from hub.breaker import WHOLE, Circuit
from hub.store.tables import budgets, counters, credentials, destinations, pulls, quarantine, tokens
from hub.throttle import Bucket, ready_in, take

QUARANTINE_KEPT = 1000
"""Rejected requests kept per shop; older ones are only counted."""


def ensure_destination(connection: Connection, name: str) -> None:
    """Make sure that the destination has its row."""
    connection.execute(_insert(connection, destinations).values(name=name).on_conflict_do_nothing())


def destination(connection: Connection, name: str, *, lock: bool = False) -> RowMapping:
    """A destination's shared state; with `lock`, until the end of the transaction."""
    query = _LOCKED if lock else _DESTINATION
    row = connection.execute(query, {"name": name}).mappings().first()
    if row is None:
        ensure_destination(connection, name)
        row = connection.execute(query, {"name": name}).mappings().one()
    return row


_DESTINATION = select(destinations).where(destinations.c.name == bindparam("name"))
_LOCKED = _DESTINATION.with_for_update()


def destinations_of(connection: Connection, names: Sequence[str]) -> Sequence[RowMapping]:
    """The shared state of these destinations, as far as they have one."""
    return connection.execute(_DESTINATIONS, {"names": list(names)}).mappings().all()


_DESTINATIONS = select(destinations).where(destinations.c.name.in_(bindparam("names", expanding=True)))


def look_at(connection: Connection, name: str) -> RowMapping | None:
    """A destination's shared state, or None before its first delivery. Writes nothing."""
    return connection.execute(select(destinations).where(destinations.c.name == name)).mappings().first()


def circuits_of(row: Mapping[str, Any] | RowMapping) -> dict[str, Circuit]:
    """The circuits kept in a destination's row, by kind of document."""
    if not row.get("circuit"):
        return {}
    kept = json.loads(row["circuit"])
    if "slices" in kept:  # of a hub that had one for all kinds; it learns again what a person did not force
        return {WHOLE: Circuit(forced=kept["forced"])} if kept["forced"] else {}
    return {
        kind: Circuit(c["state"], c["until"], tuple((s[0], s[1], s[2]) for s in c["slices"]), c["forced"])
        for kind, c in kept.items()
    }


def bucket_of(row: RowMapping) -> Bucket | None:
    """The budget kept in a destination's row."""
    return None if row["tokens"] is None else Bucket(row["tokens"], row["tokens_at"])


def keep_destination(connection: Connection, name: str, now: float, **values: Any) -> None:
    """Write `circuits` (kind to Circuit), `bucket` (a Bucket) or `paused` (text)."""
    changed: dict[str, Any] = {"updated_at": now}
    if "circuits" in values:
        circuits: dict[str, Circuit] = values["circuits"]
        changed["circuit"] = json.dumps(
            {
                kind: {"state": c.state, "until": c.until, "slices": c.slices, "forced": c.forced}
                for kind, c in circuits.items()
            }
        )
    if "bucket" in values:
        changed |= {"tokens": values["bucket"].tokens, "tokens_at": values["bucket"].at}
    if "paused" in values:
        changed["paused"] = values["paused"][:200]
    connection.execute(_kept(tuple(changed)), {"b_name": name, **{f"b_{k}": v for k, v in changed.items()}})


@cache
def _kept(columns: tuple[str, ...]) -> Any:
    values: dict[str, Any] = {name: bindparam(f"b_{name}") for name in columns}
    return update(destinations).where(destinations.c.name == bindparam("b_name")).values(values)


def take_budget(connection: Connection, name: str, rate: float, now: float) -> float:
    """One call out of a budget that all processes share: 0 where it may start now, else seconds until it may."""
    connection.execute(
        _insert(connection, budgets).values(name=name, tokens=rate, tokens_at=now).on_conflict_do_nothing()
    )
    query = select(budgets).where(budgets.c.name == name).with_for_update()
    row = connection.execute(query).mappings().one()
    granted, bucket = take(Bucket(row["tokens"], row["tokens_at"]), rate, 1, now)
    kept = {"tokens": bucket.tokens, "tokens_at": bucket.at}
    connection.execute(update(budgets).where(budgets.c.name == name).values(**kept))
    return 0.0 if granted else ready_in(bucket, rate)


def pull_state(connection: Connection, shop: str, kind: str) -> RowMapping:
    """Where a shop's pull of one kind stands; made on first use."""
    which = {"shop": shop, "kind": kind}
    row = connection.execute(_PULL, which).mappings().first()
    if row is None:
        connection.execute(_insert(connection, pulls).values(**which).on_conflict_do_nothing())
        row = connection.execute(_PULL, which).mappings().one()
    return row


_PULL = select(pulls).where(pulls.c.shop == bindparam("shop"), pulls.c.kind == bindparam("kind"))


def lease_pull(connection: Connection, shop: str, kind: str, now: float, lease: float, owner: str) -> RowMapping | None:
    """Take the pull if it is due and nobody else has it. A process has one loop for it: what it holds itself is left
    from a turn that failed."""
    pull_state(connection, shop, kind)
    values = {"b_shop": shop, "b_kind": kind, "now": now, "until": now + lease, "owner": owner}
    return connection.execute(_LEASE_PULL, values).mappings().first()


_LEASE_PULL = (
    update(pulls)
    .where(
        pulls.c.shop == bindparam("b_shop"),
        pulls.c.kind == bindparam("b_kind"),
        pulls.c.due_at <= bindparam("now"),
        or_(pulls.c.lease_until <= bindparam("now"), pulls.c.lease_owner == bindparam("owner")),
        pulls.c.paused == "",
    )
    .values(lease_until=bindparam("until"), lease_owner=bindparam("owner"))
    .returning(pulls)
)


def keep_pull(connection: Connection, shop: str, kind: str, **values: Any) -> None:
    """Write columns of a pull's state."""
    connection.execute(update(pulls).where(pulls.c.shop == shop, pulls.c.kind == kind).values(**values))


def drop_pull_leases(connection: Connection, owner: str = "") -> None:
    """Give back what a process holds; without a name what all hold, for a single working process."""
    held = pulls.c.lease_owner == owner if owner else pulls.c.lease_owner != ""
    connection.execute(update(pulls).where(held).values(lease_until=0.0, lease_owner=""))


def count(connection: Connection, increments: Mapping[tuple[str, ...], float]) -> None:
    """Add to counters; a key is (metric, label values ...). Last in a transaction: all processes share these rows."""
    if not increments:
        return
    rows = [{"name": k[0], "labels": _labels(k[1:]), "value": value} for k, value in sorted(increments.items())]
    connection.execute(_counting(connection.dialect.name), rows)


@lru_cache(maxsize=1024)
def _labels(values: tuple[str, ...]) -> str:
    return json.dumps(values, ensure_ascii=False)


@cache
def _counting(dialect: str) -> Any:
    statement = insert_into(dialect, counters)
    added = {"value": counters.c.value + statement.excluded.value}
    return statement.on_conflict_do_update(index_elements=["name", "labels"], set_=added)


def reject(connection: Connection, rows: list[dict[str, Any]]) -> None:
    """Note rejected requests, a bounded number per shop; count all."""
    connection.execute(insert(quarantine), rows)
    for shop in {r["shop"] for r in rows}:
        kept = select(quarantine.c.id).where(quarantine.c.shop == shop).order_by(quarantine.c.id.desc())
        edge = connection.execute(kept.offset(QUARANTINE_KEPT).limit(1)).scalar()
        if edge is not None:
            connection.execute(delete(quarantine).where(quarantine.c.shop == shop, quarantine.c.id <= edge))
    totals: dict[tuple[str, ...], float] = {}
    for row in rows:
        key = ("rejected", row["shop"], row["code"])
        totals[key] = totals.get(key, 0) + 1
    count(connection, totals)


def quarantined(
    connection: Connection, shop: str | None = None, limit: int = 50, *, before: int | None = None
) -> list[dict[str, Any]]:
    """Rejected requests, newest first; `before` is the id to go on from."""
    query = select(quarantine).order_by(quarantine.c.id.desc()).limit(limit)
    if shop:
        query = query.where(quarantine.c.shop == shop)
    if before is not None:
        query = query.where(quarantine.c.id < before)
    return [dict(r) for r in connection.execute(query).mappings()]


def add_token(connection: Connection, name: str, role: str, digest: str, now: float) -> None:
    """Keep a new API token's hash."""
    connection.execute(insert(tokens).values(name=name, role=role, hash=digest, created_at=now))


def token_by_hash(connection: Connection, digest: str) -> RowMapping | None:
    """The live token of this hash."""
    query = select(tokens).where(tokens.c.hash == digest, tokens.c.revoked_at.is_(None))
    return connection.execute(query).mappings().first()


def all_tokens(connection: Connection) -> list[dict[str, Any]]:
    """Every token, without its hash."""
    query = select(tokens.c.id, tokens.c.name, tokens.c.role, tokens.c.created_at, tokens.c.revoked_at)
    return [dict(r) for r in connection.execute(query.order_by(tokens.c.id)).mappings()]


def revoke_token(connection: Connection, name: str, now: float) -> int:
    """End a token; returns how many were alive by that name."""
    done = connection.execute(
        update(tokens).where(tokens.c.name == name, tokens.c.revoked_at.is_(None)).values(revoked_at=now)
    )
    return int(done.rowcount)


def keep_credentials(connection: Connection, shop: str, sealed: bytes, expires_at: float | None, now: float) -> None:
    """Keep refreshed tokens of a shop, encrypted by the caller."""
    statement = _insert(connection, credentials).values(shop=shop, sealed=sealed, expires_at=expires_at, updated_at=now)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["shop"], set_={"sealed": sealed, "expires_at": expires_at, "updated_at": now}
        )
    )


def credentials_of(connection: Connection, shop: str) -> RowMapping | None:
    """A shop's refreshed tokens, sealed."""
    return connection.execute(select(credentials).where(credentials.c.shop == shop)).mappings().first()


def quarantine_count(connection: Connection) -> int:
    """How many rejected requests are kept."""
    return int(connection.execute(select(func.count()).select_from(quarantine)).scalar() or 0)


def _insert(connection: Connection, table: Any) -> Any:
    return insert_into(connection.dialect.name, table)
