"""The conversions, at their edges."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canonical.money import MINOR_DIGITS, minor_unit
from hub.mapping.functions import (
    UNITS,
    Unfit,
    as_word,
    money_out,
    number_out,
    time_out,
    to_bool,
    to_decimal,
    to_int,
    to_lines,
    to_money,
    to_raw,
    to_text,
    to_time,
    to_words,
)

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30) | st.decimals(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


def shown(value):
    """A parameter's name: text and number are two."""
    return f"{value!r:.42}"


CONVERSIONS = [
    to_text, to_int, to_decimal, to_bool, to_time, to_words, to_lines, as_word, to_raw, number_out, time_out,
    lambda v: to_money(v, "CNY"), lambda v: to_money(v, "KWD", "minor"), lambda v: money_out(v, "JPY", "fen"),
]  # fmt: skip


@given(st.sampled_from(CONVERSIONS), ANYTHING.filter(lambda v: v is not None))
def test_a_conversion_gives_a_value_or_says_unfit(convert, value):
    said = ""
    try:
        convert(value)
    except Unfit as unfit:
        said = unfit.code if unfit.expected else "nothing expected"
    assert said in ("", "mapping.wrong_type", "mapping.bad_money", "mapping.bad_time")


@given(st.integers(-(10**15), 10**15), st.sampled_from(sorted(MINOR_DIGITS)))
def test_money_survives_every_way_in_and_out(minor, currency):
    amount = Decimal(minor).scaleb(-MINOR_DIGITS[currency])
    for found in (to_money(f"{amount:f}", currency), to_money(minor, currency, "minor"), to_money(amount, currency)):
        assert found == amount
        assert found is not None
        assert found.same_quantum(minor_unit(currency))
    assert money_out(f"{amount:f}", currency, "minor") == minor
    assert Decimal(str(money_out(f"{amount:f}", currency))) == amount


@given(st.integers(-(10**13), 10**13))
def test_a_float_means_its_shortest_text(cents):
    amount = Decimal(cents).scaleb(-2)
    assert to_money(float(amount), "CNY") == amount


@given(st.sampled_from(sorted(UNITS)), st.integers(0, 10**9))
def test_units_scale_exactly(unit, count):
    digits = 2 if unit == "minor" else UNITS[unit]
    whole = count * 10 if unit == "li" else count
    assert to_money(whole, "CNY", unit) == Decimal(whole).scaleb(-digits)


@pytest.mark.parametrize(
    ("value", "unit", "code"),
    [
        ("59.905", "major", "mapping.bad_money"),
        ("5", "li", "mapping.bad_money"),
        ("59,90", "major", "mapping.bad_money"),
        ("¥59.90", "major", "mapping.bad_money"),
        ("٣", "major", "mapping.bad_money"),
        (float("nan"), "major", "mapping.bad_money"),
        (float("inf"), "major", "mapping.bad_money"),
        ("NaN", "major", "mapping.bad_money"),
        ("9" * 41, "major", "mapping.bad_money"),
        ("9" * 40, "major", "mapping.bad_money"),
        (10**400, "major", "mapping.bad_money"),
        (True, "major", "mapping.wrong_type"),
        ({"amount": "1"}, "major", "mapping.wrong_type"),
        (["1"], "major", "mapping.wrong_type"),
    ],
    ids=shown,
)
def test_what_is_no_money(value, unit, code):
    with pytest.raises(Unfit) as caught:
        to_money(value, "CNY", unit)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("value", "expected"),
    [("3", 3), ("3.00", 3), (3.0, 3), ("1e2", 100), ("-2", -2), ("", None), (" ", None), (2**70, 2**70)],
    ids=shown,
)
def test_whole_numbers(value, expected):
    assert to_int(value) == expected


@pytest.mark.parametrize("value", ["2.5", 2.5, "two", True, [], {}, "0x10", "1_000", float("inf"), 10**500], ids=shown)
def test_what_is_no_whole_number(value):
    with pytest.raises(Unfit):
        to_int(value)


@pytest.mark.parametrize(("value", "found"), [(1, True), ("0", False), ("TRUE ", True), ("false", False), (" ", None)])
def test_booleans(value, found):
    assert to_bool(value) is found


