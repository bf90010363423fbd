"""Why a field has its value: told from a trace, as JSON-ready data and as lines for people."""

import difflib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from canonical import DOCUMENTS
from canonical.errors import HubError
from hub.mapping.labels import all_rows, bare, field_names, label_of, plain, section_of
from hub.mapping.reading import HUB_FIELDS
from hub.mapping.reasons import why_false, why_null
from hub.mapping.rows import Listing, Object, Row, Switch, Value
from hub.mapping.shape import Field, fields_of
from hub.mapping.source import Place
from hub.mapping.telling import described
from hub.mapping.trace import Asked, Step, Trace
from hub.masking import is_sensitive

MASK = "***"


class UnknownField(HubError):
    """The mapping makes no such field, and the canonical document has none."""

    code = "explain.unknown_field"


@dataclass(slots=True)
class Explanation:
    """Why one field is what it is. JSON-ready by `as_dict`, which leaves out what says nothing.

    `rule` is the row that made it, `branches` the conditions that were asked (outermost first), `read` what the row
    read, `why` a sentence: for null always, for other values where there is more to say than the row does.
    """

    name: str
    value: Any = None
    why: str = ""
    rule: dict[str, Any] | None = None
    branches: list[dict[str, Any]] = field(default_factory=list)
    read: list[dict[str, Any]] = field(default_factory=list)
    constant: bool = False
    conversion: dict[str, Any] | None = None
    default: Any = None
    items: dict[str, Any] | None = None
    inside: list[dict[str, Any]] = field(default_factory=list)
    problems: list[dict[str, Any]] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Without what says nothing; `field`, `value` and `why` always."""
        told = {name: getattr(self, name) for name in self.__slots__ if name not in ("name", "value", "why")}
        said = {name: value for name, value in told.items() if value not in (None, [], False)}
        return {"field": self.name, "value": self.value, "why": self.why, **said}


def explain(trace: Trace, name: str, *, masked: bool = False) -> Explanation:
    """Why a field ("lines[0].amount", "order.lines[0].amount") is what it is. Raises UnknownField with the nearest.

    `masked` hides personal values: for messages that are not the reader's own file.
    """
    return _Explainer(trace, masked).explain(name)


def overview(trace: Trace, *, masked: bool = False) -> list[dict[str, Any]]:
    """Every single field in the order of the document: field, value, file, line, path, raw."""
    return _Explainer(trace, masked).overview()


class _Explainer:
    def __init__(self, trace: Trace, masked: bool) -> None:
        self._trace = trace
        self._masked = masked
        self._section = section_of(trace.mapping) if trace.mapping else ""

    def explain(self, name: str) -> Explanation:
        trace = self._trace
        if trace.mapping is None:
            why = "; ".join(f"{m.file}: accepts {a.text} is false" for m, a in trace.accepts)
            return Explanation(name, None, f"no mapping takes this record: {why}")
        label = label_of(name, self._section)
        label = self._placed(label)
        if trace.ignored:
            [asked] = [a for a, _ in trace.ignores if a.holds]
            told = Explanation(label, None, f"the record is ignored: {trace.ignored}", rule=_rule(asked.place))
            told.branches.append(self._condition(asked))
            return told
        steps = trace.of(label)
        return self._of_steps(label, steps) if steps else self._of_none(label)

    def overview(self) -> list[dict[str, Any]]:
        rows: dict[str, dict[str, Any]] = {}
        for step in self._trace.steps:
            if not isinstance(step.row, Value):
                continue
            read = step.reads[0] if step.reads else None
            label = step.label.removeprefix(f"{self._section}.")
            rows[label] = {
                "field": label,
                "value": self._shown(self._found(step.label, step), step.row),
                "file": step.place.file,
                "line": step.place.line,
                "path": step.row.path.text if step.row.path else "",
                "raw": self._raw(read.raw, step.row) if read else None,
            }
        return list(rows.values())

    def _of_steps(self, label: str, steps: list[Step]) -> Explanation:
        last = steps[-1]
        told = Explanation(label, self._shown(self._found(label, last), last.row), rule=_rule(last.place))
        told.branches = [b for step in steps for b in self._branches(step)]
        told.problems = [p.as_dict() for step in steps for p in step.problems]
        if isinstance(last.row, Value):
            self._value(told, last, last.row)
        elif isinstance(last.row, Listing):
            told.items = self._list(last)
        if isinstance(last.row, (Object, Listing)):
            inner = self.overview()
            short = label.removeprefix(f"{self._section}.")
            told.inside = [row for row in inner if row["field"].startswith((f"{short}.", f"{short}["))]
        self._default(told, steps)
        told.why = self._why(told, steps)
        return told

    def _default(self, told: Explanation, steps: list[Step]) -> None:
        for step in steps:
            row = step.row
            if isinstance(row, (Value, Switch)) and row.default is not None and told.value is not None:
                inner = steps[-1].converted if isinstance(steps[-1].row, Value) else None
                taken = step.defaulted if isinstance(row, Value) else inner is None and step.branch is None
                if taken:
                    told.default = plain(row.default)

    def _why(self, told: Explanation, steps: list[Step]) -> str:
        problem = next((p for step in steps for p in step.problems), None)
        if problem is not None:
            return f"problem {problem.code}: found {problem.found}, expected {problem.expected}"
        if told.default is not None:
            return f"the default, because {why_null(steps, self._hide)}"
        if told.value not in (None, []):
            return ""
        failed = next((p for p in self._trace.problems if p.rule.endswith(f": {told.name}")), None)
        if failed is not None:
            told.problems.append(failed.as_dict())
            return f"problem {failed.code}: found {failed.found}, expected {failed.expected}"
        if steps[-1].value not in (None, []):
            return "the record gives no document, because of problems elsewhere: " + _codes(self._trace)
        return why_null(steps, self._hide)

    def _value(self, told: Explanation, step: Step, row: Value) -> None:
        told.constant = row.path is None
        for read in step.reads:
            entry: dict[str, Any] = {"path": row.path.text if row.path else "", "raw": self._raw(read.raw, row)}
            if row.source != "item":
                entry["from"] = row.source
            if read.position is not None:
                entry["item"] = read.position
            if read.error:
                entry["error"] = read.error
            if read.absent:
                entry["absent"] = True
            if row.table is not None and read.word:
                entry["table"] = self._table(row, read.word, read.word_place)
            for name, text, value in read.operands:
                operand = {"as": name, "path": text, "raw": self._raw(value, row)}
                entry.setdefault("operands", []).append(operand)
            told.read.append(entry)
        if row.each is not None:
            told.items = {"each": row.each.text, "items": len(step.reads) + len(step.dropped)}
            told.items["dropped"] = [{"item": at, **self._condition(asked)} for at, asked in step.dropped]
        if row.path is not None and row.table is None and row.as_ not in ("raw", "list"):
            told.conversion = {"as": row.as_, **_settings(row), "to": self._shown(step.converted, row)}

    def _table(self, row: Value, word: str, place: Place | None) -> dict[str, Any]:
        value = (row.table or {}).get(word)
        entry = {"name": row.table_name, "word": self._raw(word, row), "value": plain(value)}
        return {**entry, "file": place.file if place else row.table_file, "line": place.line if place else None}

    def _list(self, step: Step) -> dict[str, Any]:
        parts = []
        for part in step.parts:
            entry: dict[str, Any] = {"rule": _rule(part.part.object.place), "items": part.count - len(part.dropped)}
            if part.part.each is not None:
                entry["each"] = part.part.each.text
            if part.asked is not None:
                entry["if"] = self._condition(part.asked)
            if part.dropped:
                entry["dropped"] = [{"item": at, **self._condition(asked)} for at, asked in part.dropped]
            parts.append(entry)
        return {"items": len(step.value or []), "parts": parts}

    def _branches(self, step: Step) -> Iterator[dict[str, Any]]:
        for asked in step.asked:
            yield self._condition(asked)

    def _condition(self, asked: Asked) -> dict[str, Any]:
        told = {"if": asked.text or "else", "holds": asked.holds, "file": asked.place.file, "line": asked.place.line}
        if asked.error:
            return {**told, "error": asked.error}
        read = why_false(asked, self._hide)
        return {**told, "read": read} if read else told

    def _of_none(self, label: str) -> Explanation:
        """A field for which no row ran."""
        known = self._known(label)
        name = label.removeprefix(f"{self._section}.")
        told = Explanation(label, self._found(label, None))
        if self._hub_sets(label, known):
            told.why = "the hub itself sets this field" if not known or not known.computed else "computed from the rest"
            return told
        rows = [row for row in all_rows(self._trace.mapping.body) if bare(row.label) == bare(label)]  # type: ignore[union-attr]  # asked before
        above = self._above(label)
        if above is not None and isinstance(above.row, Value):
            told = self._of_steps(above.label, self._trace.of(above.label))
            told.name, told.value = label, self._shown(self._found(label, None), above.row)
            told.why = f"a part of {above.label}"
            return told
        if rows:
            told.rule = _rule(rows[0].place)
            told.why = self._not_run(label, above)
        elif known is not None:
            told.why = "no row sets it"
            if above is not None and above.value is None and above.label != self._section:
                told.why += f"; {above.label} is null"
        else:
            self._refuse(name)
        return told

    def _not_run(self, label: str, above: Step | None) -> str:
        if above is None:
            return "its row is in a branch that was not taken: " + self._taken(self._trace.asked)
        if isinstance(above.row, Listing):
            return f"{above.label} has {len(above.value or [])} item(s)" + (
                f": {why_null([above], self._hide)}" if not above.value else ""
            )
        failed = [a for a in above.asked if not a.holds]
        if above.value is None and failed and isinstance(above.row, Object) and above.row.condition is not None:
            return f"{above.label} is null: {why_null([above], self._hide)}"
        return "its row is in a branch that was not taken: " + self._taken(above.asked)

    def _taken(self, asked: list[Asked]) -> str:
        texts = [f"{a.text or 'else'} is {'true' if a.holds else 'false'}" for a in asked]
        return "; ".join(texts) or "no condition was asked"

    def _above(self, label: str) -> Step | None:
        """The nearest row that ran for something that the field lies in."""
        while "." in label or label.endswith("]"):
            label = label.rpartition("[")[0] if label.endswith("]") else label.rpartition(".")[0]
            if steps := self._trace.of(label):
                return steps[-1]
        return None

    def _placed(self, label: str) -> str:
        """With the first position for lists that were named without one."""
        if self._trace.of(label):
            return label
        have = {bare(step.label): step.label for step in reversed(self._trace.steps)}
        return have.get(label, label) if "[" not in label else label

    def _hub_sets(self, label: str, known: Field | None) -> bool:
        top = label.count(".") == 1 and label.rpartition(".")[2] in HUB_FIELDS
        return known is not None and (known.computed or (top and not self._outward))

    @property
    def _outward(self) -> bool:
        return self._trace.mapping is not None and self._trace.mapping.outward

    def _known(self, label: str) -> Field | None:
        """The canonical field of a label, None where there is none of that name."""
        if self._trace.mapping is None or self._outward:
            return None
        found: Field | None = None
        fields = fields_of(DOCUMENTS[self._trace.mapping.kind])
        for name in bare(label).split(".")[1:]:
            found = fields.get(name)
            if found is None:
                return None
            fields = fields_of(found.model) if found.model else {}
        return found

    def _refuse(self, name: str) -> None:
        mapping = self._trace.mapping
        names = list(field_names(mapping.kind)) if mapping is not None and not mapping.outward else []
        # what ran comes last, and is preferred
        names += [bare(step.label).removeprefix(f"{self._section}.") for step in self._trace.steps]
        near = _nearest(bare(name), names)
        hint = f"Did you mean {near}?" if near else "Without --field all fields are listed."
        raise UnknownField(f"there is no field {name!r}", hint=hint)

    def _found(self, label: str, step: Step | None) -> Any:
        """The value as the document has it; where there is no document, what the row gave."""
        document = self._trace.document
        if document is None:
            return plain(step.value) if step else None
        for name, position in _PARTS.findall(label.removeprefix(self._section)):
            try:
                document = document[int(position)] if position else document[name]
            except (KeyError, IndexError, TypeError):
                return None
        return document

    def _shown(self, value: Any, row: Row) -> Any:
        if self._masked and row.target.personal and value not in (None, ""):
            return MASK
        return plain(value) if not self._masked or not isinstance(value, (dict, list)) else described(value)

    def _raw(self, value: Any, row: Row) -> Any:
        if not self._masked:
            return plain(value)
        if isinstance(value, (dict, list)) or (row.target.personal and value not in (None, "")):
            return described(value, personal=True)
        return plain(value)

    def _hide(self, path: str, value: Any) -> str:
        """A value that a condition read, as it may be shown."""
        text = value if isinstance(value, str) else str(value)
        known = isinstance(value, (dict, list)) or (_WORD.fullmatch(text) and sum(c.isdigit() for c in text) <= 6)
        hidden = self._masked and (not known or any(is_sensitive(name) for name in re.findall(r"\w+", path)))
        return described(plain(value), personal=hidden)


_WORD = re.compile(r"[A-Za-z0-9_.:+-]{0,40}")
"""What may be shown of a value that only a condition reads, where personal data is hidden."""
_PARTS = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")


def _nearest(name: str, names: Sequence[str]) -> str:
    """The nearest of the fields' names, by the whole name or else by its last part; "" where none is near."""
    last = {known.rpartition(".")[2]: known for known in names}
    for given, known in ((name, {n: n for n in names}), (name.rpartition(".")[2], last)):
        near = difflib.get_close_matches(given, sorted(known), 1, 0.75)
        if near:
            return known[near[0]]
    return ""


