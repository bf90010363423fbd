"""A machine whose clock ran ahead and is set back: nothing waits for the hours that it was ahead."""

import asyncio
from datetime import timedelta
from pathlib import Path

import httpx

from hub import clock
from hub.store import Connection, setback, state, views
from hub.workers import Workers
from tests.integration.test_dispatch import until, working
from tests.rig import Rig, order
from tests.virtual import virtual

AHEAD = timedelta(hours=8)
TOML = """
[destinations.erp]
kind = "http"
url = "https://erp.example.com/documents"
retry = { first = "2s", factor = 1, jitter = 0 }
breaker = { failures = 0.5, over = "60s", at_least = 2, open_for = "1s" }
[[routes]]
on = "order"
to = ["erp"]
"""


def run_ahead() -> None:
    clock.agree(clock.system() + AHEAD)


def set_back() -> None:
    clock.agree(clock.system())


@virtual
async def test_after_a_restart_nothing_waits_for_the_clock(tmp_path: Path) -> None:
    run_ahead()
    rig = Rig(tmp_path, "sqlite:///hub.db", TOML)
    rig.answer = lambda _request: httpx.Response(503)
    await rig.push(order("W1"))
    await rig.push(order("W2"))
    await rig.work()
    await rig.push(order("W3"))
    await rig.flow.translate()
    await rig.push(order("W4"))
    set_back()
    assert await rig.states() == ["waiting"] * 3
    Workers(rig.hub, rig.flow, rig.http).take_over()
    rig.answer = lambda _request: httpx.Response(200)
    for _ in range(3):
        await asyncio.sleep(1.2)  # the breaker's second, and the two of the retry
        await rig.work()
    assert await rig.states() == ["delivered"] * 4
    await rig.close()


@virtual
async def test_a_process_that_runs_notices(tmp_path: Path) -> None:
    run_ahead()
    rig = Rig(tmp_path, "sqlite:///hub.db", TOML)
    async with working(rig):
        rig.answer = lambda _request: httpx.Response(503)
        await rig.push(order("W1"))
        await rig.push(order("W2"))
        for _ in range(100):
            (row,) = await rig.read(state.destinations_of, ["erp"])
            if state.circuits_of(row):
                break
            await asyncio.sleep(0.05)
        set_back()
        rig.answer = lambda _request: httpx.Response(200)
        await until(rig, "delivered", "delivered")
    assert await rig.read(views.message_states)
    await rig.close()


@virtual
async def test_pulls_begin_where_they_were_by_the_clock_that_is_right(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "sqlite:///hub.db", TOML)
    now, ahead = clock.now().timestamp(), AHEAD.total_seconds()

    def pulled_ahead(connection: Connection) -> None:
        state.pull_state(connection, "site", "order")
        values = {"reached": now + ahead - 5, "window_start": now - 60, "window_end": now + ahead - 2}
        state.keep_pull(connection, "site", "order", **values)

    await rig.run(pulled_ahead)
    await rig.run(setback.take_off, ahead, now)
    (pull,) = await rig.read(views.pull_states)
    assert (pull["reached"] - now, pull["window_start"] - now, pull["window_end"] - now) == (-5, -60, 0)
    await rig.close()
