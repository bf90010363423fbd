"""Three real receivers over HTTP that misbehave as they are told."""

import asyncio
import random
import time
from collections.abc import Sequence

from aiohttp import web

from hub.chaos.books import NO_LOOK_UP, Mood, Reaction, books, reaction
from hub.chaos.plan import RECEIVERS, Spell


class Receivers:
    """The web application of all three; `spells` count from `began`."""

    def __init__(self, seed: int, spells: Sequence[Spell]) -> None:
        self.books = books(RECEIVERS)
        self.began = time.monotonic()
        self.well = False  # from then on every request is answered at once
        self._spells, self._dice = spells, random.Random(seed)  # noqa: S311  # repeatable, not secret

    def app(self) -> web.Application:
        """POST /{receiver} takes a document, GET /{receiver}/{key} tells whether one with that key took effect."""
        app = web.Application()
        app.router.add_post("/{name}", self._take)
        app.router.add_get("/{name}/{key}", self._look)
        return app

    def _mood(self, name: str) -> Mood:
        passed = time.monotonic() - self.began
        now = (s.mood for s in self._spells if s.who == name and s.start <= passed < s.end)
        return Mood.WELL if self.well else next(now, Mood.WELL)

    async def _take(self, request: web.Request) -> web.StreamResponse:
        name, body = request.match_info["name"], await request.json()
        self.books[name].requests += 1
        what = reaction(self._mood(name), self._dice)
        await asyncio.sleep(what.waits)
        if what.effect:
            self.books[name].take(request.headers.get("Idempotency-Key", ""), body)
        await asyncio.sleep(what.holds_answer)
        if what.lost:
            return await _end(request, what)
        return web.Response(status=what.status, headers=what.headers, body=what.body)

    async def _look(self, request: web.Request) -> web.Response:
        name, key = request.match_info["name"], request.match_info["key"]
        if self._mood(name) in NO_LOOK_UP:
            return web.Response(status=503)
        document = self.books[name].known.get(key)
        return web.Response(status=404) if document is None else web.json_response({"document": document})


async def _end(request: web.Request, what: Reaction) -> web.StreamResponse:
    """The answer does not come, or not whole."""
    response = web.StreamResponse(headers={"Content-Length": "500"})
    if what.cut:
        await response.prepare(request)
        await response.write(b'{"ok": tr')
    if request.transport is not None:
        request.transport.abort()
    return response
