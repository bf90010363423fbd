"""A record's way through a mapping: every row that ran, with what it read and decided."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from canonical.parsing import parse_json
from canonical.serialise import dump_json
from hub.mapping.catalog import Catalog
from hub.mapping.rows import Listing, Switch, Value
from hub.mapping.trace import Tracer, trace_by, traced

ROWS = """
placed_at = { path = "when", absent = ["never"] }
buyer_note = { path = "note", default = "none" }
totals.paid = { path = "paid", unit = "fen" }
tags = { each = "tags", where = "keep", path = "word", collect = true }
shipped_at = { if = "sent", path = "sent_at" }
[order.receiver]
if = "person"
name = "person.name"
[order.lines]
each = "items"
where = "kind != 'none'"
line_no = { path = "sku", distinct = true }
sku = "sku"
quantity = "n"
amount = { path = "price", times = "n", minus = "off" }
warehouse = { path = "store", from = "root" }
title = { when = [{ if = "name", path = "name" }, { value = "unnamed" }] }
[[order.holds]]
if = "test"
code = { value = "test_order" }
word = { value = "test" }
[[order.when]]
if = "status == 'DONE'"
set = { cancel_reason = "why" }
[[order.when]]
if = "status == 'OPEN'"
set = { seller_note = "status" }
[[ignore]]
if = "enquiry"
why = "an enquiry"
"""
GIVEN: dict[str, Any] = {
    "no": 7, "changed": "2026-02-01 08:00:00", "status": "OPEN", "when": "never", "paid": 1250, "store": "W1",
    "tags": [{"word": "a", "keep": True}, {"word": "b"}],
    "items": [
        {"sku": "A", "n": 2, "price": "3.00", "off": "1.00", "name": "Mug"}, {"kind": "none"},
        {"sku": "A", "n": 1, "price": "1.00"},
    ],
}  # fmt: skip


FOLDER = Path(__file__).resolve().parents[3] / "mappings"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
TAIL = '\n[tables.state]\nOPEN = "open"\nDONE = "completed"\n'


@pytest.fixture(scope="module")
def shipped() -> Catalog:
    catalog = Catalog(FOLDER)
    catalog.load()
    return catalog


@pytest.fixture
def run(folder, usual_head):
    """Trace one record through the usual mapping with these rows."""

    def go(record: Any = GIVEN, rows: str = ROWS) -> Any:
        # rows of [order] come first, tables behind it
        catalog = folder({"channels/shop/order.toml": usual_head + rows + TAIL})
        catalog.load()
        return traced(catalog.mapping("channels/shop/order"), record)

    return go


def value(trace: Any, label: str) -> Any:
    [step] = [s for s in trace.of(label) if isinstance(s.row, Value)]
    return step


def test_labels_have_their_positions_and_rows_their_place(run, usual_head):
    trace = run()
    step = value(trace, "order.lines[1].sku")
    assert (step.value, step.reads[0].raw, step.row.path.text) == ("A", "A", "sku")
    assert step.place.file == "mappings/channels/shop/order.toml"
    line = (usual_head + ROWS).splitlines().index('sku = "sku"') + 1
    assert step.place.line == line
    assert trace.document["lines"][1]["sku"] == "A"


def test_a_table_word_is_told_with_its_line(run, usual_head):
    step = value(run(), "order.state")
    [read] = step.reads
    assert (read.raw, read.word, step.value) == ("OPEN", "OPEN", "open")
    lines = (usual_head + ROWS).count("\n")
    assert read.word_place.line > lines
    [read] = value(run({**GIVEN, "status": "LOST"}), "order.state").reads
    assert (read.word, read.word_place) == ("LOST", None)


def test_absent_words_and_defaults(run):
    trace = run()
    step = value(trace, "order.placed_at")
    assert (step.reads[0].raw, step.reads[0].absent, step.value) == ("never", True, None)
    step = value(trace, "order.buyer_note")
    assert (step.reads[0].raw, step.converted, step.value, step.defaulted) == (None, None, "none", True)
    assert not value(run({**GIVEN, "note": "hi"}), "order.buyer_note").defaulted


def test_conversions_and_arithmetic_keep_what_went_in(run):
    trace = run()
    assert (value(trace, "order.totals.paid").reads[0].raw, str(value(trace, "order.totals.paid").value)) == (
        1250,
        "12.50",
    )
    step = value(trace, "order.lines[0].amount")
    assert step.reads[0].operands == [("times", "n", 2), ("minus", "off", "1.00")]
    assert str(step.value) == "5.00"
    assert value(trace, "order.lines[0].warehouse").scope is GIVEN
    step = value(trace, "order.lines[1].line_no")
    assert (step.converted, step.value) == ("A", "A-2")


def test_branches_are_told_with_the_conditions_before_them(run):
    trace = run()
    [switch] = [s for s in trace.of("order.lines[1].title") if isinstance(s.row, Switch)]
    assert [(a.text, a.holds) for a in switch.asked] == [("name", False), ("", True)]
    assert (switch.branch, switch.value) == (1, "unnamed")
    [switch] = trace.of("order.shipped_at")
    assert ([a.holds for a in switch.asked], switch.branch, switch.value) == ([False], None, None)
    assert [(a.text, a.holds) for a in trace.asked] == [("status == 'DONE'", False), ("status == 'OPEN'", True)]
    assert trace.branch == 1
    assert trace.of("order.cancel_reason") == []
    assert value(trace, "order.seller_note").value == "OPEN"


def test_objects_lists_and_dropped_items(run):
    trace = run()
    [receiver] = trace.of("order.receiver")
    assert ([a.holds for a in receiver.asked], receiver.value) == ([False], None)
    assert trace.of("order.receiver.name") == []
    [lines] = trace.of("order.lines")
    assert isinstance(lines.row, Listing)
    [part] = lines.parts
    assert (part.count, [(at, a.text) for at, a in part.dropped]) == (3, [(1, "kind != 'none'")])
    [holds] = trace.of("order.holds")
    assert (holds.parts[0].asked.holds, holds.parts[0].count) == (False, 0)
    [held] = run({**GIVEN, "test": True}).of("order.holds")
    assert (held.parts[0].asked.holds, held.parts[0].count) == (True, 1)
    step = value(trace, "order.tags")
    assert ([(r.position, r.raw) for r in step.reads], [at for at, _ in step.dropped]) == ([(0, "a")], [1])


def test_problems_lie_with_the_row_that_has_them(run):
    trace = run({**GIVEN, "when": "soon"})
    assert [p.code for p in value(trace, "order.placed_at").problems] == ["mapping.bad_time"]
    assert [p.code for p in trace.problems] == ["mapping.bad_time"]
    assert trace.document is None
    broken = run({**GIVEN, "items": [{"sku": "A", "n": 1, "price": "1.00", "kind": "x"}], "paid": {}})
    assert value(broken, "order.totals.paid").problems


def test_conditions_that_cannot_be_answered(run):
    rows = 'shipped_at = { if = "starts_with(sent, \'a\')", path = "x" }\n'
    [switch] = run({**GIVEN, "sent": 5}, rows).of("order.shipped_at")
    assert (switch.branch, switch.asked[0].holds) == (None, False)
    assert "starts_with" in switch.asked[0].error
    assert [p.code for p in switch.problems] == ["mapping.expression"]


def test_ignored_records_and_records_that_are_none(run):
    trace = run({**GIVEN, "enquiry": True})
    assert (trace.ignored, [(a.holds, why) for a, why in trace.ignores]) == ("an enquiry", [(True, "an enquiry")])
    assert (trace.document, trace.steps) == (None, [])
    assert [p.code for p in run([1]).problems] == ["mapping.wrong_type"]


def test_rows_over_the_document_see_it_as_it_was(run):
    rows = 'buyer_note = "note"\nseller_note = { path = "buyer_note", from = "document" }\n'
    rows += 'cancel_reason = { path = "seller_note", from = "document" }\n'
    trace = run({**GIVEN, "note": "n"}, rows)
    assert value(trace, "order.cancel_reason").reads[0].raw == "n"
    assert "cancel_reason" not in value(trace, "order.cancel_reason").scope


def test_which_of_several_mappings_takes_a_record(folder, usual_head):
    other = usual_head.replace('kind = "order"', 'kind = "order"\naccepts = "type == \'b\'"')
    catalog = folder({"channels/shop/order.toml": usual_head + TAIL, "channels/shop/b.toml": other + TAIL})
    catalog.load()
    mappings = catalog.channel("shop", "order").mappings
    trace: Any = traced(mappings, GIVEN)
    assert trace.mapping.name == "shop/order"
    assert [(m.name, a.text, a.holds) for m, a in trace.accepts] == [("shop/b", "type == 'b'", False)]
    trace = traced(mappings, {**GIVEN, "type": "b"})
    assert trace.mapping.name == "shop/b"
    assert traced([m for m in mappings if m.accepts], GIVEN).mapping is None


def test_destinations_are_traced_too(folder):
    text = 'kind = "stock"\n[body]\na = { path = "available", as = "text" }\nall = "@"\n'
    catalog = folder({"destinations/wms/stock.toml": text})
    catalog.load()
    trace = traced(catalog.mapping("destinations/wms/stock"), {"available": 5})
    assert trace.document == {"a": "5", "all": {"available": 5}}
    assert value(trace, "body.a").reads[0].raw == 5


def shipped_cases() -> list[tuple[str, Any]]:
    found = []
    for path in sorted(FOLDER.glob("channels/*/cases/*.json")):
        data = parse_json(path.read_bytes())
        for case in data if isinstance(data, list) else [data]:
            kind = str(case.get("kind") or path.stem.partition("-")[0])
            if kind in ("order", "refund") and "mapping" not in case:
                found.append((f"{path.parts[-3]}/{kind}", case["given"]))
    return found


def test_watched_rows_do_what_unwatched_ones_do(shipped: Catalog):
    """Every shipped case: the same document and the same problems as without an observer."""
    tracers = {name: Tracer(shipped.mapping(name)) for name in shipped.names()}
    cases = shipped_cases()
    assert len(cases) > 100
    for name, given in cases:
        folder, _, kind = name.partition("/")
        translator = shipped.channel(folder, kind)
        made = translator.translate(given, tenant="default", shop="shop", channel="channel", now=NOW)
        trace = trace_by([tracers[mapping.full_name] for mapping in translator.mappings], given)
        if trace.mapping is not None:
            assert (trace.problems, trace.ignored, trace.key) == (made.problems, made.ignored, made.key)
        document = made.document or made.draft
        assert trace.document == (None if document is None else json.loads(dump_json(document)))
