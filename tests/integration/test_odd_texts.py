"""What a column does not hold: no number of a platform, and no answer of a destination, stops anybody."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from tests.guards import HANGS
from tests.rig import Rig, order

LONG = "W" * 300
RECORDS: dict[str, Any] = {
    "a long number": order(LONG),
    "a long number of a refund": {
        "refund_no": LONG, "order_no": LONG, "type": "refund_only", "status": "requested", "phase": "before_shipping",
        "amount": "10.00", "currency": "CNY", "created_at": "2026-11-01T09:00:00Z",
        "updated_at": "2026-11-01T10:00:00Z", "items": [],
    },
    "NUL in a number": order("W\0 1"),
    "a new line in a number": order("W\n1"),
}  # fmt: skip
ANSWERS = {
    "NUL": b"a\0b",
    "NUL in JSON": b'{"id": "a\\u0000b"}',
    "half a pair": b'{"id": "a\\ud800b"}',
    "no UTF-8": b"\xff\xfe\0",
    "long": json.dumps({"id": "x" * 3000}).encode(),
}


@pytest.mark.parametrize("what", RECORDS)
async def test_a_number_that_is_none_is_explained_and_stops_no_neighbour(rig: Rig, what: str) -> None:
    replies = await asyncio.gather(rig.push(order("W900")), rig.push(RECORDS[what]), rig.push(order("W901")))
    assert [reply.status for reply in replies] == [200, 200, 200]
    await rig.work()
    assert sorted(body["order_no"] for body in rig.bodies()) == ["W900", "W901"]
    (letter,) = await rig.open_letters()
    assert (letter["step"], letter["cause"]) == ("map", "mapping.invalid")
    assert await rig.balances()


async def test_what_a_text_may_hold_goes_through(rig: Rig) -> None:
    await rig.push(order("W1", note="a\0b"))
    await rig.push({**order("W2"), "updated_at": "2026-11-01T09:00:00Z" + " " * 300})
    await rig.work()
    assert await rig.states() == ["delivered", "delivered"]


@pytest.mark.parametrize(("status", "state"), [(200, "delivered"), (422, "dead")])
@pytest.mark.parametrize("what", ANSWERS)
async def test_any_answer_can_be_written_down(rig: Rig, what: str, status: int, state: str) -> None:
    rig.answer = lambda _request: httpx.Response(status, content=ANSWERS[what])
    await rig.push(order("W1"))
    await asyncio.wait_for(rig.work(), HANGS)
    assert await rig.states() == [state]
    assert [letter["cause"] for letter in await rig.open_letters()] == ["delivery.refused"] * (state == "dead")


async def test_a_refused_order_of_any_worth_becomes_a_letter(rig: Rig) -> None:
    amount = "9" * 15 + ".99"
    line = {"id": "1", "sku": "CUP-1", "title": "杯", "quantity": 1, "price": amount, "total": amount}
    rig.answer = lambda _request: httpx.Response(422)
    await rig.push(order("W1", goods=amount, total=amount, paid=amount, items=[line]))
    await asyncio.wait_for(rig.work(), HANGS)
    assert [letter["cause"] for letter in await rig.open_letters()] == ["delivery.refused"]
