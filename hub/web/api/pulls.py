"""Asking platforms for what changed."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter
from pydantic import BeforeValidator, Field

from hub import clock, desk, pulling
from hub.desk import NotFound, NotNow
from hub.store import Connection, audit, views
from hub.web import models, shown, upkeep
from hub.web.auth import Operator, Viewer
from hub.web.parts import Body, Named, TheHub
from hub.web.problems import FieldProblem, Refusal, described
from hub.wiring import Hub

router = APIRouter(tags=["pulls"])
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)


def _text_only(value: Any) -> Any:
    if value is not None and not isinstance(value, str):
        raise ValueError("a time as text: 2026-01-31T08:00:00Z")
    return value


Moment = Annotated[datetime | None, BeforeValidator(_text_only)]


class Span(Body):
    """What to ask for. Without a span: what changed since the last pull, now."""

    start: Moment = Field(
        None, alias="from", description="modified since; without an offset in hub.timezone",
        examples=["2026-11-11T00:00:00+08:00"],
    )  # fmt: skip
    end: Moment = Field(
        None, alias="to", description="modified before; without it: until now",
        examples=["2026-11-11T12:00:00+08:00"],
    )  # fmt: skip
    kind: models.Kind | None = Field(None, description="only this kind", examples=["order"])


@router.get("/pulls", summary="List pulls")
async def list_pulls(hub: TheHub, _: Viewer) -> upkeep.Pulls:
    """Where each shop's pulls stand, and what went wrong. Role: viewer."""
    rows = await hub.store.read(views.pull_states)
    return upkeep.Pulls.model_validate({"items": [shown.pull(r) for r in rows]})


@router.post("/pulls/{shop}", summary="Pull a shop", status_code=202, responses=described(400, 404, 409))
async def pull(shop: Named, hub: TheHub, caller: Operator, span: Span | None = None) -> upkeep.Pulls:
    """Ask a platform again: for a span of time, or for what changed since the last pull. What was paused goes
    on. The answer comes at once; the workers pull, and GET /api/v1/pulls shows how far they are. Role: operator."""
    span = span or Span.model_validate({})
    kinds = _kinds(hub, shop, span.kind)
    bounds = _bounds(hub, span)
    rows = await hub.store.run(_ask, shop, kinds, bounds, caller.name)
    return upkeep.Pulls.model_validate({"items": [shown.pull(r) for r in rows]})


def _kinds(hub: Hub, shop: str, kind: str | None) -> list[str]:
    front = hub.shops.get(shop)
    if front is None:
        raise NotFound(f"there is no shop {shop!r} in hub.toml", hint=f"There are: {', '.join(hub.shops)}")
    settings = hub.config.shops[shop].pull
    if not settings:
        raise NotNow(f"pulling is switched off for {shop}", hint="hub.toml: pull = { every = ... }")
    able = [k for k in pulling.kinds(front, settings) if kind in (None, k)]
    if not able:
        raise NotNow(f"the channel of {shop} cannot pull {kind or 'anything'}", hint="See its page for what it can.")
    return able


def _bounds(hub: Hub, span: Span) -> tuple[float, float] | None:
    if span.start is None and span.end is None:
        return None
    zone, latest = ZoneInfo(hub.config.hub.timezone), clock.now() - timedelta(seconds=pulling.SETTLE)
    if span.start is None:
        raise _wrong("body.from", "needed together with `to`")
    start = _aware(span.start, zone)
    end = _aware(span.end, zone) if span.end else latest
    if not EARLIEST <= start < latest:
        raise _wrong("body.from", "a time in the past, after 2000")
    if not start < end:
        raise _wrong("body.to", "a time after `from`")
    return start.timestamp(), min(end, latest).timestamp()


def _aware(moment: datetime, zone: ZoneInfo) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)


def _wrong(field: str, message: str) -> Refusal:
    return Refusal(422, "http.invalid", f"{field}: {message}", errors=[FieldProblem(field=field, message=message)])


def _ask(
    connection: Connection, shop: str, kinds: list[str], bounds: tuple[float, float] | None, actor: str
) -> list[dict[str, Any]]:
    for kind in kinds:
        if bounds is None:
            desk.resume_pull(connection, shop, kind, actor)
            continue
        pulling.span(connection, shop, kind, *bounds)
        told = " to ".join(str(desk.instant(b)) for b in bounds)
        audit.write(connection, clock.now().timestamp(), actor, "pull.asked", f"{shop}/{kind}", told)
    return [r for r in views.pull_states(connection) if r["shop"] == shop and r["kind"] in kinds]
