"""What a mapping file means once it is read: rows, objects and lists, each knowing where it was written."""

from dataclasses import dataclass, field
from typing import Any

from hub.mapping.expression import Expression
from hub.mapping.shape import FREE, Field
from hub.mapping.source import Place, Table


@dataclass(slots=True, eq=False)
class Value:
    """A row that gives one value: an expression (`path`) and what is done to its result, or a constant."""

    label: str
    """Where the value goes, a pair of brackets for each list on the way: order.lines[].amount."""
    place: Place
    target: Field = FREE
    path: Expression | None = None
    constant: Any = None
    as_: str = "raw"
    table: dict[str, Any] | None = None
    table_name: str = ""
    table_file: str = ""
    table_places: dict[str, Place] = field(default_factory=dict)
    """Where each word of the table is written."""
    default: Any = None
    absent: list[Any] = field(default_factory=list)
    unit: str = "major"
    zone: str = "UTC"
    pattern: str = ""
    separator: str = ","
    chinese: bool = False
    source: str = "item"
    times: Expression | None = None
    divide: Expression | None = None
    plus: list[Expression] = field(default_factory=list)
    minus: list[Expression] = field(default_factory=list)
    each: Expression | None = None
    where: Expression | None = None
    collect: bool = False
    distinct: bool = False
    required: bool = False


@dataclass(slots=True, eq=False)
class Switch:
    """A row with branches: the first whose condition is true gives the value."""

    label: str
    place: Place
    branches: list[tuple[Expression | None, "Value | Switch"]]
    target: Field = FREE
    source: str = "item"
    default: Any = None
    required: bool = False


@dataclass(slots=True, eq=False)
class Object:
    """Named rows. `variants` are the object-level branches, each complete; `rows` is what holds without them."""

    label: str
    place: Place
    rows: list[tuple[str, "Row"]]
    variants: list[tuple[Expression | None, list[tuple[str, "Row"]]]] = field(default_factory=list)
    condition: Expression | None = None
    target: Field = FREE
    source: str = "item"

    @property
    def every(self) -> list["Row"]:
        """The rows of all its branches, and those that hold without one."""
        return [row for _, row in [*self.rows, *(pair for _, rows in self.variants for pair in rows)]]


@dataclass(slots=True, eq=False)
class Part:
    """A stretch of a list: one object, or one for each item of `each`."""

    object: Object
    each: Expression | None = None
    where: Expression | None = None
    condition: Expression | None = None
    source: str = "item"


@dataclass(slots=True, eq=False)
class Listing:
    """A list of objects, its parts joined in order."""

    label: str
    place: Place
    parts: list[Part]
    target: Field = FREE


Row = Value | Switch | Object | Listing


@dataclass(slots=True, eq=False)
class MappingFile:
    """One mapping, read, merged with its parents and checked.

    `name` is short ("taobao/order"), `full_name` says which way it goes ("channels/taobao/order").
    """

    name: str
    full_name: str
    file: str
    kind: str
    outward: bool
    raw: Table
    body: Object
    key: Expression | None = None
    subject: Expression | None = None
    accepts: Expression | None = None
    own_accepts: bool = False
    extends: str = ""
    revision: Row | None = None
    currency: "Row | str" = ""
    ignore: list[tuple[Expression, str]] = field(default_factory=list)
    drops: list[str] = field(default_factory=list)
    root: str = "request"
    version: str = ""


def is_row(value: Any) -> bool:
    """Whether something written in a mapping is one row (replaced whole by an overlay), not an object or a list."""
    if not isinstance(value, dict) or isinstance(value.get("fields"), dict):
        return not isinstance(value, (dict, list))
    return "path" in value or "value" in value or is_switch(value)


def is_switch(table: dict[str, Any]) -> bool:
    """Branches of one field, as against [[order.when]] with `set`, which are branches of an object."""
    branches = table.get("when")
    return isinstance(branches, list) and not any(isinstance(b, dict) and "set" in b for b in branches)
