"""Each row of the grammar, from the wire to the canonical document."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest


def test_a_string_is_an_expression(document):
    order = document('display_no = "label.text"', {"label": {"text": "#1001"}})
    assert (order.order_no, order.display_no) == ("9007199254740993", "#1001")


def test_what_the_hub_knows_is_written_by_the_hub(document):
    order = document("")
    assert (order.schema_, order.tenant, order.shop, order.channel) == ("order/1", "t1", "main", "shop")
    assert order.revision == datetime(2026, 2, 1, tzinfo=UTC)
    assert order.currency == "CNY"


def test_path_and_string_are_the_same(document):
    order = document('buyer_note = { path = "note" }\nseller_note = "note"', {"note": "hello"})
    assert order.buyer_note == order.seller_note == "hello"


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ('totals.paid = "n"', {"totals": {"paid": Decimal("5.00")}}),
        ('placed_at = "t"', {"placed_at": datetime(2026, 1, 31, 16, tzinfo=UTC)}),
        ('cod = "b"', {"cod": True}),
        ('display_no = "n"', {"display_no": "5"}),
        ('tags = "words"', {"tags": ("a", "b")}),
        ('extra.raw = "words"', {"extra": {"raw": ["a", "b"]}}),
    ],
)
def test_the_conversion_follows_from_the_canonical_field(document, rows, found):
    order = document(rows, {"n": 5, "t": "2026-02-01 00:00:00", "b": 1, "words": ["a", "b"]})
    for name, value in found.items():
        got = getattr(order, name)
        assert (got if name != "totals" else {"paid": got.paid}) == value


@pytest.mark.parametrize(
    ("row", "wire", "found"),
    [
        ('{ path = "v", as = "text" }', 12, "12"),
        ('{ path = "v", as = "int" }', "12", 12),
        ('{ path = "v", as = "bool" }', "0", False),
        ('{ path = "v", as = "words" }', "a, b,,c", ["a", "b", "c"]),
        ('{ path = "v", as = "words", separator = "|" }', "a|b", ["a", "b"]),
        ('{ path = "v", as = "lines" }', "a\nb\n", ["a", "b"]),
        ('{ path = "v", as = "raw" }', {"x": [1]}, {"x": [1]}),
        ('{ path = "v", as = "number" }', "1.5", 1.5),
        ('{ path = "v", table = "t" }', True, 1),
        ('{ path = "v", table = "t" }', 7, "seven"),
        ('{ path = "v", default = "d" }', None, "d"),
        ('{ path = "v", default = "d" }', "", ""),
        ('{ path = "v", absent = [""], default = "d" }', "", "d"),
        ("{ value = { a = [1, 2], day = 2026-01-01 } }", None, {"a": [1, 2], "day": "2026-01-01"}),
        ("{ value = false }", None, False),
        ('{ path = "v", if = "on" }', "x", "x"),
        ('{ path = "v", if = "off" }', "x", None),
        ('{ path = "v", if = "off", default = "d" }', "x", "d"),
    ],
)
def test_conversions_said_in_the_row(document, row, wire, found):
    tail = "\n[tables.state]\nOPEN = 'open'\n[tables.t]\ntrue = 1\n7 = 'seven'\n"
    order = document(f"extra.x = {row}", {"v": wire, "on": True, "off": ""}, tail=tail)
    assert order.extra == ({} if found is None else {"x": found})


@pytest.mark.parametrize(
    ("absent", "wire", "is_absent"),
    [
        ('[""]', "", True), ("[0]", 0, True), ("[0]", False, False), ("[0]", "0", False), ("[0]", 0.0, True),
        ("[false]", False, True), ("[false]", 0, False), ('["0001-01-01 00:00:00"]', "0001-01-01 00:00:00", True),
        ('["-"]', ["-"], False),
    ],
)  # fmt: skip
def test_absent_is_exact(document, absent, wire, is_absent):
    order = document(f'extra.x = {{ path = "v", as = "raw", absent = {absent} }}', {"v": wire})
    assert order.extra == ({} if is_absent else {"x": wire})


def test_the_empty_text_is_never_a_time_or_an_amount(document):
    order = document('placed_at = "e"\ntotals.paid = "e"\ntotals.tax = { path = "e", default = 0 }', {"e": ""})
    assert (order.placed_at, order.totals.paid, order.totals.tax) == (None, None, Decimal("0"))


@pytest.mark.parametrize(
    ("unit", "wire", "found"),
    [("yuan", "59.9", "59.90"), ("fen", 5990, "59.90"), ("cent", "5990", "59.90"), ("jiao", 599, "59.90"),
     ("li", 59900, "59.90"), ("minor", 5990, "59.90"), ("major", 59.9, "59.90")],
)  # fmt: skip
def test_units_of_money(document, unit, wire, found):
    assert document(f'totals.paid = {{ path = "v", unit = "{unit}" }}', {"v": wire}).totals.paid == Decimal(found)


def test_the_file_s_unit_holds_for_its_rows(document, usual_head):
    head = usual_head.replace('currency = "CNY"', 'currency = "CNY"\nunit = "fen"')
    order = document('totals.paid = "v"\ntotals.goods = { path = "v", unit = "yuan" }', {"v": 5900}, head=head)
    assert (order.totals.paid, order.totals.goods) == (Decimal("59.00"), Decimal("5900.00"))


def test_the_currency_of_the_record_decides_the_digits(document, translate, usual_head):
    head = usual_head.replace('currency = "CNY"', 'currency = { path = "money", default = "USD" }')
    rows = 'totals.paid = { path = "v", unit = "minor" }'
    assert document(rows, {"v": 500, "money": "JPY"}, head=head).totals.paid == Decimal("500")
    assert document(rows, {"v": 500, "money": "KWD"}, head=head).totals.paid == Decimal("0.500")
    order = document(rows, {"v": 500}, head=head)
    assert (order.totals.paid, order.currency) == (Decimal("5.00"), "USD")
    assert [p.code for p in translate(rows, {"v": 5, "money": ["x"]}, head=head).problems] == ["mapping.wrong_type"]


def test_the_section_s_own_currency_counts_too(document, usual_head):
    head = usual_head.replace('currency = "CNY"\n', "")
    order = document(
        'currency = "money"\ntotals.paid = { path = "v", unit = "minor" }', {"v": 5, "money": "JPY"}, head=head
    )
    assert (order.currency, order.totals.paid) == ("JPY", Decimal("5"))


def test_a_zone_of_its_own(document):
    order = document('placed_at = { path = "t", zone = "America/New_York" }', {"t": "2026-01-15 00:00:00"})
    assert order.placed_at == datetime(2026, 1, 15, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ('{ path = "price", times = "num" }', "21.00"),
        ('{ path = "total", divide = "num" }', "3.33"),
        ('{ path = "price", plus = "fee" }', "7.50"),
        ('{ path = "price", plus = ["fee", "none"], minus = ["off", "none"] }', "7.25"),
        ('{ path = "price", times = "num", minus = "off" }', "20.75"),
        ('{ path = "none", plus = "fee" }', None),
        ('{ path = "none", plus = "fee", default = "1" }', "1"),
        ('{ path = "price", times = "none" }', None),
        ('{ path = "price", minus = "empty" }', "7.00"),
    ],
)
def test_arithmetic(document, row, found):
    wire = {"price": "7.00", "num": 3, "total": "10.00", "fee": 0.5, "off": "0.25", "empty": ""}
    assert document(f"totals.paid = {row}", wire).totals.paid == (None if found is None else Decimal(found))


def test_arithmetic_is_in_the_row_s_unit(document):
    rows = 'totals.paid = { path = "a", plus = "b", minus = "c", times = "n", unit = "fen" }'
    assert document(rows, {"a": 100, "b": 50, "c": 1, "n": 2}).totals.paid == Decimal("2.49")


def test_arithmetic_of_whole_numbers(document, translate):
    rows = 'extra.left = { path = "a", minus = "b", as = "int" }'
    assert document(rows, {"a": "5", "b": 2}).extra == {"left": 3}
    rows = 'extra.part = { path = "a", divide = "b", as = "int" }'
    assert [p.code for p in translate(rows, {"a": 5, "b": 2}).problems] == ["mapping.wrong_type"]


ITEMS = {
    "items": [{"fee": "1.10", "kind": "a", "n": 2}, {"fee": None, "kind": "b"}, {"fee": "2.20", "kind": "b", "n": 1}]
}


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ('{ each = "items", path = "fee" }', "3.30"),
        ('{ each = "items", path = "fee", where = "kind == \'b\'" }', "2.20"),
        ('{ each = "items", path = "fee", times = "n" }', "4.40"),
        ('{ each = "items", path = "fee", where = "kind == \'z\'" }', "0"),
        ('{ each = "none", path = "fee" }', None),
        ('{ each = "items[0]", path = "fee" }', "1.10"),
    ],
)
def test_sums_over_a_list(document, row, found):
    assert document(f"totals.discount = {row}", ITEMS).totals.discount == (None if found is None else Decimal(found))


def test_a_sum_may_cancel_out_what_its_parts_have_too_many_digits_for(document):
    record = {"items": [{"fee": "0.005"}, {"fee": "0.005"}]}
    assert document('totals.tax = { each = "items", path = "fee" }', record).totals.tax == Decimal("0.01")


def test_values_gathered_from_a_list(document):
    order = document('tags = { each = "items", path = "kind", collect = true }', ITEMS)
    assert order.tags == ("a", "b", "b")
    tail = "\n[tables.state]\nOPEN = 'open'\n[tables.t]\na = 'A'\nb = 'B'\n"
    row = 'tags = { each = "items", path = "kind", table = "t", where = "n", collect = true }'
    assert document(row, ITEMS, tail=tail).tags == ("A", "B")


def test_the_first_true_branch_gives_the_value(document):
    row = """payment_word = "x"
    """
    row = """extra.x = { when = [
        { if = "kind == 'a'", value = "first" },
        { if = "kind == 'b'", path = "fee" },
        { if = "kind == 'c'", path = "word", table = "t" },
        { path = "other" },
    ] }"""
    tail = "\n[tables.state]\nOPEN = 'open'\n[tables.t]\nw = 'table'\n"
    found = [
        document(row, {"kind": kind, "fee": 5, "word": "w", "other": "else"}, tail=tail).extra["x"] for kind in "abcd"
    ]
    assert found == ["first", 5, "table", "else"]


def test_branches_share_what_the_row_says(document):
    row = """totals.paid = { unit = "fen", default = "9.00", when = [
        { if = "a", path = "a" }, { if = "b", path = "b", unit = "yuan" } ] }"""
    assert document(row, {"a": 100}).totals.paid == Decimal("1.00")
    assert document(row, {"b": 100}).totals.paid == Decimal("100.00")
    assert document(row, {}).totals.paid == Decimal("9.00")


def test_no_branch_gives_null(document):
    assert document("buyer_note = { when = [ { if = \"a\", value = 'x' } ] }", {}).buyer_note is None


def test_zero_is_true_in_conditions_as_jmespath_says(document):
    assert document("buyer_note = { when = [ { if = \"n\", value = 'x' } ] }", {"n": 0}).buyer_note == "x"


def test_the_second_equal_value_gets_a_number(document):
    rows = '[order.lines]\neach = "items"\nline_no = { path = "sku", distinct = true }\nquantity = { value = 1 }\n'
    order = document(rows, {"items": [{"sku": 7}, {"sku": 8}, {"sku": 7}, {"sku": 7}]})
    assert [line.line_no for line in order.lines] == ["7", "8", "7-2", "7-3"]
