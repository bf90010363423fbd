"""The event loop of simulations: virtual time, an order that the seed draws, hosts that die and stall."""

import asyncio
import contextvars
import random
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from hub.chaos.simulation.loop import START, Crash, Deadlock, Lane, Loop
from hub.host import HOST, Host

Run = Callable[[Coroutine[Any, Any, Any]], Any]


class Machine(Host):
    """A host that can be killed."""

    def __init__(self, loop: Loop) -> None:
        super().__init__()
        self.loop, self.dead = loop, False
        self.tasks: list[asyncio.Task[Any]] = []

    def adopt(self, task: asyncio.Task[Any]) -> None:
        """Keep a task, as a process does."""
        self.tasks.append(task)

    def die(self, why: str) -> None:
        """End it."""
        self.dead = True
        self.loop.kill(self)

    def start(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run something on this machine."""
        context = contextvars.Context()
        context.run(HOST.set, self)
        return self.loop.create_task(work, context=context)


def made(seed: int = 1) -> Loop:
    def ends(loop: Loop, lane: Lane) -> float:
        return loop.time() + 1.0

    return Loop(random.Random(seed), ends)


@pytest.fixture
def loop() -> Iterator[Loop]:
    one = made()
    yield one
    one.forget()
    one.close()


def test_time_jumps_to_the_next_timer(loop: Loop) -> None:
    async def work() -> float:
        await asyncio.sleep(86_400)
        return loop.time()

    assert loop.run_until_complete(work()) == START + 86_400
    assert loop.turns < 10


def order(seed: int) -> list[int]:
    """In which order ten tasks run that are ready at once."""
    loop, seen = made(seed), list[int]()

    async def one(number: int) -> None:
        await asyncio.sleep(1)
        seen.append(number)

    async def work() -> None:
        await asyncio.gather(*(one(number) for number in range(10)))

    loop.run_until_complete(work())
    loop.close()
    return seen


def test_the_seed_draws_the_order_of_what_is_ready() -> None:
    assert order(1) == order(1)
    assert len({tuple(order(seed)) for seed in range(5)}) == 5
    assert sorted(order(1)) == list(range(10))


def test_nothing_of_a_killed_host_runs_again_no_finally_either(loop: Loop) -> None:
    machine, seen = Machine(loop), list[str]()

    async def work() -> None:
        try:
            seen.append("begun")
            await asyncio.sleep(1)
            seen.append("went on")
        finally:
            seen.append("finally")

    async def play() -> None:
        machine.start(work())
        await asyncio.sleep(0.5)
        machine.die("by the test")
        late = work()
        machine.start(late)  # it does not even begin
        await asyncio.sleep(10)
        assert seen == ["begun"]
        late.close()

    loop.run_until_complete(play())


def test_a_crash_in_a_job_kills_the_host_of_its_lane(loop: Loop) -> None:
    machine, pool = Machine(loop), ThreadPoolExecutor(1)

    def job() -> None:
        raise Crash

    async def work() -> None:
        await loop.run_in_executor(pool, job)

    async def play() -> None:
        task = machine.start(work())
        await asyncio.sleep(5)
        assert machine.dead
        assert not task.done()

    loop.run_until_complete(play())


def test_a_stall_withholds_callbacks_and_timers_and_jobs(loop: Loop) -> None:
    machine, pool, seen = Machine(loop), ThreadPoolExecutor(1), list[tuple[str, float]]()

    def note(what: str) -> None:
        seen.append((what, loop.time() - START))

    async def timers() -> None:
        await asyncio.sleep(1)
        note("timer")

    async def waits(event: asyncio.Event) -> None:
        await event.wait()
        note("callback")

    async def jobs() -> None:
        await loop.run_in_executor(pool, note, "job")

    async def play() -> None:
        event = asyncio.Event()
        for work in (timers(), waits(event), jobs()):
            machine.start(work)
        await asyncio.sleep(0.5)
        loop.stall(machine, 7.0)
        event.set()
        await asyncio.sleep(5)
        assert seen == []
        await asyncio.sleep(5)

    loop.run_until_complete(play())
    assert sorted(what for what, _ in seen) == ["callback", "job", "timer"]
    assert {at for _, at in seen} == {7.5}


def test_a_lane_does_as_many_jobs_at_once_as_its_pool_has_threads(loop: Loop) -> None:
    async def play(threads: int) -> float:
        pool, began = ThreadPoolExecutor(threads), loop.time()
        await asyncio.gather(*(loop.run_in_executor(pool, loop.time) for _ in range(6)))
        return loop.time() - began

    assert [loop.run_until_complete(play(threads)) for threads in (1, 2, 6)] == [6.0, 3.0, 1.0]


def test_what_a_job_raises_is_its_callers(loop: Loop) -> None:
    async def play() -> None:
        with pytest.raises(KeyError):
            await loop.run_in_executor(None, {}.__getitem__, "nothing")

    loop.run_until_complete(play())


def test_whoever_waits_for_nothing_is_found(loop: Loop) -> None:
    async def play() -> None:
        await asyncio.Event().wait()

    with pytest.raises(Deadlock):
        loop.run_until_complete(play())
