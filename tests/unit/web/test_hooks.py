"""Webhooks over HTTP: what gets in, what does not, and what the sender is told."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from structlog.testing import capture_logs

from adapters.port import Envelope
from hub.store import state, views
from hub.web import hooks
from hub.web.intake import Gone, TooSlow, read_body
from tests.rig import Rig, order
from tests.unit.web.visitor import Visitor, problem


def scope_of(path: str = "/hooks/site", *headers: tuple[bytes, bytes], query: bytes = b"") -> dict[str, Any]:
    return {
        "type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "query_string": query,
        "headers": list(headers), "path_params": {"shop": "site"}, "client": ("203.0.113.9", 41000),
    }  # fmt: skip


class Stream:
    """A body that comes in parts; counts how many were taken."""

    def __init__(self, *parts: bytes, ends: bool = True) -> None:
        self.parts, self.ends, self.taken = list(parts), ends, 0

    async def __call__(self) -> dict[str, Any]:
        if self.taken == len(self.parts):
            if self.ends:
                return {"type": "http.disconnect"}
            await asyncio.Event().wait()
        self.taken += 1
        more = not (self.ends and self.taken == len(self.parts))
        return {"type": "http.request", "body": self.parts[self.taken - 1], "more_body": more}


async def test_a_signed_push_is_on_disk_when_it_is_answered(visitor: Visitor) -> None:
    answered = await visitor.push(order())
    assert (answered.status_code, answered.content) == (200, b"")
    story = await visitor.rig.read(views.trace, "W1001")
    assert [(m["via"], m["state"]) for m in story["messages"]] == [("push", "received")]


async def test_a_wrong_signature_gets_the_channel_s_words_and_a_record_with_the_sender(visitor: Visitor) -> None:
    answered = await visitor.push(order(), secret="another")
    assert (answered.status_code, answered.json()) == (401, {"error": "wire.signature"})
    kept = await visitor.rig.read(state.quarantined)
    assert [(k["shop"], k["sender"]) for k in kept] == [("site", "203.0.113.9")]


async def test_an_unknown_shop_is_a_404(visitor: Visitor) -> None:
    assert problem(await visitor.push(order(), shop="nobody"), 404)["code"] == "push.no_shop"
    assert (await visitor.http.get("/hooks/nobody")).status_code == 404


async def test_the_address_can_be_checked_and_takes_no_other_method(visitor: Visitor) -> None:
    checked = await visitor.http.get("/hooks/site")
    assert checked.status_code == 200
    assert "site" in checked.text
    assert (await visitor.http.head("/hooks/site")).status_code == 200
    refused = await visitor.http.put("/hooks/site", content=b"x")
    assert problem(refused, 405)["code"] == "http.method"
    assert refused.headers["allow"] == "GET, HEAD, POST"


async def test_a_body_above_the_limit_is_refused_before_it_is_read(visitor: Visitor) -> None:
    limit = visitor.rig.hub.config.hub.body_limit
    told = problem(await visitor.push(b"x" * (limit + 1)), 413)
    assert str(limit) in told["detail"]
    assert (await visitor.push(b"[" + b" " * (limit - 2) + b"]")).status_code == 200


async def test_a_body_of_unknown_length_is_not_read_beyond_the_limit() -> None:
    stream = Stream(*[b"x" * 1000] * 50)
    assert await read_body(scope_of(), stream, 10_000) is None
    assert stream.taken == 11


async def test_a_declared_length_above_the_limit_is_not_read_at_all() -> None:
    stream = Stream(b"x")
    assert await read_body(scope_of("/", (b"content-length", b"10001")), stream, 10_000) is None
    assert stream.taken == 0


async def test_a_body_in_parts_is_put_together() -> None:
    assert await read_body(scope_of(), Stream(b'{"a"', b":", b"1}"), 100) == b'{"a":1}'


async def test_a_client_that_goes_away_or_sleeps_is_not_waited_for() -> None:
    going = Stream(b"half")
    going.taken, going.parts = 0, []
    with pytest.raises(Gone):
        await read_body(scope_of(), going, 100)
    with pytest.raises(TooSlow):
        await read_body(scope_of(), Stream(b"half", ends=False), 100, patience=0.01)


def test_headers_are_lower_case_joined_and_come_with_the_target() -> None:
    scope = scope_of("/hooks/site", (b"X-Shop", b"1"), (b"x-shop", b"2"), (b"Sign", b"ab"), query=b"app_key=7&sign=AB")
    assert hooks.headers_of(scope) == {"x-shop": "1, 2", "sign": "ab", ":path": "/hooks/site?app_key=7&sign=AB"}
    assert hooks.headers_of(scope_of("/hooks/site"))[":path"] == "/hooks/site"


async def test_a_store_that_fails_makes_the_sender_try_again(visitor: Visitor) -> None:
    await visitor.rig.run(lambda connection: connection.exec_driver_sql("drop table messages"))
    with capture_logs() as logged:
        answered = await visitor.push(order())
    told = problem(answered, 503)
    assert int(answered.headers["retry-after"]) > 0
    assert "messages" not in answered.text
    assert [e["incident"] for e in logged if e["event"] == "push.not_stored"] == [told["incident"]]
    assert [e for e in logged if e.get("exc_info")] == [], "many senders may hear the same: no traceback for each"


class Clumsy:
    """A channel with a mistake in it."""

    def verify(self, headers: Mapping[str, str], raw: bytes, now: datetime) -> None:
        raise KeyError("a header that is not always there")

    def unpack(self, headers: Mapping[str, str], raw: bytes, now: datetime) -> Iterator[Envelope]:
        raise AssertionError("nothing unproven is unpacked")


async def test_an_adapter_s_own_mistake_is_no_traceback_and_loses_nothing(visitor: Visitor) -> None:
    rig: Rig = visitor.rig
    rig.hub.shops["site"] = replace(rig.hub.shops["site"], channel=Clumsy())  # type: ignore[arg-type]
    with capture_logs() as logged:
        answered = await visitor.push(order())
    assert problem(answered, 503)["code"] == "push.not_stored"
    assert "always there" not in answered.text
    assert [e["event"] for e in logged] == ["push.not_stored"]


async def test_fifty_pushes_of_one_order_at_once_are_one_order(visitor: Visitor) -> None:
    answers = await asyncio.gather(*(visitor.push(order()) for _ in range(50)))
    assert {a.status_code for a in answers} == {200}
    await visitor.rig.work()
    assert len(visitor.rig.seen) == 1
