"""The loops: claim, call the flow, wait, stop cleanly. One task a step and destination, one a shop and kind."""

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import httpx
import structlog

from canonical.errors import ConfigError
from dlq import replay
from hub import alerting, clock, erasure, pulling, renewal, replaying
from hub.config import Pull
from hub.dispatch import IDLE, SOON, Dispatch, tell, waits
from hub.flow import Flow
from hub.store import Connection, StoreTrouble, inbox, leases, outbox, setback, state
from hub.wiring import Hub
from hub.workbench import alerts
from hub.workbench.drift import Drift
from hub.workbench.shadow import Shadows

log = structlog.get_logger("hub.workers")

SWEEP = 5.0
TIDY = 600.0
"""Seconds between two looks for what is past its time."""
REPLAYS = 0.2
"""Seconds between two steps of a replay: small steps, so that no order of the day waits long behind one."""
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
        self._suspects: frozenset[int] = frozenset()
        self._pace = replaying.Pace()
        self._drift = Drift(hub.store, hub.catalog, hub.shops, hub.config.hub.lease)
        self._shadows = Shadows(hub.store, hub.catalog, hub.shops, hub.config)
        most = {name: target.section.in_flight for name, target in hub.targets.items()}
        self._dispatch = Dispatch(most, flow.claim, flow.deliver, alone=hub.store.alone)

    def take_over(self) -> None:
        """On SQLite: be the one worker, and settle what a killed one left. Raises ConfigError if one is running."""
        if not self.hub.store.own():
            raise ConfigError(
                ["another hub process works on this SQLite store; stop it, or use PostgreSQL for several"]
            )
        if not self.hub.store.alone:
            return
        clock.went_back()  # from here on
        with self.hub.store.begin() as connection:
            now = clock.now().timestamp()
            if (ahead := setback.newest(connection) - now) > clock.SET_BACK:
                setback.take_off(connection, ahead, now)
            inbox.drop_leases(connection)
            leases.drop_leases(connection, now, self.hub.config.timeouts)  # dates of its own: after the clock's
            state.drop_pull_leases(connection)
            replay.drop_leases(connection)

    async def run(self) -> None:
        """Work until `stopping` is set; then finish what is in hand."""
        self.flow.outlet, self.flow.keeps = self._dispatch, True
        loops: list[Coroutine[Any, Any, None]] = [
            self._loop("translate", self.flow.translate, self.flow.arrived),
            self._loop("fetch", self.flow.fetch, None),
            self._loop("sweep", self._sweep, None, idle=min(SWEEP, self.hub.config.hub.lease / 3)),
            self._loop("replay", self._replay, None),
            self._loop("alert", self._alert, None, idle=ASIDE),
            self._loop("tidy", self._tidy, None, idle=TIDY),
            self._loop("shadow", self._shadow, None),
            self._loop("drift", self._watch_for_drift, None, idle=ASIDE),
            *(self._dispatch.run(name) for name in self.hub.targets),
            *self._pulls(),
        ]
        tasks = [asyncio.create_task(loop) for loop in [*loops, self._wake_to_stop()]]
        log.info("working", shops=len(self.hub.shops), destinations=len(self.hub.targets))
        await self.stopping.wait()
        self.flow.drop_kept()
        await self._end(tasks)
        if self._dispatch.tasks:
            await asyncio.wait(self._dispatch.tasks, timeout=GRACE)
        for task in self._dispatch.tasks:
            task.cancel()
        await self.flow.finish()  # outcomes that are still being gathered
        now, timeouts = clock.now().timestamp(), self.hub.config.timeouts
        try:
            left = await self.hub.store.run(give_back, self.hub.store.owner, now, timeouts)
        except StoreTrouble as error:  # what this process holds is free when its leases run out
            log.warning("stopped.without_giving_back", why=str(error))
            return
        if left:
            log.warning("stopped.in_the_middle", deliveries=left)

    async def _end(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        """Let loops finish their turn; one that waits for a platform is cut off: it asks again after the next start."""
        done, late = await asyncio.wait(tasks, timeout=LAST_TURN)
        waited_for = [task for task in tasks if task in late]
        for task in waited_for:
            task.cancel()
        await asyncio.gather(*waited_for, return_exceptions=True)
        if late:
            with contextlib.suppress(StoreTrouble):  # they run out
                await self.hub.store.run(state.drop_pull_leases, self.hub.store.owner)
        for task in tasks:
            if task in done:
                task.result()

    async def _loop(
        self, name: str, step: Callable[[], Awaitable[int]], wake: asyncio.Event | None, idle: float = IDLE
    ) -> None:
        pause = soon = idle if wake is None or self.hub.store.alone else SOON
        trouble = waits()
        while not self.stopping.is_set():
            if wake is not None:
                wake.clear()
            try:
                done = await step()
            except Exception as error:  # the store may be away for a while; the loop is not
                tell(name, error)
                await self._pause(next(trouble))
                continue
            trouble = waits()
            pause = soon if done else min(2 * pause, idle)
            if not done:
                await self._pause(pause, wake)

    def _pulls(self) -> list[Coroutine[Any, Any, None]]:
        loops: list[Coroutine[Any, Any, None]] = []
        for shop in self.hub.shops.values():
            pull = self.hub.config.shops[shop.name].pull
            if pull:
                loops += [self._pull(shop.name, kind, pull) for kind in pulling.kinds(shop, pull)]
        return loops

    async def _pull(self, name: str, kind: str, pull: Pull) -> None:
        shop, key, trouble = self.hub.shops[name], self.hub.config.hub.key, waits()
        while not self.stopping.is_set():
            try:
                if await self.flow.pressure.full():
                    await self._pause(ASIDE)
                    continue
                pulled = await pulling.pull_page(self.hub.store, self.http, shop, kind, pull, key)
            except Exception as error:  # the shop's trouble, or the store's, is not the other shops'
                tell(f"pull {name}/{kind}", error)
                await self._pause(next(trouble))
                continue
            trouble = waits()
            if pulled is not None and pulled.new:
                self.flow.arrived.set()
            if pulled is None or not pulled.more:
                await self._pause(min(IDLE, pull.every))

    async def _sweep(self) -> int:
        """Give back what dead workers held, free what a missed release left, renew tokens before they end."""
        if (back := clock.went_back()) and self.hub.store.alone:
            log.warning("clock.set_back", seconds=round(back, 1))
            await self.hub.store.run(setback.take_off, back, clock.now().timestamp())
        await asyncio.to_thread(self.hub.store.take_up_keys)
        now, config = clock.now().timestamp(), self.hub.config
        under_way, began = dict(self._dispatch.sending), clock.tick()
        held = Held(frozenset(under_way), self.hub.store.owner, config.hub.lease, self._suspects)
        swept = await self.hub.store.run(sweep, now, config.timeouts, held)
        self._suspects = swept.suspects
        for number, seconds in swept.kept.items():
            under_way[number].until = max(under_way[number].until, began + seconds)
        if swept.mended:
            log.info("sweep", settled=swept.mended)
        for shop in self.hub.shops.values():
            if await self.hub.store.read(renewal.expires_soon, shop.name, now):
                await renewal.renew(self.hub.store, self.http, shop, self.hub.config.hub.key, shop.channel)
        return 0

    async def _replay(self) -> int:
        """One step of a replay that somebody started; what it let go waits like everything else."""
        moved = await self.hub.store.run(replaying.turn, self.hub.store.owner, self._pace.next())
        if moved is None:
            self._pace = replaying.Pace()  # the next one begins slowly
        elif moved:
            self.flow.arrived.set()
            await self._pause(REPLAYS)
        return moved or 0

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
        self._dispatch.stop()
        self.flow.arrived.set()


def give_back(connection: Connection, owner: str, now: float, timeouts: leases.Timeouts) -> int:
    """What a process holds when it stops; returns how many deliveries it could not finish."""
    inbox.give_back(connection, owner)
    replay.drop_leases(connection, owner)
    return leases.abandon(connection, owner, now, timeouts)


@dataclass(frozen=True, slots=True)
class Held:
    """The deliveries that a process is sending, who it is, for how long it holds on to them at least, and which of its
    own were expired and not under way at the sweep before."""

    sending: frozenset[int] = frozenset()
    owner: str = ""
    lease: float = 0.0
    suspects: frozenset[int] = frozenset()


class Swept(NamedTuple):
    """How many deliveries a sweep mended, for how many seconds those under way are held from then on, and which of this
    process's own are neither under way nor in time: the next sweep takes them, if they still are."""

    mended: int
    kept: Mapping[int, float]
    suspects: frozenset[int] = frozenset()


def sweep(connection: Connection, now: float, timeouts: leases.Timeouts, held: Held) -> Swept:
    """Hold on to what this process is sending; give back what dead ones held, release lanes that were not.

    What this process has taken a moment ago may not be under way yet, and its clock may just have jumped: of its own it
    gives back what the sweep before found too.
    """
    kept = leases.heartbeat(connection, held.sending, held.owner, now, held.lease, timeouts)
    suspects = leases.expired_of(connection, held.owner, now) - held.sending
    spared = held.sending | (suspects - held.suspects)
    mended = leases.reap(connection, now, timeouts, spared) + outbox.release_orphans(connection)
    return Swept(mended, kept, suspects)


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
