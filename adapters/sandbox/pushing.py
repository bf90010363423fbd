"""Pushes from an imitated platform to the hub: signed, delivered again until they are acknowledged, within bounds.

The waits between tries are the platforms' idea (they grow) at the pace of a demo: seconds instead of hours.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from adapters.sandbox.platform import Platform

WAITS = (0.2, 0.5, 1.0, 2.0, 4.0, 6.0, 8.0)
"""Seconds before the second, third ... delivery of a push; after the last one the platform gives up."""


@dataclass(frozen=True, slots=True)
class Push:
    """One message. `flaw` spoils it on purpose: "signature", "timestamp" (signed for a long time ago) or ""."""

    body: bytes
    message_id: str
    topic: str = ""
    copies: int = 1
    flaw: str = ""


@dataclass(slots=True)
class Tally:
    """What became of the pushes of one platform. `deliveries` counts every try of every copy."""

    messages: int = 0
    copies: int = 0
    deliveries: int = 0
    acknowledged: int = 0
    rejected: int = 0
    given_up: int = 0
    statuses: dict[int, int] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        names = ("messages", "copies", "deliveries", "acknowledged", "rejected", "given_up")
        return {n: getattr(self, n) for n in names} | {"statuses": {str(k): v for k, v in self.statuses.items()}}


class Pusher:
    """Delivers the pushes of one platform to one address."""

    def __init__(
        self,
        platform: Platform,
        client: httpx.AsyncClient,
        url: str,
        *,
        waits: Sequence[float] = WAITS,
        at_once: int = 64,
    ) -> None:
        self.platform, self.url, self.waits = platform, url, tuple(waits)
        self.tally = Tally()
        self._client = client
        self._gate = asyncio.Semaphore(at_once)
        self._open: set[asyncio.Task[None]] = set()

    def send(self, push: Push) -> None:
        """Start delivering; copies go out at the same moment, with the same message id, as a redelivery has."""
        self.tally.messages += 1
        for _ in range(push.copies):
            self.tally.copies += 1
            task = asyncio.create_task(self._deliver(push))
            self._open.add(task)
            task.add_done_callback(self._open.discard)

    async def settle(self) -> None:
        """Wait until nothing is under way."""
        while self._open:
            await asyncio.wait(set(self._open))

    def stop(self) -> None:
        """Drop what is under way."""
        for task in list(self._open):
            task.cancel()

    @property
    def under_way(self) -> int:
        return len(self._open)

    async def _deliver(self, push: Push) -> None:
        for wait in (*self.waits, None):
            status, said_yes = await self._try(push)
            if said_yes:
                self.tally.acknowledged += 1
                return
            if push.flaw and status == 401:
                self.tally.rejected += 1
                return
            if wait is None:
                break
            await asyncio.sleep(wait)
        self.tally.given_up += 1

    async def _try(self, push: Push) -> tuple[int, bool]:
        """One delivery: the status (0 where there was no answer) and whether it was a yes."""
        async with self._gate:
            headers = self._headers(push)
            self.tally.deliveries += 1
            try:
                response = await self._client.post(self.url, content=push.body, headers=dict(headers))
            except httpx.TransportError:
                self.tally.statuses[0] = self.tally.statuses.get(0, 0) + 1
                return 0, False
            self.tally.statuses[response.status_code] = self.tally.statuses.get(response.status_code, 0) + 1
            return response.status_code, self.platform.acknowledged(response)

    def _headers(self, push: Push) -> Mapping[str, str]:
        """Signed at the moment of sending; a spoiled one is signed over other bytes, or for an hour ago."""
        body = push.body + b" " if push.flaw == "signature" else push.body
        age = 3600 if push.flaw == "timestamp" else 0
        signed = self.platform.sign_push(body, push.message_id, push.topic, age)
        return {"content-type": "application/json", **signed}
