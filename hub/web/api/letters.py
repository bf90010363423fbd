"""Dead letters, one by one and in groups with one cause."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field, StrictBool

from dlq import groups, shelf
from dlq.life import UNRESOLVED, Life
from hub import desk, tending
from hub.desk import NotNow
from hub.store import Connection
from hub.web import models, shown
from hub.web.auth import Caller, Support, Viewer
from hub.web.parts import MOST, After, Body, Id, Limit, Shop, TheHub, To, Word, cursor, page
from hub.web.parts import Text as Said
from hub.web.problems import described
from hub.wiring import Hub

router = APIRouter(tags=["dead letters"])
Fingerprint = Annotated[
    str, Path(pattern=r"^[0-9a-f]{4,32}$", description="the group's fingerprint, or its first characters")
]
GroupChoice = Literal["unresolved", "open", "acknowledged", "assigned", "resolved", "ignored", "all"]
_AT_ONCE = 500
"""Letters of a large group that are taken in one transaction."""


class Go(Body):
    """How to replay."""

    dry_run: StrictBool = Field(False, description="only say what would be replayed", examples=[True])


class Reason(Body):
    """Why a letter shall not go on."""

    successors: Literal["release", "discard"] = Field(
        "release", description="later versions that wait behind it: send them, or discard them too"
    )
    reason: Said = Field(description="kept in the audit log", examples=["test order of the shop"])


class Owner(Body):
    """Who takes care."""

    owner: Word = Field(max_length=64, description="a person; empty: nobody", examples=["li.lei"])


class NewLife(Body):
    """What a group shall be."""

    state: Literal["open", "acknowledged", "ignored"] = Field(examples=["acknowledged"])
    why: str = Field("", max_length=2000, description="kept in the audit log", examples=["a known fault of the ERP"])


class NewContent(Body):
    """What a letter shall go on with."""

    content: Any = Field(description="the whole document, or record", examples=[{"order_no": "A1"}])
    edition: int = Field(
        ge=0, le=MOST, description="the edition that was seen; refused if it has changed", examples=[0]
    )
    why: str = Field("", max_length=2000, description="kept with the letter", examples=["the SKU was renamed"])


class Remark(Body):
    """What was found out."""

    text: Said = Field(examples=["the ERP lost this SKU in the migration; asked them to add it"])


@router.get("/dead-letters", summary="List dead letters")
async def list_letters(
    request: Request,
    response: Response,
    hub: TheHub,
    caller: Viewer,
    state: Annotated[models.LetterChoice, Query(description="only this state")] = "open",
    group: Annotated[Word, Query(description="only this group (whole fingerprint)")] = "",
    shop: Shop = "",
    destination: To = "",
    cause: Annotated[Word, Query(description="only this cause", examples=["mapping.unknown_word"])] = "",
    order: Annotated[Word, Query(description="only this order")] = "",
    owner: Annotated[Word, Query(description="only those assigned to this person")] = "",
    after: After = "",
    limit: Limit = 50,
) -> models.Page[models.LetterRow]:
    """Dead letters, newest first, without their evidence. Role: viewer."""
    chosen = None if state == "all" else state
    equal = {"fingerprint": group, "shop": shop, "destination": destination, "cause": cause, "owner": owner}
    rows = await hub.store.read(_find, chosen, cursor(after), limit + 1, order, equal)
    found = page(request, response, rows, limit, lambda row: shown.letter(row, caller))
    return models.Page[models.LetterRow].model_validate(found)


@router.get("/dead-letters/{id}", summary="Show one dead letter", responses=described(404))
async def show_letter(id: Id, hub: TheHub, caller: Viewer) -> models.Letter:  # noqa: A002  # its name in the address
    """What is wrong, whose order it is, what to do, what has been tried. Role: viewer; the raw message, the
    destination's words and personal data are for support."""
    found = await hub.store.read(desk.letter, id, caller.role)
    return models.Letter.model_validate(shown.letter(found, caller))


