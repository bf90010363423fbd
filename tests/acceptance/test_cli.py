"""The command as its users run it: real processes, from `hub init` to mending what died.

What each noun shows and does in detail is in tests/unit/cli; here is that the whole of it works from outside.
"""

import hashlib
import hmac
import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import tomlkit

from adapters.sandbox.server import configuration
from hub import demo
from hub.processes import free_port, running
from tests.acceptance.terminal import HUB, PROJECT, Terminal, environment
from tests.rig import order

SECRET = "front-door"
SMALL = f"""
[hub]
store = "sqlite:///hub.db"
listen = "127.0.0.1:{{port}}"
[shops.site]
channel = "generic"
pull = false
signature = {{{{ scheme = "hmac-sha256-hex", header = "x-signature", secret = "{SECRET}" }}}}
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


def push(port: int, record: Any) -> int:
    raw = json.dumps(record, ensure_ascii=False).encode()
    signature = hmac.new(SECRET.encode(), raw, hashlib.sha256).hexdigest()
    answer = httpx.post(f"http://127.0.0.1:{port}/hooks/site", content=raw, headers={"x-signature": signature})
    return answer.status_code


def eventually(what: Any, seconds: float = 20) -> Any:
    """The first truthy answer."""
    deadline = time.perf_counter() + seconds
    while not (found := what()):
        assert time.perf_counter() < deadline, "it did not happen in time"
        time.sleep(0.1)
    return found


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
    secrets = dict.fromkeys(names, "something") | dict.fromkeys(("ERP_SECRET", "SITE_SECRET"), "whsec_" + "c2VjcmV0" * 4)
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
        "tid": 4400000000000000123, "status": "WAIT_SELLER_SEND_GOODS", "type": "fixed", "created": "2026-11-20 10:00:00",
        "modified": "2026-11-20 10:05:00", "pay_time": "2026-11-20 10:01:00", "payment": "88.00", "post_fee": "8.00",
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
    bad = terminal("map", "taobao/order", "-", "--json", given=json.dumps(trade | {"status": "NEW_WORD"}).encode(), code=1)
    assert bad.json["problems"][0]["key"] == "4400000000000000123"
    envelope = b"<?xml version='1.0'?><error_response><code>27</code><msg>Invalid session</msg></error_response>"
    assert terminal("map", "taobao", "-", "--json", given=envelope, code=1).json["documents"] == []
    assert terminal("map", "taobao", "-", given=b"\xff\xfe nonsense", code=1).err.startswith("error: ")
    assert terminal("map", "taobao", "nowhere.json", code=2).err.startswith("error: nowhere.json")
    assert "did you mean taobao?" in terminal("map", "taobo", "-", code=2).err
