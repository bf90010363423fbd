"""What a row can do to a value: one function a conversion, pure, exact, never guessing.

Each takes a value as parsed JSON gives it (text, whole number, float, bool, list, object) and returns the canonical
value, None where the wire says "not set", or raises Unfit, which says what was expected and what to do about it.
"""

import json
import re
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from canonical.money import UNITS as SMALLER
from canonical.money import in_digits, minor_digits, minor_unit

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
UNITS = {**SMALLER, "minor": -1}
"""Digits by which a unit is smaller than the currency's main unit; -1: the currency's own minor unit."""
_MOST_DIGITS = 40
_MOST_BITS = 256
_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d{1,3})?", re.ASCII)
_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d)?)(?:[.,](\d{1,9}))?\s*(Z|z|[+-]\d\d(?::?\d\d)?)?", re.ASCII
)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


class Unfit(Exception):
    """A value that a row cannot take. `value` is what was found."""

    def __init__(self, value: Any, expected: str, hint: str = "", code: str = "mapping.wrong_type") -> None:
        super().__init__(expected)
        self.value = value
        self.expected = expected
        self.hint = hint
        self.code = code


def to_text(value: Any) -> str:
    """Text as it is, whole numbers as digits (ids beyond 2^53 stay exact).

    >>> to_text("A-1"), to_text(4611686018427387905), to_text(1.5)
    ('A-1', '4611686018427387905', '1.5')
    """
    if isinstance(value, str):
        return value
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        if isinstance(value, int) and value.bit_length() > _MOST_BITS:
            raise Unfit("a whole number of extreme length", "text or a number of usual length")
        return str(value)
    if isinstance(value, float):
        return _plain(value)
    if isinstance(value, datetime):
        return time_text(value)
    raise Unfit(value, "text or a number", 'Point the expression at a single value, or use as = "raw".')


def to_int(value: Any) -> int | None:
    """A whole number, from a number or its text; "" is not set.

    >>> to_int("3"), to_int(2.0), to_int("2.00"), to_int("")
    (3, 2, 2, None)
    """
    if type(value) is int and value.bit_length() <= _MOST_BITS:
        return value
    number = to_decimal(value)
    if number is None:
        return None
    if number != number.to_integral_value():
        raise Unfit(value, "a whole number", 'If fractions are right here, use as = "decimal".')
    return int(number)


def to_decimal(value: Any) -> Decimal | None:
    """An exact number, from a number (floats through their shortest text) or its text; "" is not set.

    >>> to_decimal("0.130"), to_decimal(0.1), to_decimal(7), to_decimal(" ")
    (Decimal('0.130'), Decimal('0.1'), Decimal('7'), None)
    """
    if isinstance(value, str):
        text = value.strip()
        if not text:
            return None
        if len(text) > _MOST_DIGITS or not _NUMBER.fullmatch(text):
            raise Unfit(value, "a number, or its text with a point and without separators")
        return Decimal(text)
    if isinstance(value, Decimal) and value.is_finite():
        return value
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        raise Unfit(value, "a number, or its text with a point and without separators")
    if isinstance(value, int) and value.bit_length() > _MOST_BITS:
        raise Unfit("a whole number of extreme length", "a number of usual length")
    number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    if not number.is_finite():
        raise Unfit(value, "a finite number")
    return number


def to_bool(value: Any) -> bool | None:
    """true and false, 1 and 0, as JSON or as text; "" is not set.

    >>> to_bool(True), to_bool("false"), to_bool(1), to_bool("0"), to_bool("")
    (True, False, True, False, None)
    """
    if isinstance(value, bool):
        return value
    if isinstance(value, int) and value in (0, 1):
        return bool(value)
    if isinstance(value, str):
        word = value.strip().lower()
        if word in ("true", "1"):
            return True
        if word in ("false", "0"):
            return False
        if not word:
            return None
    raise Unfit(value, "true or false (or 1 or 0)", "For other words use a table: Y = true.")


def to_amount(value: Any, currency: str, unit: str = "major") -> Decimal | None:
    """Money in the currency's main unit, not yet held against its digits (sums may still cancel them out).

    >>> to_amount("5990", "CNY", "fen"), to_amount(59.9, "CNY"), to_amount("", "CNY")
    (Decimal('59.90'), Decimal('59.9'), None)
    """
    try:
        number = to_decimal(value)
    except Unfit as unfit:
        hint = "Amounts are text or numbers: 59.90, not '59,90' or '¥59.90'."
        raise Unfit(value, "an amount of money", hint, _money_code(unfit.value)) from None
    if number is None or not (places := UNITS[unit]):
        return number
    return number.scaleb(-(minor_digits(currency) if places < 0 else places))


