"""Destination file: whole lines, once each, whatever stops in the middle."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from adapters.destinations.file import ADAPTER, File, FileSettings, FileTransport
from adapters.port import Delivery, Receipt
from canonical.errors import Unavailable
from hub.wire import converse

NOW = datetime(2026, 11, 22, 15, 59, 59, tzinfo=UTC)


def delivery(number: int = 1, attempt: int = 1, **more: Any) -> Delivery:
    given: dict[str, Any] = {
        "id": str(number),
        "tenant": "default",
        "destination": "books",
        "kind": "order",
        "shop": "tb-main",
        "key": f"W{number}",
        "subject": f"W{number}",
        "revision": "r1",
        "sequence": 1,
        "idempotency_key": f"key-{number}",
        "body": {"order_no": f"W{number}", "note": "加急\n第二行"},
        "attempt": attempt,
    }
    return Delivery(**{**given, **more})


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(mounts={"file://": ADAPTER.transport()}) as client:
        yield client


def books(folder: Path, **more: Any) -> File:
    return ADAPTER(FileSettings.model_validate({"path": str(folder), "zone": "Asia/Shanghai", **more}))


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


async def push(http: httpx.AsyncClient, to: File, what: Delivery, now: datetime = NOW) -> Receipt:
    return await converse(http, to.push(what, now), 5)


async def test_a_line_tells_the_whole_delivery(http: httpx.AsyncClient, tmp_path: Path) -> None:
    folder = tmp_path / "with space" / "und ümlaut#?"

    receipt = await push(http, books(folder), delivery())

    assert receipt == Receipt("order-2026-11-22.jsonl@0")
    assert lines(folder / "order-2026-11-22.jsonl") == [
        {
            "idempotency_key": "key-1",
            "kind": "order",
            "tenant": "default",
            "shop": "tb-main",
            "key": "W1",
            "subject": "W1",
            "revision": "r1",
            "at": "2026-11-22T15:59:59+00:00",
            "document": {"order_no": "W1", "note": "加急\n第二行"},
        }
    ]


async def test_one_file_a_kind_and_day_of_the_zone(http: httpx.AsyncClient, tmp_path: Path) -> None:
    to = books(tmp_path)
    await push(http, to, delivery(1))
    await push(http, to, delivery(2), NOW + timedelta(seconds=1))
    await push(http, to, delivery(3, kind="refund"))

    assert names(tmp_path) == [
        "order-2026-11-22.jsonl",
        "order-2026-11-23.jsonl",
        "refund-2026-11-22.jsonl",
    ]


async def test_many_at_once_are_each_there_once(http: httpx.AsyncClient, tmp_path: Path) -> None:
    to = books(tmp_path)

    receipts = await asyncio.gather(*(push(http, to, delivery(n)) for n in range(300)))

    path = tmp_path / "order-2026-11-22.jsonl"
    assert sorted(line["key"] for line in lines(path)) == sorted(f"W{n}" for n in range(300))
    raw = path.read_bytes()
    for number, receipt in enumerate(receipts):
        at = int(receipt.reference.partition("@")[2])
        assert raw[at:].startswith(b'{"idempotency_key":"key-%d",' % number)


async def test_several_writers_share_a_file(tmp_path: Path) -> None:
    to = books(tmp_path)
    clients = [httpx.AsyncClient(mounts={"file://": FileTransport()}) for _ in range(4)]
    await asyncio.gather(*(push(clients[n % 4], to, delivery(n)) for n in range(120)))
    for client in clients:
        await client.aclose()

    assert len(lines(tmp_path / "order-2026-11-22.jsonl")) == 120


async def test_a_second_attempt_finds_the_first_ones_line(http: httpx.AsyncClient, tmp_path: Path) -> None:
    to = books(tmp_path)
    first = await push(http, to, delivery(1))
    await push(http, to, delivery(2))

    again = await push(http, to, delivery(1, attempt=2))
    next_day = await push(http, to, delivery(1, attempt=3), NOW + timedelta(days=1))

    assert again == next_day == Receipt(first.reference, already_there=True)
    assert len(lines(tmp_path / "order-2026-11-22.jsonl")) == 2
    assert not (tmp_path / "order-2026-11-23.jsonl").exists()


async def test_a_look_up_reaches_back_as_far_as_configured(http: httpx.AsyncClient, tmp_path: Path) -> None:
    to = books(tmp_path, look_back=2)
    await push(http, to, delivery(1))

    async def look(days: int) -> Receipt | None:
        return await converse(http, to.look_up(delivery(1), NOW + timedelta(days=days)), 5)

    assert await look(1) == Receipt("order-2026-11-22.jsonl@0", already_there=True)
    assert await look(2) is None


async def test_the_key_of_another_delivery_inside_a_document_is_no_match(
    http: httpx.AsyncClient, tmp_path: Path
) -> None:
    to = books(tmp_path)
    await push(http, to, delivery(1, body={"idempotency_key": "key-2", "note": '{"idempotency_key":"key-2",'}))

    assert await converse(http, to.look_up(delivery(2), NOW), 5) is None


@pytest.mark.parametrize("kept", [1, 20, 60])
async def test_a_torn_line_goes_before_the_next_one(http: httpx.AsyncClient, tmp_path: Path, kept: int) -> None:
    to, path = books(tmp_path), tmp_path / "order-2026-11-22.jsonl"
    await push(http, to, delivery(1))
    whole = path.read_bytes()
    await push(http, to, delivery(2))
    os.truncate(path, len(whole) + kept)

    assert await converse(http, to.look_up(delivery(2), NOW), 5) is None
    await push(http, to, delivery(2, attempt=2))

    assert [line["key"] for line in lines(path)] == ["W1", "W2"]


async def test_a_line_that_lacks_only_its_end_is_kept(http: httpx.AsyncClient, tmp_path: Path) -> None:
    to, path = books(tmp_path), tmp_path / "order-2026-11-22.jsonl"
    await push(http, to, delivery(1))
    os.truncate(path, path.stat().st_size - 1)

    assert await push(http, to, delivery(1, attempt=2)) == Receipt("order-2026-11-22.jsonl@0", already_there=True)
    await push(http, to, delivery(2))

    assert [line["key"] for line in lines(path)] == ["W1", "W2"]


async def test_a_torn_line_longer_than_a_block(http: httpx.AsyncClient, tmp_path: Path) -> None:
    to, path = books(tmp_path), tmp_path / "order-2026-11-22.jsonl"
    await push(http, to, delivery(1))
    with path.open("ab") as file:
        file.write(b'{"idempotency_key":"key-2","document":"' + b"x" * (3 << 20))
    await push(http, to, delivery(3))

    assert [line["key"] for line in lines(path)] == ["W1", "W3"]


async def test_a_number_of_any_size(http: httpx.AsyncClient, tmp_path: Path) -> None:
    await push(http, books(tmp_path), delivery(1, body={"n": 2**90}))

    assert lines(tmp_path / "order-2026-11-22.jsonl")[0]["document"] == {"n": 2**90}


async def test_a_path_that_is_taken_is_an_outage(http: httpx.AsyncClient, tmp_path: Path) -> None:
    (tmp_path / "order-2026-11-22.jsonl").mkdir()

    with pytest.raises(Unavailable) as caught:
        await push(http, books(tmp_path), delivery(1))

    assert "order-2026-11-22.jsonl" in caught.value.message


async def test_a_caller_that_gives_up_takes_nobody_along(tmp_path: Path) -> None:
    transport, to = FileTransport(), books(tmp_path)
    async with httpx.AsyncClient(mounts={"file://": transport}) as http:
        tasks = [asyncio.create_task(push(http, to, delivery(n))) for n in range(5)]
        await asyncio.sleep(0)
        tasks[0].cancel()
        done = await asyncio.gather(*tasks, return_exceptions=True)

    assert isinstance(done[0], asyncio.CancelledError)
    assert all(isinstance(r, Receipt) for r in done[1:])
    assert {f"W{n}" for n in range(1, 5)} <= {line["key"] for line in lines(tmp_path / "order-2026-11-22.jsonl")}


@given(cut=st.integers(0, 600), keys=st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=4, unique=True))
def test_wherever_it_was_cut_each_delivery_ends_there_once(
    tmp_path_factory: pytest.TempPathFactory, cut: int, keys: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("cut")
    path = folder / "order-2026-11-22.jsonl"

    async def story() -> None:
        to = books(folder)
        async with httpx.AsyncClient(mounts={"file://": FileTransport()}) as http:
            for n, key in enumerate(keys):
                await push(http, to, delivery(n, idempotency_key=key, key=key))
            os.truncate(path, min(cut, path.stat().st_size))
            for n, key in enumerate(keys):
                await push(http, to, delivery(n, attempt=2, idempotency_key=key, key=key))

    asyncio.run(story())

    assert sorted(line["idempotency_key"] for line in lines(path)) == sorted(keys)


@pytest.mark.parametrize("wrong", [{"path": ""}, {"path": "x", "zone": "Mars/North"}, {"path": "x", "look_back": 0}])
def test_settings_that_cannot_work(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        FileSettings.model_validate(wrong)
