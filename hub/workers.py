"""The loops: claim, call the flow, wait, stop cleanly. One task a step and destination, one a shop and kind."""

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any

import httpx
import structlog

from canonical.errors import ConfigError
from hub import alerting, clock, erasure, pulling, renewal, replaying
from hub.config import Pull
from hub.flow import Flow
from hub.store import Connection, inbox, outbox, state
from hub.wiring import Hub
from hub.workbench import alerts
from hub.workbench.drift import Drift
from hub.workbench.shadow import Shadows

log = structlog.get_logger("hub.workers")

IDLE = 0.5
"""Seconds between two looks when nothing tells a worker that there is work (another process may have made it)."""
TROUBLE = 1.0
"""Seconds to wait after an error of the store."""
SWEEP = 5.0
TIDY = 600.0
"""Seconds between two looks for what is past its time."""
ASIDE = 2.0
"""Seconds between two turns of what may lag behind: watching for drift, telling of it."""
LAST_TURN = 3.0
"""Seconds that a turn under way (a page, an event to fetch) may take when the process is told to stop."""
GRACE = 20.0
"""Seconds that deliveries under way may take to finish when the process is told to stop."""


class Workers:
    """All loops of one process over one flow."""

    def __init__(self, hub: Hub, flow: Flow, http: httpx.AsyncClient) -> None:
        self.hub, self.flow, self.http = hub, flow, http
        self.stopping = asyncio.Event()
        self._drift = Drift(hub.store, hub.catalog, hub.shops, hub.config.hub.lease)
        self._shadows = Shadows(hub.store, hub.catalog, hub.shops, hub.config)
        self._pending: set[asyncio.Task[None]] = set()
        self._sending: set[int] = set()  # deliveries under way
        self._wakes: list[asyncio.Event] = [flow.arrived]

    def take_over(self) -> None:
        """On SQLite: be the one worker, and settle what a killed one left. Raises ConfigError if one is running."""
        if not self.hub.store.own():
            raise ConfigError(
                ["another hub process works on this SQLite store; stop it, or use PostgreSQL for several"]
            )
        if not self.hub.store.sqlite:
            return
        with self.hub.store.begin() as connection:
            inbox.drop_leases(connection)
            outbox.drop_leases(connection, clock.now().timestamp())
            state.drop_pull_leases(connection)

    async def run(self) -> None:
        """Work until `stopping` is set; then finish what is in hand."""
        loops: list[Coroutine[Any, Any, None]] = [
            self._loop("translate", self.flow.translate, self.flow.arrived),
            self._loop("fetch", self.flow.fetch, None),
            self._loop("sweep", self._sweep, None, idle=min(SWEEP, self.hub.config.hub.lease / 3)),
            self._loop("replay", self._replay, None),
            self._loop("alert", self._alert, None, idle=ASIDE),
            self._loop("tidy", self._tidy, None, idle=TIDY),
            self._loop("shadow", self._shadow, None),
            self._loop("drift", self._watch_for_drift, None, idle=ASIDE),
            *(self._dispatch(name) for name in self.hub.targets),
            *self._pulls(),
        ]
        tasks = [asyncio.create_task(loop) for loop in [*loops, self._wake_to_stop()]]
        await self.stopping.wait()
        await self._end(tasks)
        if self._pending:
            await asyncio.wait(self._pending, timeout=GRACE)
        for task in self._pending:
            task.cancel()
        await self.flow.finish()  # outcomes that are still being gathered
        left = await self.hub.store.run(give_back, self.hub.store.owner, clock.now().timestamp())
        if left:
            log.warning("stopped.in_the_middle", deliveries=left)

    async def _end(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        """Let loops finish their turn; one that waits for a platform is cut off: it asks again after the next start."""
        done, late = await asyncio.wait(tasks, timeout=LAST_TURN)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        if late:
            await self.hub.store.run(state.drop_pull_leases, self.hub.store.owner)
        for task in done:
            task.result()

    async def _loop(
        self, name: str, step: Callable[[], Awaitable[int]], wake: asyncio.Event | None, idle: float = IDLE
    ) -> None:
        while not self.stopping.is_set():
            if wake is not None:
                wake.clear()
            try:
                done = await step()
            except Exception:  # the store may be away for a while; the loop is not
                log.exception("worker.trouble", loop=name)
                await self._pause(TROUBLE)
                continue
            if not done:
                await self._pause(idle, wake)

    async def _dispatch(self, name: str) -> None:
        """Keep up to in_flight deliveries of one destination under way."""
        most = self.hub.targets[name].section.in_flight
        busy: set[asyncio.Task[None]] = set()
        wake = asyncio.Event()
        self._wakes.append(wake)
        self.flow.listen(wake)
        while not self.stopping.is_set():
            wake.clear()
            wait: float | None = IDLE
            free = most - len(busy)
            if free > most // 4 or free == most:
                try:
                    claim = await self.flow.claim(name, free)
                except Exception:  # the store may be away for a while; the loop is not
                    log.exception("worker.trouble", loop=name)
                    await self._pause(TROUBLE)
                    continue
                for row in claim.rows:
                    task = asyncio.create_task(self._deliver(name, row, row["id"] in claim.doubtful))
                    busy.add(task)
                    self._pending.add(task)
                    task.add_done_callback(busy.discard)
                    task.add_done_callback(self._pending.discard)
                    task.add_done_callback(lambda _: wake.set())  # after it has left `busy`
                if len(claim.rows) == free:
                    wait = 0.0
                elif claim.wait is not None:
                    wait = min(claim.wait, IDLE)
            if wait or len(busy) == most:
                await self._pause(wait or IDLE, wake)

    async def _deliver(self, name: str, row: Mapping[str, Any], doubtful: bool) -> None:
        self._sending.add(row["id"])
        try:
            await self.flow.deliver(name, row, doubtful)
        except Exception:  # its outcome is not on disk: the lease will run out, then it is in doubt
            log.exception("deliver.unrecorded", destination=name)
        finally:
            self._sending.discard(row["id"])

    def _pulls(self) -> list[Coroutine[Any, Any, None]]:
        loops: list[Coroutine[Any, Any, None]] = []
        for shop in self.hub.shops.values():
            pull = self.hub.config.shops[shop.name].pull
            if pull:
                loops += [self._pull(shop.name, kind, pull) for kind in pulling.kinds(shop, pull)]
        return loops

    async def _pull(self, name: str, kind: str, pull: Pull) -> None:
        shop, key = self.hub.shops[name], self.hub.config.hub.key
        while not self.stopping.is_set():
            pulled = None
            if await self.flow.pressure.full():
                await self._pause(ASIDE)
                continue
            try:
                pulled = await pulling.pull_page(self.hub.store, self.http, shop, kind, pull, key)
            except Exception:  # the shop's trouble, or the store's, is not the other shops'
                log.exception("worker.trouble", loop=f"pull {name}/{kind}")
                await self._pause(TROUBLE)
            if pulled is not None and pulled.new:
                self.flow.arrived.set()
            if pulled is None or not pulled.more:
                await self._pause(min(IDLE, pull.every))

    async def _sweep(self) -> int:
        """Give back what dead workers held, free what a missed release left, renew tokens before they end."""
        await self.hub.store.agree_on_time()
        await asyncio.to_thread(self.hub.store.take_up_keys)
        now, lease = clock.now().timestamp(), self.hub.config.hub.lease
        found = await self.hub.store.run(sweep, now, frozenset(self._sending), self.hub.store.owner, lease)
        if found:
            log.info("sweep", settled=found)
        for shop in self.hub.shops.values():
            if await self.hub.store.read(renewal.expires_soon, shop.name, now):
                await renewal.renew(self.hub.store, self.http, shop, self.hub.config.hub.key)
        return 0

    async def _replay(self) -> int:
        """One step of a replay that somebody started; what it let go waits like everything else."""
        moved = await self.hub.store.run(replaying.turn, self.hub.store.owner)
        if moved:
            self.flow.arrived.set()
        return 0

    async def _alert(self) -> int:
        """Tell people what changed, and what waits too long. Always a pause: orders come first."""
        await alerting.turn(self.hub.store, self.http, self.hub.config.alerts, self.hub.notifiers)
        return 0

    async def _tidy(self) -> int:
        """Let go of what is past its time, a part at a time."""
        gone = await self.hub.store.run(erasure.tidy, self.hub.config.retention, clock.now().timestamp())
        if gone:
            log.info("retention", **gone)
            await self._pause(ASIDE)
        return sum(gone.values())

    async def _shadow(self) -> int:
        """A version beside the one in force, for what arrived. Always a pause: what is delivered comes first."""
        await self._shadows.turn()
        return 0

    async def _watch_for_drift(self) -> int:
        """What the platforms send that no mapping knows. A bounded number of messages a turn, and always a pause."""
        await self.flow.take_up_mappings()
        await self._drift.turn()
        await alerts.tell(self.hub.store, self.http, self.hub.config.hub)
        return 0

    async def _pause(self, seconds: float, wake: asyncio.Event | None = None) -> None:
        """Wait so long, or until there is something to do, or to stop."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await (wake or self.stopping).wait()

    async def _wake_to_stop(self) -> None:
        """Events that loops wait for are set when the process stops, so that none sleeps through it."""
        await self.stopping.wait()
        for wake in self._wakes:
            wake.set()


def give_back(connection: Connection, owner: str, now: float) -> int:
    """What a process holds when it stops; returns how many deliveries it could not finish."""
    inbox.give_back(connection, owner)
    return outbox.abandon(connection, owner, now)


def sweep(
    connection: Connection, now: float, sending: frozenset[int] = frozenset(), owner: str = "", lease: float = 0.0
) -> int:
    """Hold on to what this process is sending; give back what dead ones held, release lanes that were not. Returns
    how many it mended."""
    outbox.heartbeat(connection, sending, owner, now, lease)
    return outbox.reap(connection, now, sending) + outbox.release_orphans(connection)


def stop_on_signals(stopping: asyncio.Event) -> None:
    """SIGTERM and Ctrl-C ask for a clean stop; a second Ctrl-C ends at once."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, _stop, stopping, number)


def _stop(stopping: asyncio.Event, number: int) -> None:
    if stopping.is_set():
        raise KeyboardInterrupt
    log.info("stopping", signal=signal.Signals(number).name)
    stopping.set()
