"""What the operations of the API share: the hub behind the app, common parameters, paging."""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

from fastapi import Depends, Path, Query, Request, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints

from hub.wiring import Hub

MOST = 2**63 - 1
"""The largest whole number that a database can be asked for."""
_PLAIN = r"^[^\x00-\x1f\x7f]*$"


def _hub(request: Request) -> Hub:
    hub: Hub = request.app.state.hub
    return hub


async def _current(request: Request) -> Hub:
    """The hub with the mappings that are in force now, also in a process that maps nothing itself."""
    await request.app.state.flow.take_up_mappings()
    return _hub(request)


def _or_none(value: Any) -> Any:
    """A parameter that is there but empty says nothing."""
    return None if value == "" else value


TheHub = Annotated[Hub, Depends(_hub)]
CurrentHub = Annotated[Hub, Depends(_current)]
Id = Annotated[int, Path(ge=1, le=MOST, description="id", examples=[17])]
Word = Annotated[str, StringConstraints(max_length=128, pattern=_PLAIN)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=_PLAIN)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=2000, pattern=r"^[^\x00]*[^\s\x00][^\x00]*$")]
Number = Annotated[
    str,
    Path(min_length=1, max_length=128, pattern=_PLAIN, description="the platform's number, or the one people see"),
]
Named = Annotated[str, Path(min_length=1, max_length=64, pattern=_PLAIN, description="name in hub.toml")]
Limit = Annotated[int, Query(ge=1, le=500, description="most items on a page")]
After = Annotated[
    str,
    Query(pattern=r"^([1-9][0-9]{0,17})?$", description="`next` of the page before", examples=["1041"]),
]
Blank = BeforeValidator(_or_none)
Shop = Annotated[Word, Query(description="only this shop", examples=["site"])]
To = Annotated[Word, Query(description="only this destination", examples=["erp"])]


class Body(BaseModel):
    """A request's body: unknown members are refused, so that a misspelt one does not pass for nothing."""

    model_config = ConfigDict(extra="forbid")


def page(
    request: Request,
    response: Response,
    rows: Sequence[Mapping[str, Any]],
    limit: int,
    show: Callable[[Mapping[str, Any]], Mapping[str, Any]] = lambda row: row,
) -> dict[str, Any]:
    """`limit` + 1 rows, newest first, as a page; where there is more, with the next one's address in `Link`."""
    kept, more = rows[:limit], len(rows) > limit
    cursor = str(kept[-1]["id"]) if more else None
    if cursor:
        address = request.url.include_query_params(after=cursor)
        response.headers["Link"] = f'<{address.path}?{address.query}>; rel="next"'
    return {"items": [show(row) for row in kept], "next": cursor}


def cursor(after: str) -> int | None:
    """The id that a cursor stands for."""
    return int(after) if after else None
