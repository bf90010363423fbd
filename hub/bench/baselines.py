"""What the whole path is measured against: a loop that only sends, and an empty hub.

The empty hub does what no hub can leave out: it proves the sender, has the message on disk before it answers (SQLite
with the hub's settings, group commit), sends it on with the hub's own client, and writes that it arrived. It maps,
checks, orders, limits, tries again and tells nothing. `python -m hub.bench.baselines PORT RECEIVER FILE` runs it.
"""

import asyncio
import hashlib
import hmac
import sqlite3
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from hub import wire
from hub.gathering import Gatherer
from hub.web.server import loop_factory, serve
from hub.workers import stop_on_signals

SECRET = "bench-secret"  # noqa: S105  # between processes of one benchmark on loopback
IN_FLIGHT = 32
BATCH = 100
TABLES = """
create table messages (id integer primary key, digest text unique, body blob);
create table deliveries (id integer primary key, message_id integer, state text);
create index pending on deliveries (state, id) where state = 'waiting';
"""


async def bare(bodies: Sequence[bytes], receiver: int) -> tuple[float, float]:
    """Send these, IN_FLIGHT at once: how many a second, and milliseconds of CPU for each."""
    left: Iterator[bytes] = iter(bodies)
    http = wire.client()
    started, cpu = time.perf_counter(), time.process_time()

    async def worker() -> None:
        for body in left:
            request = httpx.Request("POST", f"http://127.0.0.1:{receiver}/bare", content=body)
            (await http.send(request)).raise_for_status()

    await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))
    await http.aclose()
    return len(bodies) / (time.perf_counter() - started), (time.process_time() - cpu) * 1000 / len(bodies)


class EmptyHub:
    """An ASGI application. SECRET signs what it takes; `receiver` is the port that it sends to."""

    def __init__(self, receiver: int, file: Path) -> None:
        self._to = f"http://127.0.0.1:{receiver}/hub/d0"
        self._thread = ThreadPoolExecutor(1)
        self._database = self._thread.submit(_opened, file).result()
        self._intake = Gatherer(partial(self._commit, _take), BATCH, 0.0)
        self._outcomes = Gatherer(partial(self._commit, _arrived), BATCH, 0.0)
        self._places, self._tasks = asyncio.Semaphore(IN_FLIGHT), set[asyncio.Task[None]]()
        self._http: httpx.AsyncClient | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one push: 200 once it is on disk, 401 where its signature is wrong."""
        body, more = b"", scope["type"] == "http"
        while more:
            part = await receive()
            body, more = body + part.get("body", b""), part.get("more_body", False)
        told = dict(scope["headers"]).get(b"x-signature", b"").decode("latin-1")
        good = hmac.compare_digest(told, hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest())
        if good:
            task = asyncio.create_task(self._deliver(await self._intake.put(body), body))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        await send({"type": "http.response.start", "status": 200 if good else 401, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def _deliver(self, number: int, body: bytes) -> None:
        self._http = self._http or wire.client()
        async with self._places:
            (await self._http.send(httpx.Request("POST", self._to, content=body))).raise_for_status()
        await self._outcomes.put(number)

    async def _commit(self, work: Any, items: list[Any]) -> Sequence[Any]:
        found: Sequence[Any] = await asyncio.get_running_loop().run_in_executor(
            self._thread, _in_one, self._database, work, items
        )
        return found


def _opened(file: Path) -> sqlite3.Connection:
    database = sqlite3.connect(file, isolation_level=None)
    database.executescript("pragma journal_mode = wal; pragma synchronous = full;" + TABLES)
    return database


def _in_one(database: sqlite3.Connection, work: Any, items: list[Any]) -> Sequence[Any]:
    database.execute("begin immediate")
    found: Sequence[Any] = [work(database, item) for item in items]
    database.execute("commit")
    return found


def _take(database: sqlite3.Connection, body: bytes) -> int:
    row = (hashlib.sha256(body).hexdigest(), body)
    message = database.execute("insert into messages (digest, body) values (?, ?)", row).lastrowid
    made = database.execute("insert into deliveries (message_id, state) values (?, 'waiting')", (message,))
    return int(made.lastrowid or 0)


def _arrived(database: sqlite3.Connection, number: int) -> None:
    database.execute("update deliveries set state = 'delivered' where id = ?", (number,))


async def _serve(port: int, receiver: int, file: Path) -> None:
    """By the server that the hub uses."""
    stopping = asyncio.Event()
    stop_on_signals(stopping)
    await serve(EmptyHub(receiver, file), "127.0.0.1", port, stopping)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(_serve(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])))
