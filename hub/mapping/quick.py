"""The usual case of a conversion, for compiled mappings: what a platform sends nearly always, and nothing else.

Whatever is not plainly usual goes to the conversion itself (hub.mapping.functions), with the same result or its error.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from canonical.money import minor_digits
from hub.mapping import functions

_MOST = 10**15
_FAR = 10**30
PLAIN = re.compile(r"-?\d{1,15}\.\d\d", re.ASCII).fullmatch
"""12.50: the two digits that nearly every currency has."""
_ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:Z|[+-]\d\d:\d\d)", re.ASCII).fullmatch
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_MOST_DAYS = 1000

Number = Callable[[Any], Decimal | None]


def text(value: Any) -> str:
    """functions.to_text."""
    if value.__class__ is int and -_FAR < value < _FAR:
        return str(value)
    return functions.to_text(value)


def integer(value: Any) -> int | None:
    """functions.to_int."""
    if value.__class__ is int and -_MOST < value < _MOST:
        return value
    return functions.to_int(value)


def whole(value: Any) -> int | None:
    """functions.to_int of a result."""
    return value if value.__class__ is int else functions.to_int(Decimal(value))


def number(value: Any) -> Decimal | None:
    """functions.to_decimal."""
    if value.__class__ is int and -_MOST < value < _MOST:
        return Decimal(value)
    return functions.to_decimal(value)


@lru_cache(maxsize=64)
def amount(currency: str, unit: str) -> Number:
    """functions.to_amount for one currency and unit."""
    places = functions.UNITS[unit]
    smaller_by = minor_digits(currency) if places < 0 else places

    def read(value: Any) -> Decimal | None:
        kind = value.__class__
        if kind is str and not smaller_by:
            if PLAIN(value):
                return Decimal(value)
        elif kind is int and -_MOST < value < _MOST:
            return Decimal(value).scaleb(-smaller_by) if smaller_by else Decimal(value)
        return functions.to_amount(value, currency, unit)

    return read


@lru_cache(maxsize=64)
def time(zone: str) -> Callable[[Any], datetime | None]:
    """functions.to_time for times of one zone.

    Most times are `2024-06-01 12:00:00` of a day on which the zone's clocks are not moved: how far such days are from
    UTC is kept for the last of them.
    """
    offsets: dict[str, timedelta] = {}
    read = datetime.fromisoformat

    def convert(value: Any) -> datetime | None:
        if value.__class__ is str and len(value) == 19 and value[13] == ":" == value[16] and value[10] in " T":
            offset = offsets.get(value[:10])
            if offset is None:
                offset = _remembered(offsets, value[:10], zone)
            if offset is not None:
                try:
                    return read(f"{value}Z") - offset
                except (ValueError, OverflowError):
                    pass
        elif value.__class__ is str and _ISO(value):
            try:
                return read(value).astimezone(UTC)
            except (ValueError, OverflowError):
                pass
        return functions.to_time(value, zone)

    return convert


def _remembered(offsets: dict[str, timedelta], day: str, zone: str) -> timedelta | None:
    """The offset of a day that has but one; None where it is no day, or has two."""
    if not _DAY.fullmatch(day):
        return None
    try:
        noon = datetime.fromisoformat(f"{day}T12:00:00").replace(tzinfo=ZoneInfo(zone))
        around = {(noon + timedelta(hours=hours)).utcoffset() for hours in range(-14, 15)}
    except (ValueError, OverflowError):
        return None
    offset = around.pop()
    if around or offset is None:
        return None
    if len(offsets) >= _MOST_DAYS:
        offsets.clear()
    offsets[day] = offset
    return offset
