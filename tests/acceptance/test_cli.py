"""The command as its users run it: real processes, from `hub init` to mending what died.

What each noun shows and does in detail is in tests/unit/cli; here is that the whole of it works from outside.
"""

import json
import re
import shutil
import signal
import time
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
listen = "127.0.0.1:{port}"
[shops.site]
channel = "generic"
pull = false
signature = {{ scheme = "hmac-sha256-hex", header = "x-signature", secret = "front-door" }}
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


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    """The command in an empty folder."""
    return Terminal(tmp_path)


@pytest.fixture
def small(terminal: Terminal, free_port: int) -> tuple[Terminal, int]:
    """A folder with a small hub.toml that is all right, and the port it listens on."""
    (terminal.folder / "hub.toml").write_text(SMALL.format(port=free_port), encoding="utf-8")
    return terminal, free_port


# -- configuration ---------------------------------------------------------------------------------------------------


def test_from_init_to_a_configuration_without_problems(terminal: Terminal) -> None:
    said = terminal("init")
    assert "hub check -c hub.toml" in said.out
    lines = (terminal.folder / "hub.toml").read_text("utf-8").splitlines()
    names = {name for line in lines for name in re.findall(r'"env:([A-Z_]+)"', line.partition("#")[0])}
    missing = terminal("check", code=1)
    assert {n for n in names if n in missing.err} == names
    told = terminal("check", "--json", code=1).json
    assert told["ok"] is False
    assert len(told["problems"]) == len(names)
    secrets = dict.fromkeys(names, "something") | dict.fromkeys(
        ("ERP_SECRET", "SITE_SECRET"), "whsec_" + "c2VjcmV0" * 4
    )
    well = terminal("check", "--json", variables=secrets)
    assert (well.json["ok"], well.json["problems"]) == (True, [])
    refused = terminal("init", code=3)
    assert "--force" in refused.err
    terminal("init", "--force")


def test_everything_wrong_is_told_at_once_and_keeps_the_hub_from_starting(small: tuple[Terminal, int]) -> None:
    terminal, _ = small
    path = terminal.folder / "hub.toml"
    shutil.copytree(PROJECT / "mappings", terminal.folder / "mappings")
    text = path.read_text("utf-8").replace("[hub]\n", '[hub]\nmappings = "mappings"\nstroe = "x"\n')
    path.write_text(text.replace('to = ["archive"]', 'to = ["archiv"]', 1), encoding="utf-8")
    mapping = terminal.folder / "mappings" / "channels" / "generic" / "order.toml"
    broken = mapping.read_text("utf-8").replace('order_no = "order_no"', 'order_no = "order_no["')
    mapping.write_text(broken, encoding="utf-8")
    line = broken[: broken.index('order_no = "order_no["')].count("\n") + 1
    told = terminal("check", "--json", code=1).json
    assert any("hub.stroe: unknown key; did you mean 'store'?" in p for p in told["problems"])
    path.write_text(text.replace('stroe = "x"\n', ""), encoding="utf-8")
    mended = terminal("check", code=1)
    assert f"generic/order.toml:{line}" in mended.err
    refused = terminal("run", code=3)
    assert f"generic/order.toml:{line}" in refused.err
    assert "try: hub check" in refused.err
    assert not (terminal.folder / "hub.db").exists()


def test_online_tries_to_reach_the_destinations(small: tuple[Terminal, int]) -> None:
    terminal, _ = small
    dead = f'[destinations.erp]\nkind = "http"\nurl = "http://127.0.0.1:{free_port()}/documents"\n'
    with (terminal.folder / "hub.toml").open("a", encoding="utf-8") as file:
        file.write(dead)
    assert "no route leads there" in terminal("check").out
    assert "destinations.erp.url" in terminal("check", "--online", code=1).err


@pytest.mark.parametrize("verb", ["serve", "work"])
def test_sqlite_takes_no_second_sort_of_process(small: tuple[Terminal, int], verb: str) -> None:
    terminal, _ = small
    assert "need PostgreSQL" in terminal(verb, code=3).err


def test_signs_that_a_terminal_cannot_show_stop_nothing(small: tuple[Terminal, int]) -> None:
    terminal, _ = small
    assert "1 shop(s)" in terminal("check", variables={"PYTHONIOENCODING": "gbk"}).out


# -- hub map ---------------------------------------------------------------------------------------------------------


