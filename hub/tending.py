"""What a person does about a group of dead letters, and about the content of a single one. All of it is audited."""

import copy
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from pydantic import ValidationError

from canonical import DOCUMENTS, dump_json, parse_json
from canonical.checks import check
from dlq import State, edits, groups, shelf
from dlq.life import UNRESOLVED, Life
from hub import clock
from hub.desk import NotFound, NotNow
from hub.mapping.difference import changes
from hub.store import Connection, audit, inbox, outbox
from hub.store.vault import of

_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")


def group(connection: Connection, fingerprint: str) -> dict[str, Any]:
    """A group with its notes. Raises NotFound where none begins like this, or several do."""
    found = groups.get(connection, fingerprint)
    if found is None:
        raise NotFound(f"no single group of dead letters begins with {fingerprint!r}", hint="hub dlq groups lists them")
    return found


def set_life(connection: Connection, fingerprint: str, to: Life, actor: str, why: str = "") -> dict[str, Any]:
    """Acknowledge a group, have it ignored, or open it again. Resolved it becomes by its letters alone."""
    now, found = clock.now().timestamp(), group(connection, fingerprint)
    if to is Life.RESOLVED:
        raise NotNow("a group is resolved by its letters", hint="replay or discard them")
    if to is Life.OPEN and not found["count"]:
        raise NotNow("none of its letters is open", hint="it opens by itself when the cause comes back")
    groups.set_state(connection, found["fingerprint"], to, found["owner"] if to is not Life.OPEN else "", actor, now)
    audit.write(connection, now, actor, f"group.{to}", f"group {found['fingerprint']}", why)
    return group(connection, found["fingerprint"])


def assign_group(connection: Connection, fingerprint: str, owner: str, actor: str) -> dict[str, Any]:
    """Give a group and all of its open letters to a person; an empty owner takes it back."""
    now, found = clock.now().timestamp(), group(connection, fingerprint)
    name, state = found["fingerprint"], Life(found["state"])
    if state in UNRESOLVED:
        state = Life.ASSIGNED if owner else Life.OPEN
    groups.set_state(connection, name, state, owner, actor, now)
    shelf.assign_group(connection, name, owner, now)
    audit.write(connection, now, actor, "group.assigned", f"group {name}", owner)
    return group(connection, name)


def note_group(connection: Connection, fingerprint: str, text: str, actor: str) -> dict[str, Any]:
    """Keep what was found out about the cause; it stays when the letters are gone."""
    now, found = clock.now().timestamp(), group(connection, fingerprint)
    groups.note(connection, found["fingerprint"], actor, text, now)
    audit.write(connection, now, actor, "group.noted", f"group {found['fingerprint']}")
    return group(connection, found["fingerprint"])


def content(connection: Connection, letter_id: int) -> tuple[dict[str, Any], Any, Any]:
    """A letter, what it carries as it came, and as it will go on: a document for a delivery, else the record."""
    letter = shelf.get(connection, letter_id)
    if letter is None:
        raise NotFound(f"there is no dead letter {letter_id}")
    row = _row(connection, letter)
    original = parse_json(inbox.decompress(row["body"]))
    return letter, original, parse_json(inbox.decompress(row["overlay"])) if row["overlay"] else original


def edit(
    connection: Connection, letter_id: int, wanted: Any, actor: str, *, expected: int, why: str = ""
) -> list[tuple[str, Any, Any]]:
    """Let a letter go on with another content; the original is kept. Returns what differs from the original.

    `expected` is the edition that the person saw. Raises NotNow where somebody was faster, where nothing differs, and
    where a document would not pass the schema or the checks (all that is wrong is named).
    """
    letter, original, _ = content(connection, letter_id)
    if letter["delivery_id"] is not None:
        wanted = _checked(letter["kind"], original, wanted)
    told = list(changes(original, wanted))
    now = clock.now().timestamp()
    if not edits.claim(connection, letter_id, expected, now):
        _too_late(connection, letter_id)
    plain = json.dumps(wanted, ensure_ascii=False).encode()
    packed = of(letter["tenant"], inbox.compress(plain)) if told else None
    if letter["delivery_id"] is not None:
        outbox.overlay(connection, letter["delivery_id"], packed, expected + 1)
    else:
        inbox.overlay(connection, letter["message_id"], packed)
    edits.keep(connection, letter_id, expected + 1, actor, why, told, now)
    paths = ", ".join(path for path, _, _ in told) or "the original again"
    audit.write(connection, now, actor, "letter.edited", f"letter {letter_id}", f"{paths}; {why}" if why else paths)
    return told


