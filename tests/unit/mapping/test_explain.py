"""Why a field has its value: every kind of reason, told with rule and place."""

from typing import Any

import pytest

from hub.mapping.explain import UnknownField, explain, in_short, overview
from hub.mapping.trace import traced

TAIL = '\n[tables.state]\nOPEN = "open"\nDONE = "completed"\n'
ROWS = """
placed_at = { path = "when", absent = ["never"] }
paid_at = "paid_tme"
buyer_note = { path = "note", default = "none" }
totals.paid = { path = "paid", unit = "fen" }
totals.goods = { path = "paid", times = "factor" }
totals.tax = { each = "taxes", where = "counts", path = "amount" }
totals.other = "other"
tags = { each = "tags", path = "word", collect = true }
shipped_at = { if = "sent == 'yes'", path = "sent_at" }
cancel_reason = { when = [{ if = "a", path = "a" }, { if = "length(b) > `1`", value = "b" }] }
extra = "more"
[order.receiver]
if = "person"
name = "person.name"
[order.lines]
each = "items"
where = "kind != 'none'"
line_no = "sku"
sku = "sku"
quantity = "n"
amount = { path = "price", times = "n", minus = "off" }
[[order.holds]]
if = "test"
code = { value = "test_order" }
word = { value = "test" }
[[order.when]]
if = "status == 'DONE'"
set = { seller_note = "why" }
[[ignore]]
if = "enquiry"
why = "an enquiry"
"""
GIVEN: dict[str, Any] = {
    "no": 7, "changed": "2026-02-01 08:00:00", "status": "OPEN", "when": "never", "paid_time": "2026-02-01 07:00:00",
    "paid": 1250, "b": "x", "other": "", "tags": [], "more": {"slot": "A"},
    "items": [{"sku": "A", "n": 2, "price": "3.00", "off": "1.00"}, {"kind": "none"}],
}  # fmt: skip


@pytest.fixture
def why(folder, usual_head):
    """Explain one field of the usual record (and what is changed in it)."""

    def go(field: str, change: dict[str, Any] | None = None, *, masked: bool = False) -> Any:
        catalog = folder({"channels/shop/order.toml": usual_head + ROWS + TAIL})
        catalog.load()
        return explain(
            traced(catalog.mapping("channels/shop/order"), {**GIVEN, **(change or {})}), field, masked=masked
        )

    return go


@pytest.mark.parametrize(
    ("field", "change", "reason"),
    [
        ("placed_at", {}, '"never" is listed under absent: not set'),
        ("paid_at", {}, "paid_tme gave null: there is no paid_tme in what is read; it has paid_time"),
        ("receiver.name", {"person": {"nme": "x"}}, "person.name gave null: there is no name in person; it has nme"),
        ("receiver.name", {"person": {"name": None}}, "person.name is null"),
        ("receiver.name", {"person": 5}, "person.name gave null: person is 5, no object"),
        ("receiver.name", {}, "order.receiver is null: person is false (person is null)"),
        ("receiver", {}, "person is false (person is null)"),
        ("buyer_note", {}, "the default, because note gave null: there is no note in what is read"),
        ("totals.goods", {}, "times factor gave null"),
        ("totals.other", {}, "other is empty, which as money means: not set"),
        ("totals.tax", {}, "taxes has no items"),
        ("shipped_at", {"sent": "no"}, "sent == 'yes' is false (sent is \"no\")"),
        ("cancel_reason", {}, "a is false (a is null); length(b) > `1` is false (b is \"x\")"),
        ("seller_note", {}, "its row is in a branch that was not taken: status == 'DONE' is false"),
        ("lines[5].sku", {}, "order.lines has 1 item(s)"),
        ("lines[0].sku", {"items": []}, "order.lines has 0 item(s): items is an empty list"),
        ("lines", {"items": None}, "items gave null"),
        ("lines", {"items": [{"kind": "none"}]}, "all 1 item(s) were dropped by where kind != 'none'"),
        ("holds[0].code", {}, "order.holds has 0 item(s): test is false (test is null)"),
        ("display_no", {}, "no row sets it"),
        ("shop", {}, "the hub itself sets this field"),
        ("shippable", {}, "computed from the rest"),
        ("extra.slot", {}, "a part of order.extra"),
    ],
)  # fmt: skip
def test_every_reason_is_told(why, field, change, reason):
    told = why(field, change)
    assert told.why.startswith(reason)
    assert told.problems == []


