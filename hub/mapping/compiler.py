"""A mapping file as one Python function: the way that records without problems go.

The function is written from the rows (never from text of a person as code) when it is first needed. It knows no rules
and no places: whatever is out of the ordinary makes it give up, and the interpreter runs on the same record from the
beginning, to tell what is wrong or to do what is rare.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache
from types import CodeType
from typing import Any

from hub.mapping.budget import MESSAGE, Budget
from hub.mapping.codegen import Emitter
from hub.mapping.expression import EVALUATION_ERRORS, Expression
from hub.mapping.functions import Unfit
from hub.mapping.inlining import Handover, Nothing, Put, Spot, ValueWriter
from hub.mapping.interpreter import Pending, settle, waits
from hub.mapping.lines import Uncompiled
from hub.mapping.rows import Listing, MappingFile, Object, Part, Row, Switch, Value

Rows = list[tuple[str, Row]]
Function = Callable[[Any, Budget], Any]
"""A record in; the document out, or the text of the rule that ignores it."""
_GIVES_UP = (Handover, Unfit, *EVALUATION_ERRORS)


class Fast:
    """A mapping's function, written at its first use."""

    __slots__ = ("_mapping", "_run")

    def __init__(self, mapping: MappingFile) -> None:
        self._mapping = mapping
        self._run: Function | None = None

    def __call__(self, record: Any) -> Any:
        """The document of a record, the text of a rule that ignores it, or None where the interpreter has to go."""
        run = self._run
        if run is None:
            run = self._run = function_of(self._mapping)
        try:
            return run(record, Budget(MESSAGE))
        except _GIVES_UP:
            return None


def function_of(mapping: MappingFile) -> Function:
    """Write and compile. What cannot be written always hands over."""
    try:
        source, constants = written(mapping)
        code = _code(source)
    except (Uncompiled, RecursionError, SyntaxError):  # Python's own limits, wherever they lie
        return _hand_over
    names: dict[str, Any] = dict(constants)
    exec(code, names)  # noqa: S102  # written from the rows; all texts of people are constants or reprs
    function: Function = names["build"]
    return function


def written(mapping: MappingFile) -> tuple[str, dict[str, Any]]:
    """The function's source, and the constants that it uses. Fields that are read often are read once, at the start."""
    first = _FileWriter(mapping, frozenset())
    first.write()
    second = _FileWriter(mapping, frozenset(path for path, times in first.e.reads.items() if times > 1))
    return second.write(), second.e.constants


@lru_cache(maxsize=256)
def _code(source: str) -> CodeType:
    return compile(source, "<mapping>", "exec")


def _hand_over(record: Any, budget: Budget) -> Any:
    raise Handover


