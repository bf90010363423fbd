"""What is in force, and what a message would become."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request

import adapters
from hub import adapting, clock, desk
from hub.desk import NotFound
from hub.trial import try_mapping
from hub.web import models, upkeep
from hub.web.auth import Caller, Support, Viewer
from hub.web.intake import read_body
from hub.web.parts import CurrentHub, Word
from hub.web.problems import Refusal, described
from hub.wiring import Hub

router = APIRouter(tags=["mappings"])
Code = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$", description="an adapter's name", examples=["generic"])]
Through = Annotated[Word, Query(description="use this shop of hub.toml: its settings, tenant and mapping")]
_RAW: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "what the platform really answered or pushed: a list page, one record, a push body; JSON or XML",
        "content": {
            "application/json": {"schema": {}, "example": {"order_no": "W1001", "status": "paid"}},
            "text/xml": {"schema": {"type": "string"}},
        },
    }
}


@router.get("/mappings", summary="List mappings")
async def list_mappings(hub: CurrentHub, _: Viewer) -> upkeep.Mappings:
    """Every mapping in force with its version, which every document that it makes records. Role: viewer."""
    found = [hub.catalog.mapping(name) for name in hub.catalog.names()]
    items = [{"name": m.full_name, "kind": m.kind, "version": m.version, "file": m.file} for m in found]
    return upkeep.Mappings.model_validate({"items": items})


@router.post("/map/{channel}", summary="Try a mapping", responses=described(404, 413), openapi_extra=_RAW)
async def map_any(
    channel: Code, request: Request, hub: CurrentHub, caller: Support, shop: Through = ""
) -> upkeep.Tried:
    """Show what a platform's answer or push would become, as `hub map` does. Nothing is stored or sent.
    Role: support."""
    return await _tried(request, hub, caller, channel, None, shop)


@router.post(
    "/map/{channel}/{kind}", summary="Try a mapping of one kind", responses=described(404, 413), openapi_extra=_RAW
)
async def map_kind(
    channel: Code,
    kind: Annotated[models.Kind, Path(description="kind of record")],
    request: Request,
    hub: CurrentHub,
    caller: Support,
    shop: Through = "",
) -> upkeep.Tried:
    """The same for the records of one kind. Role: support."""
    return await _tried(request, hub, caller, channel, kind, shop)


async def _tried(request: Request, hub: Hub, caller: Caller, channel: str, kind: str | None, shop: str) -> upkeep.Tried:
    raw = await read_body(request.scope, request.receive, hub.config.hub.body_limit)
    if raw is None:
        raise Refusal(413, "http.too_large", f"the body is larger than {hub.config.hub.body_limit} bytes")
    result = await asyncio.get_running_loop().run_in_executor(None, _try, hub, channel, kind, shop, raw)
    result["documents"] = [desk.masked(caller.role, d, str(d["schema"]).partition("/")[0]) for d in result["documents"]]
    return upkeep.Tried.model_validate(result)


def _try(hub: Hub, channel: str, kind: str | None, shop: str, raw: bytes) -> dict[str, Any]:
    if shop:
        front = hub.shops.get(shop)
        if front is None or front.code != channel:
            raise NotFound(f"there is no shop {shop!r} of channel {channel!r} in hub.toml")
        return try_mapping(
            hub.catalog, front.channel, front.code, kind, raw, clock.now(),
            folder=front.mappings, overlay=front.overlay, tenant=front.tenant, shop=shop,
        )  # fmt: skip
    if channel not in adapters.codes("channels"):
        known = ", ".join(adapters.codes("channels"))
        raise NotFound(f"there is no channel {channel!r}", hint=f"There are: {known}")
    adapter = adapting.unconfigured(adapters.load("channels", channel))
    return try_mapping(hub.catalog, adapter, channel, kind, raw, clock.now())