def fitted(amount: Decimal, currency: str) -> Decimal:
    """Hold money against the digits of its currency; zeros beyond them are dropped, anything else is a problem.

    >>> fitted(Decimal("59.900"), "CNY"), fitted(Decimal("100.00"), "JPY")
    (Decimal('59.90'), Decimal('100'))
    """
    try:
        written = in_digits(amount, currency)
    except InvalidOperation:
        raise Unfit(str(amount), "an amount of money", code="mapping.bad_money") from None
    if written.same_quantum(minor_unit(currency)):
        return written
    hint = 'Set the row\'s unit (unit = "fen" ...), or check which currency the record is in.'
    expected = f"at most {minor_digits(currency)} digits after the point for {currency or 'its currency'}"
    raise Unfit(str(amount), expected, hint, "mapping.bad_money")


def to_money(value: Any, currency: str, unit: str = "major") -> Decimal | None:
    """Money in the currency's main unit, with at most the currency's digits; "" is not set.

    >>> to_money("59.90", "CNY"), to_money(5990, "CNY", "fen"), to_money(100, "JPY", "minor")
    (Decimal('59.90'), Decimal('59.90'), Decimal('100'))
    """
    amount = to_amount(value, currency, unit)
    return None if amount is None else fitted(amount, currency)


def rounded(amount: Decimal, currency: str) -> Decimal:
    """Half up to the currency's digits; only after `divide`, whose results need not end.

    >>> rounded(Decimal(10) / Decimal(3), "CNY")
    Decimal('3.33')
    """
    return amount.quantize(minor_unit(currency), ROUND_HALF_UP)


def to_time(value: Any, zone: str = "UTC", pattern: str = "") -> datetime | None:
    """An instant in UTC. Text without an offset is in `zone`; 10 digits are seconds, 13 are milliseconds; "" not set.
    `pattern`, as strptime has it, is for texts of another form.

    >>> str(to_time("2024-06-01 12:00:00", "Asia/Shanghai")), str(to_time("2024-06-01T12:00:00-05:00"))
    ('2024-06-01 04:00:00+00:00', '2024-06-01 17:00:00+00:00')
    >>> str(to_time(1717214400)), str(to_time("1717214400123"))
    ('2024-06-01 04:00:00+00:00', '2024-06-01 04:00:00.123000+00:00')
    >>> str(to_time("20240601120000", "Asia/Shanghai", "%Y%m%d%H%M%S"))
    '2024-06-01 04:00:00+00:00'
    """
    if isinstance(value, str):
        text = value.strip()
        if not text:
            return None
        if pattern:
            return _by_pattern(text, zone, pattern)
        digits = text.isdecimal() and text.isascii() and len(text) < _MOST_DIGITS
        return _epoch(int(text), value) if digits else _written(text, zone)
    if isinstance(value, datetime):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return _by_pattern(str(value), zone, pattern) if pattern else _epoch(value, value)
    raise Unfit(value, "a time", code="mapping.bad_time" if isinstance(value, float) else "mapping.wrong_type")


def to_words(value: Any, separator: str = ",") -> list[str]:
    """Text split into words, trimmed, empties dropped; a list of words stays one.

    >>> to_words("vip, new,,"), to_words(["a", "b"])
    (['vip', 'new'], ['a', 'b'])
    """
    parts = value if isinstance(value, list) else to_text(value).split(separator)
    return [word for part in parts if (word := to_text(part).strip())]


def to_lines(value: Any) -> list[str]:
    r"""Text split at line ends, trimmed, empties dropped.

    >>> to_lines("leave at door\r\n\ncall first")
    ['leave at door', 'call first']
    """
    return [line for part in to_text(value).splitlines() if (line := part.strip())]


def to_raw(value: Any) -> Any:
    """As it came.

    >>> to_raw({"a": [1]})
    {'a': [1]}
    """
    if value is None or isinstance(value, (str, int, float, list, dict, Decimal, datetime)):
        return value
    raise Unfit(str(value), "JSON data", "An expression with & alone is no value.")


