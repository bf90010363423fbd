"""What a mapping reads is told from its text alone, and nothing else matters to its documents."""

from pathlib import Path
from typing import Any

import pytest

from canonical.parsing import parse_json
from hub.mapping import expression
from hub.mapping.catalog import Catalog
from hub.mapping.provenance import DATA, Uses, follow
from hub.mapping.reads import Reads, reads_of
from tests.unit.mapping.conftest import HEAD, NOW, TAIL

MAPPINGS = Path(__file__).parents[3] / "mappings"


@pytest.mark.parametrize(
    ("text", "value", "whole", "tested"),
    [
        ("a.b", {"a.b"}, set(), set()),
        ("a || b.c", {"a", "b.c"}, set(), set()),
        ("a && b", {"b"}, set(), {"a"}),
        ("lines[?gift].sku", {"lines.sku"}, set(), {"lines.gift"}),
        ("lines[?state == 'A'] | [0].sku", {"lines.sku"}, {"lines.state"}, set()),
        ("not_null(a, lines[0].b)", {"a", "lines.b"}, set(), set()),
        ("max_by(lines, &at).sku", {"lines.sku"}, {"lines.at"}, set()),
        ("map(&sku, lines)", {"lines.sku"}, set(), set()),
        ("by_id.*.sku", {"by_id.*.sku"}, set(), set()),
        ("values(by_id)[].sku", {"by_id.*.sku"}, set(), set()),
        ("length(lines)", set(), set(), {"lines"}),
        ("join(' ', [a, b])", set(), {"a", "b"}, set()),
        ("{x: a, y: b}.x", set(), {"a", "b"}, set()),
        ("!a", set(), set(), {"a"}),
    ],
)
def test_an_expression_tells_where_its_value_is_from(
    text: str, value: set[str], whole: set[str], tested: set[str]
) -> None:
    uses = Uses()
    origin = follow(expression.compile(text).tree, DATA, uses)
    assert {".".join(p) for p in origin.paths} == value
    assert {".".join(p) for p in uses.whole} == whole
    assert {".".join(p) for p in uses.tested} == tested


@pytest.mark.parametrize("text", ["status == 'A'", "'A' != status", "contains(['A', 'B'], status)"])
def test_the_words_that_a_field_is_compared_with_are_known(text: str) -> None:
    uses = Uses()
    follow(expression.compile(text).tree, DATA, uses)
    assert "A" in uses.words["status",]


@pytest.fixture
def reads(folder: Any) -> Reads:
    catalog = folder({"channels/shop/order.toml": HEAD + ROWS + TAIL})
    catalog.load()
    return reads_of(catalog.mapping("channels/shop/order"))


ROWS = """
[order.receiver]
if = "to"
name = "to.name"
[order.totals]
goods = { from = "document", each = "lines", path = "amount" }
[order.lines]
each = "all && items || items[?!void]"
line_no = "id"
amount = { path = "price", times = "qty" }
quantity = { value = 1 }
refund = { path = "back", table = "back" }
extra.memo = { path = "memo", from = "root" }
[tables.back]
no = "none"
"""


def test_rows_inside_a_loop_are_read_on_its_items_wherever_they_come_from(reads: Reads) -> None:
    assert reads.of(("items", "price")) == ["order.lines[].amount"]
    assert reads.of(("memo",)) == ["order.lines[].extra.memo"]
    assert reads.has(("items",))
    assert not reads.has(("items", "colour"))


def test_what_is_only_tested_or_looped_over_is_not_read_with_all_below_it(reads: Reads) -> None:
    assert reads.of(("to",)) == ["order.receiver?", "order.receiver.name"]
    assert reads.of(("to", "fax")) == []


def test_the_document_in_the_making_is_no_input(reads: Reads) -> None:
    assert not reads.has(("lines",))
    assert not reads.has(("lines", "amount"))


def test_tables_and_personal_fields_are_known_by_path(reads: Reads) -> None:
    assert [row.table_name for row in reads.tables(("status",))] == ["state"]
    assert [row.label for row in reads.tables(("items", "back"))] == ["order.lines[].refund"]
    assert ("to", "name") in reads.personal()


def _without(value: Any, reads: Reads, path: tuple[str, ...] = ()) -> Any:
    if isinstance(value, dict):
        kept = {k: _without(v, reads, (*path, k)) for k, v in value.items() if reads.has((*path, k))}
        return kept or ({"unread": None} if value else {})  # an object that was not empty stays true
    return [_without(v, reads, path) for v in value] if isinstance(value, list) else value


@pytest.fixture(scope="module")
def shipped() -> Catalog:
    catalog = Catalog(MAPPINGS)
    catalog.load()
    return catalog


@pytest.mark.parametrize("file", sorted(MAPPINGS.glob("channels/*/cases/*.json")), ids=lambda f: f.as_posix()[-60:])
def test_what_no_rule_reads_changes_nothing(shipped: Catalog, file: Path) -> None:
    data, code = parse_json(file.read_bytes()), file.parent.parent.name
    for case in data if isinstance(data, list) else [data]:
        kind = case.get("kind") or ("refund" if file.stem.startswith("refund") else "order")
        translator = shipped.channel(code, kind, str(case.get("mapping", "")))
        every = Reads([entry for mapping in translator.mappings for entry in reads_of(mapping).rows])
        before, after = (
            translator.translate(record, tenant="t", shop="s", channel=code, now=NOW)
            for record in (case["given"], _without(case["given"], every))
        )
        assert (after.draft, after.problems, after.ignored) == (before.draft, before.problems, before.ignored)
