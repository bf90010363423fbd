"""From a push to a destination and back, on SQLite and on PostgreSQL."""

import asyncio
import random
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from dlq import groups, shelf
from hub import desk
from hub.store import state, views
from tests.rig import ONE, Rig, order


async def test_a_pushed_order_reaches_its_destination_once(rig: Rig) -> None:
    reply = await rig.push(order())
    assert reply.status == 200
    await rig.work()
    assert await rig.states() == ["delivered"]
    sent = rig.bodies()[0]
    assert (sent["schema"], sent["order_no"], sent["shop"]) == ("order/1", "W1001", "site")
    assert sent["shippable"] is True
    assert await rig.balances()


async def test_the_same_push_fifty_times_at_once_is_one_delivery(rig: Rig) -> None:
    replies = await asyncio.gather(*(rig.push(order()) for _ in range(50)))
    assert {r.status for r in replies} == {200}
    await rig.work()
    assert len(rig.seen) == 1
    story = await rig.read(views.trace, "W1001")
    ignored = [m for m in story["messages"] if m["state"] == "ignored"]
    assert len(story["messages"]) == 50
    assert {m["reason"] for m in ignored} == {"duplicate"}
    assert {m["same_as"] for m in ignored} == {story["messages"][0]["id"]}
    assert await rig.balances()


async def test_messages_in_any_order_end_in_the_newest_state(rig: Rig) -> None:
    changes = [order(minute=m, note=f"note {m}") for m in range(8)]
    random.Random(7).shuffle(changes)
    for change in changes:
        await rig.push(change)
        await rig.work()
    revisions = [body["revision"] for body in rig.bodies()]
    assert revisions == sorted(revisions)
    assert rig.bodies()[-1]["buyer_note"] == "note 7"
    story = await rig.read(views.trace, "W1001")
    stale = [m for m in story["messages"] if m["reason"].startswith("stale")]
    assert len(stale) == 8 - len(rig.seen)
    assert await rig.balances()


async def test_an_update_without_a_change_is_not_delivered_again(rig: Rig) -> None:
    await rig.push(order(minute=1))
    await rig.push(order(minute=2))
    await rig.work()
    assert len(rig.seen) == 1
    story = await rig.read(views.trace, "W1001")
    assert [m["reason"] for m in story["messages"]] == ["", "no change"]
    await rig.push(order(minute=1, note="older than what we know"))
    await rig.work()
    assert len(rig.seen) == 1


async def test_a_later_message_without_an_address_keeps_the_stored_one(rig: Rig) -> None:
    await rig.push(order(minute=1))
    await rig.push(order(minute=2, address=None, note="changed"))
    await rig.work()
    assert rig.bodies()[-1]["receiver"]["street"] == "平江路 9 号"


async def test_a_wrong_signature_is_refused_and_noted_without_its_body(rig: Rig) -> None:
    reply = await rig.push(order(), signature="0" * 64)
    assert reply.status == 401
    kept = await rig.read(state.quarantined)
    assert [(k["shop"], k["code"], k["sender"]) for k in kept] == [("site", "wire.signature", "203.0.113.7")]
    assert await rig.read(views.message_states) == []


@pytest.mark.parametrize("raw", [b"\xff\xfe{", b'{"a": NaN}', b'{"a": 1, "a": 2}', b"[" * 500, b"17"])
async def test_what_is_signed_but_not_understood_becomes_a_dead_letter(rig: Rig, raw: bytes) -> None:
    assert (await rig.push(raw)).status == 200
    await rig.push(order())
    await rig.work()
    letters = await rig.open_letters()
    assert [letter["step"] for letter in letters] == ["unpack"]
    assert "Traceback" not in letters[0]["title"]
    assert await rig.states() == ["delivered"]
    assert await rig.balances()


async def test_a_mapping_problem_is_explained_and_stops_nobody_else(rig: Rig) -> None:
    await rig.push(order("W1", status="teleported"))
    await rig.push(order("W2"))
    await rig.work()
    assert [b["order_no"] for b in rig.bodies()] == ["W2"]
    letter = (await rig.open_letters())[0]
    assert (letter["step"], letter["cause"], letter["subject"]) == ("map", "mapping.unknown_word", "W1")
    assert "teleported" in letter["problems"][0]["found"]
    assert letter["problems"][0]["hint"]
    assert await rig.balances()


