"""What is wrong with a mapping that loads: rows that cannot do what they seem to, and what they leave to chance.

Each rule is a function over a mapping and what its cases begin with, and knows nothing of the other rules. A finding
that is right as it is gets silenced where it is written, with its reason:

    [[allow]]
    code = "wire_field"
    key = "order.state"     # left out: everywhere in the file
    why = "..."
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from hub.mapping.cases import cases_of, mappings_of
from hub.mapping.catalog import Catalog
from hub.mapping.coverage import Coverage
from hub.mapping.expression import EVALUATION_ERRORS, Expression
from hub.mapping.functions import Unfit
from hub.mapping.known import Known
from hub.mapping.labels import all_rows
from hub.mapping.provenance import Origin as Origin_
from hub.mapping.provenance import Path, Uses, follow
from hub.mapping.reads import reads_of
from hub.mapping.rows import MappingFile, Object, Row, Switch, Value
from hub.mapping.run import Run
from hub.mapping.source import Place
from hub.mapping.trace import Tracer
from hub.mapping.values import conversion_of
from hub.masking import is_sensitive

RULES: dict[str, tuple[str, str, str]] = {
    "refund_cancels": (
        "error",
        "a refund can cancel the order",
        "Money that went back does not end an order: take `state` from the order's own status.",
    ),
    "unreachable": ("error", "the branch can never match", "Remove it, or change its condition."),
    "cannot_fit": ("error", "what the expression gives can never become the field's type", "Mend `path` or `as`."),
    "personal_unmarked": (
        "error",
        "personal data goes into a field that nobody masks",
        "Map it to a field of buyer, receiver or invoice, or leave it out.",
    ),
    "no_else": (
        "warning",
        "a record that meets none of the conditions has no value for a field that must have one",
        "Add a branch without `if`, or a `default`.",
    ),
    "unknown_word": (
        "warning",
        "a word seen in the cases has no row in the table",
        "Add the word to the table, also where the cases do not reach the row yet.",
    ),
    "unused_table": ("warning", "no row uses the table", "Remove it."),
    "unused_drop": ("warning", "`drops` names a path that no case has", "Remove it, or write the path as it comes."),
    "wire_field": (
        "warning",
        "the platform sends a field that no row reads and `drops` does not name",
        "Map it, or list it in `drops`.",
    ),
    "unit_untold": (
        "warning",
        "amounts come as whole numbers, and the mapping does not say in which unit",
        'Say unit = "fen" (or "yuan", where they really are whole).',
    ),
    "zone_untold": (
        "warning",
        "times come without an offset, and the mapping does not say whose clock they are",
        'Say zone = "Asia/Shanghai" at the top of the file, or with the row.',
    ),
}
"""Code -> severity, meaning, what to do."""

_REFUND = re.compile(r"refund|after_?sale|rma|chargeback|退款|退货|售后", re.IGNORECASE)
_OFFSET = re.compile(r"(?:Z|[+-]\d\d:?\d\d)$", re.IGNORECASE)
_CLOCK = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d")
_GIVES_TRUTH = ("comparator", "not_expression")


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding. `text` is the expression that it is about, "" if it is about none."""

    code: str
    place: Place
    message: str
    text: str = ""

    @property
    def severity(self) -> str:
        """error or warning."""
        return RULES[self.code][0]

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        at = {"file": self.place.file, "line": self.place.line, "column": self.place.column, "key": self.place.key}
        told = {"code": self.code, "severity": self.severity, "message": self.message, "expression": self.text}
        return {**at, **told, "hint": RULES[self.code][2]}


@dataclass(slots=True)
class Subject:
    """What the rules look at: a mapping, the records of its cases that become documents, and what they met."""

    mapping: MappingFile
    records: list[Any]
    coverage: Coverage
    known: Known
    heirs: Sequence[MappingFile] = ()
    """Mappings that extend it, whose rows may use its tables."""


Rule = Callable[[Subject], Iterator[Finding]]


def lint(catalog: Catalog, names: Sequence[str]) -> list[Finding]:
    """The findings about these mappings, by their full names, in the order of their files."""
    found = [finding for name in names for finding in _of(catalog, name)]
    return sorted(found, key=lambda f: (f.place.file, f.place.line, f.place.column, f.code))


def _of(catalog: Catalog, name: str) -> Iterator[Finding]:
    subject = _subject(catalog, name)
    allowed = [entry for entry in subject.mapping.raw.get("allow", []) if isinstance(entry, dict)]
    for rule in _RULES:
        for finding in rule(subject):
            if not any(_silences(entry, finding) for entry in allowed):
                yield finding


def _silences(entry: dict[str, Any], finding: Finding) -> bool:
    key = str(entry.get("key", ""))
    return entry.get("code") == finding.code and (not key or finding.place.key == key)


