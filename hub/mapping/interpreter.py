"""Turns rows into closures: the plain way to build a document, which knows at each moment the row that is at work.

Records without problems never come here (hub.mapping.compiler). For the others, and wherever somebody wants to see
the rows run, this is what tells. A closure takes a Frame (the item that expressions are relative to, and the way out
of the loop) and returns the value. What goes wrong with the data is noted in the Run, with the row that was at work,
and the next row goes on: one pass finds everything.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from hub.mapping.expression import EVALUATION_ERRORS, Expression, is_true
from hub.mapping.functions import Unfit
from hub.mapping.rows import Listing, Object, Part, Row, Switch, Value
from hub.mapping.run import Build, Frame, Run, Search, Watch, scope_of, searcher
from hub.mapping.source import Place
from hub.mapping.telling import blame, missing
from hub.mapping.values import compile_value, items_of

Fields = list[tuple[str, Build, Place | None]]
"""The rows of an object: name, closure, and of those that wait for the document where they stand."""


class Pending(dict[str, Any]):
    """An object with rows that wait for the document: whether it is null is known only after them."""


def compile_row(row: Row, *, outward: bool, watch: Watch | None = None) -> Build:
    """The closure of any row."""
    if isinstance(row, Value):
        build = compile_value(row, outward=outward)
    elif isinstance(row, Switch):
        build = _switch(row, outward, watch)
    elif isinstance(row, Object):
        build = _object(row, outward, watch, item=False)
    else:
        build = _listing(row, outward, watch)
    return watch(row, build) if watch else build


def waits(row: Row) -> bool:
    """Whether a row itself (not the rows inside it) reads the canonical document, so that it must run last."""
    if isinstance(row, Listing):
        return any(part.source == "document" for part in row.parts)
    if isinstance(row, Switch):
        return row.source == "document" or any(waits(inner) for _, inner in row.branches)
    return row.source == "document"


def settle(value: Any) -> Any:
    """After the last rows: objects that waited and stayed empty become null."""
    if isinstance(value, dict):
        for key in list(value):
            value[key] = settle(value[key])
            if value[key] is None:
                del value[key]
        return value if value or not isinstance(value, Pending) else None
    if isinstance(value, list):
        for inner in value:
            settle(inner)
    return value


def _switch(row: Switch, outward: bool, watch: Watch | None) -> Build:
    pick = scope_of(row.source)
    branches = [
        (_search(c, row.source, row.label), compile_row(inner, outward=outward, watch=watch))
        for c, inner in row.branches
    ]
    default, required = row.default, row.required

    def choose(frame: Frame) -> Any:
        value = None
        try:
            data = pick(frame)
            for condition, build in branches:
                if condition is None or is_true(condition(data, frame.run.walker)):
                    value = build(frame)
                    break
        except EVALUATION_ERRORS as error:
            return blame(row, frame, error)
        if value is not None:
            return value
        return missing(row, frame, None) if required and default is None else default

    return choose


def _object(row: Object, outward: bool, watch: Watch | None, *, item: bool) -> Build:
    """`item`: an element of a list, which stays even where every row is null (a line never vanishes in silence)."""
    base = _fields(row.rows, outward, watch)
    variants = [(_search(c, row.source, row.label), _fields(rows, outward, watch)) for c, rows in row.variants]
    condition = _search(row.condition, row.source, row.label)
    pick, elsewhere = scope_of(row.source), row.source != "item"

    def build(frame: Frame) -> Any:
        if elsewhere:
            frame = Frame(frame.run, pick(frame), frame.parent, frame.at)
        fields = base
        try:
            if condition is not None and not is_true(condition(frame.item, frame.run.walker)):
                return None
            for test, rows in variants:
                if test is None or is_true(test(frame.item, frame.run.walker)):
                    fields = rows
                    break
        except EVALUATION_ERRORS as error:
            return blame(row, frame, error)
        return fill(frame, fields, item)

    return build


def fill(frame: Frame, fields: Fields, keep: bool) -> dict[str, Any] | None:
    """Build an object from its rows. Nulls are left out; without any value it is null itself, unless `keep`."""
    result: dict[str, Any] = {}
    waiting: list[tuple[str, Build, Place]] = []
    for name, build, late in fields:
        if late is not None:
            waiting.append((name, build, late))
            continue
        value = build(frame)
        if value is not None:
            result[name] = value
    if waiting:
        return _later(frame, result, waiting, keep)
    return result if result or keep else None


def _later(frame: Frame, result: dict[str, Any], waiting: list[tuple[str, Build, Place]], keep: bool) -> dict[str, Any]:
    target, run = result, frame.run
    if not result and not keep:
        target, run.pending = Pending(), True

    def finish(name: str, build: Build) -> None:
        value = build(frame)
        if value is not None:
            target[name] = value

    for name, build, place in waiting:
        run.deferred.append(((place.file == run.mapping.file, place.line), partial(finish, name, build)))
    return target


def _finish(run: Run) -> None:
    """Run the rows that waited: a parent's before the file's own, each file's from top to bottom."""
    while run.deferred:
        waiting, run.deferred = sorted(run.deferred, key=lambda one: one[0]), []
        for _, finish in waiting:
            finish()


