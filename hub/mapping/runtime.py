"""What compiled expressions call: JMESPath's functions and comparisons, the usual cases first.

Each gives what the `jmespath` library gives. Whatever is unusual is handed to the library itself, so that its errors
are its own.
"""

import json
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import cache
from numbers import Number
from typing import Any

from jmespath.functions import REVERSE_TYPES_MAP, TYPES_MAP, Functions, signature

from hub.mapping.budget import BudgetExceeded

_NUMBERS = frozenset((int, float, Decimal))
_TEXTS = frozenset((str,))
_MOST_TEXT = 10_000_000
"""Characters that join() may make: a long separator between many words is a product, not a part, of a record."""


class ExactFunctions(Functions):
    """JMESPath's functions; a Decimal counts as a number, so that rows over the canonical document can add money."""

    def _get_allowed_pytypes(self, types: Sequence[str]) -> tuple[list[str], list[Sequence[str]]]:
        return _allowed(tuple(types))

    def _convert_to_jmespath_type(self, pyobject: str) -> str:
        kind: str = "number" if pyobject == "Decimal" else TYPES_MAP.get(pyobject, "unknown")
        return kind

    @signature({"types": []})
    def _func_to_number(self, arg: Any) -> Any:
        return arg if isinstance(arg, Decimal) else _to_number(self, arg)

    @signature({"types": ["string"]}, {"types": ["array-string"]})
    def _func_join(self, separator: str, array: list[str]) -> str:
        if len(separator) * len(array) > _MOST_TEXT:
            raise BudgetExceeded("join() would make a text of extreme length")
        return separator.join(array)


_to_number: Callable[[Functions, Any], Any] = Functions.FUNCTION_TABLE["to_number"]["function"]


@cache
def _allowed(types: tuple[str, ...]) -> tuple[list[str], list[Sequence[str]]]:
    """Names of the Python types that a parameter takes, and of the elements where it is a list."""
    outer: list[str] = []
    inner: list[Sequence[str]] = []
    for kind in types:
        whole, _, element = kind.partition("-")
        outer.extend(_python_names(whole))
        if element:
            inner.append(_python_names(element))
    return outer, inner


def _python_names(kind: str) -> Sequence[str]:
    names = tuple(REVERSE_TYPES_MAP[kind])
    return (*names, "Decimal") if kind == "number" else names


FUNCTIONS = ExactFunctions()


def call(name: str, *arguments: Any) -> Any:
    """A function as the library calls it, with its errors."""
    return FUNCTIONS.call_function(name, list(arguments))


class _Expression:
    """An expression reference (&path) as the library's functions take it; they tell it by the name of its class."""

    __slots__ = ("_search",)
    expression = None

    def __init__(self, search: Callable[[Any], Any]) -> None:
        self._search = search

    def visit(self, _: Any, value: Any) -> Any:
        return self._search(value)


reference = _Expression


# ---------------------------------------------------------------- functions, the usual case first


_encoded = json.JSONEncoder(separators=(",", ":"), default=str).encode
_WORDS = {None: "null", True: "true", False: "false"}


def to_string(value: Any) -> str:
    kind = value.__class__
    if kind is str:
        return value  # type: ignore[no-any-return]  # just checked
    if kind is bool or value is None:
        return _WORDS[value]
    return _encoded(value)


def to_number(value: Any) -> Any:
    return value if value.__class__ is int or value.__class__ is float else FUNCTIONS._func_to_number(value)  # noqa: SLF001


def length(value: Any) -> Any:
    return len(value) if value.__class__ in (list, str, dict) else call("length", value)


def contains(subject: Any, search: Any) -> Any:
    return (
        search in subject
        if subject.__class__ is list or subject.__class__ is str
        else call("contains", subject, search)
    )


def starts_with(text: Any, start: Any) -> Any:
    both = text.__class__ is str and start.__class__ is str
    return text.startswith(start) if both else call("starts_with", text, start)


def ends_with(text: Any, end: Any) -> Any:
    both = text.__class__ is str and end.__class__ is str
    return text.endswith(end) if both else call("ends_with", text, end)


def not_null(*values: Any) -> Any:
    for value in values:
        if value is not None:
            return value
    return None if values else call("not_null")


def to_array(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _alike(values: Any) -> bool:
    if values.__class__ is not list:
        return False
    kinds = set(map(type, values))
    return kinds <= _NUMBERS or kinds == _TEXTS


def largest(values: Any) -> Any:
    return (max(values) if values else None) if _alike(values) else call("max", values)


def smallest(values: Any) -> Any:
    return (min(values) if values else None) if _alike(values) else call("min", values)


def ordered(values: Any) -> Any:
    return sorted(values) if _alike(values) else call("sort", values)


def total(values: Any) -> Any:
    plain = values.__class__ is list and set(map(type, values)) <= _NUMBERS
    return sum(values) if plain else call("sum", values)


def joined(separator: Any, values: Any) -> Any:
    plain = separator.__class__ is str and values.__class__ is list and len(separator) < 100
    return separator.join(values) if plain and set(map(type, values)) <= _TEXTS else call("join", separator, values)


QUICK: dict[str, tuple[Callable[..., Any], int]] = {
    "to_string": (to_string, 1),
    "to_number": (to_number, 1),
    "length": (length, 1),
    "contains": (contains, 2),
    "starts_with": (starts_with, 2),
    "ends_with": (ends_with, 2),
    "not_null": (not_null, -1),
    "to_array": (to_array, 1),
    "max": (largest, 1),
    "min": (smallest, 1),
    "sort": (ordered, 1),
    "sum": (total, 1),
    "join": (joined, 2),
}
"""Functions with a short way: what to call, and with how many arguments (-1: any number)."""


# ---------------------------------------------------------------- comparisons


def equal(left: Any, right: Any) -> Any:
    """Equality of JSON, where true is not 1 and false is not 0 (unless inside lists and objects)."""
    return left == right if (left.__class__ is bool) is (right.__class__ is bool) else False


def _comparable(value: Any) -> bool:
    kind = value.__class__
    return kind is int or kind is str or kind is float or (isinstance(value, (str, Number)) and kind is not bool)


def less(left: Any, right: Any) -> Any:
    return left < right if _comparable(left) and _comparable(right) else None


def less_or_equal(left: Any, right: Any) -> Any:
    return left <= right if _comparable(left) and _comparable(right) else None


def greater(left: Any, right: Any) -> Any:
    return left > right if _comparable(left) and _comparable(right) else None


def greater_or_equal(left: Any, right: Any) -> Any:
    return left >= right if _comparable(left) and _comparable(right) else None


ORDERINGS = {"lt": less, "lte": less_or_equal, "gt": greater, "gte": greater_or_equal}
