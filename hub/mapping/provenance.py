"""Where the value of an expression comes from: which paths of its data it reads, and which of them it hands on.

Read from the syntax tree alone. A path is the names of the fields on the way; lists on it leave no mark, so that
`lines[].sku`, `lines[0].sku` and `lines[?gift].sku` are all ("lines", "sku"). "*" stands for any name.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

Path = tuple[str, ...]
ANY = "*"


@dataclass(frozen=True, slots=True)
class Origin:
    """What a value is: parts of the data at these paths, or (`made`) something that the expression made of them."""

    paths: frozenset[Path] = frozenset()
    made: bool = False

    def __or__(self, other: "Origin") -> "Origin":
        return Origin(self.paths | other.paths, self.made or other.made)

    def at(self, name: str) -> "Origin":
        """What a field of it is."""
        return Origin(frozenset((*path, name) for path in self.paths), self.made)


CONSTANT = Origin()
MADE = Origin(made=True)
DATA = Origin(frozenset([()]))
"""The whole of what an expression is given."""


@dataclass(slots=True)
class Uses:
    """What expressions use. `whole`: a value with everything below it; `tested`: only whether it is there, or its
    length; `words`: the text that the values at a path are compared with."""

    whole: set[Path] = field(default_factory=set)
    tested: set[Path] = field(default_factory=set)
    words: dict[Path, set[str]] = field(default_factory=dict)


def follow(tree: dict[str, Any], here: Origin, uses: Uses) -> Origin:
    """Note what an expression uses on the way, and tell what its value is."""
    handler = _NODES.get(tree["type"])
    if handler is not None:
        return handler(tree, here, uses)
    for child in _children(tree):
        taken(follow(child, here, uses), uses)
    return MADE


def taken(origin: Origin, uses: Uses) -> Origin:
    """A value is used itself, with everything below it."""
    uses.whole |= origin.paths
    return origin


def tested(origin: Origin, uses: Uses) -> Origin:
    """Of a value only its presence matters."""
    uses.tested |= origin.paths
    return origin


def _children(tree: dict[str, Any]) -> Iterator[dict[str, Any]]:
    return (child for child in tree.get("children", ()) if isinstance(child, dict))


def _here(tree: dict[str, Any], here: Origin, uses: Uses) -> Origin:
    return here


def _field(tree: dict[str, Any], here: Origin, uses: Uses) -> Origin:
    return here.at(tree["value"])


def _steps(tree: dict[str, Any], here: Origin, uses: Uses) -> Origin:
    for child in _children(tree):
        here = follow(child, here, uses)
    return here


def _filter(tree: dict[str, Any], here: Origin, uses: Uses) -> Origin:
    left, right, condition = tree["children"]
    item = follow(left, here, uses)
    tested(follow(condition, item, uses), uses)
    return follow(right, item, uses)


def _values(tree: dict[str, Any], here: Origin, uses: Uses) -> Origin:
    left, right = tree["children"]
    return follow(right, follow(left, here, uses).at(ANY), uses)


def _either(tree: dict[str, Any], here: Origin, uses: Uses) -> Origin:
    left, right = _children(tree)
    return follow(left, here, uses) | follow(right, here, uses)


def _both(tree: dict[str, Any], here: Origin, uses: Uses) -> Origin:
    left, right = _children(tree)
    tested(follow(left, here, uses), uses)
    return follow(right, here, uses)


def _not(tree: dict[str, Any], here: Origin, uses: Uses) -> Origin:
    tested(follow(next(_children(tree)), here, uses), uses)
    return CONSTANT


def _comparison(tree: dict[str, Any], here: Origin, uses: Uses) -> Origin:
    sides = list(_children(tree))
    for side, other in (sides, sides[::-1]):
        _compared(taken(follow(side, here, uses), uses), _literals(other), uses)
    return CONSTANT


def _compared(origin: Origin, words: set[str], uses: Uses) -> None:
    for path in origin.paths if words else ():
        uses.words.setdefault(path, set()).update(words)


def _literals(tree: dict[str, Any]) -> set[str]:
    """The texts (and numbers, as text) of a literal, or of a list of literals."""
    if tree["type"] == "literal":
        value = tree["value"]
        several = value if isinstance(value, list) else [value]
        return {str(v) for v in several if isinstance(v, (str, int)) and not isinstance(v, bool)}
    if tree["type"] == "multi_select_list":
        return set().union(*map(_literals, _children(tree)))
    return set()


def _function(tree: dict[str, Any], here: Origin, uses: Uses) -> Origin:
    name, arguments = tree["value"], list(_children(tree))
    if name == "map" and len(arguments) == 2:
        return follow(arguments[0], follow(arguments[1], here, uses), uses)
    origins: list[Origin] = []
    for argument in arguments:
        # an expression reference is read on the items of the list before it
        origins.append(follow(argument, origins[0] if argument["type"] == "expref" and origins else here, uses))
    if name == "values":
        return _any(origins).at(ANY)
    if name in _HANDS_ON:
        for argument, origin in zip(arguments[1:], origins[1:], strict=True):
            if argument["type"] == "expref":
                taken(origin, uses)
        return _any([o for a, o in zip(arguments, origins, strict=True) if a["type"] != "expref"])
    note = tested if name == "length" else taken
    for origin in origins:
        note(origin, uses)
    if name == "contains" and len(arguments) == 2:
        _compared(origins[1], _literals(arguments[0]), uses)
        _compared(origins[0], _literals(arguments[1]), uses)
    return CONSTANT if name in _PLAIN else MADE


def _any(origins: list[Origin]) -> Origin:
    result = CONSTANT
    for origin in origins:
        result |= origin
    return result


_TEXTS_AND_NUMBERS = ("to_string", "to_number", "to_array")
_ONE_OF_THEM = ("not_null", "merge", "max", "min", "reverse", "sort", "sort_by", "max_by", "min_by")
_HANDS_ON = frozenset((*_TEXTS_AND_NUMBERS, *_ONE_OF_THEM))
"""Functions whose value is (one of) what they are given, or its text or number."""
_PLAIN = frozenset(["length", "contains", "starts_with", "ends_with", "type", "keys", "abs", "ceil", "floor"])
"""Functions whose value holds nothing of what they are given, or nothing that has an inside."""
_Node = Callable[[dict[str, Any], Origin, Uses], Origin]
_NODES: dict[str, _Node] = {
    **dict.fromkeys(("identity", "current", "index", "slice"), _here),
    **dict.fromkeys(("subexpression", "pipe", "index_expression", "projection", "flatten", "expref"), _steps),
    "field": _field,
    "filter_projection": _filter,
    "value_projection": _values,
    "or_expression": _either,
    "and_expression": _both,
    "not_expression": _not,
    "comparator": _comparison,
    "literal": lambda tree, here, uses: CONSTANT,
    "function_expression": _function,
}
