"""Cases made from what really came: a record with invented people, and what has to become of it."""

from dataclasses import dataclass
from typing import Any

from canonical.errors import HubError
from hub.mapping.disguise import disguised, fake
from hub.mapping.rows import MappingFile
from hub.mapping.trace import Trace, trace_by, tracers_of

_HELD = (
    "kind", "state", "payment", "fulfilment", "cod", "type", "status", "amount", "currency", "totals",
    "lines", "holds", "payments",
)  # fmt: skip
"""What a case holds of a document; times, numbers, people and texts may change without being wrong."""
_HELD_OF_LINES = (
    "quantity", "unit_price", "discount", "amount", "tax", "shipped_quantity", "refund", "refunded_amount", "gift",
)  # fmt: skip
_HELD_OF_OTHERS = {"holds": ("code",), "payments": ("amount",)}


class NotRecordable(HubError):
    """The record cannot become a case as it is."""

    code = "mapping.not_recordable"
    hint = "Write the case by hand: the file's format is in docs/how-to/test-a-mapping.md."


@dataclass(frozen=True, slots=True)
class Recorded:
    """A case, and for which mapping. `name` is what its file may be called, without .json."""

    mapping: MappingFile
    case: dict[str, Any]
    name: str
    replaced: int


def recorded(mappings: list[MappingFile], record: Any, own: dict[str, str], *, why: str = "") -> Recorded:
    """Make a case of a record, for the mapping that takes it. Raises NotRecordable where disguising it changes what
    becomes of it: then something of a person decides about the document."""
    tracers = tracers_of(mappings)
    before = trace_by(tracers, record, own)
    given = disguised(record, mappings)
    after = trace_by(tracers, given, own)
    told, same = _outcome(after), _outcome(before)
    if told != same:
        raise NotRecordable(f"with invented people something else becomes of it: {_first_difference(same, told)}")
    mapping = after.mapping or mappings[0]
    case = {"why": why or "recorded: say here what it is about", "given": given, **told}
    if mapping.extends:
        case["mapping"] = mapping.name
    number = fake(before.key) if before.key else "record"
    slug = "".join(letter.lower() if letter.isalnum() and letter.isascii() else "-" for letter in number).strip("-")
    return Recorded(mapping, case, f"{mapping.kind}-{slug or 'record'}", _changed(record, given))


def _outcome(trace: Trace) -> dict[str, Any]:
    if trace.ignored:
        return {"ignored": trace.ignored}
    if trace.problems:
        return {"problems": [problem.code for problem in trace.problems]}
    outward = trace.mapping is not None and trace.mapping.outward
    return {"expect": _there(trace.document) if outward else _held(trace.document or {})}


def _held(document: dict[str, Any]) -> dict[str, Any]:
    expect: dict[str, Any] = {}
    for name in _HELD:
        value = document.get(name)
        if value is None or (value == [] and name != "holds"):
            continue
        if isinstance(value, list):
            inner = _HELD_OF_OTHERS.get(name, _HELD_OF_LINES)
            expect[name] = [{key: one[key] for key in inner if one.get(key) is not None} for one in value]
        else:
            expect[name] = _there(value)
    return expect


def _there(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: inner for name, one in value.items() if (inner := _there(one)) is not None}
    return [_there(one) for one in value] if isinstance(value, list) else value


def _first_difference(old: dict[str, Any], new: dict[str, Any]) -> str:
    for name in [*old, *new]:
        if old.get(name) != new.get(name):
            return f"{name} was {str(old.get(name))[:80]}, and is {str(new.get(name))[:80]}"
    return "nothing that can be told"


def _changed(old: Any, new: Any) -> int:
    """How many values were replaced."""
    if isinstance(old, dict):
        return sum(_changed(old[name], new[name]) for name in old)
    if isinstance(old, list):
        return sum(_changed(a, b) for a, b in zip(old, new, strict=True))
    return int(old != new)
