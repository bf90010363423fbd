"""What was sent and not answered is asked about before anything is sent again, whatever happens in between."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from canonical import Problem
from hub import clock, desk, replaying, tending
from hub.store import audit, leases, outbox, state
from hub.workers import Held, Workers, give_back, sweep
from tests.rig import Rig, order

LOOK_UP = 'look_up = { url = "https://erp.example.com/d/{idempotency_key}" }'
TOML = """
[destinations.erp]
kind = "http"
url = "https://erp.example.com/d"
timeout = "4s"
retry = { first = "1s", factor = 1, jitter = 0%s }
%s
[[routes]]
on = "order"
to = ["erp"]
"""
BRIEF = ', give_up_after = "20s"'
AT_ONCE = ', give_up_after = "500ms"'

Says = int | Exception | None
"""What a look-up is answered; None: by what is there."""


@dataclass
class Erp:
    """Takes every push that is not told otherwise; `books` are the documents that took effect, by their keys."""

    loses: list[bool] = field(default_factory=lambda: [True])
    """For each push: whether its answer is lost. Those that come later are answered."""
    trouble: Exception = field(default_factory=lambda: httpx.ReadError("reset"))
    takes: bool = True
    honours: bool = False
    """Whether it knows keys: a second push under the same one has no effect."""
    says: Says = None
    key: str = ""
    """Under which a request is on its way that nobody waits for any more."""
    books: list[tuple[str, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        key = request.headers["Idempotency-Key"]
        if request.method == "GET":
            self.asked.append(request.url.path.rpartition("/")[2])
            if isinstance(self.says, Exception):
                raise self.says
            return httpx.Response(self.says or (200 if self.asked[-1] in dict(self.books) else 404), json={})
        if self.takes and not (self.honours and key in dict(self.books)):
            self.books.append((key, json.loads(request.content)))
        if self.loses and self.loses.pop(0):
            raise self.trouble
        return httpx.Response(200, json={})

    @property
    def skus(self) -> list[str]:
        return [body["lines"][0]["sku"] for _, body in self.books]


Make = Callable[..., Rig]


async def lost(make_rig: Make, erp: Erp, retry: str = "", settings: str = LOOK_UP) -> Rig:
    """A hub with an order whose answer was lost."""
    rig = make_rig(TOML % (retry, settings))
    rig.answer = erp
    await rig.push(order())
    await rig.work()
    return rig


async def later(rig: Rig, seconds: float = 5.0) -> str:
    """Let time pass, and work; the delivery's state."""
    await rig.later(seconds)
    await rig.work()
    return (await rig.states())[0]


async def letter_of(rig: Rig) -> int:
    (letter,) = await rig.open_letters()
    return int(letter["id"])


async def edited(rig: Rig, letter: int, sku: str = "CUP-2", expected: int = 0) -> None:
    _, _, content = await rig.read(tending.content, letter)
    wanted = tending.with_values(content, {"lines[0].sku": sku})
    await rig.run(tending.edit, letter, wanted, "li", expected=expected)


FAILURES: dict[str, Says] = {
    "503": 503,
    "times out": httpx.ReadTimeout("slow"),
    "cannot be reached": httpx.ConnectError("refused"),
    "401": 401,
    "429": 429,
    "a defect of ours": RuntimeError("defect"),
}


@pytest.mark.parametrize("why", FAILURES)
async def test_a_question_that_failed_is_asked_again(make_rig: Make, why: str) -> None:
    erp = Erp(says=FAILURES[why])
    rig = await lost(make_rig, erp)
    assert await rig.states() == ["in_doubt"]
    assert await later(rig) == "in_doubt"
    assert erp.asked, "it was asked"
    if why == "401":
        assert (await rig.read(state.destination, "erp"))["paused"]
        await rig.run(desk.resume, "erp", "kim")
    erp.says = None
    assert await later(rig) == "delivered"
    assert len(erp.books) == 1


async def by_hand(rig: Rig, letter: int) -> None:
    await rig.run(desk.replay, [letter], "kim")


