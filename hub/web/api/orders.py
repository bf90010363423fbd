"""Canonical documents, and one order's whole story."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from hub.desk import NotFound
from hub.store import views
from hub.web import models, shown
from hub.web.auth import Viewer
from hub.web.parts import After, Blank, Limit, Number, Shop, TheHub, Word, cursor, page
from hub.web.problems import described

router = APIRouter(tags=["orders"])
KindOf = Annotated[models.Kind, Query(description="kind of document")]


@router.get("/orders", summary="List documents")
async def list_orders(
    request: Request,
    response: Response,
    hub: TheHub,
    _: Viewer,
    kind: KindOf = "order",
    shop: Shop = "",
    state: Annotated[Word, Query(description="only this state", examples=["open"])] = "",
    review: Annotated[
        bool | None, Blank, Query(description="only those that went on with an assumed answer, or not")
    ] = None,
    after: After = "",
    limit: Limit = 50,
) -> models.Page[models.DocumentRow]:
    """Orders, refunds or other documents, newest first, without their content. Role: viewer."""
    rows = await hub.store.read(
        views.orders, kind=kind, shop=shop, state=state, review=review, before=cursor(after), limit=limit + 1
    )
    return models.Page[models.DocumentRow].model_validate(page(request, response, rows, limit))


@router.get("/orders/{number:path}", summary="Show one document", responses=described(404))
async def show_order(
    number: Number, hub: TheHub, caller: Viewer, kind: KindOf = "order", shop: Shop = ""
) -> models.Documents:
    """The newest version of one document, by the platform's number or the one that people see. Two shops may use the
    same number: all are shown. Role: viewer; personal data is masked for viewers."""
    rows = await hub.store.read(views.document, number, kind=kind, shop=shop)
    if not rows:
        raise NotFound(f"there is no {kind} {number}", hint=f"/api/v1/trace/{number} shows whether it arrived")
    return models.Documents.model_validate({"items": [shown.document(r, caller) for r in rows]})


@router.get("/trace/{order:path}", summary="Trace one order", responses=described(404))
async def trace(order: Number, hub: TheHub, caller: Viewer) -> models.Trace:
    """Everything about one order: each message and what became of it, the canonical documents with their mapping
    versions, each delivery with its attempts and what it waits behind, dead letters and who replayed them.
    Role: viewer; personal data is masked for viewers."""
    story: dict[str, Any] = await hub.store.read(views.trace, order)
    if not any(story[part] for part in ("messages", "documents", "deliveries", "dead_letters")):
        raise NotFound(f"the hub has never seen {order}", hint="POST /api/v1/pulls/SHOP asks the platform again")
    story["documents"] = [shown.document(r, caller) for r in story["documents"]]
    story["deliveries"] = [shown.delivery(r, caller) for r in story["deliveries"]]
    story["dead_letters"] = [shown.letter(r, caller) for r in story["dead_letters"]]
    return models.Trace.model_validate(story)
