"""The command as its users run it: real processes, from `hub init` to mending what died.

What each noun shows and does in detail is in tests/unit/cli; here is that the whole of it works from outside.
"""

import json
import re
import shutil
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from hub import demo
from hub.processes import free_port
from tests.acceptance.deployment import Deployment, deployed, eventually, sold, stopped
from tests.acceptance.terminal import PROJECT, Terminal

SMALL = """
[hub]
store = "sqlite:///hub.db"
[shops.site]
channel = "generic"
pull = false
signature = { scheme = "hmac-sha256-hex", header = "x-signature", secret = "front-door" }
[destinations.archive]
kind = "file"
path = "archive"
[[routes]]
on = "order"
to = ["archive"]
[[routes]]
on = "refund"
to = ["archive"]
"""
TRADE = {
    "tid": 4400000000000000123, "status": "WAIT_SELLER_SEND_GOODS", "type": "fixed", "created": "2026-11-20 10:00:00",
    "modified": "2026-11-20 10:05:00", "pay_time": "2026-11-20 10:01:00", "payment": "88.00", "post_fee": "8.00",
    "receiver_name": "林**", "receiver_address": "*** 12 号", "oaid": "1oaid", "orders": {"order": [
        {"oid": 4400000000000000124, "num": 2, "price": "45.00", "total_fee": "80.00", "discount_fee": "10.00",
         "divide_order_fee": "80.00", "status": "WAIT_SELLER_SEND_GOODS", "refund_status": "NO_REFUND", "title": "杯",
         "outer_sku_id": "CUP-2"}]},
}  # fmt: skip


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    """The command in an empty folder."""
    return Terminal(tmp_path)


@pytest.fixture
def small(terminal: Terminal) -> Terminal:
    """The command in a folder with a small hub.toml that is all right."""
    (terminal.folder / "hub.toml").write_text(SMALL, encoding="utf-8")
    return terminal


# -- configuration ---------------------------------------------------------------------------------------------------


def test_from_init_to_a_configuration_without_problems(terminal: Terminal) -> None:
    assert "hub check -c hub.toml" in terminal("init").out
    lines = (terminal.folder / "hub.toml").read_text("utf-8").splitlines()
    names = {name for line in lines for name in re.findall(r'"env:([A-Z_]+)"', line.partition("#")[0])}
    told = terminal("check", "--json", code=1).json
    assert told["ok"] is False
    assert {name for name in names if any(f" {name} is not set" in p for p in told["problems"])} == names
    assert len(told["problems"]) == len(names)
    given = dict.fromkeys(names, "something") | dict.fromkeys(("ERP_SECRET", "SITE_SECRET"), f"whsec_{'c2VjcmV0' * 4}")
    told = terminal("check", "--json", variables=given).json
    assert (told["ok"], told["problems"]) == (True, [])


def test_a_hub_with_anything_wrong_does_not_start(small: Terminal) -> None:
    path = small.folder / "hub.toml"
    shutil.copytree(PROJECT / "mappings", small.folder / "mappings")
    path.write_text(SMALL.replace("[hub]\n", '[hub]\nstroe = "x"\n'), encoding="utf-8")
    assert "hub.stroe: unknown key; did you mean 'store'?" in small("check", code=1).err
    path.write_text(SMALL.replace("[hub]\n", '[hub]\nmappings = "mappings"\n'), encoding="utf-8")
    mapping = small.folder / "mappings" / "channels" / "generic" / "order.toml"
    broken = mapping.read_text("utf-8").replace('order_no = "order_no"', 'order_no = "order_no["')
    mapping.write_text(broken, encoding="utf-8")
    line = broken[: broken.index('order_no = "order_no["')].count("\n") + 1
    refused = small("run", code=3)
    assert f"generic/order.toml:{line}" in refused.err
    assert "try: hub check" in refused.err
    assert not (small.folder / "hub.db").exists()


def test_online_tries_to_reach_the_destinations(small: Terminal) -> None:
    dead = f'[destinations.erp]\nkind = "http"\nurl = "http://127.0.0.1:{free_port()}/documents"\n'
    (small.folder / "hub.toml").write_text(SMALL + dead, encoding="utf-8")
    said = small("check", "--online", code=1)
    assert "destinations.erp.url" in said.err
    assert "destinations.erp: no route leads there" in said.out