async def test_totals_that_do_not_add_up_stop_at_the_check(rig: Rig) -> None:
    await rig.push(order(total="21.00"))
    await rig.work()
    letter = (await rig.open_letters())[0]
    assert letter["step"] == "check"
    assert letter["cause"] == "check.totals"
    assert rig.seen == []


async def test_a_newer_revision_that_goes_through_closes_the_older_letter(rig: Rig) -> None:
    await rig.push(order(minute=1, status="teleported"))
    await rig.work()
    await rig.push(order(minute=2))
    await rig.work()
    assert await rig.open_letters() == []
    closed = await rig.read(shelf.find, state="superseded")
    assert closed[0]["closed_why"].startswith("a newer revision went through")
    assert await rig.balances()


async def test_letters_of_one_cause_form_one_group_whatever_the_order(rig: Rig) -> None:
    for number in range(5):
        await rig.push(order(f"W{number}", status="teleported"))
    await rig.push(order("W9", status="vanished"))
    await rig.work()
    found = await rig.read(groups.find)
    assert [g["count"] for g in found] == [5, 1]


async def test_a_refused_order_holds_its_successors_and_nobody_elses(rig: Rig) -> None:
    rig.answer = lambda r: (
        httpx.Response(422, json={"error": "unknown SKU"}) if b'"W1"' in r.content else httpx.Response(200)
    )
    await rig.push(order("W1", minute=1))
    await rig.work()
    await rig.push(order("W1", minute=2, note="changed"))
    await rig.push(order("W2"))
    await rig.work()
    assert await rig.states() == ["dead", "held", "delivered"]
    letter = (await rig.open_letters())[0]
    assert letter["cause"] == "delivery.refused"
    assert "unknown SKU" in str(letter["evidence"])
    story = await rig.read(views.trace, "W1")
    assert story["deliveries"][1]["waits_for"] == story["deliveries"][0]["id"]
    assert await rig.balances()

    rig.answer = lambda _r: httpx.Response(200)
    done = await rig.run(desk.replay, [letter["id"]], "lin")
    assert (done.deliveries, done.skipped) == (1, 0)
    await rig.work()
    assert await rig.states() == ["delivered"] * 3
    assert await rig.open_letters() == []
    sent = [b["revision"] for b in rig.bodies() if b["order_no"] == "W1"][-2:]
    assert sent == sorted(sent)
    notes = (await rig.read(shelf.get, letter["id"]))["notes"]
    assert notes[0]["by"] == "lin"


async def test_a_discarded_letter_lets_its_successors_go(rig: Rig) -> None:
    rig.answer = lambda _r: httpx.Response(422)
    await rig.push(order(minute=1))
    await rig.work()
    await rig.push(order(minute=2, note="x"))
    await rig.work()
    rig.answer = lambda _r: httpx.Response(200)
    with pytest.raises(desk.NotNow):
        await rig.run(desk.discard, [1], "lin", " ")
    assert await rig.run(desk.discard, [1], "lin", "test order") == 1
    await rig.work()
    assert await rig.states() == ["discarded", "delivered"]
    assert await rig.balances()


async def test_replaying_twice_is_refused_politely(rig: Rig) -> None:
    await rig.push(order(status="teleported"))
    await rig.work()
    ids = [letter["id"] for letter in await rig.open_letters()]
    dry = await rig.run(desk.replay, ids, "lin", dry_run=True)
    assert dry.messages == 1
    first = await rig.run(desk.replay, ids, "lin")
    second = await rig.run(desk.replay, ids, "lin")
    assert (first.messages, second.messages, second.skipped) == (1, 0, 1)
    await rig.work()
    letter = (await rig.open_letters())[0]
    assert letter["died"] == 2
    assert letter["id"] == ids[0]


