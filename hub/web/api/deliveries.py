"""What was sent, is waiting or stuck."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from hub.desk import NotFound
from hub.store import views
from hub.web import models, shown
from hub.web.auth import Viewer
from hub.web.parts import After, Blank, Id, Limit, Shop, TheHub, To, Word, cursor, page
from hub.web.problems import described

router = APIRouter(tags=["deliveries"])


@router.get("/deliveries", summary="List deliveries")
async def list_deliveries(
    request: Request,
    response: Response,
    hub: TheHub,
    caller: Viewer,
    destination: To = "",
    shop: Shop = "",
    state: Annotated[models.DeliveryState | None, Blank, Query(description="only this state")] = None,
    order: Annotated[Word, Query(description="only this order", examples=["4100000000000000123"])] = "",
    after: After = "",
    limit: Limit = 50,
) -> models.Page[models.DeliveryRow]:
    """Deliveries, newest first, without their documents. Role: viewer."""
    rows = await hub.store.read(
        views.deliveries_list,
        destination=destination, shop=shop, state=state, subject=order, before=cursor(after), limit=limit + 1,
    )  # fmt: skip
    found = page(request, response, rows, limit, lambda row: shown.delivery(row, caller))
    return models.Page[models.DeliveryRow].model_validate(found)


@router.get("/deliveries/{id}", summary="Show one delivery", responses=described(404))
async def show_delivery(id: Id, hub: TheHub, caller: Viewer) -> models.Delivery:  # noqa: A002  # its name in the address
    """One delivery with every attempt and the document as it was then.
    Role: viewer; personal data and the destination's words are for support."""
    row = await hub.store.read(views.delivery, id)
    if row is None:
        raise NotFound(f"there is no delivery {id}")
    return models.Delivery.model_validate(shown.delivery(row, caller))
