"""Virtual time: an hour passes at once, the hub's clocks go with it, and it is the same each time."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from hub import clock
from hub.host import HOST
from hub.store.engine import Store, moment
from tests.virtual import EPOCH, LIMIT, passes, virtual


@pytest.fixture
async def made() -> AsyncIterator[asyncio.Event]:
    """An event whose fixture is asynchronous, on a loop of its own."""
    loop = asyncio.get_running_loop()
    yield asyncio.Event()
    await asyncio.sleep(0)
    assert asyncio.get_running_loop() is loop


@virtual
async def test_all_clocks_go_together() -> None:
    before, tick, began = clock.now(), clock.tick(), asyncio.get_running_loop().time()
    assert before == clock.system() == EPOCH
    await asyncio.sleep(1800)
    assert clock.now() - before == timedelta(seconds=1800)
    assert clock.tick() - tick == asyncio.get_running_loop().time() - began == 1800


@virtual
async def test_limits_end_what_waits_for_longer() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(60):
            await asyncio.sleep(61)
    assert clock.now() == EPOCH + timedelta(seconds=60)


@pytest.mark.parametrize("seconds", [1, 2])
@virtual
async def test_fixtures_and_parameters_come_as_ever(made: asyncio.Event, seconds: int) -> None:
    asyncio.get_running_loop().call_later(seconds, made.set)
    await made.wait()
    assert clock.now() == EPOCH + timedelta(seconds=seconds)


def test_a_test_leaves_the_real_clock_as_it_was() -> None:
    host = HOST.get()
    before = host.agreed

    @virtual
    async def ahead() -> None:
        clock.agree(clock.now() + timedelta(days=300))

    ahead()
    assert HOST.get() is host
    assert host.agreed is before


def outcomes() -> list[tuple[str, float]]:
    """Three that wait and draw, in the order in which they end."""
    found: list[tuple[str, float]] = []

    async def one(name: str, seconds: float) -> None:
        await passes(seconds)
        await asyncio.to_thread(lambda: found.append((name + HOST.get().random_bytes(2).hex(), clock.tick())))

    @virtual
    async def all_of_them() -> None:
        await asyncio.gather(one("a", 0.2), one("b", 0.1), one("c", 0.1))

    all_of_them()
    return found


def test_it_is_the_same_each_time() -> None:
    assert [name[0] for name, _ in outcomes()] == ["b", "c", "a"]
    assert outcomes() == outcomes()


def test_what_goes_wrong_in_it_comes_out() -> None:
    @virtual
    async def wrong() -> None:
        await asyncio.sleep(1)
        raise KeyError("seen")

    with pytest.raises(KeyError, match="seen"):
        wrong()


def test_who_waits_for_what_never_comes_is_told_at_once() -> None:
    async def polls() -> None:
        while True:
            await passes(LIMIT / 10)

    async def waits() -> None:
        await asyncio.Event().wait()

    for forever in (polls, waits):
        with pytest.raises(TimeoutError):
            virtual(forever)()


def test_a_helper_that_waits_refuses_to_do_so_for_real() -> None:
    with pytest.raises(RuntimeError, match="@virtual"):
        asyncio.run(passes(1))

    @virtual
    async def allowed() -> None:
        await passes(1)
        assert clock.now() == EPOCH + timedelta(seconds=1)

    allowed()


@virtual
async def test_the_database_goes_by_it_too(store_url: str) -> None:
    store = Store(store_url)
    first = await store.run(moment, clock.now().timestamp())
    await asyncio.sleep(600)
    assert await store.read(moment, clock.now().timestamp()) - first == pytest.approx(600, abs=0.1)
    store.close()
