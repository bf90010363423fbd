"""No step of the hot path, and no loop beside it, reads a whole table: neither store would bear a year of orders."""

import asyncio
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from sqlalchemy import Connection, Engine, event

from dlq import shelf
from hub import alerting, clock, desk, erasure, replaying, workers
from hub.store import gauges, outbox
from hub.workers import Workers
from tests.rig import Rig, order
from tests.virtual import virtual

LARGE = ("messages", "documents", "deliveries", "attempts", "dead_letters", "people")
TO_ALL = """
[destinations.erp]
kind = "http"
url = "https://erp.example.com/documents"
retry = { first = "1s", factor = 1, jitter = 0 }
[destinations.wms]
kind = "http"
url = "https://wms.example.com/documents"
sequence = "latest"
[[routes]]
on = "order"
to = ["erp", "wms"]
"""


@contextmanager
def watched() -> Iterator[dict[str, set[str]]]:
    """Statement to the large tables that it would read from end to end, of all that run meanwhile."""
    found: dict[str, set[str]] = {}
    asked: set[str] = set()

    def look(connection: Connection, _cursor: Any, statement: str, values: Any, _context: Any, many: bool) -> None:
        verb = statement.lstrip()[:6].lower()
        if statement in asked or verb not in ("select", "update", "delete", "insert"):
            return
        asked.add(statement)
        one = values[0] if many else values
        if large := set(_read_whole(connection, statement, one)):
            found[statement] = large

    event.listen(Engine, "before_cursor_execute", look)
    try:
        yield found
    finally:
        event.remove(Engine, "before_cursor_execute", look)


def _read_whole(connection: Connection, statement: str, values: Any) -> Iterator[str]:
    cursor = connection.connection.cursor()
    if connection.dialect.name == "sqlite":
        cursor.execute(f"explain query plan {statement}", values)
        lines = [row[3] for row in cursor.fetchall()]
        # A covering index that is partial holds what is unfinished; one over all rows would be named the same.
        scans = [re.match(r"SCAN (\w+)(?: USING (?:COVERING )?INDEX (\w+))?", line) for line in lines]
        if not re.search(r"\b(limit|group by)\b", statement, re.I):  # pages and counts may go through all that are open
            scans += [re.match(r"SEARCH (dead_letters) USING INDEX \w+ \(state=\?\)()", line) for line in lines]
    else:
        cursor.execute("set local enable_seqscan = off")  # so that a plan has a scan only where there is no other way
        cursor.execute(f"explain {statement}", values)
        lines = [row[0] for row in cursor.fetchall()]
        scans = [re.search(r"Seq Scan on (\w+)()", line) for line in lines]
    for scan in filter(None, scans):
        if scan[1] in LARGE and not (scan[2] or "").endswith(("_pending", "_pending_of_kind", "_alive", "_by_key")):
            yield scan[1]


async def test_no_step_reads_a_whole_table(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(TO_ALL)
    with watched() as scans:
        for number in range(3):
            await rig.push(order(f"W{number}"))
        await rig.push(order("W0"))
        rig.answer = lambda _r: httpx.Response(503)
        await rig.push({"order_no": "broken"})
        await rig.work()
        await rig.push(order("W1", minute=5))
        await rig.push(order("W2", minute=5))
        await rig.work()
        rig.answer = lambda _r: httpx.Response(422)
        await rig.later(2)
        await rig.work()
        letters = await rig.open_letters()
        await rig.run(desk.replay, [letter["id"] for letter in letters], "kim")
        rig.answer = lambda _r: httpx.Response(200)
        await rig.work()
    assert letters
    assert "delivered" in await rig.states()
    assert scans == {}, "\n".join(scans)


@virtual
async def test_no_loop_reads_a_whole_table(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(TO_ALL + '[retention]\nraw = "1d"\nattempts = "1d"\ndocuments = "1d"\n')
    await rig.push(order())
    await rig.work()
    now = clock.now().timestamp()
    with watched() as scans:
        running = Workers(rig.hub, rig.flow, rig.http)
        task = asyncio.create_task(running.run())
        await asyncio.sleep(1.0)
        running.stopping.set()
        await task
        for store_work in (gauges.waiting_deliveries, gauges.waiting_messages, gauges.open_letters):
            await rig.read(store_work)
        await rig.read(gauges.unfinished, 1000)
        await rig.read(outbox.next_due, now)
        await rig.read(shelf.find)
        await rig.run(workers.sweep, now, rig.hub.config.timeouts, workers.Held(frozenset({1}), "me", 30.0))
        await rig.run(replaying.turn, "me")
        for days in (0, 7):  # nothing is old, then everything
            await rig.run(erasure.tidy, rig.hub.config.retention, now + days * 86400)
        await rig.run(alerting.gather, rig.hub.config.alerts, ["chat"], now)
    assert scans == {}, "\n".join(scans)
