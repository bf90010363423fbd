"""An after-sale case of any kind. It is a document of its own, never a status of the order."""

from typing import ClassVar, Literal

from pydantic import Field

from canonical.fields import Currency, Document, Extra, Id, Instant, Name, Part, PersonalText
from canonical.money import Money

RefundKind = Literal["refund_only", "return_and_refund", "exchange", "reship", "repair", "price_adjustment"]
RefundPhase = Literal["before_shipping", "after_shipping", "unknown"]
RefundState = Literal[
    "requested", "awaiting_return", "returning", "received", "approved", "refunded", "rejected", "cancelled"
]


class RefundLine(Part):
    """What the case is about."""

    line_no: Id | None = Field(None, description="The order line's `line_no`, or null where the platform names none.")
    sku: str | None = Field(None, description="The merchant's code of the goods, or null.")
    quantity: int | None = Field(None, description="How many pieces, or null where the platform doesn't say.")
    amount: Money | None = Field(None, description="What goes back to the buyer for this line.")


class ReturnParcel(Part):
    """The parcel in which the goods come back."""

    carrier: str | None = Field(None, description="The carrier: the hub's code, or the platform's word.")
    tracking_no: str | None = Field(None, description="The parcel's number at the carrier.")


class Refund(Document):
    """An after-sale case. Key: tenant, shop and `refund_no`."""

    document_kind: ClassVar[str] = "refund"

    schema_: Literal["refund/1"] = Field(
        "refund/1", alias="schema", description="Which contract the document follows: kind and major version."
    )
    shop: Name = Field(description="The shop's name in hub.toml.")
    channel: Name = Field(description="The platform's code: taobao, jd, douyin, shopify ...")
    refund_no: Id = Field(description="The platform's own id of the case (Taobao refund_id, Douyin aftersale_id).")
    order_no: Id = Field(description="The `order_no` of the order that it belongs to.")
    revision: Instant = Field(description="When the channel last changed the case.")
    kind: RefundKind = Field(description="What the buyer wants; price_adjustment only where the platform calls it so.")
    phase: RefundPhase = Field("unknown", description="Whether the goods had left when the case was opened.")
    state: RefundState = Field(
        description="How far it has come. rejected: refused for good by the seller or the platform; cancelled: "
        "withdrawn, or closed without a verdict."
    )
    amount: Money | None = Field(None, description="All that goes back to the buyer, freight included.")
    shipping: Money | None = Field(None, description="The part of `amount` that is freight.")
    currency: Currency = Field(description="ISO 4217 code of all amounts of this case.")
    lines: tuple[RefundLine, ...] = Field((), description="The order lines that it is about; empty for the whole.")
    reason: str | None = Field(None, description="Why, in the platform's words.")
    buyer_note: PersonalText = Field(None, description="What the buyer wrote about it.")
    return_parcel: ReturnParcel | None = Field(None, description="The parcel in which goods come back, or null.")
    requested_at: Instant | None = Field(None, description="When the case was opened.")
    completed_at: Instant | None = Field(None, description="When the case ended, in whatever way.")
    extra: Extra = Field(default_factory=dict)