async def from_map(rig: Rig, letter: int) -> None:
    done = await rig.run(desk.send_on, [letter], "map", "", clock.now().timestamp())
    assert done.letters == [letter]


async def by_a_job(rig: Rig, letter: int) -> None:
    job = await rig.run(replaying.plan, {"ids": [letter]}, "kim", ramp=[100])
    await rig.run(replaying.start, job["id"], "kim")
    await rig.run(replaying.turn, "owner")


@pytest.mark.parametrize("go", [by_hand, from_map, by_a_job])
@pytest.mark.parametrize(("retry", "asked"), [(BRIEF, 503), (BRIEF, RuntimeError("defect")), (AT_ONCE, None)])
async def test_a_replay_of_what_died_in_doubt_asks_first(make_rig: Make, go: Any, retry: str, asked: Says) -> None:
    erp = Erp(says=asked)
    rig = await lost(make_rig, erp, retry)
    for _ in range(3):
        await later(rig, 15)
    assert await rig.states() == ["dead"]
    erp.says = None
    await go(rig, await letter_of(rig))
    assert await later(rig) == "delivered"
    assert len(erp.books) == 1
    assert erp.asked[-1] == erp.books[0][0]
    assert await rig.open_letters() == []


async def test_what_died_a_moment_ago_is_not_asked_about_before_its_request_had_its_time(make_rig: Make) -> None:
    erp = Erp()
    rig = await lost(make_rig, erp, AT_ONCE)
    await by_hand(rig, await letter_of(rig))
    await rig.work()
    assert (await rig.states(), erp.asked) == (["in_doubt"], [])
    assert await later(rig) == "delivered"


async def test_what_arrived_before_it_was_edited_is_delivered_as_it_was(make_rig: Make) -> None:
    erp = Erp(says=503)
    rig = await lost(make_rig, erp, AT_ONCE)
    letter = await letter_of(rig)
    await edited(rig, letter)
    await edited(rig, letter, "CUP-3", expected=1)
    erp.says = None
    await by_hand(rig, letter)
    assert await later(rig) == "delivered"
    assert erp.skus == ["CUP-1"]
    assert erp.asked == [erp.books[0][0]], "by the key under which it was sent"
    row = await rig.read(outbox.get, 1)
    assert (row["overlay"], row["next_key"], row["idempotency_key"]) == (None, "", erp.asked[0])
    shown = await rig.read(desk.letter, letter, "support")
    assert "had arrived before it was edited" in shown["closed_why"]
    assert "edit.undone" in [entry["act"] for entry in await rig.read(audit.entries)]


async def test_what_did_not_arrive_goes_out_as_it_was_edited_and_is_asked_about_by_its_own_key(make_rig: Make) -> None:
    erp = Erp(takes=False)
    rig = await lost(make_rig, erp, AT_ONCE)
    letter = await letter_of(rig)
    await edited(rig, letter)
    erp.takes, erp.loses = True, [True]
    await by_hand(rig, letter)
    await later(rig)
    assert erp.skus == ["CUP-2"]
    new = erp.books[0][0]
    assert new.endswith("-e1")
    assert new not in erp.asked
    await by_hand(rig, letter)
    assert await later(rig) == "delivered"
    assert erp.asked[-1] == new
    assert erp.skus == ["CUP-2"], "the second doubt was asked about as well"


async def test_what_was_refused_and_edited_goes_out_under_a_new_key_at_once(make_rig: Make) -> None:
    rig = make_rig(TOML % ("", LOOK_UP))
    rig.answer = lambda r: httpx.Response(422 if b"CUP-1" in r.content else 200)
    await rig.push(order())
    await rig.work()
    letter = await letter_of(rig)
    await edited(rig, letter)
    await by_hand(rig, letter)
    await rig.work()
    assert await rig.states() == ["delivered"]
    first, second = (r.headers["Idempotency-Key"] for r in rig.seen)
    assert first != second


