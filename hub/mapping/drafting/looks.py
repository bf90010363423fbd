"""What values look like: times, amounts, phone numbers, words. A look speaks for all values of one place."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from hub.mapping.functions import EPOCH, Unfit, to_decimal, to_time

NO_TIMES = ("0", "0001-01-01 00:00:00", "0000-00-00 00:00:00", "1970-01-01 00:00:00", "0001-01-01", "1970-01-01")
"""What platforms write for a time that is not there yet."""
_OLDEST = datetime(2001, 1, 1, tzinfo=UTC)
_NEWEST = datetime(2100, 1, 1, tzinfo=UTC)
_PHONE = re.compile(r"\+?[\d*][\d*() -]{6,19}")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_DATE = re.compile(r"\d{4}[-/.]\d\d?[-/.]\d\d?")
_OFFSET = re.compile(r"(Z|[+-]\d\d(:?\d\d)?)$")
_CIPHER = re.compile(r"[\w+/=#$*.~@-]{40,}", re.ASCII)
_CJK = re.compile(r"[\u4e00-\u9fff]")

TIME, MONEY, INT, NUMBER, BOOL, PHONE, EMAIL, URL, CURRENCY, COUNTRY, WORD, TEXT, CIPHER, NOTHING = (
    "a time",
    "an amount",
    "a whole number",
    "a number",
    "true or false",
    "a phone number",
    "an e-mail address",
    "an address on the web",
    "a currency",
    "a country",
    "a word",
    "text",
    "an encrypted text",
    "nothing",
)


def looks(values: Iterable[Any]) -> frozenset[str]:
    """Everything that all of these values could be.

    >>> sorted(looks(["59.90", "1.00"])), sorted(looks(["CNY"])), "a time" in looks([0, 1711937792])
    (['a number', 'an amount'], ['a country', 'a currency', 'a word', 'text'], True)
    """
    told = [v for v in values if v is not None and v != "" and not isinstance(v, (list, dict))]
    if not told:
        return frozenset({NOTHING})
    found: set[str] | None = None
    for value in told:
        own = {TIME} if no_time(value) else set()
        own |= _one(value)
        found = own if found is None else found & own
    result = found or set()
    if TIME in result and all(no_time(v) for v in told):
        result.discard(TIME)
        return frozenset(result)
    return frozenset(result or {TEXT})


def no_time(value: Any) -> bool:
    """Whether a value is one of those that mean that there is no time.

    >>> no_time(0), no_time("0001-01-01 00:00:00"), no_time("2026-03-01 09:00:00")
    (True, True, False)
    """
    return not isinstance(value, bool) and str(value).strip() in NO_TIMES


def is_epoch(value: Any) -> bool:
    """Whether a time is written as seconds or milliseconds."""
    return str(value).isdecimal()


def has_offset(value: Any) -> bool:
    """Whether a time says by itself where it is meant."""
    return is_epoch(value) or bool(_OFFSET.search(str(value).strip()[10:]))


def time_of(value: Any) -> datetime | None:
    """A likely instant (2001 to 2100), None for anything else. Times without an offset are taken as UTC's."""
    if isinstance(value, (bool, float)) or (isinstance(value, str) and is_epoch(value) and len(value) not in (10, 13)):
        return None
    try:
        instant = to_time(value)
    except Unfit:
        return None
    return instant if instant is not None and _OLDEST <= instant < _NEWEST and instant != EPOCH else None


def is_chinese(value: Any) -> bool:
    """Whether a text has Chinese signs."""
    return isinstance(value, str) and bool(_CJK.search(value))


def _one(value: Any) -> set[str]:
    if isinstance(value, bool):
        return {BOOL, WORD}
    found = set()
    if time_of(value) is not None:
        found.add(TIME)
    if isinstance(value, (int, float)) or (isinstance(value, str) and re.fullmatch(r"-?\d{1,15}(\.\d{1,6})?", value)):
        found |= {NUMBER, MONEY}
        number = to_decimal(value)
        if number is not None and number == number.to_integral_value() and "." not in str(value):
            found |= {INT}
            if abs(number) < 1000:
                found |= {WORD}
            if number in (0, 1):
                found |= {BOOL}
    if isinstance(value, str):
        found |= _text(value)
    return found


def _text(value: str) -> set[str]:
    found = set() if re.fullmatch(r"-?\d{1,15}(\.\d{1,6})?", value) else {TEXT}
    digits = sum(c.isdigit() or c == "*" for c in value)
    if _PHONE.fullmatch(value.strip()) and digits >= 7 and not _DATE.match(value):
        found.add(PHONE)
    if _EMAIL.fullmatch(value):
        found.add(EMAIL)
    if value.startswith(("http://", "https://")):
        return {URL}
    if _CIPHER.fullmatch(value):
        return {CIPHER}
    if re.fullmatch(r"[A-Z]{3}", value):
        found.add(CURRENCY)
    if (
        re.fullmatch(r"[A-Z]{2,3}", value)
        or (is_chinese(value) and value.endswith("国"))
        or re.fullmatch("[A-Z][a-z ]+", value)
    ):
        found.add(COUNTRY)
    if TEXT in found and len(value) <= 40 and len(value.split()) <= 2 and "@" not in value and not _DATE.match(value):
        found.add(WORD)
    return found
