from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canonical.checks import check
from canonical.fields import Document
from canonical.money import minor_unit
from tests.unit.canonical.samples import (
    amounts_of,
    every_kind,
    invoice,
    line_data,
    order,
    orders,
    refund,
    shipment,
    stock,
    totals,
)


def _codes(document: Document) -> list[str]:
    return [problem.code for problem in check(document)]


@pytest.mark.parametrize("document", every_kind(), ids=lambda d: d.document_kind)
def test_right_documents_have_no_findings(document: Document) -> None:
    assert check(document) == []


CASES: list[tuple[dict[str, Any], list[str]]] = [
    ({"totals": totals(payable="188.01")}, ["check.totals"]),
    ({"totals": totals(payable=None)}, []),
    ({"totals": totals(other="1.00", payable="189.00")}, []),
    ({"totals": totals(tax=None, payable="1.00")}, []),
    ({"totals": totals(goods="200.02", payable="188.02")}, []),
    ({"totals": totals(goods="200.03", payable="188.03")}, ["check.lines_sum"]),
    ({"totals": totals(goods="199.97", payable="187.97")}, ["check.lines_sum"]),
    ({"lines": [line_data(1), line_data(2, amount=None)]}, []),
    ({"lines": []}, ["check.lines_sum"]),
    ({"lines": [], "totals": {}}, []),
    ({"totals": totals(refunded="188.00")}, []),
    ({"totals": totals(refunded="188.01")}, ["check.refunded"]),
    ({"totals": totals(refunded="188.01", paid=None)}, []),
    ({"lines": [line_data(1), line_data(1)]}, ["check.line_numbers"]),
    ({"lines": [line_data(1, quantity=0), line_data(2, quantity=-3)]}, ["check.quantity", "check.quantity"]),
    ({"payment": "unpaid"}, ["check.paid_at"]),
    ({"payment": "authorized"}, ["check.paid_at"]),
    ({"payment": "voided"}, ["check.paid_at"]),
    ({"payment": "deposit_paid"}, []),
    ({"payment": "refunded"}, []),
    ({"payment": "unpaid", "paid_at": None}, []),
    ({"payment": "paid", "paid_at": None}, []),
    ({"revision": "2024-06-18T04:29:59Z"}, ["check.revision"]),
    ({"revision": "2024-06-18T04:30:00Z"}, []),
    ({"revision": "2024-06-18T04:30:00Z", "placed_at": "2024-06-18T04:30:00.900Z"}, []),
    ({"revision": "2024-06-18T04:30:00.1Z", "placed_at": "2024-06-18T04:30:00.9Z"}, ["check.revision"]),
    ({"revision": "2000-01-01T00:00:00Z", "placed_at": None}, []),
    ({"payments": [{"amount": "188.001"}]}, ["check.digits"]),
    ({"presale": {"deposit": "0.005"}}, ["check.digits"]),
]


@pytest.mark.parametrize(("changes", "codes"), CASES, ids=repr)
def test_an_order_is_held_against_each_rule(changes: dict[str, Any], codes: list[str]) -> None:
    assert _codes(order(**changes)) == codes


def test_all_findings_come_at_once_and_say_what_was_expected() -> None:
    broken = order(
        totals=totals(payable="1.00", refunded="500.00", tax="0.001"),
        lines=[line_data(1), line_data(1, quantity=0)],
        payment="unpaid",
        revision="2024-06-17T00:00:00Z",
    )
    found = {problem.code: problem for problem in check(broken)}
    assert set(found) == {
        "check.totals",
        "check.refunded",
        "check.line_numbers",
        "check.quantity",
        "check.paid_at",
        "check.revision",
        "check.digits",
    }
    assert found["check.totals"].found == "1.00"
    assert found["check.totals"].expected == "200.00 - 20.00 + 8.00 + 0.001 + 0.00 = 188.001"
    assert found["check.quantity"].path == "lines[1].quantity"
    assert found["check.line_numbers"].path == "lines[1].line_no"
    assert found["check.revision"].expected == "2024-06-18T04:30:00Z or later"
    assert found["check.digits"].path == "totals.tax"
    assert all(problem.rule and problem.found and problem.expected and problem.hint for problem in found.values())


