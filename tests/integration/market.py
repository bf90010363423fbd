"""The imitated platforms and a hub in one process: the real adapters sign, page and fetch against them, without a port.

The shops are named after their platforms; the own site's is `own`, because the rig has a `site` already.
"""

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import tomlkit

from adapters.port import Reply
from adapters.sandbox import build, configuration
from adapters.sandbox.platform import Record
from adapters.sandbox.story import Book, Step
from hub import clock, pulling, wiring
from hub.config import Pull
from hub.store import state, views
from tests.rig import ONE, Rig

SHOPS = ("taobao", "jd", "douyin", "shopify", "own")
CODES = {"own": "site"}
AGO = 600
"""Seconds that stories begin before now: all of them lies in the past, and nothing has to be waited for."""


def shops(base: str) -> str:
    """Their tables of hub.toml."""
    names = {code: name for name, code in CODES.items()}
    tables = {names.get(code, code): table for code, table in configuration(base)["shops"].items()}
    for name, table in tables.items():
        table["channel"] = "generic" if name == "own" else name
    return tomlkit.dumps({"shops": tables})


class Market(Rig):
    """A rig whose shops are the sandbox's platforms; what goes elsewhere is still the test's own answer."""

    def __init__(self, folder: Path, store_url: str, toml: str = ONE) -> None:
        super().__init__(folder, store_url, toml + shops("http://sandbox"))
        self.box = build()
        mounts = {"all://sandbox": httpx.ASGITransport(self.box.app)}
        self.http = httpx.AsyncClient(transport=httpx.MockTransport(self._answer), mounts=mounts)
        self.flow = wiring.connect(self.hub, self.http)[0]
        self._numbers = itertools.count(1)

    @staticmethod
    def book(shop: str, seed: int = 1) -> Book:
        """To write stories of a shop with, some minutes ago."""
        return Book(CODES.get(shop, shop), seed, clock.now().timestamp() - AGO, 1)

    def platform(self, shop: str) -> Any:
        return self.box.platforms[CODES.get(shop, shop)]

    def show(self, shop: str, step: Step) -> None:
        """From now on the platform's lists and answers show it."""
        assert isinstance(step.body, dict)
        body = dict(step.body)
        self.platform(shop).shop.put(Record(step.kind, step.key, body, step.modified, step.created, step.subject))

    async def tell(self, shop: str, step: Step, *, message_id: str = "", flaw: str = "", age: float = 0) -> Reply:
        """The platform's push about it, signed as it signs; `flaw` spoils it, `age` makes it old."""
        number = message_id or f"m-{next(self._numbers)}"
        body = step.body if isinstance(step.body, bytes) else self.platform(shop).message(step, number)
        return await self.knock(shop, body, topic=step.topic, message_id=number, flaw=flaw, age=age)

    async def knock(
        self, shop: str, body: bytes, *, topic: str = "", message_id: str = "", flaw: str = "", age: float = 0
    ) -> Reply:
        """A push of any body."""
        sealed = body + b" " if flaw == "signature" else body
        number = message_id or f"m-{next(self._numbers)}"
        signed = self.platform(shop).sign_push(sealed, number, topic, age)
        headers = {name.lower(): value for name, value in signed.items()} | {":path": f"/hooks/{shop}"}
        return await self.flow.receive(self.hub.shops[shop], headers, body, "203.0.113.7")

    async def pull(self, shop: str, *kinds: str) -> int:
        """Everything of the last hour; how much of it was new."""
        settings, new = Pull(first=3600.0, overlap=3600.0), 0
        for kind in kinds or ("order", "refund"):
            more = True
            while more:
                page = await pulling.pull_page(self.hub.store, self.http, self.hub.shops[shop], kind, settings, "")
                assert page is not None
                assert not page.error
                more, new = page.more, new + page.new
            await self.run(state.keep_pull, shop, kind, due_at=0.0)
        return new

    def sent(self, kind: str = "order") -> list[dict[str, Any]]:
        """Documents of a kind that went out."""
        return [body for body in self.bodies() if body["schema"].startswith(f"{kind}/")]

    async def document(self, number: str, kind: str = "order") -> dict[str, Any]:
        """The one document of that number, as it is now."""
        (found,) = await self.read(views.document, number, kind=kind)
        body: dict[str, Any] = found["body"]
        return body


def later(step: Step, seconds: int) -> Step:
    """The same record, changed some seconds later without anything else being different."""
    return replace(step, modified=step.modified + seconds)
