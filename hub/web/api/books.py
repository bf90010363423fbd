"""Balance, audit log, and requests whose sender was not proven."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from hub import desk
from hub.store import audit, state
from hub.web import models, upkeep
from hub.web.auth import Support, Viewer
from hub.web.parts import After, Limit, Shop, TheHub, cursor, page

router = APIRouter(tags=["books"])

Head = Annotated[
    str, Query(pattern=r"^([0-9a-f]{64})?$", description="a head that was noted earlier and must be in the chain")
]


@router.get("/balance", summary="Balance the books")
async def balance(hub: TheHub, _: Viewer) -> upkeep.Balances:
    """Per channel and destination: accepted = delivered + waiting + held + ignored + dead. Role: viewer."""
    rows = await hub.store.read(desk.balance, list(hub.targets))
    return upkeep.Balances.model_validate({"items": rows})


@router.get("/audit", summary="Read the audit log")
async def list_acts(
    request: Request, response: Response, hub: TheHub, _: Support, after: After = "", limit: Limit = 50
) -> models.Page[upkeep.Act]:
    """Who did what and when, the hub's own turns (breakers, pauses) included, newest first. Role: support."""
    rows = await hub.store.read(audit.entries, before=cursor(after), limit=limit + 1)
    return models.Page[upkeep.Act].model_validate(page(request, response, rows, limit))


@router.get("/audit/verify", summary="Verify the audit log")
async def verify_audit(hub: TheHub, _: Support, head: Head = "") -> upkeep.Chain:
    """Read the whole chain of hashes: whether any entry was changed, removed or put in between. Role: support."""
    found = await hub.store.read(audit.verify, head)
    return upkeep.Chain.model_validate(asdict(found) | {"whole": found.whole})


@router.get("/quarantine", summary="List rejected requests")
async def quarantine(
    request: Request,
    response: Response,
    hub: TheHub,
    _: Support,
    shop: Shop = "",
    after: After = "",
    limit: Limit = 50,
) -> models.Page[upkeep.Rejected]:
    """Pushes whose signature or time was wrong, newest first; a bounded number per shop is kept. Role: support."""
    rows = await hub.store.read(state.quarantined, shop, limit + 1, before=cursor(after))
    return models.Page[upkeep.Rejected].model_validate(page(request, response, rows, limit))
