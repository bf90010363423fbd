"""What a sample holds: its records, their lines and their single values, found by their shape."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from xml.parsers.expat import ExpatError

import xmltodict

from canonical.errors import NotUnderstood
from canonical.parsing import parse_json
from hub.mapping.drafting.vocabulary import FIELDS, plain_name

MOST_RECORDS = 200
MOST_LEAVES = 2000
_DEEP = 6
_BARE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ERROR_KEYS = frozenset(
    [
        "error",
        "errors",
        "error_response",
        "error_code",
        "error_msg",
        "error_message",
        "errcode",
        "errmsg",
        "sub_code",
        "sub_msg",
        "message",
        "msg",
        "error_description",
    ]
)
_HINT = "Give what the platform answers or pushes as it came: a page, one record or a push."

Keys = tuple[str, ...]


class NotASample(NotUnderstood):
    """A file from which no mapping can be drafted."""

    code = "mapping.no_sample"
    hint = _HINT


@dataclass(slots=True)
class Leaf:
    """One place of a record that holds single values, with what it held in each record (None where it had none)."""

    keys: Keys
    values: list[Any] = field(default_factory=list)
    inside_list: bool = False

    @property
    def text(self) -> str:
        """The place as JMESPath."""
        return jmespath_of(self.keys)

    @property
    def name(self) -> str:
        """Its own name, in lower case with underscores."""
        return plain_name(self.keys[-1].removesuffix("[0]"))

    @property
    def above(self) -> set[str]:
        """The words of the names that it lies under."""
        return {word for key in self.keys[:-1] for word in plain_name(key.removesuffix("[0]")).split("_")}

    @property
    def told(self) -> list[Any]:
        """The values that say something."""
        return [v for v in self.values if v is not None and v != ""]


def read_sample(raw: bytes) -> Any:
    """A file's data, JSON or XML. Raises NotASample: empty, neither of the two, a single value, a list of them."""
    text = raw.lstrip(b"\xef\xbb\xbf \t\r\n")
    if not text:
        raise NotASample("the sample is empty")
    if text.startswith(b"<"):
        try:
            data: Any = xmltodict.parse(text, xml_attribs=False)
        except (ExpatError, ValueError) as error:
            raise NotASample(f"the sample is not XML: {error}") from None
    else:
        try:
            data = parse_json(text)
        except NotUnderstood as error:
            raise NotASample(f"the sample is neither JSON nor XML: {error.message}") from None
    if isinstance(data, list) and not any(isinstance(item, dict) for item in data):
        raise NotASample(
            "the sample is a list of single values, not of records" if data else "the sample is an empty list"
        )
    if not isinstance(data, (dict, list)):
        raise NotASample("the sample is a single value, not a record")
    return data


def records_in(data: Any, kind: str) -> tuple[str, list[dict[str, Any]]]:
    """Where the records of a page or a push lie (JMESPath) and what they are. Raises NotASample where nothing looks
    like one."""
    if isinstance(data, dict) and (told := error_of(data)):
        raise NotASample(f"the sample is an error answer, not data: {told}")
    best: tuple[float, Keys, list[dict[str, Any]]] = (0.0, (), [])
    for keys, items in _tables(data, ()):
        score = _likeness(items[0], kind) - 0.4 * len(keys)
        if score > best[0]:
            best = (score, keys, items)
    if best[0] < 1.5:
        told = ", ".join(map(str, data)) if isinstance(data, dict) else f"a list of {len(data)}"
        raise NotASample(f"nothing in the sample looks like {_article(kind)} {kind}; it holds: {told[:200]}")
    return jmespath_of(best[1]) or "@", best[2][:MOST_RECORDS]


def lines_in(records: Sequence[Mapping[str, Any]], kind: str) -> tuple[str, list[list[dict[str, Any]]]]:
    """Where the lines lie (JMESPath) and those of each record; ("", []) where none are found."""
    best: tuple[float, str, list[list[dict[str, Any]]]] = (0.0, "", [])
    places: dict[Keys, None] = {}
    for record in records:
        for keys in _lists(record, ()):
            places[keys] = None
    for keys in places:
        found = [_at(record, keys) for record in records]
        first = next((items[0] for items in found if items), None)
        if first is None:
            continue
        score = (
            _line_likeness(first, kind)
            + (0.8 if _LINES & set(plain_name(keys[-1]).split("_")) else 0)
            - 0.3 * len(keys)
        )
        if score > best[0]:
            best = (score, jmespath_of(keys), found)
    return (best[1], best[2]) if best[0] >= 1.5 else ("", [])


def leaves_of(items: Sequence[Mapping[str, Any]]) -> list[Leaf]:
    """Every place of these items that holds single values, in the order in which they are seen."""
    found: dict[Keys, Leaf] = {}
    for number, item in enumerate(items):
        for keys, value, inside in _walk(item, (), inside=False):
            if keys not in found:
                if len(found) >= MOST_LEAVES:
                    continue
                found[keys] = Leaf(keys, [None] * number, inside)
            found[keys].values.append(value)
        for leaf in found.values():
            leaf.values.extend([None] * (number + 1 - len(leaf.values)))
    return list(found.values())


def jmespath_of(keys: Keys) -> str:
    """
    >>> jmespath_of(("orders", "order[0]", "收货人"))
    'orders.order[0]."收货人"'
    """
    parts = []
    for key in keys:
        bare, ending = next(((key.removesuffix(e), e) for e in ("[].node", "[0]") if key.endswith(e)), (key, ""))
        parts.append((bare if _BARE.fullmatch(bare) else json.dumps(bare, ensure_ascii=False)) + ending)
    return ".".join(parts)


