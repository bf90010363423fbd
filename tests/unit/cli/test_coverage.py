"""`hub mapping coverage`: what the cases leave untested, with samples and stored messages beside them."""

import json
from typing import Any

import pytest

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
cancel_reason = { if = "reason", path = "reason" }
[tables.state]
ready = "open"
gone = "cancelled"
"""
GIVEN: dict[str, Any] = {"id": 81, "status": "ready", "changed": "2026-03-01T09:30:00Z", "colour": "red"}


@pytest.fixture
def site(bare: Terminal) -> Terminal:
    """A folder with a mapping of an own shop and one case."""
    folder = bare.folder / "mappings/channels/harbor"
    (folder / "cases").mkdir(parents=True)
    (folder / "order.toml").write_text(MAPPING)
    (folder / "cases/order-usual.json").write_text(json.dumps({"given": GIVEN, "expect": {"state": "open"}}))
    (bare.folder / "hub.toml").write_text('[hub]\nmappings = "mappings"\n')
    return bare


def test_what_is_missing_is_named_with_its_line(site: Terminal) -> None:
    done = site("mapping", "coverage", "harbor/order")
    assert done.code == 0, done.err
    assert "words never seen: 1\n  mappings/channels/harbor/order.toml:14  state: gone" in done.out
    assert "branches never taken: 1\n  mappings/channels/harbor/order.toml:11  order.cancel_reason: reason" in done.out
    assert "paths that no rule reads: 1\n  colour  (in 1 record(s))" in done.out
    [report] = site("mapping", "coverage", "harbor", "--json").json["mappings"]
    assert (report["words"], report["branches"]) == ({"met": 1, "of": 2}, {"met": 0, "of": 1})
    met = sum(report[part]["met"] for part in ("fields", "rows", "branches", "words"))
    total = sum(report[part]["of"] for part in ("fields", "rows", "branches", "words"))
    assert report["percent"] == int(1000 * met / total) / 10


def test_less_than_asked_ends_with_1(site: Terminal) -> None:
    assert site("mapping", "coverage", "harbor", "--fail-under", "50").code == 0
    done = site("mapping", "coverage", "--fail-under", "90")
    assert done.code == 1
    assert "channels/harbor/order: 76.4 % is under 90 %" in done.err
    told = site("mapping", "coverage", "--fail-under", "90", "--json")
    assert (told.code, told.json["under"]) == (1, ["channels/harbor/order"])


def test_samples_count_too(site: Terminal) -> None:
    (site.folder / "page.json").write_text(json.dumps([{**GIVEN, "status": "gone", "reason": "late", "size": 1}]))
    [report] = site("mapping", "coverage", "harbor", "--samples", "page.json", "--json").json["mappings"]
    assert (report["percent"], report["records"]) == (100.0, 2)
    assert [p["path"] for p in report["unread"]] == ["colour", "size"]


def test_stored_messages_count_too(terminal: Terminal) -> None:
    [before] = terminal("mapping", "coverage", "generic/order", "--json").json["mappings"]
    [after] = terminal("mapping", "coverage", "generic/order", "--last", "100", "--json").json["mappings"]
    assert after["records"] > before["records"]
    assert after["percent"] >= before["percent"]


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("harbor/refund",), 2, "did you mean harbor/order"),
        (("--samples", "gone.json"), 2, "gone.json"),
        (("--fail-under", "101"), 2, "less than or equal to 100"),
    ],
)
def test_wrong_usage(site: Terminal, words: tuple[str, ...], code: int, told: str) -> None:
    done = site("mapping", "coverage", *words)
    assert done.code == code
    assert told in done.err


def test_samples_are_for_one_mapping(bare: Terminal) -> None:
    done = bare("mapping", "coverage", "--samples", "x.json")
    assert done.code == 2
    assert "for one mapping" in done.err
