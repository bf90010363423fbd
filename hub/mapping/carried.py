"""What a destination's mapping reads of the document: what it neither reads nor drops would be lost in silence, and
rows that read personal data must not show it in their problems."""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from canonical.personal import personal_paths
from hub.mapping.expression import Expression
from hub.mapping.grammar import Grammar
from hub.mapping.rows import MappingFile, Object, Row, Switch, Value
from hub.mapping.shape import Field, fields_of

Path = tuple[str, ...]
DEEP = ("totals", "receiver", "buyer", "lines")
"""Fields whose own fields must be carried one by one, unless the whole is read or dropped."""


@dataclass(slots=True)
class Reads:
    """The paths that the expressions of a mapping read, each with everything below it."""

    personal: frozenset[Path] = frozenset()
    whole: set[Path] = field(default_factory=set)

    def has(self, path: Path) -> bool:
        """Whether a field is read, itself, or inside it, or as part of what it lies in."""
        return any(path[: len(p)] == p or p[: len(path)] == path for p in self.whole)


def uncarried(mapping: MappingFile, known: Mapping[str, Field], grammar: Grammar) -> None:
    """Note every canonical field that the mapping neither reads nor drops, and drops that name no field."""
    reads = Reads(frozenset(tuple(p.replace("[]", "").split(".")) for p in personal_paths(mapping.kind)))
    _row(mapping.body, [()], reads)
    for extra in (mapping.key, mapping.subject, mapping.accepts, *(c for c, _ in mapping.ignore)):
        _expression(extra, (), reads)
    if isinstance(mapping.currency, Value):
        _row(mapping.currency, [()], reads)
    place = mapping.raw.at("drops")
    paths = list(_paths(known))
    dropped = {tuple(d.replace("[]", "").split(".")) for d in mapping.drops}
    names = [".".join(p) for p in paths]
    for drop in sorted(".".join(d) for d in dropped):
        if drop not in names:
            near = difflib.get_close_matches(drop, names, 1)
            grammar.say(place, f"drops names no field {drop!r}" + (f", did you mean {near[0]}?" if near else ""))
    lost = [p for p in paths if not reads.has(p) and not any(p[: len(d)] == d for d in dropped)]
    lost = [p for p in lost if not any(p[: len(q)] == q and p != q for q in lost)]
    if lost:
        listed = ", ".join(".".join(p) for p in lost)
        grammar.say(place, f"neither carried nor listed in drops: {listed}")


def _paths(known: Mapping[str, Field]) -> Iterator[Path]:
    for name, target in known.items():
        if name == "schema":
            continue
        yield (name,)
        if name in DEEP and target.model is not None:
            yield from ((name, inner) for inner in fields_of(target.model))


def _row(row: Row, scopes: list[Path | None], reads: Reads) -> None:
    """`scopes`: what the item of each loop is, outermost first; None where an expression made it up."""
    if isinstance(row, Value):
        _value(row, scopes, reads)
    elif isinstance(row, Switch):
        for condition, inner in row.branches:
            _expression(condition, _scope(row.source, scopes), reads)
            _row(inner, scopes, reads)
    elif isinstance(row, Object):
        _object(row, scopes, reads)
    else:
        for part in row.parts:
            here = _scope(part.source, scopes)
            _expression(part.condition, here, reads)
            item = here if part.each is None else _expression(part.each, here, reads, looped=True)
            _expression(part.where, item, reads)
            _object(part.object, [*(scopes if part.each else scopes[:-1]), item], reads)


def _object(row: Object, scopes: list[Path | None], reads: Reads) -> None:
    here = _scope(row.source, scopes)
    scopes = [*scopes[:-1], here]
    _expression(row.condition, here, reads)
    for condition, rows in [(None, row.rows), *row.variants]:
        _expression(condition, here, reads)
        for _, inner in rows:
            _row(inner, scopes, reads)


def _value(row: Value, scopes: list[Path | None], reads: Reads) -> None:
    own = Reads()
    here = _scope(row.source, scopes)
    if row.each is not None:
        here = _expression(row.each, here, own, looped=True)
    for expression in (row.path, row.where, row.times, row.divide, *row.plus, *row.minus):
        _expression(expression, here, own)
    reads.whole |= own.whole
    # what an expression made up may hold anything
    if here is None or any(own.has(path) for path in reads.personal):
        row.target = replace(row.target, personal=True)


def _scope(source: str, scopes: list[Path | None]) -> Path | None:
    if source == "root":
        return ()
    return scopes[-2] if source == "parent" and len(scopes) > 1 else scopes[-1]


def _expression(expression: Expression | None, here: Path | None, reads: Reads, *, looped: bool = False) -> Path | None:
    """Note what an expression reads; what it results in, if that is simply a part of the document."""
    if expression is None:
        return None
    result = _node(expression.tree, here, reads)
    if result is not None and not looped:
        reads.whole.add(result)
    return result


_STEPS = {"subexpression", "pipe", "index_expression", "projection", "value_projection", "flatten", "filter_projection"}
_SAME = {"identity", "current", "index", "slice"}


def _node(tree: dict[str, Any], here: Path | None, reads: Reads) -> Path | None:
    kind, children = tree["type"], tree.get("children", [])
    if kind == "field":
        return None if here is None else (*here, tree["value"])
    if kind in _SAME:
        return here
    if kind in _STEPS:
        item = _node(children[0], here, reads)
        if kind == "filter_projection":
            _used(children[2], item, reads)
        for child in children[1:2] if kind == "filter_projection" else children[1:]:
            item = _node(child, item, reads)
        return item
    for child in children:
        if isinstance(child, dict):
            _used(child, here, reads)
    return None


def _used(tree: dict[str, Any], here: Path | None, reads: Reads) -> None:
    result = _node(tree, here, reads)
    if result is not None:
        reads.whole.add(result)
