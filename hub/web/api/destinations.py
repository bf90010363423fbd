"""Destinations: their health, and what a person may do about it."""

from typing import Any, Literal

from fastapi import APIRouter
from pydantic import Field

from hub import breaker, desk
from hub.desk import NotFound
from hub.store import outbox, state, views
from hub.web import upkeep
from hub.web.auth import Operator, Viewer
from hub.web.parts import Body, Named, TheHub
from hub.web.problems import described
from hub.wiring import Hub

router = APIRouter(tags=["destinations"])


class Why(Body):
    """The reason for a pause."""

    reason: str = Field(
        "", max_length=200, pattern=r"^[^\x00]*$", description="shown to everybody", examples=["stock count"]
    )


class Forced(Body):
    """What the breaker shall be."""

    state: Literal["open", "closed", "auto"] = Field(
        description="auto gives it back to its own judgement", examples=["open"]
    )
    kind: Literal["", "order", "refund", "shipment", "stock", "invoice"] = Field(
        "", description="of these documents only; empty: of the whole destination", examples=["refund"]
    )


@router.get("/destinations", summary="List destinations")
async def list_destinations(hub: TheHub, _: Viewer) -> upkeep.Destinations:
    """Every destination of hub.toml with its breaker, its queue and its oldest waiting delivery. Role: viewer."""
    return upkeep.Destinations.model_validate({"items": await _all(hub)})


@router.post("/destinations/{name}/pause", summary="Pause a destination", responses=described(400, 404))
async def pause(name: Named, hub: TheHub, caller: Operator, why: Why | None = None) -> upkeep.Destination:
    """Stop sending there; its deliveries wait. Role: operator."""
    _known(hub, name)
    await hub.store.run(desk.pause, name, caller.name, why.reason if why else "")
    return await _one(hub, name)


@router.post("/destinations/{name}/resume", summary="Resume a destination", responses=described(404))
async def resume(name: Named, hub: TheHub, caller: Operator) -> upkeep.Destination:
    """Send there again, and close the ticket about its credentials. Role: operator."""
    _known(hub, name)
    await hub.store.run(desk.resume, name, caller.name)
    return await _one(hub, name)


@router.post("/destinations/{name}/breaker", summary="Force a circuit breaker", responses=described(400, 404))
async def force_breaker(name: Named, to: Forced, hub: TheHub, caller: Operator) -> upkeep.Destination:
    """Force the circuit breaker open (nothing is sent) or closed (everything is tried). Role: operator."""
    _known(hub, name)
    await hub.store.run(desk.force_breaker, name, to.state, caller.name, to.kind)
    return await _one(hub, name)


def _known(hub: Hub, name: str) -> None:
    if name not in hub.targets:
        raise NotFound(f"there is no destination {name!r} in hub.toml", hint=f"There are: {', '.join(hub.targets)}")


async def _one(hub: Hub, name: str) -> upkeep.Destination:
    return upkeep.Destination.model_validate(next(d for d in await _all(hub) if d["name"] == name))


async def _all(hub: Hub) -> list[dict[str, Any]]:
    states = {s["name"]: s for s in await hub.store.read(views.destination_states)}
    return [_shown(hub, name, states.get(name, {})) for name in hub.targets]


def _shown(hub: Hub, name: str, row: dict[str, Any]) -> dict[str, Any]:
    circuits = state.circuits_of({"circuit": row.get("circuit") or ""})
    circuit = breaker.overall(circuits)
    waiting = [stamp for what, stamp in row.get("oldest", {}).items() if what != outbox.DEAD]
    return {
        "name": name,
        "kind": hub.targets[name].section.kind,
        "breaker": circuit.forced or circuit.state,
        "forced": bool(circuit.forced),
        "operations": {k: c.forced or c.state for k, c in circuits.items() if k != breaker.WHOLE},
        "paused": row.get("paused") or "",
        "counts": row.get("counts", {}),
        "oldest_waiting": min(waiting, default=None),
    }
