"""Errors as HTTP tells them: problem+json (RFC 9457), never a traceback.

What nobody foresaw becomes a 500 with an incident number, which is in the log beside the traceback.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
import structlog
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from canonical.errors import ConfigError, HubError
from hub.desk import NotFound, NotNow
from hub.host import HOST
from hub.store import StoreTrouble

log = structlog.get_logger("hub.web")

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER = 5
"""Seconds after which a sender whose message could not be stored may try again."""


class FieldProblem(BaseModel):
    """What is wrong with one part of a request."""

    field: str = Field(description="where: query.limit, path.id, body.owner", examples=["query.limit"])
    message: str = Field(description="what is expected there", examples=["Input should be less than or equal to 500"])


class ProblemDetails(BaseModel):
    """An error. `type` is about:blank: `title` is the status in words, `code` names the error exactly."""

    model_config = ConfigDict(title="Problem")
    type: str = Field("about:blank", description="RFC 9457")
    title: str = Field(description="the HTTP status in words", examples=["Not Found"])
    status: int = Field(description="the HTTP status", examples=[404])
    code: str = Field(description="the error's name", examples=["desk.not_found"])
    detail: str = Field("", description="what happened", examples=["there is no dead letter 17"])
    hint: str = Field("", description="what to do")
    instance: str = Field("", description="the path that was asked for", examples=["/api/v1/dead-letters/17"])
    incident: str = Field("", description="number of the entry in the hub's log, for defects and outages")
    errors: list[FieldProblem] = Field(default_factory=list, description="each part of the request that is wrong")


class Refusal(Exception):
    """A request that is answered with a problem."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        hint: str = "",
        headers: Mapping[str, str] | None = None,
        errors: list[FieldProblem] | None = None,
    ) -> None:
        super().__init__(detail)
        self.problem = ProblemDetails(
            title=title_of(status), status=status, code=code, detail=detail, hint=hint, errors=errors or []
        )
        self.headers = dict(headers or {})


def title_of(status: int) -> str:
    """The status in words."""
    return HTTPStatus(status).phrase


def encoded(problem: ProblemDetails) -> bytes:
    """A problem without its empty members."""
    said = {k: v for k, v in problem.model_dump().items() if v not in ("", [])}
    return orjson.dumps(said)


def answer(problem: ProblemDetails, path: str, headers: Mapping[str, str] | None = None) -> Response:
    """A problem as a response."""
    told = problem.model_copy(update={"instance": path})
    return Response(encoded(told), problem.status, dict(headers or {}), MEDIA_TYPE)


async def refused(request: Request, error: Exception) -> Response:
    """Our own refusals."""
    assert isinstance(error, Refusal)  # noqa: S101  # registered for nothing else
    return answer(error.problem, request.url.path, error.headers)


async def http_error(request: Request, error: Exception) -> Response:
    """404 and 405 of the router, and what the framework refuses."""
    assert isinstance(error, HTTPException)  # noqa: S101  # registered for nothing else
    code = {404: "http.not_found", 405: "http.method", 413: "http.too_large"}.get(error.status_code, "http.error")
    problem = ProblemDetails(
        title=title_of(error.status_code), status=error.status_code, code=code, detail=_worded(error, request)
    )
    return answer(problem, request.url.path, error.headers)


def _worded(error: HTTPException, request: Request) -> str:
    if error.status_code == HTTPStatus.NOT_FOUND:
        return "there is nothing at this address"
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return f"{request.method} is not possible here"
    return str(error.detail)


async def invalid(request: Request, error: Exception) -> Response:
    """A request that does not fit its description. What was sent is not repeated: it may be a secret."""
    assert isinstance(error, RequestValidationError)  # noqa: S101  # registered for nothing else
    found = [_field(item) for item in error.errors()]
    broken = any(item["type"] == "json_invalid" for item in error.errors())
    status, code = (400, "http.not_json") if broken else (422, "http.invalid")
    detail = "the body is not valid JSON" if broken else f"{', '.join(f.field for f in found)}: not as described"
    problem = ProblemDetails(title=title_of(status), status=status, code=code, detail=detail, errors=found)
    return answer(problem, request.url.path)