def test_map_reads_what_platforms_answer(terminal: Terminal) -> None:
    trade = {
        "tid": 4400000000000000123, "status": "WAIT_SELLER_SEND_GOODS", "type": "fixed",
        "created": "2026-11-20 10:00:00", "modified": "2026-11-20 10:05:00", "pay_time": "2026-11-20 10:01:00", "payment": "88.00", "post_fee": "8.00",
        "receiver_name": "林**", "receiver_address": "*** 12 号", "oaid": "1oaid",
        "orders": {"order": [{"oid": 4400000000000000124, "num": 2, "price": "45.00", "total_fee": "80.00",
                              "discount_fee": "10.00", "divide_order_fee": "80.00", "status": "WAIT_SELLER_SEND_GOODS",
                              "refund_status": "NO_REFUND", "title": "杯", "outer_sku_id": "CUP-2"}]},
    }  # fmt: skip
    page = {"trades_sold_increment_get_response": {"has_next": False, "trades": {"trade": [trade]}}}
    (terminal.folder / "page.json").write_text(json.dumps(page), encoding="utf-8")
    said = terminal("map", "taobao", "page.json", "--json")
    (made,) = said.json["documents"]
    assert (made["order_no"], made["totals"]["payable"], made["shippable"]) == ("4400000000000000123", "88.00", True)
    bad = terminal(
        "map", "taobao/order", "-", "--json", given=json.dumps(trade | {"status": "NEW_WORD"}).encode(), code=1
    )
    assert bad.json["problems"][0]["key"] == "4400000000000000123"
    envelope = b"<?xml version='1.0'?><error_response><code>27</code><msg>Invalid session</msg></error_response>"
    assert terminal("map", "taobao", "-", "--json", given=envelope, code=1).json["documents"] == []
    assert terminal("map", "taobao", "-", given=b"\xff\xfe nonsense", code=1).err.startswith("error: ")
    assert terminal("map", "taobao", "nowhere.json", code=2).err.startswith("error: nowhere.json")
    assert "did you mean taobao?" in terminal("map", "taobo", "-", code=2).err


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
            assert stopped(process, signal.SIGTERM, 10) == 0
        assert "Traceback" not in made.log()
        yield made


def test_the_story_of_an_order_and_the_lists(worked: Deployment) -> None:
    terminal = worked.terminal
    assert "delivered" in terminal("trace", "W1").out
    assert "held, behind delivery" in terminal("trace", "S1", code=1).out
    assert "try: hub orders list" in terminal("trace", "W404", code=1).err
    whole = terminal("orders", "list", "--json").json["orders"]
    assert {o["number"] for o in whole} == {"W1", "W2", "W3", "W4", "W5", "S1"}
    first = terminal("orders", "list", "--limit", 4, "--json").json
    rest = terminal("orders", "list", "--limit", 4, "--before", first["before"], "--json").json
    assert [o["id"] for o in first["orders"] + rest["orders"]] == [o["id"] for o in whole]
    assert terminal("orders", "show", "W1").json[0]["order_no"] == "W1"
    dead = terminal("deliveries", "list", "--state", "dead", "--json").json["deliveries"]
    assert [(d["destination"], d["subject"]) for d in dead] == [("erp", "S1")]
    assert terminal("deliveries", "show", dead[0]["id"]).json["attempted"][0]["status"] == 422
    assert [d["name"] for d in terminal("destinations", "list", "--json").json["destinations"]] == ["erp", "archive"]
    assert "teleported" in terminal("doctor", code=1).err


def test_dead_letters_are_found_mended_and_replayed(worked: Deployment) -> None:
    terminal = worked.terminal
    groups = terminal("dlq", "groups", "--json").json["groups"]
    assert (groups[0]["count"], groups[0]["cause"]) == (3, "mapping.unknown_word")
    letters = {r["subject"]: r["id"] for r in terminal("dlq", "list", "--json").json["letters"]}
    assert set(letters) == {"T1", "T2", "T3", "V1", "A1", "S1"}
    assert "do: Add the word" in terminal("dlq", "show", letters["T1"]).out
    assert "3 letter(s) would go again" in terminal("dlq", "replay", "-g", groups[0]["fingerprint"], "--dry-run").out
    terminal("dlq", "discard", letters["V1"], code=2)
    terminal("dlq", "discard", letters["V1"], "--reason", "a test of the shop's")
    terminal("dlq", "assign", "sun", letters["A1"])
    terminal("dlq", "note", letters["A1"], "asked the shop")
    assert "asked the shop" in terminal("dlq", "show", letters["A1"]).out

    mapping = worked.folder / "mappings" / "channels" / "generic" / "order.toml"
    text = mapping.read_text("utf-8").replace(
        'cancelled = "cancelled"\n', 'cancelled = "cancelled"\nteleported = "open"\n', 1
    )
    mapping.write_text(text, encoding="utf-8")
    terminal("mapping", "test", "generic")
    worked.control.post("/control/receiver/erp", json={"needs_sku": False}).raise_for_status()
    assert terminal("dlq", "replay", "--group", groups[0]["fingerprint"][:6], "--json").json["messages"] == 3
    assert terminal("dlq", "replay", letters["S1"], "--json").json["deliveries"] == 1
    token = terminal("token", "create", "console", "--role", "viewer").out.strip()
    with worked.run() as process:
        eventually(lambda: len(worked.archived()) == 11)
        api = httpx.Client(
            base_url=f"http://127.0.0.1:{worked.port}/api/v1", headers={"authorization": f"Bearer {token}"}
        )
        eventually(lambda: not api.get("/deliveries", params={"state": "held"}).json()["items"])
        assert len(api.get("/letters", params={"state": "resolved"}).json()["items"]) == 4
        terminal("token", "revoke", "console")
        eventually(lambda: api.get("/deliveries").status_code == 401)
        api.close()
        assert stopped(process, signal.SIGINT, 10) == 0
    (left,) = terminal("dlq", "list", "--json").json["letters"]
    assert (left["subject"], left["owner"]) == ("A1", "sun")
    assert "resolved by" in terminal("trace", "T1").out
    erp = worked.control.get("/receivers/erp/report").json()
    assert (erp["taken"], erp["duplicates_in_effect"], erp["out_of_order"]) == (11, 0, 0)


