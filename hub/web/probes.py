"""/healthz, /readyz, /metrics, and a page that says where things are."""

import asyncio
from html import escape
from typing import Any, Literal

import structlog
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field
from starlette.responses import HTMLResponse

from hub import clock
from hub.store import StoreError, views
from hub.web import metrics
from hub.web.auth import admit, on_this_machine
from hub.web.parts import TheHub
from hub.web.problems import ProblemDetails, answer, described, title_of
from hub.wiring import Hub

log = structlog.get_logger("hub.web")
router = APIRouter(tags=["operations"])
PATIENCE = 3.0
"""Seconds in which the store must answer a probe."""


class Alive(BaseModel):
    """The process runs."""

    status: Literal["alive"] = "alive"


class Ready(BaseModel):
    """The hub can take and translate messages."""

    status: Literal["ready"] = "ready"
    mappings: int = Field(description="mappings in force", examples=[12])


@router.get("/healthz", summary="Is the process alive?")
async def alive() -> Alive:
    """Says nothing about the store: restart the process if this does not answer."""
    return Alive()


@router.get("/readyz", summary="Can it take messages?", response_model=Ready, responses=described(503))
async def ready(request: Request, hub: TheHub) -> Ready | Response:
    """200 while the store answers and mappings are loaded; 503 while not: send no traffic here."""
    wrong = await _wrong(hub)
    if not wrong:
        return Ready(mappings=len(hub.catalog.names()))
    problem = ProblemDetails(title=title_of(503), status=503, code="hub.not_ready", detail=wrong)
    return answer(problem, request.url.path, {"Retry-After": "5"})


async def _wrong(hub: Hub) -> str:
    try:
        await asyncio.wait_for(hub.store.read(views.pull_states), PATIENCE)
    except TimeoutError:
        return "the store does not answer in time"
    except (StoreError, OSError, RuntimeError) as error:
        log.warning("store.unreachable", error=type(error).__name__)
        return "the store cannot be reached"
    if hub.store.health.trouble:
        return "the store failed a moment ago; the log says why"
    return "" if hub.catalog.names() else "no mappings are loaded"


@router.get(
    "/metrics",
    summary="Metrics for Prometheus",
    response_class=Response,
    responses={
        200: {
            "description": "Prometheus' text format",
            "content": {metrics.MEDIA_TYPE: {"schema": {"type": "string"}}},
        },
        **described(401, 403, 503),
    },
)
async def tell_metrics(request: Request, hub: TheHub) -> Response:
    """Counters, queues, breakers, latency: the same from each process of a hub. Without a token only from this machine
    itself (over loopback, through no proxy); from elsewhere with a bearer token of any role."""
    if not on_this_machine(request):
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        await admit(request, token.strip() if scheme.lower() == "bearer" else "", "viewer")
    text = await hub.store.read(metrics.render, list(hub.targets), clock.now().timestamp())
    return Response(text, media_type=metrics.MEDIA_TYPE)


@router.get("/", include_in_schema=False)
async def index(request: Request) -> HTMLResponse:
    """Where things are, for people. Plain HTML: nothing is loaded from anywhere."""
    described_by: dict[str, Any] = request.app.openapi()
    rows = [
        f"<tr><td>{method.upper()}<td><code>{escape(path)}</code><td>{escape(operation.get('summary', ''))}"
        for path, operations in described_by["paths"].items()
        for method, operation in operations.items()
    ]
    links = " · ".join(f'<a href="{p}">{p}</a>' for p in ("/openapi.json", "/healthz", "/readyz", "/metrics"))
    title = escape(described_by["info"]["title"])
    return HTMLResponse(
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        f"<h1>{title} {escape(described_by['info']['version'])}</h1><p>{links}</p><table>{''.join(rows)}</table></html>"
    )
