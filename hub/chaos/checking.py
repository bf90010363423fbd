"""The checker: it believes the receivers' own books and the store, never what the hub says of itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, select

from dlq.groups import groups
from dlq.letter import State
from dlq.replay import Job, replays
from dlq.shelf import letters
from hub.chaos.books import Book
from hub.store import audit, inbox, outbox, views
from hub.store.tables import attempts, deliveries, destinations, documents, messages, pulls

MOVING = (outbox.WAITING, outbox.SENDING, outbox.IN_DOUBT)


class Accepted(NamedTuple):
    """A push that was answered 200: which document, and its revision as the platform writes it."""

    document: str
    revision: str

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> "Accepted":
        return cls(str(record.get("refund_no") or record["order_no"]), str(record["updated_at"]))


def restless(connection: Connection) -> list[str]:
    """What still moves: messages to be mapped, deliveries to be sent, and what is held behind nothing that is dead."""
    found = []
    waiting = connection.execute(
        select(messages.c.state, func.count())
        .where(messages.c.state.in_([inbox.RECEIVED, inbox.FETCH]))
        .group_by(messages.c.state)
    )
    found += [f"{count} messages {state}" for state, count in waiting]
    moving = connection.execute(
        select(deliveries.c.state, func.count()).where(deliveries.c.state.in_(MOVING)).group_by(deliveries.c.state)
    )
    found += [f"{count} deliveries {state}" for state, count in moving]
    running = select(func.count()).where(replays.c.state == Job.RUNNING)
    if count := connection.execute(running).scalar():
        found.append(f"{count} replays under way")
    dead = select(deliveries.c.lane).where(deliveries.c.state == outbox.DEAD)
    stuck = select(func.count()).where(deliveries.c.state == outbox.HELD, deliveries.c.lane.not_in(dead))
    if count := connection.execute(stuck).scalar():
        found.append(f"{count} deliveries held behind nothing")
    return found


@dataclass(frozen=True, slots=True)
class Excused:
    """Orders that need not arrive: a person discarded or erased them."""

    orders: frozenset[str] = frozenset()


def unfair(connection: Connection, now: float) -> list[str]:
    """What waits though it is long due, nobody holds it, and its destination is not paused."""
    late = now - OVERDUE
    paused = select(destinations.c.name).where(destinations.c.paused != "")
    waiting = select(func.count()).where(
        deliveries.c.state.in_([outbox.WAITING, outbox.IN_DOUBT]),
        deliveries.c.due_at < late,
        deliveries.c.destination.not_in(paused),
    )
    received = select(func.count()).where(
        messages.c.state.in_([inbox.RECEIVED, inbox.FETCH]), messages.c.due_at < late, messages.c.lease_until < late
    )
    counts = {"deliveries": connection.execute(waiting).scalar(), "messages": connection.execute(received).scalar()}
    return [
        f"{count} {what} are overdue by {OVERDUE:.0f} s and nobody takes them"
        for what, count in counts.items()
        if count
    ]


OVERDUE = 12.0
"""Seconds after its date within which something that may go has gone, where nothing is at fault."""


def paused_pulls(connection: Connection) -> list[str]:
    """Pulls that wait for a person."""
    query = select(pulls.c.shop, pulls.c.kind, pulls.c.paused).where(pulls.c.paused != "")
    return [f"the pull of {row.shop}/{row.kind} is paused: {row.paused}" for row in connection.execute(query)]


def between_windows(connection: Connection, kinds: Sequence[str]) -> list[str]:
    """Pulls that are in the middle of a window, or of its only page."""
    there = {row.kind: row for row in connection.execute(select(pulls))}
    return [
        f"the pull of {kind}s is in the middle of a window"
        for kind in kinds
        if kind not in there or there[kind].window_end is not None or there[kind].lease_owner
    ]


def in_doubt(connection: Connection) -> list[str]:
    """Keys of what is under way, or was and is not settled."""
    query = select(deliveries.c.idempotency_key).where(deliveries.c.state.in_([outbox.SENDING, outbox.IN_DOUBT]))
    return list(connection.execute(query).scalars())


def doubted(connection: Connection) -> list[str]:
    """Keys of documents about which a person was asked whether they arrived."""
    joined = letters.join(deliveries, deliveries.c.id == letters.c.delivery_id)
    query = select(deliveries.c.idempotency_key).select_from(joined).where(letters.c.cause == "delivery.in_doubt")
    return list(connection.execute(query).scalars())


def check(
    connection: Connection,
    accepted: Sequence[Accepted],
    books: Mapping[str, Book],
    excused: Excused = Excused(),  # it is frozen
) -> list[str]:
    """Every promise that does not hold, in words."""
    broken = _accounted(connection, accepted)
    for name, book in books.items():
        broken += _twice(name, book) + _in_order(name, book) + _arrived(connection, name, book, accepted, excused)
    broken += _explained(connection) + _sent(connection) + _grouped(connection) + _traced(connection)
    chain = audit.verify(connection)
    if not chain.whole:
        broken.append(f"the audit chain breaks at {chain.broken}")
    for row in views.balance(connection, list(books)):
        if not row["holds"]:
            broken.append(f"the books of {row['destination']} do not balance: {row}")
    return broken


def _accounted(connection: Connection, accepted: Sequence[Accepted]) -> list[str]:
    """What was answered 200 is on disk."""
    rows = connection.execute(select(messages.c.key, messages.c.revision).distinct())
    stored = {(row.key, row.revision) for row in rows}
    return [f"accepted and not stored: {a}" for a in set(accepted) if (a.document, a.revision) not in stored]


def _twice(name: str, book: Book) -> list[str]:
    """One version of one document takes effect once, whatever a person made of it."""
    seen: set[tuple[str, str]] = set()
    broken = []
    for document, revision, _ in book.effects:
        if (document, revision) in seen:
            broken.append(f"{name}: {document} as of {revision} took effect twice")
        seen.add((document, revision))
    return broken


def _in_order(name: str, book: Book) -> list[str]:
    """The versions of one document take effect in the order in which they were made."""
    newest: dict[str, str] = {}
    broken = []
    for document, revision, _ in book.effects:
        if revision < newest.get(document, ""):
            broken.append(f"{name}: {document} as of {revision} took effect after {newest[document]}")
        newest[document] = max(newest.get(document, ""), revision)
    return broken


def _arrived(
    connection: Connection, name: str, book: Book, accepted: Sequence[Accepted], allowed: Excused
) -> list[str]:
    """The newest version of each document took effect, or an open letter says why not."""
    last: dict[str, str] = {}
    for document, revision, _ in book.effects:
        last[document] = max(last.get(document, ""), revision[:19])
    wanted: dict[str, str] = {}
    for document, revision in accepted:
        wanted[document] = max(wanted.get(document, ""), revision[:19])
    query = select(letters.c.subject).where(letters.c.state == State.OPEN, letters.c.destination == name)
    excused = set(connection.execute(query).scalars()) | allowed.orders
    came = select(messages.c.key, messages.c.subject).where(messages.c.subject != "")  # it may never become a document
    orders = {row.key: row.subject for row in connection.execute(came)}
    orders |= {row.number: row.subject for row in connection.execute(select(documents.c.number, documents.c.subject))}
    return [
        f"{name}: {document} as of {revision} never took effect, and no letter says why"
        for document, revision in wanted.items()
        if last.get(document, "") != revision and orders.get(document, document) not in excused
    ]


def _sent(connection: Connection) -> list[str]:
    """The newest version of each document has a delivery to each destination that it was routed to."""
    made = select(deliveries.c.document_id, deliveries.c.destination, func.max(deliveries.c.sequence).label("newest"))
    rows = connection.execute(made.group_by(deliveries.c.document_id, deliveries.c.destination))
    newest = {(row.document_id, row.destination): row.newest for row in rows}
    columns = (documents.c.id, documents.c.number, documents.c.version, documents.c.routed)
    return [
        f"{name}: {row.number} version {row.version} was routed and has no delivery"
        for row in connection.execute(select(*columns))
        for name in filter(None, row.routed.split(","))
        if newest.get((row.id, name)) != row.version
    ]


def _explained(connection: Connection) -> list[str]:
    """Each dead delivery and message has its open letter, and each open letter something that is dead."""
    broken = []
    open_ = select(letters.c.about).where(letters.c.state.in_([State.OPEN, State.REPLAYING]))
    about = set(connection.execute(open_).scalars())
    dead = {
        f"delivery/{i}"
        for i in connection.execute(select(deliveries.c.id).where(deliveries.c.state == "dead")).scalars()
    }
    dead |= {
        f"message/{i}" for i in connection.execute(select(messages.c.id).where(messages.c.state == "dead")).scalars()
    }
    broken += [f"{what} is dead and has no letter" for what in sorted(dead - about)]
    broken += [f"a letter about {what} is open, and it is not dead" for what in sorted(about - dead)]
    dateless = select(func.count()).where(deliveries.c.state.in_(MOVING), deliveries.c.due_at <= 0)
    if count := connection.execute(dateless).scalar():
        broken.append(f"{count} deliveries wait without a date")
    return broken


def _grouped(connection: Connection) -> list[str]:
    """Each group counts as many living letters as there are."""
    living = select(letters.c.fingerprint, func.count().label("n")).where(letters.c.state.in_(["open", "replaying"]))
    there = {row.fingerprint: row.n for row in connection.execute(living.group_by(letters.c.fingerprint))}
    said = {row.fingerprint: row.alive for row in connection.execute(select(groups.c.fingerprint, groups.c.alive))}
    return [
        f"group {name} counts {said.get(name, 0)} living letters, and there are {there.get(name, 0)}"
        for name in sorted(there.keys() | said.keys())
        if said.get(name, 0) != there.get(name, 0)
    ]


def _traced(connection: Connection) -> list[str]:
    """What ended can be traced to the attempt that ended it, and no delivery was tried without end."""
    tried = select(attempts.c.delivery_id)
    ended = (deliveries.c.state.in_([outbox.DELIVERED, outbox.DEAD]), deliveries.c.id.not_in(tried))
    broken = [
        f"delivery {row.id} is {row.state}, and no attempt says how"
        for row in connection.execute(select(deliveries.c.id, deliveries.c.state).where(*ended))
    ]
    many = select(attempts.c.delivery_id, func.count().label("n")).group_by(attempts.c.delivery_id)
    return broken + [
        f"delivery {row.delivery_id} was tried {row.n} times"
        for row in connection.execute(many.having(func.count() > MOST_ATTEMPTS))
    ]


MOST_ATTEMPTS = 100
"""Attempts of one delivery that the minute of a seed explains."""
