"""What a mapping reads of its input: which paths by which rows, and which of them go through a code table.

The input is a platform's record for a channel's mapping, the canonical document for a destination's. Paths are those of
hub.mapping.provenance: names of fields, lists leave no mark.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from hub.mapping.expression import Expression
from hub.mapping.provenance import ANY, DATA, Origin, Path, Uses, follow, taken, tested
from hub.mapping.rows import MappingFile, Object, Row, Switch, Value

_DOCUMENT = Origin(frozenset([("",)]))
"""Rows `from = "document"` read the canonical document: their paths begin with a name that no field has."""


@dataclass(slots=True)
class RowReads:
    """What one row uses. `label`: order.lines[].sku, or key, subject, accepts, ignore, currency for those of the file.

    `values`: the paths that its value is taken from; `made`: an expression made (a part of) it.
    """

    label: str
    row: Value | None = None
    uses: Uses = field(default_factory=Uses)
    values: frozenset[Path] = frozenset()
    made: bool = False

    def reads(self, path: Path) -> bool:
        """Whether it reads a path: itself, something below it, or a whole that it lies in."""
        uses = self.uses
        if any(covers(known, path) or covers(path, known) for known in uses.whole):
            return True
        return any(covers(path, known) for known in uses.tested)


@dataclass(slots=True)
class Reads:
    """Everything that a mapping reads, row by row. Rows whose label ends in "?" are conditions and loops."""

    rows: list[RowReads] = field(default_factory=list)

    def of(self, path: Path) -> list[str]:
        """Labels of what reads a path."""
        return list({entry.label: None for entry in self.rows if entry.reads(path)})

    def has(self, path: Path) -> bool:
        """Whether anything reads a path."""
        return any(entry.reads(path) for entry in self.rows)

    def tables(self, path: Path) -> list[Value]:
        """The rows that look a word from this path up in a code table."""
        return [e.row for e in self.rows if e.row is not None and e.row.table is not None and path in e.values]

    def words(self, path: Path) -> set[str]:
        """The text that expressions compare the value at a path with."""
        return set().union(*(e.uses.words.get(path, ()) for e in self.rows))

    def personal(self) -> set[Path]:
        """The paths whose values go into personal fields."""
        return {path for e in self.rows if e.row is not None and e.row.target.personal for path in e.uses.whole}


def reads_of(mapping: MappingFile) -> Reads:
    """Read a mapping's rows, conditions and loops."""
    reader = _Reader()
    reader.row(mapping.body, [DATA])
    named = [("key", mapping.key), ("subject", mapping.subject)]
    for label, expression in named:
        reader.value(label, [expression], DATA)
    conditions = [("accepts?", mapping.accepts), *(("ignore?", condition) for condition, _ in mapping.ignore)]
    for label, condition in conditions:
        reader.condition(label, condition, DATA)
    if not isinstance(mapping.currency, str):
        reader.row(mapping.currency, [DATA])
    return Reads(reader.found)


def covers(known: Path, path: Path) -> bool:
    """Whether a path is another or lies below it; "*" in either fits any name.

    >>> covers(("lines",), ("lines", "sku")), covers(("extra", "*"), ("extra", "gift", "no")), covers(("a",), ("b",))
    (True, True, False)
    """
    if len(known) > len(path):
        return False
    return all(k == p or ANY in (k, p) for k, p in zip(known, path, strict=False))


class _Reader:
    """Walks the rows; `scopes` is what the item of each loop is, outermost first."""

    def __init__(self) -> None:
        self.found: list[RowReads] = []

    def row(self, row: Row, scopes: list[Origin]) -> None:
        if isinstance(row, Value):
            self._value(row, scopes)
        elif isinstance(row, Switch):
            for condition, inner in row.branches:
                self.condition(f"{row.label}?", condition, self._scope(row.source, scopes))
                self.row(inner, scopes)
        elif isinstance(row, Object):
            self._object(row, scopes)
        else:
            for part in row.parts:
                here = self._scope(part.source, scopes)
                self.condition(f"{row.label}?", part.condition, here)
                item = here if part.each is None else self._each(f"{row.label}?", part.each, here)
                self.condition(f"{row.label}?", part.where, item)
                self._object(part.object, [*(scopes if part.each else scopes[:-1]), item])

    def condition(self, label: str, expression: Expression | None, here: Origin) -> None:
        if expression is not None:
            entry = RowReads(label)
            tested(follow(expression.tree, here, entry.uses), entry.uses)
            self._keep(entry)

    def value(
        self, label: str, expressions: Iterable[Expression | None], here: Origin, row: Value | None = None
    ) -> None:
        entry = RowReads(label, row)
        for number, expression in enumerate(expressions):
            if expression is not None:
                origin = taken(follow(expression.tree, here, entry.uses), entry.uses)
                entry.made |= origin.made or here.made
                if not number:
                    entry.values = origin.paths
        self._keep(entry)

    def _each(self, label: str, each: Expression, here: Origin) -> Origin:
        """What the items of a loop are. The list itself is not read: its items' rows say what is."""
        entry = RowReads(label)
        item = tested(follow(each.tree, here, entry.uses), entry.uses)
        self._keep(entry)
        return item

    def _object(self, row: Object, scopes: list[Origin]) -> None:
        here = self._scope(row.source, scopes)
        scopes = [*scopes[:-1], here]
        self.condition(f"{row.label}?", row.condition, here)
        for condition, rows in [(None, row.rows), *row.variants]:
            self.condition(f"{row.label}?", condition, here)
            for _, inner in rows:
                self.row(inner, scopes)

    def _value(self, row: Value, scopes: list[Origin]) -> None:
        here = self._scope(row.source, scopes)
        if row.each is not None:
            here = self._each(f"{row.label}?", row.each, here)
            self.condition(f"{row.label}?", row.where, here)
        self.value(row.label, (row.path, row.times, row.divide, *row.plus, *row.minus), here, row)

    @staticmethod
    def _scope(source: str, scopes: list[Origin]) -> Origin:
        if source == "root":
            return DATA
        if source == "document":
            return _DOCUMENT
        return scopes[-2] if source == "parent" and len(scopes) > 1 else scopes[-1]

    def _keep(self, entry: RowReads) -> None:
        """Leave out what was read of the document that is being made."""
        uses = entry.uses
        uses.whole, uses.tested = set(_given(uses.whole)), set(_given(uses.tested))
        uses.words = {path: words for path, words in uses.words.items() if path[:1] != ("",)}
        entry.values = frozenset(_given(entry.values))
        self.found.append(entry)


def _given(paths: Iterable[Path]) -> Iterator[Path]:
    return (path for path in paths if path[:1] != ("",))
