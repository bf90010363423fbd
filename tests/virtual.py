"""Tests in virtual time: pauses, limits and the hub's clocks pass at once, and in the same way each time."""

import asyncio
import contextvars
import functools
import random
from collections.abc import Awaitable, Callable, Iterator, MutableSequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ParamSpec

from sqlalchemy import Connection, Engine, event

from hub.chaos.simulation.loop import START, Lane, Loop
from hub.host import HOST, Host

P = ParamSpec("P")

EPOCH = datetime(2026, 11, 18, 10, 0, tzinfo=UTC)
"""The time of day when a test begins."""
JOB = 0.001
"""Seconds that a job in a thread takes, such as a transaction."""
LIMIT = 3600.0
"""Virtual seconds after which a test that still waits fails."""


class InOrder(random.Random):
    """What is ready runs in the order in which it became ready, as in asyncio's own loops."""

    def shuffle(self, x: MutableSequence[Any]) -> None:
        """Leave it as it is."""


class VirtualHost(Host):
    """A machine whose time is the loop's, and whose chance is the same each time."""

    def __init__(self, loop: Loop) -> None:
        super().__init__()
        self._loop, self._chance = loop, random.Random("virtual")

    def wall(self) -> datetime:
        """Return the loop's time, counted from EPOCH."""
        return EPOCH + timedelta(seconds=self._loop.time() - START)

    def monotonic(self) -> float:
        """Return the loop's time."""
        return self._loop.time()

    def processor_time(self) -> float:
        """Return a tenth of the loop's time: nobody is busy here."""
        return self._loop.time() / 10

    def rest(self, seconds: float) -> None:
        """Return at once: there is one thread."""

    def random_bytes(self, count: int) -> bytes:
        """Return the next bytes of a fixed row."""
        return self._chance.randbytes(count)

    def process_name(self) -> str:
        """Return a name that no other store of this test has."""
        return f"virtual-{self.random_bytes(4).hex()}"

    def free_disk(self, folder: Path) -> int:
        """Return plenty."""
        return 1 << 40


def virtual(test: Callable[P, Awaitable[None]]) -> Callable[P, None]:
    """Let an asynchronous test run under virtual time. Fixtures are made as ever, in real time and on a loop of their
    own. There are no sockets in it, and what goes to a thread happens in this one. What never comes ends at LIMIT."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        loop = Loop(InOrder(), _a_job_ends)
        host, context = VirtualHost(loop), contextvars.copy_context()
        context.run(HOST.set, host)

        async def limited() -> None:
            async with asyncio.timeout(LIMIT):
                await test(*args, **kwargs)

        with _databases_go_by(host), asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(limited(), context=context)

    return run


async def passes(seconds: float) -> None:
    """So much time passes; for helpers of virtual tests. Raises RuntimeError where it would be a real pause."""
    if not isinstance(asyncio.get_running_loop(), Loop):
        raise RuntimeError("this helper waits: the test that calls it has to be @virtual")
    await asyncio.sleep(seconds)


def _a_job_ends(loop: Loop, _lane: Lane) -> float:
    return loop.time() + JOB


@contextmanager
def _databases_go_by(host: Host) -> Iterator[None]:
    """Tell PostgreSQL the time at the begin of each transaction; the tests' `clock_timestamp()` (see tests.rig) gives
    it back. SQLite asks the process."""

    def tell(connection: Connection) -> None:
        if connection.dialect.name == "postgresql":
            now = host.wall().timestamp()
            connection.exec_driver_sql(f"select set_config('tests.now', '{now!r}', true)")

    event.listen(Engine, "begin", tell)
    try:
        yield
    finally:
        event.remove(Engine, "begin", tell)
