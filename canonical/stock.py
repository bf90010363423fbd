"""What may be sold of one article in one warehouse. Absolute figures: deltas are turned into absolutes before."""

from typing import ClassVar, Literal

from pydantic import Field

from canonical.fields import Document, Extra, Id, Instant, Name


class Stock(Document):
    """A stock figure. Key: tenant, `warehouse` and `sku`."""

    document_kind: ClassVar[str] = "stock"

    schema_: Literal["stock/1"] = Field(
        "stock/1", alias="schema", description="Which contract the document follows: kind and major version."
    )
    sku: Id = Field(description="The merchant's code of the article.")
    warehouse: Name = Field(description="The warehouse, by its code.")
    revision: Instant = Field(description="When the figures were true.")
    available: int = Field(description="Pieces that may be sold now; below 0 where more was sold than there is.")
    on_hand: int | None = Field(None, description="Pieces that lie in the warehouse, or null.")
    reserved: int | None = Field(None, description="Pieces that lie there for orders already taken, or null.")
    in_transit: int | None = Field(None, description="Pieces on their way into the warehouse, or null.")
    extra: Extra = Field(default_factory=dict)
