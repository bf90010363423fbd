"""One simulated hub process: the hub's own code on a host of its own, that can be killed, stalled and misled."""

import asyncio
import contextvars
import random
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub import wiring
from hub.chaos.plan import ProcessFaults
from hub.chaos.simulation.loop import START, Crash
from hub.host import HOST, Host
from hub.process import keep_time
from hub.transport import Client
from hub.web import hooks
from hub.workers import Workers

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from hub.chaos.simulation.world import World
    from hub.store import Store

EPOCH = 1_795_000_000.0
"""What the time of day is when a seed begins, in epoch seconds."""


class Simulated(Host):
    """A host whose time is the loop's and whose chance comes from the seed."""

    def __init__(self, world: "World", name: str) -> None:
        super().__init__()
        self.world, self.name = world, name
        self._chance = random.Random(f"{world.plan.seed}/chance/{name}")  # noqa: S311  # repeatable, not secret

    def wall(self) -> datetime:
        """Return the true time."""
        return datetime.fromtimestamp(self.world.true_time(), UTC)

    def monotonic(self) -> float:
        """Return the loop's time."""
        return self.world.loop.time()

    def processor_time(self) -> float:
        """Return a tenth of the loop's time: nobody is busy here."""
        return self.world.loop.time() / 10

    def rest(self, seconds: float) -> None:
        """Return at once: there is one thread."""

    def random_bytes(self, count: int) -> bytes:
        """Return bytes that the seed draws."""
        return self._chance.randbytes(count)

    def process_name(self) -> str:
        """Return the name in the journal."""
        return self.name

    def free_disk(self, folder: Path) -> int:
        """Return plenty, but while the disk is low."""
        return 0 if self.world.disk_is_low else 1 << 40


