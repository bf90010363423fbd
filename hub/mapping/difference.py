"""What two versions of a mapping make of the same input, and the sum of that over many.

Everything that is kept is bounded: the count of fields and problems, the samples of each, the length of a sample.
Values of personal fields are shown as what kind of thing they are.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import orjson

from canonical.fields import Document
from canonical.personal import personal_paths
from canonical.problem import Problem
from canonical.serialise import dump_json
from hub.mapping.reads import reads_of
from hub.mapping.rows import MappingFile
from hub.mapping.telling import described

SAMPLES = 3
"""Samples kept of each changed field and of each problem."""
MOST_KEYS = 300
"""Fields and problems told apart; what comes after them is summed up under OTHERS."""
OTHERS = "(others)"
IGNORED = "(ignored)"
"""Stands for the field where a record became a document by one version and is ignored by a rule in the other."""
_IDENTITIES = ("line_no", "id", "sku")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one version made of one input: a document (a model, or JSON data), or problems, or neither: `ignored`."""

    document: Any = None
    problems: Sequence[Problem] = ()
    ignored: str = ""


@dataclass(slots=True)
class Tally:
    """How many inputs something happened to, with some of them."""

    count: int = 0
    samples: list[dict[str, Any]] = field(default_factory=list)

    def another(self) -> bool:
        """One more; whether a sample of it is wanted."""
        self.count += 1
        return len(self.samples) < SAMPLES


@dataclass(slots=True)
class Report:
    """Old against new over many inputs. compared = unchanged + changed + failing + mended + still_failing.

    `fields`: path -> what became of it in changed documents. `problems` and `solved`: "code rule" -> the problems that
    are new and those that are gone. `letters`: open dead letters, and how many of them the new version would mend.
    `unreadable`: stored inputs that are not JSON. `skipped`: passed over by a shadow that had fallen behind.
    """

    name: str
    old: str
    new: str
    compared: int = 0
    unchanged: int = 0
    changed: int = 0
    failing: int = 0
    mended: int = 0
    still_failing: int = 0
    unreadable: int = 0
    skipped: int = 0
    fields: dict[str, Tally] = field(default_factory=dict)
    problems: dict[str, Tally] = field(default_factory=dict)
    solved: dict[str, Tally] = field(default_factory=dict)
    shops: dict[str, int] = field(default_factory=dict)
    letters: dict[str, int] = field(default_factory=lambda: {"open": 0, "mended": 0})

    @property
    def worse(self) -> bool:
        """Whether what was a document no longer is one."""
        return self.failing > 0

    def as_dict(self) -> dict[str, Any]:
        """As JSON data, what happens most first."""
        data = asdict(self)
        for key in ("fields", "problems", "solved"):
            data[key] = dict(sorted(data[key].items(), key=lambda item: (-item[1]["count"], item[0])))
        return data

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Report":
        """The report that was kept by `as_dict`, to go on with."""
        tallies = {key: {k: Tally(**v) for k, v in data[key].items()} for key in ("fields", "problems", "solved")}
        return cls(**{**data, **tallies})


class Comparison:
    """Sums up pairs of outcomes in a Report. `personal` tells whether a path of the document holds personal data."""

    def __init__(self, report: Report, personal: Callable[[str], bool]) -> None:
        self.report = report
        self._personal = personal

    def add(self, old: Outcome, new: Outcome, where: dict[str, Any]) -> None:
        """One more input; `where` says which it was, for the samples: message id, shop, key."""
        report = self.report
        report.compared += 1
        if new.problems and not old.problems:
            report.failing += 1
            self._told(report.problems, new.problems, where)
        elif old.problems and not new.problems:
            report.mended += 1
            self._told(report.solved, old.problems, where)
        elif new.problems:
            report.still_failing += 1
        elif self._changed(old, new, where):
            report.changed += 1
        else:
            report.unchanged += 1

    def _changed(self, old: Outcome, new: Outcome, where: dict[str, Any]) -> bool:
        if old.document is None or new.document is None:
            if old.document is new.document:
                return False
            tally = _at(self.report.fields, IGNORED)
            if tally.another():
                tally.samples.append({**where, "old": _fate(old), "new": _fate(new)})
            return True
        if isinstance(old.document, Document) and old.document == new.document:
            return False
        seen: set[str] = set()
        for path, before, after in changes(_data(old.document), _data(new.document)):
            if path in seen:
                continue
            seen.add(path)
            tally = _at(self.report.fields, path)
            if tally.another():
                shown = (described(value, personal=self._personal(path)) for value in (before, after))
                tally.samples.append({**where, **dict(zip(("old", "new"), shown, strict=True))})
        return bool(seen)

    def _told(self, tallies: dict[str, Tally], problems: Sequence[Problem], where: dict[str, Any]) -> None:
        for key, problem in {f"{p.code} {_unplaced(p.rule)}": p for p in problems}.items():
            tally = _at(tallies, key)
            if tally.another():
                tally.samples.append({**where, **problem.as_dict()})