def test_sqlite_takes_no_process_that_serves_alone(small: Terminal) -> None:
    assert "need PostgreSQL" in small("serve", code=3).err


def test_signs_that_a_terminal_cannot_show_stop_nothing(small: Terminal) -> None:
    assert "1 shop(s)" in small("check", variables={"PYTHONIOENCODING": "gbk"}).out


def test_help_is_there_without_a_configuration(terminal: Terminal) -> None:
    said = terminal("--help")
    for noun in ("init", "check", "run", "serve", "work", "map", "trace", "dlq", "pull", "doctor", "demo", "sandbox"):
        assert re.search(rf"^  {noun} ", said.out, re.M)


def test_map_reads_what_platforms_answer(terminal: Terminal) -> None:
    page = {"trades_sold_increment_get_response": {"has_next": False, "trades": {"trade": [TRADE]}}}
    (terminal.folder / "page.json").write_text(json.dumps(page), encoding="utf-8")
    (made,) = terminal("map", "taobao", "page.json", "--json").json["documents"]
    assert (made["order_no"], made["totals"]["payable"], made["shippable"]) == ("4400000000000000123", "88.00", True)
    refusal = b"<?xml version='1.0'?><error_response><code>27</code><msg>Invalid session</msg></error_response>"
    told = terminal("map", "taobao/order", "-", "--json", given=refusal, code=1).json
    assert (told["documents"], told["problems"][0]["code"]) == ([], "delivery.not_authorised")
    assert terminal("map", "taobao", "-", given=b"\xff\xfe nonsense", code=1).err.startswith("error: ")