def test_a_span_is_pulled_by_hand_once(worked: Deployment) -> None:
    terminal = worked.terminal
    eventually(lambda: worked.control.get("/control/report").json()["done"], 40)
    today = datetime.now(UTC) + timedelta(hours=8)
    since, until = f"{today - timedelta(hours=3):%Y-%m-%dT%H:%M}", f"{today + timedelta(minutes=2):%Y-%m-%dT%H:%M}"
    first = terminal("pull", "taobao", "--from", since, "--to", until, "--json").json["pulled"]
    assert first["order"]["new"] >= 8
    assert first["refund"]["new"] >= 1
    assert all(found["error"] == "" for found in first.values())
    again = terminal("pull", "taobao", "--from", since, "--to", until, "--kind", "order")
    assert f"taobao order: {first['order']['records']} record(s), 0 new" in again.out
    terminal("pull", "nobody", code=2)
    terminal("pull", "taobao", "--from", "yesterday", code=2)


def test_mappings_are_listed_and_tested(worked: Deployment) -> None:
    terminal = worked.terminal
    assert "channels/taobao/order" in terminal("mapping", "list", "--json").json["mappings"]
    assert terminal("mapping", "test", "taobao", "--json").json["failed"] == []
    assert "nowhere" in terminal("mapping", "test", "nowhere", code=1).err


def test_help_is_there_without_a_configuration(terminal: Terminal) -> None:
    said = terminal("--help")
    for noun in ("init", "check", "run", "serve", "work", "map", "trace", "dlq", "pull", "doctor", "demo", "sandbox"):
        assert re.search(rf"^  {noun} ", said.out, re.M)
    assert "from the step where they stuck" in " ".join(terminal("dlq", "replay", "--help").out.split())


# -- how it stops ----------------------------------------------------------------------------------------------------


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    """A deployment of this test's own."""
    with demo.sandbox(tmp_path, orders=60, spread=1, tries=1) as base, deployed(tmp_path, base) as made:
        yield made


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_is_under_way_is_finished_before_the_process_ends(deployment: Deployment, number: int) -> None:
    deployment.control.post("/control/receiver/erp", json={"hang_every": 1, "hang_for": 2}).raise_for_status()
    with deployment.run() as process:
        assert deployment.push(sold("W1")) == 200
        eventually(lambda: deployment.control.get("/receivers/erp/report").json()["requests"] == 1)
        assert stopped(process, number, 10) == 0
    (erp,) = deployment.terminal("deliveries", "list", "-d", "erp", "--json").json["deliveries"]
    assert (erp["state"], erp["attempts"]) == ("delivered", 1)
    assert "Traceback" not in deployment.log()


def test_a_platform_that_hangs_does_not_keep_the_process_from_ending(tmp_path: Path) -> None:
    pull = {"every": "1s", "overlap": "10m", "first": "1h"}
    with demo.sandbox(tmp_path, orders=60, spread=1, tries=1) as base, deployed(tmp_path, base, pull=pull) as made:
        made.control.post("/control/platform/taobao", json={"days": [{"what": "slow", "delay": 60}]}).raise_for_status()
        with made.run() as process:
            time.sleep(1)
            assert stopped(process, signal.SIGTERM, 10) == 0
        assert "Traceback" not in made.log()


def test_a_second_process_on_the_same_file_is_refused(deployment: Deployment) -> None:
    with deployment.run():
        said = deployment.terminal("run", "--listen", f"127.0.0.1:{free_port()}", code=3)
    assert "another hub process works on this SQLite store" in said.err