def changes(old: Any, new: Any, at: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Every field in which two documents (JSON data) differ: its path, both values.

    Items of lists are told apart by line_no, id or sku where that is unique, else by their position; positions are no
    part of a path. Null and absent are the same.

    >>> list(changes({"no": "1", "lines": [{"sku": "A", "n": 1}]}, {"no": "1", "lines": [{"sku": "A", "n": 2}]}))
    [('lines[].n', 1, 2)]
    """
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(k for k in new if k not in old)]:
            yield from changes(old.get(key), new.get(key), f"{at}.{key}" if at else str(key))
    elif isinstance(old, list) and isinstance(new, list):
        for before, after in _pairs(old, new):
            yield from changes(before, after, f"{at}[]")
    elif type(old) is not type(new) or old != new:
        yield at, old, new


def personal_fields(mapping: MappingFile) -> Callable[[str], bool]:
    """Whether a path of what a mapping makes is personal, or holds or lies in what is.

    Of a canonical document the model tells it; of a destination's body, the rows that read personal data.
    """
    if mapping.outward:
        rows = (entry.row for entry in reads_of(mapping).rows)
        labels = {row.label.partition(".")[2] for row in rows if row is not None and row.target.personal}
    else:
        labels = set(personal_paths(mapping.kind))
    known = [path.replace("[]", "") for path in labels]
    cache: dict[str, bool] = {}

    def personal(path: str) -> bool:
        if path not in cache:
            bare = path.replace("[]", "")
            cache[path] = any(bare == p or bare.startswith(f"{p}.") or p.startswith(f"{bare}.") for p in known)
        return cache[path]

    return personal


def _pairs(old: list[Any], new: list[Any]) -> Iterator[tuple[Any, Any]]:
    for name in _IDENTITIES:
        before, after = _by(name, old), _by(name, new)
        if before is None or after is None:
            continue
        if len(before) != len(after) or before.keys() & after.keys():
            yield from ((before.get(key), after.get(key)) for key in [*before, *(k for k in after if k not in before)])
            return
    for index in range(max(len(old), len(new))):
        yield old[index] if index < len(old) else None, new[index] if index < len(new) else None


def _by(name: str, items: list[Any]) -> dict[Any, Any] | None:
    """Items by a field that all have and no two share."""
    if not all(isinstance(item, dict) and isinstance(item.get(name), (str, int)) for item in items):
        return None
    found = {item[name]: item for item in items}
    return found if len(found) == len(items) else None


def _fate(outcome: Outcome) -> str:
    return "a document" if outcome.document is not None else f"ignored: {outcome.ignored}"


def _data(document: Any) -> Any:
    return orjson.loads(dump_json(document)) if isinstance(document, Document) else document


def _at(tallies: dict[str, Tally], key: str) -> Tally:
    if key not in tallies and len(tallies) >= MOST_KEYS:
        key = OTHERS
    return tallies.setdefault(key, Tally())


def _unplaced(rule: str) -> str:
    """A rule without the positions of list items: what is wrong with every line is one finding."""
    parts = rule.split("[")
    return parts[0] + "".join(f"[]{part.partition(']')[2]}" for part in parts[1:])
