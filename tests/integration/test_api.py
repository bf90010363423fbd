"""The hub's server over real HTTP, on SQLite and on PostgreSQL."""

import asyncio
import contextlib
import hashlib
import hmac
import json
import signal
import socket
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.types import Receive, Scope, Send

from canonical.errors import ConfigError
from hub import clock, pulling
from hub.store import state, views
from hub.web.app import create_app
from hub.web.auth import digest_of, fresh_token
from hub.web.server import loop_factory, serve
from tests.guards import HANGS
from tests.rig import ONE, SECRET, Rig, order

PULLER = """
[shops.puller]
channel = "generic"
[shops.puller.source.order]
url = "https://site.example.com/orders"
"""


class Served:
    """A rig behind its own server."""

    def __init__(self, rig: Rig, port: int) -> None:
        self.rig, self.port, self.stopping, self.begun = rig, port, asyncio.Event(), asyncio.Event()
        app = create_app(rig.hub, rig.flow)

        async def noticed(scope: Scope, receive: Receive, send: Send) -> None:
            self.begun.set()
            await app(scope, receive, send)

        self.task = asyncio.create_task(serve(noticed, "127.0.0.1", port, self.stopping))
        self.http = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=HANGS)

    async def ready(self) -> None:
        while not self.task.done():
            with contextlib.suppress(httpx.TransportError):
                answered = await self.http.get("/readyz")
                if answered.status_code == 200:
                    return
                assert answered.status_code == 503, answered.text
            await asyncio.sleep(0)
        await self.task

    async def push(self, record: Any) -> httpx.Response:
        raw = json.dumps(record).encode()
        return await self.http.post("/hooks/site", content=raw, headers={"x-signature": signed(raw)})

    async def bearer(self, role: str) -> dict[str, str]:
        token = fresh_token()
        await self.rig.run(state.add_token, f"{role}-lin", role, digest_of(token), clock.now().timestamp())
        return {"authorization": f"Bearer {token}"}

    async def stop(self) -> None:
        self.stopping.set()
        await self.http.aclose()
        with contextlib.suppress(ConfigError):
            await self.task


def signed(raw: bytes) -> str:
    return hmac.new(SECRET.encode(), raw, hashlib.sha256).hexdigest()


@pytest.fixture
async def served(rig: Rig, free_port: int) -> AsyncIterator[Served]:
    found = Served(rig, free_port)
    await found.ready()
    yield found
    await found.stop()


async def test_pushed_delivered_and_read_back(served: Served) -> None:
    answers = await asyncio.gather(*(served.push(order(f"W{n % 10}")) for n in range(50)))
    assert {a.status_code for a in answers} == {200}
    await served.rig.work()
    headers = await served.bearer("support")
    listed = (await served.http.get("/api/v1/orders", headers=headers, params={"limit": 4})).json()
    assert len(listed["items"]) == 4
    rest = (await served.http.get("/api/v1/orders", headers=headers, params={"after": listed["next"]})).json()
    assert sorted(d["number"] for d in listed["items"] + rest["items"]) == [f"W{n}" for n in range(10)]
    story = (await served.http.get("/api/v1/trace/W3", headers=headers)).json()
    assert [d["state"] for d in story["deliveries"]] == ["delivered"]
    assert len(story["messages"]) == 5
    books = (await served.http.get("/api/v1/balance", headers=headers)).json()["items"]
    assert [(b["accepted"], b["delivered"], b["ignored"], b["holds"]) for b in books] == [(50, 10, 40, True)]


