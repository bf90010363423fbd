"""One seed: the plan played against simulated processes, then calm, a clean stop, and the checker."""

import asyncio
import base64
import contextvars
import gc
import hashlib
import hmac
import json
import random
import shutil
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from hub import adapting, clock
from hub.chaos.checking import (
    Accepted,
    Excused,
    between_windows,
    check,
    doubted,
    in_doubt,
    paused_pulls,
    restless,
    unfair,
)
from hub.chaos.deployment import SECRET, simulated
from hub.chaos.plan import LASTS, Act, Change, Plan, ProcessFaults, Push, draw_simulated
from hub.chaos.simulation.database import Database, Postgresql, Sqlite
from hub.chaos.simulation.journal import Journal
from hub.chaos.simulation.loop import START, Lane, Loop
from hub.chaos.simulation.network import Network
from hub.chaos.simulation.person import Person
from hub.chaos.simulation.process import EPOCH, Process, Simulated
from hub.host import HOST
from hub.mapping.catalog import Catalog
from hub.store import Connection, Store

CALM_WITHIN = {False: 30.0, True: 60.0}
"""Virtual seconds after the last fault within which nothing may wait any more: less than a clock is set back by. Where
processes are several (True), what a dead one was pulling is taken up when its lease has run out."""
RESUMES = 3
"""How often the agent lets pulls go again that paused after the last fault."""
PULLED_WITHIN = 150.0
"""The same for what is pulled. A clock that went back twice, by a minute each time, keeps pulls from what changed
meanwhile for so long."""
OVERDUE_LOOKS = 20
"""How often in a row something is found overdue, a quarter of a second apart: a clock that jumps makes it look so."""
STOPS_WITHIN = 30.0
TURNS_AT_MOST = 400_000
"""Turns of the loop in one seed; more means that something spins."""
TASKS_AT_REST = 60
"""Tasks of a process that has nothing to do; more means that they are left behind."""


@dataclass(slots=True)
class Outcome:
    """What became of a seed. It passed where `broken` is empty."""

    seed: int
    broken: list[str] = field(default_factory=list)
    accepted: int = 0
    kills: int = 0
    virtual: float = 0.0
    cpu: float = 0.0
    events: int = 0
    events_hash: str = ""


class Ground:
    """What all seeds of a run stand on: compiled mappings, an empty store to copy, the engines."""

    def __init__(self, folder: Path, *, processes: int = 1, postgresql: bool = False) -> None:
        self.folder, self.processes = folder, processes
        self.key = base64.urlsafe_b64encode(hashlib.sha256(b"simulation").digest()).decode()
        self.catalog = Catalog(adapting.mappings_folder())
        self.catalog.load()
        self.database: Database = _postgresql() if postgresql else Sqlite(folder)
        gc.collect()
        gc.freeze()  # what is loaded stays: each seed would look through it for garbage
        self._logged = structlog.get_config()
        structlog.configure(processors=[_heard], wrapper_class=structlog.make_filtering_bound_logger(20))

    def close(self) -> None:
        """End it."""
        self.database.close()
        gc.unfreeze()
        structlog.configure(**self._logged)


def _postgresql() -> Database:
    from hub.chaos.postgres import HOW_TO_INSTALL, Postgres, postgres_programs

    programs = postgres_programs()
    if programs is None:
        raise RuntimeError(HOW_TO_INSTALL)
    server = Postgres(programs)
    server.start()
    return Postgresql(server)


def _heard(_logger: Any, method: str, told: MutableMapping[str, Any]) -> Any:
    """Log events go into the journal of the process that wrote them."""
    host = HOST.get()
    if isinstance(host, Process):
        if told.pop("exc_info", None):
            host.world.traceback(traceback.format_exc())
        host.world.journal.note(host.name, method, json.dumps(told, sort_keys=True, default=str))
    raise structlog.DropEvent


def simulate(
    ground: Ground,
    seed: int,
    *,
    trace: Callable[[str], None] | None = None,
    statements: bool = False,
    late: bool = False,
) -> Outcome:
    """Play one seed. `trace` hears of every event as a line, with `statements` of those too."""
    began, state = time.process_time(), random.getstate()
    random.seed(f"{seed}/hub")  # jitter is drawn from the module's own dice
    collecting = gc.isenabled()
    gc.disable()  # what finalizers do must not depend on how much was allocated
    world = World(ground, draw_simulated(seed, processes=ground.processes, late=late), trace, statements)
    try:
        return world.play(began)
    finally:
        with _unheard():
            world.end()
            del world
            gc.collect()
        random.setstate(state)
        if collecting:
            gc.enable()


