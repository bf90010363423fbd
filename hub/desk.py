"""What a person may do: replay, discard, assign, note, pause, resume, force a breaker. Each act is in the audit log.

The command line and the API both act through here. Functions take a connection and never commit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from canonical import personal
from canonical.errors import HubError
from dlq import State, Step, edits, shelf
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
    """What a replay took up; `skipped` were no longer open, `left_out` says why where that was not the reason."""

    letters: list[int] = field(default_factory=list)
    messages: int = 0
    deliveries: int = 0
    skipped: int = 0
    left_out: dict[int, str] = field(default_factory=dict)


def replay(connection: Connection, ids: Sequence[int], actor: str, *, dry_run: bool = False) -> Replayed:
    """Let letters go again from the step where they stuck, with the mapping that is in force now."""
    now = clock.now().timestamp()
    if dry_run:
        rows = [r for r in (shelf.get(connection, i) for i in ids) if r and r["state"] == State.OPEN]
        return _counted(rows, len(ids))
    done = send_on(connection, ids, "", "", now)
    subjects = shelf.subjects(connection, done.letters)
    for number in done.letters:
        shelf.note(connection, number, actor, "replayed", now)
    audit.write_all(connection, now, actor, [("letter.replayed", f"letter {i}", subjects[i]) for i in done.letters])
    return done


def send_on(connection: Connection, ids: Sequence[int], step: str, mapping_version: str, now: float) -> Replayed:
    """Claim open letters and let them in again at a step ("": where each stuck), mapped by a version ("": in force).

    What cannot go in there stays open, with the reason in `left_out`.
    """
    rows = [dict(row) for row in shelf.claim(connection, ids, now)]
    taken = {row["id"] for row in rows}
    out = {i: "no longer open" for i in ids if i not in taken}
    back = {row["id"]: why for row in rows if (why := _no_way(row, step))}
    shelf.unclaim(connection, list(back), now)
    rows = [row for row in rows if row["id"] not in back]
    again = step in _MAPPED
    deliveries = [r for r in rows if r["delivery_id"] is not None]
    messages = [r for r in rows if r["delivery_id"] is None]
    thin = [r["message_id"] for r in messages if (step or r["step"]) == Step.FETCH]
    full = [r["message_id"] for r in messages if (step or r["step"]) != Step.FETCH]
    inbox.reopen(connection, thin, inbox.FETCH, now)
    inbox.reopen(connection, full, inbox.RECEIVED, now, mapping_version)
    if again:
        inbox.map_again(connection, [r["message_id"] for r in deliveries], now, mapping_version)
    else:
        outbox.revive(connection, [r["delivery_id"] for r in deliveries], now)
    done = _counted(rows, len(ids))
    done.left_out = out | back
    return done


_MAPPED = (Step.MAP, Step.CHECK, Step.ROUTE)


def _no_way(row: Mapping[str, Any], step: str) -> str:
    """Why a letter cannot go on from a step, if it cannot."""
    if row["message_id"] is None:
        return "a ticket about a destination is resumed, not replayed"
    if step == Step.SEND and row["delivery_id"] is None:
        return "it never became a delivery: it cannot go on from send"
    if step == Step.FETCH and row["delivery_id"] is not None:
        return "its record is here already: go on from map, or from send"
    return ""


def _counted(rows: Sequence[Mapping[str, Any]], asked: int) -> Replayed:
    sent = sum(row["delivery_id"] is not None for row in rows)
    mapped = sum(row["delivery_id"] is None and row["message_id"] is not None for row in rows)
    return Replayed([row["id"] for row in rows], mapped, sent, asked - len(rows))


def letters_of_group(connection: Connection, fingerprint: str) -> list[int]:
    """Ids of the open letters of a group, oldest first. A prefix of the fingerprint will do if only one fits."""
    ids = shelf.ids_of_group(connection, fingerprint)
    if not ids:
        raise NotFound(f"no open dead letters in a group {fingerprint!r}", hint="hub dlq groups lists them")
    return ids


def held_behind(connection: Connection, ids: Sequence[int]) -> int:
    """How many deliveries wait behind these letters."""
    found = [shelf.get(connection, number) for number in ids]
    return outbox.successors(connection, [row["delivery_id"] for row in found if row and row["delivery_id"]])


def discard(connection: Connection, ids: Sequence[int], actor: str, reason: str, *, successors: str = "release") -> int:
    """End letters for good. A reason is demanded. What they held goes on without them, or is discarded with them."""
    if not reason.strip():
        raise NotNow("discarding needs a reason", hint='add --reason "why"')
    now = clock.now().timestamp()
    rows = shelf.claim(connection, ids, now)
    why = f"discarded by {actor}: {reason}"
    inbox.end(connection, [r["message_id"] for r in rows if r["delivery_id"] is None and r["message_id"]], why, now)
    outbox.discard(connection, [r["delivery_id"] for r in rows if r["delivery_id"]], now, successors == "discard")
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


def force_breaker(connection: Connection, name: str, forced: str, actor: str, kind: str = "") -> None:
    """Force a circuit "open" or "closed", of one kind of document or of the whole destination; "auto" gives it back to
    its own judgement."""
    now = clock.now().timestamp()
    circuits = state.circuits_of(state.destination(connection, name, lock=True))
    if forced == "auto":
        circuits = {k: c for k, c in circuits.items() if kind and k != kind}
    else:
        circuits[kind or breaker.WHOLE] = breaker.Circuit(forced=forced)
    state.keep_destination(connection, name, now, circuits=circuits)
    audit.write(connection, now, actor, "breaker.forced", name, f"{kind}: {forced}" if kind else forced)


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
    found["edits"] = edits.of(connection, letter_id)
    if role not in ROLES[1:]:
        found["edits"] = [
            e | {"changes": [[path, "***", "***"] for path, _, _ in e["changes"]]} for e in found["edits"]
        ]
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