async def test_no_route_for_a_kind_is_a_dead_letter_and_a_closed_condition_is_not(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(
        ONE.replace('on = "order"\n', 'on = "order"\nif = "shippable"\n').replace('on = "refund"', 'on = "stock"')
    )
    await rig.push(order("W1", payment_status="unpaid", paid="0", paid_at=None))
    asked = "2026-11-01T10:00:00Z"
    refund = {"refund_no": "R1", "order_no": "W1", "type": "refund_only", "status": "requested", "amount": "5.00"}
    await rig.push({**refund, "currency": "CNY", "created_at": asked, "updated_at": asked})
    await rig.work()
    assert rig.seen == []
    assert [letter["cause"] for letter in await rig.open_letters()] == ["routing.none"]
    story = await rig.read(views.trace, "W1")
    assert story["messages"][0]["reason"].startswith("not routed")
    assert await rig.balances()


async def test_what_a_destination_has_seen_it_goes_on_seeing(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(ONE.replace('on = "order"\n', 'on = "order"\nif = "shippable"\n'))
    await rig.push(order(minute=1))
    await rig.work()
    await rig.push(order(minute=2, status="cancelled", payment_status="refunded", refunded="20.00"))
    await rig.work()
    assert [b["state"] for b in rig.bodies()] == ["open", "cancelled"]


async def test_two_workers_never_take_the_same_delivery(
    make_rig: Callable[..., Rig], postgres_url: str, tmp_path
) -> None:
    first = Rig(tmp_path / "a", postgres_url)
    second = Rig(tmp_path / "b", postgres_url)
    try:
        for number in range(60):
            await first.push(order(f"W{number}"))
        await asyncio.gather(first.flow.translate(), second.flow.translate())
        claims = await asyncio.gather(*(r.flow.claim("erp", 10) for r in (first, second) for _ in range(4)))
        ids = [row["id"] for claim in claims for row in claim.rows]
        assert len(ids) == len(set(ids)) > 0
    finally:
        await first.close()
        await second.close()


async def test_many_writers_of_one_order_make_one_document(postgres_url: str, tmp_path: Path) -> None:
    rigs = [Rig(tmp_path / str(n), postgres_url) for n in range(3)]
    try:
        pushes = [rigs[n % 3].push(order(minute=n % 20, note=f"n{n % 20}")) for n in range(64)]
        assert {r.status for r in await asyncio.gather(*pushes)} == {200}
        while any(await asyncio.gather(*(r.flow.translate() for r in rigs))):
            pass
        await rigs[0].work()
        documents = await rigs[0].read(views.document, "W1001")
        assert len(documents) == 1
        assert documents[0]["body"]["buyer_note"] == "n19"
        revisions = [b["revision"] for r in rigs for b in r.bodies()]
        assert revisions == sorted(revisions)
        assert await rigs[0].balances()
    finally:
        for rig in rigs:
            await rig.close()


async def test_64_writers_of_one_order_store_it_once(rig: Rig) -> None:
    replies = await asyncio.gather(*(rig.push(order()) for _ in range(64)))
    assert {reply.status for reply in replies} == {200}
    await rig.work()
    states = await rig.read(views.message_states)
    assert {row["state"]: row["n"] for row in states} == {"translated": 1, "ignored": 63}
    assert len(rig.seen) == 1
    assert await rig.balances()


async def test_64_writers_of_64_versions_end_with_the_newest(rig: Rig) -> None:
    await asyncio.gather(*(rig.push(order(minute=minute % 60, note=f"{minute}")) for minute in range(64)))
    await rig.work()
    assert rig.bodies()[-1]["revision"].startswith("2026-11-01T09:59")
    revisions = [body["revision"] for body in rig.bodies()]
    assert revisions == sorted(revisions)
    assert await rig.balances()


async def test_of_two_that_complete_one_lease_one_is_recorded(rig: Rig) -> None:
    await rig.push(order())
    await rig.flow.translate()
    (row,) = (await rig.flow.claim("erp", 10)).rows
    await asyncio.gather(*(rig.flow.deliver("erp", row, False) for _ in range(2)), return_exceptions=True)
    (delivery,) = await rig.read(views.deliveries_list)
    found = await rig.read(views.delivery, delivery["id"])
    assert (delivery["state"], len(found["attempted"])) == ("delivered", 1)


async def test_who_lost_a_lease_records_nothing_though_its_process_has_it_again(rig: Rig) -> None:
    await rig.push(order())
    await rig.flow.translate()
    (first,) = (await rig.flow.claim("erp", 10)).rows
    await rig.run(lambda connection: connection.execute(text("update deliveries set lease_until = 1")))
    await rig.sweep()
    await rig.later(10)
    (second,) = (await rig.flow.claim("erp", 10)).rows
    await rig.flow.deliver("erp", first, False)
    assert await rig.states() == ["sending"]
    await rig.flow.deliver("erp", second, False)
    assert await rig.states() == ["delivered"]
