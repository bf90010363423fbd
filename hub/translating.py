"""From messages to documents to deliveries: mapping (no store), then settling a whole batch in one transaction."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import orjson

from canonical import identity, parse_json
from canonical.errors import Unroutable
from canonical.identity import Verdict
from canonical.serialise import dump_json, exact
from dlq import DeadLetter, State, Step, shelf
from hub import letters
from hub.config import Config
from hub.mapping.catalog import Catalog
from hub.routing import Routes
from hub.store import Connection, documents, inbox, outbox, people, state
from hub.store.documents import Identity
from hub.store.engine import lock_lanes
from hub.store.tables import REPLAY


@dataclass(frozen=True, slots=True)
class Mapped:
    """A message after its mapping: a document, or a reason to ignore it, or a letter."""

    message: Mapping[str, Any]
    document: Any = None
    identity: Identity | None = None
    subject: str = ""
    content: str = ""
    version: str = ""
    ignored: str = ""
    letter: DeadLetter | None = None


@dataclass(slots=True)
class Settlement:
    """Everything that one batch writes."""

    done: list[inbox.Done] = field(default_factory=list)
    stored: dict[Identity, dict[str, Any]] = field(default_factory=dict)
    deliveries: list[dict[str, Any]] = field(default_factory=list)
    dead: list[DeadLetter] = field(default_factory=list)
    read: list[tuple[int, tuple[str, str, str, str]]] = field(default_factory=list)  # what was a document, sent or not
    links: dict[int, Identity] = field(default_factory=dict)  # message to what it became
    alive: list[str] = field(default_factory=list)
    again: dict[int, str] = field(default_factory=dict)  # mapped once more for dead deliveries: what that led to
    counts: dict[tuple[str, ...], float] = field(default_factory=dict)

    def live_again(self, message: Mapping[str, Any]) -> None:
        """It went through: if it was dead before, which only a replay can tell of, its letter ends."""
        if message["queue"] == REPLAY:
            self.alive.append(f"message/{message['id']}")

    def count(self, *key: str) -> None:
        """One more of a metric with its label values."""
        self.counts[key] = self.counts.get(key, 0) + 1


def map_message(catalog: Catalog, message: Mapping[str, Any], folder: str, overlay: str, now: datetime) -> Mapped:
    """Translate one stored record by the mappings of a folder, and a shop's overlay on them. Never raises on data."""
    record = parse_json(inbox.decompress(message["overlay"] or message["body"]))
    translator = catalog.channel(folder, message["kind"], overlay)
    result = translator.translate(
        record, tenant=message["tenant"], shop=message["shop"], channel=message["channel"], now=now
    )
    version = result.mapping_version
    if result.ignored:
        return Mapped(message, ignored=f"rule: {result.ignored}", version=version)
    if result.document is None:
        letter = letters.of_problems(
            message, result.problems, key=result.key, subject=result.subject, mapping_version=version
        )
        return Mapped(message, letter=letter, version=version)
    document = exact(result.document)
    kind, shop, number = identity.key_of(document)
    return Mapped(
        message,
        document=document,
        identity=Identity(message["tenant"], kind, shop, number),
        subject=identity.subject_of(document) or number,
        content=identity.content_hash(document),
        version=version,
    )


def lane_of(destination: str, tenant: str, shop: str, subject: str) -> str:
    """The name of a lane: one order of one shop at one destination."""
    text = json.dumps([destination, tenant, shop, subject])
    return hashlib.blake2s(text.encode(), digest_size=16).hexdigest()


def idempotency_key(destination: str, found: Identity, row: Mapping[str, Any]) -> str:
    """The same for every attempt of one version of one document at one destination.

    Revision and content go in beside the version's number: a store that was restored or begun anew counts from the
    start again, and must not give a new content the key of an old one.
    """
    text = json.dumps([destination, *found, row["version"], row["revision"], row["content"]])
    return "hub_" + hashlib.blake2s(text.encode(), digest_size=16).hexdigest()


