import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from canonical import DOCUMENTS, schemas
from canonical.schemas import breaking_changes, path_of, schema_of, text_of, write
from tests.unit.canonical.samples import order_data

KIND = pytest.mark.parametrize("kind", DOCUMENTS)
Schema = dict[str, Any]


@KIND
def test_the_published_schema_is_that_of_the_model(kind: str) -> None:
    assert path_of(kind).read_text(encoding="utf-8") == text_of(kind), "run: python -m canonical.schemas"


@KIND
def test_the_model_breaks_no_reader_of_the_published_schema(kind: str) -> None:
    assert breaking_changes(json.loads(path_of(kind).read_text(encoding="utf-8")), schema_of(kind)) == []


@KIND
def test_each_schema_is_one(kind: str) -> None:
    schema = schema_of(kind)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["title"] == f"{kind}/1"
    assert path_of(kind).name == schema["$id"] == f"{kind}-1.json"


def test_a_schema_takes_input_without_computed_fields_and_with_fields_of_a_later_version() -> None:
    jsonschema.validate({**order_data(), "schema": "order/1", "priority": 3}, schema_of("order"))
    assert "shippable" in schema_of("order")["properties"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"state": "closed"}, "'closed' is not one of"),
        ({"totals": {"goods": 59.9}}, "59.9"),
        ({"order_no": 1}, "string"),
    ],
    ids=["word", "number for money", "number for text"],
)
def test_a_schema_refuses_what_the_model_refuses(changes: Schema, says: str) -> None:
    with pytest.raises(jsonschema.ValidationError, match=says):
        jsonschema.validate({**order_data(), **changes}, schema_of("order"))


OLD: Schema = {
    "type": "object",
    "required": ["no"],
    "properties": {
        "no": {"type": "string", "minLength": 1, "maxLength": 20},
        "state": {"enum": ["open", "done"], "type": "string"},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
        "count": {"type": "integer"},
        "lines": {"type": "array", "items": {"$ref": "#/$defs/Line"}},
        "more": {"type": "object", "additionalProperties": True},
    },
    "$defs": {
        "Line": {
            "type": "object",
            "properties": {"sku": {"type": "string"}, "price": {"type": "string"}},
            "required": [],
        }
    },
}


def _set(path: str, value: Any) -> Callable[[Schema], None]:
    def change(schema: Schema) -> None:
        *steps, last = path.split("/")
        for step in steps:
            schema = schema[step]
        schema[last] = value

    return change


def _drop(path: str) -> Callable[[Schema], None]:
    def change(schema: Schema) -> None:
        *steps, last = path.split("/")
        for step in steps:
            schema = schema[step]
        del schema[last]

    return change


def _rename(schema: Schema) -> None:
    schema["properties"]["remark"] = schema["properties"].pop("note")


def _changed(change: Callable[[Schema], None]) -> Schema:
    new = copy.deepcopy(OLD)
    change(new)
    return new


BREAKING: list[tuple[str, Callable[[Schema], None], list[str]]] = [
    ("removed", _drop("properties/note"), ["note: removed"]),
    ("renamed", _rename, ["note: removed"]),
    ("removed deep", _drop("$defs/Line/properties/sku"), ["lines[].sku: removed"]),
    ("made required", _set("required", ["no", "note"]), ["note: now required"]),
    ("made required deep", _set("$defs/Line/required", ["sku"]), ["lines[].sku: now required"]),
    ("null refused", _set("properties/note", {"type": "string"}), ["note: no longer takes null"]),
    (
        "type changed",
        _set("properties/count/type", "string"),
        ["count: no longer takes integer", "count: may now be string"],
    ),
    ("may be null", _set("properties/count/type", ["integer", "null"]), ["count: may now be null"]),
    ("word gone", _set("properties/state/enum", ["open"]), ["state: no longer takes done"]),
    ("now a vocabulary", _set("properties/no/enum", ["1"]), ["no: no longer takes anything else"]),
    ("now a constant", _set("properties/state", {"type": "string", "const": "open"}), ["state: no longer takes done"]),
    ("shorter", _set("properties/no/maxLength", 10), ["no: maxLength is now 10"]),
    ("longer at least", _set("properties/no/minLength", 2), ["no: minLength is now 2"]),
    ("new bound", _set("properties/count/minimum", 1), ["count: minimum is now 1"]),
    ("pattern", _set("properties/no/pattern", "^[0-9]+$"), ["no: pattern is now ^[0-9]+$"]),
    ("no list", _set("properties/lines/type", "object"), ["lines: no longer takes array", "lines: may now be object"]),
    (
        "closed",
        _set("properties/more/additionalProperties", False),
        ["more: no longer takes other additionalProperties"],
    ),
    (
        "values narrowed",
        _set("properties/more/additionalProperties", {"type": "string"}),
        ["more.*: no longer takes anything", "more.*: may now be string"],
    ),
    ("document closed", _set("additionalProperties", False), ["document: no longer takes other additionalProperties"]),
]

