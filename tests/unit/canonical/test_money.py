from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from canonical.money import MINOR_DIGITS, Money, in_digits, minor_digits, minor_unit, parse_money
from tests.unit.canonical.samples import amounts_of

MONEY: TypeAdapter[Decimal] = TypeAdapter(Money)
CURRENCIES = st.sampled_from(sorted(MINOR_DIGITS))


@pytest.mark.parametrize(("code", "digits"), [("CNY", 2), ("JPY", 0), ("VND", 0), ("KRW", 0), ("KWD", 3), ("CLF", 4)])
def test_digits_follow_iso_4217(code: str, digits: int) -> None:
    assert minor_digits(code) == digits
    assert minor_unit(code) == Decimal(1).scaleb(-digits)


def test_a_code_is_listed_with_one_number_of_digits() -> None:
    assert len(MINOR_DIGITS) > 160
    assert all(len(code) == 3 and code.isupper() for code in MINOR_DIGITS)


@pytest.mark.parametrize(
    ("value", "currency", "unit", "expected"),
    [
        ("59.9", "CNY", "major", "59.90"),
        (" 59.90 ", "CNY", "yuan", "59.90"),
        ("-8.00", "CNY", "major", "-8.00"),
        ("+8", "CNY", "major", "8.00"),
        (".5", "USD", "major", "0.50"),
        (59.9, "CNY", "major", "59.90"),
        (1e-2, "CNY", "major", "0.01"),
        (1e16 / 100, "CNY", "major", "100000000000000.00"),
        (5990, "CNY", "fen", "59.90"),
        ("5990", "CNY", "minor", "59.90"),
        (599, "CNY", "jiao", "59.90"),
        (59900, "CNY", "li", "59.90"),
        (1000, "JPY", "minor", "1000"),
        ("100.00", "JPY", "major", "100"),
        ("1.5000", "KWD", "major", "1.500"),
        (1500, "KWD", "minor", "1.500"),
        (Decimal("1E+2"), "CNY", "major", "100.00"),
        ("-0.00", "CNY", "major", "0.00"),
        (0, "JPY", "major", "0"),
    ],
    ids=repr,
)
def test_amounts_as_platforms_write_them(value: Any, currency: str, unit: str, expected: str) -> None:
    assert str(parse_money(value, currency, unit)) == expected


NO_AMOUNTS: list[Any] = [
    *["", " ", "abc", "1,234.50", "¥5", "1e2", "1_000", "٣", "NaN", "Infinity", "--1", "5.", "9" * 41],
    *["0." + "0" * 39 + "1", "1000000000000000", "0.001", True, None, [], {}, float("nan"), float("inf"), 59.905],
    *[10**40, 10**15, Decimal("NaN"), Decimal("sNaN"), Decimal("1E+999999"), Decimal("1E-999999")],
    Decimal("1." + "0" * 30 + "1"),
    pytest.param(10**5000, id="10**5000"),
]


@pytest.mark.parametrize("value", NO_AMOUNTS, ids=repr)
def test_what_is_no_amount_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"number|digits"):
        parse_money(value, "CNY")


@pytest.mark.parametrize(
    ("value", "currency", "unit"), [("0.5", "JPY", "major"), ("5.5", "CNY", "fen"), (5, "CNY", "li")]
)
def test_more_digits_than_the_currency_has_are_refused(value: Any, currency: str, unit: str) -> None:
    with pytest.raises(ValueError, match="digits of"):
        parse_money(value, currency, unit)


def test_an_unknown_unit_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"unknown unit 'dime'; known: major, .*minor"):
        parse_money("1", "USD", "dime")


@given(st.data(), CURRENCIES)
def test_any_amount_survives_text_number_and_minor_unit(data: st.DataObject, currency: str) -> None:
    amount = data.draw(amounts_of(currency))
    assert parse_money(f"{amount:f}", currency) == amount
    assert parse_money(int(amount / minor_unit(currency)), currency, "minor") == amount
    assert parse_money(f"{amount:f}000" if "." in f"{amount:f}" else f"{amount:f}.000", currency) == amount
    written = parse_money(amount, currency)
    assert max(-int(written.as_tuple().exponent), 0) == minor_digits(currency)


@given(st.integers(-(10**13), 10**13))
def test_json_numbers_are_exact_up_to_15_digits(cents: int) -> None:
    amount = Decimal(cents).scaleb(-2)
    assert parse_money(cents / 100, "CNY") == amount


@given(st.text() | st.integers() | st.floats() | st.decimals() | st.none() | st.booleans(), CURRENCIES)
def test_parsing_never_fails_but_by_value_error(value: Any, currency: str) -> None:
    try:
        amount = parse_money(value, currency)
    except ValueError:
        return
    assert amount == Decimal(repr(value) if isinstance(value, float) else value)


@given(st.decimals())
def test_parsing_decimals_of_any_size_never_fails_but_by_value_error(value: Decimal) -> None:
    for unit in ("major", "minor", "li"):
        try:
            assert parse_money(value, "CNY", unit).is_finite()
        except ValueError:
            continue


@pytest.mark.parametrize(
    ("given_", "currency", "expected"),
    [("59.9", "CNY", "59.90"), ("100.00", "JPY", "100"), ("0.125", "CNY", "0.125"), ("1E+2", "CNY", "100.00")],
)
def test_digits_are_filled_up_and_never_cut_off(given_: str, currency: str, expected: str) -> None:
    assert str(in_digits(Decimal(given_), currency)) == expected


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        ("59.90", "59.90"),
        ("1E+2", "100"),
        ("-0.00", "0.00"),
        ("0E-9", "0"),
        ("0E+9", "0"),
        ("39.82300885", "39.82300885"),
        ("0.000001", "0.000001"),
        ("-999999999999999.99", "-999999999999999.99"),
    ],
)
def test_the_field_holds_plain_digits(given_: str, expected: str) -> None:
    assert str(MONEY.validate_python(Decimal(given_))) == expected


@pytest.mark.parametrize(
    "value",
    ["1E+15", "1000000000000000.00", "1E+999999", "1E-7", "1E-999999", "0.1234567890123", "NaN", "Infinity", "x"],
)
def test_the_field_refuses_what_no_shop_sells_for(value: str) -> None:
    with pytest.raises(ValidationError):
        MONEY.validate_python(value)


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_what_the_field_takes_is_the_same_amount_in_plain_text(value: Decimal) -> None:
    try:
        held = MONEY.validate_python(value)
    except ValidationError:
        return
    assert held == value
    assert set(str(held)) <= set("-.0123456789")
