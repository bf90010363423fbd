"""The published contract: a JSON Schema per kind of document, and what would break its readers.

`python -m canonical.schemas` writes canonical/schema/<kind>-<major>.json anew. It refuses to write over a schema that
a change would break: such a change needs a new major version.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from canonical.documents import DOCUMENTS

FOLDER = Path(__file__).parent / "schema"

Schema = Mapping[str, Any]

_READERS = "Fields may be added within a major version: readers pass over what they do not know."


def schema_of(kind: str) -> dict[str, Any]:
    """The JSON Schema (2020-12) of a kind of document, as it is sent and as it may be given.

    Computed fields are read-only and may be missing on input. Raises KeyError for an unknown kind.
    """
    model = DOCUMENTS[kind]
    name = model.model_fields["schema_"].default
    schema = _for_readers(model.model_json_schema(by_alias=True, mode="serialization"))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"{str(name).replace('/', '-')}.json",
        **schema,
        "title": name,
        "description": f"{schema['description']}\n\n{_READERS}",
    }


def path_of(kind: str) -> Path:
    """The file of a kind's schema."""
    name = DOCUMENTS[kind].model_fields["schema_"].default
    return FOLDER / f"{str(name).replace('/', '-')}.json"


def text_of(kind: str) -> str:
    """The file's content."""
    return json.dumps(schema_of(kind), indent=2, ensure_ascii=False) + "\n"


def breaking_changes(old: Schema, new: Schema) -> list[str]:
    """What a reader or writer of the old schema would stumble over in the new one, one line each.

    A field that is gone (or has another name), takes less than before, became required, or may now be of a type that
    it was not. New optional fields and new words of a vocabulary are no such change.
    """
    return list(_Comparison(old, new).node(old, new, ""))


def write(folder: Path = FOLDER) -> list[str]:
    """Write the files that are not up to date; returns what stands against it (then nothing is written)."""
    against = []
    for kind in DOCUMENTS:
        file = folder / path_of(kind).name
        if file.exists():
            old = json.loads(file.read_text(encoding="utf-8"))
            against += [f"{file.name}: {change}" for change in breaking_changes(old, schema_of(kind))]
    if not against:
        folder.mkdir(exist_ok=True)
        for kind in DOCUMENTS:
            (folder / path_of(kind).name).write_text(text_of(kind), encoding="utf-8")
    return against


def main() -> int:
    """Exit code 0 when the files are written, 1 when a change would break readers."""
    against = write()
    for line in against:
        sys.stderr.write(f"{line}\n")
    if against:
        sys.stderr.write("Give the document a new major version, or take these changes back.\n")
    return 1 if against else 0


def _for_readers(node: Any) -> Any:
    """Take out what readers have no use for: made-up titles, refusal of unknown names, a demand for computed fields."""
    if isinstance(node, list):
        return [_for_readers(inner) for inner in node]
    if not isinstance(node, dict):
        return node
    kept = {
        name: _for_readers(value)
        for name, value in node.items()
        if not (name == "title" and isinstance(value, str)) and not (name == "additionalProperties" and value is False)
    }
    if "required" in kept and isinstance(node.get("properties"), dict):
        computed = {name for name, inner in node["properties"].items() if inner.get("readOnly")}
        kept["required"] = [name for name in kept["required"] if name not in computed]
    return kept


_SMALLEST = ("minLength", "minimum", "exclusiveMinimum", "minItems", "minProperties")
_LARGEST = ("maxLength", "maximum", "exclusiveMaximum", "maxItems", "maxProperties")
_FORM = ("pattern", "format", "multipleOf", "uniqueItems")


class _Comparison:
    """Two schemas, walked side by side."""

    def __init__(self, old: Schema, new: Schema) -> None:
        self._old = old
        self._new = new

    def node(self, old: Schema, new: Schema, path: str) -> Iterator[str]:
        """What the new schema breaks at one place."""
        before, after = _alternatives(self._old, old), _alternatives(self._new, new)
        for type_, one in before:
            others = [other for other_type, other in after if other_type == type_]
            if others:
                yield from min((list(self._alternative(one, other, path)) for other in others), key=len)
            else:
                yield f"{path or 'document'}: no longer takes {type_}"
        for type_ in dict(after).keys() - dict(before).keys():
            yield f"{path or 'document'}: may now be {type_}"

    def _alternative(self, old: Schema, new: Schema, path: str) -> Iterator[str]:
        yield from _narrowed(old, new, path or "document")
        yield from self._fields(old, new, path)
        for name, suffix in (("items", "[]"), ("additionalProperties", ".*")):
            before, after = old.get(name, True), new.get(name, True)
            if after is False and before is not False:
                yield f"{path or 'document'}: no longer takes other {name}"
            elif isinstance(after, dict):
                yield from self.node(before if isinstance(before, dict) else {}, after, path + suffix)

    def _fields(self, old: Schema, new: Schema, path: str) -> Iterator[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        for name, inner in before.items():
            here = f"{path}.{name}" if path else name
            if name in after:
                yield from self.node(inner, after[name], here)
            else:
                yield f"{here}: removed"
        for name in new.get("required", ()):
            if name not in old.get("required", ()):
                yield f"{path}.{name}: now required" if path else f"{name}: now required"


def _alternatives(root: Schema, node: Schema) -> list[tuple[str, Schema]]:
    """What may stand at a place, by JSON type; references followed."""
    while "$ref" in node:
        target: Any = root
        for step in str(node["$ref"]).removeprefix("#/").split("/"):
            target = target[step]
        node = target
    for name in ("anyOf", "oneOf"):
        if name in node:
            return [found for inner in node[name] for found in _alternatives(root, inner)]
    types = node.get("type", "anything")
    return [(type_, node) for type_ in ([types] if isinstance(types, str) else types)]


def _narrowed(old: Schema, new: Schema, path: str) -> Iterator[str]:
    before, after = _words(old), _words(new)
    if after is not None:
        gone = ["anything else"] if before is None else [str(word) for word in before if word not in after]
        if gone:
            yield f"{path}: no longer takes {', '.join(gone)}"
    for name in (*_SMALLEST, *_LARGEST):
        if name in new and (name not in old or _stricter(name, old[name], new[name])):
            yield f"{path}: {name} is now {new[name]}"
    for name in _FORM:
        if name in new and new[name] != old.get(name):
            yield f"{path}: {name} is now {new[name]}"


def _stricter(name: str, old: float, new: float) -> bool:
    return new > old if name in _SMALLEST else new < old


def _words(node: Schema) -> list[Any] | None:
    if "const" in node:
        return [node["const"]]
    words = node.get("enum")
    return None if words is None else list(words)


if __name__ == "__main__":
    sys.exit(main())
