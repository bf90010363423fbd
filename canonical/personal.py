"""Personal data, known by the tag on its field alone."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from canonical.documents import DOCUMENTS
from canonical.fields import Part, Personal, leaves_of

MASK = "***"

_Plan = Mapping[str, "_Plan | None"]
"""Field name on the wire -> None where it is personal itself, else the plan of the part inside."""


@lru_cache(maxsize=64)
def personal_paths(kind: str) -> tuple[str, ...]:
    """The personal fields of a kind of document by their names on the wire: "receiver.name"; a part in a list is
    "lists[].name". Raises KeyError for an unknown kind."""
    return tuple(_paths(DOCUMENTS[kind], ""))


def mask(document: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """A copy of a document's plain data in which *** stands for every personal value; null and "" stay as they are.

    Raises KeyError for an unknown kind.
    """
    return _masked(document, _plan(DOCUMENTS[kind]))


def without(document: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """A copy of a document's plain data without any personal value, and without `extra`, which nobody vouches for.

    Raises KeyError for an unknown kind.
    """
    return _emptied(document, _plan(DOCUMENTS[kind]))


def _emptied(data: Mapping[str, Any], plan: _Plan) -> dict[str, Any]:
    copy = {name: value for name, value in data.items() if name != "extra"}
    for name, inner in plan.items():
        value = copy.get(name)
        if inner is None:
            copy.pop(name, None)
        elif isinstance(value, Mapping):
            copy[name] = _emptied(value, inner)
        elif isinstance(value, (list, tuple)):
            copy[name] = [_emptied(item, inner) if isinstance(item, Mapping) else item for item in value]
    return copy


def _masked(data: Mapping[str, Any], plan: _Plan) -> dict[str, Any]:
    copy = dict(data)
    for name, inner in plan.items():
        value = copy.get(name)
        if value is None or value == "":
            continue
        if inner is None:
            copy[name] = MASK
        elif isinstance(value, Mapping):
            copy[name] = _masked(value, inner)
        elif isinstance(value, (list, tuple)):
            copy[name] = [_masked(item, inner) if isinstance(item, Mapping) else item for item in value]
    return copy


@lru_cache(maxsize=64)
def _plan(model: type[Part]) -> _Plan:
    plan: dict[str, _Plan | None] = {}
    for name, info in model.model_fields.items():
        leaves = leaves_of(info)
        if any(isinstance(leaf, Personal) for leaf in leaves):
            plan[info.alias or name] = None
            continue
        for part in _parts(leaves):
            if inner := _plan(part):
                plan[info.alias or name] = inner
    return plan


def _paths(model: type[Part], path: str) -> Iterator[str]:
    for name, info in model.model_fields.items():
        leaves = leaves_of(info)
        here = path + (info.alias or name)
        if any(isinstance(leaf, Personal) for leaf in leaves):
            yield here
            continue
        listed = "[]" if Ellipsis in leaves else ""
        for part in _parts(leaves):
            yield from _paths(part, f"{here}{listed}.")


def _parts(leaves: list[Any]) -> list[type[Part]]:
    return [leaf for leaf in leaves if isinstance(leaf, type) and issubclass(leaf, Part)]
