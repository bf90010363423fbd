"""The keys of a settings model, those of its tables included, as rows for a page."""

import types
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from hub import config
from hub.reference.markdown import code, escaped, table

_MEASURES = {
    id(get_args(annotated)[1]): word
    for annotated, word in ((config.Duration, "duration"), (config.Rate, "rate"), (config.Size, "size"))
}
_WORDS: dict[Any, str] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    SecretStr: "text, secret",
    Any: "anything",
}


@dataclass(frozen=True, slots=True)
class Setting:
    """One key. `default` is Markdown; `required` tells that there is none."""

    key: str
    takes: str
    default: str
    meaning: str
    required: bool


def settings_of(model: type[BaseModel], prefix: str = "") -> Iterator[Setting]:
    """Every key of a model in its order, the keys of a table right after the table's own."""
    for name, info in model.model_fields.items():
        if info.exclude:
            continue
        key = f"{prefix}{info.alias or name}"
        takes = _takes(info.annotation, info.metadata)
        required = info.is_required()
        default = "" if required else _default(info)
        tables = list(_tables(info.annotation))
        if info.description or not tables:  # a table that nobody describes is told by its keys
            yield Setting(key, takes, default, escaped(info.description or ""), required)
        for inner, words in tables:
            yield from settings_of(inner, f"{key}.{words}")


def settings_table(model: type[BaseModel], prefix: str = "") -> str:
    """The same as a table."""
    return table(
        ("key", "takes", "default", "meaning"),
        (
            (code(s.key), s.takes, "**required**" if s.required else s.default, s.meaning)
            for s in settings_of(model, prefix)
        ),
    )


def _takes(annotation: Any, metadata: Any = ()) -> str:
    for mark in metadata:
        if id(mark) in _MEASURES:
            return _MEASURES[id(mark)]
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _takes(inner[0], inner[1:])
    if origin is Literal:
        return " or ".join(code(f'"{w}"' if isinstance(w, str) else str(w).lower()) for w in inner)
    if origin in (Union, types.UnionType):
        parts = [_takes(a) for a in inner if a is not type(None) and a != Literal[""]]
        return " or ".join(dict.fromkeys(parts))
    if origin in (list, tuple):
        return f"list of {_takes(inner[0])}"
    if origin is dict or annotation is dict:
        return "table"
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return " or ".join(code(f'"{w.value}"') for w in annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "table"
    return _WORDS.get(annotation, "text")


def _tables(annotation: Any) -> Iterator[tuple[type[BaseModel], str]]:
    """Models inside of a type, with what stands between the key and theirs: a table of tables has names of its own."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation, ""
    elif origin is dict:
        names = get_args(inner[0]) if get_origin(inner[0]) is Literal else ()
        for model, words in _tables(inner[1]):
            yield model, f"{'|'.join(names) or 'NAME'}.{words}"
    else:
        for part in inner:
            yield from _tables(part)


def _default(info: FieldInfo) -> str:
    value = info.get_default(call_default_factory=True)
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if value is None or isinstance(value, BaseModel) or value in ("", (), [], {}):
        return ""
    measure = _takes(info.annotation, info.metadata)
    if measure == "duration" and isinstance(value, float):
        return code(f'"{_duration(value)}"')
    if measure == "size" and isinstance(value, int):
        return code(f'"{value // 1024**2}MiB"')
    return code(_toml(value))


def _duration(seconds: float) -> str:
    if seconds < 1:
        return f"{seconds * 1000:g}ms"
    for size, unit in ((3600, "h"), (60, "m")):
        if seconds % size == 0 and seconds > size:
            return f"{seconds / size:g}{unit}"
    return f"{seconds:g}s"


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{value}"' if '"' not in value else f"'{value}'"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(v) for v in value) + "]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{k} = {_toml(v)}" for k, v in value.items()) + " }"
    return f"{value:g}" if isinstance(value, float) else str(value)
