"""Personal data: encrypted at rest, found by keyed hashes, erased everywhere, let go of in time; on both stores."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.fernet import Fernet
from sqlalchemy import text

from canonical.errors import ConfigError
from dlq import shelf
from hub import clock, desk, erasure, tending
from hub.config import Retention
from hub.desk import NotFound, NotNow
from hub.store import Connection, Store, audit, keys, people, views
from tests.rig import ONE, Rig, order

WORDS = (b"Rosa Lind", b"13912345678", "平江路".encode())


def everything(connection: Connection) -> bytes:
    """All that the database holds, as it lies there."""
    found = b""
    for name in ("messages", "documents", "deliveries", "attempts", "dead_letters", "dead_letter_notes",
                 "dead_letter_edits", "dead_letter_groups", "people", "audit", "drift_findings"):  # fmt: skip
        for row in connection.execute(text(f"select * from {name}")):  # noqa: S608  # our own names
            for value in row:
                raw = bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode()
                found += raw + unzipped(raw) + b"\n"
    return found


def unzipped(raw: bytes) -> bytes:
    import zlib

    try:
        return zlib.decompress(raw)
    except zlib.error:
        return b""


@pytest.fixture
async def sealed(tmp_path: Path, store_url: str) -> AsyncIterator[Rig]:
    """A hub with a key."""
    rig = Rig(tmp_path, store_url, key=Fernet.generate_key().decode())
    yield rig
    await rig.close()


async def test_nothing_personal_lies_in_the_clear(sealed: Rig) -> None:
    await sealed.push(order())
    await sealed.work()
    raw = await sealed.read(everything)
    assert [word for word in WORDS if word in raw] == []
    assert sealed.bodies()[0]["receiver"]["name"] == "Rosa Lind"
    (document,) = await sealed.read(views.document, "W1001")
    assert document["body"]["receiver"]["phone"] == "13912345678"


async def test_rotation_encrypts_everything_anew(sealed: Rig) -> None:
    await sealed.push(order())
    await sealed.work()
    store = sealed.hub.store
    before = await sealed.read(keys.all_of)
    await sealed.run(keys.renew, store.vault, "", clock.now().timestamp())
    await sealed.run(keys.renew, store.vault, "default", clock.now().timestamp())
    for part in await sealed.read(lambda c: list(keys.parts(c))):
        await sealed.run(keys.rewrite, *part)
    old = {bytes.fromhex(row["id"]) for row in before}
    raw = await sealed.read(everything)
    assert not [number for number in old if b"\x01" + number in raw]
    (document,) = await sealed.read(views.document, "W1001")
    assert document["body"]["receiver"]["name"] == "Rosa Lind"


async def test_another_key_is_refused_and_two_keys_open(tmp_path: Path, store_url: str) -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    rig = Rig(tmp_path, store_url, key=old)
    await rig.push(order())
    await rig.close()
    stranger = Store(store_url, key=new)
    with pytest.raises(ConfigError, match="not the key that sealed"):
        stranger.prepare()
    stranger.close()
    both = Store(store_url, key=f"{new},{old}")
    both.prepare()
    with both.begin() as connection:
        keys.reseal(connection, both.vault)
    both.close()
    later = Store(store_url, key=new)
    later.prepare()
    with later.look() as connection:
        assert connection.execute(text("select count(*) from messages")).scalar() == 1
    later.close()


async def test_people_are_found_by_phone_and_name(rig: Rig) -> None:
    await rig.push(order("W1"))
    other = {"name": "Wang Wei", "phone": "+86 138-0000-1111", "country": "CN", "city": "杭州市", "street": "x"}
    await rig.push(order("W2", address=other))
    await rig.work()
    assert await rig.read(erasure.find, {"phone": "139 1234 5678"}) == [("default", "site", "W1")]
    assert await rig.read(erasure.find, {"phone": "13800001111"}) == [("default", "site", "W2")]
    assert await rig.read(erasure.find, {"name": "rosa  LIND"}) == [("default", "site", "W1")]
    assert await rig.read(erasure.find, {"name": "Wang Wei", "phone": "13912345678"}) == []


async def test_a_person_is_erased_everywhere_and_the_books_stay(rig: Rig) -> None:
    rig.answer = lambda r: httpx.Response(422 if b"W2" in r.content else 200, json={"error": "Rosa Lind unknown"})
    await rig.push(order("W1"))
    await rig.push(order("W2"))
    await rig.push(order("W3", status="teleported"))
    await rig.work()
    (refused,) = [row for row in await rig.open_letters() if row["subject"] == "W2"]
    _, _, content = await rig.read(tending.content, refused["id"])
    wanted = tending.with_values(content, {"receiver.name": "Rosa Lind-Berg"})
    await rig.run(tending.edit, refused["id"], wanted, "li", expected=0)
    await rig.run(desk.note, refused["id"], "li", "called Rosa Lind")
    balance = await rig.balances()
    orders = await rig.read(erasure.find, {"phone": "13912345678"})
    assert [subject for _, _, subject in orders] == ["W1", "W2"]
    done = await rig.run(erasure.erase, {"phone": "13912345678"}, orders, "li", force=False)
    assert done.counts["documents"] == 2
    raw = await rig.read(everything)
    left = [word for word in WORDS if word in raw]
    rows = await rig.read(lambda c: c.execute(text("select subject, body from messages")).all())
    assert [row.subject for row in rows if row.body is not None] == ["W3"], "which never became a document"
    assert left == list(WORDS), "W3 alone still holds it"
    assert b"Berg" not in raw
    assert await rig.balances() == balance
    (document,) = await rig.read(views.document, "W1")
    assert "receiver" not in document["body"] or "name" not in document["body"]["receiver"]
    assert document["body"]["totals"]["payable"] == "20.00"
    assert await rig.read(erasure.find, {"phone": "13912345678"}) == []
    (entry, *_) = await rig.read(audit.entries)
    assert (entry["act"], entry["actor"]) == ("person.erased", "li")
    assert "13912345678" not in entry["subject"] + entry["detail"]


async def test_an_erased_order_still_takes_what_the_platform_says_next(rig: Rig) -> None:
    await rig.push(order(minute=1))
    await rig.work()
    orders = await rig.read(erasure.find, {"name": "Rosa Lind"})
    await rig.run(erasure.erase, {"name": "Rosa Lind"}, orders, "li", force=False)
    await rig.push(order(minute=2, status="cancelled", address=None))
    await rig.work()
    assert await rig.open_letters() == []
    assert rig.bodies()[-1]["state"] == "cancelled"


async def test_an_older_record_does_not_bring_back_what_was_erased(rig: Rig) -> None:
    await rig.push(order("W1", minute=10))
    await rig.work()
    wanted = {"phone": "13912345678"}
    orders = await rig.read(erasure.find, wanted)
    await rig.run(erasure.erase, wanted, orders, "li", force=False)
    await rig.push(order("W1", minute=5))  # sent late, by the platform or by a person
    await rig.work()
    assert len(rig.seen) == 1
    assert "13912345678" not in str((await rig.read(views.trace, "W1"))["documents"])


async def test_what_is_on_its_way_is_not_erased_unasked(rig: Rig) -> None:
    rig.answer = lambda _request: httpx.Response(503)
    await rig.push(order())
    await rig.work()
    orders = await rig.read(erasure.find, {"name": "Rosa Lind"})
    with pytest.raises(NotNow, match="still on their way"):
        await rig.run(erasure.erase, {"name": "Rosa Lind"}, orders, "li", force=False)
    with pytest.raises(NotFound):
        await rig.run(erasure.erase, {"name": "Nobody"}, [], "li", force=False)


async def test_retention_lets_go_of_the_finished_and_keeps_the_dead(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(ONE)
    rig.answer = lambda r: httpx.Response(422 if b"W2" in r.content else 200)
    await rig.push(order("W1"))
    await rig.push(order("W2"))
    await rig.work()
    now = clock.now().timestamp()
    assert await rig.run(erasure.tidy, Retention(), now + 9e6) == {}
    assert await rig.run(erasure.tidy, Retention(raw=60.0), now) == {}
    assert await rig.run(erasure.tidy, Retention(raw=60.0, attempts=60.0), now + 100) == {"raw": 1, "attempts": 1}
    assert await rig.balances()
    assert await rig.run(erasure.tidy, Retention(documents=60.0), now + 100) == {"documents": 1}
    assert [row["subject"] for row in await rig.read(shelf.find)] == ["W2"]
    (row,) = await rig.read(views.deliveries_list)
    assert row["subject"] == "W2"
    rig.answer = lambda _request: httpx.Response(200)
    await rig.run(desk.replay, [1], "li")
    await rig.work()
    assert await rig.states() == ["delivered"]


def test_equal_phones_are_equal_however_they_are_written() -> None:
    spellings: list[Any] = ["13912345678", "+86 139 1234 5678", "0086-139-1234-5678", "139-1234-5678"]
    assert {people.normal("phone", phone) for phone in spellings} == {"13912345678"}


async def test_what_a_process_has_in_memory_does_not_come_back(rig: Rig) -> None:
    rig.flow.keeps = True  # it holds on to what it accepts
    await rig.push(order())
    orders = [("default", "site", "W1001")]
    await rig.run(lambda c: erasure.erase(c, {"phone": "13912345678"}, orders, "lin", force=False))
    await rig.flow.translate()
    raw = await rig.read(everything)
    assert [word for word in WORDS if word in raw] == []
    assert await rig.states() == []
