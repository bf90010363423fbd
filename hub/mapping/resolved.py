"""A mapping as it comes out of its overlays: each row that holds, and where it is written."""

import json
import re
from collections.abc import Iterator
from typing import Any

from hub.mapping.constants import plain
from hub.mapping.rows import MappingFile, is_row
from hub.mapping.source import Place, Table

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def rows_of(mapping: MappingFile) -> Iterator[tuple[str, Any, Place]]:
    """Dotted key, what is written there, and where. Tables that are no rows are gone into; lists are one row."""
    for key, value, place in _walk(mapping.raw, ""):
        yield key, plain(value), place


def as_toml(mapping: MappingFile) -> str:
    """The same as a mapping file that means exactly what the mapping does; behind each row its file and line.

    The keys are dotted, so that the order of the rows is that of the files.
    """
    lines = [f"# {mapping.full_name}, version {mapping.version}"]
    for key, value, place in rows_of(mapping):
        if key != "extends":  # what it extends is in it already
            lines.append(f"{key} = {_value(value)}  # {place.file}:{place.line}")
    return "\n".join(lines) + "\n"


def _walk(table: Table, before: str) -> Iterator[tuple[str, Any, Place]]:
    for key, value in table.items():
        name = f"{before}{key if _BARE.fullmatch(key) else json.dumps(key, ensure_ascii=False)}"
        if isinstance(value, Table) and value and (not is_row(value) or before == "tables."):
            yield from _walk(value, f"{name}.")
        else:
            yield name, value, table.at(key)


def _value(value: Any) -> str:
    if isinstance(value, dict):
        inner = ", ".join(f"{_key(key)} = {_value(one)}" for key, one in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list):
        whole = f"[{', '.join(map(_value, value))}]"
        if len(whole) < 80 or not any(isinstance(one, dict) for one in value):
            return whole
        return "[\n" + "".join(f"    {_value(one)},\n" for one in value) + "]"
    return json.dumps(value, ensure_ascii=False, default=str).replace("\x7f", "\\u007f")


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else json.dumps(key, ensure_ascii=False)
