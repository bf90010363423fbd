"""Replays under control: plan, start, pause, resume, cancel, and what became of each letter."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from dlq import replay
from dlq.replay import RAMP
from hub import replaying
from hub.web import models, upkeep
from hub.web.auth import Support, Viewer
from hub.web.parts import MOST, After, Body, Id, Limit, TheHub, Word, cursor, page
from hub.web.problems import described

router = APIRouter(tags=["dead letters"])


class Plan(Body):
    """Which open letters, and how. Without a filter: all of them."""

    letters: list[Annotated[int, Field(ge=1, le=MOST)]] = Field(
        default_factory=list, max_length=10_000, description="ids", examples=[[17, 18]]
    )
    group: Word = Field("", description="whole fingerprint", examples=["9c0f1b7a3d5e2468"])
    shop: Word = ""
    destination: Word = ""
    cause: Word = Field("", examples=["delivery.refused"])
    order: Word = ""
    owner: Word = ""
    most: int | None = Field(None, ge=1, le=10_000_000, description="not more than this, the oldest")
    step: Literal["", "fetch", "map", "check", "route", "send"] = Field("", description="empty: where each one stuck")
    mapping: Word = Field("", description="map with this version; empty: the one in force")
    rate: float | None = Field(None, gt=0, le=100_000, description="letters a second", examples=[20])
    ramp: list[int] = Field(
        list(RAMP), max_length=20, description="per cents, stage by stage", examples=[[1, 5, 20, 100]]
    )
    stop_at: float = Field(0.2, ge=0, le=1, description="pause when more than this share dies again")


@router.post("/replays", summary="Plan a replay", status_code=201, responses=described(400, 404, 409))
async def plan_replay(wanted: Plan, hub: TheHub, caller: Support) -> upkeep.Replay:
    """Freeze the open letters that fit into a list, and say what replaying it would mean. Nothing is sent before
    it is started. Role: support."""
    which: dict[str, Any] = {
        "ids": wanted.letters, "fingerprint": wanted.group, "shop": wanted.shop, "destination": wanted.destination,
        "cause": wanted.cause, "subject": wanted.order, "owner": wanted.owner, "limit": wanted.most,
    }  # fmt: skip
    done = await hub.store.run(
        replaying.plan,
        {name: value for name, value in which.items() if value},
        caller.name,
        step=wanted.step,
        mapping_version=wanted.mapping,
        rate=wanted.rate,
        ramp=wanted.ramp,
        stop_at=wanted.stop_at,
    )
    return upkeep.Replay.model_validate(done)


@router.get("/replays", summary="List replays")
async def list_replays(
    request: Request, response: Response, hub: TheHub, _: Viewer, after: After = "", limit: Limit = 50
) -> models.Page[upkeep.Replay]:
    """Newest first. Role: viewer."""
    rows = await hub.store.read(replay.find, before=cursor(after), limit=limit + 1)
    return models.Page[upkeep.Replay].model_validate(page(request, response, rows, limit))


@router.get("/replays/{id}", summary="Show a replay", responses=described(404))
async def show_replay(id: Id, hub: TheHub, _: Viewer) -> upkeep.Replay:  # noqa: A002  # its name in the address
    """How far it is. Role: viewer."""
    return upkeep.Replay.model_validate(await hub.store.read(replaying.show, id))


@router.post("/replays/{id}/start", summary="Start or resume a replay", responses=described(404, 409))
async def start_replay(id: Id, hub: TheHub, caller: Support) -> upkeep.Replay:  # noqa: A002
    """Let a planned or paused one run. Role: support."""
    return upkeep.Replay.model_validate(await hub.store.run(replaying.start, id, caller.name))


@router.post("/replays/{id}/pause", summary="Pause a replay", responses=described(404, 409))
async def pause_replay(id: Id, hub: TheHub, caller: Support) -> upkeep.Replay:  # noqa: A002
    """Take no more letters; what is under way goes on. Role: support."""
    return upkeep.Replay.model_validate(await hub.store.run(replaying.pause, id, caller.name))


@router.post("/replays/{id}/cancel", summary="Cancel a replay", responses=described(404, 409))
async def cancel_replay(id: Id, hub: TheHub, caller: Support) -> upkeep.Replay:  # noqa: A002
    """End it; letters whose turn has not come stay open. Role: support."""
    return upkeep.Replay.model_validate(await hub.store.run(replaying.cancel, id, caller.name))


@router.post("/replays/{id}/again", summary="Plan what died again", status_code=201, responses=described(404, 409))
async def again_replay(id: Id, hub: TheHub, caller: Support) -> upkeep.Replay:  # noqa: A002
    """A new plan over the letters that died again in this one. Role: support."""
    return upkeep.Replay.model_validate(await hub.store.run(replaying.again, id, caller.name))


@router.get("/replays/{id}/items", summary="List a replay's letters", responses=described(404))
async def list_replay_items(
    id: Id,  # noqa: A002
    hub: TheHub,
    _: Viewer,
    state: Annotated[upkeep.ItemChoice, Query(description="only those")] = "",
    after: Annotated[int, Query(ge=0, le=MOST, description="`next` of the page before")] = 0,
    limit: Limit = 50,
) -> upkeep.ReplayItems:
    """What became of each, oldest letter first. Role: viewer."""
    await hub.store.read(replaying.show, id)
    rows = await hub.store.read(replay.results, id, after=after, limit=limit + 1, state=state)
    following = rows[limit - 1]["letter_id"] if len(rows) > limit else None
    return upkeep.ReplayItems.model_validate({"items": rows[:limit], "next": following})