def test_a_value_is_told_with_rule_table_and_conversion(why, usual_head):
    told = why("state").as_dict()
    assert (told["field"], told["value"], told["why"]) == ("order.state", "open", "")
    lines = (usual_head + ROWS + TAIL).splitlines()
    assert told["rule"]["file"] == "mappings/channels/shop/order.toml"
    assert lines[told["rule"]["line"] - 1].startswith("state = ")
    [read] = told["read"]
    assert (read["path"], read["raw"]) == ("status", "OPEN")
    assert lines[read["table"]["line"] - 1] == 'OPEN = "open"'
    assert {k: read["table"][k] for k in ("name", "word", "value")} == {
        "name": "state",
        "word": "OPEN",
        "value": "open",
    }
    told = why("totals.paid").as_dict()
    assert (told["value"], told["conversion"]) == ("12.50", {"as": "money", "unit": "fen", "to": "12.50"})
    told = why("order.lines[0].amount").as_dict()
    assert told["value"] == "5.00"
    assert told["read"][0]["operands"] == [
        {"as": "times", "path": "n", "raw": 2}, {"as": "minus", "path": "off", "raw": "1.00"},
    ]  # fmt: skip
    assert why("payment").constant


def test_a_field_may_be_written_in_several_ways(why):
    for name in ("lines[0].sku", "lines.0.sku", "order.lines[0].sku", "lines[].sku", "lines.sku"):
        assert why(name).value == "A"


def test_conditions_are_told_with_what_they_read(why):
    told = why("cancel_reason", {"b": "xyz"}).as_dict()
    assert told["value"] == "b"
    assert [(b["if"], b["holds"], b["read"]) for b in told["branches"]] == [
        ("a", False, {"a": "null"}), ("length(b) > `1`", True, {"b": '"xyz"'}),
    ]  # fmt: skip


def test_problems_are_told(why):
    told = why("state", {"status": "LOST"})
    assert told.why.startswith('problem mapping.unknown_word: found "LOST"')
    assert told.read[0]["table"]["line"] is None
    assert [p["code"] for p in told.problems] == ["mapping.unknown_word"]
    elsewhere = why("lines[0].sku", {"status": "LOST"})
    assert (elsewhere.value, elsewhere.problems) == ("A", [])
    late = why("lines[0].quantity", {"items": [{"sku": "A", "n": 1.5}]})
    assert late.problems


def test_lists_tell_what_was_dropped(why):
    [part] = why("lines").items["parts"]
    assert (part["each"], part["items"]) == ("items", 1)
    assert [(d["item"], d["if"], d["read"]) for d in part["dropped"]] == [(1, "kind != 'none'", {"kind": '"none"'})]
    assert [row["field"] for row in why("lines").inside] == [
        f"lines[0].{n}" for n in ("line_no", "sku", "quantity", "amount")
    ]


def test_an_ignored_record_says_by_which_rule(why):
    told = why("state", {"enquiry": True})
    assert told.why == "the record is ignored: an enquiry"
    assert told.branches[0]["if"] == "enquiry"


@pytest.mark.parametrize(
    ("name", "near"), [("lines[0].amont", "lines.amount"), ("amuont", "lines.amount"), ("xyz", "--field")]
)
def test_an_unknown_field_gives_the_nearest(why, name, near):
    with pytest.raises(UnknownField) as caught:
        why(name)
    assert near in caught.value.hint


def test_personal_values_can_be_masked(why):
    change = {"person": {"name": "林一"}, "note": "call 13800138000", "a": "13800138000"}
    told = [why(f, change, masked=True) for f in ("receiver.name", "buyer_note", "receiver", "cancel_reason")]
    text = str([t.as_dict() for t in told[:3]])
    assert "林一" not in text
    assert "13800138000" not in text
    assert told[0].value == "***"
    assert "13800138000" not in str(told[3].branches)
    assert why("receiver.name", change).value == "林一"


def test_all_fields_at_once(folder, usual_head):
    catalog = folder({"channels/shop/order.toml": usual_head + ROWS + TAIL})
    catalog.load()
    rows = {row["field"]: row for row in overview(traced(catalog.mapping("channels/shop/order"), GIVEN))}
    assert rows["lines[0].amount"]["value"] == "5.00"
    assert (rows["state"]["path"], rows["state"]["raw"], rows["state"]["value"]) == ("status", "OPEN", "open")
    assert rows["payment"]["path"] == ""


def test_one_line_for_a_failing_case(why):
    line = in_short(why("state"))
    assert line.startswith("mappings/channels/shop/order.toml:")
    assert line.endswith('path status = "OPEN", table state: OPEN -> open')
    assert "branch length(b) > `1`, a constant" in in_short(why("cancel_reason", {"b": "xyz"}))


def test_when_no_mapping_takes_a_record(folder, usual_head):
    catalog = folder({"channels/shop/order.toml": usual_head.replace("kind =", 'accepts = "x"\nkind =') + TAIL})
    catalog.load()
    told = explain(traced(catalog.channel("shop", "order").mappings, GIVEN), "state")
    assert told.why == "no mapping takes this record: mappings/channels/shop/order.toml: accepts x is false"


def test_destinations_are_explained_too(folder):
    catalog = folder({"destinations/wms/stock.toml": 'kind = "stock"\n[body]\na = "available"\nall = "@"\n'})
    catalog.load()
    trace = traced(catalog.mapping("destinations/wms/stock"), {"available": 5})
    assert explain(trace, "a").value == 5
    with pytest.raises(UnknownField):
        explain(trace, "available")
