"""Three receivers that misbehave as they are told, and keep a book of what took effect."""

import asyncio
import json
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from hub.chaos.plan import RECEIVERS, Mood

SLOW = 0.4
HANGS = 3.0


@dataclass(slots=True)
class Book:
    """One receiver's own record. `effects` are (document, revision, content) in the order in which they took effect."""

    requests: int = 0
    repeats: int = 0
    effects: list[tuple[str, str, str]] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    known: dict[str, str] = field(default_factory=dict)  # idempotency key -> document
    latest: dict[str, str] = field(default_factory=dict)  # document -> the content that holds


class Receivers:
    """The web application of all three; `moods` count from `began`."""

    def __init__(self, seed: int, moods: Sequence[Mood]) -> None:
        self.books = {name: Book() for name in RECEIVERS}
        self.began = time.monotonic()
        self.well = False  # from then on every request is answered at once
        self._moods, self._dice = moods, random.Random(seed)  # noqa: S311  # repeatable, not secret

    def app(self) -> web.Application:
        """POST /{receiver} takes a document, GET /{receiver}/{key} tells whether one with that key took effect."""
        app = web.Application()
        app.router.add_post("/{name}", self._take)
        app.router.add_get("/{name}/{key}", self._look)
        return app

    def _mood(self, name: str) -> str:
        passed = time.monotonic() - self.began
        now = (m.what for m in self._moods if m.who == name and m.start <= passed < m.end)
        return "" if self.well else next(now, "")

    async def _take(self, request: web.Request) -> web.StreamResponse:
        name, body = request.match_info["name"], await request.json()
        self.books[name].requests += 1
        mood = self._mood(name)
        early = await self._trouble(request, mood)
        if early is not None:
            return early
        if mood in ("reset", "drop_answer", "cut", "hang") and self._dice.random() < 0.5:
            return await self._end(request, mood)
        self._effect(name, request.headers.get("Idempotency-Key", ""), body)
        if mood in ("reset", "drop_answer", "cut", "hang"):
            return await self._end(request, mood)
        return web.json_response({"ok": True})

    async def _trouble(self, request: web.Request, mood: str) -> web.Response | None:
        """Moods in which nothing takes effect."""
        if mood == "slow":
            await asyncio.sleep(SLOW)
        if mood == "refuse_all":
            _abort(request)
        answers = {
            "refuse_all": (503, {}), "storm_500": (500, {}), "storm_429": (429, {"Retry-After": "1"}),
            "redirect": (302, {"Location": "/elsewhere"}),
        }  # fmt: skip
        if mood in answers:
            status, headers = answers[mood]
            return web.Response(status=status, headers=headers, text="not now")
        return None

    async def _end(self, request: web.Request, mood: str) -> web.StreamResponse:
        """The answer does not come, or not whole."""
        if mood == "hang":
            await asyncio.sleep(HANGS)
        if mood == "cut":
            response = web.StreamResponse(headers={"Content-Length": "500"})
            await response.prepare(request)
            await response.write(b'{"ok": tr')
            _abort(request)
            return response
        _abort(request)
        return web.Response(status=500)

    def _effect(self, name: str, key: str, body: dict[str, Any]) -> None:
        book = self.books[name]
        if name == "keyed" and key in book.keys:
            book.repeats += 1
            return
        document = str(body.get("refund_no") or body["order_no"])
        content = json.dumps(body, sort_keys=True)
        book.keys.add(key)
        book.known[key] = document
        book.effects.append((document, body["revision"], content))
        book.latest[document] = content

    async def _look(self, request: web.Request) -> web.Response:
        name, key = request.match_info["name"], request.match_info["key"]
        if self._mood(name) in ("storm_500", "refuse_all", "hang"):
            return web.Response(status=503)
        document = self.books[name].known.get(key)
        if document is None:
            return web.Response(status=404)
        return web.json_response({"document": document})


def _abort(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()