@router.post("/dead-letters/{id}/replay", summary="Replay one dead letter", responses=described(400, 404, 409))
async def replay_letter(id: Id, hub: TheHub, caller: Support, how: Go | None = None) -> models.Replayed:  # noqa: A002
    """Send it on again from the step where it stuck, with the mapping in force now. Role: support."""
    return await hub.store.run(_replay_one, id, caller.name, how or Go())


@router.get("/dead-letters/{id}/content", summary="Show what a dead letter carries", responses=described(404, 409))
async def show_content(id: Id, hub: TheHub, _: Support) -> models.Content:  # noqa: A002
    """The document of a delivery, else the record: as it came, and as it will go on. Role: support."""
    found, original, now = await hub.store.read(tending.content, id)
    return models.Content(edition=found["edition"], original=original, content=now)


@router.put(
    "/dead-letters/{id}/content", summary="Change what a dead letter carries", responses=described(400, 404, 409)
)
async def change_content(id: Id, new: NewContent, hub: TheHub, caller: Support) -> models.Letter:  # noqa: A002
    """Let it go on with another content. The original is kept; a document is checked against the schema and the
    checks; who saw an older edition is told that somebody was faster. Role: support."""
    await hub.store.run(tending.edit, id, new.content, caller.name, expected=new.edition, why=new.why)
    found = await hub.store.read(desk.letter, id, caller.role)
    return models.Letter.model_validate(shown.letter(found, caller))


@router.post("/dead-letters/{id}/discard", summary="Discard one dead letter", responses=described(400, 404, 409))
async def discard_letter(id: Id, why: Reason, hub: TheHub, caller: Support) -> models.Changed:  # noqa: A002
    """End it for good; what it held goes on without it. Role: support."""
    return await hub.store.run(_discard_one, id, caller.name, why)


@router.post("/dead-letters/{id}/assign", summary="Assign one dead letter", responses=described(400, 404))
async def assign_letter(id: Id, to: Owner, hub: TheHub, caller: Support) -> models.Changed:  # noqa: A002
    """Give it to a person. Role: support."""
    return await hub.store.run(_assign_one, id, to.owner, caller.name)


@router.post(
    "/dead-letters/{id}/notes", summary="Note on one dead letter", status_code=201, responses=described(400, 404)
)
async def note_letter(id: Id, remark: Remark, hub: TheHub, caller: Support) -> models.Letter:  # noqa: A002
    """Keep what was found out. Role: support."""
    await hub.store.run(desk.note, id, caller.name, remark.text)
    found = await hub.store.read(desk.letter, id, caller.role)
    return models.Letter.model_validate(shown.letter(found, caller))


@router.get("/dead-letter-groups", summary="List groups of dead letters")
async def list_groups(
    hub: TheHub,
    caller: Viewer,
    state: Annotated[GroupChoice, Query(description="groups in this state")] = "unresolved",
    after: Annotated[
        str, Query(pattern=r"^([0-9]{1,10}-[0-9a-f]{1,32})?$", description="`next` of the page before")
    ] = "",
    limit: Limit = 50,
) -> models.Groups:
    """Causes, the most frequent first: mend one, replay its group. Role: viewer."""
    states = {"unresolved": UNRESOLVED, "all": tuple(Life)}.get(state, (state,))
    rows = await hub.store.read(groups.find, states=states, after=after, limit=limit + 1)
    following = rows[limit - 1]["cursor"] if len(rows) > limit else None
    return models.Groups.model_validate({"items": [shown.letter(r, caller) for r in rows[:limit]], "next": following})


@router.get("/dead-letter-groups/{fingerprint}", summary="Show a group", responses=described(404))
async def show_group(fingerprint: Fingerprint, hub: TheHub, caller: Viewer) -> models.GroupWithNotes:
    """Its state, its notes, what is at stake, how it grows. Role: viewer."""
    return _group_of(await hub.store.read(tending.group, fingerprint), caller)


@router.post(
    "/dead-letter-groups/{fingerprint}/state", summary="Set a group's state", responses=described(400, 404, 409)
)
async def set_group(fingerprint: Fingerprint, to: NewLife, hub: TheHub, caller: Support) -> models.GroupWithNotes:
    """Acknowledge it, have it ignored, or open it again; resolved it becomes by its letters alone. Role: support."""
    done = await hub.store.run(tending.set_life, fingerprint, Life(to.state), caller.name, to.why)
    return _group_of(done, caller)


