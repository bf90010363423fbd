"""What the canonical model says about a field: enough for a row to know its type, its words and whether it may lack."""

import types
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import AwareDatetime, BaseModel
from pydantic.fields import FieldInfo

from canonical.fields import Personal
from canonical.money import MoneyTag

_SCALARS: dict[Any, str] = {
    str: "text",
    bool: "bool",
    int: "int",
    Decimal: "decimal",
    datetime: "time",
    AwareDatetime: "time",
}


@dataclass(frozen=True, slots=True)
class Field:
    """One canonical field. `form`: scalar, object, list (of objects) or free (anything JSON)."""

    name: str
    form: str = "free"
    as_: str = "raw"
    model: type[BaseModel] | None = None
    words: tuple[str, ...] = ()
    nullable: bool = True
    required: bool = False
    personal: bool = False
    computed: bool = False


FREE = Field("")
"""A field of nothing that we have a model of: a destination's body, an order's `extra`."""


@cache
def fields_of(model: type[BaseModel]) -> Mapping[str, Field]:
    """The fields of a canonical model by their name on the wire; computed ones are marked so."""
    fields = {}
    for name, info in model.model_fields.items():
        wire = info.alias or name
        fields[wire] = _field(wire, info)
    for name in model.model_computed_fields:
        fields[name] = Field(name, computed=True)
    return fields


def fields_in(field: Field) -> Mapping[str, Field] | None:
    """The fields inside an object or list, None where any name will do."""
    return fields_of(field.model) if field.model else None


def _tagged(metadata: list[Any], tag: type) -> bool:
    return any(isinstance(mark, tag) for mark in metadata)


def _field(name: str, info: FieldInfo) -> Field:
    metadata = list(info.metadata)
    field = _typed(name, info.annotation, metadata)
    return replace(field, required=info.is_required(), personal=_tagged(metadata, Personal))


def _typed(name: str, annotation: Any, metadata: list[Any]) -> Field:
    annotation, nullable = _bare(annotation, metadata)
    origin = get_origin(annotation)
    if origin is Literal:
        return Field(name, "scalar", "text", words=tuple(str(w) for w in get_args(annotation)), nullable=nullable)
    if origin in (list, tuple):
        return _listing(name, get_args(annotation)[0], metadata, nullable)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return Field(name, "object", model=annotation, nullable=nullable)
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return Field(name, "scalar", "text", words=tuple(str(w.value) for w in annotation), nullable=nullable)
    as_ = _SCALARS.get(annotation)
    if as_ is None:
        return Field(name, nullable=nullable)
    if as_ == "decimal" and _tagged(metadata, MoneyTag):
        as_ = "money"
    return Field(name, "scalar", as_, nullable=nullable)


def _bare(annotation: Any, metadata: list[Any]) -> tuple[Any, bool]:
    """The type under Annotated and `| None`, and whether null is allowed. A union of several types stays one."""
    nullable = annotation is Any
    while True:
        origin, inner = get_origin(annotation), get_args(annotation)
        if origin is Annotated:
            annotation = inner[0]
            metadata.extend(inner[1:])
        elif origin in (Union, types.UnionType):
            some = [a for a in inner if a is not type(None)]
            nullable = nullable or len(some) < len(inner)
            if len(some) != 1:
                return annotation, nullable
            annotation = some[0]
        else:
            return annotation, nullable


def _listing(name: str, element: Any, metadata: list[Any], nullable: bool) -> Field:
    inner = _typed(name, element, metadata)
    if inner.form == "object":
        return Field(name, "list", model=inner.model, nullable=nullable)
    return Field(name, "scalar", "list", nullable=nullable)
