"""docs/reference/canonical.md: the documents that all sides share."""

from collections.abc import Iterator, Mapping
from typing import Any

from canonical import DOCUMENTS
from canonical.schemas import path_of, schema_of
from hub.reference.errors import CHECKS
from hub.reference.markdown import code, escaped, prose, table
from hub.reference.markdown import page as whole

_INTRO = """\
What every channel's records become, and what every destination gets, unless a mapping of its own says otherwise.
The models are in `canonical/`; these tables are made from them, as are the JSON Schemas beside them.

- Names are in snake_case. Numbers of orders, lines and articles are text always: many exceed 2^53.
- **money** is a decimal text in the currency's main unit with at most its minor digits: `"59.90"`.
- **time** is UTC in ISO 8601 with `Z`.
- `null` means that it did not happen or that the platform does not say; `"0.00"` means none.
- *personal* fields are shown as `***` to whoever may not see them, and in logs never.
- *computed* fields are the hub's own: a mapping cannot set them.
- Within a major version (`order/1`) fields may be added, never removed, renamed, narrowed or made required."""

_IDENTITY = """\
- The key of a document is tenant, kind, shop and its own number; of stock it is tenant, warehouse and SKU.
- The newer `revision` wins. Of two messages with the same revision the later one is taken if its content differs,
  unless it would step back from a final state; an older one is *stale* and changes nothing.
- Content is the document without `revision` and without what lies under the name `volatile` in `extra`. A message
  that changes no content is remembered and not delivered again.
- A later message without an address does not erase the address that an earlier one brought."""


def page() -> str:
    """The page's text."""
    parts = [_INTRO]
    for kind in DOCUMENTS:
        schema = schema_of(kind)
        file = f"canonical/schema/{path_of(kind).name}"
        about = str(schema["description"]).partition("\n")[0]
        parts += [
            f"## {code(schema['title'])}",
            f"{prose(about)} JSON Schema: [`{file}`](../../{file}).",
            table(("field", "type", "", "meaning"), _fields(schema, schema, "")),
        ]
    parts += ["## Checks", _CHECKS, table(("code", "rule"), ((code(c), r) for c, (r, _) in CHECKS.items()))]
    return whole("Canonical documents", *parts, "## Identity, revision, content", _IDENTITY)


_CHECKS = """\
Rules across the fields of a document. All findings are reported at once. A rule that needs what the platform does
not say (`null`) finds nothing, and rules about money are left out for orders that were closed without being paid:
platforms blank their figures. What to do about each: [errors.md](errors.md)."""


def _fields(root: Mapping[str, Any], node: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str, str, str]]:
    needed = set(node.get("required", ()))
    for name, given in node.get("properties", {}).items():
        inner, listed = _resolved(root, given)
        marks = [
            word
            for word, yes in (
                ("personal", given.get("x-personal") or inner.get("x-personal")),
                ("computed", given.get("readOnly")),
                ("required", name in needed and not given.get("readOnly") and "default" not in given),
            )
            if yes
        ]
        meaning = escaped(str(given.get("description") or inner.get("description") or ""))
        yield code(prefix + name), _type(root, given), ", ".join(marks), meaning
        if inner.get("properties"):
            yield from _fields(root, inner, f"{prefix}{name}{'[]' if listed else ''}.")


def _resolved(root: Mapping[str, Any], node: Mapping[str, Any]) -> tuple[Mapping[str, Any], bool]:
    """What stands behind references, `or null` and lists; and whether it is a list."""
    listed = False
    while True:
        if "$ref" in node:
            node = _target(root, node["$ref"])
        elif "anyOf" in node:
            node = next(n for n in node["anyOf"] if n.get("type") != "null")
        elif node.get("type") == "array":
            node, listed = node["items"], True
        else:
            return node, listed


def _target(root: Mapping[str, Any], reference: str) -> Mapping[str, Any]:
    node: Any = root
    for step in reference.removeprefix("#/").split("/"):
        node = node[step]
    return node  # type: ignore[no-any-return]  # a schema is made of mappings


def _type(root: Mapping[str, Any], node: Mapping[str, Any]) -> str:
    inner, listed = _resolved(root, node)
    if "enum" in inner:
        word = " ".join(code(w) for w in inner["enum"])
    elif "const" in inner:
        word = code(f'"{inner["const"]}"')
    elif inner.get("format") == "date-time":
        word = "time"
    elif inner.get("type") == "string" and "[0-9]+" in str(inner.get("pattern")):
        word = "money" if inner.get("format") == "money" else "decimal text"
    else:
        words = {"string": "text", "integer": "whole number", "boolean": "true or false", "object": "object"}
        word = words.get(str(inner.get("type")), "any")
    return f"list of {word}" if listed else word
