"""Finding and erasing people: keyed hashes of phones, names and e-mail addresses, by which documents are found."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import orjson
from sqlalchemy import Connection, Insert, delete, select, update

from canonical.personal import personal_paths, without
from dlq.upsert import insert_into
from hub.store import inbox
from hub.store.tables import attempts, deliveries, documents, messages, people
from hub.store.vault import ACTIVE, of
from hub.store.workbench import drift_findings

KINDS = ("phone", "name", "email")
ERASED = "erased"


def index(connection: Connection, rows: Iterable[tuple[int, str, str, bytes]]) -> None:
    """Make documents findable: (id, tenant, kind, canonical JSON) of each."""
    vault = ACTIVE.get()
    if vault is None:
        return
    found = [
        {"hash": vault.hashed(tenant, what, value), "document_id": number}
        for number, tenant, kind, body in rows
        for what, value in _values(kind, orjson.loads(body))
    ]
    if found:
        connection.execute(_index(connection.dialect.name), found)


@cache
def _index(dialect: str) -> Insert:
    return insert_into(dialect, people).on_conflict_do_nothing()


def find(connection: Connection, tenants: Sequence[str], wanted: Mapping[str, str]) -> list[int]:
    """Ids of the documents that hold all of these (phone, name, email), oldest first."""
    vault = ACTIVE.get()
    if vault is None:
        return []
    ids: set[int] | None = None
    for what, value in wanted.items():
        hashes = [vault.hashed(tenant, what, normal(what, value)) for tenant in tenants]
        query = select(people.c.document_id).where(people.c.hash.in_(hashes))
        having = set(connection.execute(query).scalars())
        ids = having if ids is None else ids & having
    return sorted(ids or ())


def normal(what: str, value: str) -> str:
    """As it is compared: phones by their last eleven digits, the rest without case and outer space."""
    if what == "phone":
        return re.sub(r"\D", "", value)[-11:]
    return " ".join(value.casefold().split())


def _values(kind: str, document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for path in personal_paths(kind):
        what = path.rpartition(".")[2]
        if what not in KINDS:
            continue
        place: Any = document
        for name in path.split("."):
            place = place.get(name) if isinstance(place, Mapping) else None
        if isinstance(place, str) and place and "*" not in place:
            yield what, normal(what, place)


def subjects(connection: Connection, ids: Sequence[int]) -> list[tuple[str, str, str]]:
    """(tenant, shop, order) that these documents are about."""
    columns = (documents.c.tenant, documents.c.shop, documents.c.subject)
    return [tuple(row) for row in connection.execute(select(*columns).where(documents.c.id.in_(list(ids))).distinct())]


def unfinished(connection: Connection, orders: Sequence[tuple[str, str, str]]) -> list[int]:
    """Deliveries of these orders that are still on their way."""
    found: list[int] = []
    for tenant, shop, subject in orders:
        c = deliveries.c
        mine = (c.tenant == tenant, c.shop == shop, c.subject == subject)
        moving = c.state.in_(["waiting", "held", "sending", "in_doubt"])
        found += connection.execute(select(c.id).where(*mine, moving)).scalars()
    return found


def erase(connection: Connection, tenant: str, shop: str, subject: str) -> dict[str, int]:
    """Take out what is personal of one order: raw messages, documents, deliveries, attempts. The skeleton stays: what
    came when, which version went where, and with which amounts. Returns how many rows of each."""
    m, d, v = messages.c, documents.c, deliveries.c
    came = list(
        connection.execute(select(m.id).where(m.tenant == tenant, m.shop == shop, m.subject == subject)).scalars()
    )
    gone = {"body": None, "headers": None, "overlay": None}
    connection.execute(update(messages).where(m.id.in_(came)).values(**gone))
    mine = (d.tenant == tenant, d.shop == shop, d.subject == subject)
    made = connection.execute(select(d.id, d.kind, d.body).where(*mine)).all()
    for row in made:
        body = of(tenant, orjson.dumps(without(orjson.loads(row.body), row.kind)))
        connection.execute(update(documents).where(d.id == row.id).values(body=body, erased=True))
    connection.execute(delete(people).where(people.c.document_id.in_([row.id for row in made])))
    out = (v.tenant == tenant, v.shop == shop, v.subject == subject)
    sent = connection.execute(select(v.id, v.kind, v.body).where(*out)).all()
    for row in sent:
        plain = without(orjson.loads(inbox.decompress(row.body)), row.kind)
        body = of(tenant, inbox.compress(orjson.dumps(plain)))
        connection.execute(update(deliveries).where(v.id == row.id).values(body=body, overlay=None, error=ERASED))
    ids = [row.id for row in sent]
    tried = connection.execute(
        update(attempts).where(attempts.c.delivery_id.in_(ids)).values(answer="", error="")
    ).rowcount
    connection.execute(update(drift_findings).where(drift_findings.c.message_id.in_(came)).values(sample=""))
    return {"messages": len(came), "documents": len(made), "deliveries": len(sent), "attempts": int(tried)}
