"""`hub bench backlog`: what a million dead letters and a million waiting deliveries cost in memory and in time.

The store is filled directly, then a hub process works on it: live orders flow to one destination while the backlog of
another one, whose breaker is forced open, waits. Memory is what the kernel tells of the process, above that of the same
process on an empty store.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import aiohttp

from dlq import DeadLetter, Step, groups, shelf
from hub import clock, desk
from hub.bench import flow
from hub.processes import free_port, running
from hub.store import Connection, Store, inbox, outbox, views

PART = 5000
LIVE = 300
"""Live orders that flow while the backlog waits."""


@dataclass(slots=True)
class Figures:
    """Memory in MiB, pages in milliseconds (the slowest of several, deep ones among them)."""

    rows: int
    idle_mib: float
    loaded_mib: float
    above_idle_mib: float
    letters_page_ms: float
    groups_page_ms: float
    deliveries_page_ms: float
    delivered: int
    fill_s: float

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {name: round(value, 2) for name, value in asdict(self).items()}


def backlog(rows: int, tell: Callable[[str], None]) -> Figures:
    """Fill, run, measure."""
    with tempfile.TemporaryDirectory(prefix="hub-bench-") as name:
        folder = Path(name)
        idle, _ = _run(folder / "empty", 0, tell)
        started = time.perf_counter()
        store = _store(folder / "full")
        _fill(store, rows, tell)
        filled = time.perf_counter() - started
        pages = {what: _slowest(store, page, rows) for what, page in _PAGES.items()}
        store.close()
        loaded, delivered = _run(folder / "full", LIVE, tell)
        return Figures(
            rows, idle, loaded, loaded - idle, pages["letters"], pages["groups"], pages["deliveries"], delivered, filled
        )


def _store(folder: Path) -> Store:
    folder.mkdir(exist_ok=True)
    store = Store(f"sqlite:///{folder}/bench.db")
    store.prepare()
    return store


def _fill(store: Store, rows: int, tell: Callable[[str], None]) -> None:
    packed, now = inbox.compress(b'{"order_no": "B", "lines": []}' * 20), clock.now().timestamp()
    for first in range(0, rows, PART):
        numbers = range(first, min(first + PART, rows))
        with store.begin() as connection:
            shelf.put(connection, list(_letters(numbers)), now)
            outbox.enqueue(connection, list(_deliveries(numbers, packed, now)), frozenset(), now)
        if first and first % 100_000 == 0:
            tell(f"{first} of {rows} letters and deliveries")
    with store.begin() as connection:
        desk.force_breaker(connection, "d1", "open", "bench")


def _letters(numbers: Iterable[int]) -> Iterator[DeadLetter]:
    for n in numbers:
        words: dict[str, Any] = {
            "shop": "bench",
            "channel": "generic",
            "kind": "order",
            "key": f"L{n}",
            "subject": f"L{n}",
        }
        yield DeadLetter(
            tenant="default", step=Step.MAP, cause="mapping.unknown_word", title=f"word {n % 500} is unknown",
            message_id=10**9 + n, fingerprint=f"{n % 500:016x}", currency="CNY", stake=10_000, **words,
        )  # fmt: skip


def _deliveries(numbers: Iterable[int], packed: bytes, now: float) -> Iterator[dict[str, Any]]:
    for n in numbers:
        yield {
            "tenant": "default", "destination": "d1", "kind": "order", "shop": "bench", "channel": "generic",
            "key": f"Q{n}", "subject": f"Q{n}", "lane": f"lane-{n}", "sequence": 1, "revision": "1", "document_id": n,
            "message_id": 10**9 + n, "body": packed, "idempotency_key": f"key-{n}", "due_at": now,
            "accepted_at": now, "created_at": now,
        }  # fmt: skip


Page = Callable[[Connection, int], Any]
_PAGES: dict[str, Page] = {
    "letters": lambda connection, at: shelf.find(connection, before=at + 1, limit=50),
    "groups": lambda connection, at: groups.find(connection, after=f"{max(at, 1)}-{0:016x}", limit=50),
    "deliveries": lambda connection, at: views.deliveries_list(connection, destination="d1", before=at + 1, limit=50),
}


def _slowest(store: Store, page: Page, rows: int) -> float:
    times = []
    with store.look() as connection:
        for part in (1.0, 0.75, 0.5, 0.25, 0.01):
            started = time.perf_counter()
            page(connection, int(rows * part))
            times.append((time.perf_counter() - started) * 1000)
    return max(times)


def _run(folder: Path, orders: int, tell: Callable[[str], None]) -> tuple[float, int]:
    """A hub process on the store of a folder, with live orders to d0; its memory and how many were delivered."""
    folder.mkdir(exist_ok=True)
    receiver, port = free_port(), free_port()
    store = f"sqlite:///{folder}/bench.db"
    config = flow.write_config(folder, store, port, receiver, 2, routed=1, backlog=10**9)
    with (
        running([sys.executable, "-m", "hub.bench.flow", str(receiver)], folder / "receiver.log", receiver),
        running([sys.executable, "-m", "hub", "run", "-c", str(config)], folder / "hub.log", port) as process,
    ):
        taken = 0
        if orders:
            taken = asyncio.run(_flow(orders, port, receiver, tell))
        time.sleep(3)  # for what goes on beside the orders: sweeps, drift, alerts
        return flow.peak_mib(process.pid), taken


async def _flow(orders: int, port: int, receiver: int, tell: Callable[[str], None]) -> int:
    loaded = await flow.load(range(orders), 1, port, receiver, tell)
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{receiver}/report") as answer:
        return int((await answer.json())["taken"]) if loaded else 0
