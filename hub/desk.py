"""What a person may do: replay, discard, assign, note, pause, resume, force a breaker. Each act is in the audit log.

The command line and the API both act through here. Functions take a connection and never commit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from canonical import personal
from canonical.errors import HubError
from dlq import State, Step, shelf
from hub import breaker, clock
from hub.receiving import RAW
from hub.store import Connection, audit, inbox, outbox, state, views

ROLES = ("viewer", "support", "operator", "admin")
"""From the least to the most: viewer reads masked, support mends letters, operator runs things, admin makes tokens."""


class NotFound(HubError):
    """There is nothing by that name or number."""

    code = "desk.not_found"
    hint = "List what there is: hub orders, hub deliveries, hub dlq list, hub destinations."


class NotNow(HubError):
    """The thing is in a state in which this cannot be done."""

    code = "desk.conflict"
    hint = "Look at its present state first; somebody else may have been faster."


@dataclass(slots=True)
class Replayed:
    """What a replay took up; `skipped` were no longer open."""

    letters: list[int] = field(default_factory=list)
    messages: int = 0
    deliveries: int = 0
    skipped: int = 0


def replay(connection: Connection, ids: Sequence[int], actor: str, *, dry_run: bool = False) -> Replayed:
    """Let letters go again from the step where they stuck, with the mapping that is in force now."""
    now = clock.now().timestamp()
    if dry_run:
        rows = [r for r in (shelf.get(connection, i) for i in ids) if r and r["state"] == State.OPEN]
    else:
        rows = [dict(r) for r in shelf.claim(connection, ids, now)]
    done = Replayed([r["id"] for r in rows], skipped=len(ids) - len(rows))
    messages = [r for r in rows if r["delivery_id"] is None and r["message_id"] is not None]
    deliveries = [r["delivery_id"] for r in rows if r["delivery_id"] is not None]
    done.messages, done.deliveries = len(messages), len(deliveries)
    if dry_run or not rows:
        return done
    thin = [r["message_id"] for r in messages if r["step"] == Step.FETCH]
    full = [r["message_id"] for r in messages if r["step"] != Step.FETCH]
    inbox.reopen(connection, thin, inbox.FETCH, now)
    inbox.reopen(connection, full, inbox.RECEIVED, now)
    outbox.revive(connection, deliveries, now)
    for row in rows:
        shelf.note(connection, row["id"], actor, "replayed", now)
    acts = [("letter.replayed", f"letter {row['id']}", row["subject"]) for row in rows]
    audit.write_all(connection, now, actor, acts)
    return done


def letters_of_group(connection: Connection, fingerprint: str) -> list[int]:
    """Ids of the open letters of a group, oldest first. A prefix of the fingerprint will do if only one fits."""
    ids = shelf.ids_of_group(connection, fingerprint)
    if not ids:
        raise NotFound(f"no open dead letters in a group {fingerprint!r}", hint="hub dlq groups lists them")
    return ids


def discard(connection: Connection, ids: Sequence[int], actor: str, reason: str) -> int:
    """End letters for good: what they held goes on without them. A reason is demanded."""
    if not reason.strip():
        raise NotNow("discarding needs a reason", hint='add --reason "why"')
    now = clock.now().timestamp()
    rows = shelf.claim(connection, ids, now)
    why = f"discarded by {actor}: {reason}"
    inbox.end(connection, [r["message_id"] for r in rows if r["delivery_id"] is None and r["message_id"]], why, now)
    outbox.discard(connection, [r["delivery_id"] for r in rows if r["delivery_id"]], now)
    shelf.close(connection, (r["about"] for r in rows), State.DISCARDED, now, by=actor, why=reason)
    audit.write_all(connection, now, actor, [("letter.discarded", f"letter {r['id']}", reason) for r in rows])
    return len(rows)


def assign(connection: Connection, ids: Sequence[int], owner: str, actor: str) -> int:
    """Give letters to a person."""
    now = clock.now().timestamp()
    done = shelf.assign(connection, ids, owner, now)
    audit.write(connection, now, actor, "letter.assigned", f"letters {_some(ids)}", owner)
    return done


def note(connection: Connection, letter_id: int, actor: str, text: str) -> None:
    """Keep what was found out."""
    if shelf.get(connection, letter_id) is None:
        raise NotFound(f"there is no dead letter {letter_id}")
    now = clock.now().timestamp()
    shelf.note(connection, letter_id, actor, text, now)
    audit.write(connection, now, actor, "letter.noted", f"letter {letter_id}")


def pause(connection: Connection, name: str, actor: str, why: str) -> None:
    """Stop sending to a destination; its deliveries wait."""
    _set_pause(connection, name, actor, why or "paused by hand", "destination.paused")


def resume(connection: Connection, name: str, actor: str) -> None:
    """Send to a destination again, and close the ticket about its credentials."""
    _set_pause(connection, name, actor, "", "destination.resumed")
    now = clock.now().timestamp()
    shelf.close(connection, [f"destination/{name}"], State.RESOLVED, now, by=actor, why="resumed")


def _set_pause(connection: Connection, name: str, actor: str, why: str, act: str) -> None:
    now = clock.now().timestamp()
    state.ensure_destination(connection, name)
    state.keep_destination(connection, name, now, paused=why)
    audit.write(connection, now, actor, act, name, why)


def force_breaker(connection: Connection, name: str, forced: str, actor: str) -> None:
    """Force a circuit "open" or "closed"; "auto" gives it back to its own judgement."""
    now = clock.now().timestamp()
    state.ensure_destination(connection, name)
    circuit = breaker.Circuit() if forced == "auto" else breaker.Circuit(forced=forced)
    state.keep_destination(connection, name, now, circuit=circuit)
    audit.write(connection, now, actor, "breaker.forced", name, forced)


def resume_pull(connection: Connection, shop: str, kind: str, actor: str) -> None:
    """Pull a shop again after its credentials were mended."""
    now = clock.now().timestamp()
    state.pull_state(connection, shop, kind)
    state.keep_pull(connection, shop, kind, paused="", failures=0, due_at=0.0)
    audit.write(connection, now, actor, "pull.resumed", f"{shop}/{kind}")


def masked(role: str, document: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """A document as this role may see it: personal data is clear from support upwards."""
    if role in ROLES[1:]:
        return dict(document)
    return personal.mask(dict(document), kind)


def letter(connection: Connection, letter_id: int, role: str) -> dict[str, Any]:
    """A letter with everything that a person needs: notes, what it came from, what it became."""
    found = shelf.get(connection, letter_id)
    if found is None:
        raise NotFound(f"there is no dead letter {letter_id}")
    message = inbox.get(connection, found["message_id"]) if found["message_id"] else None
    if message is not None and message["body"] is not None and role in ROLES[1:]:
        raw = inbox.decompress(message["body"])
        found["raw"] = raw.decode("utf-8", "replace")
    if message is not None:
        found["received_at"], found["via"] = message["received_at"], message["via"]
        found["undecoded"] = message["kind"] == RAW
    if found["delivery_id"]:
        sent = views.delivery(connection, found["delivery_id"])
        if sent is not None:
            found["document"] = masked(role, sent["document"], sent["kind"])
            found["attempted"] = sent["attempted"]
    return found


def balance(connection: Connection, names: Sequence[str]) -> list[dict[str, Any]]:
    """The books: per channel and destination, what became of every accepted message."""
    return views.balance(connection, list(names))


def instant(stamp: float | None, zone: Any = None) -> str | None:
    """Epoch seconds as people and machines read it: ISO 8601."""
    if stamp is None:
        return None
    return datetime.fromtimestamp(stamp, zone or UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _some(ids: Sequence[int]) -> str:
    return ", ".join(map(str, ids[:10])) + (f" and {len(ids) - 10} more" if len(ids) > 10 else "")
