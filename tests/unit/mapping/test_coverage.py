"""What cases leave untested, counted and named."""

import json
from pathlib import Path
from typing import Any

import pytest

from hub.mapping.catalog import Catalog
from hub.mapping.coverage import Coverage, coverage_of

FLOOR = 95
"""Percent that the cases of each shipped mapping must meet."""
TAIL = '\n[tables.state]\nOPEN = "open"\nDONE = "completed"\n'
ROWS = """
seller_note = { path = "note" }
cancel_reason = { when = [{ if = "a", path = "a" }, { value = "b" }] }
shipped_at = { if = "sent", path = "sent_at" }
[order.lines]
each = "items"
line_no = "sku"
quantity = "n"
extra.carrier = { path = "carrier", table = "carriers" }
[[order.holds]]
if = "test"
code = { value = "test_order" }
word = { value = "test" }
[[order.when]]
if = "status == 'DONE'"
set = { completed_at = "changed" }
[[ignore]]
if = "enquiry"
why = "an enquiry"
"""
GIVEN: dict[str, Any] = {"no": 7, "changed": "2026-02-01 08:00:00", "status": "OPEN", "unknown": {"deep": 1, "er": 2}}


@pytest.fixture
def cover(folder, usual_head):
    """Coverage of the usual mapping by cases with these records."""

    def go(*records: Any, name: str = "channels/shop/order", **files: str) -> Coverage:
        cases = json.dumps([{"given": {**GIVEN, **record}} for record in records])
        catalog = folder(
            {
                "channels/shop/order.toml": usual_head + ROWS + TAIL,
                "channels/shop/cases/order-x.json": cases,
                "tables/carriers.toml": 'SF = "sf"\nYTO = "yto"\n',
                **files,
            }
        )
        catalog.load()
        return coverage_of(catalog, [name])[0]

    return go


def missing(coverage: Coverage, part: str) -> list[str]:
    keys = {"fields": "field", "rows": "path", "branches": "if", "words": "word"}
    return [point.get(keys[part], "") for point in coverage.report()["missing"][part]]


def test_nothing_is_met_without_cases(cover):
    coverage = cover()
    assert (coverage.percent, coverage.records) == (0.0, 0)
    assert len(missing(coverage, "fields")) == coverage.report()["fields"]["of"]


def test_one_case_meets_what_it_ran(cover):
    coverage = cover({})
    assert missing(coverage, "words") == ["DONE"]
    assert missing(coverage, "branches") == ["enquiry", "status == 'DONE'", "a", "sent", "each items", "test"]
    assert "order.seller_note" in missing(coverage, "fields")
    assert "order.state" not in missing(coverage, "fields")
    # seller_note ran, though it gave nothing; what lies in a list without items did not
    assert "note" not in missing(coverage, "rows")
    assert "sku" in missing(coverage, "rows")
    assert 0 < coverage.percent < 100


def test_every_point_has_its_place(cover, usual_head):
    lines = (usual_head + ROWS + TAIL).splitlines()
    report = cover({}).report()
    [word] = report["missing"]["words"]
    assert (word["file"], lines[word["line"] - 1]) == ("mappings/channels/shop/order.toml", 'DONE = "completed"')
    assert all(0 < point["line"] <= len(lines) for part in report["missing"].values() for point in part)


def test_all_is_met(cover):
    items = [{"sku": "A", "n": 1, "carrier": "SF"}]
    coverage = cover(
        {"note": "n", "a": "a", "sent": True, "sent_at": "2026-02-01 08:00:00", "test": True, "items": items},
        {"status": "DONE"},
        {"enquiry": True},
    )
    assert coverage.report()["missing"] == {"fields": [], "rows": [], "branches": [], "words": []}
    assert (coverage.percent, coverage.records) == (100.0, 3)


def test_words_of_shared_tables_are_told_and_do_not_count(cover):
    coverage = cover({"items": [{"sku": "A", "n": 1, "carrier": "SF"}]})
    assert coverage.report()["shared_tables"] == {"carriers": 1}
    assert not any(point.label == "carriers" for point in coverage.points)


def test_paths_that_no_row_reads_are_told_from_the_top(cover):
    report = cover({"items": [{"sku": "A", "n": 1, "colour": "red"}]}, {}).report()
    assert report["unread"] == [{"path": "items.colour", "records": 1}, {"path": "unknown", "records": 2}]
    assert "buyer_note" in report["unmapped"]
    assert "state" not in report["unmapped"]
    assert "lines.sku" in report["unmapped"]


def test_a_record_with_problems_meets_what_ran(cover):
    coverage = cover({"status": "LOST", "note": "n"})
    assert missing(coverage, "words") == ["OPEN", "DONE"]
    assert "order.seller_note" not in missing(coverage, "fields")


def test_an_overlays_cases_count_for_the_rows_that_it_shares(cover):
    overlay = 'extends = "shop/order"\n[order]\nseller_note = { value = "outlet" }\n'
    case = json.dumps({"given": {**GIVEN, "status": "DONE"}, "mapping": "shop/outlet"})
    files = {"channels/shop/outlet.toml": overlay, "channels/shop/cases/order-outlet.json": case}
    base = cover(**files)
    assert missing(base, "words") == ["OPEN"]
    assert base.records == 0
    own = cover(name="channels/shop/outlet", **files)
    assert own.records == 1
    assert "order.seller_note" not in missing(own, "fields")


def test_variants_behind_an_else_leave_no_row_without_a_branch(folder, usual_head):
    rows = '[[order.when]]\nif = "a"\nset = { seller_note = "a" }\n[[order.when]]\nset = { seller_note = "b" }\n'
    case = json.dumps([{"given": {**GIVEN, "a": "x"}}, {"given": {**GIVEN, "b": "y"}}])
    catalog = folder({"channels/shop/order.toml": usual_head + rows + TAIL, "channels/shop/cases/order-x.json": case})
    catalog.load()
    [coverage] = coverage_of(catalog, ["channels/shop/order"])
    assert missing(coverage, "branches") == []
    assert missing(coverage, "rows") == []


def test_destinations_have_coverage_too(folder):
    drops = '["extra", "tenant", "warehouse", "revision", "reserved", "in_transit"]'
    body = 'a = "available"\nb = { if = "on_hand", path = "on_hand" }\nall = "sku"\n'
    case = json.dumps({"given": {"available": 5, "extra": {"x": 1}, "tenant": "t", "strange": 1}})
    text = f'kind = "stock"\ndrops = {drops}\n[body]\n{body}'
    catalog = folder({"destinations/wms/stock.toml": text, "destinations/wms/cases/a.json": case})
    catalog.load()
    [coverage] = coverage_of(catalog, ["destinations/wms/stock"])
    report = coverage.report()
    assert [p["if"] for p in report["missing"]["branches"]] == ["on_hand"]
    assert (report["unread"], report["unmapped"]) == ([{"path": "strange", "records": 1}], [])


def test_the_cases_of_every_shipped_mapping_meet_nearly_all_of_it():
    catalog = Catalog(Path(__file__).resolve().parents[3] / "mappings")
    catalog.load()
    low = {c.mapping.full_name: c.percent for c in coverage_of(catalog, catalog.names()) if c.percent < FLOOR}
    assert low == {}