def _fields(rows: list[tuple[str, Row]], outward: bool, watch: Watch | None) -> Fields:
    return [
        (name, compile_row(row, outward=outward, watch=watch), row.place if waits(row) else None) for name, row in rows
    ]


def compile_document(body: Object, *, outward: bool, watch: Watch | None = None) -> Callable[[Run], dict[str, Any]]:
    """The closure that builds a whole document from a Run."""
    base = _fields(body.rows, outward, watch)
    variants = [(_search(c, "item", body.label), _fields(rows, outward, watch)) for c, rows in body.variants]

    def build(run: Run) -> dict[str, Any]:
        frame = Frame(run, run.root)
        fields = base
        try:
            for test, rows in variants:
                if test is None or is_true(test(frame.item, frame.run.walker)):
                    fields = rows
                    break
        except EVALUATION_ERRORS as error:
            blame(body, frame, error)
        run.document = fill(frame, fields, keep=True) or {}
        if run.deferred:
            _finish(run)
        if run.pending:
            settle(run.document)
        return run.document

    return build


def _listing(row: Listing, outward: bool, watch: Watch | None) -> Build:
    parts = [_part(row, part, outward, watch) for part in row.parts]
    if len(parts) == 1:
        return parts[0]

    def join(frame: Frame) -> Any:
        result: list[Any] | None = None
        for part in parts:
            result = part(frame, result)
        return result

    return join


def _part(row: Listing, part: Part, outward: bool, watch: Watch | None) -> Callable[..., list[Any] | None]:
    build = _object(part.object, outward, watch, item=True)
    build = watch(part.object, build) if watch else build
    pick = scope_of(part.source)
    condition, each = (_search(e, part.source, row.label) for e in (part.condition, part.each))
    where = _search(part.where, "item", part.object.label)

    def add(frame: Frame, result: list[Any] | None = None) -> list[Any] | None:
        try:
            data = pick(frame)
            if condition is not None and not is_true(condition(data, frame.run.walker)):
                return result
            items = [data] if each is None else items_of(each(data, frame.run.walker))
        except Unfit as unfit:
            blame(row, frame, unfit)
            return result
        except EVALUATION_ERRORS as error:
            blame(row, frame, error)
            return result
        if items is None:
            return result
        result = [] if result is None else result
        parent = frame if each is not None else frame.parent
        for item in items:
            inner = Frame(frame.run, item, parent, (*frame.at, len(result)))
            try:
                if where is not None and not is_true(where(item, frame.run.walker)):
                    continue
            except EVALUATION_ERRORS as error:
                blame(row, inner, error)
                continue
            result.append(build(inner))
        return result

    return add


def _search(expression: Expression | None, source: str, label: str) -> Search | None:
    return searcher(expression, source, label) if expression else None
