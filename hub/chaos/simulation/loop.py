"""An event loop without a selector: where nothing is ready, it is the time of the next timer.

Threads become lanes: so many jobs at once, each takes a drawn time and happens whole at its end. Who a callback belongs
to is told by the host in its context (hub.host), so that those of a killed process never run again, and those of a
stalled one wait. Callbacks that are ready run in an order drawn by the seed: asyncio promises less than it gives.
"""

import asyncio
import contextvars
import heapq
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from hub.host import HOST, Host

if TYPE_CHECKING:
    from collections import deque

START = 1000.0


class Crash(BaseException):
    """kill -9 of the process that is at this point."""


class Mortal(Protocol):
    """A host whose process may die."""

    dead: bool

    def die(self, why: str) -> None:
        """End it as kill -9 does."""


class Deadlock(RuntimeError):
    """Nothing is ready and no timer is set: whoever is awaited will never come."""


class Lane:
    """One pool of threads of one process."""

    def __init__(self, host: Host, name: str, slots: int) -> None:
        self.host, self.name, self.slots, self.busy = host, name, slots, 0
        self.waiting: list[tuple[asyncio.Future[Any], Callable[..., Any], tuple[Any, ...], contextvars.Context]] = []


class Loop(asyncio.BaseEventLoop):
    """`dice` shuffles what is ready; `job_ends` tells at what time a job that begins now in a lane ends."""

    def __init__(self, dice: random.Random, job_ends: Callable[["Loop", Lane], float]) -> None:
        super().__init__()
        self._ready: deque[asyncio.Handle]
        self._scheduled: list[asyncio.TimerHandle]
        self._now, self._dice, self._job_ends = START, dice, job_ends
        self._clock_resolution, self._selector = 1e-9, self
        self._lanes: dict[tuple[Host, Any], Lane] = {}  # by the pools themselves: an id may be given again
        self._stalled: dict[Host, float] = {}
        self._withheld: list[asyncio.Handle] = []
        self.turns = 0
        self.set_task_factory(_task)

    def time(self) -> float:
        """Return virtual seconds; they begin at START."""
        return self._now

    def select(self, timeout: float | None) -> tuple[()]:
        """Stand in for a selector: jump to the next timer, mix what is ready. Raises Deadlock."""
        if timeout is None:
            raise Deadlock("nothing is ready and no timer is set")
        if timeout and self._scheduled:
            self._now = max(self._now + timeout, self._scheduled[0].when())
        if self._stalled:
            self._withhold()
        if len(self._ready) > 1:
            self._dice.shuffle(self._ready)
        self.turns += 1
        return ()

    def _process_events(self, event_list: Any) -> None:
        """There are none."""

    def _write_to_self(self) -> None:
        """Nobody sleeps."""

    def call_soon(  # type: ignore[override]
        self, callback: Any, *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        """As the base class does; nothing for the dead."""
        handle = super().call_soon(callback, *args, context=context)
        if getattr(_host_of(handle), "dead", False):
            handle.cancel()
        return handle

    def call_at(  # type: ignore[override]
        self, when: float, callback: Any, *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        """As the base class does; nothing for the dead."""
        timer = super().call_at(when, callback, *args, context=context)
        if getattr(_host_of(timer), "dead", False):
            timer.cancel()
        return timer

    def kill(self, host: Host) -> None:
        """Let nothing of this host run again: no `finally`, no `__aexit__`."""
        for handle in [*self._ready, *self._scheduled, *self._withheld]:
            if _host_of(handle) is host:
                handle.cancel()

    def stall(self, host: Host, seconds: float) -> None:
        """Let nothing of this host run for a while, as where its machine swaps or is stopped."""
        until = self._now + seconds
        self._stalled[host] = until
        for timer in self._scheduled:
            if _host_of(timer) is host and timer.when() < until:
                timer._when = until  # type: ignore[attr-defined]
        heapq.heapify(self._scheduled)
        self.call_at(until, self._wake, host, context=contextvars.Context())

    def _wake(self, host: Host) -> None:
        self._stalled.pop(host, None)
        mine = [handle for handle in self._withheld if _host_of(handle) is host]
        self._withheld = [handle for handle in self._withheld if _host_of(handle) is not host]
        self._ready.extend(mine)

    def _withhold(self) -> None:
        ready = list(self._ready)
        self._ready.clear()
        for handle in ready:
            (self._withheld if _host_of(handle) in self._stalled else self._ready).append(handle)

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        """Let a job happen in its lane."""
        future, host = self.create_future(), HOST.get()
        key = (host, executor)
        if key not in self._lanes:
            name, slots = getattr(executor, "_thread_name_prefix", ""), getattr(executor, "_max_workers", 4)
            self._lanes[key] = Lane(host, name, slots)
        self._lanes[key].waiting.append((future, func, args, contextvars.copy_context()))
        self._pump(self._lanes[key])
        return future

    def _pump(self, lane: Lane) -> None:
        while lane.waiting and lane.busy < lane.slots:
            lane.busy += 1
            self.call_at(
                self._job_ends(self, lane), self._job, lane, *lane.waiting.pop(0), context=contextvars.Context()
            )

    def _job(
        self,
        lane: Lane,
        future: asyncio.Future[Any],
        work: Callable[..., Any],
        args: tuple[Any, ...],
        context: contextvars.Context,
    ) -> None:
        host = lane.host
        if host in self._stalled:
            self.call_at(self._stalled[host], self._job, lane, future, work, args, context)
            return
        lane.busy -= 1
        if getattr(host, "dead", False):
            return
        try:
            result = context.run(work, *args)
        except Crash:
            host.die("killed at a commit")  # type: ignore[attr-defined]  # only a Mortal raises it
            return
        except Exception as error:  # it is the caller's
            if not future.done():
                future.set_exception(error)
        else:
            if not future.done():
                future.set_result(result)
        self._pump(lane)

    def forget(self) -> None:
        """Drop whatever still waits, at the end of a seed."""
        self._ready.clear()
        self._scheduled.clear()
        self._withheld.clear()
        self._lanes.clear()


def _host_of(handle: asyncio.Handle) -> Host:
    host: Host = handle._context.get(HOST, NOBODY)  # type: ignore[attr-defined]
    return host


NOBODY = Host()
"""Whose callbacks belong to no process: the world's."""


def _task(loop: asyncio.AbstractEventLoop, coro: Any, context: contextvars.Context | None = None, **more: Any) -> Any:
    task = asyncio.Task(coro, loop=loop, context=context, **more)
    task._log_destroy_pending = False  # type: ignore[attr-defined]  # what a killed process leaves behind is no mistake
    host = context.get(HOST) if context is not None else HOST.get()
    adopt = getattr(host, "adopt", None)
    if adopt is not None:
        adopt(task)
    return task