async def test_a_group_is_mended_and_replayed(served: Served) -> None:
    served.rig.answer = lambda _: httpx.Response(422, json={"error": "unknown SKU"})
    for number in range(4):
        await served.push(order(f"W{number}"))
    await served.rig.work()
    headers = await served.bearer("support")
    group = (await served.http.get("/api/v1/dead-letter-groups", headers=headers)).json()["items"][0]
    assert (group["count"], group["destination"]) == (4, "erp")
    served.rig.answer = lambda _: httpx.Response(200, json={})
    path = f"/api/v1/dead-letter-groups/{group['fingerprint']}/replay"
    replayed = (await served.http.post(path, headers=headers, json={})).json()
    assert replayed["deliveries"] == 4
    await served.rig.work()
    assert await served.rig.states() == ["delivered"] * 4
    assert (await served.http.get("/api/v1/dead-letter-groups", headers=headers)).json()["items"] == []


async def test_a_span_of_days_is_pulled_whole_and_moves_no_cursor_over_a_gap(
    make_rig: Callable[..., Rig], free_port: int
) -> None:
    rig = make_rig(PULLER + ONE)
    found = Served(rig, free_port)
    await found.ready()
    now = clock.now()
    reached = (now - timedelta(days=5)).timestamp()
    await rig.run(state.pull_state, "puller", "order")
    await rig.run(state.keep_pull, "puller", "order", reached=reached)
    rig.answer = lambda _: httpx.Response(200, json={"items": [], "next_cursor": None})
    span = {"from": (now - timedelta(days=2.5)).isoformat(), "to": now.isoformat()}
    asked = await found.http.post("/api/v1/pulls/puller", headers=await found.bearer("operator"), json=span)
    assert asked.status_code == 202
    settings = rig.hub.config.shops["puller"].pull
    assert settings
    for _ in range(3):
        await pulling.pull_page(rig.hub.store, rig.http, rig.hub.shops["puller"], "order", settings, "")
    windows = [(r.url.params["updated_since"][:16], r.url.params["updated_before"][:16]) for r in rig.seen]
    days = [(now - timedelta(days=d)).isoformat()[:16] for d in (2.5, 1.5, 0.5)]
    assert [start for start, _ in windows] == days
    assert [end for _, end in windows[:2]] == days[1:]
    kept = await rig.read(state.pull_state, "puller", "order")
    assert (kept["window_end"], kept["reached"]) == (None, reached)
    await found.stop()


