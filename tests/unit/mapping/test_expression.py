"""JMESPath behind hub.mapping.expression."""

import doctest
from decimal import Decimal

import pytest
from jmespath.exceptions import (
    ArityError,
    EmptyExpressionError,
    IncompleteExpressionError,
    JMESPathTypeError,
    LexerError,
    ParseError,
    UnknownFunctionError,
)

from hub.mapping import catalog, constants, expression, functions, source, telling


@pytest.mark.parametrize("module", [expression, functions, constants, source, telling, catalog])
def test_the_examples_in_the_docstrings_hold(module):
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", EmptyExpressionError),
        ("a[", IncompleteExpressionError),
        ("a..b", ParseError),
        ("a ~ b", LexerError),
    ],
)
def test_compiling_raises_the_library_s_own_errors(text, error):
    with pytest.raises(error):
        expression.compile(text)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("nothing_of_the_kind(a)", UnknownFunctionError),
        ("length(a, b)", ArityError),
        ("length(`1`)", JMESPathTypeError),
    ],
)
def test_searching_raises_the_library_s_own_errors(text, error):
    with pytest.raises(error):
        expression.compile(text).search({})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a..b", "a..b\n      ^"),
        ("orders[?x ==].y", "orders[?x ==].y\n                ^"),
        ("a ~ b", "a ~ b\n      ^"),
        ("a.b[", "a.b[\n        ^"),
    ],
)
def test_a_complaint_points_at_the_spot(text, told):
    with pytest.raises(ParseError) as caught:
        expression.compile(text)
    assert expression.complaint(text, caught.value).endswith("    " + told)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("lenght(a)", "unknown function lenght(), did you mean length()?"),
        ("a.length()", "length() takes 1 argument, not 0"),
        ("join(a)", "join() takes 2 arguments, not 1"),
        ("b[?contains(x)]", "contains() takes 2 arguments, not 1"),
        ("not_null()", "not_null() takes at least 1 argument, not 0"),
        ("map(&frob(@), a)", "unknown function frob()"),
    ],
)
def test_calls_that_can_never_work_are_found_without_data(text, told):
    assert list(expression.wrong_calls(expression.compile(text))) == [told]


def test_decimals_count_as_numbers():
    data = {"lines": [{"amount": Decimal("1.10")}, {"amount": Decimal("2.20")}]}
    assert expression.compile("sum(lines[].amount)").search(data) == Decimal("3.30")
    assert expression.compile("lines[?amount > `1.5`].amount").search(data) == [Decimal("2.20")]
    assert expression.compile("to_number(lines[0].amount)").search(data) == Decimal("1.10")
    assert expression.compile("max_by(lines, &amount).amount").search(data) == Decimal("2.20")
    with pytest.raises(JMESPathTypeError):
        expression.compile("join('', lines[].amount)").search(data)
