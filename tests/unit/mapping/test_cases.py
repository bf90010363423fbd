"""Cases beside the mappings."""

import json

import pytest

from hub.mapping.cases import differences, run_cases

TABLE = "\n[tables.state]\nOPEN = 'open'\n"
GIVEN = {"no": 1, "changed": "2026-02-01 08:00:00", "status": "OPEN", "paid": "5", "items": [{"id": 1, "n": 2}]}
ROWS = 'totals.paid = "paid"\n[order.lines]\neach = "items"\nline_no = "id"\nquantity = "n"\n'


@pytest.fixture
def outcome(folder, usual_head):
    """The differences of one case of the usual mapping."""

    def run(case, name="order-x"):
        catalog = folder(
            {
                "channels/shop/order.toml": usual_head + ROWS + TABLE,
                f"channels/shop/cases/{name}.json": json.dumps(case) if not isinstance(case, str) else case,
            }
        )
        catalog.load()
        return [result.differences for result in run_cases(catalog)]

    return run


@pytest.mark.parametrize(
    "expect",
    [
        {},
        {"order_no": "1", "totals": {"paid": "5.00"}},
        {"lines": [{"quantity": 2}]},
        {"placed_at": None, "buyer": None},
        {"revision": "2026-02-01T00:00:00Z"},
    ],
)
def test_expectations_that_hold(outcome, expect):
    assert outcome({"why": "x", "given": GIVEN, "expect": expect}) == [[]]


@pytest.mark.parametrize(
    ("expect", "told"),
    [
        ({"order_no": 1}, 'order_no: expected 1, found "1"'),
        ({"totals": {"paid": "5"}}, 'totals.paid: expected "5", found "5.00"'),
        ({"lines": []}, "lines: expected 0 items, found 1: "),
        ({"lines": [{"quantity": 3}]}, "lines[0].quantity: expected 3, found 2"),
        ({"colour": "red"}, 'colour: expected "red", found nothing'),
        ({"cod": None}, "cod: expected null, found false"),
        ({"lines": {"quantity": 1}}, "lines: expected {"),
    ],
)
def test_the_first_differing_fields_are_told(outcome, expect, told):
    [[line]] = outcome({"given": GIVEN, "expect": expect})
    assert line.startswith(told)


def test_problems_are_expected_by_code(outcome):
    lost = {**GIVEN, "status": "LOST"}
    assert outcome({"given": lost, "problems": ["mapping.unknown_word"]}) == [[]]
    [told] = outcome({"given": lost})
    assert told[0] == "problems: expected none, found ['mapping.unknown_word']"
    assert "mapping.unknown_word shop/order: order.state" in told[1]
    assert "Add the word" in told[1]
    [told] = outcome({"given": GIVEN, "problems": ["mapping.missing"]})
    assert told == ["problems: expected ['mapping.missing'], found none"]
    [told] = outcome({"given": lost, "problems": ["mapping.unknown_word"], "expect": {"state": "open"}})
    assert told == ["expect: there is no document to compare with"]


def test_a_draft_can_be_expected_beside_what_checks_find(outcome):
    none = {**GIVEN, "items": [{"id": 1, "n": 0}]}
    assert outcome({"given": none, "problems": ["check.quantity"], "expect": {"lines": [{"quantity": 0}]}}) == [[]]


def test_ignored_records(folder, usual_head):
    head = usual_head.replace("[order]", '[[ignore]]\nif = "test"\nwhy = "test orders"\n[order]')
    case = {"given": {"test": True}, "ignored": "test orders"}
    files = {"channels/shop/order.toml": head + TABLE, "channels/shop/cases/order-a.json": json.dumps(case)}
    catalog = folder(files)
    catalog.load()
    assert [r.passed for r in run_cases(catalog)] == [True]
    folder({"channels/shop/cases/order-a.json": json.dumps({**case, "ignored": "other"})})
    assert run_cases(catalog)[0].differences == ['ignored: expected "other", found "test orders"']


@pytest.mark.parametrize(
    ("case", "told"),
    [
        ("{", "not JSON: "),
        ({"why": "x"}, "a case is an object with `given`"),
        ({"given": {}, "expects": {}}, "unknown key 'expects' on line 1, did you mean expect?"),
        ({"given": GIVEN, "kind": "stock"}, "mappings/channels/shop: no mapping for 'stock'"),
        ({"given": GIVEN, "mapping": "shop/none"}, "no mapping 'shop/none'"),
    ],
)
def test_a_case_that_is_none(outcome, case, told):
    [[line]] = outcome(case)
    assert line.startswith(told)


def test_a_file_may_hold_several(outcome):
    assert outcome([{"given": GIVEN, "expect": {}}, {"given": GIVEN, "expect": {"state": "completed"}}]) == [
        [], ['state: expected "completed", found "open"'],
    ]  # fmt: skip


