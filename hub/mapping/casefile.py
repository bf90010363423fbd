"""Files of cases: what is in them and on which line, and what is wrong with them."""

import difflib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from canonical.errors import HubError
from canonical.parsing import parse_json

KEYS: dict[str, tuple[type | tuple[type, ...], str]] = {
    "why": (str, "what the case is about"),
    "given": (object, "one record"),
    "expect": ((dict, type(None)), "the part of the document that matters"),
    "problems": (list, "the codes of the problems that it must have"),
    "ignored": (str, "why the record is no document: the `why` of the rule"),
    "kind": (str, "the kind of document, where the name of the case does not begin with it"),
    "mapping": (str, "a shop's overlay, such as taobao/outlet"),
}


@dataclass(frozen=True, slots=True)
class Case:
    """One case of a file. `file` as it is shown, `line` where it begins; `wrong`: why it cannot be run."""

    way: str
    folder: str
    name: str
    file: str
    line: int = 1
    data: dict[str, Any] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


def read_cases(folder: Path, way: str, path: Path) -> Iterator[Case]:
    """The cases of a file below a folder of mappings."""
    about = (way, path.parent.parent.name)
    shown = path.relative_to(folder.parent).as_posix()
    try:
        raw = path.read_bytes()
        data = parse_json(raw)
    except OSError as error:
        yield Case(*about, path.stem, shown, wrong=[f"cannot be read: {error.strerror}"])
        return
    except HubError as error:
        found = re.search(r"line (\d+)", error.message)
        message = error.message.removeprefix("not JSON: ")
        yield Case(*about, path.stem, shown, int(found[1]) if found else 1, wrong=[f"not JSON: {message}"])
        return
    lines = lines_of(raw.decode("utf-8-sig"))
    several = isinstance(data, list)
    for index, case in enumerate(data if several else [data]):
        name = f"{path.stem}[{index}]" if several else path.stem
        here: tuple[int | str, ...] = (index,) if several else ()
        wrong = _wrong(case, {key[-1]: line for key, line in lines.items() if key[:-1] == here and key})
        yield Case(*about, name, shown, lines.get(here, 1), case if isinstance(case, dict) else {}, wrong)


def lines_of(text: str) -> dict[tuple[int | str, ...], int]:
    """The line of each case, and of each key of it, of a text that is known to be valid JSON.

    >>> lines_of('[\\n {"given": 1,\\n  "expect": 2}]')
    {(0,): 2, (0, 'given'): 2, (0, 'expect'): 3}
    """
    found: dict[tuple[int | str, ...], int] = {}
    scan, at, index = json.JSONDecoder().raw_decode, _next(text, 0), 0
    if text[at : at + 1] != "[":
        _keys(text, at, (), found)
        return found
    at = _next(text, at + 1)
    while text[at] != "]":
        found[(index,)] = _line(text, at)
        _keys(text, at, (index,), found)
        at, index = _next(text, scan(text, at)[1]), index + 1
    return found


_BETWEEN = re.compile(r"[\s,:]*")


def _next(text: str, at: int) -> int:
    return _BETWEEN.match(text, at).end()  # type: ignore[union-attr]  # matches always


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1


def _keys(text: str, at: int, here: tuple[int | str, ...], found: dict[tuple[int | str, ...], int]) -> None:
    """The keys of the object that begins there, if it is one."""
    if text[at] != "{":
        return
    scan, at = json.JSONDecoder().raw_decode, _next(text, at + 1)
    while text[at] != "}":
        key, end = scan(text, at)
        found[(*here, key)] = _line(text, at)
        at = _next(text, scan(text, _next(text, end))[1])


def _wrong(case: Any, lines: dict[Any, int]) -> list[str]:
    if not isinstance(case, dict):
        return ["a case is an object with `given`"]
    wrong = []
    for key in [key for key in case if key not in KEYS]:
        near = difflib.get_close_matches(key, KEYS, 1)
        hint = f", did you mean {near[0]}?" if near else f"; known: {', '.join(KEYS)}"
        wrong.append(f"unknown key {key!r} on line {lines.get(key, 1)}{hint}")
    if "given" not in case and not wrong:
        wrong.append("a case is an object with `given`")
    for key, (kind, meaning) in KEYS.items():
        if key in case and not isinstance(case[key], kind):
            wrong.append(f"{key} on line {lines.get(key, 1)} is not what it must be: {meaning}")
    return wrong
