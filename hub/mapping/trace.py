"""A record's way through a mapping, row by row: what was asked, what was read, what became of it, and where it says so.

It is the plain interpreter that runs, with an observer around every row; whatever an observer notes beside the value
(raw values, conditions) it reads once more from the same data, for expressions have no effects.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from canonical.problem import Problem
from canonical.serialise import dump_json
from hub.mapping.expression import EVALUATION_ERRORS, Expression, is_true
from hub.mapping.functions import Unfit, as_word
from hub.mapping.rendering import Rendering
from hub.mapping.rows import Listing, MappingFile, Object, Part, Row, Switch, Value
from hub.mapping.run import Build, Frame, Run, scope_of
from hub.mapping.source import Place
from hub.mapping.telling import described, located
from hub.mapping.translation import Compiled
from hub.mapping.values import compile_value, items_of

OWN = {"tenant": "default", "shop": "shop", "channel": "channel"}
"""What stands in the hub's own fields unless told."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A condition and its answer. `text` is "" for an else; `error` says why it could not be answered."""

    text: str
    holds: bool
    place: Place
    scope: Any = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Read:
    """What one value row read. With `each`, one for every item that was kept; `position` is the item's."""

    raw: Any = None
    error: str = ""
    absent: bool = False
    """The raw value is one of those that mean: not set."""
    word: str = ""
    word_place: Place | None = None
    """The table's word that was looked up, and where the table has it (None where it has none)."""
    operands: list[tuple[str, str, Any]] = field(default_factory=list)
    """times, divide, plus and minus: which, expression, value."""
    scope: Any = None
    position: int | None = None


@dataclass(frozen=True, slots=True)
class Ranged:
    """What one part of a list made: of how many items, which were dropped by `where`, from which position on."""

    part: Part
    number: int
    asked: Asked | None = None
    count: int = 0
    dropped: list[tuple[int, Asked]] = field(default_factory=list)
    source: Any = None


@dataclass(slots=True)
class Step:
    """One row that ran. `label` has the positions filled in: order.lines[0].amount; `value` is the final one."""

    label: str
    row: Row
    scope: Any = None
    value: Any = None
    asked: list[Asked] = field(default_factory=list)
    """The conditions that were asked, in order; the last one that holds is the branch taken."""
    branch: int | None = None
    reads: list[Read] = field(default_factory=list)
    dropped: list[tuple[int, Asked]] = field(default_factory=list)
    converted: Any = None
    """The value before `default` and `distinct`."""
    parts: list[Ranged] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    @property
    def place(self) -> Place:
        """Where the row is written."""
        return self.row.place

    @property
    def defaulted(self) -> bool:
        """Whether the row's default stood in for null."""
        row = self.row
        has = isinstance(row, (Value, Switch)) and row.default is not None
        return has and self.converted is None and not self.problems and self.value is not None


@dataclass(slots=True)
class Trace:
    """A record's way. `mapping` is the one that took it, None where none did. `document` is the result as JSON data,
    None where there is none: then `problems` or `ignored` say why."""

    mapping: MappingFile | None
    record: Any = None
    accepts: list[tuple[MappingFile, Asked]] = field(default_factory=list)
    ignores: list[tuple[Asked, str]] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    """The branches of the whole document that were asked."""
    branch: int | None = None
    steps: list[Step] = field(default_factory=list)
    document: Any = None
    problems: list[Problem] = field(default_factory=list)
    ignored: str = ""
    key: str = ""

    def of(self, label: str) -> list[Step]:
        """The rows that ran for a field, outermost first."""
        return [step for step in self.steps if step.label == label]


