"""Reads the rows of a mapping file: everything that can be wrong with them is found here, at load, all at once."""

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from jmespath.exceptions import JMESPathError

from hub.mapping import expression
from hub.mapping.constants import constant_problem, converted, plain
from hub.mapping.expression import Expression
from hub.mapping.functions import UNITS
from hub.mapping.rows import Listing, Object, Part, Row, Switch, Value, is_row, is_switch
from hub.mapping.shape import FREE, Field, fields_in
from hub.mapping.source import Place, Table, merge

ROW_KEYS: dict[str, tuple[type | tuple[type, ...], str]] = {
    "path": (str, "the value: a JMESPath expression"),
    "value": (object, "a constant, in place of path"),
    "as": (str, "what it becomes: text, int, bool, decimal, money, time, words, phone ... (Conversions)"),
    "table": (str, "the code table that translates the word; an unknown word is a problem"),
    "default": (object, "used when the value is null or absent, and only then"),
    "absent": (list, "wire values that mean: not set"),
    "unit": (str, "of money: major (yuan), minor, jiao, fen (cent), li"),
    "zone": (str, "of times without an offset"),
    "format": (
        str,
        "of times: a strftime pattern, to the wire also epoch_s or epoch_ms; usual forms need none",
    ),
    "chinese": (bool, "numbers come as Chinese text writes them: ¥1,234.50, 1.2万, full-width digits"),
    "separator": (str, "of words, a comma unless told"),
    "from": (str, "where expressions are read: root, parent, document"),
    "times": (str, "multiply by this number"),
    "divide": (str, "divide by this number; money is then rounded half up"),
    "plus": ((str, list), "add these; null counts as 0"),
    "minus": ((str, list), "subtract these; null counts as 0"),
    "each": (str, "the list whose items the row is summed over"),
    "where": (str, "keeps the items for which it is true"),
    "collect": (bool, "with each: gather the values in a list, don't sum"),
    "distinct": (bool, "in a list: a second equal value becomes VALUE-2, a third VALUE-3"),
    "required": (bool, "null is a problem"),
    "if": (str, "null unless this is true"),
    "when": (list, "branches, each a row with `if`; the first true one wins; one without `if` is the else"),
}
"""The keys of a row: type and meaning. The reference page is made from this table."""
OBJECT_KEYS: dict[str, str] = {
    "if": "null unless this is true",
    "from": "where its expressions are read: root, parent, document",
    "when": "branches of the whole object: [[...when]] with if and set",
    "each": "makes it a list: one object for each item",
    "where": "keeps the items for which it is true",
    "fields": "its rows, where their names would be taken for keys of the grammar",
}
AS = (
    "text", "int", "bool", "decimal", "money", "time", "words", "lines", "number", "raw",
    "phone", "province", "city", "district", "street", "properties", "sha256",
)  # fmt: skip
SOURCES = ("item", "root", "parent", "document")
_SUMS = ("money", "int", "decimal", "number")
_EXPRESSIONS = ("path", "times", "divide", "each", "where", "if")
_GOES_WITH = {
    "unit": ("money",),
    "format": ("time",),
    "separator": ("words",),
    "chinese": _SUMS,
    **dict.fromkeys(("times", "divide", "plus", "minus"), _SUMS),
}


