"""Reading a request's body without ever holding more than the limit; and the limit for everything but webhooks."""

import asyncio

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PATIENCE = 30.0
"""Seconds in which a body must have arrived."""


class Gone(Exception):
    """The client went away before its request was whole: there is nobody to answer."""


class TooSlow(Exception):
    """The body did not arrive in time."""


def declared(scope: Scope) -> int:
    """What Content-Length says; 0 where it says nothing."""
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value[:19])
    return 0


async def read_body(scope: Scope, receive: Receive, limit: int, patience: float = PATIENCE) -> bytes | None:
    """The whole body, or None as soon as it turns out to be larger than `limit` bytes.

    Raises Gone, and TooSlow if it is not there after `patience` seconds.
    """
    if declared(scope) > limit:
        return None
    try:
        async with asyncio.timeout(patience):
            return await _gather(receive, limit)
    except TimeoutError as error:
        raise TooSlow from error


async def _gather(receive: Receive, limit: int) -> bytes | None:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > limit:
            return None
        if not message.get("more_body"):
            return b"".join(parts)


class BodyLimit:
    """Middleware: no operation's body may be larger than the limit. Webhooks see to it themselves."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app, self._limit = app, limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/hooks/"):
            await self._app(scope, receive, send)
            return
        size = 0
        limit = self._limit

        async def counted() -> Message:
            nonlocal size
            if declared(scope) > limit:
                raise _too_large(limit)
            message = await receive()
            size += len(message.get("body", b""))
            if size > limit:
                raise _too_large(limit)
            return message

        await self._app(scope, counted, send)


def _too_large(limit: int) -> HTTPException:
    return HTTPException(413, f"the body is larger than {limit} bytes")
