"""A parcel that left, on its way from the WMS to the channel and the ERP."""

from typing import ClassVar, Literal

from pydantic import Field

from canonical.fields import Document, Extra, Id, Instant, Name, Part


class ShipmentLine(Part):
    """What is in the parcel."""

    line_no: Id | None = Field(None, description="The order line's `line_no`, or null where the WMS doesn't know it.")
    sku: str | None = Field(None, description="The merchant's code of the goods, or null.")
    quantity: int = Field(description="How many pieces; whole and above 0.")


class Shipment(Document):
    """A parcel that left. Key: tenant, shop and `shipment_no`."""

    document_kind: ClassVar[str] = "shipment"

    schema_: Literal["shipment/1"] = Field(
        "shipment/1", alias="schema", description="Which contract the document follows: kind and major version."
    )
    shop: Name = Field(description="The shop's name in hub.toml.")
    channel: Name = Field(description="The platform that sold the goods.")
    shipment_no: Id = Field(description="The WMS's number of the parcel or delivery (Qimen deliveryOrderId).")
    order_no: Id = Field(description="The `order_no` of the order that it belongs to.")
    revision: Instant = Field(description="When the WMS last changed it.")
    warehouse: str | None = Field(None, description="The warehouse that it left, by its code.")
    carrier: str | None = Field(None, description="The carrier: the hub's code from the shared table of carriers.")
    carrier_name: str | None = Field(None, description="The carrier's name for people.")
    tracking_no: str | None = Field(None, description="The parcel's number at the carrier.")
    shipped_at: Instant | None = Field(None, description="When it left.")
    complete: bool = Field(description="Whether the order is fully shipped with it.")
    lines: tuple[ShipmentLine, ...] = Field((), description="What is in the parcel.")
    extra: Extra = Field(default_factory=dict)