@dataclass(slots=True)
class Grammar:
    """Reads one file's rows. `problems` collects every finding; `tables` finds a code table: (words, file)."""

    outward: bool
    tables: Callable[[str], tuple[Table, str] | None]
    table_names: Callable[[], Iterable[str]]
    zone: str = "UTC"
    unit: str = "major"
    hub_section: str = ""
    """The section in which tenant, shop and the like are the hub's own."""
    supplied: frozenset[str] = frozenset()
    problems: dict[str, None] = field(default_factory=dict)
    used_tables: dict[str, Table] = field(default_factory=dict)

    def say(self, place: Place, message: str) -> None:
        """Note one finding; the same one from two branches counts once."""
        self.problems[place.says(message)] = None

    def expression(self, text: Any, place: Place) -> Expression | None:
        """Compile an expression of the file, or say what is wrong with it."""
        if not isinstance(text, str):
            self.say(place, f"an expression is text, not {type_name(text)}")
            return None
        try:
            compiled = expression.compile(text)
        except JMESPathError as error:
            self.say(place, expression.complaint(text, error))
            return None
        for wrong in expression.wrong_calls(compiled):
            self.say(place, f"{wrong}\n    {text}")
        return compiled

    def at(self, table: Table, key: str) -> Expression | None:
        """The expression under a key of a table, None where it has none."""
        return self.expression(table[key], table.at(key)) if key in table else None

    def unknown(self, place: Place, what: str, word: str, known: Iterable[str]) -> None:
        """Say that a word is unknown, with the nearest known one."""
        names = sorted(set(known))
        near = difflib.get_close_matches(word, names, 1)
        hint = f", did you mean {near[0]}?" if near else f"; known: {', '.join(names)}" if 0 < len(names) <= 12 else ""
        self.say(place, f"unknown {what} {word!r}{hint}")

    def row(self, value: Any, label: str, place: Place, target: Field) -> Row | None:
        """Whatever is written for one field: a row, an object or a list. None if it cannot be used."""
        if isinstance(value, str):
            return self._value(_path_table(value, place), label, place, target)
        if isinstance(value, list):
            return self._listing(value, label, place, target)
        if not isinstance(value, Table):
            self.say(place, f"a row is an expression in quotes or a table; a constant is written {{ value = {value} }}")
            return None
        if not isinstance(value.get("fields"), Table):
            if is_switch(value):
                return self._switch(value, label, place, target)
            if is_row(value):
                return self._value(value, label, place, target)
            if "each" in value and target.form != "scalar":
                return self._listing([value], label, place, target)
        if target.form == "scalar":
            self.say(place, "a row needs path, value or when: it gives a single value")
            return None
        if target.form == "list":
            self.say(place, "this is a list: give it `each`, or write its parts as [[...]]")
            return None
        return self.object(value, label, place, target)

    def object(self, table: Table, label: str, place: Place, target: Field) -> Object:
        """An object: its rows and its branches."""
        branches = self._branches(table)
        otherwise = any(condition is None for condition, _ in branches)
        fields = _fields(table)
        result = Object(label, place, self._rows(fields, label, target, complete=not otherwise), target=target)
        result.source = self._source(table)
        result.condition = self.at(table, "if") if "each" not in table else None
        for condition, rows in branches:
            whole = merge(fields, rows, is_row)
            result.variants.append((condition, self._rows(whole, label, target, complete=True)))
        return result

    def _branches(self, table: Table) -> list[tuple[Expression | None, Table]]:
        branches: list[tuple[Expression | None, Table]] = []
        for index, branch in enumerate(table.get("when", [])):
            place = branch.place if isinstance(branch, Table) else table.at("when")
            if not isinstance(branch, Table) or not isinstance(branch.get("set"), Table):
                self.say(place, "a branch of an object has `if` and `set`")
                continue
            for key in branch.keys() - {"if", "set", "why"}:
                self.unknown(branch.at(key), "key of a branch", key, ("if", "set", "why"))
            if branches and branches[-1][0] is None and "if" not in table["when"][index - 1]:
                self.say(place, "this branch is never reached: the one before it has no `if`")
            branches.append((self.at(branch, "if"), branch["set"]))
        return branches

    def _rows(self, fields: Table, label: str, target: Field, *, complete: bool) -> list[tuple[str, Row]]:
        known = fields_in(target)
        rows: list[tuple[str, Row]] = []
        for key, value in fields.items():
            inner = FREE if known is None else known.get(key)
            if inner is None:
                self.unknown(fields.at(key), f"field of {label}", key, (k for k, f in (known or {}).items()))
            elif inner.computed or (label == self.hub_section and key in self.supplied):
                self.say(fields.at(key), "the hub sets this field itself")
            else:
                row = self.row(value, f"{label}.{key}", fields.at(key), inner)
                if row is not None:
                    rows.append((key, row))
        if known is not None and complete:
            for name, inner in known.items():
                own = label == self.hub_section and name in self.supplied
                if inner.required and not inner.computed and not own and name not in fields:
                    self.say(fields.place, f"{label}.{name} must be mapped")
        return rows

    def _listing(self, parts: list[Any], label: str, place: Place, target: Field) -> Listing | None:
        if target.form in ("scalar", "object"):
            what = "an object" if target.form == "object" else "a single value"
            self.say(place, f"this field is {what}, not a list of objects" if target.as_ != "list" else _WORDS_HINT)
            return None
        result = Listing(label, place, [], target)
        inner = replace(target, form="object" if target.model else "free", required=False)
        for part in parts:
            if not isinstance(part, Table):
                self.say(place, "a list is made of tables: [[...]]; a constant list is written { value = [...] }")
                continue
            body = self.object(part, f"{label}[]", part.place, inner)
            if "where" in part and "each" not in part:
                self.say(part.at("where"), "`where` keeps items of `each`, which is missing")
            body.condition, body.source, source = None, "item", body.source
            conditions = {key: self.at(part, key) for key in ("each", "where", "if")}
            result.parts.append(Part(body, conditions["each"], conditions["where"], conditions["if"], source))
        return result

    def _switch(self, table: Table, label: str, place: Place, target: Field) -> Switch:
        self._known_keys(table)
        shared = Table(table.place)
        for key in table.keys() - {"when", "required", "if"}:
            shared[key], shared.places[key] = table[key], table.at(key)
        result = Switch(label, place, [], target, self._source(table))
        result.required = table.get("required") is True or _needed(target, self.outward, table)
        result.default = self._literal(target, table, "default")
        lax = replace(target, required=False)
        for branch in table["when"]:
            if not isinstance(branch, Table) or not is_row(branch):
                self.say(branch.place if isinstance(branch, Table) else place, "a branch is a row: path or value")
                continue
            if result.branches and result.branches[-1][0] is None:
                self.say(branch.place, "this branch is never reached: the one before it has no `if`")
            bare = Table(branch.place)
            for key in branch.keys() - {"if"}:
                bare[key], bare.places[key] = branch[key], branch.at(key)
            row = self.row(merge(shared, bare, is_row), label, branch.place, lax)
            if isinstance(row, (Value, Switch)):
                row.required = row.required or result.required
                result.branches.append((self.at(branch, "if"), row))
        if "if" in table:
            outer: list[tuple[Expression | None, Value | Switch]] = [(self.at(table, "if"), result)]
            return Switch(label, place, outer, target, result.source, result.default, result.required)
        return result

    def _value(self, table: Table, label: str, place: Place, target: Field) -> Value | Switch:
        self._known_keys(table)
        row = Value(label, place, target, zone=self.zone, unit=self.unit, source=self._source(table))
        row.required = table.get("required") is True or _needed(target, self.outward, table)
        self._conversion(row, table)
        if "path" in table and "value" in table:
            self.say(table.at("value"), "path and value exclude each other")
        if "value" in table:
            row.constant = self._literal(target, table, "value")
        else:
            row.path = self.at(table, "path")
        row.default = self._literal(target, table, "default")
        row.absent = list(plain(table.get("absent", [])))
        for key in ("times", "divide", "each", "where"):
            setattr(row, key, self.at(table, key))
        row.collect = table.get("collect") is True
        row.distinct = table.get("distinct") is True
        row.plus, row.minus = self._operands(table, "plus"), self._operands(table, "minus")
        self._sense(row, table)
        if "if" not in table:
            return row
        return Switch(label, place, [(self.at(table, "if"), row)], target, row.source, row.default, row.required)

    def _conversion(self, row: Value, table: Table) -> None:
        row.as_ = "raw" if self.outward else row.target.as_
        if "as" in table:
            row.as_ = str(table["as"])
            if row.as_ not in AS:
                self.unknown(table.at("as"), "conversion", row.as_, AS)
                row.as_ = "raw"
        row.unit = self.checked_unit(str(table.get("unit", row.unit)), table.at("unit"))
        row.zone = self.checked_zone(str(table.get("zone", row.zone)), table.at("zone"))
        row.separator = str(table.get("separator", ",")) or ","
        row.pattern = str(table.get("format", ""))
        row.chinese = table.get("chinese") is True
        if isinstance(table.get("table"), str):
            self._lookup(row, table["table"], table.at("table"))

    def _lookup(self, row: Value, name: str, place: Place) -> None:
        found = self.tables(name)
        if found is None:
            self.unknown(place, "table", name, self.table_names())
            return
        words, row.table_file = found
        row.table, row.table_name = {k: plain(v) for k, v in words.items()}, name
        row.table_places = words.places
        self.used_tables[name] = words
        if not self.outward:
            for word, value in words.items():
                if problem := constant_problem(value, row.target):
                    self.say(words.at(word), f"{problem} (used for {row.label})")

    def _literal(self, target: Field, table: Table, key: str) -> Any:
        if key not in table:
            return None
        value = plain(table[key])
        if self.outward:
            return value
        problem = constant_problem(value, target)
        if problem:
            self.say(table.at(key), problem)
            return None
        return converted(value, target)

    def _operands(self, table: Table, key: str) -> list[Expression]:
        given = table.get(key, [])
        texts = given if isinstance(given, list) else [given]
        return [e for text in texts if (e := self.expression(text, table.at(key))) is not None]

    def _sense(self, row: Value, table: Table) -> None:
        """Keys that cannot have an effect are mistakes."""
        for key, kinds in _GOES_WITH.items():
            if key in table and row.as_ not in kinds:
                self.say(table.at(key), f"{key} goes with as = {' or '.join(kinds)}; this row is {row.as_}")
        for key in ("where", "collect") if row.each is None else ():
            if key in table:
                self.say(table.at(key), f"{key} goes with each, which is missing")
        if row.each is not None and not row.collect and row.as_ not in _SUMS:
            self.say(table.at("each"), f"a sum is {', '.join(_SUMS)}; to gather {row.as_} values add collect = true")
        if row.distinct and "[]" not in row.label:
            self.say(table.at("distinct"), "distinct is for rows inside a list")
        if not self.outward and row.pattern.startswith("epoch_"):
            self.say(table.at("format"), f"{row.pattern} is for destinations; numbers from the wire are recognised")
        if row.collect and row.as_ == "list":
            row.as_ = "raw" if row.table else "text"

    def _known_keys(self, table: Table) -> None:
        for key, value in table.items():
            if key not in ROW_KEYS:
                self.unknown(table.at(key), "key of a row", key, ROW_KEYS)
            elif key not in _EXPRESSIONS and not isinstance(value, ROW_KEYS[key][0]):
                self.say(table.at(key), f"{key} cannot be {type_name(value)}: {ROW_KEYS[key][1]}")

    def _source(self, table: Table) -> str:
        source = str(table.get("from", "item"))
        if source not in SOURCES:
            self.unknown(table.at("from"), "place to read from", source, SOURCES[1:])
            return "item"
        if source == "document" and self.outward:
            self.say(table.at("from"), 'a destination reads the document anyway: use from = "root"')
        return source

    def checked_unit(self, name: str, place: Place) -> str:
        """A unit that is known, or the main one and a finding."""
        if name not in UNITS:
            self.unknown(place, "unit", name, UNITS)
            return "major"
        return name

    def checked_zone(self, name: str, place: Place) -> str:
        """A zone that exists, or UTC and a finding."""
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            self.say(place, f"unknown zone {name!r}; zones are named like Asia/Shanghai")
            return "UTC"
        return name


_WORDS_HINT = 'a list of words is one row: "expr", as = "words", or each, path and collect = true'


def _needed(target: Field, outward: bool, table: Table) -> bool:
    return not outward and target.required and not target.nullable and "default" not in table


def _fields(table: Table) -> Table:
    if isinstance(table.get("fields"), Table):
        return table["fields"]  # type: ignore[no-any-return]  # just checked
    result = Table(table.place)
    for key, value in table.items():
        if key not in OBJECT_KEYS:
            result[key], result.places[key] = value, table.at(key)
    return result


def _path_table(text: str, place: Place) -> Table:
    table = Table(place)
    table["path"] = text
    table.places["path"] = place
    return table


def type_name(value: Any) -> str:
    """What a value of a mapping file is, for people."""
    names = {bool: "true or false", int: "a number", float: "a number", str: "text", list: "a list", Table: "a table"}
    return names.get(type(value), type(value).__name__)
