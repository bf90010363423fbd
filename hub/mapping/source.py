"""A mapping file as tables that know their place: which file, which line, which key."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Path_ = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is written. `key` is the dotted key as a person would look for it: order.lines.sku. Lines and
    columns count from 1."""

    file: str
    line: int
    key: str
    column: int = 1

    def says(self, message: str) -> str:
        """One entry of a list of problems: file, line, column, key, message."""
        return f"{self.file}:{self.line}:{self.column}: {self.key + ': ' if self.key else ''}{message}"


class Table(dict[str, Any]):
    """A TOML table; `place` is its own, `places` that of each of its keys."""

    def __init__(self, place: Place) -> None:
        super().__init__()
        self.place = place
        self.places: dict[str, Place] = {}

    def at(self, key: str) -> Place:
        """Where a key of this table is written (the table's own place if it is not)."""
        return self.places.get(key, self.place)


class Unreadable(Exception):
    """The file is not TOML; the text names file and line."""


def read(path: Path, shown: str) -> Table:
    """Read a TOML file. `shown` is the name that problems use. Raises Unreadable."""
    try:
        text = path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Unreadable(f"{shown}:1: cannot be read: {error}") from None
    return parse(text, shown)


def parse(text: str, shown: str) -> Table:
    """The same from text.

    >>> parse('kind = "order"\\n[order]\\nstate = "x"', "o.toml")["order"].at("state")
    Place(file='o.toml', line=3, key='order.state', column=1)
    """
    try:
        data = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        found = re.search(r"line (\d+), column (\d+)", str(error))
        line = found[1] if found else len(text.splitlines()) if "end of document" in str(error) else 1
        raise Unreadable(f"{shown}:{line}:{found[2] if found else 1}: not valid TOML: {error}") from None
    spots = _Index(text.replace("\r\n", "\n")).spots
    table: Table = _placed(data, (), spots, shown, (1, 1))
    return table


def merge(base: Table, over: Table, is_row: Any) -> Table:
    """`over` laid on `base`: tables merge, rows (`is_row`) and everything else replace. Places follow the winner."""
    result = Table(over.place)
    result.update(base)
    result.places = {**base.places, **over.places}
    for key, value in over.items():
        old = base.get(key)
        both = isinstance(value, Table) and isinstance(old, Table)
        result[key] = merge(old, value, is_row) if both and not is_row(value) and not is_row(old) else value  # type: ignore[arg-type]
    return result


def dotted(path: Path_) -> str:
    """
    >>> dotted(("order", "holds", 1, "code"))
    'order.holds[1].code'
    """
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


Spot = tuple[int, int]
"""Line and column."""


def _placed(value: Any, path: Path_, spots: dict[Path_, Spot], shown: str, spot: Spot) -> Any:
    line, column = spot = spots.get(path, spot)
    if isinstance(value, dict):
        table = Table(Place(shown, line, dotted(path), column))
        for key, inner in value.items():
            here = (*path, key)
            at, beside = spots.get(here, spot)
            table.places[key] = Place(shown, at, dotted(here), beside)
            table[key] = _placed(inner, here, spots, shown, spot)
        return table
    if isinstance(value, list):
        return [_placed(inner, (*path, i), spots, shown, spot) for i, inner in enumerate(value)]
    return value


class _Index:
    """Line and column of every key of a text that is known to be valid TOML."""

    _BARE = re.compile(r"[A-Za-z0-9_-]+")
    _BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
    _STRING = re.compile(r'"""(?:\\.|[^\\])*?"{3,5}' r"|'''.*?'{3,5}" r'|"(?:\\.|[^"\\\n])*"' r"|'[^'\n]*'", re.DOTALL)
    _WORD = re.compile(r"[^,\]}#\n]*")

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self.spots: dict[Path_, Spot] = {}
        self._counts: dict[Path_, int] = {}
        self._breaks = [m.start() for m in re.finditer("\n", text)]
        self._walk()

    def _walk(self) -> None:
        here: Path_ = ()
        self._skip()
        while self._at < len(self._text):
            if self._text[self._at] == "[":
                here = self._header()
            else:
                self._pair(here)
            self._skip()

    def _header(self) -> Path_:
        spot = self._spot()
        array = self._text.startswith("[[", self._at)
        self._at += 2 if array else 1
        keys = list(self._keys())
        self._at += 2 if array else 1
        here: Path_ = ()
        for i, key in enumerate(keys):
            here = (*here, key)
            self.spots.setdefault(here, spot)
            if array and i == len(keys) - 1:
                self._counts[here] = self._counts.get(here, -1) + 1
            if here in self._counts:
                here = (*here, self._counts[here])
        self.spots.setdefault(here, spot)
        return here

    def _pair(self, here: Path_) -> None:
        spot = self._spot()
        for key in self._keys():
            here = (*here, key)
            self.spots.setdefault(here, spot)
        self._at += 1  # =
        self._value(here)

    def _value(self, here: Path_) -> None:
        self._skip()
        string = self._STRING.match(self._text, self._at)
        if string:
            self._at = string.end()
        elif self._text[self._at] == "[":
            self._at += 1
            self._members("]", here)
        elif self._text[self._at] == "{":
            self._at += 1
            self._members("}", here)
        else:
            self._at = self._WORD.match(self._text, self._at).end()  # type: ignore[union-attr]  # matches always

    def _members(self, end: str, here: Path_) -> None:
        index = 0
        self._skip()
        while self._text[self._at] != end:
            if end == "]":
                self.spots.setdefault((*here, index), self._spot())
                self._value((*here, index))
                index += 1
            else:
                self._pair(here)
            self._skip()
            if self._text[self._at] == ",":
                self._at += 1
                self._skip()
        self._at += 1

    def _keys(self) -> Iterator[str]:
        while True:
            self._skip()
            string = self._STRING.match(self._text, self._at)
            found = string or self._BARE.match(self._text, self._at)
            if found is None:
                return
            self._at = found.end()
            yield _unquoted(found[0]) if string else found[0]
            self._skip()
            if not self._text.startswith(".", self._at):
                return
            self._at += 1

    def _skip(self) -> None:
        self._at = self._BLANK.match(self._text, self._at).end()  # type: ignore[union-attr]  # matches always

    def _spot(self) -> Spot:
        low, high = 0, len(self._breaks)
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if self._breaks[middle] < self._at else (low, middle)
        return low + 1, self._at - (self._breaks[low - 1] if low else -1)


def _unquoted(text: str) -> str:
    return str(next(iter(tomllib.loads(f"{text} = 0"))))