def _subject(catalog: Catalog, name: str) -> Subject:
    mapping = catalog.mapping(name)
    coverage, tracer, records = Coverage(mapping), Tracer(mapping), []
    for case, kind in cases_of(catalog, name.rpartition("/")[0]):
        if case.wrong or kind != mapping.kind or "problems" in case.data:
            continue
        if all(one.full_name != name for one in mappings_of(catalog, case, kind)):
            continue
        trace = tracer.trace(case.data["given"])
        if mapping.accepts is None or trace.accepts[0][1].holds:
            coverage.add(trace)
            records.append(case.data["given"])
    way, _, short = name.partition("/")
    others = [catalog.mapping(other) for other in catalog.names() if other.startswith(f"{way}/")]
    return Subject(mapping, records, coverage, Known([mapping]), [m for m in others if m.extends == short])


# ---------------------------------------------------------------- the rows


def _valued(row: Row) -> Iterator[Value]:
    return (one for one in all_rows(row) if isinstance(one, Value))


def _values(mapping: MappingFile) -> Iterator[Value]:
    return _valued(mapping.body)


def _unreachable(subject: Subject) -> Iterator[Finding]:
    for row in all_rows(subject.mapping.body):
        branches = row.branches if isinstance(row, Switch) else row.variants if isinstance(row, Object) else []
        seen: set[str] = set()
        for condition, inner in branches:
            if condition is None:
                continue
            place = inner.place if isinstance(inner, (Value, Switch)) else row.place
            if condition.text in seen:
                yield Finding("unreachable", place, "a branch before it has the same condition", condition.text)
            elif _is_constant(condition):
                yield Finding("unreachable", place, "its condition reads nothing of the record", condition.text)
            seen.add(condition.text)


def _is_constant(expression: Expression) -> bool:
    uses = Uses()
    origin = follow(expression.tree, Origin_(frozenset([()])), uses)
    return not (origin.paths or uses.whole or uses.tested or uses.words)


def _no_else(subject: Subject) -> Iterator[Finding]:
    if subject.mapping.outward:
        return  # there a field is required on purpose
    for row in all_rows(subject.mapping.body):
        if not isinstance(row, Switch) or not row.required or row.default is not None or not row.branches:
            continue
        if row.branches[-1][0] is not None:
            yield Finding("no_else", row.place, f"{row.label} must have a value, and no branch is the else")


def _cannot_fit(subject: Subject) -> Iterator[Finding]:
    for row in _values(subject.mapping):
        if row.path is None or row.table is not None:
            continue
        kind = row.path.tree["type"]
        if kind in _GIVES_TRUTH and row.as_ in ("money", "time", "decimal", "int", "words", "lines"):
            yield Finding("cannot_fit", row.place, f"true or false never becomes {row.as_}", row.path.text)
        elif kind == "literal" and row.path.tree["value"] is not None and not subject.mapping.outward:
            try:
                run = Run(subject.mapping, {})
                run.currency = "CNY"
                conversion_of(row, outward=False)(row.path.tree["value"], run)
            except Unfit as unfit:
                yield Finding("cannot_fit", row.place, f"the constant is no {row.as_}: {unfit.expected}", row.path.text)


# ---------------------------------------------------------------- refunds are no cancellations


def _refund_cancels(subject: Subject) -> Iterator[Finding]:
    if subject.mapping.kind != "order" or subject.mapping.outward:
        return
    for row in all_rows(subject.mapping.body):
        if row.label == "order.state" and isinstance(row, (Value, Switch)):
            yield from _cancelling(row, [])
            return


def _cancelling(row: Value | Switch, conditions: list[Expression]) -> Iterator[Finding]:
    """Ways to `cancelled` on which a refund decides: a condition that asks for one, a word or a field that is one."""
    if isinstance(row, Switch):
        for condition, inner in row.branches:
            yield from _cancelling(inner, [*conditions, condition] if condition else conditions)
        return
    ends = row.constant == "cancelled" or "cancelled" in (row.table or {}).values() or row.default == "cancelled"
    if not ends:
        return
    for condition in conditions:
        if row.path is None and _REFUND.search(condition.text):
            yield Finding("refund_cancels", row.place, "a refund decides that the order is cancelled", condition.text)
    if row.path is not None and _REFUND.search(row.path.text):
        yield Finding("refund_cancels", row.place, "the state is taken from a refund's field", row.path.text)
    for word, means in (row.table or {}).items():
        if means == "cancelled" and _REFUND.search(word):
            place = row.table_places.get(word, row.place)
            yield Finding("refund_cancels", place, f"{word} speaks of a refund, and means cancelled here")


# ---------------------------------------------------------------- what is unused, unknown or unmarked


def _unused_tables(subject: Subject) -> Iterator[Finding]:
    tables = subject.mapping.raw.get("tables", {})
    users = (subject.mapping, *subject.heirs)
    used = {row.table_name for one in users for row in _values(one)}
    used |= {row.table_name for one in users if not isinstance(one.currency, str) for row in _valued(one.currency)}
    for name, words in tables.items():
        if name not in used and getattr(words, "place", subject.mapping.raw.place).file == subject.mapping.file:
            yield Finding("unused_table", tables.at(name), f"[tables.{name}] is used by no row")


