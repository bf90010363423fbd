"""`hub mapping explain`: one field or all, of a file, a case or a stored order; personal data of others masked."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.rig import order
from tests.unit.cli.terminal import Terminal

MAPPING = """
kind = "order"
key = "id"
revision = "changed"
currency = "CNY"
[order]
order_no = "id"
state = { path = "status", table = "state" }
payment = { value = "paid" }
fulfilment = { value = "unshipped" }
[order.lines]
each = "rows"
line_no = "row"
quantity = "pieces"
[tables.state]
ready = "open"
"""
RECORD: dict[str, Any] = {
    "id": 81,
    "status": "ready",
    "changed": "2026-03-01T09:30:00Z",
    "rows": [{"row": 1, "pieces": 2}],
}


@pytest.fixture
def site(bare: Terminal) -> Terminal:
    """A folder with a mapping of an own shop and one record for it."""
    (bare.folder / "mappings/channels/harbor/cases").mkdir(parents=True)
    (bare.folder / "mappings/channels/harbor/order.toml").write_text(MAPPING)
    (bare.folder / "hub.toml").write_text('[hub]\nmappings = "mappings"\n')
    (bare.folder / "page.json").write_text(json.dumps({"data": [RECORD, {**RECORD, "id": 82, "status": "gone"}]}))
    (bare.folder / "order.json").write_text(json.dumps(RECORD))
    return bare


def test_one_field(site: Terminal) -> None:
    done = site("mapping", "explain", "harbor/order", "order.json", "--field", "state")
    assert done.code == 0, done.err
    assert done.out.splitlines() == [
        "order.state = open",
        "  rule        mappings/channels/harbor/order.toml:8  order.state",
        "  read        status = ready",
        "  table       state: ready -> open  mappings/channels/harbor/order.toml:16",
    ]
    told = site("mapping", "explain", "harbor", "order.json", "-f", "lines[0].quantity", "--json").json
    assert (told["mapping"], told["key"], told["value"]) == ("channels/harbor/order", "81", 2)
    assert told["rule"]["line"] == 14


def test_all_fields(site: Terminal) -> None:
    told = site("mapping", "explain", "harbor", "order.json", "--json").json
    assert {f["field"]: f["value"] for f in told["fields"]}["lines[0].quantity"] == 2
    done = site("mapping", "explain", "harbor", "order.json")
    assert "mappings/channels/harbor/order.toml:14" in done.out


def test_one_of_several_records_is_chosen_by_its_number(site: Terminal) -> None:
    first = site("mapping", "explain", "harbor", "page.json", "-f", "order_no")
    assert "2 records, the first is explained; --key NUMBER chooses another" in first.err
    second = site("mapping", "explain", "harbor", "page.json", "-f", "state", "--key", "82")
    assert second.code == 1
    assert "problem     mapping.unknown_word" in second.out
    assert "state: gone -> null  not in mappings/channels/harbor/order.toml" in second.out
    assert site("mapping", "explain", "harbor", "page.json", "--key", "9").code == 2


def test_a_case_and_standard_input_are_read_too(site: Terminal) -> None:
    case = json.dumps({"given": RECORD, "expect": {"state": "open"}}).encode()
    assert site("mapping", "explain", "harbor", "-", "-f", "state", given=case).code == 0
    assert site("mapping", "explain", "harbor", "-", "-f", "state", given=json.dumps(RECORD).encode()).code == 0


def test_what_a_platforms_adapter_reads(bare: Terminal) -> None:
    page = {"trades_sold_get_response": {"trades": {"trade": [{"tid": 41, "status": "WAIT_BUYER_PAY"}]}}}
    (bare.folder / "page.json").write_text(json.dumps(page))
    done = bare("mapping", "explain", "taobao/order", "page.json", "-f", "state")
    assert done.code == 0
    assert "WAIT_BUYER_PAY -> open" in done.out
    (bare.folder / "page.json").write_text('{"error_response": {"code": 27, "msg": "Invalid session"}}')
    refused = bare("mapping", "explain", "taobao/order", "page.json", "-f", "state")
    assert refused.code == 1
    assert "Invalid session" in refused.err
    assert "failed call" in refused.err


def test_a_document_for_a_destination(bare: Terminal) -> None:
    (bare.folder / "order.json").write_text(
        json.dumps({"documents": [{"order_no": "81", "currency": "CNY", "lines": []}]})
    )
    done = bare("mapping", "explain", "kingdee", "order.json", "--json")
    assert done.json["mapping"] == "destinations/kingdee/order"
    assert done.json["fields"]


def test_a_stored_order_is_masked_unless_asked(terminal: Terminal) -> None:
    done = terminal("mapping", "explain", "generic/order", "--order", "W1", "-f", "receiver.name")
    assert done.code == 0, done.err
    assert "2 stored messages, the newest is explained" in done.err
    assert "Rosa" not in done.out
    assert "***" in done.out
    clear = terminal("mapping", "explain", "generic/order", "--order", "W1", "-f", "receiver.name", "--personal")
    assert "Rosa Lind" in clear.out
    told = terminal("mapping", "explain", "generic/order", "--order", "W1", "--json").out
    assert not any(word in told for word in ("Rosa", "13912345678", "平江路"))
    assert terminal("mapping", "explain", "generic/order", "--order", "W8", "-f", "state").code == 1


def test_the_shops_own_mapping_is_used(terminal: Terminal) -> None:
    Path("order.json").write_text(json.dumps(order("W5")))
    done = terminal("mapping", "explain", "generic/order", "order.json", "--shop", "site", "-f", "shop")
    assert done.out.startswith("order.shop = site\n")
    assert terminal("mapping", "explain", "generic/order", "order.json", "--shop", "none").code == 2


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("harbor", "order.json", "-f", "stat"), 1, "Did you mean state?"),
        (("harbor/ordr", "order.json"), 2, "did you mean harbor/order"),
        (("harbor", "gone.json"), 2, "gone.json"),
        (("harbor",), 2, "give a FILE or --order NUMBER"),
        (("harbor", "order.json", "--order", "5"), 2, "give a FILE or --order NUMBER"),
        (("harbor", "hub.toml"), 1, "neither JSON nor XML"),
    ],
)
def test_what_cannot_be_explained(site: Terminal, words: tuple[str, ...], code: int, told: str) -> None:
    done = site("mapping", "explain", *words)
    assert done.code == code
    assert told in done.err


def test_an_order_that_the_store_does_not_have(terminal: Terminal) -> None:
    done = terminal("mapping", "explain", "generic/order", "--order", "W77", "-f", "state")
    assert done.code == 1
    assert "the hub has never seen W77" in done.err
    other = terminal("mapping", "explain", "generic/refund", "--order", "W1", "-f", "state")
    assert "the store has never had a refund message of W1; there are: order of shop site" in other.err
