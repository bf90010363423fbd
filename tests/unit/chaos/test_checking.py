"""The checker finds what it is there to find: a check that cannot fail proves nothing."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text

from hub import clock, desk
from hub.chaos.books import Book
from hub.chaos.checking import Accepted, Excused, check, restless, unfair
from hub.chaos.plan import LASTS, MOODS, RECEIVERS, draw
from hub.store import Connection
from tests.rig import Rig, order

ONE = Accepted("W1", "2026-11-01T09:00:00Z")
TOML = """
[destinations.keyed]
kind = "http"
url = "https://erp.example.com/documents"
[[routes]]
on = "order"
to = ["keyed"]
"""


@pytest.fixture
async def rig(tmp_path: Path, sqlite_url: str) -> AsyncIterator[Rig]:
    made = Rig(tmp_path, sqlite_url, TOML)
    yield made
    await made.close()


async def delivered(rig: Rig) -> dict[str, Book]:
    """One order that went through, and the receiver's book of it."""
    await rig.push(order("W1"))
    await rig.work()
    body = rig.bodies()[0]
    return {"keyed": Book(effects=[("W1", body["revision"], json.dumps(body, sort_keys=True))])}


async def test_what_is_well_passes(rig: Rig) -> None:
    books = await delivered(rig)
    assert await rig.read(check, [ONE], books) == []
    assert await rig.read(restless) == []


async def test_twice_in_effect_is_found(rig: Rig) -> None:
    books = await delivered(rig)
    books["keyed"].effects *= 2
    (found,) = await rig.read(check, [ONE], books)
    assert found.endswith("took effect twice")


async def test_out_of_order_is_found(rig: Rig) -> None:
    books = await delivered(rig)
    books["keyed"].effects.append(("W1", "2026-11-01T08:59:00.000000Z", "older"))
    (found,) = await rig.read(check, [ONE], books)
    assert "took effect after" in found


async def test_what_was_accepted_and_is_nowhere_is_found(rig: Rig) -> None:
    books = await delivered(rig)
    found = await rig.read(check, [ONE, Accepted("W2", "2026-11-01T09:00:00Z")], books)
    assert [what.partition(":")[0] for what in found] == ["accepted and not stored", "keyed"]


async def test_what_never_arrived_is_found(rig: Rig) -> None:
    await delivered(rig)
    (found,) = await rig.read(check, [ONE], {"keyed": Book()})
    assert "never took effect" in found


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("update deliveries set state = 'dead'", "is dead and has no letter"),
        ("update deliveries set state = 'waiting', due_at = 0", "wait without a date"),
        ("delete from deliveries", "was routed and has no delivery"),
        ("update documents set version = 2", "was routed and has no delivery"),
        ("update messages set state = 'dead'", "is dead and has no letter"),
        ("delete from attempts", "no attempt says how"),
        (
            "insert into attempts select id + 99 + n, delivery_id, n, at, seconds, outcome, status, error, answer,"
            " next_at from attempts, (with recursive many(n) as (select 1 union select n + 1 from many where n < 200)"
            " select n from many)",
            "was tried 201 times",
        ),
        (
            "insert into dead_letter_groups (fingerprint, state, owner, cause, step, channel, destination, title, hint,"
            " sample, alive, total, first_at, last_at, changed_at)"
            " values ('f', 'open', '', '', '', '', '', '', '', 1, 2, 2, 0, 0, 0)",
            "group f counts 2 living letters, and there are 0",
        ),
    ],
)
async def test_what_is_wrong_in_the_store_is_found(rig: Rig, statement: str, words: str) -> None:
    books = await delivered(rig)

    def spoil(connection: Connection) -> None:
        connection.execute(text(statement))

    await rig.run(spoil)
    found = await rig.read(check, [ONE], books)
    assert any(words in what for what in found), found


async def test_what_waits_beyond_its_date_is_told(rig: Rig) -> None:
    await rig.push(order("W1"))
    now = clock.now().timestamp()
    assert await rig.read(unfair, now) == []
    assert await rig.read(unfair, now + 60) == ["1 messages are overdue by 12 s and nobody takes them"]
    await rig.flow.translate()
    assert await rig.read(unfair, now + 60) == ["1 deliveries are overdue by 12 s and nobody takes them"]
    await rig.run(desk.pause, "keyed", "li", "to see")
    assert await rig.read(unfair, now + 60) == []


async def test_whom_a_person_let_off_need_not_arrive(rig: Rig) -> None:
    books = await delivered(rig)
    await rig.push(order("W2", shipping_status="teleported"))
    await rig.work()
    two = Accepted("W2", "2026-11-01T09:00:00Z")
    assert await rig.read(check, [ONE, two], books, Excused(frozenset({"W2"}))) == []


async def test_what_still_moves_is_told(rig: Rig) -> None:
    await rig.push(order("W1"))
    assert await rig.read(restless) == ["1 messages received"]
    await rig.flow.translate()
    assert await rig.read(restless) == ["1 deliveries waiting"]


def test_a_seed_draws_the_same_each_time_and_another_one_something_else() -> None:
    assert draw(7, postgresql=False) == draw(7, postgresql=False)
    assert draw(7, postgresql=False) != draw(8, postgresql=False)


def test_every_fault_is_drawn_sooner_or_later() -> None:
    plans = [draw(seed, postgresql=True) for seed in range(200)]
    assert {spell.mood for plan in plans for spell in plan.spells} == set(MOODS)
    assert {spell.who for plan in plans for spell in plan.spells} == set(RECEIVERS)
    assert {name for plan in plans for faults in plan.processes for name in faults.real()} == {
        "kill",
        "disk_full",
        "clock",
    }
    assert {what for plan in plans for _, what, _ in plan.outside} == {"lock", "database"}
    assert any(plan.kills for plan in plans)
    assert all(0 <= push.at <= LASTS for plan in plans for push in plan.pushes)
