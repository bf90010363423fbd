"""How a mapping tells what went wrong: which rule, which expression, what was found (masked), what to do."""

import json
from typing import TYPE_CHECKING, Any

from jmespath.exceptions import JMESPathTypeError

from canonical.problem import Problem
from hub.mapping.budget import MESSAGE, BudgetExceeded
from hub.mapping.expression import EVALUATION_ERRORS, Expression
from hub.mapping.functions import Unfit
from hub.mapping.rows import Listing, Object, Switch, Value

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub.mapping.rows import MappingFile
    from hub.mapping.run import Frame

_MOST = 80


def blame(row: Value | Switch | Object | Listing, frame: "Frame", error: Exception) -> None:
    """Note what a row could not take. Returns None, which then stands for the value."""
    label = located(row.label, frame.at)
    if isinstance(error, Unfit):
        found = described(error.value, personal=row.target.personal)
        problem = Problem(error.code, _rule(frame, label), _texts(row), found, error.expected, _hint(row, error.hint))
    elif isinstance(error, BudgetExceeded):
        if any(told.code == "mapping.budget" for told in frame.run.problems):
            return  # whatever comes after the row that used it up has nothing left
        hint = _hint(row, "Narrow the expression: fewer lists within lists, no multi-select of whole lists.")
        found = f"more than {MESSAGE} steps for one message"
        problem = Problem("mapping.budget", _rule(frame, label), _texts(row), found, "a cheap expression", hint)
    else:
        hint = _hint(row, "Guard the expression: || for null, to_string() or to_number() for types.")
        problem = Problem(
            "mapping.expression", _rule(frame, label), _texts(row), _actual(error), _expected(error), hint
        )
    frame.run.problems.append(problem)
    frame.run.failed.add(label)


def missing(row: Value | Switch, frame: "Frame", search: "Callable[[Any], Any] | None") -> None:
    """Note that a field which must have a value has none."""
    label = located(row.label, frame.at)
    if label in frame.run.failed:
        return
    if isinstance(row, Switch):
        code, expected, hint = "mapping.no_branch", "one of the branches to give a value", "Add a branch without `if`"
    else:
        code, expected, hint = "mapping.missing", "a value", "Point the row at where the value is, or give a default"
    found = "null"
    if search is not None and isinstance(row, Value) and row.source == "item":
        try:
            found = described(search(frame.item), personal=row.target.personal)
        except EVALUATION_ERRORS:
            found = "null"
    frame.run.problems.append(Problem(code, _rule(frame, label), _texts(row), found, expected, _hint(row, hint + ".")))
    frame.run.failed.add(label)


def unclear(mapping: "MappingFile", what: str, condition: Expression, error: Exception) -> Problem:
    """A condition of the whole file that could not be evaluated."""
    hint = f"Guard the expression in {mapping.file}: || for null, to_string() or to_number() for types."
    rule = f"{mapping.name}: {what}"
    return Problem("mapping.expression", rule, condition.text, _actual(error), _expected(error), hint)


def located(label: str, at: tuple[int, ...]) -> str:
    """A label with the positions in its lists filled in.

    >>> located("order.lines[].amount", (2,))
    'order.lines[2].amount'
    """
    for position in at:
        label = label.replace("[]", f"[{position}]", 1)
    return label.replace("[]", "")


def described(value: Any, *, personal: bool = False) -> str:
    """A short text of a value found on the wire; of personal data only what kind of thing it is.

    >>> described("WAIT"), described(["a", 1]), described("13800138000", personal=True)
    ('"WAIT"', 'a list of 2', 'text of 11 characters (masked)')
    """
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, dict):
        keys = ", ".join(str(key)[:40] for key in list(value)[:6])
        return f"an object with {keys}{', ...' if len(value) > 6 else ''}" if value else "an empty object"
    if personal and value not in (None, ""):
        return f"text of {len(value)} characters (masked)" if isinstance(value, str) else "a value (masked)"
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except ValueError:
        return "a number of extreme length"
    return text if len(text) <= _MOST else text[: _MOST - 3] + "..."


def texts_of(row: Value | Switch | Object | Listing) -> str:
    """The expressions of a row, as its problems show them."""
    return _texts(row)


def _texts(row: Value | Switch | Object | Listing) -> str:
    if isinstance(row, Switch):
        return "; ".join(dict.fromkeys(c.text for c, _ in row.branches if c is not None))
    if isinstance(row, Object):
        conditions = [row.condition, *(c for c, _ in row.variants)]
        return "; ".join(c.text for c in conditions if isinstance(c, Expression))
    if isinstance(row, Listing):
        return "; ".join(e.text for part in row.parts for e in (part.condition, part.each) if e is not None)
    if row.path is None:
        return ""
    return f"{row.path.text} (each {row.each.text})" if row.each else row.path.text


def _rule(frame: "Frame", label: str) -> str:
    return f"{frame.run.mapping.name}: {label}"


def _hint(row: Value | Switch | Object | Listing, what: str) -> str:
    return f"{what} The row is at {row.place.file}:{row.place.line}.".strip()


def _actual(error: Exception) -> str:
    return f"a value of type {error.actual_type}" if isinstance(error, JMESPathTypeError) else type(error).__name__


def _expected(error: Exception) -> str:
    if isinstance(error, JMESPathTypeError):
        return f"{error.function_name}() takes {' or '.join(error.expected_types)}"
    return "values that the expression can compare or combine"