class Tracer:
    """Runs records through one mapping and notes what happens. Compiled once, for many records."""

    def __init__(self, mapping: MappingFile) -> None:
        self.mapping = mapping
        self._steps: list[Step] = []
        self._made = Rendering(mapping, self._watch) if mapping.outward else Compiled(mapping, self._watch)

    def trace(self, record: Any, own: Mapping[str, str] = OWN) -> Trace:
        """One record (a destination's: one document, as JSON data). Never raises on data."""
        self._steps = []
        trace = Trace(self.mapping, record, steps=self._steps)
        if self.mapping.accepts is not None:
            trace.accepts.append((self.mapping, _ask(self.mapping.accepts, record, self.mapping.raw.at("accepts"))))
        if isinstance(self._made, Rendering):
            trace.document, trace.problems = self._made.render(record)
            trace.key = str(record.get("order_no") or "") if isinstance(record, dict) else ""
        else:
            made = self._made.translate(record, {**OWN, **own})
            document = made.document or made.draft
            trace.document = json.loads(dump_json(document)) if document is not None else None
            trace.problems, trace.ignored, trace.key = made.problems, made.ignored, made.key
        if isinstance(record, dict):
            self._decisions(trace, record)
        return trace

    def _decisions(self, trace: Trace, record: Any) -> None:
        body = self.mapping.body
        rules = self.mapping.raw.get("ignore", [])
        for (condition, why), rule in zip(self.mapping.ignore, rules, strict=False):
            trace.ignores.append((_ask(condition, record, rule.at("if")), why))
            if trace.ignores[-1][0].holds:
                return
        trace.asked, trace.branch = _branches([c for c, _ in body.variants], record, body.place)

    def _watch(self, row: Row, build: Build) -> Build:
        note = _noting(row, self.mapping)
        pick = scope_of("item" if isinstance(row, Listing) else row.source)

        def watched(frame: Frame) -> Any:
            scope = pick(frame)
            if scope is frame.run.document:
                scope = dict(scope)  # rows that run later add to it
            step = Step(located(row.label, frame.at), row, scope)
            self._steps.append(step)
            note(step, frame)
            before = len(frame.run.problems)
            step.value = build(frame)
            step.problems = frame.run.problems[before:]
            return step.value

        return watched


_Note = Callable[[Step, Frame], None]


def _noting(row: Row, mapping: MappingFile) -> _Note:
    """What is noted of a row before it runs."""
    if isinstance(row, Value):
        return _value(row, mapping)
    if isinstance(row, Switch):
        return _switch(row)
    return _object(row) if isinstance(row, Object) else _listing(row)


def _value(row: Value, mapping: MappingFile) -> _Note:
    probe = compile_value(replace(row, default=None, required=False, distinct=False), outward=mapping.outward)

    def note(step: Step, frame: Frame) -> None:
        if row.path is not None:
            step.reads = [_read(row, item, position) for position, item in _items(step, row)]
        run = Run(mapping, frame.run.root)
        run.currency, run.document = frame.run.currency, frame.run.document
        step.converted = probe(Frame(run, frame.item, frame.parent, frame.at))

    return note


def _items(step: Step, row: Value) -> Iterator[tuple[int | None, Any]]:
    """What the path is read on: the scope, or the items of `each` that `where` keeps."""
    if row.each is None:
        yield None, step.scope
        return
    found, _ = _search(row.each, step.scope)
    try:
        items = items_of(found) or []
    except Unfit:
        return
    for position, item in enumerate(items):
        asked = _ask(row.where, item, row.place) if row.where else None
        if asked is None or asked.holds:
            yield position, item
        else:
            step.dropped.append((position, asked))


def _switch(row: Switch) -> _Note:
    conditions, places = [c for c, _ in row.branches], [inner.place for _, inner in row.branches]

    def note(step: Step, frame: Frame) -> None:
        step.asked, step.branch = _branches(conditions, step.scope, row.place, places)

    return note


def _object(row: Object) -> _Note:
    conditions = [c for c, _ in row.variants]

    def note(step: Step, frame: Frame) -> None:
        if row.condition is not None:
            step.asked = [_ask(row.condition, step.scope, row.place)]
            if not step.asked[0].holds:
                return
        asked, step.branch = _branches(conditions, step.scope, row.place)
        step.asked += asked

    return note