def test_the_kind_is_in_the_name_or_in_the_case(folder, usual_head):
    refund = 'kind="refund"\nkey="id"\nrevision="t"\ncurrency="CNY"\n[refund]\nrefund_no="id"\norder_no="no"\n'
    refund += 'kind={value="refund_only"}\nstate={value="requested"}\n'
    record = {"id": 5, "no": 7, "t": 1717214400}
    case = {"given": record, "expect": {"schema": "refund/1"}}
    catalog = folder(
        {
            "channels/shop/order.toml": usual_head + TABLE,
            "channels/shop/refund.toml": refund,
            "channels/shop/cases/refund-first.json": json.dumps(case),
            "channels/shop/cases/other.json": json.dumps({**case, "kind": "refund"}),
            "channels/shop/cases/plain.json": json.dumps({"given": GIVEN, "expect": {"schema": "order/1"}}),
        }
    )
    catalog.load()
    assert [(r.mapping, r.case, r.differences) for r in run_cases(catalog)] == [
        ("shop/refund", "other", []), ("shop/order", "plain", []), ("shop/refund", "refund-first", []),
    ]  # fmt: skip
    for name, count in (("shop", 3), ("shop/refund", 2), ("channels/shop/order", 1), ("shop/cases/plain", 1), ("x", 0)):
        assert len(run_cases(catalog, name)) == count


def test_destinations_have_cases_too(folder):
    text = 'kind = "stock"\n[body]\na = { path = "available", as = "text" }\nall = "@"\n'
    catalog = folder(
        {
            "destinations/wms/stock.toml": text,
            "destinations/wms/cases/plain.json": json.dumps({"given": {"available": 5}, "expect": {"a": "5"}}),
        }
    )
    catalog.load()
    assert [(r.mapping, r.passed) for r in run_cases(catalog)] == [("wms/stock", True)]


def test_what_made_a_differing_field_is_told(folder, usual_head):
    rows = 'totals.paid = { path = "paid" }\ncancel_reason = { when = [{ if = "a", path = "a" }, { value = "b" }] }\n'
    rows += '[order.lines]\neach = "items"\nline_no = "id"\nquantity = "n"\n'
    expect = {"state": "completed", "cancel_reason": "c", "lines": [{"quantity": 3}], "totals": {"paid": "1"}, "x": 1}
    case = {"given": GIVEN, "expect": {**expect, "paid_at": "2026-02-01T00:00:00Z"}}
    catalog = folder(
        {
            "channels/shop/order.toml": usual_head + rows + TABLE,
            "channels/shop/cases/order-x.json": json.dumps([{"given": GIVEN}, case], indent=1),
        }
    )
    catalog.load()
    good, bad = run_cases(catalog)
    assert good.passed
    text = (usual_head + rows + TABLE).splitlines()
    file = "mappings/channels/shop/order.toml"

    def at(begins: str) -> str:
        return f"{file}:{next(n for n, line in enumerate(text, 1) if line.startswith(begins))}"

    rules = {f.field: f.rule for f in bad.findings}
    assert rules["state"] == f'{at("state")}, path status = "OPEN", table state: OPEN -> open'
    assert rules["cancel_reason"] == f"{at('cancel_reason')}, branch else, a constant"
    assert rules["lines[0].quantity"] == f"{at('quantity')}, path n = 2"
    assert rules["totals.paid"] == f'{at("totals.paid")}, path paid = "5"'
    assert rules["paid_at"] == "no row sets it"
    assert rules["x"] == "there is no field 'x'. Without --field all fields are listed."
    lines = json.dumps([{"given": GIVEN}, case], indent=1).splitlines()
    assert lines[bad.line - 1] == " {"
    assert bad.line > 1
    assert bad.as_dict()["fields"][0] == {
        "field": "state", "expected": "completed", "found": "open", "rule": rules["state"],
    }  # fmt: skip


def test_a_problem_that_nobody_expected_is_told_with_its_rule(folder, usual_head):
    files = {
        "channels/shop/order.toml": usual_head + ROWS + TABLE,
        "channels/shop/cases/order-x.json": json.dumps({"given": {**GIVEN, "status": "LOST"}}),
    }
    catalog = folder(files)
    catalog.load()
    [result] = run_cases(catalog)
    assert [f.field for f in result.findings] == ["", "order.state"]
    assert (
        'path status = "LOST", table state: LOST -> not in mappings/channels/shop/order.toml' in result.findings[1].rule
    )


def test_an_error_envelope_is_no_record(outcome):
    [told] = outcome({"given": {"errcode": 40001, "errmsg": "invalid credential"}, "expect": {}})
    assert told[0] == (
        "given is the platform's answer to a failed call, not a record: errcode 40001; errmsg invalid credential"
    )


def test_where_a_case_file_is_wrong_is_told(folder, usual_head):
    catalog = folder(
        {
            "channels/shop/order.toml": usual_head + ROWS + TABLE,
            "channels/shop/cases/order-a.json": '{"given": {},\n "expect": }',
            "channels/shop/cases/order-b.json": '[{"given": {}, "ignored": "x"},\n {"given": {},\n  "expct": {}}]',
            "channels/shop/cases/order-c.json": '{"given": {"expect": 1},\n "expect": [],\n "problems": "none"}',
        }
    )
    catalog.load()
    a, _, b, c = run_cases(catalog)
    assert (a.line, a.differences) == (2, ["not JSON: Expecting value at line 2 column 12"])
    assert (b.line, b.differences) == (2, ["unknown key 'expct' on line 3, did you mean expect?"])
    assert c.differences == [
        "expect on line 2 is not what it must be: the part of the document that matters",
        "problems on line 3 is not what it must be: the codes of the problems that it must have",
    ]


def test_differences_of_equal_values_are_none():
    assert list(differences({"a": [1, {"b": None}]}, {"a": [1, {"b": None, "c": 2}], "d": 1})) == []
    assert list(differences(True, 1)) == ["all: expected true, found 1"]
