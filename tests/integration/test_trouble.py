"""The store's own trouble is nobody's fault: nothing dies of a full disk, and nothing has to be sent again by hand."""

import contextlib
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, exc, text
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from hub import clock, pulling
from hub.config import Pull
from hub.flow import TRIES
from hub.store import StoreError, StoreTrouble, views
from tests.integration.market import Market
from tests.integration.test_awkward import PAID
from tests.integration.test_dispatch import until, working
from tests.rig import ONE, Rig, order
from tests.virtual import passes, virtual

FULL = OperationalError("commit", None, sqlite3.OperationalError("database or disk is full"))


@contextlib.contextmanager
def failing_commits(well: int, ill: int, error: Exception = FULL) -> Iterator[list[int]]:
    """So many commits go through, then so many do not; yields the numbers of those that did not."""
    done, refused = 0, []

    def commit(_: Any) -> None:
        nonlocal done
        done += 1
        if well < done <= well + ill:
            refused.append(done)
            raise error

    event.listen(Engine, "commit", commit)
    try:
        yield refused
    finally:
        event.remove(Engine, "commit", commit)


@contextlib.contextmanager
def failing_statements(breaks: Callable[[str, str], Exception | None]) -> Iterator[list[Exception]]:
    """Statements for which `breaks` (of their text and their parameters' text) gives an error raise it."""
    raised: list[Exception] = []

    def execute(_c: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: Any) -> None:
        error = breaks(statement, str(parameters))
        if error is not None:
            raised.append(error)
            raise error

    event.listen(Engine, "before_cursor_execute", execute)
    try:
        yield raised
    finally:
        event.remove(Engine, "before_cursor_execute", execute)


@pytest.fixture
async def market(tmp_path: Path, store_url: str) -> AsyncIterator[Market]:
    market = Market(tmp_path, store_url, ONE + '\n[shops.taobao.pull]\nlimit = "100/s"\n')
    yield market
    await market.close()


@pytest.mark.parametrize("well", range(1, 5))
async def test_whichever_write_fails_orders_go_through_and_none_is_sent_twice(rig: Rig, well: int) -> None:
    for name in ("W1", "W2", "W3"):
        await rig.push(order(name))
    with failing_commits(well - 1, 2) as refused:
        for _ in range(4):
            with contextlib.suppress(StoreError):
                await rig.work()
    assert refused == [well, well + 1]
    assert sorted(body["order_no"] for body in rig.bodies()) == ["W1", "W2", "W3"]
    assert await rig.states() == ["delivered"] * 3
    assert await rig.open_letters() == []
    assert await rig.balances()


async def test_a_push_that_is_not_on_disk_is_not_accepted(rig: Rig) -> None:
    with failing_commits(0, 1), pytest.raises(StoreError):
        await rig.push(order())
    assert await rig.read(views.message_states) == []
    assert (await rig.push(order())).status == 200
    await rig.work()
    assert await rig.states() == ["delivered"]


async def test_a_record_that_could_not_be_asked_for_is_asked_for_later(market: Market) -> None:
    step = PAID["taobao"](market.book("taobao"))
    market.show("taobao", step)
    await market.tell("taobao", step)
    with failing_commits(1, 1) as refused, pytest.raises(StoreError):
        await market.flow.fetch()
    assert refused, "the budget of the shop is kept in the store"
    assert await market.open_letters() == []
    assert [row["state"] for row in await market.read(views.message_states)] == ["fetch"]


async def worked_on(rig: Rig, times: int = 4) -> None:
    """Work as the loops do, which outlive the store's trouble."""
    for _ in range(times):
        with contextlib.suppress(StoreTrouble):
            await rig.work()


BROKEN = {
    "connection closed": exc.InterfaceError("commit", None, Exception("the connection is closed")),
    "malformed": exc.DatabaseError("commit", None, sqlite3.DatabaseError("database disk image is malformed")),
    "cut off": exc.DBAPIError("commit", None, Exception("server closed"), connection_invalidated=True),
    "disconnected": exc.DisconnectionError("the connection was lost"),
    "not rolled back": exc.PendingRollbackError("roll back first"),
    "no connection free": exc.TimeoutError("QueuePool limit"),
}


@pytest.mark.parametrize("what", BROKEN)
async def test_no_trouble_of_the_store_is_an_order_s_fault(rig: Rig, what: str) -> None:
    await rig.push(order())
    with failing_commits(1, 5, BROKEN[what]) as refused:
        await worked_on(rig)
        assert await rig.states() == []
        assert await rig.open_letters() == []
        assert rig.hub.store.health.trouble
    assert len(refused) >= 3
    await rig.work()
    assert await rig.states() == ["delivered"]
    assert await rig.balances()


def documents_of(number: str, error: Exception, times: int) -> Callable[[str, str], Exception | None]:
    """The order cannot be stored, so many times."""
    left = [error] * times

    def breaks(statement: str, parameters: str) -> Exception | None:
        fits = "INSERT INTO documents" in statement and number in parameters
        return left.pop() if fits and left else None

    return breaks


