"""Reads one whole mapping file (already merged with its parents) and holds it against the canonical model."""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from canonical import DOCUMENTS
from hub.mapping.carried import uncarried
from hub.mapping.constants import plain
from hub.mapping.grammar import Grammar, type_name
from hub.mapping.rows import MappingFile, Row
from hub.mapping.shape import FREE, Field, fields_of
from hub.mapping.source import Table

TOP_KEYS: dict[str, tuple[type | tuple[type, ...], str]] = {
    "kind": (str, "the canonical document: order, refund, shipment, stock, invoice"),
    "key": (str, "expression: the record's number, by which problems name it"),
    "subject": (str, "expression: the order that the record belongs to (left out: the document's order_no)"),
    "revision": ((str, Table), "row: when the channel last changed the record"),
    "zone": (str, "zone of times without an offset, like Asia/Shanghai"),
    "currency": ((str, Table), "three capital letters, or a row: the currency of the amounts"),
    "unit": (str, "unit of the amounts: yuan (major), fen, jiao, li, minor"),
    "accepts": (str, "expression: this file is for the records for which it is true"),
    "ignore": (list, "[[ignore]] with `if` and `why`: records that are no documents"),
    "extends": (str, "the mapping that this one changes, as taobao/order"),
    "drops": (list, "fields deliberately not carried: of the record, or for destinations of the document"),
    "allow": (
        list,
        "[[allow]] with `code`, `why`, perhaps `key`: findings of hub mapping check that are right as is",
    ),
    "root": (str, "destinations: the outermost element, where the body goes out as XML"),
    "tables": (Table, "[tables.NAME]: code tables, word = canonical word"),
    "why": (str, "a note for people"),
}
"""The top-level keys: type and meaning. The reference page is made from this table."""
HUB_FIELDS = frozenset({"schema", "tenant", "shop", "channel"})
"""What the hub itself knows and writes into every document that has it."""
_EXPRESSIONS = ("key", "subject", "accepts")
_CURRENCY = re.compile(r"[A-Z]{3}")


class Reading:
    """One file being read: raw tables in, a MappingFile and a list of problems out."""

    def __init__(self, raw: Table, name: str, *, outward: bool, own: Table, shared: Mapping[str, tuple[Table, str]]):
        self._raw = raw
        self._own = own
        self._name = name
        self._outward = outward
        self._shared = shared
        self._file = own.place.file
        local = raw.get("tables")
        self._local: Table = local if isinstance(local, Table) else Table(raw.place)
        self.grammar = Grammar(outward, self._table, lambda: [*self._local, *shared])

    @property
    def problems(self) -> list[str]:
        """Everything found wrong, in order."""
        return list(self.grammar.problems)

    def mapping(self) -> MappingFile | None:
        """The file, or None where not even its kind is known."""
        raw, grammar = self._raw, self.grammar
        section = "body" if self._outward else str(raw.get("kind", ""))
        for key, value in raw.items():
            if key in TOP_KEYS and not isinstance(value, TOP_KEYS[key][0]) and key not in ("kind", *_EXPRESSIONS):
                grammar.say(raw.at(key), f"{key} cannot be {type_name(value)}: {TOP_KEYS[key][1]}")
            elif key not in TOP_KEYS and key != section:
                grammar.unknown(raw.at(key), "key", key, [*TOP_KEYS, section])
        kind = raw.get("kind")
        if kind not in DOCUMENTS:
            grammar.unknown(raw.at("kind"), "kind", str(kind or ""), DOCUMENTS)
            return None
        if not isinstance(raw.get(section), Table):
            grammar.say(raw.place, f"the section [{section}] is missing")
            return None
        return self._read(section, str(kind))

    def _read(self, section: str, kind: str) -> MappingFile:
        raw, grammar = self._raw, self.grammar
        grammar.zone = grammar.checked_zone(str(raw.get("zone", "UTC")), raw.at("zone"))
        grammar.unit = grammar.checked_unit(str(raw.get("unit", "major")), raw.at("unit"))
        model = DOCUMENTS[kind]
        known = {} if self._outward else fields_of(model)
        table = self._section(raw[section], known)
        target = FREE if self._outward else Field(kind, "object", model=model)
        grammar.hub_section, grammar.supplied = ("", frozenset()) if self._outward else (kind, HUB_FIELDS)
        way = "destinations" if self._outward else "channels"
        result = MappingFile(
            self._name,
            f"{way}/{self._name}",
            self._file,
            kind,
            self._outward,
            raw,
            grammar.object(table, section, table.place, target),
        )
        for key in _EXPRESSIONS:
            setattr(result, key, grammar.at(raw, key))
        result.own_accepts = "accepts" in self._own
        result.extends = str(raw.get("extends", ""))
        result.currency = self._currency(section, kind)
        result.root = str(raw.get("root", "request"))
        self._ignore(result)
        result.drops = [str(d) for d in raw.get("drops", [])]
        if self._outward:
            uncarried(result, fields_of(model), grammar)
        elif result.key is None:
            grammar.say(raw.at("key"), "key is missing: the expression of the record's number")
        result.version = f"{self._name}@{self._hash()}"
        return result

    def _section(self, table: Table, known: Mapping[str, Field]) -> Table:
        """The document's rows, the file's own `revision` and `currency` among them."""
        result = Table(table.place)
        result.update(table)
        result.places = dict(table.places)
        for key in ("revision", "currency"):
            if key in known and key in self._raw and key not in table:
                result[key], result.places[key] = self._raw[key], self._raw.at(key)
        constant = result.get("currency")
        if "currency" not in table and isinstance(constant, str) and _CURRENCY.fullmatch(constant):
            result["currency"] = Table(result.at("currency"))
            result["currency"]["value"] = constant
        return result

    def _currency(self, section: str, kind: str) -> Row | str:
        raw = self._raw
        given: Any = raw.get("currency")
        place = raw.at("currency")
        if given is None and isinstance(raw[section].get("currency"), (str, Table)) and not self._outward:
            given, place = raw[section]["currency"], raw[section].at("currency")
        elif isinstance(given, str) and _CURRENCY.fullmatch(given):
            return given
        if given is None and "currency" in fields_of(DOCUMENTS[kind]) and self._outward:
            given = "currency"
        if given is None:
            return ""
        row = self.grammar.row(given, f"{section}.currency", place, Field("currency", "scalar", "text"))
        return row if row is not None else ""

    def _ignore(self, result: MappingFile) -> None:
        for rule in self._raw.get("ignore", []):
            if not isinstance(rule, Table) or not isinstance(rule.get("why"), str) or "if" not in rule:
                place = rule.place if isinstance(rule, Table) else self._raw.at("ignore")
                self.grammar.say(place, "[[ignore]] has `if` (an expression) and `why` (text for people)")
                continue
            for key in rule.keys() - {"if", "why"}:
                self.grammar.unknown(rule.at(key), "key of [[ignore]]", key, ("if", "why"))
            condition = self.grammar.at(rule, "if")
            if condition is not None:
                result.ignore.append((condition, rule["why"]))

    def _table(self, name: str) -> tuple[Table, str] | None:
        if isinstance(self._local.get(name), Table):
            return self._local[name], self._local[name].place.file
        return self._shared.get(name)

    def _hash(self) -> str:
        tables = {name: plain(words) for name, words in self.grammar.used_tables.items()}
        content = {k: v for k, v in plain(self._raw).items() if k not in ("why", "tables", "extends", "drops", "allow")}
        text = json.dumps([content, tables], sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()[:8]
