"""What people and machines ask of the store: orders, deliveries, traces, balances. Reading only."""

import json
from typing import Any

import orjson
from sqlalchemy import Connection, Select, and_, case, func, select

from dlq import shelf
from dlq.replay import items
from dlq.shelf import letters
from hub.store import inbox, outbox
from hub.store.tables import attempts, counters, deliveries, destinations, documents, messages, pulls

_DOCUMENT = [c for c in documents.c if c.name != "body"]
_DELIVERY = [c for c in deliveries.c if c.name not in ("body", "overlay", "lease_owner", "lease_until", "lane")]
_HIDDEN = ("body", "overlay", "headers", "digest", "lease_owner", "lease_until")
_MESSAGE = [c for c in messages.c if c.name not in _HIDDEN]


def orders(
    connection: Connection,
    *,
    kind: str = "order",
    shop: str | None = None,
    state: str | None = None,
    review: bool | None = None,
    ids: list[int] | None = None,
    before: int | None = None,
    limit: int = 50,
) -> list[dict[str, Any]]:
    """Documents of a kind, newest first; `before` is the id to go on from, `ids` limits it to these."""
    query = select(*_DOCUMENT).where(documents.c.kind == kind).order_by(documents.c.id.desc()).limit(limit)
    query = _equal(query, documents, shop=shop, state=state)
    if review is not None:
        query = query.where(documents.c.review == review)
    if ids is not None:
        query = query.where(documents.c.id.in_(ids))
    if before is not None:
        query = query.where(documents.c.id < before)
    return [dict(r) for r in connection.execute(query).mappings()]


def document(
    connection: Connection, number: str, *, kind: str = "order", shop: str | None = None
) -> list[dict[str, Any]]:
    """Documents of this number (two shops may use the same), with their canonical body."""
    query = select(documents).where(
        documents.c.kind == kind, (documents.c.number == number) | (documents.c.display_no == number)
    )
    rows = connection.execute(_equal(query, documents, shop=shop)).mappings()
    return [{**r, "body": orjson.loads(r["body"])} for r in rows]


def deliveries_list(
    connection: Connection,
    *,
    destination: str | None = None,
    shop: str | None = None,
    state: str | None = None,
    subject: str | None = None,
    before: int | None = None,
    limit: int = 50,
) -> list[dict[str, Any]]:
    """Deliveries, newest first."""
    query = select(*_DELIVERY).order_by(deliveries.c.id.desc()).limit(limit)
    query = _equal(query, deliveries, destination=destination, shop=shop, state=state, subject=subject)
    if before is not None:
        query = query.where(deliveries.c.id < before)
    return [dict(r) for r in connection.execute(query).mappings()]


def delivery(connection: Connection, delivery_id: int) -> dict[str, Any] | None:
    """One delivery with its attempts and its document as it was then."""
    row = connection.execute(select(deliveries).where(deliveries.c.id == delivery_id)).mappings().first()
    if row is None:
        return None
    shown = {c.name: row[c.name] for c in _DELIVERY}
    shown["document"] = orjson.loads(inbox.decompress(row["body"]))
    shown["attempted"] = _attempts(connection, [delivery_id]).get(delivery_id, [])
    return shown


def trace(connection: Connection, order: str) -> dict[str, Any]:
    """Everything that is known about one order: messages, documents, deliveries with attempts, dead letters."""
    known = select(documents.c.subject).where(
        (documents.c.number == order) | (documents.c.display_no == order) | (documents.c.subject == order)
    )
    subjects = sorted({order, *connection.execute(known).scalars()})
    of_message = (messages.c.subject.in_(subjects)) | (messages.c.key.in_(subjects))
    arrived = connection.execute(select(*_MESSAGE).where(of_message).order_by(messages.c.id)).mappings()
    made = connection.execute(
        select(documents).where(documents.c.subject.in_(subjects)).order_by(documents.c.id)
    ).mappings()
    sent = [
        dict(r)
        for r in connection.execute(
            select(*_DELIVERY).where(deliveries.c.subject.in_(subjects)).order_by(deliveries.c.id)
        ).mappings()
    ]
    tries = _attempts(connection, [d["id"] for d in sent])
    for row in sent:
        row["attempted"] = tries.get(row["id"], [])
        row["waits_for"] = _waits_for(row, sent)
    return {
        "order": order,
        "messages": [dict(r) for r in arrived],
        "documents": [{**r, "body": orjson.loads(r["body"])} for r in made],
        "deliveries": sent,
        "dead_letters": shelf.of_orders(connection, subjects),
    }


def _waits_for(row: dict[str, Any], all_sent: list[dict[str, Any]]) -> int | None:
    """The delivery that a held one waits behind."""
    if row["state"] != outbox.HELD:
        return None
    before = [
        d["id"]
        for d in all_sent
        if d["destination"] == row["destination"] and d["id"] < row["id"] and d["state"] in outbox.UNFINISHED
    ]
    return max(before, default=None)


def _attempts(connection: Connection, ids: list[int]) -> dict[int, list[dict[str, Any]]]:
    found: dict[int, list[dict[str, Any]]] = {}
    if not ids:
        return found
    query = select(attempts).where(attempts.c.delivery_id.in_(ids)).order_by(attempts.c.id)
    for row in connection.execute(query).mappings():
        found.setdefault(row["delivery_id"], []).append(
            {k: v for k, v in row.items() if k not in ("id", "delivery_id")}
        )
    return found