def _unknown_words(subject: Subject) -> Iterator[Finding]:
    for entry in reads_of(subject.mapping).rows:
        row = entry.row
        if row is None or row.table is None or subject.mapping.outward or entry.made:
            continue
        for path in entry.values:
            if subject.known.compared(path):
                continue  # conditions tell its other words apart
            for word in sorted({text for record in subject.records for text in _texts(record, path)}):
                if word not in row.table and word not in subject.known.unset(path) and word:
                    message = f"{word!r} has no row in [tables.{row.table_name}]"
                    yield Finding("unknown_word", row.place, message, row.path.text if row.path else "")


def _texts(value: Any, path: Path) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _texts(item, path)
    elif path and isinstance(value, dict):
        yield from _texts(value.get(path[0]), path[1:])
    elif not path and isinstance(value, (str, int)) and not isinstance(value, bool):
        yield str(value)


def _personal(subject: Subject) -> Iterator[Finding]:
    if subject.mapping.outward:
        return  # what destinations carry is masked by where it comes from
    for entry in reads_of(subject.mapping).rows:
        row = entry.row
        if row is None or ".extra." not in f"{row.label}." or row.path is None or row.as_ == "bool":
            continue
        named = [path for path in entry.values if path and _names_a_person(path[-1])]
        carried = [path for path in entry.values if any(path == personal for personal in _personal_paths(subject))]
        if (named or carried) and not entry.made:
            yield Finding(
                "personal_unmarked", row.place, f"{'.'.join((named or carried)[0])} is personal", row.path.text
            )


def _names_a_person(name: str) -> bool:
    """Whether a field bears the name of something personal; the "name" of a thing is not."""
    of_what = re.sub(r"_?name$", "", name, flags=re.IGNORECASE)
    return is_sensitive(of_what) if of_what != name else is_sensitive(name)


def _personal_paths(subject: Subject) -> set[Path]:
    return reads_of(subject.mapping).personal()


def _wire_fields(subject: Subject) -> Iterator[Finding]:
    if subject.mapping.outward or not subject.records:
        return
    place = subject.mapping.raw.at("drops")
    for unread in subject.coverage.report()["unread"]:
        message = f"{unread['path']} is neither mapped nor in drops ({unread['records']} of the cases have it)"
        yield Finding("wire_field", place, message)


def _unused_drops(subject: Subject) -> Iterator[Finding]:
    if subject.mapping.outward or not subject.records:
        return
    have = {path[:n] for path in subject.coverage.paths for n in range(1, len(path) + 1)}
    for drop in subject.mapping.drops:
        if tuple(drop.replace("[]", "").split(".")) not in have:
            yield Finding("unused_drop", subject.mapping.raw.at("drops"), f"no case has {drop}")


# ---------------------------------------------------------------- units and clocks


def _units(subject: Subject) -> Iterator[Finding]:
    mapping = subject.mapping
    if mapping.outward or "unit" in mapping.raw:
        return
    for row in _values(mapping):
        if row.as_ != "money" or row.unit != "major" or row.source != "item" or row.path is None or row.times:
            continue
        found = [value for value in _raw(subject, row) if isinstance(value, int) and not isinstance(value, bool)]
        if found and max(found) >= 100 and not any(isinstance(value, (str, float)) for value in _raw(subject, row)):
            yield Finding(
                "unit_untold", row.place, f"{row.label} reads whole numbers such as {found[0]}", row.path.text
            )


def _zones(subject: Subject) -> Iterator[Finding]:
    mapping = subject.mapping
    if mapping.outward or "zone" in mapping.raw:
        return
    for row in _values(mapping):
        if row.as_ != "time" or row.zone != "UTC" or row.path is None:
            continue
        found = [value for value in _raw(subject, row) if isinstance(value, str)]
        bare = [value for value in found if _CLOCK.match(value) and not _OFFSET.search(value)]
        if bare:
            yield Finding("zone_untold", row.place, f"{row.label} reads times such as {bare[0]}", row.path.text)


def _raw(subject: Subject, row: Value) -> list[Any]:
    """What a row of the record itself reads in the cases; rows of lists are left out."""
    if row.path is None or "[]" in row.label or row.each is not None or row.source not in ("item", "root"):
        return []
    values = []
    for record in subject.records:
        try:
            values.append(row.path.search(record))
        except EVALUATION_ERRORS:
            continue
    return [value for value in values if value is not None]


_RULES: tuple[Rule, ...] = (
    _refund_cancels, _unreachable, _cannot_fit, _personal, _no_else, _unknown_words, _unused_tables, _unused_drops,
    _wire_fields, _units, _zones,
)  # fmt: skip
