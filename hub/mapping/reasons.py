"""Why a condition is false and why a value is null, in words: what the expression read, where it found nothing."""

import difflib
import json
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from jmespath.exceptions import JMESPathError

from hub.mapping import expression
from hub.mapping.expression import EVALUATION_ERRORS, Expression
from hub.mapping.rows import Listing, Object, Switch, Value
from hub.mapping.trace import Asked, Read, Step

Show = Callable[[str, Any], str]
"""A path and what is there: as it may be shown."""
_BARE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MOST = 6


def why_false(asked: Asked, show: Show) -> dict[str, str]:
    """What the paths in a condition hold: path -> value.

    >>> from hub.mapping.source import Place
    >>> asked = Asked("type == 'step' && length(rows) > `1`", False, Place("", 1, ""), {"type": "fixed", "rows": [1]})
    >>> why_false(asked, lambda path, value: str(value))
    {'type': 'fixed', 'rows': '[1]'}
    """
    if not asked.text:
        return {}
    return {path: show(path, _value(path, asked.scope)) for path in _paths(asked.text)[:_MOST]}


def why_null(steps: list[Step], show: Show) -> str:
    """Why the rows of one field, outermost first, gave null."""
    for step in steps:
        if isinstance(step.row, Switch) and step.branch is None:
            return _no_branch(step.asked, show)
        if isinstance(step.row, Object):
            if step.row.condition is not None and step.asked and not step.asked[0].holds:
                return _no_branch(step.asked[:1], show)
            return "all fields inside of it are null"
        if isinstance(step.row, Listing):
            return _empty(step, show)
        if isinstance(step.row, Value):
            return _nothing(step, step.row, show)
    return "its row gave null"


def _no_branch(asked: list[Asked], show: Show) -> str:
    told = []
    for one in asked:
        read = ", ".join(f"{path} is {value}" for path, value in why_false(one, show).items())
        told.append(f"{one.text} {'cannot be told' if one.error else 'is false'}" + (f" ({read})" if read else ""))
    return "; ".join(told) or "it has no branches"


def _empty(step: Step, show: Show) -> str:
    told = []
    for part in step.parts:
        if part.asked is not None and not part.asked.holds:
            told.append(_no_branch([part.asked], show))
        elif part.part.each is not None and not part.count:
            what = "is an empty list" if part.source == [] else "gave null"
            told.append(f"{part.part.each.text} {what}")
        elif part.dropped:
            where = part.dropped[0][1].text
            told.append(f"all {part.count} item(s) were dropped by where {where}")
    return "; ".join(told) or "it is an empty list"


def _nothing(step: Step, row: Value, show: Show) -> str:
    if row.path is None:
        return "it is a constant"
    if row.each is not None and not step.reads:
        dropped = f"; {len(step.dropped)} item(s) were dropped by where" if step.dropped else ""
        return f"{row.each.text} has no items{dropped}"
    for read in step.reads:
        if read.raw is None:
            return _found_nothing(row.path, read, show)
        if read.absent:
            return f"{show(row.path.text, read.raw)} is listed under absent: not set"
        lacking = next((o for o in read.operands if o[2] is None and o[0] in ("times", "divide")), None)
        if lacking is not None:
            return f"{lacking[0]} {lacking[1]} gave null"
    if step.reads and step.reads[0].raw == "":
        return f"{row.path.text} is empty, which as {row.as_} means: not set"
    return f"{row.path.text} gave nothing that counts"


def _found_nothing(path: Expression, read: Read, show: Show) -> str:
    if read.error:
        return f"{path.text} cannot be evaluated: {read.error}"
    names = path.text.split(".")
    if not all(_BARE.fullmatch(name) for name in names):
        seen = "; ".join(f"{p} is {show(p, _value(p, read.scope))}" for p in _paths(path.text)[:3] if p != path.text)
        return f"{path.text} gave null" + (f" ({seen})" if seen else "")
    here = read.scope
    for number, name in enumerate(names):
        before = ".".join(names[:number]) or "the record"
        if not isinstance(here, dict):
            what = "is null" if here is None else f"is {show(before, here)}, no object"
            return f"{path.text} gave null: {before} {what}"
        if name not in here:
            near = difflib.get_close_matches(name, [str(key) for key in here], 1, 0.75)
            hint = f"; it has {near[0]}" if near else ""
            return f"{path.text} gave null: there is no {name} in {before if number else 'what is read'}{hint}"
        here = here[name]
    return f"{path.text} is null"


@lru_cache(maxsize=2000)
def _paths(text: str) -> tuple[str, ...]:
    """The paths that an expression reads on its own scope, as text."""
    try:
        tree = expression.compile(text).tree
    except JMESPathError:
        return ()
    return tuple(dict.fromkeys(_reads(tree)))


def _value(path: str, scope: Any) -> Any:
    try:
        return _compiled(path).search(scope)
    except EVALUATION_ERRORS:
        return None


@lru_cache(maxsize=2000)
def _compiled(path: str) -> Expression:
    return expression.compile(path)


def _reads(tree: Any) -> Iterator[str]:
    """The longest plain paths in a tree that are read on the scope itself, not on the items of a list."""
    text = _text(tree)
    if text:
        yield text
        return
    children = [child for child in tree.get("children", ()) if isinstance(child, dict)]
    if tree["type"] in ("subexpression", "pipe", "index_expression", "projection", "filter_projection", "flatten"):
        children = children[:1]  # what follows is read on its result
    for child in children:
        if child["type"] != "expref":
            yield from _reads(child)


def _text(tree: Any) -> str:
    """A plain path (fields and positions) as JMESPath, "" for any other expression."""
    kind, children = tree["type"], tree.get("children", ())
    if kind == "field":
        name = str(tree["value"])
        return name if _BARE.fullmatch(name) else json.dumps(name, ensure_ascii=False)
    if kind == "index":
        return f"[{tree['value']}]"
    if kind not in ("subexpression", "index_expression"):
        return ""
    parts = [_text(child) for child in children]
    if not all(parts):
        return ""
    return parts[0] + "".join(part if part.startswith("[") else f".{part}" for part in parts[1:])
