"""Pulling by windows: nothing skipped, nothing stored twice, wherever it is interrupted."""

import asyncio
from collections.abc import Callable, Generator
from datetime import datetime
from typing import Any

import httpx
import pytest

from adapters.port import Page
from hub import pulling
from hub.store import audit, inbox, state, views
from tests.rig import Rig, order
from tests.virtual import virtual

TOML = """
[shops.list]
channel = "generic"
pull = { every = "1h", overlap = "10m", first = "1d" }
[shops.list.source.order]
url = "https://site.example.com/api/orders"
records = "items"
next_cursor = "next"
[destinations.erp]
kind = "http"
url = "https://erp.example.com/documents"
[[routes]]
on = "order"
to = ["erp"]
"""


def site(pages: list[list[dict[str, Any]]], asked: list[httpx.Request]) -> Callable[[httpx.Request], httpx.Response]:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.method != "GET":
            return httpx.Response(200)
        asked.append(request)
        index = int(request.url.params.get("cursor") or 0)
        following = str(index + 1) if index + 1 < len(pages) else None
        return httpx.Response(200, json={"items": pages[index], "next": following})

    return answer


async def pull_all(rig: Rig) -> int:
    shop, settings = rig.hub.shops["list"], rig.hub.config.shops["list"].pull
    assert settings
    total = 0
    while True:
        pulled = await pulling.pull_page(rig.hub.store, rig.http, shop, "order", settings, "")
        if pulled is None or pulled.error:
            return total
        total += pulled.new
        if not pulled.more:
            return total


async def test_pages_are_taken_to_the_end_and_repeats_are_only_counted(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(TOML)
    asked: list[httpx.Request] = []
    rig.answer = site([[order(f"P{n}{i}") for i in range(3)] for n in range(4)], asked)
    assert await pull_all(rig) == 12
    await rig.run(state.keep_pull, "list", "order", due_at=0.0)
    assert await pull_all(rig) == 0
    row = await rig.read(state.pull_state, "list", "order")
    assert (row["records"], row["repeats"], row["cursor"]) == (24, 12, None)
    await rig.work()
    assert len(await rig.read(views.orders, limit=100)) == 12


async def test_a_crash_between_pages_asks_for_the_same_page_of_the_same_window(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(TOML)
    asked: list[httpx.Request] = []
    rig.answer = site([[order("A1")], [order("A2")]], asked)
    shop, settings = rig.hub.shops["list"], rig.hub.config.shops["list"].pull
    assert settings
    first = await pulling.pull_page(rig.hub.store, rig.http, shop, "order", settings, "")
    assert first is not None
    assert first.more
    before = await rig.read(state.pull_state, "list", "order")
    await rig.run(state.keep_pull, "list", "order", lease_until=9e12, lease_owner="dead", due_at=0.0)
    assert await pulling.pull_page(rig.hub.store, rig.http, shop, "order", settings, "") is None
    await rig.run(state.drop_pull_leases)
    assert await pull_all(rig) == 1
    assert before["cursor"] == "1"
    assert (await rig.read(state.pull_state, "list", "order"))["reached"] == before["window_end"]


async def test_trouble_moves_nothing_and_is_tried_again_later(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(TOML)
    rig.answer = lambda _r: httpx.Response(503, headers={"Retry-After": "77"})
    assert await pull_all(rig) == 0
    row = await rig.read(state.pull_state, "list", "order")
    assert row["failures"] == 1
    assert row["reached"] is None
    assert 70 < row["due_at"] - row["updated_at"] < 80
    asked: list[httpx.Request] = []
    rig.answer = site([[order("B1")]], asked)
    await rig.run(state.keep_pull, "list", "order", due_at=0.0)
    assert await pull_all(rig) == 1


async def test_refused_credentials_pause_the_pull_and_nothing_else(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(TOML)
    rig.answer = lambda _r: httpx.Response(401)
    for _ in range(2):
        await pull_all(rig)
        await rig.run(state.keep_pull, "list", "order", due_at=0.0)
    assert (await rig.read(state.pull_state, "list", "order"))["paused"]
    assert [a["act"] for a in await rig.read(audit.entries)] == ["pull.paused"]
    await rig.push(order())
    assert len(await rig.run(inbox.claim, inbox.RECEIVED, 10, 9e12, 1.0, "x")) == 1


class Broken:
    """An adapter with a mistake of its own."""

    def pull(self, *_: Any) -> Generator[httpx.Request, httpx.Response, Page]:
        yield httpx.Request("GET", "https://site.example.com/api/orders")
        raise KeyError("orders")


async def test_an_adapter_s_own_mistake_is_shown_and_pauses_the_pull(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(TOML)
    adapter: Any = Broken()
    rig.hub.shops["list"].channel = adapter
    for _ in range(3):
        await pull_all(rig)
        await rig.run(state.keep_pull, "list", "order", due_at=0.0)
    row = await rig.read(state.pull_state, "list", "order")
    assert (row["failures"], row["error"]) == (3, "hub.internal: KeyError: 'orders'")
    assert row["paused"] == row["error"]


@pytest.mark.parametrize("pull_first", [True, False])
async def test_push_and_pull_of_one_order_are_one_delivery(make_rig: Callable[..., Rig], pull_first: bool) -> None:
    rig = make_rig(TOML)
    asked: list[httpx.Request] = []
    rig.answer = site([[order("C1", minute=5)]], asked)

    async def push() -> None:
        await rig.push(order("C1", minute=5), shop="site")

    # One shop that pushes and pulls: its pushes come in under the same name.
    rig.hub.shops["site"].name = "list"
    steps = [lambda: pull_all(rig), push] if pull_first else [push, lambda: pull_all(rig)]
    for step in steps:
        await step()
        await rig.work()
    posts = [r for r in rig.seen if r.method == "POST"]
    assert len(posts) == 1
    assert await rig.balances()


@virtual
async def test_the_window_ends_in_the_past_and_reaches_back_over_the_one_before(make_rig: Callable[..., Rig]) -> None:
    more = 'next_cursor = "next"\nsince_param = "since"\nuntil_param = "until"'
    rig = make_rig(TOML.replace('next_cursor = "next"', more))
    asked: list[httpx.Request] = []
    rig.answer = site([[]], asked)
    await pull_all(rig)
    await asyncio.sleep(60)
    await rig.run(state.keep_pull, "list", "order", due_at=0.0)
    await pull_all(rig)

    def at(request: httpx.Request, name: str) -> float:
        return datetime.fromisoformat(request.url.params[name].replace("Z", "+00:00")).timestamp()

    first, second = asked
    row = await rig.read(state.pull_state, "list", "order")
    assert at(first, "until") < row["updated_at"] - 1
    assert abs(at(first, "until") - at(second, "since") - 600) < 2
