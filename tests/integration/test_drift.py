"""Drift, from stored messages to a hook that hears of it, on both databases."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from pydantic import SecretStr

from adapters.signing import verify_standard_webhooks
from canonical.errors import ConfigError
from hub import clock, wire, wiring
from hub.desk import NotFound
from hub.store import audit, views
from hub.store import drift as kept
from hub.workbench import alerts, drift
from hub.workbench.drift import Drift, Pace
from tests.rig import Rig, order

SETTLED, GONE = 12, 6
PACE = Pace(settled=SETTLED, gone=GONE, lag=-60.0)
WHSEC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture
def own(rig: Rig, tmp_path: Path) -> Rig:
    """A hub with a mappings folder that the test may change."""
    folder = tmp_path / "mappings"
    shutil.copytree(rig.hub.catalog.folder, folder, ignore=shutil.ignore_patterns("cases", "taobao", "shopify", "jd"))
    rig.hub.catalog.folder = folder
    rig.hub.catalog.load()
    return rig


def change(rig: Rig, old: str, new: str) -> None:
    path = rig.hub.catalog.folder / "channels/generic/order.toml"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    rig.hub.catalog.load()


def watcher(rig: Rig, pace: Pace = PACE) -> Drift:
    return Drift(rig.hub.store, rig.hub.catalog, rig.hub.shops, 30.0, pace)


async def findings(rig: Rig, **which: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = await rig.read(kept.findings, **which)
    return found


class Days:
    """Pushes orders with ever new numbers."""

    def __init__(self, rig: Rig, pace: Pace = PACE) -> None:
        self.rig, self.look, self.number = rig, watcher(rig, pace), 0

    async def pass_by(self, times: int, **changes: Any) -> None:
        for _ in range(times):
            self.number += 1
            await self.rig.push(order(f"W{self.number}", way=changes.pop("way", "by_air"), **changes))
        await self.look.turn()


@pytest.fixture
async def days(own: Rig) -> Days:
    """A shop whose records are known by now."""
    days = Days(own)
    await days.pass_by(SETTLED + GONE)
    assert await findings(own) == []
    return days


async def test_a_new_field_is_found_counted_and_closed_when_a_mapping_reads_it(own: Rig, days: Days) -> None:
    await days.pass_by(3, wrapping="red")
    (row,) = await findings(own)
    assert (row["what"], row["path"], row["count"], row["sample"]) == ("new_field", "wrapping", 3, '"red"')
    assert (row["shop"], row["kind"], row["channel"]) == ("site", "order", "generic")
    assert row["message_id"] == SETTLED + GONE + 3
    change(own, "[order]\n", '[order]\nextra.wrapping = "wrapping"\n')
    await days.look.turn()
    assert await findings(own) == []
    (row,) = await findings(own, closed=True)
    assert row["closed_by"] == "hub"
    await days.pass_by(2, wrapping="red")
    assert await findings(own) == []
    change(own, 'extra.wrapping = "wrapping"\n', "")
    await days.pass_by(1, wrapping="red")
    assert [row["count"] for row in await findings(own)] == [4]


async def test_a_word_that_no_table_has_is_found_with_the_rules_that_read_it(own: Rig, days: Days) -> None:
    await days.pass_by(2, status="teleported")
    (row,) = await own.read(drift.listing, days.look)
    assert (row["what"], row["path"], row["detail"], row["count"]) == ("new_word", "status", "teleported", 2)
    assert "order.state" in row["rules"]
    change(own, "[tables.state]\n", '[tables.state]\nteleported = "open"\n')
    await days.look.turn()
    assert await findings(own) == []


async def test_a_field_that_vanished_is_found_and_closes_when_it_is_back(own: Rig, days: Days) -> None:
    await days.pass_by(GONE, note=None)
    assert await findings(own) == []
    for _ in range(GONE):
        days.number += 1
        record = order(f"W{days.number}", way="by_air")
        del record["goods"]
        await own.push(record)
    await days.look.turn()
    (row,) = await findings(own)
    assert (row["what"], row["path"], row["count"]) == ("vanished", "goods", GONE)
    assert row["first_at"] < row["last_at"]
    await days.pass_by(1)
    assert await findings(own) == []


async def test_a_person_closes_a_finding_and_it_opens_again_only_after_it_stayed_away(own: Rig, days: Days) -> None:
    await days.pass_by(1, wrapping="red")
    (row,) = await findings(own)
    assert await own.run(drift.close, [row["id"]], "ann") == 1
    await days.pass_by(3, wrapping="red")
    assert await findings(own) == []
    await days.pass_by(GONE)
    await days.pass_by(1, wrapping="blue")
    (again,) = await findings(own)
    assert (again["id"], again["count"], again["sample"]) == (row["id"], 5, '"blue"')
    acts = [(a["actor"], a["act"], a["detail"]) for a in await own.read(audit.entries)]
    assert ("ann", "drift.closed", "site/order new_field wrapping") in acts
    with pytest.raises(NotFound):
        await own.run(drift.close, [row["id"] + 1], "ann")


async def test_each_message_is_looked_at_once_whoever_walks(own: Rig, days: Days) -> None:
    other = watcher(own)
    await days.pass_by(1, wrapping="red")
    assert await other.turn() == 0
    assert await days.look.turn() == 0
    assert [row["count"] for row in await findings(own)] == [1]
    now = clock.now().timestamp()
    assert await own.run(kept.lease, kept.WALK, now, 60.0, "another process") is not None
    await days.pass_by(2, wrapping="red")
    assert [row["count"] for row in await findings(own)] == [1]
    assert await own.run(kept.release, kept.WALK, "another process", None, now)
    await other.turn()
    assert [row["count"] for row in await findings(own)] == [3]


async def test_a_walk_that_fell_behind_takes_a_sample_of_all(own: Rig) -> None:
    days = Days(own, replace(PACE, backlog=20, limit=10))
    await days.pass_by(1)
    await days.pass_by(50)
    assert await days.look.turn() == 0
    (profile,) = await own.read(kept.profiles)
    assert 10 <= profile["records"] <= 12


async def test_a_hostile_platform_fills_neither_profile_nor_findings(own: Rig, days: Days) -> None:
    days.look = watcher(own, replace(PACE, findings=5))
    for number in range(30):
        await days.pass_by(1, **{"".join(chr(97 + int(d)) for d in str(number)) + "\x00" + str(i): i for i in range(9)})
    assert len(await findings(own)) <= 5


# -- the hook ----------------------------------------------------------------------------------------------------


class Receiver:
    """A real HTTP server on loopback that keeps what it is told. `status` is what it answers."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.status = 200
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.got.append(({k.lower(): v for k, v in self.headers.items()}, body))
                self.send_response(receiver.status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/drift"
        Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()


async def test_the_hook_hears_of_each_finding_once_and_nothing_is_lost(
    own: Rig, days: Days, receiver: Receiver
) -> None:
    section = own.hub.config.hub.model_copy(update={"drift_hook": receiver.url, "drift_hook_secret": SecretStr(WHSEC)})
    http = wire.client()
    try:
        assert await alerts.tell(own.hub.store, http, section) == 0
        await days.pass_by(2, wrapping="red")
        await days.pass_by(1, status="teleported")
        receiver.status = 503
        assert await alerts.tell(own.hub.store, http, section) == 0
        receiver.status = 204
        assert await alerts.tell(own.hub.store, http, section) == 2
        assert await alerts.tell(own.hub.store, http, section) == 0
    finally:
        await http.aclose()
    (failed, _), (headers, body) = receiver.got
    verify_standard_webhooks([WHSEC], headers, body, clock.now().timestamp())
    assert headers["webhook-id"] == failed["webhook-id"]
    told = json.loads(body)
    assert told["type"] == "drift.found"
    first, second = told["data"]["findings"]
    assert (first["what"], first["path"], first["count"], first["sample"]) == ("new_field", "wrapping", 2, '"red"')
    assert (second["what"], second["detail"], second["shop"]) == ("new_word", "teleported", "site")
    assert all(row["told_at"] for row in await findings(own))
    counters = await own.read(views.all_counters)
    assert ("drift", ["generic", "site", "new_field"], 1.0) in counters


async def test_a_hook_that_is_not_there_stops_nothing(own: Rig, days: Days, free_port: int) -> None:
    section = own.hub.config.hub.model_copy(update={"drift_hook": f"http://127.0.0.1:{free_port}/"})
    await days.pass_by(1, wrapping="red")
    http = wire.client()
    try:
        assert await alerts.tell(own.hub.store, http, section) == 0
    finally:
        await http.aclose()
    assert len(await findings(own)) == 1


def test_a_hook_that_cannot_be_is_told_at_start(tmp_path: Path) -> None:
    path = tmp_path / "hub.toml"
    path.write_text('[hub]\ndrift_hook = "it.example.com"\ndrift_hook_secret = "secret"\n', encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        wiring.build(path)
    assert any("hub.drift_hook: 'it.example.com' is no address" in p for p in caught.value.problems)
    assert any("hub.drift_hook_secret: not a Standard Webhooks secret" in p for p in caught.value.problems)
