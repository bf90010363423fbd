"""The grammar of mapping files as a JSON Schema, made of the same tables that read them."""

from collections.abc import Mapping
from typing import Any

from canonical import DOCUMENTS
from hub.mapping.grammar import AS, OBJECT_KEYS, ROW_KEYS, SOURCES
from hub.mapping.reading import HUB_FIELDS, TOP_KEYS
from hub.mapping.shape import Field, fields_of

_TYPES: dict[type, str] = {str: "string", list: "array", bool: "boolean", dict: "object"}
_WORDS: dict[str, list[str]] = {"as": list(AS), "from": list(SOURCES)}
_ROW = {"$ref": "#/$defs/row"}
_EXPRESSION = {"type": "string", "description": "a JMESPath expression"}


def schema_of() -> dict[str, Any]:
    """JSON Schema (draft-07, which Taplo reads) of any mapping file."""
    properties: dict[str, Any] = {key: _top(key) for key in TOP_KEYS}
    properties["kind"] |= {"enum": sorted(DOCUMENTS)}
    for kind, model in DOCUMENTS.items():
        fields = {n: f for n, f in fields_of(model).items() if not f.computed and n not in HUB_FIELDS}
        properties[kind] = _object(fields, f"the rows of a canonical {kind}")
    properties["body"] = {"type": "object", "description": "destinations: the rows of what is sent"}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "A mapping of the order connector hub",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "$defs": {"row": _row()},
    }


def _top(key: str) -> dict[str, Any]:
    kind, meaning = TOP_KEYS[key]
    if isinstance(kind, tuple):
        return {"anyOf": [{"type": "string"}, _ROW], "description": meaning}
    return {"type": _TYPES.get(kind, "object"), "description": meaning}


def _row() -> dict[str, Any]:
    keys: dict[str, Any] = {}
    for key, (kind, meaning) in ROW_KEYS.items():
        told: dict[str, Any] = {"description": meaning}
        if isinstance(kind, tuple):
            told["type"] = [_TYPES[one] for one in kind]
        elif kind in _TYPES:
            told["type"] = _TYPES[kind]
        if key in _WORDS:
            told["enum"] = _WORDS[key]
        keys[key] = told
    keys["when"] |= {"items": _ROW}
    table = {"type": "object", "properties": keys, "additionalProperties": False}
    return {"description": "how one field is made: an expression, or a table", "anyOf": [_EXPRESSION, table]}


def _field(field: Field) -> dict[str, Any]:
    if field.form == "object" and field.model is not None:
        return {"anyOf": [_ROW, _object(_inner(field), field.name)]}
    if field.form == "list" and field.model is not None:
        part = _object(_inner(field), f"one of {field.name}")
        return {"anyOf": [_ROW, part, {"type": "array", "items": part}]}
    return _ROW if field.form == "scalar" else {"description": "anything: rows by any name"}


def _inner(field: Field) -> Mapping[str, Field]:
    return fields_of(field.model) if field.model else {}


def _object(fields: Mapping[str, Field], meaning: str) -> dict[str, Any]:
    own = {name: _field(field) for name, field in fields.items() if not field.computed}
    keys = {key: {"description": told} for key, told in OBJECT_KEYS.items() if key not in own}
    described = {"type": "object", "description": meaning, "properties": {**keys, **own}}
    return {**described, "additionalProperties": False}
