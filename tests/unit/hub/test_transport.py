"""The transport against real sockets: every wait and size is bounded, and a name cannot lead into a private network."""

import asyncio
import ipaddress
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import httpx
import pytest
from aiohttp.abc import AbstractResolver

from canonical.errors import InDoubt, Refused, Unavailable
from hub.transport import Client, Guarded, Transport
from hub.wire import client, converse

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def server(handle: Handler) -> AsyncIterator[str]:
    """A server on loopback; gives its address."""
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handle(reader, writer)
        finally:
            writer.transport.abort()

    def started(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.ensure_future(connected(reader, writer)))

    running = await asyncio.start_server(started, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{running.sockets[0].getsockname()[1]}/"
    finally:
        running.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)


def saying(raw: bytes, *, then: bytes = b"", times: int = 0, pause: float = 0.0, abort: bool = False) -> Handler:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal abort
        await reader.readuntil(b"\r\n\r\n")
        writer.write(raw)
        try:
            for _ in range(times):
                await asyncio.sleep(pause)
                writer.write(then)
                await writer.drain()
        except ConnectionError:
            abort = True
        if abort:
            writer.transport.abort()
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    return handle


async def post(url: str, timeout: float = 5.0, carried: Transport | None = None) -> httpx.Response:
    def talk():
        return (yield httpx.Request("POST", url, json={"a": 1}))

    async with client() if carried is None else Client(transport=carried) as http:
        found: httpx.Response = await converse(http, talk(), timeout)
        return found


async def test_an_answer_comes_whole() -> None:
    async with server(saying(b"HTTP/1.1 201 Created\r\nX-Number: 7\r\nContent-Length: 2\r\n\r\nok")) as url:
        answer = await post(url)
    assert (answer.status_code, answer.headers["x-number"], answer.text) == (201, "7", "ok")


async def test_a_redirect_is_not_followed() -> None:
    async with server(
        saying(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n")
    ) as url:
        assert (await post(url)).status_code == 302


async def test_an_answer_without_end_is_cut_off() -> None:
    async with server(saying(b"HTTP/1.1 200 OK\r\n\r\n", then=b"x" * 50_000, times=50)) as url:
        with pytest.raises(Refused) as refused:
            await post(url, carried=Transport(limit=100_000))
    assert refused.value.code == "delivery.answer_too_large"


async def test_an_answer_that_drips_is_in_doubt_when_its_time_is_up() -> None:
    head, often = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", 1_000_000  # it outlasts every patience
    async with server(saying(head, then=b"x", times=often, pause=0.1)) as url:
        with pytest.raises(InDoubt):
            await post(url, timeout=0.5)


@pytest.mark.parametrize(
    "handler",
    [
        saying(b"", abort=True),
        saying(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx", abort=True),
        saying(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx"),
        saying(b"this is no HTTP\r\n\r\n"),
    ],
    ids=["reset", "reset in the middle", "cut", "gibberish"],
)
async def test_what_was_sent_and_not_answered_is_in_doubt(handler: Handler) -> None:
    async with server(handler) as url:
        with pytest.raises(InDoubt):
            await post(url)


async def test_nobody_there_is_an_outage(free_port: int) -> None:
    with pytest.raises(Unavailable) as caught:
        await post(f"http://127.0.0.1:{free_port}/")
    assert caught.value.code == "delivery.unreachable"


@pytest.mark.parametrize("url", ["ftp://erp.example.com/", "http://", "nonsense"])
async def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(Refused) as refused:
        await post(url)
    assert refused.value.code == "delivery.bad_url"


class Names(AbstractResolver):
    """A name server of this test's own."""

    def __init__(self, address: str) -> None:
        self.address = address

    async def resolve(self, host, port=0, family=0):
        return [{"hostname": host, "host": self.address, "port": port, "family": 2, "proto": 0, "flags": 0}]

    async def close(self) -> None:
        return None


@pytest.mark.parametrize(
    "address", ["10.1.2.3", "192.168.0.9", "169.254.169.254", "127.0.0.1", "::1", "fe80::1", "fd00::1"]
)
async def test_a_name_that_leads_inside_is_refused(address: str) -> None:
    with pytest.raises(Refused, match=r"hub\.networks") as refused:
        await post("http://erp.example.com/", carried=Transport(resolver=Names(address)))
    assert refused.value.code == "delivery.bad_url"


async def test_networks_in_hub_toml_allow_it() -> None:
    inside = [ipaddress.ip_network("10.0.0.0/8")]
    assert (await Guarded(inside, Names("10.1.2.3")).resolve("erp.example.com", 80))[0]["host"] == "10.1.2.3"
    assert await Guarded([], Names("93.184.216.34")).resolve("erp.example.com", 80)
    assert await Guarded([], Names("127.0.0.1")).resolve("localhost", 80), "is meant as it is written"


@pytest.fixture
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment without proxies, to be filled."""
    for name in ("http", "https", "all", "no"):
        monkeypatch.delenv(f"{name}_proxy", raising=False)
        monkeypatch.delenv(f"{name.upper()}_PROXY", raising=False)
    return monkeypatch


def proxy(asked: list[str], answer: bytes) -> Handler:
    """Notes the first line of what it is asked, and answers."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n\r\n")).decode().splitlines()[0])
        writer.write(answer)
        await writer.drain()

    return handle


async def test_the_environments_proxy_is_asked_and_names_are_its_to_resolve(no_proxies: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    async with server(proxy(asked, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")) as address:
        no_proxies.setenv("HTTP_PROXY", address)
        async with Client(transport=Transport()) as http:
            answer = await http.post("http://erp.example.test/orders?a=1", content=b"{}")
    assert answer.text == "ok"
    assert asked == ["POST http://erp.example.test/orders?a=1 HTTP/1.1"]


async def test_https_goes_through_a_tunnel_of_the_proxy(no_proxies: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    async with server(proxy(asked, b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")) as address:
        no_proxies.setenv("HTTPS_PROXY", address)
        async with Client(transport=Transport()) as http:
            with pytest.raises(httpx.ConnectError, match="403"):  # nothing was sent
                await http.post("https://erp.example.test/orders", content=b"{}")
    assert asked == ["CONNECT erp.example.test:443 HTTP/1.1"]


async def test_what_no_proxy_names_is_asked_itself(no_proxies: pytest.MonkeyPatch) -> None:
    ok = saying(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nme", times=0)
    async with server(ok) as address:
        no_proxies.setenv("HTTP_PROXY", "http://127.0.0.1:1")
        no_proxies.setenv("NO_PROXY", "127.0.0.1")
        async with Client(transport=Transport()) as http:
            assert (await http.get(address)).text == "me"
