"""The checker: it believes the receivers' own books and the store, never what the hub says of itself."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, select

from dlq.letter import State
from dlq.shelf import letters
from hub.chaos.receivers import Book
from hub.store import audit, inbox, outbox, views
from hub.store.tables import deliveries, documents, messages

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
    dead = select(deliveries.c.lane).where(deliveries.c.state == outbox.DEAD)
    stuck = select(func.count()).where(deliveries.c.state == outbox.HELD, deliveries.c.lane.not_in(dead))
    if count := connection.execute(stuck).scalar():
        found.append(f"{count} deliveries held behind nothing")
    return found


def check(connection: Connection, accepted: Sequence[Accepted], books: Mapping[str, Book]) -> list[str]:
    """Every promise that does not hold, in words."""
    broken = _accounted(connection, accepted)
    for name, book in books.items():
        broken += _twice(name, book) + _in_order(name, book) + _arrived(connection, name, book, accepted)
    broken += _explained(connection) + _sent(connection)
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
    """One version of one document takes effect once."""
    seen: set[tuple[str, str]] = set()
    broken = []
    for document, revision, content in book.effects:
        if (document, content) in seen:
            broken.append(f"{name}: {document} as of {revision} took effect twice")
        seen.add((document, content))
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


def _arrived(connection: Connection, name: str, book: Book, accepted: Sequence[Accepted]) -> list[str]:
    """The newest version of each document took effect, or an open letter says why not."""
    last: dict[str, str] = {}
    for document, revision, _ in book.effects:
        last[document] = max(last.get(document, ""), revision[:19])
    wanted: dict[str, str] = {}
    for document, revision in accepted:
        wanted[document] = max(wanted.get(document, ""), revision[:19])
    query = select(letters.c.subject).where(letters.c.state == State.OPEN, letters.c.destination == name)
    excused = set(connection.execute(query).scalars())
    orders = {row.number: row.subject for row in connection.execute(select(documents.c.number, documents.c.subject))}
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
