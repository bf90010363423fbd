"""What the cases of a mapping leave untested: fields never set, rows never run, branches never taken, words never seen.

Each of these counts one; the percentage is how many of all were met. Shared tables (mappings/tables) are told beside
it and do not count: their words are not one mapping's to test. A branch is an entry of a `when`, an `if`, a part of a
list ([[...]], which must have given an item) or an [[ignore]].
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from canonical import DOCUMENTS
from hub.mapping.cases import cases_of, mappings_of
from hub.mapping.catalog import Catalog
from hub.mapping.expression import Expression
from hub.mapping.known import Known
from hub.mapping.labels import bare, section_of
from hub.mapping.provenance import Path
from hub.mapping.reading import HUB_FIELDS
from hub.mapping.rows import MappingFile, Object, Part, Row, Switch, Value
from hub.mapping.shape import Field, fields_of
from hub.mapping.source import Place
from hub.mapping.trace import Step, Trace, Tracer, trace_by

FIELD, ROW, BRANCH, WORD = "field", "row", "branch", "word"
PARTS = {FIELD: "fields", ROW: "rows", BRANCH: "branches", WORD: "words"}
_DEEP = 12


@dataclass(frozen=True, slots=True)
class Point:
    """Something that a case can meet. `label` is the field, or the table; `detail` the path, condition or word.

    A field counts once, however many rows may set it; everything else is told apart by its place.
    """

    what: str
    label: str
    detail: str = ""
    place: Place | None = None

    def as_dict(self, place: Place) -> dict[str, Any]:
        """JSON-ready, by the names that fit."""
        names = {FIELD: ("field", ""), ROW: ("field", "path"), BRANCH: ("field", "if"), WORD: ("table", "word")}
        label, detail = names[self.what]
        told = {label: self.label, **({detail: self.detail} if detail else {})}
        return {**told, "file": place.file, "line": place.line}


@dataclass(slots=True)
class Coverage:
    """What is met of one mapping. Give it the traces of its cases by `add`."""

    mapping: MappingFile
    records: int = 0
    points: dict[Point, Place] = field(default_factory=dict)
    """All there is, and where it is written."""
    met: set[Point] = field(default_factory=set)
    shared: dict[str, set[str]] = field(default_factory=dict)
    """Words of shared tables that were looked up, by table."""
    paths: dict[Path, int] = field(default_factory=dict)
    """Every path of the records that this mapping took that holds a value, with how many records have it."""

    def __post_init__(self) -> None:
        for point, place in _points(self.mapping):
            self.points.setdefault(point, place)

    def add(self, trace: Trace) -> None:
        """Count one record. Those that another mapping took count for rows that the two share."""
        found = set(_met(trace))
        self.met |= found & self.points.keys()
        for step in trace.steps:
            if isinstance(step.row, Value) and _is_shared(step.row):
                words = self.shared.setdefault(step.row.table_name, set())
                words.update(read.word for read in step.reads if read.word_place is not None)
        if trace.mapping is not None and trace.mapping.full_name == self.mapping.full_name:
            self.records += 1
            for path in set(_leaves(trace.record, ())):
                self.paths[path] = self.paths.get(path, 0) + 1

    @property
    def percent(self) -> float:
        """Met of all, rounded down to a tenth: 100.0 means all of it. A mapping without anything to meet has all."""
        total = len(self.points)
        return (1000 * len(self.met) // total) / 10 if total else 100.0

    def report(self) -> dict[str, Any]:
        """JSON-ready: counts, and what is missing with its place."""
        counts, missing = {}, {}
        for what, name in PARTS.items():
            all_of = [p for p in self.points if p.what == what]
            counts[name] = {"met": sum(p in self.met for p in all_of), "of": len(all_of)}
            missing[name] = [p.as_dict(self.points[p]) for p in all_of if p not in self.met]
        return {
            "mapping": self.mapping.full_name,
            "version": self.mapping.version,
            "records": self.records,
            "percent": self.percent,
            **counts,
            "missing": missing,
            "unmapped": list(_unmapped(self.mapping, self.points)),
            "unread": self._unread(),
            "shared_tables": {name: len(words) for name, words in sorted(self.shared.items())},
        }

    def _unread(self) -> list[dict[str, Any]]:
        """Paths of the records that no rule reads: the topmost ones, with how many records have them."""
        known = Known([self.mapping])
        dropped = [tuple(bare(drop).split(".")) for drop in self.mapping.drops]
        carried = {p: n for p, n in self.paths.items() if not any(p[: len(d)] == d for d in dropped)}
        unread = {path: count for path, count in carried.items() if not known.rows(path)}
        read = {path[:n] for path in self.paths.keys() - unread.keys() for n in range(len(path) + 1)}
        tops: dict[Path, int] = {}
        for path, count in unread.items():
            top = next(path[: n + 1] for n in range(len(path)) if path[: n + 1] not in read)
            tops[top] = max(count, tops.get(top, 0))
        return [{"path": ".".join(path), "records": count} for path, count in sorted(tops.items())]


def coverage_of(catalog: Catalog, names: list[str]) -> list[Coverage]:
    """What the cases beside them meet of these mappings, by their full names."""
    found = [Coverage(catalog.mapping(name)) for name in names]
    tracers: dict[str, Tracer] = {}
    for folder, kind in dict.fromkeys((c.mapping.full_name.rpartition("/")[0], c.mapping.kind) for c in found):
        mine = [c for c in found if c.mapping.full_name.startswith(f"{folder}/") and c.mapping.kind == kind]
        for case, of in cases_of(catalog, folder):
            if case.wrong or of != kind:
                continue
            sharing = mappings_of(catalog, case, kind)
            for mapping in sharing:
                tracers.setdefault(mapping.full_name, Tracer(mapping))
            trace = trace_by([tracers[m.full_name] for m in sharing], case.data["given"])
            for coverage in mine:
                coverage.add(trace)
    return found


_Placed = Iterator[tuple[Point, Place]]


def _points(mapping: MappingFile) -> _Placed:
    rules = mapping.raw.get("ignore", [])
    for (condition, why), rule in zip(mapping.ignore, rules, strict=False):
        yield Point(BRANCH, f"ignore: {why}", condition.text, rule.at("if")), rule.at("if")
    yield from _row_points(mapping.body)


def _row_points(row: Row) -> _Placed:
    label = _plain(row.label)
    if isinstance(row, Value):
        yield Point(FIELD, label), row.place
        yield _row(row), row.place
        for word in () if _is_shared(row) else row.table or ():
            yield _word(row, word), row.table_places.get(word, row.place)
    elif isinstance(row, Switch):
        for condition, inner in row.branches:
            yield _branch(label, condition, inner.place), inner.place
            yield from _row_points(inner)
    elif isinstance(row, Object):
        yield from _object_points(row, label)
    else:
        for part in row.parts:
            yield _part(label, part), part.object.place
            yield from _row_points(part.object)


def _object_points(row: Object, label: str) -> _Placed:
    if row.condition is not None:
        yield _branch(label, row.condition, row.place), row.place
    for condition, _ in row.variants:
        yield _branch(label, condition, row.place), row.place
    # behind an else the rows without a branch never hold
    whole = [] if any(condition is None for condition, _ in row.variants) else row.rows
    for _, inner in [*whole, *(pair for _, rows in row.variants for pair in rows)]:
        yield from _row_points(inner)


def _met(trace: Trace) -> Iterator[Point]:
    for asked, why in trace.ignores:
        if asked.holds:
            yield Point(BRANCH, f"ignore: {why}", asked.text, asked.place)
    if trace.mapping is not None and trace.branch is not None:
        yield from _met_variant(trace.mapping.body, trace.branch)
    for step in trace.steps:
        yield from _met_by(step)


def _met_by(step: Step) -> Iterator[Point]:
    row, label = step.row, _plain(step.row.label)
    if isinstance(row, Value):
        yield from _met_value(step, row)
    elif isinstance(row, Switch) and step.branch is not None:
        condition, inner = row.branches[step.branch]
        yield _branch(label, condition, inner.place)
    elif isinstance(row, Object):
        if row.condition is not None and step.asked and step.asked[0].holds:
            yield _branch(label, row.condition, row.place)
        yield from _met_variant(row, step.branch)
    yield from (_part(label, part.part) for part in step.parts if part.count > len(part.dropped))


def _met_value(step: Step, row: Value) -> Iterator[Point]:
    yield _row(row)
    if step.value is not None:
        yield Point(FIELD, _plain(row.label))
    yield from (_word(row, read.word) for read in step.reads if read.word_place is not None)


def _met_variant(row: Object, branch: int | None) -> Iterator[Point]:
    if branch is not None:
        yield _branch(_plain(row.label), row.variants[branch][0], row.place)


def _plain(label: str) -> str:
    """A label as the mapping has it; a list and its items are one."""
    return label.removesuffix("[]")


def _row(row: Value) -> Point:
    return Point(ROW, _plain(row.label), row.path.text if row.path else "", row.place)


def _branch(label: str, condition: Expression | None, place: Place) -> Point:
    return Point(BRANCH, label, condition.text if condition else "else", place)


def _part(label: str, part: Part) -> Point:
    each = f"each {part.each.text}" if part.each else "always"
    return Point(BRANCH, label, part.condition.text if part.condition else each, part.object.place)


def _word(row: Value, word: str) -> Point:
    return Point(WORD, row.table_name, word, row.table_places.get(word, row.place))


def _is_shared(row: Value) -> bool:
    return row.table is not None and "/tables/" in f"/{row.table_file}"


def _unmapped(mapping: MappingFile, points: dict[Point, Place]) -> Iterator[str]:
    """Canonical fields that no row sets; nothing for destinations, where `drops` is for that."""
    if mapping.outward:
        return
    set_ = {bare(p.label).removeprefix(f"{section_of(mapping)}.") for p in points if p.what == FIELD}
    yield from _unset(fields_of(DOCUMENTS[mapping.kind]), "", set_)


def _unset(fields: Any, before: str, set_: set[str]) -> Iterator[str]:
    for name, known in fields.items():
        here = before + name
        if known.computed or here in set_ or (not before and name in HUB_FIELDS):
            continue
        inside = any(label.startswith(f"{here}.") for label in set_)
        if inside and isinstance(known, Field) and known.model is not None:
            yield from _unset(fields_of(known.model), f"{here}.", set_)
        elif not inside:
            yield here


def _leaves(value: Any, path: Path) -> Iterator[Path]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if len(path) < _DEEP:
                yield from _leaves(inner, (*path, str(key)))
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner, path)
    elif value is not None and value != "" and path:
        yield path