def in_short(told: Explanation) -> str:
    """One line about what made a field: rule, branch, path, raw value."""
    if told.rule is None:
        return told.why
    parts = [f"{told.rule['file']}:{told.rule['line']}"]
    taken = next((b["if"] for b in reversed(told.branches) if b["holds"]), None)
    if taken:
        parts.append(f"branch {taken}")
    for read in told.read[:1]:
        parts.append(f"path {read['path']} = {described(read['raw'])}")
        if "table" in read:
            word = read["table"]
            value = word["value"] if word["line"] else f"not in {word['file']}"
            parts.append(f"table {word['name']}: {word['word']} -> {value}")
    if told.constant:
        parts.append("a constant")
    return ", ".join([*parts, told.why] if told.why else parts)


def _rule(place: Place) -> dict[str, Any]:
    return {"file": place.file, "line": place.line, "key": place.key}


def _settings(row: Value) -> dict[str, str]:
    told: dict[str, Callable[[], dict[str, str]]] = {
        "money": lambda: {"unit": row.unit},
        "time": lambda: {"zone": row.zone, **({"format": row.pattern} if row.pattern else {})},
        "words": lambda: {"separator": row.separator},
    }
    return told[row.as_]() if row.as_ in told else {}


def _codes(trace: Trace) -> str:
    return ", ".join(dict.fromkeys(f"{p.code} ({p.rule})" for p in trace.problems)) or "none"