@pytest.mark.parametrize("payment", ["unpaid", "voided"])
def test_figures_of_an_order_closed_without_being_paid_are_let_be(payment: str) -> None:
    blank = {
        "goods": "200.00",
        "discount": "0.00",
        "shipping": "0.00",
        "tax": "0.00",
        "other": "0.00",
        "payable": "0.001",
    }
    closed = {
        "state": "cancelled",
        "payment": payment,
        "paid_at": None,
        "totals": {**blank, "paid": "0.00", "refunded": "1.00"},
    }
    assert _codes(order(**closed)) == []
    assert _codes(order(**closed, lines=[line_data(quantity=0)])) == ["check.quantity"]
    assert "check.totals" in _codes(order(**{**closed, "state": "open"}))
    assert "check.totals" in _codes(order(**{**closed, "payment": "refunded"}))


@pytest.mark.parametrize(
    ("currency", "amount", "codes"),
    [
        ("JPY", "100", []),
        ("JPY", "100.00", []),
        ("JPY", "100.5", ["check.digits"]),
        ("KWD", "1.234", []),
        ("KWD", "1.2345", ["check.digits"]),
        ("CNY", "1.2300", []),
        ("CNY", "1.235", ["check.digits"]),
    ],
)
def test_money_has_no_more_digits_than_its_currency(currency: str, amount: str, codes: list[str]) -> None:
    assert _codes(order(currency=currency, totals={"goods": amount}, lines=[])) == codes
    assert _codes(refund(currency=currency, amount=amount, lines=[])) == codes


def test_the_tolerance_of_the_lines_grows_with_their_number_and_the_currency() -> None:
    yen = {"currency": "JPY", "totals": {"goods": "182", "discount": "0"}}
    assert _codes(order(**yen, lines=[line_data(1, amount="90"), line_data(2, amount="90")])) == []
    assert _codes(order(**yen, lines=[line_data(1, amount="180")])) == ["check.lines_sum"]


@pytest.mark.parametrize(
    ("document", "codes"),
    [
        (refund(lines=[{"line_no": "881", "quantity": 0}]), ["check.quantity"]),
        (refund(lines=[{"line_no": "881"}]), []),
        (refund(shipping="0.005"), ["check.digits"]),
        (shipment(lines=[{"line_no": "881", "quantity": 0}]), ["check.quantity"]),
        (stock(available=-4), []),
        (invoice(lines=[{"name": "cup", "tax": "1.005", "unit_price": "1.00504"}]), ["check.digits"]),
        (invoice(kind="red", lines=[{"name": "cup", "quantity": "-1", "amount": "-79.65"}]), []),
    ],
)
def test_other_documents_are_held_against_their_rules(document: Document, codes: list[str]) -> None:
    assert _codes(document) == codes


@given(orders())
def test_totals_built_by_the_rule_are_never_found_wrong(document: Any) -> None:
    assert "check.totals" not in _codes(document)
    assert "check.digits" not in _codes(document)


@given(orders().filter(lambda one: not (one.state == "cancelled" and one.payment == "unpaid")), st.data())
def test_totals_off_by_any_amount_are_found(document: Any, data: st.DataObject) -> None:
    error = data.draw(amounts_of(document.currency).filter(bool))
    wrong = document.totals.model_copy(update={"payable": document.totals.payable + error})
    assert "check.totals" in _codes(document.model_copy(update={"totals": wrong}))


@given(st.lists(amounts_of("CNY"), min_size=1, max_size=5), st.integers(-9, 9))
def test_lines_may_be_off_by_one_minor_unit_each(line_amounts: list[Decimal], minor: int) -> None:
    goods = sum(line_amounts, Decimal(0)) + minor * minor_unit("CNY")
    document = order(
        totals={"goods": goods, "discount": 0}, lines=[line_data(n, amount=a) for n, a in enumerate(line_amounts)]
    )
    assert ("check.lines_sum" in _codes(document)) is (abs(minor) > len(line_amounts))