HARMLESS: list[tuple[str, Callable[[Schema], None]]] = [
    ("nothing", lambda schema: None),
    ("new optional field", _set("properties/tip", {"type": "string"})),
    ("new word", _set("properties/state/enum", ["open", "done", "late"])),
    ("no longer required", _set("required", [])),
    ("longer", _set("properties/no/maxLength", 40)),
    ("shorter at least", _set("properties/no/minLength", 0)),
    ("no bound", _drop("properties/no/maxLength")),
    ("other description", _set("properties/no/description", "the number")),
    ("open values", _drop("properties/more/additionalProperties")),
    ("written in place", _set("properties/lines/items", OLD["$defs"]["Line"])),
]


@pytest.mark.parametrize(("change", "told"), [case[1:] for case in BREAKING], ids=[case[0] for case in BREAKING])
def test_a_change_that_breaks_readers_is_told(change: Callable[[Schema], None], told: list[str]) -> None:
    assert sorted(breaking_changes(OLD, _changed(change))) == sorted(told)


@pytest.mark.parametrize("change", [case[1] for case in HARMLESS], ids=[case[0] for case in HARMLESS])
def test_a_change_that_breaks_nobody_is_not(change: Callable[[Schema], None]) -> None:
    assert breaking_changes(OLD, _changed(change)) == []


def test_all_changes_are_told_at_once() -> None:
    new = {"type": "object", "required": ["no", "state"], "properties": {"no": {"type": "integer"}}}
    told = breaking_changes(OLD, new)
    assert len(told) == 8
    assert {"note: removed", "state: now required", "no: no longer takes string"} <= set(told)


def test_the_closest_alternative_counts() -> None:
    texts = [{"type": "string", "maxLength": 5}, {"type": "string", "pattern": "^x"}]
    old = {"anyOf": texts}
    assert breaking_changes(old, {"anyOf": [*reversed(texts)]}) == []
    assert breaking_changes(old, {"anyOf": texts[:1]}) == ["document: maxLength is now 5"]


def test_schemas_are_written_anew(tmp_path: Path) -> None:
    folder = tmp_path / "schema"
    assert write(folder) == []
    assert sorted(file.name for file in folder.iterdir()) == sorted(path_of(kind).name for kind in DOCUMENTS)
    assert write(folder) == []
    assert (folder / "order-1.json").read_text(encoding="utf-8") == text_of("order")


def test_a_schema_that_readers_hold_is_not_written_over(tmp_path: Path) -> None:
    write(tmp_path)
    file = tmp_path / "stock-1.json"
    published = json.loads(file.read_text(encoding="utf-8"))
    published["properties"]["shelf"] = {"type": "string"}
    file.write_text(json.dumps(published), encoding="utf-8")
    assert write(tmp_path) == ["stock-1.json: shelf: removed"]
    assert json.loads(file.read_text(encoding="utf-8")) == published


def test_the_command_leaves_published_files_as_they_are() -> None:
    before = {kind: path_of(kind).read_bytes() for kind in DOCUMENTS}
    assert schemas.main() == 0
    assert {kind: path_of(kind).read_bytes() for kind in DOCUMENTS} == before
