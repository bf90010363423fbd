"""Letting go of what is past its time, a bounded number of rows a transaction. What a dead letter is about stays."""

from sqlalchemy import Connection, and_, delete, exists, select, update

from dlq.shelf import letters
from hub.store import history, inbox, outbox
from hub.store.tables import attempts, deliveries, documents, messages, people

_ENDED = (outbox.DELIVERED, outbox.SUPERSEDED, outbox.DISCARDED)
_m, _v, _d = messages.c, deliveries.c, documents.c


def raw(connection: Connection, before: float, limit: int) -> int:
    """Bodies of messages that became documents or were ignored; the messages stay."""
    old = (
        select(_m.id)
        .where(
            _m.body.is_not(None),
            _m.received_at < before,
            _m.state.in_([inbox.TRANSLATED, inbox.IGNORED]),
            ~exists().where(letters.c.message_id == _m.id, letters.c.state.in_(["open", "replaying"])),
        )
        .limit(limit)
    )
    ids = list(connection.execute(old).scalars())
    connection.execute(update(messages).where(_m.id.in_(ids)).values(body=None, headers=None, overlay=None))
    return len(ids)


def attempts_of_finished(connection: Connection, before: float, limit: int) -> int:
    """Attempts at deliveries that ended. Those before `before` have the lowest ids, or nearly so."""
    youngest = history.first_since(connection, attempts.c.id, attempts.c.at, before)
    old = (
        select(attempts.c.id)
        .join(deliveries, attempts.c.delivery_id == _v.id)
        .where(attempts.c.id < youngest, attempts.c.at < before, _v.state.in_(_ENDED))
        .limit(limit)
    )
    ids = list(connection.execute(old).scalars())
    connection.execute(delete(attempts).where(attempts.c.id.in_(ids)))
    return len(ids)


def finished(connection: Connection, before: float, limit: int) -> int:
    """Documents that nothing happened to for so long, with their messages and deliveries, if all of those ended."""
    alive = exists().where(and_(_v.document_id == _d.id, _v.state.not_in(_ENDED)))
    found = connection.execute(select(_d.id, _d.subject).where(_d.updated_at < before, ~alive).limit(limit)).all()
    if not found:
        return 0
    old, subjects = [row.id for row in found], sorted({row.subject for row in found})
    sent = list(connection.execute(select(_v.id).where(_v.document_id.in_(old))).scalars())
    connection.execute(delete(attempts).where(attempts.c.delivery_id.in_(sent)))
    connection.execute(delete(deliveries).where(_v.id.in_(sent)))
    kept = exists().where(letters.c.message_id == _m.id, letters.c.state.in_(["open", "replaying"]))
    connection.execute(delete(messages).where(_m.subject.in_(subjects), _m.document_id.in_(old), ~kept))
    connection.execute(delete(people).where(people.c.document_id.in_(old)))
    connection.execute(delete(documents).where(_d.id.in_(old)))
    return len(old)