def with_values(data: Any, settings: Mapping[str, Any]) -> Any:
    """A copy with values at paths such as `lines[0].sku`. Raises NotNow for a path that leads nowhere."""
    made = copy.deepcopy(data)
    for path, value in settings.items():
        steps: list[str | int] = [int(index) if index else name for name, index in _STEP.findall(path)]
        if not steps:
            raise NotNow(f"{path!r} is no path", hint="such as receiver.phone or lines[0].sku")
        place = made
        try:
            for step in steps[:-1]:
                place = place[step]
            place[steps[-1]]  # only what is there can be mended; a typing error makes no new field
        except (KeyError, IndexError, TypeError) as error:
            have = ", ".join(list(place)[:20]) if isinstance(place, dict) else "a list or a value"
            raise NotNow(f"{path}: there is nothing at that place", hint=f"there is: {have}") from error
        place[steps[-1]] = value
    return made


def _checked(kind: str, original: Any, wanted: Any) -> Any:
    model = DOCUMENTS[kind]
    try:
        document = model.model_validate_json(orjson.dumps(wanted))
    except ValidationError as error:
        found = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False)[:20]]
        raise NotNow(f"the document does not fit the schema: {'; '.join(found)}", hint=f"hub schema {kind}") from error
    moved = [name for name in _IDENTITY if wanted.get(name) != original.get(name)]
    if moved:
        raise NotNow(f"{', '.join(moved)} says which document it is and cannot be changed")
    problems = check(document)
    if problems:
        found = [f"{p.rule}: found {p.found}, expected {p.expected}" for p in problems]
        raise NotNow(f"the document contradicts itself: {'; '.join(found)}")
    return orjson.loads(dump_json(document))


_IDENTITY = ("schema", "tenant", "shop", "channel", "order_no", "refund_no", "shipment_no", "request_no", "revision")


def _too_late(connection: Connection, letter_id: int) -> None:
    letter, last = shelf.get(connection, letter_id), edits.of(connection, letter_id)
    if letter is not None and letter["state"] != State.OPEN:
        raise NotNow(f"dead letter {letter_id} is {letter['state']}, not open")
    who = f"{last[-1]['actor']} changed it" if last else "somebody changed it"
    edition = letter["edition"] if letter else 0
    raise NotNow(
        f"{who} before you: it is at edition {edition} now", hint=f"look again: hub dlq show {letter_id}; then edit"
    )


def _row(connection: Connection, letter: Mapping[str, Any]) -> Mapping[str, Any]:
    if letter["delivery_id"] is not None:
        row = outbox.get(connection, letter["delivery_id"])
    else:
        row = inbox.get(connection, letter["message_id"]) if letter["message_id"] else None
    if row is None or row["body"] is None:
        raise NotNow(f"dead letter {letter['id']} carries nothing that could be changed")
    return row


def parse_settings(texts: Sequence[str]) -> dict[str, Any]:
    """`path=value` texts; a value is JSON where it reads as such, else text. Raises NotNow."""
    found: dict[str, Any] = {}
    for text in texts:
        path, equals, value = text.partition("=")
        if not equals or not path.strip():
            raise NotNow(f"{text!r} is not PATH=VALUE", hint='such as lines[0].sku=CUP-1 or buyer_note="2"')
        try:
            found[path.strip()] = json.loads(value)
        except ValueError:
            found[path.strip()] = value
    return found