@contextmanager
def _unheard() -> Iterator[None]:
    """What killed processes left behind is let go of: their `finally` runs now, against nothing, and may complain."""
    complains, sys.unraisablehook = sys.unraisablehook, lambda _: None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        sys.unraisablehook = complains


class World:
    """Everything outside of the hub's processes, and the processes themselves."""

    def __init__(
        self, ground: Ground, plan: Plan, trace: Callable[[str], None] | None = None, statements: bool = False
    ) -> None:
        self.ground, self.plan = ground, plan
        self.several = ground.processes > 1
        self._dice = random.Random(f"{plan.seed}/world")  # noqa: S311  # repeatable, not secret
        self._disk = random.Random(f"{plan.seed}/disk")  # noqa: S311
        self.loop = Loop(random.Random(f"{plan.seed}/order"), self._job_ends)  # noqa: S311
        self.journal = Journal(self.seconds, f"{ground.folder}/", trace, statements=statements)
        self.network = Network(self)
        self.busy, self.unheard = plan.busy, plan.unheard
        self.calm = self.database_is_away = self.disk_is_low = self.over = False
        self._locked_until = 0.0
        self.broken: list[str] = []
        self.accepted: list[Accepted] = []
        self.started = self.killed = 0
        self._played = False
        self._tracebacks: list[str] = []
        self._roles = ["serve", *["work"] * (ground.processes - 1)] if self.several else ["run"]
        self._processes: dict[int, Process] = {}
        self._left = list(plan.processes)
        self._asked: list[tuple[Process, asyncio.Future[tuple[int, bytes]]]] = []
        self._buried: list[Process] = []
        self._folder = ground.folder / f"seed-{plan.seed}"
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        self.config = self._folder / "hub.toml"
        store = ground.database.url if ground.database.shared else "sqlite:///hub.db"  # beside it
        self.config.write_text(simulated(store, self._key(), plan.overlap), encoding="utf-8")
        ground.database.fresh(self, self._folder)
        self.person = Person(self)
        self._context = contextvars.Context()
        self._context.run(HOST.set, Simulated(self, "world"))
        self.store: Store = self._context.run(self.open_store)

    # -- time and state of the world

    def seconds(self) -> float:
        """Return virtual seconds since the start."""
        return self.loop.time() - START

    def true_time(self) -> float:
        """Return the epoch seconds that no clock fault touches."""
        return EPOCH + self.seconds()

    def _key(self) -> str:
        return self.ground.key if self.plan.encrypted else ""

    def open_store(self) -> Store:
        """Return the store for one more process."""
        return self.ground.database.open(self, key=self._key(), tenants=("default",))

    def _job_ends(self, loop: Loop, lane: Lane) -> float:
        """A thread's job is quick as a rule, now and then slow; a writer waits while somebody else holds the lock."""
        took = self._disk.uniform(0.0001, 0.002)
        if self._disk.random() < 0.03:
            took += self._disk.uniform(0.01, 0.3)
        begins = max(loop.time(), self._locked_until) if lane.name == "hub-store" else loop.time()
        return begins + took

    def traceback(self, words: str) -> None:
        """Keep what a process's log says of an exception."""
        self._tracebacks.append(words)

    def cut_off(self, process: Process) -> None:
        """Whoever asked a dead process hears that its connection broke; what it was sending is rightly in doubt."""
        self._buried.append(process)
        if not self.several and not self._played:
            self.network.doubtful |= set(self._ask(in_doubt))
        for asked, answer in self._asked:
            if asked is process and not answer.done():
                answer.set_exception(ConnectionResetError("the process ended"))

    # -- the play

    def play(self, began: float) -> Outcome:
        """Run the plan to its end and check everything."""
        self.loop.set_exception_handler(self._unhandled)
        try:
            asyncio.set_event_loop(self.loop)
            task = self.loop.create_task(self._run(), context=self._context)
            self.loop.run_until_complete(task)
        except Exception:  # a fault of the simulation is a failure too, with its cause
            self.broken.append("the simulation itself failed: " + traceback.format_exc()[-2000:])
        self._played = True
        return Outcome(
            self.plan.seed, self.broken, len(self.accepted), self.killed, self.seconds(),
            time.process_time() - began, self.journal.events, self.journal.digest,
        )  # fmt: skip

    def end(self) -> None:
        """Let go of everything."""
        for process in self._processes.values():
            process.die("the end")
        self.store.close()
        self.ground.database.let_go()
        self.loop.forget()
        asyncio.set_event_loop(None)
        self.loop.close()
        if not self.broken:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _unhandled(self, loop: Any, told: Mapping[str, Any]) -> None:
        if self._played:
            return  # only the dead are left
        error = told.get("exception")
        where = "".join(traceback.format_exception(error)[-4:]) if isinstance(error, BaseException) else ""
        self.broken.append(f"unhandled: {told.get('message')} {error!r} {where}")

    async def _run(self) -> None:
        supervisor = asyncio.create_task(self._supervise())
        trouble = [self._kill(at) for at in self.plan.kills]
        trouble += [self._outside(*what) for what in self.plan.outside]
        trouble += [self._restart(at) for at in self.plan.restarts]
        trouble += [self._act(at, act) for at, act in self.plan.acts]
        trouble += [self._change(change) for change in self.plan.changes]
        pushes = [self._push(push) for push in self.plan.pushes]
        await asyncio.gather(*trouble, *pushes, asyncio.sleep(LASTS))
        self._calm_down()
        await self._come_to_rest()
        self.over = True
        await supervisor
        self._at_rest()
        await self._stop()
        self.broken += self._ask(check, [*self.accepted, *self._pulled()], self.network.books, self._excused())
        for key in self._ask(doubted):
            self.network.asked_about(key)
        if self._tracebacks and self.plan.gentle:
            self.broken.append(f"{len(self._tracebacks)} tracebacks in the log: {self._tracebacks[0][-800:]}")
        self.journal.content(self.ground.database.content())

    def _calm_down(self) -> None:
        """From here on nothing is at fault any more, but clocks stay as they are."""
        self.calm, self.busy, self.unheard = True, 0.0, 0.0
        self.database_is_away = self.disk_is_low = False
        self._left = []
        self.journal.note("world", "calm")
        self.person.runs(self.person.resume, "resume all")

    async def _come_to_rest(self) -> None:
        await self._push(Push(0.0, LAST))  # whatever slowed the intake down must have ended
        began, still, overdue, resumes, found = self.loop.time(), self.loop.time(), 0, RESUMES, ["?"]
        while found:
            await asyncio.sleep(0.25)
            moving, behind = self._ask(restless), self._behind()
            found, still = [*moving, *behind], still if moving else self.loop.time()
            if resumes and self._ask(paused_pulls):  # a token that ended before its first use asks for a person
                resumes -= 1
                self.person.runs(self.person.resume, "resume all")
            if self.loop.turns > TURNS_AT_MOST:
                self.broken.append(f"the loop turned {self.loop.turns} times: something spins")
                break
            if self.loop.time() > still + CALM_WITHIN[self.several] or self.loop.time() > began + PULLED_WITHIN:
                passed = self.loop.time() - began
                self.broken += [f"still moving {passed:.0f} s after the last fault: {what}" for what in found]
                break
            late = self._unfair()
            overdue = overdue + 1 if late else 0
            if overdue > OVERDUE_LOOKS:
                self.broken += late
                break

    def _unfair(self) -> list[str]:
        process = self._one_that_lives()
        if process is None:
            return []
        now = process.context.copy().run(clock.now).timestamp()
        return self._ask(unfair, now)

    def _one_that_lives(self) -> Process | None:
        return next((p for p in self._processes.values() if not p.dead and p.role != "serve"), None)

    def _behind(self) -> list[str]:
        """What pulls have still to see: all of it, on pages that were read after the last change."""
        if not self.plan.changes:
            return []
        unread = self.network.platform.unread()
        return [f"the list of {kind}s was not read since its last change" for kind in unread] or self._ask(
            between_windows, ("order", "refund")
        )

    def _pulled(self) -> list[Accepted]:
        return [Accepted.of(record) for record in self.network.platform.records()]

    def _excused(self) -> Excused:
        return Excused(frozenset(self.person.discarded | self.person.erased))

    def _at_rest(self) -> None:
        for process in self._processes.values():
            if not process.dead and len(process.tasks) > TASKS_AT_REST:
                self.broken.append(f"{process.name} has {len(process.tasks)} tasks though nothing is to be done")

    async def _supervise(self) -> None:
        """Start what is not there, as systemd would."""
        while not self.over:
            for place, role in enumerate(self._roles):
                process = self._processes.get(place)
                if process is not None and not process.dead:
                    continue
                if process is not None:
                    await asyncio.sleep(self._dice.choice([0.01, 0.1, 0.5]))
                faults = self._left.pop(0) if self._left else ProcessFaults()
                self._processes[place] = Process(self, role, faults)
                self._processes[place].boot()
            await asyncio.sleep(0.1)

    async def _push(self, push: Push) -> None:
        """As a platform does: again and again until it is taken."""
        await asyncio.sleep(push.at)
        raw = json.dumps(push.record, ensure_ascii=False).encode()
        sign = hmac.new(SECRET.encode(), raw, hashlib.sha256).hexdigest()
        deadline = self.loop.time() + CALM_WITHIN[self.several]
        while self.loop.time() < deadline:
            status = await self._call(raw, sign)
            heard = status == 200 and (self.calm or self._dice.random() > 0.05)  # the answer may be lost
            if heard:
                self.accepted.append(Accepted.of(push.record))
                return
            if 200 < status < 500 and status != 429:
                self.broken.append(f"a push was answered {status}")
                return
            await asyncio.sleep(0.15)
        self.broken.append(f"a push was never accepted: {Accepted.of(push.record)}")

    async def _call(self, raw: bytes, sign: str) -> int:
        """Send one push to a process that serves; 0 where none takes it or its connection breaks."""
        await asyncio.sleep(self.network.dice.uniform(0.0001, 0.003))
        open_ = [p for p in self._processes.values() if not p.dead and p.hook is not None]
        if not open_:
            return 0
        process, answer = open_[0], self.loop.create_future()
        asked = (process, answer)
        self._asked.append(asked)
        scope = {
            "type": "http", "method": "POST", "path": "/hooks/site", "query_string": b"", "client": ("203.0.113.7", 1),
            "headers": [(b"x-signature", sign.encode())], "path_params": {"shop": "site"}, "http_version": "1.1",
        }  # fmt: skip
        process.spawn(process.ask(scope, raw, answer))
        try:
            status, _ = await answer
        except ConnectionResetError:
            status = 0
        finally:
            self._asked.remove(asked)
        self.journal.note("sender", "push", hashlib.sha256(raw).hexdigest()[:8], status)
        return int(status)

    async def _kill(self, at: float) -> None:
        await asyncio.sleep(at)
        for process in list(self._processes.values())[:1]:
            process.die("killed from outside")

    async def _restart(self, at: float) -> None:
        """A clean stop in the middle, as a deployment makes it."""
        await asyncio.sleep(at)
        living = [p for p in self._processes.values() if not p.dead and p.workers is not None]
        if living:
            process = self._dice.choice(living)
            assert process.workers is not None  # noqa: S101  # they are chosen so
            self.journal.note("world", "stops", process.name)
            process.context.copy().run(process.workers.stopping.set)

    async def _act(self, at: float, act: Act) -> None:
        await asyncio.sleep(at)
        if not self.database_is_away:
            self.person.does(act)

    async def _change(self, change: Change) -> None:
        await asyncio.sleep(change.at)
        self.network.platform.change(change)

    async def _outside(self, at: float, what: str, seconds: float) -> None:
        await asyncio.sleep(at)
        self.journal.note("world", what, f"{seconds:.3f}")
        if what == "lock":
            self._locked_until = self.loop.time() + seconds
        elif what == "database":
            self.database_is_away = True
        else:
            self.disk_is_low = True
        await asyncio.sleep(seconds)
        if what == "database":
            self.database_is_away = False
        elif what == "disk low":
            self.disk_is_low = False

    async def _stop(self) -> None:
        """SIGTERM for all; one that does not end in time is a fault of its own."""
        for process in self._processes.values():
            if not process.dead and process.workers is not None:
                process.context.copy().run(process.workers.stopping.set)
        deadline = self.loop.time() + STOPS_WITHIN
        while any(not p.dead for p in self._processes.values()):
            if self.loop.time() > deadline:
                self.broken.append(f"a process did not stop within {STOPS_WITHIN:.0f} s")
                return
            await asyncio.sleep(0.05)

    def _ask(self, question: Callable[..., list[str]], *more: Any) -> list[str]:
        def asked(connection: Connection) -> list[str]:
            return question(connection, *more)

        with self.store.look() as connection:
            return asked(connection)


LAST = {
    "order_no": "LAST", "status": "paid", "payment_status": "paid", "shipping_status": "none", "currency": "CNY",
    "created_at": "2026-11-01T08:00:00Z", "paid_at": "2026-11-01T08:01:00Z", "updated_at": "2026-11-01T09:59:00Z",
    "goods": "20.00", "total": "20.00", "paid": "20.00", "note": "",
    "items": [{"id": "1", "sku": "CUP", "title": "cup", "quantity": 2, "price": "10.00", "total": "20.00"}],
    "address": {"name": "Li Wei", "phone": "13900000000", "country": "CN", "city": "苏州市", "street": "9 号"},
}  # fmt: skip
