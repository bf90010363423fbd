"""What the fields of all documents are made of."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, get_args

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    StringConstraints,
)
from pydantic.fields import FieldInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from canonical.money import MINOR_DIGITS

VOLATILE = "volatile"
"""The name inside `extra` whose values are not content: a change of them alone is nothing to deliver."""


@dataclass(frozen=True, slots=True)
class Personal:
    """Marks a field that holds personal data. Masking, search and erasure read this tag alone."""

    def __get_pydantic_json_schema__(self, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {**handler(core_schema), "x-personal": True}


def _in_utc(value: datetime) -> datetime:
    if value.tzinfo is UTC:
        return value
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("outside the years 1 to 9999 in UTC") from None


def _known_currency(value: str) -> str:
    if value not in MINOR_DIGITS:
        raise ValueError("not a currency of ISO 4217, three capital letters like CNY")
    return value


Instant = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""A moment in UTC; ISO 8601 with Z in JSON."""

Currency = Annotated[str, AfterValidator(_known_currency), Field(json_schema_extra={"pattern": "^[A-Z]{3}$"})]
"""ISO 4217 code."""

Id = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]+$")]
"""An identifier, always text: many exceed 2^53."""

Name = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$")]
"""A name given in the hub's configuration, or a short number for people."""

PersonalText = Annotated[str | None, Personal()]
"""Text that tells something about a person, or null."""

Extra = Annotated[
    dict[str, Any],
    Field(
        description="Whatever else the mapping carries, by name; never personal data. Values under the name `volatile` "
        "are no content: a change of them alone is not delivered."
    ),
]


class Part(BaseModel):
    """A piece of a document: immutable, refuses unknown names."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        protected_namespaces=(),
        hide_input_in_errors=True,
    )

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        """Personal data stays out of logs and traces, where objects end up by their repr."""
        for name, value in super().__repr_args__():
            info = type(self).model_fields.get(name or "")
            hidden = info is not None and value and any(isinstance(tag, Personal) for tag in leaves_of(info))
            yield name, "***" if hidden else value


class Document(Part):
    """A document of the canonical model. `document_kind` is the part of `schema` before the slash."""

    document_kind: ClassVar[str]

    schema_: str = Field(alias="schema", description="Which contract the document follows: kind and major version.")
    tenant: Name = Field(description="Whose document it is: the tenant that the shop belongs to in hub.toml.")


def without(data: Any, *computed: str) -> Any:
    """Leave computed fields out of what is loaded: a stored document carries them, the model computes them anew."""
    if isinstance(data, Mapping) and any(name in data for name in computed):
        return {name: value for name, value in data.items() if name not in computed}
    return data


def leaves_of(field: FieldInfo) -> list[Any]:
    """The types and tags that a field is made of, whatever unions, tuples and Annotated they are wrapped in."""
    return [*field.metadata, *_unfolded(field.annotation)]


def _unfolded(annotation: Any) -> list[Any]:
    if hasattr(annotation, "__metadata__"):
        return [*annotation.__metadata__, *_unfolded(annotation.__origin__)]
    arguments = get_args(annotation)
    return [leaf for inner in arguments for leaf in _unfolded(inner)] if arguments else [annotation]
