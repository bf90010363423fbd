"""Trouble on the way to a destination: outages, refused credentials, lost answers, limits; on both stores."""

import math
from collections.abc import Callable
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import text

from hub import clock, desk, erasure
from hub.delivering import Lease
from hub.store import audit, inbox, leases, outbox, state, views
from hub.workers import give_back
from tests.rig import Rig, order


def breaker_toml(**extra: str) -> str:
    settings = {"timeout": '"300ms"', "retry": '{ first = "30s", factor = 1, jitter = 0 }', **extra}
    lines = "\n".join(f"{k} = {v}" for k, v in settings.items())
    head = '[destinations.erp]\nkind = "http"\nurl = "https://erp.example.com/d"\n'
    return f'{head}{lines}\n[[routes]]\non = "order"\nto = ["erp"]\n'


async def test_an_outage_is_waited_for_and_its_retry_after_honoured(rig: Rig) -> None:
    rig.answer = lambda _r: httpx.Response(503, headers={"Retry-After": "120"})
    await rig.push(order())
    await rig.work()
    row = (await rig.read(views.deliveries_list))[0]
    assert row["state"] == "waiting"
    assert row["due_at"] - clock.now().timestamp() > 100
    assert await rig.open_letters() == []


async def test_the_breaker_opens_waits_probes_and_closes(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(breaker_toml(breaker='{ failures = 0.5, over = "60s", at_least = 4, open_for = "60s" }'))
    rig.answer = lambda _r: httpx.Response(503)
    for number in range(8):
        await rig.push(order(f"W{number}"))
    await rig.flow.translate()
    await rig.deliver()
    shared = await rig.read(state.destination, "erp")
    assert state.circuits_of(shared)["order"].state == "open"
    tried = len(rig.seen)
    await rig.later(31)
    assert await rig.deliver() == 0
    assert len(rig.seen) == tried
    rig.answer = lambda _r: httpx.Response(200)
    await rig.later(30)
    assert await rig.deliver() == 1
    assert state.circuits_of(await rig.read(state.destination, "erp"))["order"].state == "closed"
    await rig.work()
    assert set(await rig.states()) == {"delivered"}
    turns = [a["act"] for a in await rig.read(audit.entries)]
    assert turns == ["breaker.closed", "breaker.half_open", "breaker.open"]


async def test_refusals_do_not_open_the_breaker(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(breaker_toml(breaker="{ at_least = 2 }"))
    rig.answer = lambda _r: httpx.Response(422)
    for number in range(6):
        await rig.push(order(f"W{number}"))
    await rig.work()
    assert state.circuits_of(await rig.read(state.destination, "erp"))["order"].state == "closed"


async def test_refused_credentials_pause_the_destination_with_one_ticket(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(breaker_toml())
    rig.answer = lambda _r: httpx.Response(401)
    for number in range(3):
        await rig.push(order(f"W{number}"))
    await rig.work()
    await rig.later(31)
    await rig.work()
    assert len(rig.seen) <= 6
    assert (await rig.read(state.destination, "erp"))["paused"].startswith("credentials refused")
    tickets = await rig.open_letters()
    assert [t["cause"] for t in tickets] == ["delivery.not_authorised"]
    rig.answer = lambda _r: httpx.Response(200)
    await rig.run(desk.resume, "erp", "lin")
    await rig.later(31)
    await rig.work()
    assert set(await rig.states()) == {"delivered"}
    assert await rig.open_letters() == []


async def test_a_lost_answer_is_asked_for_before_anything_is_sent_again(make_rig: Callable[..., Rig]) -> None:
    look_up = '{ url = "https://erp.example.com/d/{idempotency_key}" }'
    rig = make_rig(breaker_toml(look_up=look_up))
    taken: set[str] = set()

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200 if request.url.path.rpartition("/")[2] in taken else 404, json={})
        taken.add(request.headers["Idempotency-Key"])
        raise httpx.ReadError("cut")

    rig.answer = answer
    await rig.push(order())
    await rig.work()
    assert await rig.states() == ["in_doubt"]
    await rig.later(31)
    await rig.work()
    assert await rig.states() == ["delivered"]
    assert [r.method for r in rig.seen] == ["POST", "GET"]


@pytest.mark.parametrize("erased", [False, True])
async def test_what_cannot_be_asked_about_now_stays_in_doubt_and_is_not_sent_again(
    make_rig: Callable[..., Rig], erased: bool
) -> None:
    look_up = '{ url = "https://erp.example.com/d/{idempotency_key}" }'
    retry = '{ first = "30s", factor = 1, jitter = 0, give_up_after = "100s" }'
    rig = make_rig(breaker_toml(look_up=look_up, retry=retry))
    asked = 503

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(asked, json={})
        raise httpx.ReadError("cut")

    rig.answer = answer
    await rig.push(order())
    await rig.work()
    await rig.later(31)
    await rig.work()
    assert await rig.states() == ["in_doubt"], "it was asked about in vain"
    await rig.later(120)
    await rig.work()
    (letter,) = await rig.open_letters()
    assert await rig.states() == ["dead"]
    if erased:
        who = {"name": "Rosa Lind"}
        await rig.run(erasure.erase, who, await rig.read(erasure.find, who), "li", force=False)
    asked = 200
    await rig.run(desk.replay, [letter["id"]], "kim")
    await rig.work()
    assert await rig.states() == ["delivered"]
    assert [r.method for r in rig.seen].count("POST") == 1, "a replay asks as well"


async def test_a_lost_answer_without_look_up_goes_out_again_with_the_same_key(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(breaker_toml())
    answers = iter([httpx.ReadTimeout("slow"), None])

    def answer(request: httpx.Request) -> httpx.Response:
        trouble = next(answers)
        if trouble:
            raise trouble
        return httpx.Response(200)

    rig.answer = answer
    await rig.push(order())
    await rig.work()
    await rig.later(31)
    await rig.work()
    assert await rig.states() == ["delivered"]
    assert len({r.headers["Idempotency-Key"] for r in rig.seen}) == 1


async def test_a_lost_answer_can_be_left_to_a_person(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(breaker_toml(in_doubt='"ask"'))

    def answer(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("slow")

    rig.answer = answer
    await rig.push(order())
    await rig.work()
    await rig.later(31)
    await rig.work()
    assert len(rig.seen) == 1
    assert [letter["cause"] for letter in await rig.open_letters()] == ["delivery.in_doubt"]


async def test_what_a_dead_worker_was_sending_is_in_doubt(rig: Rig) -> None:
    await rig.push(order())
    await rig.flow.translate()
    claim = await rig.flow.claim("erp", 10)
    assert len(claim.rows) == 1
    await run_out(rig)
    now = clock.now().timestamp()
    another = inbox.Hold("another", 30.0)
    assert await rig.run(leases.reap, now, rig.hub.config.timeouts) == 1
    assert await rig.run(outbox.claim, "erp", outbox.IN_DOUBT, 10, now, another) == [], "its request may be worked on"
    await rig.later(10.0)
    now = clock.now().timestamp()
    again = await rig.run(outbox.claim, "erp", outbox.IN_DOUBT, 10, now, another)
    assert [row["id"] for row in again] == [claim.rows[0]["id"]]


async def test_a_late_worker_records_nothing(rig: Rig) -> None:
    await rig.push(order())
    await rig.flow.translate()
    claim = await rig.flow.claim("erp", 10)
    await run_out(rig)
    await rig.run(leases.reap, clock.now().timestamp(), rig.hub.config.timeouts)
    await rig.flow.deliver("erp", claim.rows[0], False)
    assert await rig.states() == ["in_doubt"]


async def test_what_this_process_is_sending_is_not_taken_from_it_whatever_the_clock_shows(rig: Rig) -> None:
    await rig.push(order())
    await rig.flow.translate()
    (row,) = (await rig.flow.claim("erp", 10)).rows
    await run_out(rig)
    assert await rig.run(leases.reap, clock.now().timestamp(), {}, {row["id"]}) == 0
    await rig.flow.deliver("erp", row, False)
    assert await rig.states() == ["delivered"]


async def test_no_request_leaves_under_a_lease_that_ends_before_its_answer_must_have_come(rig: Rig) -> None:
    """A process that was stopped (a suspended machine) finds that somebody else may have taken over."""
    await rig.push(order())
    await rig.flow.translate()
    (row,) = (await rig.flow.claim("erp", 10)).rows
    timeout = rig.hub.targets["erp"].section.timeout
    await rig.flow.deliver("erp", row, False, Lease(clock.tick() + timeout - 1))
    assert (rig.seen, await rig.states()) == ([], ["sending"]), "nothing is sent, nothing recorded"
    await rig.flow.deliver("erp", row, False, Lease(clock.tick() + timeout + 60))
    assert (len(rig.seen), await rig.states()) == (1, ["delivered"])


async def test_where_processes_share_a_store_a_claim_tells_until_when_it_holds(rig: Rig) -> None:
    await rig.push(order())
    await rig.flow.translate()
    before = clock.tick()
    until = (await rig.flow.claim("erp", 10)).until
    assert (until == math.inf) is rig.hub.store.alone
    assert until >= before + rig.hub.config.hub.lease


async def test_a_heartbeat_holds_a_lease(rig: Rig) -> None:
    await rig.push(order())
    await rig.flow.translate()
    (row,) = (await rig.flow.claim("erp", 10)).rows
    await run_out(rig)
    now = clock.now().timestamp()
    await rig.run(leases.heartbeat, [row["id"]], "somebody else", now, 60.0, {})
    await rig.run(leases.heartbeat, [row["id"]], rig.hub.store.owner, now, 60.0, {})
    assert await rig.run(leases.reap, now, {}) == 0


@pytest.mark.parametrize("minutes", [-1, 1])
async def test_clocks_may_differ_by_a_minute(rig: Rig, minutes: int) -> None:
    if rig.hub.store.sqlite:
        assert rig.hub.store.own(), "one process, one clock"
        return
    await rig.push(order())
    await rig.flow.translate()
    clock.agree(clock.system() + timedelta(minutes=minutes))
    assert abs((clock.now() - clock.system()).total_seconds()) > 50
    assert len((await rig.flow.claim("erp", 10)).rows) == 1, "a claim goes by PostgreSQL's clock"
    assert await rig.run(leases.reap, clock.now().timestamp(), rig.hub.config.timeouts) == 0, "so does the reaper"
    await rig.hub.store.agree_on_time()
    assert abs((clock.now() - clock.system()).total_seconds()) < 5


async def run_out(rig: Rig) -> None:
    """The worker died, and its lease ran out."""
    await rig.run(lambda connection: connection.execute(text("update deliveries set lease_until = 1")))


async def test_latest_replaces_what_waits(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(breaker_toml(sequence='"latest"'))
    rig.answer = lambda _r: httpx.Response(422)
    await rig.push(order(minute=1))
    await rig.work()
    rig.answer = lambda _r: httpx.Response(200)
    for minute in (2, 3):
        await rig.push(order(minute=minute, note=str(minute)))
    await rig.work()
    assert await rig.states() == ["superseded", "superseded", "delivered"]
    assert await rig.open_letters() == []
    assert await rig.balances()


async def test_assume_lets_the_order_go_on_marked_for_review(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(breaker_toml(degrade='{ policy = "assume", after = "0s", answer = "credit ok" }'))
    rig.answer = lambda _r: httpx.Response(503)
    await rig.push(order())
    await rig.work()
    row = (await rig.read(views.deliveries_list))[0]
    assert (row["state"], row["reference"]) == ("delivered", "assumed: credit ok")
    assert [o["number"] for o in await rig.read(views.orders, review=True)] == ["W1001"]


async def test_hold_keeps_the_order_from_other_destinations_until_it_is_through(make_rig: Callable[..., Rig]) -> None:
    toml = breaker_toml(degrade='{ policy = "hold", after = "0s" }').replace('to = ["erp"]', 'to = ["erp", "wms"]')
    rig = make_rig(toml + '[destinations.wms]\nkind = "http"\nurl = "https://wms.example.com/d"\n')
    rig.answer = lambda _r: httpx.Response(503)
    await rig.push(order())
    await rig.flow.translate()
    await rig.deliver("erp")
    held = await rig.read(views.deliveries_list, destination="wms")
    assert (held[0]["state"], held[0]["held_by"]) == ("held", "erp")
    rig.answer = lambda _r: httpx.Response(200)
    await rig.later(31)
    await rig.work()
    assert set(await rig.states()) == {"delivered"}


async def test_a_limit_is_a_budget_that_all_processes_share(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(breaker_toml(limit='"5/s"'))
    for number in range(12):
        await rig.push(order(f"W{number}"))
    await rig.flow.translate()
    first = await rig.flow.claim("erp", 100)
    second = await rig.flow.claim("erp", 100)
    assert len(first.rows) == 5
    assert len(second.rows) <= 1
    assert second.rows or second.wait


@pytest.mark.parametrize(("successors", "state"), [("release", "delivered"), ("discard", "discarded")])
async def test_a_discard_says_what_becomes_of_those_behind(rig: Rig, successors: str, state: str) -> None:
    rig.answer = lambda _r: httpx.Response(422)
    await rig.push(order(minute=1))
    await rig.work()
    await rig.push(order(minute=2, note="later"))
    await rig.work()
    (letter,) = await rig.open_letters()
    assert await rig.read(desk.held_behind, [letter["id"]]) == 1
    rig.answer = lambda _r: httpx.Response(200)
    await rig.run(desk.discard, [letter["id"]], "li", "no longer wanted", successors=successors)
    await rig.work()
    assert await rig.states() == ["discarded", state]


async def test_a_process_that_stops_gives_back_what_it_holds(rig: Rig) -> None:
    await rig.push(order("W1"))
    await rig.flow.translate()
    await rig.flow.claim("erp", 10)
    await rig.push(order("W2"))
    await rig.run(inbox.claim, inbox.RECEIVED, 10, clock.now().timestamp(), 60.0, rig.hub.store.owner)
    assert await rig.run(give_back, rig.hub.store.owner, clock.now().timestamp(), rig.hub.config.timeouts) == 1
    assert await rig.states() == ["in_doubt"]
    await rig.later(10.0)
    await rig.work()
    assert await rig.states() == ["delivered", "delivered"]


def refund(number: str) -> dict[str, object]:
    """A refund of the own site."""
    asked = "2026-11-01T09:00:00Z"
    about = {
        "refund_no": number,
        "order_no": f"W{number}",
        "type": "refund_only",
        "status": "requested",
        "amount": "5.00",
    }
    return {**about, "currency": "CNY", "created_at": asked, "updated_at": asked}


async def test_the_breaker_is_of_one_operation_and_the_others_go_on(make_rig: Callable[..., Rig]) -> None:
    settings = breaker_toml(breaker='{ failures = 0.5, over = "60s", at_least = 3, open_for = "60s" }')
    rig = make_rig(settings + '[[routes]]\non = "refund"\nto = ["erp"]\n')
    rig.answer = lambda request: httpx.Response(503 if b"refund_no" in request.content else 200)
    for number in range(4):
        await rig.push(refund(f"R{number}"))
    await rig.work()
    circuits = state.circuits_of(await rig.read(state.destination, "erp"))
    assert circuits["refund"].state == "open"
    tried = len(rig.seen)
    await rig.push(order())
    await rig.push(refund("R9"))
    await rig.work()
    assert [b.get("order_no") for b in rig.bodies()[tried:]] == ["W1001"], "orders go on, refunds wait"
    rig.answer = lambda _r: httpx.Response(200)
    await rig.later(61)
    assert await rig.deliver() == 1, "one probes"
    await rig.work()
    assert set(await rig.states()) == {"delivered"}
    turns = [(a["act"], a["detail"]) for a in await rig.read(audit.entries)]
    assert turns == [
        ("breaker.closed", "refund: was half_open"),
        ("breaker.half_open", "refund: was open"),
        ("breaker.open", "refund: was closed"),
    ]


async def test_a_person_forces_one_operation_or_all_of_them(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig()
    await rig.run(desk.force_breaker, "erp", "open", "kim", "refund")
    await rig.push(refund("R1"))
    await rig.push(order())
    await rig.work()
    assert await rig.states() == ["waiting", "delivered"]
    await rig.run(desk.force_breaker, "erp", "open", "kim")
    await rig.push(order("W2"))
    await rig.work()
    assert await rig.states() == ["waiting", "delivered", "waiting"]
    await rig.run(desk.force_breaker, "erp", "closed", "kim")
    await rig.work()
    assert await rig.states() == ["waiting", "delivered", "delivered"], "what was forced of one kind stays"
    await rig.run(desk.force_breaker, "erp", "auto", "kim", "refund")
    await rig.work()
    assert set(await rig.states()) == {"delivered"}
