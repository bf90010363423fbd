"""`hub bench replay`: what a large replay does to the orders of the day.

The store is filled with dead letters of the destination that live orders go to as well. Live orders flow at a steady
rate, by turns without the replay and with it: in the same process, so that a noisy machine is noisy to both.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dlq import DeadLetter, Step, replay, shelf
from hub import clock, replaying
from hub.bench import flow
from hub.processes import free_port, running
from hub.store import Connection, Store, history, inbox, outbox, views

PART = 5000
ROUNDS = 3
SETTLE = 3.0
"""Seconds after a pause in which what was under way ends: the next round starts without it."""


@dataclass(slots=True)
class Figures:
    """Latency of live orders in milliseconds, accepted to delivered, without a replay and beside it."""

    letters: int
    live_per_s: float
    replayed_per_s: float
    alone_p50_ms: float
    alone_p99_ms: float
    beside_p50_ms: float
    beside_p99_ms: float
    p99_moved: float
    lost: int

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {name: round(value, 3) for name, value in asdict(self).items()}


def measure(letters: int, rate: float, seconds: float, pace: float | None, tell: Callable[[str], None]) -> Figures:
    """Fill, run, measure. `rate`: live orders a second; `pace`: letters a second, None for as fast as they go."""
    with tempfile.TemporaryDirectory(prefix="hub-bench-") as name:
        folder = Path(name)
        store = Store(f"sqlite:///{folder}/bench.db")
        store.prepare()
        try:
            _fill(store, letters, tell)
            with store.begin() as connection:
                job = replaying.plan(connection, {}, "bench", rate=pace, ramp=[100])["id"]
            receiver, port = free_port(), free_port()
            config = flow.write_config(folder, store.url, port, receiver, 1)
            with (
                running([sys.executable, "-m", "hub.bench.flow", str(receiver)], folder / "receiver.log", receiver),
                running([sys.executable, "-m", "hub", "run", "-c", str(config)], folder / "hub.log", port),
            ):
                return _rounds(store, job, letters, rate, seconds, port, tell)
        finally:
            store.close()


def _rounds(
    store: Store, job: int, letters: int, rate: float, seconds: float, port: int, tell: Callable[[str], None]
) -> Figures:
    count, sent = int(rate * seconds), 0
    alone: list[float] = []
    beside: list[float] = []
    replayed, lost = 0, 0

    def live() -> list[float]:
        nonlocal sent, lost
        with store.look() as connection:
            first = history.newest_delivery(connection)
        asyncio.run(flow.send(range(sent, sent + count), f"http://127.0.0.1:{port}/hooks/bench", rate))
        sent += count
        deadline, found = time.perf_counter() + flow.DRAIN_WITHIN, list[float]()
        while len(found) < count and time.perf_counter() < deadline:
            time.sleep(0.2)
            with store.look() as connection:
                found = views.latencies(connection, after=first)
        lost += count - len(found)
        return found

    live()  # warms up
    for number in range(ROUNDS):
        alone += live()
        with store.begin() as connection:
            replaying.start(connection, job, "bench")
        before = _through(store, job)
        beside += live()
        replayed += _through(store, job) - before
        with store.begin() as connection:
            replaying.pause(connection, job, "bench")
        time.sleep(SETTLE)
        tell(f"round {number + 1} of {ROUNDS}: {replayed} letters replayed")
    without, with_ = sorted(alone), sorted(beside)
    p99 = flow.percentile(without, 99), flow.percentile(with_, 99)
    return Figures(
        letters, rate, replayed / ROUNDS / seconds,
        flow.percentile(without, 50) * 1000, p99[0] * 1000, flow.percentile(with_, 50) * 1000, p99[1] * 1000,
        p99[1] / p99[0] - 1, lost,
    )  # fmt: skip


def _through(store: Store, job: int) -> int:
    with store.look() as connection:
        return replay.counts(connection, job).get(replay.Item.WENT_THROUGH, 0)


def _fill(store: Store, letters: int, tell: Callable[[str], None]) -> None:
    now = clock.now().timestamp()
    for first in range(0, letters, PART):
        numbers = range(first, min(first + PART, letters))
        with store.begin() as connection:
            _bury(connection, numbers, now)
        if first and first % 20_000 == 0:
            tell(f"{first} of {letters} letters")


def _bury(connection: Connection, numbers: range, now: float) -> None:
    """Deliveries that the destination refused, with their letters."""
    rows = []
    for n in numbers:
        body = b'{"order_no": "R%d", "revision": "2026-11-01T00:00:00Z"}' % n
        rows.append(
            {
                "tenant": "default", "destination": "d0", "kind": "order", "shop": "bench", "channel": "generic",
                "key": f"R{n}", "subject": f"R{n}", "lane": f"lane-{n}", "sequence": 1, "revision": "1",
                "document_id": 10**9 + n, "message_id": 10**9 + n, "body": inbox.compress(body),
                "idempotency_key": f"key-{n}", "due_at": now, "accepted_at": now, "created_at": now,
            }
        )  # fmt: skip
    outbox.enqueue(connection, rows, frozenset(), now)
    taken = outbox.claim(connection, "d0", outbox.WAITING, len(rows), now, inbox.Hold("bench", 60.0))
    dead = [outbox.Outcome(r["id"], r["lane"], outbox.DEAD, now, 0.0, r["attempts"], "refused", 422) for r in taken]
    outbox.record(connection, dead, "bench")
    ids = [row["id"] for row in taken]
    words: dict[str, Any] = {"tenant": "default", "shop": "bench", "channel": "generic", "kind": "order"}
    found = [
        DeadLetter(
            step=Step.SEND, cause="delivery.refused", title="HTTP 422", key=f"R{i}", subject=f"R{i}", destination="d0",
            message_id=10**9 + i, delivery_id=i, fingerprint="b" * 16, currency="CNY", stake=10_000, **words,
        )
        for i in ids
    ]  # fmt: skip
    shelf.put(connection, found, now)