# -- a store with work in it -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def worked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """After a morning: W1 to W5 went through, W1 twice; T1 to T3 and V1 have unknown words, A1 wrong totals, S1 a SKU
    that the ERP does not know, with a successor behind it. The Taobao shop has orders that nobody pulled yet."""
    folder = tmp_path_factory.mktemp("worked")
    with demo.sandbox(folder, orders=60, spread=1, tries=1) as base, deployed(folder, base) as made:
        made.control.post("/control/receiver/erp", json={"needs_sku": True}).raise_for_status()
        made.control.post("/control/start", json={"hub_url": "http://127.0.0.1:9"}).raise_for_status()
        with made.run() as process:
            records = [sold(f"W{n}") for n in range(1, 6)]
            records += [sold(f"T{n}", status="teleported") for n in range(1, 4)]
            records += [sold("V1", status="vanished"), sold("A1", total="21.00"), sold("S1", "LAMP-ELM-09")]
            assert {made.push(record) for record in records} == {200}
            eventually(lambda: len(made.archived()) == 6)
            assert {made.push(sold(n, minute=9, note="again")) for n in ("W1", "S1")} == {200}
            eventually(lambda: len(made.archived()) == 8)
            assert stopped(process, signal.SIGTERM) == 0
        assert "Traceback" not in made.log()
        yield made


def test_the_story_of_an_order_and_the_lists(worked: Deployment) -> None:
    terminal = worked.terminal
    assert "held, behind delivery" in terminal("trace", "S1", code=1).out
    first = terminal("orders", "list", "--limit", 4, "--json").json
    rest = terminal("orders", "list", "--limit", 4, "--before", first["before"], "--json").json
    listed = [o["number"] for o in first["orders"] + rest["orders"]]
    assert (len(listed), set(listed)) == (6, {"W1", "W2", "W3", "W4", "W5", "S1"})
    dead = terminal("deliveries", "list", "--state", "dead", "--json").json["deliveries"]
    assert [(d["destination"], d["subject"]) for d in dead] == [("erp", "S1")]
    assert "teleported" in terminal("doctor", code=1).err


def test_dead_letters_are_found_mended_and_replayed(worked: Deployment) -> None:
    terminal = worked.terminal
    group = terminal("dlq", "groups", "--json").json["groups"][0]
    assert (group["count"], group["cause"]) == (3, "mapping.unknown_word")
    letters = {r["subject"]: r["id"] for r in terminal("dlq", "list", "--json").json["letters"]}
    assert set(letters) == {"T1", "T2", "T3", "V1", "A1", "S1"}
    assert "do: Add the word" in terminal("dlq", "show", letters["T1"]).out
    terminal("dlq", "discard", letters["V1"], "--reason", "a test of the shop's")
    terminal("dlq", "assign", "sun", letters["A1"])

    mapping = worked.folder / "mappings" / "channels" / "generic" / "order.toml"
    word = 'cancelled = "cancelled"\n'
    mapping.write_text(mapping.read_text("utf-8").replace(word, f'{word}teleported = "open"\n', 1), encoding="utf-8")
    assert terminal("mapping", "test", "generic", "--json").json["failed"] == []
    worked.control.post("/control/receiver/erp", json={"needs_sku": False}).raise_for_status()
    assert terminal("dlq", "replay", "--group", group["fingerprint"][:6], "--json").json["messages"] == 3
    assert terminal("dlq", "replay", letters["S1"], "--json").json["deliveries"] == 1
    token = terminal("token", "create", "console", "--role", "viewer").out.strip()
    bearer = {"authorization": f"Bearer {token}"}
    with (
        worked.run() as process,
        httpx.Client(base_url=f"http://127.0.0.1:{worked.port}/api/v1", headers=bearer) as api,
    ):
        eventually(lambda: len(worked.archived()) == 11)
        eventually(lambda: not api.get("/deliveries", params={"state": "held"}).json()["items"])
        eventually(lambda: len(api.get("/dead-letters", params={"state": "resolved"}).json()["items"]) == 4)
        terminal("token", "revoke", "console")
        eventually(lambda: api.get("/deliveries").status_code == 401)
        assert stopped(process, signal.SIGINT) == 0
    (left,) = terminal("dlq", "list", "--json").json["letters"]
    assert (left["subject"], left["owner"]) == ("A1", "sun")
    erp = worked.control.get("/receivers/erp/report").json()
    assert (erp["taken"], erp["duplicates_in_effect"], erp["out_of_order"]) == (11, 0, 0)


def test_a_span_is_pulled_by_hand_once(worked: Deployment) -> None:
    eventually(lambda: worked.control.get("/control/report").json()["done"])
    today = datetime.now(UTC) + timedelta(hours=8)
    since, until = f"{today - timedelta(hours=3):%Y-%m-%dT%H:%M}", f"{today + timedelta(minutes=2):%Y-%m-%dT%H:%M}"
    first = worked.terminal("pull", "taobao", "--from", since, "--to", until, "--json").json["pulled"]
    assert first["order"]["new"] >= 8
    assert all(found["error"] == "" for found in first.values())
    again = worked.terminal("pull", "taobao", "--from", since, "--to", until, "--kind", "order")
    assert f"taobao order: {first['order']['records']} record(s), 0 new" in again.out


# -- how it stops ----------------------------------------------------------------------------------------------------


def test_what_is_under_way_is_finished_before_the_process_ends(tmp_path: Path) -> None:
    with demo.sandbox(tmp_path, orders=5) as base, deployed(tmp_path, base) as made:
        made.control.post("/control/receiver/erp", json={"hang_every": 1, "hang_for": 2}).raise_for_status()
        with made.run() as process:
            assert made.push(sold("W1")) == 200
            eventually(lambda: made.control.get("/receivers/erp/report").json()["requests"] == 1)
            assert stopped(process, signal.SIGTERM) == 0
        (erp,) = made.terminal("deliveries", "list", "-d", "erp", "--json").json["deliveries"]
        assert (erp["state"], erp["attempts"]) == ("delivered", 1)
        assert "Traceback" not in made.log()


def test_one_process_works_and_ends_in_time_even_while_a_platform_hangs(tmp_path: Path) -> None:
    pull = {"every": "1s", "overlap": "10m", "first": "1h"}
    with demo.sandbox(tmp_path, orders=5) as base, deployed(tmp_path, base, pull=pull) as made:
        made.control.post(
            "/control/platform/taobao", json={"days": [{"what": "slow", "delay": 3600}]}
        ).raise_for_status()
        with made.run() as process:
            second = made.terminal("run", "--listen", f"127.0.0.1:{free_port()}", code=3)
            assert "another hub process works on this SQLite store" in second.err
            assert stopped(process, signal.SIGTERM) == 0
        assert "Traceback" not in made.log()
