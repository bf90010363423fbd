"""Constants written in a mapping: held against the canonical field when the file is loaded, not on the first order."""

import difflib
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any

from hub.mapping import functions
from hub.mapping.functions import Unfit

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub.mapping.shape import Field


def plain(value: Any) -> Any:
    """TOML's own tables and dates as plain JSON data.

    >>> from datetime import date
    >>> plain({"day": date(2024, 6, 1), "n": [1]})
    {'day': '2024-06-01', 'n': [1]}
    """
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    if isinstance(value, datetime):
        return functions.time_text(value)
    return value.isoformat() if isinstance(value, (date, time)) else value


def constant_problem(value: Any, target: "Field") -> str:
    """Why a constant cannot stand in a canonical field, "" if it can."""
    if target.words and value not in target.words:
        near = difflib.get_close_matches(str(value), target.words, 1)
        known = f"did you mean {near[0]}?" if near else f"known: {', '.join(target.words)}"
        return f"{value!r} is not a word of {target.name}, {known}"
    try:
        converted(value, target)
    except Unfit as unfit:
        return f"{value!r} is not what {target.name} takes: {unfit.expected}"
    return ""


def converted(value: Any, target: "Field") -> Any:
    """A constant as the canonical field holds it. Raises Unfit."""
    conversions: dict[str, Callable[[Any], Any]] = {
        "text": functions.to_text,
        "int": functions.to_int,
        "bool": functions.to_bool,
        "decimal": functions.to_decimal,
        "money": functions.to_decimal,
        "time": functions.to_time,
    }
    convert = conversions.get(target.as_) if target.form == "scalar" else None
    return convert(value) if convert else value
