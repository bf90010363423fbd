"""The network of a seed, behind httpx's transport: receivers, and a platform whose orders are pulled.

A request that left goes on without its sender: it may take effect though the process was killed meanwhile.
"""

import asyncio
import contextvars
import json
import random
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx

from hub.chaos.books import NO_LOOK_UP, Mood, Reaction, books, reaction
from hub.chaos.deployment import FIRST_TOKEN
from hub.chaos.plan import OVERLAP, PLATFORM, RECEIVERS, Change
from hub.chaos.simulation.process import EPOCH, Process

if TYPE_CHECKING:
    from hub.chaos.simulation.world import World

Answer = asyncio.Future[tuple[int, Mapping[str, str], bytes]]
PAGE = 3
"""Records on one page of the platform's lists."""


class Network:
    """Everything that the hub's processes can reach."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.books = books(RECEIVERS)
        self.platform = Platform(world)
        self.dice = random.Random(f"{world.plan.seed}/network")  # noqa: S311  # repeatable, not secret
        self.under_way: Counter[str] = Counter()
        self.doubtful: set[str] = set()
        """Keys of documents whose answer somebody may rightly miss."""

    def transport(self, process: Process) -> httpx.AsyncBaseTransport:
        """Return a process's way into the network."""
        return _Transport(self, process)

    def mood(self, name: str) -> Mood:
        """Return how somebody is at this moment."""
        passed = self.world.seconds()
        now = (s.mood for s in self.world.plan.spells if s.who == name and s.start <= passed < s.end)
        return Mood.WELL if self.world.calm else next(now, Mood.WELL)

    async def serve(self, request: httpx.Request, content: bytes, answer: Answer) -> None:
        """Bring a request to where it leads, and its answer back if anybody still waits."""
        name, _, rest = request.url.path.strip("/").partition("/")
        mood, dice = self.mood(name), self.dice
        await asyncio.sleep(dice.uniform(0.0002, 0.004))
        if mood is Mood.REFUSED:
            self._lose(answer, name, mood, httpx.ConnectError("connection refused", request=request))
        elif name == PLATFORM:
            await self._platform(request, rest, content, mood, answer)
        elif request.method == "GET":
            status = NO_LOOK_UP.get(mood) or (200 if rest in self.books[name].known else 404)
            self.asked_about(rest)
            self._tell(answer, name, f"look-up {rest}", mood, status)
        else:
            await self._receiver(request, name, content, mood, answer)

    def asked_about(self, key: str) -> None:
        """The hub does not know whether a document arrived: that must have a cause outside of it. Where processes are
        several, one may have taken over from another."""
        if not self.world.several and key not in self.doubtful and not self.under_way[key]:
            self.world.broken.append(f"the hub is in doubt about {key}, though no answer was lost and no process ended")

    async def _receiver(self, request: httpx.Request, name: str, content: bytes, mood: Mood, answer: Answer) -> None:
        what, key, book = reaction(mood, self.dice), request.headers.get("Idempotency-Key", ""), self.books[name]
        if mood is Mood.REJECTS and book.honours_keys and key in book.known:
            what = Reaction()  # who honours keys says again what it said the first time
        book.requests += 1
        await asyncio.sleep(what.waits)
        if what.effect:
            body = json.loads(content)
            fresh = book.take(key, body)
            self.world.journal.note(name, "effect" if fresh else "repeat", key, body["revision"], mood)
        await asyncio.sleep(what.holds_answer + self.dice.uniform(0.0002, 0.01))
        if what.lost:
            self._lose(answer, name, mood, httpx.ReadError("reset", request=request))
        else:
            self._tell(answer, name, key, mood, what.status, what.headers, what.body)

    async def _platform(self, request: httpx.Request, rest: str, content: bytes, mood: Mood, answer: Answer) -> None:
        what = reaction(mood, self.dice)
        await asyncio.sleep(min(what.waits + what.holds_answer, 1.0) + self.dice.uniform(0.0002, 0.01))
        if what.lost:
            self._lose(answer, PLATFORM, mood, httpx.ReadError("reset", request=request))
        elif not what.effect:
            self._tell(answer, PLATFORM, rest, mood, what.status, what.headers, what.body)
        else:
            status, body = self.platform.answer(request, rest)
            self._tell(answer, PLATFORM, rest, mood, status, {}, json.dumps(body, ensure_ascii=False).encode())

    def _tell(
        self, answer: Answer, name: str, about: str, mood: Mood, status: int,
        headers: Mapping[str, str] | None = None, body: bytes = b"{}",
    ) -> None:  # fmt: skip
        self.world.journal.note(name, "answers", about, mood, status)
        if not answer.done():
            answer.set_result((status, headers or {}, body))

    def _lose(self, answer: Answer, name: str, mood: Mood, error: Exception) -> None:
        self.world.journal.note(name, "loses", mood, type(error).__name__)
        if not answer.done():
            answer.set_exception(error)
            answer.exception()  # whoever asked may be dead, and nobody else needs to know