async def test_a_span_asked_while_a_page_is_on_its_way_is_not_forgotten(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(PULLER + ONE)
    store, shop, settings = rig.hub.store, rig.hub.shops["puller"], rig.hub.config.shops["puller"].pull
    assert settings
    start = clock.now().timestamp() - 7200

    def meanwhile(_: httpx.Request) -> httpx.Response:
        with store.begin() as connection:
            pulling.span(connection, "puller", "order", start, start + 60)
        return httpx.Response(answers.pop(), json={"items": [], "next_cursor": None})

    for status in (200, 500):
        answers = [status]
        rig.answer = meanwhile
        await rig.run(state.keep_pull, "puller", "order", window_start=None, window_end=None, due_at=0.0)
        await pulling.pull_page(store, rig.http, shop, "order", settings, "")
        kept = await rig.read(state.pull_state, "puller", "order")
        assert (kept["window_start"], kept["window_end"], kept["due_at"]) == (start, start + 60, 0.0)


async def test_odd_text_and_numbers_reach_no_database_as_they_are(served: Served) -> None:
    headers = await served.bearer("admin")
    for path, status in (
        ("/api/v1/orders/a%00b", 422),
        ("/api/v1/orders/%F0%9F%92%A9", 404),
        ("/api/v1/orders?shop=%00", 422),
        ("/api/v1/orders?after=99999999999999999999", 422),
        ("/api/v1/orders/'%20or%201=1--", 404),
        ("/api/v1/orders/%25", 404),
        ("/api/v1/deliveries/9223372036854775807", 404),
        ("/api/v1/orders/a%2Fb", 404),
    ):
        answered = await served.http.get(path, headers=headers)
        assert answered.status_code == status, f"{path}: {answered.text}"
        assert answered.headers["content-type"] == "application/problem+json"


async def test_two_processes_on_one_store_tell_the_same_metrics(served: Served, make_rig: Callable[..., Rig]) -> None:
    await served.push(order("W1"))
    await served.rig.work()
    other = make_rig()
    app = httpx.ASGITransport(create_app(other.hub, other.flow))
    async with httpx.AsyncClient(transport=app, base_url="http://hub") as second:
        texts = [(await client.get("/metrics")).text for client in (served.http, second)]
    counted = [
        {
            (s.name, *sorted(s.labels.items())): s.value
            for family in text_string_to_metric_families(text)
            for s in family.samples
            if family.type in ("counter", "histogram")
        }
        for text in texts
    ]
    assert counted[0] == counted[1]
    assert sum(v for k, v in counted[0].items() if k[0] == "hub_deliveries_delivered_total") == 1


async def test_a_body_that_grows_beyond_the_limit_is_cut_off(served: Served) -> None:
    limit = served.rig.hub.config.hub.body_limit

    async def flood() -> AsyncIterator[bytes]:
        for _ in range(3 * limit // 65536):
            yield b" " * 65536

    answered = await served.http.post("/hooks/site", content=flood())
    assert answered.status_code == 413
    declared = await served.http.post("/hooks/site", content=b" " * (limit + 1))
    assert declared.status_code == 413
    assert (await served.push(order())).status_code == 200
    assert [m["n"] for m in await served.rig.read(views.message_states)] == [1]


def listens(port: int) -> bool:
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0


async def test_a_request_under_way_is_finished_before_the_server_stops(served: Served) -> None:
    raw = json.dumps(order()).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    head = f"POST /hooks/site HTTP/1.1\r\nhost: hub\r\nx-signature: {signed(raw)}\r\ncontent-length: {len(raw)}\r\n\r\n"
    served.begun.clear()
    writer.write(head.encode() + raw[:20])
    await served.begun.wait()
    served.stopping.set()
    while listens(served.port):  # noqa: ASYNC110  # the kernel tells nobody
        await asyncio.sleep(0)
    assert not served.task.done()
    writer.write(raw[20:])
    answered = await reader.read()
    writer.close()
    assert b" 200 " in answered.splitlines()[0]
    await served.task
    assert [m["n"] for m in await served.rig.read(views.message_states)] == [1]


async def test_signals_stay_the_process_s_own(served: Served) -> None:
    before = signal.getsignal(signal.SIGTERM)
    assert (await served.http.get("/healthz")).status_code == 200
    assert signal.getsignal(signal.SIGTERM) is before
    assert "uvicorn" not in repr(before)
    assert "uvicorn" not in (await served.http.get("/healthz")).headers.get("server", "")


async def test_a_taken_port_is_said_in_clear_text(served: Served) -> None:
    app = create_app(served.rig.hub, served.rig.flow)
    with pytest.raises(ConfigError, match=rf"hub\.listen: port {served.port} is taken"):
        await serve(app, "127.0.0.1", served.port, asyncio.Event())
    with pytest.raises(ConfigError, match=r"hub\.listen: this machine has no such address"):
        await serve(app, "192.0.2.1", 0, asyncio.Event())
    with pytest.raises(ConfigError, match=r"hub\.listen: nowhere\.invalid:80 is no address"):
        await serve(app, "nowhere.invalid", 80, asyncio.Event())


def test_the_server_runs_on_uvloop_where_it_is_installed(rig: Rig, free_port: int) -> None:
    async def once() -> int:
        stopping = asyncio.Event()
        task = asyncio.create_task(serve(create_app(rig.hub, rig.flow), "[::1]", free_port, stopping))
        async with httpx.AsyncClient(base_url=f"http://[::1]:{free_port}", timeout=HANGS) as http:
            while not task.done():
                with contextlib.suppress(httpx.TransportError):
                    status = (await http.get("/healthz")).status_code
                    break
                await asyncio.sleep(0)
        stopping.set()
        await task
        return status

    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        assert runner.run(once()) == 200
        assert type(runner.get_loop()).__module__.startswith("uvloop")
