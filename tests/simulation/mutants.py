"""Bugs planted into the hub on purpose: a simulation that does not find them proves nothing.

    python -m tests.simulation.mutants NAME [--seeds 100] [--first 1] [--processes 1]
    python -m tests.simulation.mutants --all

Each mutant breaks one promise, by assigning to what the hub's modules look up; so it needs an operating system process
of its own, which --all gives to each. What is printed is JSON: the seed that found it (null: none did), what was broken
there, how many seeds were played.
"""

import argparse
import asyncio
import itertools
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import bindparam, false, select, update

import dlq.groups
import hub.store.engine
import hub.store.inbox
import hub.store.leases
import hub.store.outbox
from canonical.errors import HubError
from hub import breaker, clock, delivering, flow, letters, pressure, pulling, receiving, translating, workers
from hub.chaos.simulation.world import Ground, Outcome, simulate
from hub.store import Store, leases, outbox, state
from hub.store.tables import deliveries

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Mutant:
    """A planted bug. `start` is the first seed that finds it, for tests that have little time. Where the draw changes,
    so does this: --all tells it. 0: no seed of the first hundred finds it, and only --all plays it."""

    plant: Callable[[], None]
    processes: int = 1
    start: int = 1

    @property
    def breaks(self) -> str:
        """The promise that it breaks."""
        return (self.plant.__doc__ or "").strip()


MUTANTS: dict[str, Mutant] = {}


def mutant(processes: int = 1, start: int = 1) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """List a mutant, with how many processes show it."""

    def listed(plant: Callable[[], None]) -> Callable[[], None]:
        MUTANTS[plant.__name__.replace("_", "-")] = Mutant(plant, processes, start)
        return plant

    return listed


@mutant(processes=3, start=12)
def fence_off() -> None:
    """An outcome is recorded only while the delivery is still at that attempt of that process."""
    real, c = outbox.record, deliveries.c
    outbox._OURS = select(c.id, c.attempts).where(c.id.in_(bindparam("ids", expanding=True)))

    def record(connection: Any, outcomes: Any, owner: str) -> Any:
        rows = connection.execute(outbox._OURS, {"ids": [o.id for o in outcomes]})
        there = {row.id: row.attempts for row in rows}
        return real(connection, [replace(o, number=there[o.id]) for o in outcomes], owner)

    outbox.record = record


@mutant(start=88)
def spared_off() -> None:
    """A process does not take its own deliveries away from itself, whatever its clock does."""

    def sweep(connection: Any, now: float, timeouts: Any, held: Any) -> workers.Swept:
        return workers.Swept(leases.reap(connection, now, timeouts) + outbox.release_orphans(connection), {})

    workers.sweep = sweep


@mutant(processes=3, start=28)
def own_clock() -> None:
    """Processes that share a store go by its clock, and not each by that of its machine."""

    def own(connection: Any, now: float) -> dict[str, float]:
        return {"b_now": now}

    async def nothing(self: Store) -> None:
        return None

    hub.store.inbox.instant_values = hub.store.outbox.instant_values = hub.store.leases.instant_values = own
    hub.store.inbox.moment = hub.store.outbox.moment = lambda connection, now: now
    clock.agree = lambda reference: None
    Store.agree_on_time = nothing


@mutant()
def lanes_off() -> None:
    """A delivery waits for the one before it."""
    real = outbox.enqueue
    outbox._BUSY = outbox._BUSY.where(false())

    def enqueue(connection: Any, rows: Any, latest: Any, now: float, *more: Any) -> Any:
        done = real(connection, rows, latest, now, *more)
        loose = update(deliveries).where(deliveries.c.state == outbox.HELD).values(state=outbox.WAITING, held_by="")
        connection.execute(loose)
        return done

    outbox.enqueue = enqueue


@mutant(start=4)
def lost_answer_is_failure() -> None:
    """What was sent and had no answer is asked about, before it is sent again."""
    delivering.Course.unsettled_by = lambda self, error: False


@mutant()
def release_forgotten() -> None:
    """What waited for a delivery goes on when that one has ended."""
    outbox.release = lambda connection, lanes: 0
    outbox.release_orphans = lambda connection, looked_at=2000: 0


@mutant(start=2)
def early_200() -> None:
    """A push is answered when it is on disk."""
    under_way = set()

    async def put(gatherer: Any, item: Any) -> None:
        await gatherer.put(item)

    def ended(task: asyncio.Task[None]) -> None:
        under_way.discard(task)
        if not task.cancelled():
            task.exception()  # nobody else asks for it

    async def receive(self: Any, shop: Any, headers: Any, raw: bytes, sender: str = "") -> Any:
        for item in receiving.unpack(shop, headers, raw, clock.now()):
            task = asyncio.create_task(put(self._intake, item))
            under_way.add(task)
            task.add_done_callback(ended)
        return shop.channel.acknowledge(None)

    flow.Flow.receive = receive


@mutant(start=0)
def cursor_before_page() -> None:
    """A pull's cursor moves in the transaction that stores its page."""
    real, keep = Store.run, pulling._keep

    def move(connection: Any, shop: Any, kind: str, window: Any, leased: Any, page: Any, pull: Any, now: Any) -> None:
        values = pulling._next(leased, window, page, pull, now.timestamp())
        state.keep_pull(connection, shop.name, kind, **values)

    async def run(self: Store, work: Any, *args: Any, **more: Any) -> Any:
        if work is keep:
            await real(self, move, *args, **more)
        return await real(self, work, *args, **more)

    Store.run = run


