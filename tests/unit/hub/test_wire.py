"""Talks over HTTP: what is an outage, what is in doubt, and what may be written down of it."""

import asyncio
from collections.abc import Generator

import httpx
import pytest
import respx

from canonical.errors import InDoubt, Refused, Unavailable
from hub.masking import mask_text
from hub.wire import Log, client, converse

URL = "https://erp.example.com/orders"


def talk(turns: int = 1) -> Generator[httpx.Request, httpx.Response, list[int]]:
    seen = []
    for _ in range(turns):
        answer = yield httpx.Request("POST", URL, json={"a": 1})
        seen.append(answer.status_code)
    return seen


@respx.mock
async def test_a_talk_runs_to_its_result_and_is_logged() -> None:
    respx.post(URL).mock(side_effect=[httpx.Response(401), httpx.Response(200, text="fine")])
    log = Log()
    async with httpx.AsyncClient() as http:
        assert await converse(http, talk(2), 5, log) == [401, 200]
    assert [e.status for e in log.exchanges] == [401, 200]
    assert (log.status, log.answer, log.sent) == (200, "fine", True)


@respx.mock
async def test_a_server_that_is_not_reached_is_tried_again_at_once_and_carried_nothing() -> None:
    route = respx.post(URL).mock(side_effect=httpx.ConnectError("refused"))
    log = Log()
    async with httpx.AsyncClient() as http:
        with pytest.raises(Unavailable) as caught:
            await converse(http, talk(), 5, log)
    assert route.call_count == 3
    assert caught.value.code == "delivery.unreachable"
    assert log.sent is False


@respx.mock
@pytest.mark.parametrize("trouble", [httpx.ReadTimeout, httpx.ReadError, httpx.RemoteProtocolError, httpx.WriteError])
async def test_a_lost_answer_is_in_doubt_and_never_sent_again_at_once(trouble: type[httpx.HTTPError]) -> None:
    route = respx.post(URL).mock(side_effect=trouble("lost"))
    log = Log()
    async with httpx.AsyncClient() as http:
        with pytest.raises(InDoubt):
            await converse(http, talk(), 5, log)
    assert route.call_count == 1
    assert log.sent is True


@respx.mock
async def test_an_adapter_that_never_ends_is_stopped() -> None:
    respx.post(URL).mock(return_value=httpx.Response(200))
    async with httpx.AsyncClient() as http:
        with pytest.raises(Refused, match="did not come to an end"):
            await converse(http, talk(100), 5)


def test_phones_mails_and_secrets_never_reach_the_log() -> None:
    text = '{"mobile": "13912345678", "mail": "a.b@example.com", "access_token": "abc123", "ok": 1, "sign":"XYZ"}'
    masked = mask_text(text)
    for secret in ("13912345678", "a.b@example.com", "abc123", "XYZ"):
        assert secret not in masked
    assert '"ok": 1' in masked


@pytest.mark.parametrize("cut", ["after the request", "inside the answer"])
async def test_a_connection_that_breaks_after_the_request_is_in_doubt_over_the_real_transport(cut: str) -> None:
    asked = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        await reader.readuntil(b"\r\n\r\n")
        asked += 1
        if cut == "inside the answer":
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf of it")
            await writer.drain()
        writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"

    def ask() -> Generator[httpx.Request, httpx.Response, int]:
        return (yield httpx.Request("POST", url, json={})).status_code

    http = client()
    try:
        with pytest.raises(InDoubt):
            await converse(http, ask(), 5)
        server.close()
        with pytest.raises(Unavailable) as caught:
            await converse(http, ask(), 5)
    finally:
        server.close()
        await http.aclose()
    assert asked == 1
    assert caught.value.code == "delivery.unreachable"
