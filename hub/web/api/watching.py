"""What the platforms send that no mapping knows, and versions in the shadow."""

from typing import Annotated

from fastapi import APIRouter, Query

from hub.store import history
from hub.web import watched
from hub.web.auth import Support, Viewer
from hub.web.parts import Id, Shop, TheHub, Word
from hub.web.problems import described
from hub.workbench import drift
from hub.workbench.drift import Drift

router = APIRouter(tags=["mappings"])


@router.get("/drift", summary="List drift")
async def list_drift(
    hub: TheHub,
    _: Viewer,
    shop: Shop = "",
    channel: Annotated[Word, Query(description="only this channel", examples=["generic"])] = "",
    closed: Annotated[bool, Query(description="closed findings too")] = False,
) -> watched.Findings:
    """New fields and words, vanished fields and changed types, with the rules that read them. Role: viewer."""
    look = Drift(hub.store, hub.catalog, hub.shops, hub.config.hub.lease)
    rows = await hub.store.read(drift.listing, look, shop=shop, channel=channel, closed=closed)
    return watched.Findings.model_validate({"items": rows})


@router.post("/drift/{id}/close", summary="Close a finding", status_code=204, responses=described(404))
async def close_drift(id: Id, hub: TheHub, caller: Support) -> None:  # noqa: A002
    """A person has seen it. It opens again when it comes back after it had stayed away. Role: support."""
    await hub.store.run(drift.close, [id], caller.name)


@router.get("/shadows", summary="List versions in the shadow")
async def list_shadows(
    hub: TheHub,
    _: Viewer,
    mapping: Annotated[Word, Query(description="full name of a mapping", examples=["channels/generic/order"])] = "",
    running: Annotated[bool, Query(description="only those that have not ended")] = False,
) -> watched.Shadows:
    """What live traffic would have become with another version, counted so far. Role: viewer."""
    rows = await hub.store.read(history.shadows, mapping, running=running)
    return watched.Shadows.model_validate({"items": rows})