def destination_states(connection: Connection) -> list[dict[str, Any]]:
    """Every destination's shared state with its counts by delivery state and the age of the oldest waiting."""
    d = deliveries.c
    grouped = select(d.destination, d.state, func.count().label("n"), func.min(d.accepted_at).label("oldest"))
    counts: dict[str, dict[str, Any]] = {}
    for row in connection.execute(grouped.group_by(d.destination, d.state)).mappings():
        entry = counts.setdefault(row["destination"], {"counts": {}, "oldest": {}})
        entry["counts"][row["state"]] = row["n"]
        if row["state"] in outbox.UNFINISHED:
            entry["oldest"][row["state"]] = row["oldest"]
    shared = {r["name"]: dict(r) for r in connection.execute(select(destinations)).mappings()}
    nothing: dict[str, Any] = {"counts": {}, "oldest": {}}
    return [{**shared.get(n, {}), **counts.get(n, nothing), "name": n} for n in sorted(set(counts) | set(shared))]


def message_states(connection: Connection) -> list[dict[str, Any]]:
    """Messages by channel, shop and state, with the oldest of each."""
    m = messages.c
    query = select(m.channel, m.shop, m.state, func.count().label("n"), func.min(m.received_at).label("oldest"))
    return [dict(r) for r in connection.execute(query.group_by(m.channel, m.shop, m.state)).mappings()]


def ended_deliveries_of_replay(connection: Connection, number: int) -> int:
    """How many letters of a replay are about a delivery that went through another way meanwhile."""
    d, i = deliveries.c, items.c
    joined = items.join(letters, i.letter_id == letters.c.id).join(deliveries, letters.c.delivery_id == d.id)
    query = select(func.count()).select_from(joined).where(i.replay_id == number, d.state != outbox.DEAD)
    return int(connection.execute(query).scalar() or 0)


def tenants(connection: Connection) -> list[str]:
    """Every tenant that has a document."""
    return sorted(connection.execute(select(documents.c.tenant).distinct()).scalars())


def pull_states(connection: Connection) -> list[dict[str, Any]]:
    """Where each shop's pulls stand."""
    hidden = ("lease_until", "lease_owner")
    rows = connection.execute(select(pulls).order_by(pulls.c.shop, pulls.c.kind)).mappings()
    return [{k: v for k, v in r.items() if k not in hidden} for r in rows]


def all_counters(connection: Connection) -> list[tuple[str, list[str], float]]:
    """(metric, label values, value)."""
    rows = connection.execute(select(counters).order_by(counters.c.name, counters.c.labels))
    return [(r.name, json.loads(r.labels), r.value) for r in rows]


BALANCE = ("delivered", "waiting", "held", "ignored", "dead")


def balance(connection: Connection, names: list[str]) -> list[dict[str, Any]]:
    """Per channel and destination: every accepted message once, as delivered, waiting, held, ignored or dead.

    Counted from messages and from deliveries apart, so that `accepted` is not the sum of the others by construction.
    """
    m, d = messages.c, deliveries.c
    accepted = {row[0]: row[1] for row in connection.execute(select(m.channel, func.count()).group_by(m.channel))}
    waiting = m.state.in_([inbox.RECEIVED, inbox.FETCH])
    fate = case((waiting, "waiting"), (m.state == inbox.IGNORED, "ignored"), (m.state == inbox.DEAD, "dead"))
    before = select(m.channel, fate.label("fate"), func.count().label("n")).where(m.state != inbox.TRANSLATED)
    early = connection.execute(before.group_by(m.channel, fate)).mappings().all()
    sent = case(
        (d.state == outbox.DELIVERED, "delivered"),
        (d.state.in_([outbox.WAITING, outbox.SENDING, outbox.IN_DOUBT]), "waiting"),
        (d.state == outbox.HELD, "held"),
        (d.state == outbox.DEAD, "dead"),
        else_="ignored",
    )
    translated = and_(d.message_id == m.id, m.state == inbox.TRANSLATED)
    result = []
    for name in names:
        joined = (
            select(m.channel, case((d.id.is_(None), "ignored"), else_=sent).label("fate"), func.count().label("n"))
            .select_from(messages.outerjoin(deliveries, and_(translated, d.destination == name)))
            .where(m.state == inbox.TRANSLATED)
        )
        late = connection.execute(joined.group_by(m.channel, "fate")).mappings().all()
        for channel, total in sorted(accepted.items()):
            row: dict[str, Any] = {
                "channel": channel,
                "destination": name,
                "accepted": total,
                **dict.fromkeys(BALANCE, 0),
            }
            for found in (*early, *late):
                if found["channel"] == channel:
                    row[found["fate"]] += found["n"]
            row["holds"] = row["accepted"] == sum(row[f] for f in BALANCE)
            result.append(row)
    return result


def _equal(query: Select[Any], table: Any, **values: Any) -> Select[Any]:
    for name, value in values.items():
        if value not in (None, ""):
            query = query.where(table.c[name] == value)
    return query


def latencies(connection: Connection, after: int = 0) -> list[float]:
    """Seconds from accepted to delivered of every delivery with a higher id, oldest delivery first."""
    d = deliveries.c
    taken = (d.done_at - d.accepted_at).label("seconds")
    rows = connection.execute(select(taken).where(d.state == outbox.DELIVERED, d.id > after).order_by(d.id)).scalars()
    return [float(v) for v in rows]