def settle(
    connection: Connection,
    batch: Sequence[Mapped],
    config: Config,
    routes: Routes,
    hold: inbox.Hold,
    now: float,
    places: Mapping[str, int] | None = None,
) -> outbox.Enqueued:
    """Write a batch: documents, deliveries, letters, what became of each message. One transaction, all or nothing.

    The messages are held by `hold`; so are, when they are stored, as many deliveries as there are `places` for.
    """
    found = [m.identity for m in batch if m.identity]
    lock_lanes(connection, (f"{i.tenant}/{i.shop}/{i.kind}/{i.number}" for i in found))
    known = {i: dict(row) for i, row in documents.load(connection, sorted(set(found))).items()}
    result = Settlement()
    for mapped in batch:
        _settle_one(mapped, known, routes, result, now)
    ids = _write_documents(connection, result)
    done = [replace(d, document_id=ids[result.links[d.id]]) if d.id in result.links else d for d in result.done]
    lost = inbox.finish(connection, done, hold.owner, now)
    if lost:
        raise LeaseLost(lost)
    if result.again:
        _go_again(connection, result.again, now)
    for row in result.deliveries:
        row["document_id"] = ids[row.pop("identity")]
    latest = frozenset(name for name, d in config.destinations.items() if d.sequence == "latest")
    new = outbox.enqueue(connection, result.deliveries, latest, now, places, hold)
    shelf.put(connection, result.dead, now)
    shelf.close(
        connection, (f"delivery/{i}" for i in new.replaced), State.SUPERSEDED, now, why="replaced by a newer one"
    )
    shelf.close(connection, result.alive, State.RESOLVED, now, why="replayed")
    if result.read:
        for dead, newer in shelf.supersede(connection, result.read, now):
            inbox.end(connection, [dead], f"superseded by message {newer}", now)
    state.count(connection, result.counts)
    return new


class LeaseLost(Exception):
    """Another worker took these messages over; the batch is tried again without them."""

    def __init__(self, ids: Iterable[int]) -> None:
        self.ids = set(ids)
        super().__init__(f"messages {sorted(self.ids)} are no longer ours")


def _settle_one(
    mapped: Mapped,
    known: dict[Identity, dict[str, Any]],
    routes: Routes,
    result: Settlement,
    now: float,
) -> None:
    message = mapped.message
    if message["reason"] == inbox.AGAIN:
        result.again[message["id"]] = _STUCK if mapped.document is None else _REPLACED
    if mapped.letter is not None:
        _bury(mapped, mapped.letter, result)
        return
    if mapped.ignored:
        _ignore(mapped, mapped.ignored, result)
        return
    assert mapped.identity is not None  # noqa: S101  # a document has one
    before = known.get(mapped.identity)
    document, content = mapped.document, mapped.content
    if before is not None:
        stored = type(document).model_validate_json(before["body"])
        verdict, document, content, why = identity.settle(
            stored, document, stored_content=before["content"], erased=before["erased"]
        )
        if message["reason"] == inbox.AGAIN and not verdict.delivered:
            _same_again(mapped, before, result)
            return
        if not verdict.taken:
            result.read.append(_place(mapped))
            reason = f"stale: {why}" if verdict is Verdict.STALE else "duplicate"
            _ignore(mapped, reason, result, same_as=before["message_id"], document_id=before.get("id"))
            return
        if verdict is Verdict.SAME_CONTENT:
            # The newer revision is remembered, so that what is older than it stays stale; nobody needs to hear of it.
            kept = {"revision": _revision(document), "message_id": message["id"], "updated_at": now}
            before |= {**kept, "body": dump_json(document), "content": content}
            result.stored[mapped.identity] = before
            result.read.append(_place(mapped))
            _ignore(mapped, "no change", result, document_id=before.get("id"))
            return
    row = _row(mapped, document, content, before, now)
    if _route(mapped, row, routes, result, now):
        known[mapped.identity] = row
        result.stored[mapped.identity] = row
        result.read.append(_place(mapped))


_STUCK, _REPLACED, _SAME = "stuck", "replaced", "same"


def _same_again(mapped: Mapped, before: Mapping[str, Any], result: Settlement) -> None:
    """Mapping it once more changed nothing that anybody must hear of: its dead deliveries go on as they are."""
    message = mapped.message
    result.again[message["id"]] = _SAME
    done = inbox.Done(message["id"], inbox.TRANSLATED, "", before.get("id"), mapping_version=mapped.version)
    result.done.append(done)


def _go_again(connection: Connection, again: Mapping[int, str], now: float) -> None:
    """Deliveries that died, of messages that were mapped once more on their way through a replay."""
    for message, dead in outbox.dead_of(connection, list(again)).items():
        asked = shelf.replaying(connection, [f"delivery/{i}" for i in dead])
        ids = [i for i in dead if f"delivery/{i}" in asked]
        if again[message] == _SAME:
            outbox.revive(connection, ids, now)
        elif again[message] == _REPLACED:
            outbox.replaced(connection, ids, now)
            shelf.close(connection, asked, State.SUPERSEDED, now, why=f"message {message} was mapped anew")
        else:
            shelf.unclaim(connection, list(asked.values()), now)


