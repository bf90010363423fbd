"""Small changes of a mapping's text that leave the rest of it as it is: comments, order, spacing.

Each function takes the text of a file and gives the changed one. What came out is held against what was meant: a change
that would touch anything else, or leave a file that is no TOML, raises Uneditable with the text to put in by hand.
"""

import copy
import difflib
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import InlineTable, Item, String

from hub.mapping.source import Table, parse

Keys = Sequence[str | int]
"""Where something lies in a file: ("order", "holds", 1, "code")."""


class Uneditable(Exception):
    """A change that cannot be made without touching something else. `by_hand`: what a person would write."""

    def __init__(self, what: str, by_hand: str) -> None:
        super().__init__(what)
        self.by_hand = by_hand


def add_word(text: str, table: Keys, word: str, value: Any, comment: str = "") -> str:
    """Add a word to a code table, after its last one. `table` is ("tables", NAME), or () in a shared table's own file.

    A table that the file does not have (an overlay's) is begun at its end. Raises Uneditable for a word that is there.

    >>> print(add_word('[tables.state]\\nA = "open"   # usual\\n', ("tables", "state"), "B c", "open", "kim"), end="")
    [tables.state]
    A = "open"   # usual
    "B c" = "open"  # kim
    """
    return _added(text, table, word, value, comment)


def set_row(text: str, at: Keys, row: Any, comment: str = "") -> str:
    """Write a row, in the place of the old one if there is one: "expression", or a table {path = ..., ...}.

    >>> print(set_row('[order]\\ncod = "c"  # as told\\n', ("order", "cod"), {"path": "d", "default": False}), end="")
    [order]
    cod = { path = "d", default = false }  # as told
    """
    if _found(tomllib.loads(text), at) is None:
        *section, name = at
        return _added(text, section, str(name), row, comment)
    return _replaced(text, at, row, written(row), comment)


def set_keys(text: str, at: Keys, keys: Mapping[str, Any], comment: str = "") -> str:
    """Set keys of a row (default, absent, path ...), leaving its others as they are written.

    >>> print(set_keys('[order]\\npaid_at = "p"\\n', ("order", "paid_at"), {"absent": ["0"]}), end="")
    [order]
    paid_at = { path = "p", absent = ["0"] }
    """
    document = _document(text)
    old = _found(document, at)
    plain = _found(tomllib.loads(text), at)
    if isinstance(plain, str):
        row: dict[str, Any] = {"path": plain}
    elif isinstance(plain, dict):
        row = dict(plain)
    else:
        raise Uneditable("there is no such row", _by_hand(at, keys))
    row.update(keys)
    if isinstance(old, (String, InlineTable)):
        kept = {"path": old.as_string()} if isinstance(old, String) else {k: _source(old, k) for k in old}
        parts = {**kept, **{key: written(value) for key, value in keys.items()}}
        return _replaced(text, at, row, "{ " + ", ".join(f"{_key(k)} = {v}" for k, v in parts.items()) + " }", comment)
    for key, value in keys.items():
        there = (*at, key)
        if _found(tomllib.loads(text), there) is None:
            text = _added(text, at, key, value, comment)
        else:
            text = _replaced(text, there, value, written(value), comment)
    return text


def difference(before: str, after: str, file: str) -> str:
    """A unified diff; "" where nothing changed.

    >>> print(difference("a = 1\\nb = 1\\n", "a = 1\\nb = 2\\n", "o.toml"), end="")
    --- o.toml
    +++ o.toml
    @@ -1,2 +1,2 @@
     a = 1
    -b = 1
    +b = 2
    """
    lines = difflib.unified_diff(before.splitlines(True), after.splitlines(True), file, file)
    return "".join(line if line.endswith("\n") else line + "\n" for line in lines)


def written(value: Any) -> str:
    """A value as TOML, on one line.

    >>> written({"path": "a || 'b'", "absent": ["", 0]})
    '{ path = "a || \\'b\\'", absent = ["", 0] }'
    >>> print(written('"订单号"'))
    '"订单号"'
    """
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_key(str(key))} = {written(one)}" for key, one in value.items())
        return "{ " + inner + " }" if inner else "{}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(written(one) for one in value) + "]"
    if isinstance(value, str) and '"' in value and "'" not in value and value.isprintable():
        return f"'{value}'"  # a name in quotes, as JMESPath wants those that are no plain words
    return str(tomlkit.item(value).as_string())