class Process(Simulated):
    """A hub process. `role` is run, serve or work."""

    def __init__(self, world: "World", role: str, faults: ProcessFaults) -> None:
        world.started += 1
        super().__init__(world, f"p{world.started}")
        self.role, self.faults = role, faults
        self.dead, self.stopped = False, False
        self.tasks: dict[asyncio.Task[Any], None] = {}
        self.commits = self.requests = self.claims = self.held = 0
        self.began, self.jumped = world.loop.time(), 0.0
        self.hook: ASGIApp | None = None
        self.workers: Workers | None = None
        self.store: Store | None = None
        self._dice = random.Random(f"{world.plan.seed}/faults/{self.name}")  # noqa: S311
        self.context = contextvars.Context()
        self.context.run(HOST.set, self)

    def boot(self) -> None:
        """Start as `hub run` does; one that cannot ends, and is started again."""
        try:
            self.context.run(self._boot)
        except Crash:
            self.die("killed while starting")
        except Exception as error:  # a real process ends with it
            self.world.journal.note(self.name, "exit", repr(error))
            self.die("could not start")

    def _boot(self) -> None:
        world = self.world
        world.journal.note(self.name, "start", self.role, self.faults)
        self.store = world.open_store()
        hub = wiring.build(world.config, store=self.store, catalog=world.ground.catalog)
        wiring.start(hub)
        flow, http = wiring.connect(hub, Client(transport=world.network.transport(self)))
        self.workers = Workers(hub, flow, http)
        if self.role != "serve":
            self.workers.take_over()
        if self.role != "work":
            self.hook = hooks.endpoint(flow, hub.config.hub.body_limit)
        self.flow = flow
        self.spawn(self._main(hub))

    async def _main(self, hub: wiring.Hub) -> None:
        assert self.workers is not None  # noqa: S101  # it was booted
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(keep_time(hub, self.workers.stopping))
                if self.role != "serve":
                    group.create_task(self.workers.run())
            await self.flow.close()
        except Exception as error:
            self.world.journal.note(self.name, "exit", repr(error))
            self.world.broken.append(f"{self.name} ended with {error!r}")
        self.stopped = True
        self.world.loop.call_soon(self.die, "stopped", context=contextvars.Context())

    def spawn(self, work: Any) -> asyncio.Task[Any]:
        """Run a coroutine as this process."""
        return self.world.loop.create_task(work, context=self.context.copy())

    def adopt(self, task: asyncio.Task[Any]) -> None:
        """Keep a task of this process in mind: let go of, its `finally` would run."""
        self.tasks[task] = None
        task.add_done_callback(self._forget, context=contextvars.Context())

    def _forget(self, task: asyncio.Task[Any]) -> None:
        if not self.dead:
            self.tasks.pop(task, None)

    def wall(self) -> datetime:
        """Return what this machine's clock shows: skewed, drifting, and jumping where the plan says so."""
        passed = self.world.loop.time() - self.began
        after, jump = self.faults.clock or (0.0, 0.0)
        ahead = self.faults.skew + self.faults.drift * passed + (jump if passed > after else 0.0) + self.jumped
        return super().wall() + timedelta(seconds=ahead)

    def die(self, why: str) -> None:
        """End as by kill -9."""
        if self.dead:
            return
        self.dead = True
        self.world.journal.note(self.name, "dead", why)
        self.world.killed += not self.stopped
        self.world.loop.kill(self)
        self.world.cut_off(self)
        if self.store is not None:
            self.store.close()  # the kernel closes its files; between two callbacks no transaction is open

    # -- what its database and its network let it feel

    def at_begin(self) -> None:
        """Raise the database's error where a transaction cannot begin."""
        if self.world.database_is_away:
            raise self.world.ground.database.refused()
        if self._dice.random() < self.world.busy:
            raise self.world.ground.database.locked()

    def at_commit(self, commit: Callable[[], None], sending: Callable[[], int]) -> None:
        """Commit, or suffer what is drawn for this one. `sending` tells how many deliveries this process holds then."""
        self.commits += 1
        number, when = self.faults.kill or (0, "")
        first, many = self.faults.disk_full or (0, 0)
        if self.commits == number and when == "before":
            raise Crash
        if not self.world.calm and first <= self.commits < first + many:
            self.world.journal.note(self.name, "disk full")
            raise self.world.ground.database.full()
        claimed = self._claims(sending)
        commit()
        if self.commits == number:
            raise Crash
        if claimed:
            self._stall(claimed)
        if self._dice.random() < self.world.unheard:
            self.world.journal.note(self.name, "commit unheard")
            raise self.world.ground.database.gone()

    def _claims(self, sending: Callable[[], int]) -> float:
        """For how long to stop now: this transaction may be the claim at which a stall is aimed."""
        aimed, seconds = self.faults.stall_at_claim or (0, 0.0)
        if self.claims >= aimed or self.world.calm:
            return 0.0
        before, self.held = self.held, sending()
        self.claims += self.held > before
        return seconds if self.claims == aimed else 0.0

    def at_request(self, slow: bool) -> None:
        """A request leaves, to somebody who is slow or not: kills, jumps and stalls are aimed at one. A jump hurts
        while a request is under way for longer than it takes to look at leases."""
        self.requests += 1
        if self.world.calm:
            return
        loop, faults = self.world.loop, self.faults
        if faults.kill_at_request and faults.kill_at_request[0] == self.requests:
            loop.call_later(faults.kill_at_request[1], self.die, "killed in a request", context=contextvars.Context())
        if slow and not self.jumped and faults.jump_at_request and faults.jump_at_request[0] <= self.requests:
            self.jumped = faults.jump_at_request[1]
            self.world.journal.note(self.name, "clock jumps", faults.jump_at_request[1])
        if faults.stall_at_request and faults.stall_at_request[0] == self.requests:
            _, after, seconds = faults.stall_at_request
            loop.call_later(after, self._stall, seconds, context=contextvars.Context())

    def _stall(self, seconds: float) -> None:
        if not self.dead:
            self.world.journal.note(self.name, "stalls", seconds)
            self.world.loop.stall(self, seconds)

    async def ask(self, scope: Mapping[str, Any], body: bytes, answer: asyncio.Future[tuple[int, bytes]]) -> None:
        """Handle one HTTP request to this process, as its web server would."""
        assert self.hook is not None  # noqa: S101  # asked of those that serve
        status = 0

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            elif not answer.done():
                answer.set_result((status, message.get("body", b"")))

        try:
            await self.hook(dict(scope), receive, send)
        except Exception as error:  # a real server closes the connection
            self.world.journal.note(self.name, "not answered", repr(error))
            if not answer.done():
                answer.set_exception(ConnectionResetError())


def seconds_since_start(loop: Any) -> float:
    """Return the virtual seconds of a seed."""
    return float(loop.time() - START)