class _Transport(httpx.AsyncBaseTransport):
    def __init__(self, network: Network, process: Process) -> None:
        self._network, self._process = network, process

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        limits = request.extensions["timeout"]
        name = request.url.path.strip("/").partition("/")[0]
        loop = self._network.world.loop
        if self._network.mood(name) is Mood.BLACKHOLE:
            await asyncio.sleep(limits["connect"])
            raise httpx.ConnectTimeout("no connection in time", request=request)
        answer: Answer = loop.create_future()
        self._network.world.journal.note(self._process.name, "asks", request.method, request.url.path)
        loop.create_task(self._network.serve(request, request.content, answer), context=contextvars.Context())
        self._process.at_request(slow=self._network.mood(name) is Mood.SLOW)
        key = request.headers.get("Idempotency-Key", "") if request.method == "POST" else ""
        self._network.under_way[key] += 1  # where the process dies it stays so
        try:
            async with asyncio.timeout(limits["read"]):
                status, headers, body = await answer
            self._network.under_way[key] -= 1
        except TimeoutError:
            raise httpx.ReadTimeout("no answer in time", request=request) from None
        return httpx.Response(status, headers=dict(headers), content=body)


class Platform:
    """A platform with a list of orders, a list of numbers of refunds, single refunds, and tokens that end.

    A record that changes moves to the end of its list, while others may just be reading its pages: where a cursor is a
    place in the list, a page may miss a record, which the next window must find. Where windows hardly overlap, it is
    the last record that was read, and none is missed.
    """

    def __init__(self, world: "World") -> None:
        self._world = world
        self._records: dict[str, dict[str, tuple[float, Mapping[str, Any]]]] = {"order": {}, "refund": {}}
        self._token, self._ends = FIRST_TOKEN, world.plan.token_life or float("inf")
        self._renewals = 0
        self._exact = world.plan.overlap != OVERLAP
        self._begun: dict[str, float] = {}
        self._read: dict[str, float] = {}

    def change(self, change: Change) -> None:
        """Let a record change now."""
        now = self._world.true_time()
        stamp = datetime.fromtimestamp(now, UTC).isoformat().replace("+00:00", "Z")
        number = str(change.record.get("refund_no") or change.record["order_no"])
        self._records[change.kind][number] = (now, {**change.record, "updated_at": stamp})
        self._world.journal.note(PLATFORM, "changes", number)

    def records(self) -> list[Mapping[str, Any]]:
        """Return everything as it is now."""
        return [record for kind in self._records.values() for _, record in kind.values()]

    def unread(self) -> list[str]:
        """Return the kinds whose list nobody has read from its first page to its last since the last change."""
        last = max((at for kind in self._records.values() for at, _ in kind.values()), default=EPOCH)
        return [kind for kind in self._records if self._read.get(kind, 0.0) <= last]

    def answer(self, request: httpx.Request, rest: str) -> tuple[int, Any]:
        """Answer one request: a page, a record, or a fresh token."""
        if rest == "token":
            return 200, self._renewed()
        if self._world.plan.encrypted and request.url.params.get("token") != self._token:
            return 401, {"error": "unknown token"}
        if self._world.plan.encrypted and not self._world.calm and self._world.seconds() > self._ends:
            return 401, {"error": "the token has ended"}
        kind, _, number = rest.partition("/")
        kind = kind.removesuffix("s")
        if number:
            found = self._records[kind].get(number)
            return (200, found[1]) if found else (404, {"error": "no such record"})
        return 200, self._page(kind, request.url.params)

    def _page(self, kind: str, asked: Mapping[str, str]) -> Mapping[str, Any]:
        since, until = (datetime.fromisoformat(asked[name]).timestamp() for name in ("updated_since", "updated_before"))
        there = sorted((at, number) for number, (at, _) in self._records[kind].items() if since <= at and at < until)
        after = asked.get("cursor", "")
        place = sum(f"{at!r}/{number}" <= after for at, number in there) if self._exact else int(after or 0)
        shown = there[place : place + PAGE]
        following = None
        if len(there) > place + PAGE:
            following = f"{shown[-1][0]!r}/{shown[-1][1]}" if self._exact else str(place + PAGE)
        if not after:
            self._begun[kind] = self._world.true_time()
        if following is None and all(
            (self._exact or since <= at) and at < until for at, _ in self._records[kind].values()
        ):
            self._read[kind] = self._begun.get(kind, 0.0)
        items = [self._records[kind][number][1] for _, number in shown]
        if kind == "refund":
            return {"numbers": [str(item["refund_no"]) for item in items], "next_cursor": following}
        return {"items": items, "next_cursor": following}

    def _renewed(self) -> Mapping[str, Any]:
        self._renewals += 1
        self._token = f"token-{self._renewals}"
        life = self._world.plan.token_life
        self._ends = self._world.seconds() + life if life and not self._world.calm else float("inf")
        return {"access_token": self._token, "expires_in": 3600}
