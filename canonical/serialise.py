"""A document as bytes: the form in which it is stored and sent."""

from collections.abc import Iterator
from decimal import Decimal
from functools import lru_cache
from typing import Any, TypeVar

from canonical.fields import Document, Part, leaves_of
from canonical.money import MoneyTag, in_digits, minor_unit

D = TypeVar("D", bound=Document)
P = TypeVar("P", bound=Part)


def dump_json(document: Document) -> bytes:
    """The document as JSON: names as in the contract, every field present, money as decimal text with the digits of
    the document's currency (more only where it has more), times in UTC with Z."""
    return exact(document).model_dump_json(by_alias=True).encode()


def exact(document: D) -> D:
    """The same document with every amount written with its currency's digits; itself if it is so already."""
    currency = getattr(document, "currency", None)
    if currency is None or even(document, unit := minor_unit(currency)):
        return document
    return _rewritten(document, currency, unit)


def even(part: Part, unit: Decimal) -> bool:
    """Whether every amount in a document has just the digits of this unit: by far the most have."""
    money, inner = _slots(type(part))
    values = part.__dict__
    for name in money:
        amount = values[name]
        if amount is not None and not amount.same_quantum(unit):
            return False
    for name in inner:
        value = values[name]
        if value and not (even(value, unit) if isinstance(value, Part) else all(even(item, unit) for item in value)):
            return False
    return True


def amounts(part: Part, path: str = "") -> Iterator[tuple[str, Decimal]]:
    """Every amount of money in a document that is not null, with its path ("lines[0].amount")."""
    money, inner = _slots(type(part))
    for name in money:
        amount = getattr(part, name)
        if amount is not None:
            yield path + name, amount
    for name in inner:
        value = getattr(part, name)
        if isinstance(value, Part):
            yield from amounts(value, f"{path}{name}.")
        elif value:
            for number, item in enumerate(value):
                yield from amounts(item, f"{path}{name}[{number}].")


def _rewritten(part: P, currency: str, unit: Decimal) -> P:
    money, inner = _slots(type(part))
    changes: dict[str, Any] = {}
    for name in money:
        amount = getattr(part, name)
        if amount is not None and not amount.same_quantum(unit):
            changes[name] = in_digits(amount, currency)
    for name in inner:
        value = getattr(part, name)
        if not value:
            continue
        if isinstance(value, Part):
            new: Any = _rewritten(value, currency, unit)
            if new is not value:
                changes[name] = new
        else:
            items = tuple(_rewritten(item, currency, unit) for item in value)
            if any(a is not b for a, b in zip(items, value, strict=True)):
                changes[name] = items
    return part.model_copy(update=changes) if changes else part


@lru_cache(maxsize=64)
def _slots(model: type[Part]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of a model's fields that hold money, and of those that hold parts which have money."""
    money, inner = [], []
    for name, info in model.model_fields.items():
        leaves = leaves_of(info)
        if any(isinstance(leaf, MoneyTag) for leaf in leaves):
            money.append(name)
        elif any(any(_slots(leaf)) for leaf in leaves if isinstance(leaf, type) and issubclass(leaf, Part)):
            inner.append(name)
    return tuple(money), tuple(inner)
