"""Deliveries under way in this process: so many at once to each destination, from the store or straight from mapping.

What was just mapped need not be claimed: while a destination has places and nothing waits for it in the store, new
deliveries are stored with this process's lease and begin as soon as they are on disk.
"""

import asyncio
import contextlib
import math
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog

from hub.delivering import Claim, Lease
from hub.store import StoreTrouble
from hub.store.outbox import Enqueued

log = structlog.get_logger("hub.dispatch")

IDLE = 0.5
"""Seconds between two looks when nothing tells that there is work (another process may have made it)."""
SOON = 0.02
"""The same just after there was some, where other processes make it: from there it doubles up to IDLE."""
TROUBLE = 1.0
"""Seconds to wait after an error of the store; from there it doubles up to SLOWEST while it goes on."""
SLOWEST = 8.0
STRAIGHT = 0.7
"""The part of a destination's places that new deliveries may take; the rest is for what is claimed, by its shares."""


def waits() -> Iterator[float]:
    """Seconds to wait after each failure in a row."""
    wait = TROUBLE
    while True:
        yield wait
        wait = min(2 * wait, SLOWEST)


def tell(name: str, error: Exception) -> None:
    """A loop's turn failed. The store's trouble is told by the store, once for all loops, and is no defect."""
    if not isinstance(error, StoreTrouble):
        log.error("worker.trouble", loop=name, exc_info=error)


class Outlet:
    """Where new deliveries go on in this process; this one takes none: they wait in the store to be claimed."""

    def promise(self) -> Mapping[str, int]:
        """Places that are free now, by destination; they are kept until `start`."""
        return {}

    def start(self, promised: Mapping[str, int], new: Enqueued, until: float = math.inf) -> None:
        """Begin with what was stored for this process under leases that end then (by clock.tick), give back the rest of
        the places, look for what waits."""

    def look(self) -> None:
        """There may be more in the store."""


@dataclass(slots=True)
class _Line:
    most: int
    busy: int = 0
    promised: int = 0
    behind: bool = True  # there may be more in the store
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def free(self) -> int:
        return self.most - self.busy - self.promised


class Dispatch(Outlet):
    """`most` are the places of each destination; `claim` takes up to so many from the store, `deliver` tries one."""

    def __init__(
        self,
        most: Mapping[str, int],
        claim: Callable[[str, int], Awaitable[Claim]],
        deliver: Callable[[str, Mapping[str, Any], bool, Lease], Awaitable[None]],
        *,
        alone: bool,
    ) -> None:
        self._lines = {name: _Line(places) for name, places in most.items()}
        self._claim, self._deliver = claim, deliver
        self._soon = IDLE if alone else SOON
        self.sending: dict[int, Lease] = {}
        self.tasks: dict[asyncio.Task[None], None] = {}
        self.stopping = asyncio.Event()

    def promise(self) -> Mapping[str, int]:
        """Places for what is being stored; none while something waits in the store, which was there before."""
        if self.stopping.is_set():
            return {}
        found = {n: int(x.most * STRAIGHT) - x.busy - x.promised for n, x in self._lines.items() if not x.behind}
        promised = {name: places for name, places in found.items() if places > 0}
        for name, places in promised.items():
            self._lines[name].promised += places
        return promised

    def start(self, promised: Mapping[str, int], new: Enqueued, until: float = math.inf) -> None:
        """Begin with what was stored for this process; see Outlet."""
        for name, places in promised.items():
            self._lines[name].promised -= places
        for row in new.started:
            self._begin(row["destination"], row, False, Lease(until))
        for name in sorted(new.waiting & self._lines.keys()):
            self._lines[name].behind = True
            self._lines[name].wake.set()

    def look(self) -> None:
        """Ask the store again about every destination."""
        for line in self._lines.values():
            line.behind = True
            line.wake.set()

    def stop(self) -> None:
        """Take nothing new; the loops end."""
        self.stopping.set()
        for line in self._lines.values():
            line.wake.set()

    async def run(self, name: str) -> None:
        """Claim what one destination has places for, until `stop`."""
        line, idle, trouble = self._lines[name], self._soon, waits()
        while not self.stopping.is_set():
            line.wake.clear()
            wait: float | None = None
            free = line.free
            if free > line.most // 4 or free == line.most:
                line.promised += free  # nothing goes straight on to places that the store is asked for
                try:
                    claim = await self._claim(name, free)
                except Exception as error:  # the store may be away for a while; the loop is not
                    tell(name, error)
                    await self._pause(next(trouble), self.stopping)
                    continue
                finally:
                    line.promised -= free
                trouble = waits()
                line.behind = claim.more
                for row in claim.rows:
                    self._begin(name, row, row["id"] in claim.doubtful, Lease(claim.until))
                idle = self._soon if claim.rows else min(2 * idle, IDLE)
                wait = claim.wait
                if len(claim.rows) == free:
                    continue
            await self._pause(IDLE if line.free <= 0 else min(idle, wait or IDLE), line.wake)

    def _begin(self, name: str, row: Mapping[str, Any], doubtful: bool, lease: Lease) -> None:
        line = self._lines[name]
        line.busy += 1
        task = asyncio.create_task(self._one(name, row, doubtful, lease))
        self.tasks[task] = None

        def end(_: asyncio.Task[None]) -> None:
            self.tasks.pop(task, None)
            line.busy -= 1
            if line.behind:
                line.wake.set()

        task.add_done_callback(end)

    async def _one(self, name: str, row: Mapping[str, Any], doubtful: bool, lease: Lease) -> None:
        number = row["id"]
        self.sending[number] = lease
        try:
            await self._deliver(name, row, doubtful, lease)
        except Exception:  # its outcome is not on disk: the lease will run out, then it is in doubt
            log.exception("deliver.unrecorded", destination=name)
        finally:
            if self.sending.get(number) is lease:  # else this process has taken it once more meanwhile
                del self.sending[number]

    async def _pause(self, seconds: float, wake: asyncio.Event) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await wake.wait()
