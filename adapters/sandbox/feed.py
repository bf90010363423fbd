"""Plays stories: puts records onto the platforms' shelves at their time, and sends the pushes that belong to them."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from adapters.sandbox.platform import Clock, Platform, Record
from adapters.sandbox.pushing import WAITS, Push, Pusher
from adapters.sandbox.story import Step, Story
from adapters.sandbox.traffic import expected

PATIENCE, LOOKS_EVERY = 60.0, 0.1
"""Seconds that a change waits for its record to be seen, and between two looks."""
LAG = 2.0
"""Seconds that a lagging replica shows the former state of a record."""


class Feed:
    """The traffic of all shops. Begins with `start`, and is `done` when every push was answered or given up."""

    def __init__(self, platforms: Mapping[str, Platform], stories: Mapping[str, Sequence[Story]], clock: Clock) -> None:
        self.platforms, self.stories, self.clock = platforms, stories, clock
        self.pushers: dict[str, Pusher] = {}
        self.played = 0
        self.shops = {code: platform.shop.name for code, platform in platforms.items()}
        self._task: asyncio.Task[None] | None = None
        self._waiting: set[asyncio.Task[None]] = set()
        self._client: httpx.AsyncClient | None = None
        self._patience = PATIENCE

    def start(
        self,
        hub_url: str,
        began: float,
        *,
        shops: Mapping[str, str] | None = None,
        client: httpx.AsyncClient | None = None,
        waits: Sequence[float] = WAITS,
        patience: float = PATIENCE,
    ) -> None:
        """Pushes go to <hub_url>/hooks/<shop>; `began` is the instant that the stories were written for."""
        if self._task is not None:
            return
        limits = httpx.Limits(max_connections=200, max_keepalive_connections=100)
        self._client = client or httpx.AsyncClient(timeout=10, limits=limits)
        self.shops |= shops or {}
        self._patience = patience
        for code, platform in self.platforms.items():
            url = f"{hub_url.rstrip('/')}/hooks/{self.shops[code]}"
            self.pushers[code] = Pusher(platform, self._client, url, waits=waits)
        self._task = asyncio.create_task(self._play(began))

    async def settle(self) -> None:
        """Wait until everything is played and every push was answered or given up."""
        if self._task is not None:
            await self._task
        for pusher in self.pushers.values():
            await pusher.settle()

    async def stop(self) -> None:
        """Drop what is under way."""
        if self._task is not None:
            self._task.cancel()
        for waiting in self._waiting:
            waiting.cancel()
        for pusher in self.pushers.values():
            pusher.stop()
        if self._client is not None:
            await self._client.aclose()

    @property
    def total(self) -> int:
        return sum(len(story.steps) for stories in self.stories.values() for story in stories)

    @property
    def done(self) -> bool:
        return self._task is not None and self._task.done() and not any(p.under_way for p in self.pushers.values())

    def report(self) -> dict[str, Any]:
        """How far it is, what each platform pushed and was asked, and what should come of it all."""
        return {
            "done": self.done,
            "steps": {"played": self.played, "of": self.total},
            "expected": {code: expected(stories) for code, stories in self.stories.items()},
            "pushes": {code: pusher.tally.as_dict() for code, pusher in self.pushers.items()},
            "calls": {code: platform.calls for code, platform in self.platforms.items()},
        }

    async def _play(self, began: float) -> None:
        steps = [
            (step.at, code, f"{code}-{index}-{turn}", step)
            for code, stories in self.stories.items()
            for index, story in enumerate(stories)
            for turn, step in enumerate(story.steps)
        ]
        for at, code, message_id, step in sorted(steps, key=lambda s: s[0]):
            wait = began + at - self.clock()
            if wait > 0:
                await asyncio.sleep(wait)
            if step.after_seen:
                waiting = asyncio.create_task(self._when_seen(code, step, message_id))
                self._waiting.add(waiting)
                waiting.add_done_callback(self._waiting.discard)
                continue
            self.play(code, step, message_id)
            self.played += 1
        await asyncio.gather(*self._waiting)

    async def _when_seen(self, code: str, step: Step, message_id: str) -> None:
        """A slow reader must not miss what only the former state tells; one that never asks is not waited for."""
        for _ in range(int(self._patience / LOOKS_EVERY)):
            record = self.platforms[code].shop.get(step.kind, step.key)
            if record is None or record.seen:
                break
            await asyncio.sleep(LOOKS_EVERY)
        self.play(code, step, message_id)
        self.played += 1

    def play(self, code: str, step: Step, message_id: str) -> None:
        """One step, now."""
        platform = self.platforms[code]
        if step.how == "lag":
            platform.shop.lag(step.kind, step.key, self.clock() + LAG)
            return
        if isinstance(step.body, Mapping) and step.how in ("both", "pull", "push"):
            platform.shop.put(
                Record(
                    step.kind,
                    step.key,
                    dict(step.body),
                    step.modified,
                    step.created,
                    step.subject,
                    listed=step.how != "push",
                )
            )
        if step.how in ("both", "push", "again"):
            body = step.body if isinstance(step.body, bytes) else platform.message(step, message_id)
            self.pushers[code].send(Push(body, message_id, step.topic, step.copies, step.flaw))
