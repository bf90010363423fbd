"""Webhooks: POST /hooks/{shop}. The hot path: bytes in, on disk, the platform's own words out.

Whatever keeps a push from the disk is answered with 503 and Retry-After, so that the platform sends it again.
"""

from collections.abc import Mapping
from typing import Any

from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from hub.flow import Flow
from hub.pressure import RETRY_AFTER
from hub.web.intake import Gone, TooSlow, read_body
from hub.web.problems import MEDIA_TYPE, ProblemDetails, encoded, not_stored, title_of

PREFIX = "/hooks/"
PATH = "/hooks/{shop}"
_METHODS = "GET, HEAD, POST"
_STILL = [(b"x-content-type-options", b"nosniff")]


class Hooks:
    """The ASGI endpoint behind PATH."""

    def __init__(self, flow: Flow, limit: int) -> None:
        self._flow, self._limit = flow, limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        name, method = scope["path_params"]["shop"], scope["method"]
        shop = self._flow.shops.get(name)
        if shop is None:
            await _refuse(
                scope, send, 404, "push.no_shop", "there is no such shop", "Its name is in hub.toml: [shops.NAME]"
            )
            return
        if method in ("GET", "HEAD"):
            told = f"This is where the pushes of shop {name} go: POST them here.\n"
            await _answer(send, 200, told.encode(), b"text/plain; charset=utf-8")
            return
        if method != "POST":
            await _refuse(
                scope, send, 405, "http.method", f"{method} is not possible here", "", (b"allow", _METHODS.encode())
            )
            return
        if why := await self._flow.pressure.full():
            wait = (b"retry-after", str(RETRY_AFTER).encode())
            await _refuse(scope, send, 429, "push.slow_down", f"the hub takes nothing more now: {why}", "Later.", wait)
            return
        try:
            raw = await read_body(scope, receive, self._limit)
        except Gone:
            return
        except TooSlow:
            await _refuse(scope, send, 408, "http.too_slow", "the body did not arrive in time", "Send it again.")
            return
        if raw is None:
            await _refuse(
                scope, send, 413, "http.too_large", f"the body is larger than {self._limit} bytes", "hub.body_limit"
            )
            return
        client = scope.get("client")
        reply = await self._flow.receive(shop, headers_of(scope), raw, client[0] if client else "")
        await _answer(send, reply.status, reply.body, reply.media_type.encode("latin-1", "replace"))


def headers_of(scope: Scope) -> Mapping[str, str]:
    """Headers by lower-case name, repeated ones joined by commas; ":path" is path and query as they were received,
    which some platforms sign."""
    found: dict[str, str] = {}
    for name, value in scope["headers"]:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        found[key] = f"{found[key]}, {text}" if key in found else text
    target = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
    query = scope.get("query_string", b"").decode("latin-1")
    found[":path"] = f"{target}?{query}" if query else target
    return found


def endpoint(flow: Flow, limit: int) -> ASGIApp:
    """The endpoint, with an answer for everything that goes wrong inside."""
    return ExceptionMiddleware(Hooks(flow, limit), handlers={Exception: not_stored})


async def _answer(send: Send, status: int, body: bytes, media_type: bytes, *more: tuple[bytes, bytes]) -> None:
    headers = [(b"content-length", str(len(body)).encode()), *_STILL, *more]
    if body:
        headers.append((b"content-type", media_type))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _refuse(
    scope: Scope, send: Send, status: int, code: str, detail: str, hint: str, *more: tuple[bytes, bytes]
) -> None:
    problem = ProblemDetails(
        title=title_of(status), status=status, code=code, detail=detail, hint=hint, instance=scope["path"]
    )
    await _answer(send, status, encoded(problem), MEDIA_TYPE.encode(), *more)


def described() -> dict[str, Any]:
    """The path in OpenAPI."""
    problem = {"content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
    shop = {
        "name": "shop", "in": "path", "required": True, "description": "name in hub.toml",
        "schema": {"type": "string", "minLength": 1, "maxLength": 63}, "example": "site",
    }  # fmt: skip
    push = {
        "tags": ["operations"],
        "operationId": "push",
        "summary": "Push",
        "description": "Where a platform pushes to, signed as it signs. 2xx means that everything in it is on disk.",
        "parameters": [shop],
        "requestBody": {"content": {"application/json": {"schema": {}, "example": {"order_no": "W1001"}}}},
        "responses": {
            "200": {"description": "Stored. The body is in the platform's own words."},
            "401": {"description": "The sender could not be proven. The body is in the platform's own words."},
            "404": {"description": "No such shop.", **problem},
            "413": {"description": "Larger than hub.body_limit.", **problem},
            "429": {"description": "Disk or backlog are full: send it again after Retry-After seconds.", **problem},
            "503": {"description": "Not stored: send it again after Retry-After seconds.", **problem},
        },
    }
    check = {
        "tags": ["operations"],
        "operationId": "check_push_address",
        "summary": "Check a push address",
        "description": "For platforms and people that try the address before they use it.",
        "parameters": [shop],
        "responses": {
            "200": {
                "description": "A shop's pushes go here.",
                "content": {"text/plain": {"schema": {"type": "string"}}},
            },
            "404": {"description": "No such shop.", **problem},
        },
    }
    return {"post": push, "get": check}