@pytest.mark.parametrize("value", ["yes", "Y", 2, -1, [], {}, 1.0])
def test_what_is_no_boolean(value):
    with pytest.raises(Unfit):
        to_bool(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (820982911946154508, "820982911946154508"),
        (1.0, "1"),
        (1e16, "10000000000000000"),
        (59.9, "59.9"),
        ("", ""),
        (Decimal("1.50"), "1.50"),
    ],
    ids=shown,
)
def test_text(value, expected):
    assert to_text(value) == expected


@pytest.mark.parametrize("value", [True, [], {}, float("nan"), 10**400])
def test_what_is_no_text(value):
    with pytest.raises(Unfit):
        to_text(value)


INSTANT = datetime(2024, 6, 1, 4, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [
        "2024-06-01 12:00:00", "2024-06-01T12:00:00", "2024-06-01 12:00", "2024-06-01T04:00:00Z",
        "2024-06-01T04:00:00.000Z", "2024-06-01T04:00:00.0000000Z", "2024-06-01T12:00:00+08:00",
        "2024-06-01T12:00:00+0800", "2024-06-01 12:00:00 +08:00", "2024-05-31T23:00:00-05:00",
        1717214400, 1717214400000, "1717214400", " 1717214400000 ", INSTANT,
    ],
    ids=shown,
)  # fmt: skip
def test_one_instant_in_every_form(value):
    assert to_time(value, "Asia/Shanghai") == INSTANT
    assert str(to_time(value, "Asia/Shanghai")).endswith("+00:00")


def test_a_day_alone_begins_in_its_zone():
    assert to_time("2024-06-01", "Asia/Shanghai") == INSTANT - timedelta(hours=12)


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("0001-01-01 00:00:00", "mapping.bad_time"),
        ("0000-00-00 00:00:00", "mapping.bad_time"),
        ("2024-13-01 00:00:00", "mapping.bad_time"),
        ("2024-06-01T12:00:00+99:99", "mapping.bad_time"),
        ("yesterday", "mapping.bad_time"),
        ("20240601", "mapping.bad_time"),
        ("2024-W22-6", "mapping.bad_time"),
        (0, "mapping.bad_time"),
        (-62135596800, "mapping.bad_time"),
        (10**300, "mapping.bad_time"),
        ("9" * 300, "mapping.bad_time"),
        (1717214400.5, "mapping.bad_time"),
        (True, "mapping.wrong_type"),
        ([], "mapping.wrong_type"),
    ],
    ids=shown,
)
def test_what_is_no_time(value, code):
    with pytest.raises(Unfit) as caught:
        to_time(value, "Asia/Shanghai")
    assert caught.value.code == code


@given(st.integers(10**9, 7 * 10**9), st.sampled_from(["UTC", "Asia/Shanghai"]))
def test_times_come_back_as_they_went_out(seconds, zone):
    instant = datetime.fromtimestamp(seconds, UTC)
    iso = instant.isoformat().replace("+00:00", "Z")
    assert to_time(time_out(iso, "%Y-%m-%d %H:%M:%S", zone), zone) == instant
    assert to_time(time_out(iso, "", zone)) == instant
    assert time_out(iso, "epoch_s") == seconds


def test_times_go_out_in_their_zone():
    assert time_out("2024-06-01T04:00:00Z", "", "Asia/Shanghai") == "2024-06-01T12:00:00+08:00"
    assert to_time(datetime(2024, 6, 1, 12, tzinfo=timezone(timedelta(hours=8)))) == INSTANT


@pytest.mark.parametrize(
    ("value", "expected"),
    [("59.90", 59.9), ("3.00", 3), (7, 7), ("0.1", 0.1), ("", None), ("-0.05", -0.05)],
    ids=shown,
)
def test_json_numbers(value, expected):
    assert number_out(value) == expected


def test_what_a_json_number_cannot_hold():
    with pytest.raises(Unfit, match="15 digits"):
        number_out("123456789012345.678901")


def test_a_smaller_unit_must_hold_the_amount():
    assert money_out("1.5", "CNY", "jiao") == 15
    with pytest.raises(Unfit, match="whole number of jiao"):
        money_out("1.55", "CNY", "jiao")


def test_words_and_lines():
    assert to_words("a;b; ;c", ";") == ["a", "b", "c"]
    assert to_words([1, " x ", ""]) == ["1", "x"]
    assert to_lines("one\rtwo\n\n three ") == ["one", "two", "three"]
    with pytest.raises(Unfit):
        to_words([{}])