@router.post(
    "/dead-letter-groups/{fingerprint}/notes", summary="Note on a group", status_code=201, responses=described(400, 404)
)
async def note_group(fingerprint: Fingerprint, remark: Remark, hub: TheHub, caller: Support) -> models.GroupWithNotes:
    """Keep what was found out about the cause; it stays when the letters are gone. Role: support."""
    return _group_of(await hub.store.run(tending.note_group, fingerprint, remark.text, caller.name), caller)


@router.post("/dead-letter-groups/{fingerprint}/replay", summary="Replay a group", responses=described(400, 404))
async def replay_group(
    fingerprint: Fingerprint, hub: TheHub, caller: Support, how: Go | None = None
) -> models.Replayed:
    """Send every open letter of the group on again; `dry_run` only says which. Role: support."""
    total = models.Replayed(dry_run=bool(how and how.dry_run), letters=[], messages=0, deliveries=0, skipped=0)
    for part in await _group(hub, fingerprint):
        done = await hub.store.run(desk.replay, part, caller.name, dry_run=total.dry_run)
        total.letters += done.letters
        total.messages += done.messages
        total.deliveries += done.deliveries
        total.skipped += done.skipped
    return total


@router.post("/dead-letter-groups/{fingerprint}/discard", summary="Discard a group", responses=described(400, 404))
async def discard_group(fingerprint: Fingerprint, why: Reason, hub: TheHub, caller: Support) -> models.Changed:
    """End every open letter of the group for good. Role: support."""
    parts = await _group(hub, fingerprint)
    done = [await hub.store.run(desk.discard, p, caller.name, why.reason, successors=why.successors) for p in parts]
    return models.Changed(letters=sum(done))


@router.post("/dead-letter-groups/{fingerprint}/assign", summary="Assign a group", responses=described(400, 404))
async def assign_group(fingerprint: Fingerprint, to: Owner, hub: TheHub, caller: Support) -> models.Changed:
    """Give the group and every open letter of it to a person. Role: support."""
    done = await hub.store.run(tending.assign_group, fingerprint, to.owner, caller.name)
    return models.Changed(letters=done["count"])


def _group_of(found: dict[str, Any], caller: Caller) -> models.GroupWithNotes:
    return models.GroupWithNotes.model_validate(shown.letter(found, caller))


async def _group(hub: Hub, fingerprint: str) -> list[Sequence[int]]:
    """A group's open letters, in parts that are a transaction each: a large group must not keep pushes waiting."""
    ids = await hub.store.read(desk.letters_of_group, fingerprint)
    return [ids[i : i + _AT_ONCE] for i in range(0, len(ids), _AT_ONCE)]


def _find(
    connection: Connection, state: str | None, before: int | None, limit: int, order: str, equal: dict[str, str]
) -> list[dict[str, Any]]:
    return shelf.find(connection, state=state, before=before, limit=limit, subject=order, **equal)


def _replay_one(connection: Connection, letter_id: int, actor: str, how: Go) -> models.Replayed:
    done = desk.replay(connection, [letter_id], actor, dry_run=how.dry_run)
    if not done.letters:
        _not_open(connection, letter_id)
    return models.Replayed(dry_run=how.dry_run, **asdict(done))


def _discard_one(connection: Connection, letter_id: int, actor: str, why: Reason) -> models.Changed:
    done = desk.discard(connection, [letter_id], actor, why.reason, successors=why.successors)
    if not done:
        _not_open(connection, letter_id)
    return models.Changed(letters=done)


def _assign_one(connection: Connection, letter_id: int, owner: str, actor: str) -> models.Changed:
    desk.letter(connection, letter_id, "viewer")
    return models.Changed(letters=desk.assign(connection, [letter_id], owner, actor))


def _not_open(connection: Connection, letter_id: int) -> None:
    """Nothing was done: it does not exist (NotFound), or is not open (NotNow)."""
    state = desk.letter(connection, letter_id, "viewer")["state"]
    raise NotNow(f"dead letter {letter_id} is {state}, not open")