def _listing(row: Listing) -> _Note:
    picks = [scope_of(part.source) for part in row.parts]

    def note(step: Step, frame: Frame) -> None:
        parts = enumerate(zip(row.parts, picks, strict=True))
        step.parts = [_ranged(part, number, pick(frame)) for number, (part, pick) in parts]

    return note


def traced(mappings: MappingFile | Sequence[MappingFile], record: Any, own: Mapping[str, str] = OWN) -> Trace:
    """A record's way through a mapping, or through those that share the work (Translator.mappings)."""
    if isinstance(mappings, MappingFile):
        return Tracer(mappings).trace(record, own)
    return trace_by(tracers_of(mappings), record, own)


def tracers_of(mappings: Sequence[MappingFile]) -> list[Tracer]:
    """For `trace_by`: one of each mapping."""
    return list({mapping.full_name: Tracer(mapping) for mapping in mappings}.values())


def trace_by(tracers: Sequence[Tracer], record: Any, own: Mapping[str, str] = OWN) -> Trace:
    """The same with tracers, for many records: the first whose mapping accepts the record takes it."""
    asked = []
    for tracer in tracers:
        mapping = tracer.mapping
        accepts = mapping.accepts
        if accepts is not None:
            asked.append((mapping, _ask(accepts, record, mapping.raw.at("accepts"))))
            if not asked[-1][1].holds:
                continue
        trace = tracer.trace(record, own)
        trace.accepts = asked
        return trace
    return Trace(None, record, asked)


def _search(expression: Expression, data: Any) -> tuple[Any, str]:
    """The value of an expression, or what is wrong with it on this data."""
    try:
        return expression.search(data), ""
    except EVALUATION_ERRORS as error:
        return None, str(error).partition("\n")[0] or type(error).__name__


def _ask(condition: Expression | None, scope: Any, place: Place) -> Asked:
    if condition is None:
        return Asked("", True, place, scope)
    value, error = _search(condition, scope)
    return Asked(condition.text, not error and is_true(value), place, scope, error)


def _branches(
    conditions: Sequence[Expression | None], scope: Any, place: Place, places: Sequence[Place] = ()
) -> tuple[list[Asked], int | None]:
    """The conditions up to the first that holds, and which one that is."""
    asked: list[Asked] = []
    for number, condition in enumerate(conditions):
        asked.append(_ask(condition, scope, places[number] if places else place))
        if asked[-1].holds:
            return asked, number
        if asked[-1].error:
            break
    return asked, None


def _read(row: Value, item: Any, position: int | None) -> Read:
    assert row.path is not None  # noqa: S101  # constants read nothing
    raw, error = _search(row.path, item)
    absent = isinstance(raw, (str, int, float)) and any(
        raw == known and isinstance(raw, bool) == isinstance(known, bool) for known in row.absent
    )
    word = ""
    if row.table is not None and raw is not None and not absent and not error:
        try:
            word = as_word(raw)
        except Unfit:
            word = described(raw)
    operands = [(name, e.text, _search(e, item)[0]) for name, e in _operands(row)]
    return Read(raw, error, absent, word, row.table_places.get(word) if word else None, operands, item, position)


def _operands(row: Value) -> Iterator[tuple[str, Expression]]:
    for name, several in (("times", [row.times]), ("divide", [row.divide]), ("plus", row.plus), ("minus", row.minus)):
        for expression in several:
            if expression is not None:
                yield name, expression


def _ranged(part: Part, number: int, scope: Any) -> Ranged:
    place = part.object.place
    asked = _ask(part.condition, scope, place) if part.condition is not None else None
    if asked is not None and not asked.holds:
        return Ranged(part, number, asked)
    if part.each is None:
        return Ranged(part, number, asked, 1)
    found, _ = _search(part.each, scope)
    try:
        items = items_of(found)
    except Unfit:
        items = None
    if items is None:
        return Ranged(part, number, asked, 0, source=found)
    answers = [_ask(part.where, item, place) for item in items] if part.where is not None else []
    dropped = [(position, answer) for position, answer in enumerate(answers) if not answer.holds]
    return Ranged(part, number, asked, len(items), dropped, found)