@pytest.mark.parametrize("answer", ["cut", 503])
async def test_without_look_up_what_is_edited_in_doubt_keeps_its_key(make_rig: Make, answer: Any) -> None:
    erp = Erp(honours=True)
    rig = await lost(make_rig, erp, BRIEF, "")
    assert await rig.states() == ["in_doubt"]
    rig.answer = lambda r: erp(r) if answer == "cut" else httpx.Response(answer)
    erp.loses = [True] * 9
    for _ in range(3):
        assert await later(rig, 15) in ("in_doubt", "dead")
    letter = await letter_of(rig)
    await edited(rig, letter)
    rig.answer, erp.loses = erp, []
    await by_hand(rig, letter)
    assert await later(rig) == "delivered"
    assert erp.skus == ["CUP-1"]
    assert {r.headers["Idempotency-Key"] for r in rig.seen} == {erp.books[0][0]}


@pytest.mark.parametrize("retry", ["", AT_ONCE])
async def test_where_a_person_decides_the_letter_says_so_and_a_replay_is_the_decision(
    make_rig: Make, retry: str
) -> None:
    erp = Erp(takes=False)
    rig = await lost(make_rig, erp, retry, 'in_doubt = "ask"')
    await later(rig)
    (letter,) = await rig.open_letters()
    assert (letter["cause"], letter["title"]) == (
        "delivery.in_doubt",
        "it is not known whether the destination took it, and it cannot be asked",
    )
    erp.takes = True
    await edited(rig, letter["id"])
    await by_hand(rig, letter["id"])
    assert await later(rig) == "delivered"
    assert erp.skus == ["CUP-2"]
    assert erp.books[0][0].endswith("-e1")


def unrenderable(kind: str, document: Any) -> Any:
    """What a mapping says that does not fit."""
    return (
        None,
        [Problem(code="mapping.missing", rule="body.article", path="", found="", expected="x")],
        "v2",
        "request",
    )


def breaking(kind: str, document: Any) -> Any:
    """A mapping that our own code breaks on."""
    raise RuntimeError("defect")


@pytest.mark.parametrize("arrived", [True, False])
async def test_a_mapping_that_fails_meanwhile_does_not_keep_it_from_being_asked(make_rig: Make, arrived: bool) -> None:
    erp = Erp(takes=arrived)
    rig = await lost(make_rig, erp)
    plain = rig.hub.targets["erp"]
    rig.hub.targets["erp"] = replace(plain, render=unrenderable)
    assert await later(rig) == ("delivered" if arrived else "dead")
    assert len(erp.asked) == 1
    rig.hub.targets["erp"], erp.takes = plain, True
    for letter in await rig.open_letters():
        await by_hand(rig, letter["id"])
    assert await later(rig) == "delivered"
    assert len(erp.books) == 1


async def test_a_defect_before_the_question_leaves_it_in_doubt(make_rig: Make) -> None:
    erp = Erp()
    rig = await lost(make_rig, erp)
    plain = rig.hub.targets["erp"]
    rig.hub.targets["erp"] = replace(plain, render=breaking)
    assert await later(rig) == "in_doubt"
    rig.hub.targets["erp"] = plain
    assert await later(rig) == "delivered"
    assert len(erp.books) == 1


async def test_an_answer_that_our_own_code_cannot_read_is_a_doubt(make_rig: Make) -> None:
    erp = Erp(trouble=RuntimeError("defect"))
    rig = await lost(make_rig, erp)
    assert await rig.states() == ["in_doubt"]
    assert await later(rig) == "delivered"
    assert len(erp.books) == 1


async def test_an_answer_that_no_rule_can_read_is_a_doubt(make_rig: Make) -> None:
    erp = Erp(loses=[])
    rig = await lost(make_rig, erp, settings=LOOK_UP + "\nok_if = \"abs('a') > `1`\"")
    assert await rig.states() == ["dead"]
    await by_hand(rig, await letter_of(rig))
    assert await later(rig) == "delivered"
    assert len(erp.books) == 1


@pytest.mark.parametrize("policy", ["wait", "hold"])
async def test_a_breaker_that_probes_with_it_asks(make_rig: Make, policy: str) -> None:
    erp = Erp(says=503)
    settings = f'{LOOK_UP}\ndegrade = {{ policy = "{policy}", after = "0s" }}'
    rig = await lost(make_rig, erp, settings=settings + '\nbreaker = { at_least = 1, open_for = "0s" }')
    for _ in range(3):
        assert await later(rig) == "in_doubt"
    circuits = state.circuits_of(await rig.read(state.destination, "erp"))
    assert circuits["order"].state == "open"
    erp.says = None
    assert await later(rig) == "delivered"
    assert len(erp.books) == 1


