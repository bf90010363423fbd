"""JSON from the wire, strictly: whatever two readers could understand differently is refused."""

import json
import math
import re
from typing import Any, NoReturn

from canonical.errors import NotUnderstood

MAX_NESTING = 64
_LONGEST_PLACE = 200

_SURROGATE = re.compile("[\ud800-\udfff]")


class _Twice(Exception):
    """An object names one key twice."""


class _NotANumber(ValueError):
    """A number that JSON or floating point cannot hold."""


class _Twin(dict[str, Any]):
    """An object that names one key twice, kept to tell where it lies."""

    key = ""


def parse_json(raw: bytes) -> Any:
    """Parse a JSON document of UTF-8 bytes.

    Whole numbers stay whole at any size; others become floats, whose repr is the shortest text that means them.
    Half a surrogate pair (platforms cut names in the middle of an emoji) becomes U+FFFD.
    Raises NotUnderstood, naming the place: broken UTF-8, not JSON, NaN or an infinite number, a key twice in one
    object, nesting deeper than 64.
    """
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise NotUnderstood(f"broken UTF-8 at byte {error.start}", evidence={"byte": error.start}) from None
    try:
        data = _READER.decode(text)
    except json.JSONDecodeError as error:
        _refuse_syntax(error)
    except _Twice:
        _refuse_twin(text)
    except RecursionError:
        _refuse_nesting()
    except _NotANumber as error:
        raise NotUnderstood(f"not usable JSON: {error}") from None
    except ValueError:
        # Python's own limit against numbers that take minutes to read
        raise NotUnderstood("not usable JSON: a number with too many digits") from None
    if text.count("[") + text.count("{") > MAX_NESTING:
        _check_nesting(data)
    if "\\ud" in text or "\\uD" in text:
        data = _whole(data)
    return data


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Twice
    return found


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise _NotANumber("a number beyond what a JSON number can hold")
    return number


def _no_constant(word: str) -> NoReturn:
    raise _NotANumber(f"{word} is no JSON number")


_READER = json.JSONDecoder(object_pairs_hook=_once, parse_float=_finite, parse_constant=_no_constant)


def _refuse_syntax(error: json.JSONDecodeError) -> NoReturn:
    place = f"line {error.lineno} column {error.colno}"
    evidence = {"line": error.lineno, "column": error.colno}
    raise NotUnderstood(f"not JSON: {error.msg} at {place}", evidence=evidence) from None


def _refuse_nesting() -> NoReturn:
    raise NotUnderstood(f"nested deeper than {MAX_NESTING} levels", evidence={"most": MAX_NESTING}) from None


def _check_nesting(data: Any) -> None:
    level: list[Any] = [data] if isinstance(data, (dict, list)) else []
    for _ in range(MAX_NESTING):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if type(outer) is dict else outer)
            if type(inner) in (dict, list)
        ]
        if not level:
            return
    _refuse_nesting()


def _refuse_twin(text: str) -> NoReturn:
    """Read once more, leniently, to say where the key stands twice."""

    def marked(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) == len(pairs):
            return found
        twin = _Twin(found)
        seen: set[str] = set()
        twin.key = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        return twin

    try:
        place, key = _first_twin(json.loads(text, object_pairs_hook=marked))
    except (RecursionError, ValueError):
        place, key = "", ""
    where = f"{place}.{key}".lstrip(".")[-_LONGEST_PLACE:]
    raise NotUnderstood(f"the key {where or '?'} stands twice in one object", evidence={"path": where}) from None


def _first_twin(data: Any) -> tuple[str, str]:
    waiting: list[tuple[str, Any]] = [("", data)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, _Twin):
            return path, value.key
        if isinstance(value, dict):
            waiting += [(f"{path}.{name}", inner) for name, inner in value.items()]
        elif isinstance(value, list):
            waiting += [(f"{path}[{number}]", inner) for number, inner in enumerate(value)]
    return "", ""


def _whole(value: Any) -> Any:
    """The same data with U+FFFD for each half of a surrogate pair. Nesting is bounded by now."""
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {_SURROGATE.sub("\ufffd", name): _whole(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_whole(inner) for inner in value]
    return value