def _field(item: Mapping[str, Any]) -> FieldProblem:
    where = [str(part) for part in item["loc"] if not isinstance(part, int)] or ["request"]
    message = str(item["msg"]).removeprefix("Value error, ")
    return FieldProblem(field=".".join(where), message=message)


async def hub_error(request: Request, error: Exception) -> Response:
    """What the desk refuses: 404, 409; anything else that is a message's fault: 422."""
    assert isinstance(error, HubError)  # noqa: S101  # registered for nothing else
    status = 404 if isinstance(error, NotFound) else 409 if isinstance(error, NotNow) else 422
    problem = ProblemDetails(
        title=title_of(status), status=status, code=error.code, detail=error.message, hint=error.hint
    )
    return answer(problem, request.url.path)


async def config_error(request: Request, error: Exception) -> Response:
    """What hub.toml or the mappings do not have."""
    assert isinstance(error, ConfigError)  # noqa: S101  # registered for nothing else
    fields = [FieldProblem(field="mapping", message=problem) for problem in error.problems]
    problem = ProblemDetails(
        title=title_of(422), status=422, code="config.error", detail="; ".join(error.problems[:5]), errors=fields
    )
    return answer(problem, request.url.path)


async def too_slow(request: Request, _: Exception) -> Response:
    """A body that did not arrive in time."""
    problem = ProblemDetails(
        title=title_of(408), status=408, code="http.too_slow", detail="the body did not arrive in time"
    )
    return answer(problem, request.url.path)


async def gone(_request: Request, _: Exception) -> Response:
    """The client went away: nobody reads this."""
    return Response(status_code=400)


async def store_error(request: Request, error: Exception) -> Response:
    """The store is away: nothing was changed, trying again later helps."""
    return _unforeseen(request, error, 503, "store.unavailable", "the store cannot be reached", "store.failed")


async def defect(request: Request, error: Exception) -> Response:
    """Our own mistake."""
    return _unforeseen(request, error, 500, "hub.internal", "the hub failed on this request", "request.failed")


async def not_stored(request: Request, error: Exception) -> Response:
    """A push that did not reach the disk, whatever the reason: its sender is to send it again."""
    return _unforeseen(request, error, 503, "push.not_stored", "the message could not be stored", "push.not_stored")


def _unforeseen(request: Request, error: Exception, status: int, code: str, detail: str, event: str) -> Response:
    incident, told = HOST.get().random_bytes(6).hex(), {"method": request.method, "path": request.url.path}
    if isinstance(error, StoreTrouble):  # no defect, and many requests may say the same
        log.warning(event, incident=incident, why=str(error), **told)
    else:
        log.error(event, incident=incident, exc_info=error, **told)
    problem = ProblemDetails(
        title=title_of(status),
        status=status,
        code=code,
        detail=detail,
        hint=f"The log says more under incident {incident}." if status == 500 else "Try again later.",
        incident=incident,
    )
    return answer(problem, request.url.path, {"Retry-After": str(RETRY_AFTER)} if status == 503 else None)


_DESCRIBED: dict[int, str] = {
    400: "The body is not valid JSON.",
    401: "No token, or none that is valid.",
    403: "The token's role is not enough; `detail` names the one that is needed.",
    404: "There is nothing by that name or number.",
    409: "Its present state does not allow this.",
    413: "The body is larger than hub.body_limit.",
    422: "The request does not fit its description; `errors` names each part.",
    500: "A defect of the hub; the log has it under `incident`.",
    503: "The store cannot be reached; try again later.",
}


def described(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """OpenAPI's `responses` for these errors."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        status: {"description": _DESCRIBED[status], "content": {MEDIA_TYPE: {"schema": schema}}} for status in statuses
    }