def _place(mapped: Mapped) -> tuple[int, tuple[str, str, str, str]]:
    message, found = mapped.message, mapped.identity
    assert found is not None  # noqa: S101  # a document has one
    return message["id"], (message["shop"], message["kind"], found.number, message["revision"])


def _route(
    mapped: Mapped,
    row: dict[str, Any],
    routes: Routes,
    result: Settlement,
    now: float,
) -> bool:
    message, found = mapped.message, mapped.identity
    assert found is not None  # noqa: S101  # a document has one
    if not routes.has(found.kind):
        error = Unroutable(f"hub.toml has no route for documents of kind {found.kind}")
        _bury(mapped, letters.of_message(message, Step.ROUTE, error), result)
        return False
    before = frozenset(filter(None, row["routed"].split(",")))
    data = (
        orjson.loads(row["body"]) if routes.needs_document(found.kind) else {"shop": found.shop, "tenant": found.tenant}
    )
    targets = routes.destinations(found.kind, data, before)
    row["routed"] = ",".join(sorted(before | set(targets)))
    packed = inbox.compress(row["body"])
    for name in targets:
        result.deliveries.append(
            {
                "identity": found,
                "tenant": found.tenant,
                "destination": name,
                "kind": found.kind,
                "shop": found.shop,
                "channel": message["channel"],
                "key": found.number,
                "subject": mapped.subject,
                "lane": lane_of(name, found.tenant, found.shop, mapped.subject),
                "sequence": row["version"],
                "revision": row["revision"],
                "message_id": message["id"],
                "body": packed,
                "queue": message["queue"],
                "idempotency_key": idempotency_key(name, found, row),
                "due_at": now,
                "accepted_at": message["received_at"],
                "created_at": now,
            }
        )
    result.done.append(
        inbox.Done(
            message["id"],
            inbox.TRANSLATED,
            "" if targets else "not routed: no route's `if` holds",
            mapping_version=mapped.version,
        )
    )
    result.links[message["id"]] = found
    result.live_again(message)
    result.count("translated", message["channel"], found.kind)
    return True


def _row(mapped: Mapped, document: Any, content: str, before: Mapping[str, Any] | None, now: float) -> dict[str, Any]:
    found = mapped.identity
    assert found is not None  # noqa: S101  # a document has one
    return {
        "tenant": found.tenant,
        "kind": found.kind,
        "shop": found.shop,
        "number": found.number,
        "channel": mapped.message["channel"],
        "subject": mapped.subject,
        "display_no": getattr(document, "display_no", None) or "",
        "revision": _revision(document),
        "content": content,
        "body": dump_json(document),
        "state": str(getattr(document, "state", "") or ""),
        "version": (before["version"] if before else 0) + 1,
        "routed": before["routed"] if before else "",
        "erased": before["erased"] if before else False,
        "mapping_version": mapped.version,
        "message_id": mapped.message["id"],
        "created_at": before["created_at"] if before else now,
        "updated_at": now,
        **({"id": before["id"]} if before and "id" in before else {}),
    }


def _revision(document: Any) -> str:
    """As text that sorts by time; "" for the documents that have none (invoices only go forward)."""
    revision = getattr(document, "revision", None)
    return revision.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if revision else ""


def _ignore(
    mapped: Mapped, why: str, result: Settlement, same_as: int | None = None, document_id: int | None = None
) -> None:
    message = mapped.message
    result.done.append(inbox.Done(message["id"], inbox.IGNORED, why, document_id, same_as, mapped.version))
    result.live_again(message)
    result.count("ignored", message["channel"], why.partition(":")[0])


def _bury(mapped: Mapped, letter: DeadLetter, result: Settlement) -> None:
    message = mapped.message
    result.done.append(inbox.Done(message["id"], inbox.DEAD, letter.cause, mapping_version=mapped.version))
    result.dead.append(letter)
    result.count("dead", message["channel"], "", letter.cause)


def _write_documents(connection: Connection, result: Settlement) -> dict[Identity, int]:
    new = [row for row in result.stored.values() if "id" not in row]
    ids = documents.add(connection, new)
    old = {i: row for i, row in result.stored.items() if "id" in row}
    found = [(ids.get(i) or row["id"], i.tenant, i.kind, row["body"]) for i, row in result.stored.items()]
    people.index(connection, found)
    documents.replace(connection, [documents.changing(row, row["id"]) for row in old.values()])
    return ids | {i: row["id"] for i, row in old.items()}
