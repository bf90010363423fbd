"""What the mappings of one kind of record know of the wire: its fields, the words of its tables, what is personal."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from jmespath.exceptions import JMESPathError

from hub.mapping import expression
from hub.mapping.functions import as_word
from hub.mapping.provenance import DATA, Path, Uses, follow
from hub.mapping.reads import Reads, covers, reads_of
from hub.mapping.rows import MappingFile


class Known:
    """Asked for every value of every record that is looked at: answers are kept, for a bounded number of paths."""

    def __init__(self, mappings: Iterable[MappingFile]) -> None:
        self._reads = Reads([entry for mapping in mappings for entry in reads_of(mapping).rows])
        self._personal = self._reads.personal()
        self._rows: dict[Path, tuple[str, ...]] = {}
        self._words: dict[Path, frozenset[str] | None] = {}
        self._hidden: dict[Path, bool] = {}

    def rows(self, path: Path) -> tuple[str, ...]:
        """Labels of the rows and conditions that read a path."""
        return _kept(self._rows, path, lambda: tuple(self._reads.of(path)))

    def table(self, path: Path) -> frozenset[str] | None:
        """The words that a field's tables know (those that mean "not set" too); None where it goes through none."""
        return _kept(self._words, path, lambda: self._table(path))

    def compared(self, path: Path) -> set[str]:
        """The words that conditions compare a field with."""
        return self._reads.words(path)

    def unset(self, path: Path) -> set[str]:
        """The values of a field that mean: not set."""
        rows = [e.row for e in self._reads.rows if e.row is not None and path in e.values]
        return {str(value) for row in rows for value in row.absent}

    def personal(self, path: Path) -> bool:
        """Whether a path's value goes into a personal field, or holds or lies in one that does."""
        near = self._personal
        return _kept(self._hidden, path, lambda: any(covers(p, path) or covers(path, p) for p in near))

    def _table(self, path: Path) -> frozenset[str] | None:
        rows = self._reads.tables(path)
        if not rows:
            return None
        words = [set(row.table or ()) | {as_word(v) for v in row.absent if isinstance(v, (str, int))} for row in rows]
        # a word that one of several tables knows is known: which of them a record asks is for its branches to say
        return frozenset(set().union(*words) | self.compared(path))


_MOST = 5000
T = TypeVar("T")


def _kept(answers: dict[Path, T], path: Path, find: Callable[[], T]) -> T:
    if path in answers:
        return answers[path]
    if len(answers) >= _MOST:
        answers.clear()
    answer = answers[path] = find()
    return answer


def path_of(place: str) -> Path | None:
    """The path of a place as hub.mapping.profile shows it; None for one that was too long to be shown whole.

    >>> path_of('orders.order[]."sku-id"'), path_of("by_day.*.count"), path_of("")
    (('orders', 'order', 'sku-id'), ('by_day', '*', 'count'), ())
    """
    try:
        paths = follow(expression.compile(place or "@").tree, DATA, Uses()).paths
    except JMESPathError:
        return None
    return next(iter(paths), None)
