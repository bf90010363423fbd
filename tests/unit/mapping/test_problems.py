"""What is told about data that does not fit: each code, everything at once, nothing personal, never an exception."""

from datetime import datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from canonical import Problem

LINES = '[order.lines]\neach = "items"\nline_no = "id"\nquantity = "n"\namount = "price"\n'


def told(result):
    return [(p.code, p.rule.removeprefix("shop/order: "), p.path, p.found) for p in result.problems]


@pytest.mark.parametrize(
    ("rows", "record", "code", "rule", "path", "found"),
    [
        ("", {"status": "LOST"}, "mapping.unknown_word", "order.state", "status", '"LOST"'),
        ("", {"status": None}, "mapping.missing", "order.state", "status", "null"),
        ("", {"status": ["OPEN"]}, "mapping.wrong_type", "order.state", "status", "a list of 1"),
        ("", {"no": {"id": 1}}, "mapping.wrong_type", "order.order_no", "no", "an object with id"),
        ("", {"changed": "soon"}, "mapping.bad_time", "order.revision", "changed", '"soon"'),
        ("", {"changed": ""}, "mapping.missing", "order.revision", "changed", '""'),
        ('totals.paid = "p"', {"p": "1,50"}, "mapping.bad_money", "order.totals.paid", "p", '"1,50"'),
        ('totals.paid = "p"', {"p": "1.505"}, "mapping.bad_money", "order.totals.paid", "p", '"1.505"'),
        ('totals.paid = "p"', {"p": [1]}, "mapping.wrong_type", "order.totals.paid", "p", "a list of 1"),
        (
            'totals.paid = "sum(p)"',
            {"p": ["1"]},
            "mapping.expression",
            "order.totals.paid",
            "sum(p)",
            "a value of type str",
        ),
        ('totals.paid = "p < `1`"', {"p": "x"}, "mapping.expression", "order.totals.paid", "p < `1`", "TypeError"),
        (
            'totals.paid = { each = "p", path = "v" }',
            {"p": "x"},
            "mapping.wrong_type",
            "order.totals.paid",
            "v (each p)",
            '"x"',
        ),
        (
            'totals.paid = { path = "p", divide = "q" }',
            {"p": 1, "q": 0},
            "mapping.bad_money",
            "order.totals.paid",
            "p",
            "0",
        ),
        (LINES, {"items": "x"}, "mapping.wrong_type", "order.lines", "items", '"x"'),
        (LINES, {"items": [{"id": 1, "n": "many"}]}, "mapping.wrong_type", "order.lines[0].quantity", "n", '"many"'),
        (
            LINES,
            {"items": [{"id": 1, "n": 1}, {"id": 2, "n": 1, "price": "x"}]},
            "mapping.bad_money",
            "order.lines[1].amount",
            "price",
            '"x"',
        ),
        (
            'buyer_note = { path = "n", required = true }',
            {},
            "mapping.missing",
            "order.buyer_note",
            "n",
            "null",
        ),
        (
            "buyer_note = { when = [{ if = \"n\", path = 'n' }], required = true }",
            {},
            "mapping.no_branch",
            "order.buyer_note",
            "n",
            "null",
        ),
        (
            'extra.x = { path = "n", if = "length(n) > `0`" }',
            {"n": 1},
            "mapping.expression",
            "order.extra.x",
            "length(n) > `0`",
            "a value of type number",
        ),
        ('group_no = "n"', {"n": "a\nb"}, "mapping.invalid", "order.group_no", "n", '"a\\nb"'),
        ('group_no = "n"', {"n": ""}, "mapping.invalid", "order.group_no", "n", '""'),
        ('kind = "n"', {"n": "gift"}, "mapping.invalid", "order.kind", "n", '"gift"'),
        ('tags = "n"', {"n": [1]}, "mapping.invalid", "order.tags[0]", "n", "1"),
        ('invoice = "n"', {"n": 1}, "mapping.invalid", "order.invoice", "n", "1"),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 40 else type(value).__name__,
)
def test_each_kind_of_finding(translate, rows, record, code, rule, path, found):
    result = translate(rows, record)
    assert result.document is None
    assert told(result) == [(code, rule, path, found)]
    problem = result.problems[0]
    assert problem.expected
    assert "mappings/channels/shop/order.toml" in problem.hint


def test_everything_is_told_at_once(translate):
    rows = 'totals.paid = "p"\nplaced_at = "t"\ngroup_no = "g"\n' + LINES
    record = {"status": "LOST", "p": "x", "t": "y", "g": "", "items": [{"n": 1}, {"id": 2, "n": "z"}]}
    assert [p.rule.removeprefix("shop/order: order.") for p in translate(rows, record).problems] == [
        "state",
        "totals.paid",
        "placed_at",
        "lines[0].line_no",
        "lines[1].quantity",
        "group_no",
    ]


def test_an_unknown_word_says_what_is_known_and_where_to_add_it(translate):
    problem = translate("", {"status": "LOST"}).problems[0]
    assert problem.expected == "a word of table state: OPEN, DONE"
    assert problem.hint.startswith("Add the word to [tables.state] in mappings/channels/shop/order.toml")
    assert "order.toml:9" in problem.hint


def test_a_row_that_failed_is_not_told_again_by_the_model(translate):
    assert len(translate(LINES, {"items": [{"id": 1, "n": "x"}]}).problems) == 1


def test_one_cause_is_told_once(translate, usual_head):
    head = usual_head.replace('currency = "CNY"\n', "")
    problems = translate('currency = "money"\ntotals.paid = "p"', {"p": 1, "money": []}, head=head).problems
    assert [p.code for p in problems] == ["mapping.wrong_type"]


def test_a_record_that_is_none(translate):
    for record in ("<xml/>", 5, [1], True):
        result = translate("", record)
        assert [(p.code, p.path) for p in result.problems] == [("mapping.wrong_type", "@")]


def test_key_and_subject_are_known_even_of_a_record_with_problems(translate, usual_head):
    result = translate("", {"status": "LOST"})
    assert (result.key, result.subject) == ("9007199254740993", "9007199254740993")
    head = 'subject = "parent"\n' + usual_head
    assert translate("", {"status": "LOST", "parent": 5}, head=head).subject == "5"
    assert translate("", {"no": []}).key == ""


def test_what_checks_find_keeps_the_draft(translate):
    rows = """
    totals.goods = "g"
    totals.discount = { value = 0 }
    totals.shipping = { value = 0 }
    totals.tax = { value = 0 }
    totals.other = { value = 0 }
    totals.payable = "p"
    """
    result = translate(rows, {"g": "10", "p": "9"})
    assert [p.code for p in result.problems] == ["check.totals", "check.lines_sum"]
    assert result.problems[0].rule.startswith("shop/order: ")
    assert result.document is None
    assert result.draft.totals.payable == 9


PERSONAL = {"name": ["Li Lei"], "phone": {"no": "13800000000"}, "note": {"x": 1}, "mail": True}


def test_personal_values_are_never_shown(translate):
    rows = """
    receiver.name = "name"
    receiver.phone = "phone"
    receiver.street = { path = "street", table = "state" }
    buyer_note = { path = "note" }
    buyer.email = "mail"
    buyer.id = { path = "id", as = "raw" }
    """
    record = {**PERSONAL, "street": "Nanjing Road 1", "id": 4711}
    problems = translate(rows, record).problems
    assert len(problems) == 6
    text = str([p.as_dict() for p in problems])
    for secret in ("Li Lei", "138000", "Nanjing", "4711"):
        assert secret not in text
    found = {p.rule.rpartition(".")[2]: p.found for p in problems}
    assert found["street"] == "text of 14 characters (masked)"
    assert found["id"] == "a value (masked)"


def test_an_ignored_record_is_neither_document_nor_problem(translate, usual_head):
    head = usual_head.replace(
        "[order]", '[[ignore]]\nif = "test"\nwhy = "orders made by the platform\'s own test"\n[order]'
    )
    result = translate("", {"test": True, "status": "LOST"}, head=head)
    assert (result.document, result.problems) == (None, [])
    assert result.ignored == "orders made by the platform's own test"
    assert translate("", {"test": False}, head=head).ignored == ""


def test_a_rule_that_cannot_be_evaluated_is_a_problem(translate, usual_head):
    head = usual_head.replace("[order]", '[[ignore]]\nif = "contains(test, \'x\')"\nwhy = "tests"\n[order]')
    result = translate("", {}, head=head)
    assert [(p.code, p.path) for p in result.problems] == [("mapping.expression", "contains(test, 'x')")]
    assert result.document is None


def test_conditions_that_cannot_be_evaluated_are_problems(translate):
    rows = """
    [order.presale]
    if = "length(a) > `1`"
    deposit = "d"
    [[order.holds]]
    if = "length(a) > `1`"
    code = { value = "risk_review" }
    [[order.payments]]
    each = "items"
    where = "length(a) > `1`"
    method = "m"
    [[order.when]]
    if = "length(a) > `1`"
    set.kind = { value = "presale" }
    """
    result = translate(rows, {"a": 1, "items": [{"a": 1}]})
    assert {p.code for p in result.problems} == {"mapping.expression"}
    assert sorted(p.rule.removeprefix("shop/order: ") for p in result.problems) == [
        "order",
        "order.holds",
        "order.payments",
        "order.presale",
    ]


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["OPEN", "1.5", ""]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "id", "n"]), inner, max_size=3)
    ),
    max_leaves=8,
)
NAMES = ["no", "changed", "status", "p", "t", "items", "a", "b", "tags", "word"]
EVERYTHING = """
totals.paid = { path = "p", plus = ["a"], times = "b" }
totals.tax = { each = "items", path = "n", where = "id" }
placed_at = { path = "t", absent = [0] }
tags = "tags"
cod = "a"
buyer_note = { when = [{ if = "a > b", path = "a" }, { path = "b", as = "text" }] }
receiver.name = "a.b"
extra.sum = "sum(items[].n)"
extra.word = { path = "word", as = "words" }
extra.joined = { path = "join(',', tags)", if = "tags" }
kind = { path = "word", from = "root" }
group_no = { path = "order_no", from = "document" }
[order.lines]
each = "items"
line_no = { path = "id", distinct = true }
quantity = "n"
amount = { path = "n", unit = "fen" }
refund = { path = "a", table = "state2", default = "none" }
[[order.holds]]
if = "a == b"
code = "word"
[[order.when]]
if = "contains(word, 'x')"
set.presale.deposit = "p"
"""


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(NAMES), JSON) | JSON)
def test_no_data_raises(translate, record):
    tail = "\n[tables.state]\nOPEN = 'open'\n[tables.state2]\nOPEN = 'none'\n"
    result = translate(EVERYTHING, record, tail=tail)
    assert (result.document is None) == bool(result.problems)
    for problem in result.problems:
        assert isinstance(problem, Problem)
        assert problem.code.startswith(("mapping.", "check."))
        assert len(problem.found) <= 400
        assert all(isinstance(text, str) for text in problem.as_dict().values())


def test_the_same_record_gives_the_same_document(document):
    first, second = (document(LINES, {"items": [{"id": 1, "n": 1}]}) for _ in range(2))
    assert first == second
    assert isinstance(first.revision, datetime)
