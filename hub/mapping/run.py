"""One translation under way: the record, where expressions are read, and what was found wrong so far."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hub.mapping.budget import MESSAGE
from hub.mapping.walker import Walker

if TYPE_CHECKING:
    from canonical.problem import Problem
    from hub.mapping.expression import Expression
    from hub.mapping.rows import MappingFile, Row


class Run:
    """One translation under way: the record, what was found wrong, and the rows that wait for the document."""

    __slots__ = (
        "currency", "deferred", "document", "failed", "mapping", "pending", "problems", "root", "seen", "walker",
    )  # fmt: skip

    def __init__(self, mapping: "MappingFile", root: Any, walker: Walker | None = None) -> None:
        self.mapping = mapping
        self.root = root
        self.currency = ""
        self.document: dict[str, Any] = {}
        self.problems: list[Problem] = []
        self.failed: set[str] = set()
        self.deferred: list[tuple[tuple[bool, int], Callable[[], None]]] = []
        self.pending = False
        self.seen: dict[tuple[str, tuple[int, ...], str], int] = {}
        self.walker = walker or Walker(MESSAGE)


class Frame:
    """Where expressions are read: the item at hand, the frame one loop up, the positions in the lists so far."""

    __slots__ = ("at", "item", "parent", "run")

    def __init__(self, run: Run, item: Any, parent: "Frame | None" = None, at: tuple[int, ...] = ()) -> None:
        self.run = run
        self.item = item
        self.parent = parent
        self.at = at


Build = Callable[[Frame], Any]
"""A compiled row."""
Watch = Callable[["Row", Build], Build]
"""Put around every row where somebody wants to see it run (hub.mapping.trace); without one nothing is paid."""
Convert = Callable[[Any, Run], Any]
"""A compiled conversion: the raw value (never null) in, the canonical one out. Raises Unfit."""


Search = Callable[[Any, Walker], Any]
"""An expression to be evaluated within a message's budget: parsed JSON in, the value out."""


def searcher(expression: "Expression", source: str, label: str) -> Search:
    """Over the same data once for each line of an order is a product: that is charged for what it makes."""
    return expression.evaluator(heavy=source != "item" and "[]" in label)


def scope_of(source: str) -> Callable[[Frame], Any]:
    if source == "root":
        return lambda frame: frame.run.root
    if source == "document":
        return lambda frame: frame.run.document
    if source == "parent":
        return lambda frame: frame.parent.item if frame.parent is not None else frame.item
    return lambda frame: frame.item
