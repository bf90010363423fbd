"""Every table of the hub but the dead letters', which dlq.shelf owns. Times are epoch seconds, UTC.

States of a message:   received -> translated | ignored | dead; fetch -> ignored (fetched as another) | dead
States of a delivery:  waiting | held -> sending -> delivered | waiting (again) | in_doubt | dead;
                       superseded and discarded are ends without an effect
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    literal_column,
    text,
)

from hub.store.vault import Sealed

LIVE, RETRY, REPLAY, BACKFILL = range(4)
"""Queues of messages and deliveries, the most urgent first; each of the later ones keeps a share (hub.store.queues)."""

# What a partial index is about is in its `info`: as `postgresql_where` it would load that dialect for SQLite, too.
metadata = MetaData()
Id = BigInteger().with_variant(Integer, "sqlite")

_BODY = "body is not null"
_UNREAD = "state in ('received','fetch')"
_MOVING = "state in ('waiting','held','sending','in_doubt')"

messages = Table(
    "messages",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("tenant", String(64), nullable=False),
    Column("shop", String(64), nullable=False),
    Column("channel", String(64), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("key", String(128), nullable=False),
    Column("subject", String(128), nullable=False),
    Column("revision", String(64), nullable=False),
    Column("via", String(8), nullable=False),
    Column("digest", String(64), unique=True),  # null on duplicates, so that each content is stored once
    Column("headers", Text),
    Column("body", Sealed),  # zlib; null on duplicates, and where it was erased or is past its retention
    Column("state", String(16), nullable=False),
    Column("reason", String(200), nullable=False, server_default=""),
    Column("same_as", Id),
    Column("document_id", Id),
    Column("mapping_version", String(128), nullable=False, server_default=""),
    Column("received_at", Double, nullable=False),
    Column("due_at", Double, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("lease_until", Double, nullable=False, server_default="0"),
    Column("lease_owner", String(64), nullable=False, server_default=""),
    Column("done_at", Double),
    Column("queue", Integer, nullable=False, server_default="0"),
    Column("overlay", Sealed),  # zlib; the record as a person mended it, mapped instead of the body
    Index("messages_by_subject", "subject", "id"),
    Index("messages_with_body", "received_at", info={"where": _BODY}),
    Index(
        "messages_pending",
        "state",
        "queue",
        "id",
        info={"where": _UNREAD},
    ),
)

documents = Table(
    "documents",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("tenant", String(64), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("shop", String(64), nullable=False),
    Column("number", String(128), nullable=False),
    Column("channel", String(64), nullable=False),
    Column("subject", String(128), nullable=False),
    Column("display_no", String(64), nullable=False, server_default=""),
    Column("revision", String(40), nullable=False),
    Column("content", String(64), nullable=False),
    Column("body", Sealed, nullable=False),  # canonical JSON
    Column("state", String(24), nullable=False, server_default=""),
    Column("version", Integer, nullable=False),  # 1, 2, 3 ... as taken by the hub
    Column("routed", Text, nullable=False, server_default=""),  # destinations that got an earlier version
    Column("review", Boolean, nullable=False, server_default=text("false")),
    Column("erased", Boolean, nullable=False, server_default=text("false")),  # no older record may complete it
    Column("mapping_version", String(128), nullable=False),
    Column("message_id", Id, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    UniqueConstraint("tenant", "kind", "shop", "number", name="documents_identity"),
    Index("documents_by_subject", "subject"),
    Index("documents_by_age", "updated_at"),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("tenant", String(64), nullable=False),
    Column("destination", String(64), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("shop", String(64), nullable=False),
    Column("channel", String(64), nullable=False),
    Column("key", String(128), nullable=False),
    Column("subject", String(128), nullable=False),
    Column("lane", String(64), nullable=False),  # what goes in sequence: destination, tenant, shop, order
    Column("sequence", Integer, nullable=False),  # the document's version
    Column("revision", String(40), nullable=False),
    Column("document_id", Id, nullable=False),
    Column("message_id", Id, nullable=False),
    Column("body", Sealed, nullable=False),  # zlib of the canonical JSON of this version
    Column("idempotency_key", String(64), nullable=False, unique=True),
    Column("state", String(16), nullable=False),
    Column("held_by", String(64), nullable=False, server_default=""),
    Column("due_at", Double, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("first_at", Double),  # first attempt since the last replay: the age that give_up_after means
    Column("lease_until", Double, nullable=False, server_default="0"),
    Column("lease_owner", String(64), nullable=False, server_default=""),
    Column("reference", String(200), nullable=False, server_default=""),
    Column("error", Text, nullable=False, server_default=""),
    Column("mapping_version", String(128), nullable=False, server_default=""),
    Column("accepted_at", Double, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("done_at", Double),
    Column("queue", Integer, nullable=False, server_default="0"),
    Column("overlay", Sealed),  # zlib; the document as a person mended it, sent instead of the body
    Column("unsettled", Boolean, nullable=False, server_default=text("false")),  # still in doubt
    Column("next_key", String(64), nullable=False, server_default=""),  # of an edit; taken when no doubt is left
    Index("deliveries_by_subject", "subject", "id"),
    Index("deliveries_lane", "lane", "id"),
    Index(
        "deliveries_pending",
        "destination",
        "state",
        "queue",
        "due_at",
        "id",
        info={"where": _MOVING},
    ),
    Index(
        "deliveries_pending_of_kind",
        "destination",
        "kind",
        "state",
        "queue",
        "due_at",
        "id",
        info={"where": _MOVING},
    ),
    Index("deliveries_by_message", "message_id"),
    Index("deliveries_by_document", "document_id"),
)

attempts = Table(
    "attempts",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("delivery_id", Id, nullable=False),
    Column("number", Integer, nullable=False),
    Column("at", Double, nullable=False),
    Column("seconds", Double, nullable=False),
    Column("outcome", String(24), nullable=False),
    Column("status", Integer),
    Column("error", Text, nullable=False, server_default=""),
    Column("answer", Text, nullable=False, server_default=""),  # masked, bounded
    Column("next_at", Double),
    Index("attempts_by_delivery", "delivery_id", "id"),
)

destinations = Table(
    "destinations",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("circuit", Text, nullable=False, server_default=""),  # JSON: kind of document, or *, to its circuit
    Column("tokens", Double),
    Column("tokens_at", Double),
    Column("paused", String(200), nullable=False, server_default=""),  # why; empty: not paused
    Column("updated_at", Double, nullable=False, server_default="0"),
)

pulls = Table(
    "pulls",
    metadata,
    Column("shop", String(64), primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("reached", Double),  # everything modified before this has been seen
    Column("window_start", Double),
    Column("window_end", Double),
    Column("cursor", Text),
    Column("due_at", Double, nullable=False, server_default="0"),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("error", Text, nullable=False, server_default=""),
    Column("paused", String(200), nullable=False, server_default=""),
    Column("pages", BigInteger, nullable=False, server_default="0"),
    Column("records", BigInteger, nullable=False, server_default="0"),
    Column("repeats", BigInteger, nullable=False, server_default="0"),
    Column("lease_until", Double, nullable=False, server_default="0"),
    Column("lease_owner", String(64), nullable=False, server_default=""),
    Column("updated_at", Double, nullable=False, server_default="0"),
)

counters = Table(
    "counters",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("labels", String(300), primary_key=True),  # JSON list, in the metric's order
    Column("value", Double, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("at", Double, nullable=False),
    Column("actor", String(64), nullable=False),
    Column("act", String(64), nullable=False),
    Column("subject", String(200), nullable=False),
    Column("detail", Text, nullable=False, server_default=""),
    Column("hash", String(64), nullable=False, server_default=""),  # over these words and the hash before
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("shop", String(64), nullable=False, index=True),
    Column("at", Double, nullable=False),
    Column("code", String(64), nullable=False),
    Column("why", String(300), nullable=False),
    Column("size", Integer, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("sender", String(64), nullable=False),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("role", String(16), nullable=False),
    Column("hash", String(64), nullable=False, unique=True),  # SHA-256 of a 256-bit random token
    Column("created_at", Double, nullable=False),
    Column("revoked_at", Double),
)

alerts = Table(
    "alerts",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("notifier", String(64), nullable=False),  # name in hub.toml
    Column("about", String(160), nullable=False),  # a group, or what waits
    Column("title", String(300), nullable=False),
    Column("line", Text, nullable=False),
    Column("at", Double, nullable=False),
    Column("due_at", Double, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("error", Text, nullable=False, server_default=""),
    Column("told_at", Double),
    Index(
        "alerts_untold",
        "notifier",
        "due_at",
        info={"where": "told_at is null"},
    ),
)

alert_marks = Table(
    "alert_marks",
    metadata,
    Column("about", String(160), primary_key=True),  # what waits longer than it should; or "turn", the job's lease
    Column("since", Double, nullable=False),
    Column("lease_until", Double, nullable=False, server_default="0"),
    Column("lease_owner", String(64), nullable=False, server_default=""),
)

budgets = Table(
    "budgets",
    metadata,
    Column("name", String(80), primary_key=True),  # shop/NAME
    Column("tokens", Double, nullable=False),
    Column("tokens_at", Double, nullable=False),
)

tenant_keys = Table(
    "tenant_keys",
    metadata,
    Column("id", String(16), primary_key=True),  # of 8 random bytes, in hex: the head of all that it sealed
    Column("tenant", String(64), nullable=False),  # or "#people": what names and phones are hashed with
    Column("sealed", LargeBinary, nullable=False),  # by hub.key; in the clear where there is none
    Column("created_at", Double, nullable=False),
    Column("retired_at", Double),
)

people = Table(
    "people",
    metadata,
    Column("hash", String(64), primary_key=True),  # keyed, of a phone, name or e-mail address
    Column("document_id", Id, primary_key=True, autoincrement=False),
    Index("people_by_document", "document_id"),
)

credentials = Table(
    "credentials",
    metadata,
    Column("shop", String(64), primary_key=True),
    Column("sealed", LargeBinary, nullable=False),  # Fernet
    Column("expires_at", Double),
    Column("updated_at", Double, nullable=False),
)


def _written_out(column: Column[str], *words: str) -> ColumnElement[bool]:
    """`column in (words)` without parameters: SQLite uses a partial index only where it can read its condition."""
    return column.in_([literal_column(f"'{word}'") for word in words])


MESSAGES_PENDING = _written_out(messages.c.state, "received", "fetch")
DELIVERIES_PENDING = _written_out(deliveries.c.state, "waiting", "held", "sending", "in_doubt")
"""The conditions of the partial indexes; a query for what is unfinished has them beside its own."""