@mutant()
def dedupe_off() -> None:
    """The same version of a document goes out once, however often it comes in."""
    number, weigh = itertools.count(), translating.identity.settle

    def settle(stored: Any, new: Any, **more: Any) -> Any:
        found = weigh(stored, new, **more)
        return found._replace(verdict=translating.Verdict.NEWER) if found.verdict.name == "DUPLICATE" else found

    receiving.digest_of = lambda *_: f"{next(number):064d}"
    translating.identity.settle = settle


@mutant(start=3)
def breaker_stays_open() -> None:
    """A breaker closes again when its probe went through."""
    real = breaker.observe

    def observe(circuit: breaker.Circuit, policy: Any, good: int, bad: int, now: float) -> breaker.Circuit:
        if circuit.state != breaker.CLOSED and not circuit.forced:
            return breaker.Circuit(breaker.OPEN, now + 3600.0)
        return real(circuit, policy, good, bad, now)

    breaker.observe = observe


@mutant(start=6)
def doubt_forgotten() -> None:
    """A delivery whose outcome could not be asked for stays in doubt."""
    real = delivering._asked

    async def asked(http: Any, target: Any, delivery: Any, course: delivering.Course) -> Any:
        try:
            return await real(http, target, delivery, course)
        except HubError:
            course.doubtful = False
            raise

    delivering._asked = asked


@mutant(start=42)
def asks_at_once() -> None:
    """What a dead process was sending is asked about when its request has had its time."""
    real = leases._lost
    leases._lost = lambda now, timeouts, why: {**real(now, timeouts, why), "due_at": now}


@mutant(start=2)
def trouble_kills() -> None:
    """The store's own trouble makes no dead letter."""
    real = flow.Flow._write

    async def write(self: Any, batch: Any) -> None:
        try:
            await real(self, batch)
        except flow.StoreTrouble as error:
            dead = [translating.Mapped(m.message, letter=_internal(m.message, error)) for m in batch]
            await asyncio.sleep(0.5)
            await real(self, dead)

    flow.Flow._write = write


def _internal(message: Any, error: Exception) -> Any:
    return letters.of_message(message, flow.Step.MAP, receiving.internal(error))


@mutant(start=6)
def replay_sends_unasked() -> None:
    """What died in doubt is asked about when it is replayed."""
    real = outbox.revive

    def revive(connection: Any, ids: Any, now: float) -> int:
        done = real(connection, ids, now)
        mine = (deliveries.c.id.in_(list(ids)), deliveries.c.state == outbox.IN_DOUBT)
        connection.execute(update(deliveries).where(*mine).values(state=outbox.WAITING, due_at=now))
        return done

    outbox.revive = revive


@mutant()
def groups_not_kept() -> None:
    """Groups of dead letters count those that are there."""
    real = dlq.groups.keep
    dlq.groups.keep = lambda connection, changes, now: real(connection, [c for c in changes if c.by > 0], now)


@mutant(start=8)
def pressure_stays() -> None:
    """The intake opens again when there is room."""
    real = pressure.Pressure._look

    async def look(self: pressure.Pressure) -> None:
        before = self.reason
        await real(self)
        self.reason = before or self.reason

    pressure.Pressure._look = look


@mutant(processes=3, start=16)
def sends_after_its_lease() -> None:
    """A process that was stopped for a while sends nothing under a lease that has ended meanwhile."""
    delivering.Lease.lasts = lambda self, seconds: True


# -- playing


def play(name: str, first: int, seeds: int, processes: int) -> dict[str, Any]:
    """Plant a mutant ("" for none) and play seeds until one finds it."""
    if name:
        MUTANTS[name].plant()
    began, found, tried = time.process_time(), Outcome(0), 0
    with tempfile.TemporaryDirectory(dir=_memory()) as place:
        ground = Ground(Path(place), processes=processes)
        for seed in range(first, first + seeds):
            found, tried = simulate(ground, seed), tried + 1
            if found.broken:
                break
        ground.close()
    return {
        "mutant": name,
        "processes": processes,
        "found": found.seed if found.broken else None,
        "broken": [what.splitlines()[0][:200] for what in found.broken[:3]],
        "first": first,
        "seeds": tried,
        "cpu": round(time.process_time() - began, 1),
    }


def _memory() -> Path | None:
    memory = Path("/dev/shm")  # noqa: S108  # a folder of its own is made in it
    return memory if memory.is_dir() else None


def all_of_them(first: int, seeds: int) -> bool:
    """Each in a process of its own; tells of each as a line. Returns whether all were found."""
    well = True
    for name in MUTANTS:
        words = [sys.executable, "-m", "tests.simulation.mutants", name, f"--first={first}", f"--seeds={seeds}"]
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
        sys.stdout.write(done.stdout or json.dumps({"mutant": name, "found": None, "error": done.stderr[-500:]}) + "\n")
        sys.stdout.flush()
        well = well and done.returncode == 0
    return well


def main() -> int:
    """The command line; see the top. Exit code 0: found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("name", nargs="?", choices=[*MUTANTS, "none"])
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--processes", type=int)
    given = parser.parse_args()
    if given.all:
        return 0 if all_of_them(given.first, given.seeds) else 1
    if given.name is None:
        parser.error("which mutant? or --all")
    name = "" if given.name == "none" else given.name
    processes = given.processes or (MUTANTS[name].processes if name else 1)
    result = play(name, given.first, given.seeds, processes)
    sys.stdout.write(json.dumps(result, ensure_ascii=False) + "\n")
    return 0 if result["found"] is not None else 1


if __name__ == "__main__":
    sys.exit(main())
