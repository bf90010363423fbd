"""Two order mappings as somebody would write them by hand in Python: what a compiled mapping is held against.

They do what mappings/channels/taobao/order.toml and shopify/order.toml say, for orders that are as they should be; what
is not raises ValueError, KeyError or TypeError.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

Json = dict[str, Any]

BEIJING = ZoneInfo("Asia/Shanghai")
NOTHING = Decimal("0.00")
CENT = Decimal("0.01")
NUMBER = re.compile(r"-?\d{1,15}(\.\d+)?", re.ASCII)
TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", re.ASCII)
ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)", re.ASCII)


def text(value: Any) -> str:
    """Text, or a whole number's digits."""
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise ValueError(value)


def money(value: Any) -> Decimal:
    """An amount with two digits after the point."""
    if not isinstance(value, str) or not NUMBER.fullmatch(value):
        raise ValueError(value)
    return cents(Decimal(value))


def cents(amount: Decimal) -> Decimal:
    """The same amount, written with two digits after the point."""
    if amount.same_quantum(CENT):
        return amount
    written = amount.quantize(CENT)
    if written != amount:
        raise ValueError(amount)
    return written


def whole(value: Any) -> int:
    """A whole number."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(value)
    return value


def beijing(value: Any) -> datetime:
    """A time of Beijing's clocks."""
    if not isinstance(value, str) or not TIME.fullmatch(value):
        raise ValueError(value)
    return datetime.fromisoformat(value).replace(tzinfo=BEIJING).astimezone(UTC)


def iso(value: Any) -> datetime:
    """A time with its offset."""
    if not isinstance(value, str) or not ISO.fullmatch(value):
        raise ValueError(value)
    return datetime.fromisoformat(value).astimezone(UTC)


def words(value: str) -> list[str]:
    """Words between commas."""
    return [word for part in value.split(",") if (word := part.strip())]


def filled(source: Json, names: Iterable[tuple[str, str]]) -> Json:
    """Fields that hold something, as text, under other names."""
    return {to: text(value) for to, name in names if (value := source.get(name))}


def yes(value: Any) -> bool:
    """Flags come as true, "true", 1 and "1"."""
    return value is True or value in ("true", "1", 1)