_LINES = frozenset(
    [
        "item",
        "items",
        "line",
        "lines",
        "row",
        "rows",
        "order",
        "orders",
        "sku",
        "skus",
        "goods",
        "product",
        "products",
        "detail",
        "details",
        "list",
        "positions",
    ]
)


def _walk(value: Any, keys: Keys, *, inside: bool) -> Iterator[tuple[Keys, Any, bool]]:
    if isinstance(value, dict):
        if len(keys) < _DEEP:
            for key, inner in value.items():
                yield from _walk(inner, (*keys, str(key)), inside=inside)
    elif isinstance(value, list):
        if value and isinstance(value[0], dict) and keys and not inside:
            yield from _walk(value[0], (*keys[:-1], f"{keys[-1]}[0]"), inside=True)
        elif keys and not inside and all(isinstance(v, str) for v in value):
            yield keys, value, True
    elif keys:
        yield keys, value, inside


def _tables(value: Any, keys: Keys) -> Iterator[tuple[Keys, list[dict[str, Any]]]]:
    """Everything that could be the records: each object by itself, each list of objects."""
    if len(keys) > _DEEP:
        return
    if isinstance(value, dict):
        yield keys, [value]
        nodes = [edge["node"] for edge in _edges(value)]
        if nodes:
            yield (*keys, "edges[].node"), nodes
        for key, inner in value.items():
            yield from _tables(inner, (*keys, str(key)))
    elif isinstance(value, list):
        items = [item for item in value if isinstance(item, dict)]
        if items and len(items) == len(value):
            yield keys, items
            if keys:
                inside = _tables(items[0], (*keys[:-1], f"{keys[-1]}[0]"))
                yield from (found for found in inside if found[1] != [items[0]])


def _edges(value: Mapping[str, Any]) -> list[dict[str, Any]]:
    edges = value.get("edges")
    found = (
        [e for e in edges if isinstance(e, dict) and isinstance(e.get("node"), dict)] if isinstance(edges, list) else []
    )
    return found if isinstance(edges, list) and len(found) == len(edges) else []


def _lists(value: Any, keys: Keys) -> Iterator[Keys]:
    """Places of lists of objects; in XML a list of one is an object, so objects named like lines count as well."""
    if not isinstance(value, dict) or len(keys) > 3:
        return
    for key, inner in value.items():
        here = (*keys, str(key))
        if isinstance(inner, list) and inner and all(isinstance(item, dict) for item in inner):
            yield (*keys, f"{key}[].node") if key == "edges" and "node" in inner[0] else here
        elif isinstance(inner, dict):
            if _LINES & set(plain_name(str(key)).split("_")):
                yield here
            yield from _lists(inner, here)


def _at(record: Any, keys: Keys) -> list[dict[str, Any]]:
    for key in keys:
        if not isinstance(record, dict):
            return []
        record = record.get(key.removesuffix("[].node"))
        if key.endswith("[].node"):
            record = [edge.get("node") for edge in record or [] if isinstance(edge, dict)]
    items = [record] if isinstance(record, dict) else record
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _likeness(item: Mapping[str, Any], kind: str) -> float:
    """How much an object looks like a record: fields with the usual names, and lines."""
    own = {plain_name(str(key)) for key, value in item.items() if not isinstance(value, (dict, list))}
    fields = {n: names for n, names in FIELDS[kind].items() if not n.startswith(("lines.", "receiver.", "buyer."))}
    score = float(sum(any(n in own for n in names.split()) for names in fields.values()))
    if kind == "order" and (lines := lines_in([item], kind))[0]:
        score += 3 - lines[0].count(".")
    return score


def _line_likeness(item: Mapping[str, Any], kind: str) -> float:
    own = {plain_name(str(key)) for key in item}
    fields = ("quantity", "sku", "title", "unit_price", "amount", "variant_id", "line_no")
    known = [FIELDS[kind].get(f"lines.{name}", "").split() for name in fields]
    hits = [any(name in own for name in names) for names in known]
    return float(sum(hits)) if hits[0] else 0.5 * sum(hits)


def error_of(data: Mapping[str, Any]) -> str:
    """What an error answer says, "" for anything else: it names an error and holds no object that could be a record.

    >>> error_of({"errcode": 40001, "errmsg": "invalid credential"}), error_of({"tid": 1, "msg": ""})
    ('errcode 40001; errmsg invalid credential', '')
    """
    named = [key for key, value in data.items() if plain_name(str(key)) in _ERROR_KEYS and not _is_well(value)]
    holds = [v for k, v in data.items() if k not in named and isinstance(v, (dict, list)) and len(v) > 0]
    only = next(iter(data.values())) if len(data) == 1 else None
    if isinstance(only, dict) and not named:
        return error_of(only)
    bad = any("err" in plain_name(str(key)) for key in named)
    if not named or holds or (not bad and len(data) > 5):
        return ""
    return "; ".join(f"{key} {str(data[key])[:80]}" for key in named)


def _is_well(value: Any) -> bool:
    """Whether what stands in the place of an error says that there is none."""
    return value in (None, "", 0, False) or str(value).lower() in ("ok", "0", "success")


def _article(kind: str) -> str:
    return "an" if kind[:1] in "aeiou" else "a"