class _FileWriter:
    def __init__(self, mapping: MappingFile, hoisted: frozenset[tuple[str, ...]]) -> None:
        self._mapping = mapping
        self.e = Emitter(hoisted)
        self.e.gives_up = Handover.__name__
        currency = mapping.currency if isinstance(mapping.currency, str) else ""
        self._values = ValueWriter(self.e, outward=mapping.outward, currency=currency)
        self._waiting: list[tuple[tuple[bool, int], Callable[[], None]]] = []
        self._remembered: list[str] = []
        self.e.constants |= {"Pending": Pending, "settle": settle}

    def write(self) -> str:
        mapping, e = self._mapping, self.e
        top = Spot("root", "root")
        e.is_dict("root", ("root",))
        for condition, why in mapping.ignore:
            e.say(f"if {self._values.holds(condition, 'root', heavy=False)}: return {why!r}")
        if not isinstance(mapping.currency, str):
            e.say("currency = ''")
            self.row(mapping.currency, top, lambda code: e.say(f"currency = {code}"), None)
            e.say("if currency.__class__ is not str: currency = ''")
        else:
            e.say(f"currency = {mapping.currency!r}")
        start = len(e.lines)
        e.say("document = {}")
        self._variants(mapping.body, top, lambda rows, spot: self._fill(rows, spot, "document", None))
        self._finish()
        e.say("if pending: settle(document)")
        e.say("return document")
        before = [f" {name} = {code}" for name, code in self._values.prologue.items()]
        before += [" pending = False", *(f" {name} = []" for name in self._remembered)]
        return "\n".join(
            ["def build(root, budget):", " left = budget.left", *e.lines[:start], *before, *e.lines[start:]]
        )

    def row(self, row: Row, spot: Spot, put: Put, nothing: Nothing) -> None:
        """Any row."""
        if isinstance(row, Value):
            self._values.value(row, spot, put, nothing)
        elif isinstance(row, Switch):
            self._switch(row, spot, put, nothing)
        elif isinstance(row, Object):
            self._object(row, spot, put, nothing)
        else:
            self._listing(row, spot, put, nothing)

    # ------------------------------------------------------------ branches

    def _chain(self, branches: Iterator[tuple[str | None, Callable[[], None]]]) -> None:
        """The first branch whose condition holds. Conditions are written one after the other, not in one another, so
        that what one of them has read is there for the next."""
        with self.e.block("while 1:", chain=True):
            for condition, write in branches:
                if condition is None:
                    write()
                    break
                with self.e.block(f"if {condition}:"):
                    write()
                    self.e.say("break")
            self.e.say("break")

    def _switch(self, row: Switch, spot: Spot, put: Put, nothing: Nothing) -> None:
        nothing = self._values.fallback(row.default, put, nothing, required=row.required)
        scope = self._values.scope(row.source, spot)
        heavy = row.source != "item" and "[]" in row.label

        def branches() -> Iterator[tuple[str | None, Callable[[], None]]]:
            for condition, inner in row.branches:
                holds = None if condition is None else self._values.holds(condition, scope, heavy=heavy)
                yield holds, lambda inner=inner: self.row(inner, spot, put, nothing)  # type: ignore[misc]
            if nothing:
                yield None, nothing

        self._chain(branches())

    def _variants(self, row: Object, spot: Spot, fill: Callable[[Rows, Spot], None]) -> None:
        """The rows of an object: those of its first branch that holds, or those that hold without one."""
        if not row.variants:
            fill(row.rows, spot)
            return
        inside = Spot(spot.item, spot.parent, spot.seen, loose=True)

        def branches() -> Iterator[tuple[str | None, Callable[[], None]]]:
            for condition, rows in row.variants:
                holds = None if condition is None else self._values.holds(condition, spot.item, heavy=False)
                yield holds, lambda rows=rows: fill(rows, inside)  # type: ignore[misc]
            yield None, lambda: fill(row.rows, inside)

        self._chain(branches())

    # ------------------------------------------------------------ objects

    def _object(self, row: Object, spot: Spot, put: Put, nothing: Nothing) -> None:
        if row.source != "item":
            item, outermost = self._values.scope(row.source, spot), spot.parent == spot.item
            spot = Spot(item, item if outermost else spot.parent, spot.seen, spot.loose)
        if row.condition is None:
            self._made(row, spot, put, nothing)
            return
        inside = Spot(spot.item, spot.parent, spot.seen, loose=True)
        with self.e.block(f"if {self._values.holds(row.condition, spot.item, heavy=False)}:"):
            self._made(row, inside, put, nothing)
        if nothing:
            with self.e.block("else:"):
                nothing()

    def _made(self, row: Object, spot: Spot, put: Put, nothing: Nothing) -> None:
        def fill(rows: Rows, spot: Spot) -> None:
            made = self.e.bind("{}")
            self._fill(rows, spot, made, lambda: self._placed(rows, made, put, nothing))

        self._variants(row, spot, fill)

    def _placed(self, rows: Rows, made: str, put: Put, nothing: Nothing) -> None:
        """An object without any value is null; but one with rows that wait is there until they have run."""
        if any(waits(row) for _, row in rows):
            self.e.say(f"if not {made}: {made} = Pending(); pending = True")
            put(made)
            return
        with self.e.block(f"if {made}:"):
            put(made)
        if nothing:
            with self.e.block("else:"):
                nothing()

    def _fill(self, rows: Rows, spot: Spot, target: str, done: Callable[[], None] | None) -> None:
        late = []
        for name, row in rows:
            if waits(row):
                late.append((name, row))
            else:
                self.row(row, spot, self._into(target, name), None)
        if done:
            done()
        for name, row in late:
            self._wait(name, row, spot, target)

    def _into(self, target: str, name: str) -> Put:
        return lambda code: self.e.say(f"{target}[{name!r}] = {code}")

    # ------------------------------------------------------------ rows that wait for the document

    def _wait(self, name: str, row: Row, spot: Spot, target: str) -> None:
        order = (row.place.file == self._mapping.file, row.place.line)
        if not spot.loose:
            self._waiting.append((order, lambda: self.row(row, spot, self._into(target, name), None)))
            return
        kept = self.e.name("w")
        self._remembered.append(kept)
        self.e.say(f"{kept}.append(({spot.item}, {spot.parent}, {target}))")

        def write() -> None:
            item, parent, made = (self.e.name("i") for _ in range(3))
            with self.e.block(f"for {item}, {parent}, {made} in {kept}:", loop=True):
                self.row(row, Spot(item, parent, loose=True), self._into(made, name), None)

        self._waiting.append((order, write))

    def _finish(self) -> None:
        while self._waiting:
            round_, self._waiting = sorted(self._waiting, key=lambda one: one[0]), []
            for _, write in round_:
                write()

    # ------------------------------------------------------------ lists

    def _listing(self, row: Listing, spot: Spot, put: Put, nothing: Nothing) -> None:
        seen = {}
        for label in sorted({label for part in row.parts for label in _distinct(part.object)}):
            seen[label] = self.e.bind("{}")
        made = self.e.bind("None")
        for number, part in enumerate(row.parts):
            self._part(row, part, Spot(spot.item, spot.parent, seen, loose=True), made, number)
        with self.e.block(f"if {made} is not None:"):
            put(made)
        if nothing:
            with self.e.block("else:"):
                nothing()

    def _part(self, row: Listing, part: Part, spot: Spot, made: str, number: int) -> None:
        scope = self._values.scope(part.source, spot)
        heavy = part.source != "item" and "[]" in row.label
        if part.condition is not None:
            with self.e.block(f"if {self._values.holds(part.condition, scope, heavy=heavy)}:"):
                self._items(row, part, spot, scope, made, number)
        else:
            self._items(row, part, spot, scope, made, number)

    def _items(self, row: Listing, part: Part, spot: Spot, scope: str, made: str, number: int) -> None:
        e = self.e
        heavy = part.source != "item" and "[]" in row.label
        if part.each is None:
            e.say(f"if {made} is None: {made} = []")
            self._item(part, Spot(scope, spot.parent, spot.seen, loose=True), made, heavy=heavy)
            return
        items = self._values.items(self._values.read(part.each, scope, heavy=heavy))
        with e.block(f"if {items} is not None:"):
            e.charge(f"len({items})")
            e.say(f"if {made} is None: {made} = []")
            item = e.name("i")
            with e.block(f"for {item} in {items}:", loop=True):
                if not _reads_itself(part):
                    e.say(f"if not isinstance({item}, dict): raise Handover")
                    e.is_dict(item, (f"{row.label}[{number}]",))
                self._item(part, Spot(item, spot.item, spot.seen, loose=True), made, heavy=False)

    def _item(self, part: Part, spot: Spot, made: str, *, heavy: bool) -> None:
        def fill(rows: Rows, spot: Spot) -> None:
            one = self.e.bind("{}")
            self._fill(rows, spot, one, lambda: self.e.say(f"{made}.append({one})"))

        if part.where is not None:
            with self.e.block(f"if {self._values.holds(part.where, spot.item, heavy=heavy)}:"):
                self._variants(part.object, spot, fill)
        else:
            self._variants(part.object, spot, fill)