async def test_an_error_that_nobody_knows_is_tried_again_before_it_is_an_order_s_fault(rig: Rig) -> None:
    for name in ("W1", "W2", "W3"):
        await rig.push(order(name))
    with failing_statements(documents_of("W2", RuntimeError("once"), TRIES)) as raised:
        await rig.work()
    assert len(raised) == TRIES, "in the batch, alone, alone once more; then it goes through"
    assert await rig.states() == ["delivered"] * 3
    assert await rig.open_letters() == []


@pytest.mark.parametrize("error", [RuntimeError("always"), exc.IntegrityError("insert", None, Exception("not unique"))])
async def test_an_order_that_alone_cannot_be_stored_is_a_letter_and_holds_up_no_other(
    rig: Rig, error: Exception
) -> None:
    for name in ("W1", "W2", "W3"):
        await rig.push(order(name))
    with failing_statements(documents_of("W2", error, 99)) as raised:
        await rig.work()
    assert len(raised) == TRIES + 1
    assert await rig.states() == ["delivered"] * 2
    (letter,) = await rig.open_letters()
    assert (letter["cause"], letter["subject"]) == ("hub.internal", "W2")


async def test_an_unknown_error_of_a_store_that_cannot_write_is_the_store_s(rig: Rig) -> None:
    await rig.push(order())

    def breaks(statement: str, _: str) -> Exception | None:
        if "INSERT INTO documents" in statement:
            return RuntimeError("nobody knows this one")
        return FULL if "alembic_version" in statement else None

    with failing_statements(breaks) as raised:
        await worked_on(rig)
    assert len(raised) >= 4
    assert await rig.open_letters() == []
    await rig.work()
    assert await rig.states() == ["delivered"]


@pytest.mark.parametrize(
    ("error", "cause"), [(FULL, ""), (exc.ProgrammingError("select", None, Exception("once")), "config.no_version")]
)
async def test_a_version_that_cannot_be_read_now_is_read_later(rig: Rig, error: Exception, cause: str) -> None:
    await rig.push(order())
    await rig.run(lambda c: c.execute(text("update messages set mapping_version = 'generic/order@1'")))
    left = [error]
    with failing_statements(lambda _, given: left.pop() if left and "order@1" in given else None):
        with contextlib.suppress(StoreTrouble):
            await rig.flow.translate()
        assert not left
    assert [letter["cause"] for letter in await rig.open_letters()] == ([cause] if cause else [])


@pytest.mark.parametrize(("times", "letters"), [(1, []), (99, ["hub.internal"])])
async def test_a_record_that_cannot_be_stored_is_asked_for_again(
    market: Market, times: int, letters: list[str]
) -> None:
    step = PAID["taobao"](market.book("taobao"))
    market.show("taobao", step)
    await market.tell("taobao", step)
    left = [exc.DataError("insert", None, Exception("no such text"))] * times

    def breaks(statement: str, parameters: str) -> Exception | None:
        fits = "INSERT INTO messages" in statement and "pull" in parameters
        return left.pop() if fits and left else None

    with failing_statements(breaks):
        for _ in range(4):
            await market.flow.fetch()
            await market.later(30)
    assert [letter["cause"] for letter in await market.open_letters()] == letters
    await market.work()
    assert await market.states() == ["delivered"] * (1 - len(letters))


async def test_a_pull_goes_on_at_once_when_the_store_is_well_again(market: Market) -> None:
    step = PAID["taobao"](market.book("taobao"))
    market.show("taobao", step)
    hub = market.hub
    pulled = (hub.store, market.http, hub.shops["taobao"], "order", Pull(), "")
    with failing_commits(1, 2) as refused:
        for _ in range(2):
            with pytest.raises(StoreTrouble):
                await pulling.pull_page(*pulled)
    assert len(refused) == 2
    page = await pulling.pull_page(*pulled)
    assert page is not None, "its own lease does not keep a process out"
    assert page.new == 1
    with failing_statements(
        lambda said, _: exc.DataError("", None, Exception("no")) if "INSERT INTO messages" in said else None
    ):
        now = clock.now().timestamp()
        await market.run(pulling.span, "taobao", "order", now - 3600, now)
        page = await pulling.pull_page(*pulled)
    assert page is not None
    assert "cannot be stored" in page.error


@virtual
async def test_the_loops_outlive_it_without_tracebacks_and_say_once_what_it_is(rig: Rig) -> None:
    with capture_logs() as logged:
        async with working(rig):
            await rig.push(order())
            await until(rig, "delivered")
            with failing_commits(0, 8) as refused:
                with pytest.raises(StoreTrouble):
                    await rig.push(order("W2"))
                for _ in range(200):
                    if len(refused) == 8:
                        break
                    await passes(0.05)
            assert len(refused) == 8, "the loops try again"
            await rig.push(order("W2"))
            await until(rig, "delivered", "delivered")
    assert [entry["event"] for entry in logged if entry.get("exc_info")] == []
    (told,) = [entry for entry in logged if entry["event"] == "store.trouble"]
    assert (told["log_level"], told["why"]) == ("warning", "database or disk is full")
    assert await rig.open_letters() == []