async def under_way(make_rig: Make, erp: Erp, toml: str = TOML % ("", LOOK_UP)) -> Rig:
    """A process that was just sending; the request is being worked on, and takes effect in a while."""
    rig = make_rig(toml)
    rig.answer = erp
    await rig.push(order())
    await rig.flow.translate()
    (row,) = (await rig.flow.claim("erp", 10)).rows
    erp.key = row["idempotency_key"]
    return rig


async def killed(rig: Rig) -> None:
    """The next process takes over (SQLite), or another one finds that the lease ran out (PostgreSQL)."""
    if rig.hub.store.sqlite:
        Workers(rig.hub, rig.flow, rig.http).take_over()
        return
    await rig.run(lambda c: c.execute(text("update deliveries set lease_until = 1")))
    assert await rig.sweep() == 1


async def stopped(rig: Rig) -> None:
    """It was told to stop and could not wait for the answer."""
    owner, now = rig.hub.store.owner, clock.now().timestamp()
    assert await rig.run(give_back, owner, now, rig.hub.config.timeouts) == 1


@pytest.mark.parametrize("ends", [killed, stopped])
async def test_what_a_process_was_sending_is_asked_about_when_the_request_had_its_time(
    make_rig: Make, ends: Callable[[Rig], Any]
) -> None:
    erp = Erp(loses=[])
    rig = await under_way(make_rig, erp)
    await ends(rig)
    await rig.work()
    assert await later(rig, 3.0) == "in_doubt"
    assert rig.seen == [], "the request may still be worked on: nobody asks, nobody sends"
    erp.books.append((erp.key, {}))
    assert await later(rig, 1.5) == "delivered"
    assert [r.method for r in rig.seen] == ["GET"]


async def test_a_connection_that_breaks_early_is_asked_about_when_the_request_had_its_time(make_rig: Make) -> None:
    erp = Erp()
    rig = await lost(make_rig, erp)
    assert await later(rig, 2.0) == "in_doubt"
    assert erp.asked == [], "what cut the connection is not what works on the request"
    assert await later(rig, 2.5) == "delivered"


async def test_after_a_timeout_there_is_a_pause_before_it_is_asked(make_rig: Make) -> None:
    rig = make_rig(TOML.replace("4s", "50ms") % ("", LOOK_UP))
    erp = Erp(loses=[True], trouble=httpx.ReadTimeout("slow"))
    rig.answer = erp
    await rig.push(order())
    await rig.work()
    assert (await rig.states(), erp.asked) == (["in_doubt"], [])
    assert await later(rig, 0.5) == "in_doubt"
    assert erp.asked == []
    assert await later(rig, 1.0) == "delivered"


async def test_a_destination_that_hub_toml_no_longer_has_does_no_harm(make_rig: Make) -> None:
    rig = await under_way(make_rig, Erp())
    now = clock.now().timestamp()
    assert await rig.run(leases.drop_leases, now, {}) == 1
    assert await rig.run(leases.drop_leases, now, {"wms": 3.0}) == 0
    assert await rig.states() == ["in_doubt"]


async def test_a_heartbeat_prolongs_by_as_much_as_the_lease_that_was_taken(make_rig: Make) -> None:
    rig = await under_way(make_rig, Erp(), (TOML % ("", LOOK_UP)).replace("4s", "60s"))

    async def left() -> float:
        row = await rig.read(outbox.get, 1)
        return float(row["lease_until"]) - clock.now().timestamp()

    assert await left() > 175, "three timeouts, though hub.lease is 30 s"
    await rig.later(100)
    held = Held(frozenset([1]), rig.hub.store.owner, rig.hub.config.hub.lease)
    await rig.run(sweep, clock.now().timestamp(), rig.hub.config.timeouts, held)
    assert await left() > 175