def _distinct(row: Row) -> Iterator[str]:
    """Labels of the rows of one list that must not give a value twice; not those of lists inside it."""
    if isinstance(row, Value):
        if row.distinct:
            yield row.label
    elif isinstance(row, Switch):
        for _, inner in row.branches:
            yield from _distinct(inner)
    elif isinstance(row, Object):
        for field in row.every:
            yield from _distinct(field)


def _reads_itself(part: Part) -> bool:
    """Whether the items of a list may be anything but objects: an expression reads one as a whole (@)."""

    def whole(expression: Expression | None) -> bool:
        return expression is not None and _starts_whole(expression.tree)

    def reads(row: Row) -> bool:
        if isinstance(row, Value):
            expressions = [row.path, row.each, row.times, row.divide, *row.plus, *row.minus]
            return row.source == "item" and any(map(whole, expressions))
        if isinstance(row, Switch):
            return any(whole(condition) or reads(inner) for condition, inner in row.branches)
        if isinstance(row, Object):
            return whole(row.condition) or any(map(reads, row.every))
        return any(whole(inner.each) for inner in row.parts)

    return whole(part.where) or reads(part.object)


def _starts_whole(tree: dict[str, Any]) -> bool:
    if tree["type"] == "current":
        return True
    inner = [child for child in tree["children"] if isinstance(child, dict)]
    chained = tree["type"] in (
        "subexpression",
        "pipe",
        "index_expression",
        "projection",
        "filter_projection",
        "flatten",
    )
    return any(map(_starts_whole, inner[:1] if chained else inner))
