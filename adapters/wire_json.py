"""Picking from JSON that may have any shape."""

import re
from typing import Any, TypeVar

T = TypeVar("T")


def typed(value: Any, kind: type[T]) -> T:
    """The value where it is of that type, else the type's empty value.

    >>> typed({"a": 1}, dict), typed(None, dict), typed("x", list)
    ({'a': 1}, {}, [])
    """
    return value if isinstance(value, kind) else kind()


def objects(value: Any) -> list[dict[str, Any]]:
    """The items of a list as objects, whatever else it holds as empty ones; no list, no items.

    >>> objects([{"a": 1}, 2]), objects(None)
    ([{'a': 1}, {}], [])
    """
    return [typed(item, dict) for item in typed(value, list)]


def text(value: Any) -> str:
    """Texts and whole numbers other than 0 as text, everything else as "".

    >>> text("A-1"), text(4611686018427387905), text(0), text(None)
    ('A-1', '4611686018427387905', '', '')
    """
    return str(value) if isinstance(value, int | str) and not isinstance(value, bool) and value != 0 else ""


def number(value: Any) -> float:
    """A number, or text that is one, for waiting times and costs (never for money); 0 for anything else.

    >>> number(50.0), number("2.0"), number(None)
    (50.0, 2.0, 0)
    """
    given = str(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else ""
    return float(given) if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", given) else 0