def _added(text: str, section: Keys, name: str, value: Any, comment: str) -> str:
    """A new key of a section, after its last one; of a table in braces, in its place."""
    data = tomllib.loads(text)
    table = _found(data, section)
    if isinstance(table, dict) and name in table:
        raise Uneditable(f"{name!r} is there already", _by_hand(section, {name: value}))
    line = _line(name, value, comment)
    wanted = _with(data, [*section, name], value)
    if table is None:
        header = ".".join(_key(str(key)) for key in section)
        gap = "" if not text or text.endswith("\n\n") else "\n" if text.endswith("\n") else "\n\n"
        return _checked(f"{text}{gap}[{header}]\n{line}\n", wanted, section, {name: value})
    if isinstance(_found(_document(text), section), InlineTable):
        row = {**table, name: value}
        return _replaced(text, section, row, written(row), comment)
    for changed in _insertions(text, section, line):
        if _reads(changed) == wanted:
            return changed
    raise Uneditable("the table is not written in one piece", _by_hand(section, {name: value}))


def _insertions(text: str, section: Keys, line: str) -> list[str]:
    """The text with a line at every place where it could belong: after the section's last key, then further down."""
    lines = text.splitlines(keepends=True)
    end = "\r\n" if lines and lines[0].endswith("\r\n") else "\n"
    table = _found(parse(text, ""), section)
    assert isinstance(table, Table)  # noqa: S101  # what tomllib calls a table is one here too
    own = [table.at(key).line for key, value in table.items() if not _has_header(lines, table.at(key).line, value)]
    prefix = ""
    if section and own and not lines[table.place.line - 1].lstrip().startswith("["):
        last = lines[max(own) - 1]  # tables.state.PAID = "open": the new line begins as its neighbour does
        prefix = last[: max(last.rfind(f"{section[-1]}."), 0)] + f"{section[-1]}."
    start = max(own, default=table.place.line if section else 0)
    made = []
    for at in range(start, len(lines) + 1):
        before = "".join(lines[:at])
        gap = "" if not before or before.endswith("\n") else end
        made.append(f"{before}{gap}{prefix}{line}{end}{''.join(lines[at:])}")
    return made


def _has_header(lines: Sequence[str], number: int, value: Any) -> bool:
    return isinstance(value, (dict, list)) and lines[number - 1].lstrip().startswith("[")


def _replaced(text: str, at: Keys, value: Any, source: str, comment: str) -> str:
    """Another value in the place of an old one; a comment beside it stays, else it gets the new one."""
    document = _document(text)
    *section, name = at
    table = _found(document, section)
    try:
        item = tomlkit.parse(f"x = {source}")["x"]
        assert isinstance(item, Item)  # noqa: S101  # one key is no out-of-order table
        old = table[name]
        trivia = getattr(old, "trivia", None)
        if trivia is not None:
            item.trivia.indent, item.trivia.trail = trivia.indent, trivia.trail
            item.trivia.comment_ws, item.trivia.comment = trivia.comment_ws, trivia.comment
        if comment and not item.trivia.comment and not isinstance(table, InlineTable):
            item.comment(comment)
            item.trivia.comment_ws = "  "
        table[name] = item
        changed = document.as_string()
    except (TOMLKitError, KeyError, TypeError, AttributeError):
        raise Uneditable("the row is not written in one piece", _by_hand(section, {str(name): value})) from None
    return _checked(changed, _with(tomllib.loads(text), at, value), section, {str(name): value})


def _checked(text: str, wanted: Any, section: Keys, keys: Mapping[str, Any]) -> str:
    if _reads(text) != wanted:
        raise Uneditable("the file could not be changed without touching something else", _by_hand(section, keys))
    return text


def _reads(text: str) -> Any:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None


def _with(data: Any, at: Keys, value: Any) -> Any:
    """A copy of a file's data with one key set."""
    result = copy.deepcopy(data)
    here = result
    for key in at[:-1]:
        here = here.setdefault(key, {}) if isinstance(here, dict) else here[key]
    here[at[-1]] = value
    return result


def _found(data: Any, at: Keys) -> Any:
    for key in at:
        try:
            data = data[key]
        except (KeyError, IndexError, TypeError):
            return None
    return data


def _document(text: str) -> Any:
    return tomlkit.parse(text)


def _source(table: InlineTable, key: str) -> str:
    item = table[key]
    return item.as_string().strip() if isinstance(item, Item) else written(item)


def _line(name: str, value: Any, comment: str) -> str:
    return f"{_key(name)} = {written(value)}" + (f"  # {' '.join(comment.split())}" if comment else "")


def _key(name: str) -> str:
    return tomlkit.key(name).as_string() if name else '""'


def _by_hand(section: Keys, keys: Mapping[str, Any]) -> str:
    header = ".".join(_key(str(key)) for key in section if not isinstance(key, int))
    rows = "\n".join(_line(str(key), value, "") for key, value in keys.items())
    return f"[{header}]\n{rows}" if header else rows