def as_word(value: Any) -> str:
    """The text by which a table is asked: booleans as true and false, whole numbers as digits.

    >>> as_word(True), as_word(3), as_word(3.0), as_word("PAID")
    ('true', '3', '3', 'PAID')
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return to_text(value)
    raise Unfit(value, "a single word for the table", "Point the expression at one value.")


def money_out(value: Any, currency: str, unit: str = "major") -> str | int | None:
    """To the wire: a decimal string with the currency's digits, or a whole number of a smaller unit.

    >>> money_out("59.9", "CNY"), money_out("59.90", "CNY", "fen"), money_out("100", "JPY", "minor")
    ('59.90', 5990, 100)
    """
    amount = to_money(value, currency)
    if amount is None:
        return None
    if not (places := UNITS[unit]):
        return f"{amount:f}"
    scaled = amount.scaleb(minor_digits(currency) if places < 0 else places)
    if scaled != scaled.to_integral_value():
        raise Unfit(value, f"a whole number of {unit}", "Choose a smaller unit.", "mapping.bad_money")
    return int(scaled)


def number_out(value: Any) -> int | float | None:
    """To the wire: a JSON number. What it cannot hold exactly (beyond 15 digits) is a problem.

    >>> number_out("59.90"), number_out("3.00"), number_out(2)
    (59.9, 3, 2)
    """
    number = to_decimal(value)
    if number is None:
        return None
    if number == number.to_integral_value():
        return int(number)
    result: float = json.loads(f"{number:f}")
    if Decimal(repr(result)) != number:
        raise Unfit(value, "a number of at most 15 digits", 'Send it as text: as = "text".')
    return result


def time_out(value: Any, pattern: str = "", zone: str = "UTC") -> str | int | None:
    """To the wire: an instant written in `zone` by a strftime pattern, or as epoch_s or epoch_ms.

    >>> time_out("2024-06-01T04:00:00Z", "%Y-%m-%d %H:%M:%S", "Asia/Shanghai"), time_out("2024-06-01T04:00:00Z")
    ('2024-06-01 12:00:00', '2024-06-01T04:00:00Z')
    >>> time_out("2024-06-01T04:00:00Z", "epoch_ms")
    1717214400000
    """
    instant = to_time(value)
    if instant is None:
        return None
    if pattern in ("epoch_s", "epoch_ms"):
        return (instant - EPOCH) // timedelta(milliseconds=1 if pattern == "epoch_ms" else 1000)
    if not pattern:
        return time_text(instant.astimezone(_zone(zone)))
    return instant.astimezone(_zone(zone)).strftime(pattern)


def time_text(instant: datetime) -> str:
    """ISO 8601, Z for UTC.

    >>> time_text(datetime(2024, 6, 1, 4, tzinfo=UTC))
    '2024-06-01T04:00:00Z'
    """
    return instant.isoformat().replace("+00:00", "Z")


def _plain(value: float) -> str:
    if not Decimal(repr(value)).is_finite():
        raise Unfit(value, "a finite number")
    text = f"{Decimal(repr(value)):f}"
    return text.removesuffix(".0")


def _money_code(found: Any) -> str:
    return "mapping.wrong_type" if isinstance(found, (bool, list, dict)) else "mapping.bad_money"


def _epoch(number: int, found: Any) -> datetime:
    size = len(str(abs(number))) if number.bit_length() < _MOST_BITS else 0
    if size == 10:
        return EPOCH + timedelta(seconds=number)
    if size == 13:
        return EPOCH + timedelta(milliseconds=number)
    hint = f"If {found} means that it did not happen, list it: absent = [{found!r}]."
    raise Unfit(found, "10 digits (seconds) or 13 digits (milliseconds) since 1970", hint, "mapping.bad_time")


def _by_pattern(text: str, zone: str, pattern: str) -> datetime:
    try:
        moment = datetime.strptime(text, pattern)  # noqa: DTZ007  # the zone follows
        return (moment if moment.tzinfo else moment.replace(tzinfo=_zone(zone))).astimezone(UTC)
    except (ValueError, OverflowError):
        hint = "Mend the row's format, or leave it out: usual forms are recognised."
        raise Unfit(text, f"a time of the form {pattern}", hint, "mapping.bad_time") from None


def _written(text: str, zone: str) -> datetime:
    hint = f'If this means that it did not happen, list it: absent = ["{text}"].'
    found = _TIME.fullmatch(text)
    try:
        if found is None:
            if not _DAY.fullmatch(text):
                raise ValueError
            return datetime.fromisoformat(text).replace(tzinfo=_zone(zone)).astimezone(UTC)
        day, clock, fraction, offset = found.groups()
        moment = f"{day}T{clock}" + (f".{fraction[:6]:0<6}" if fraction else "")
        if offset is None:
            return datetime.fromisoformat(moment).replace(tzinfo=_zone(zone)).astimezone(UTC)
        return datetime.fromisoformat(moment + offset.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        expected = "YYYY-MM-DD HH:MM:SS, ISO 8601, or seconds or milliseconds since 1970"
        raise Unfit(text, expected, hint, "mapping.bad_time") from None


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)
