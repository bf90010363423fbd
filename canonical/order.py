"""An order as a shop's platform tells it, in the words of the canonical model.

Money is in the main unit of `currency`. null means that it did not happen or that the platform doesn't say.
"""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, computed_field, model_validator

from canonical.fields import Currency, Document, Extra, Id, Instant, Name, Part, Personal, PersonalText, without
from canonical.money import Money

OrderKind = Literal["normal", "presale", "group_buy", "exchange"]
OrderState = Literal["open", "completed", "cancelled"]
Payment = Literal["unpaid", "authorized", "deposit_paid", "paid", "partially_refunded", "refunded", "voided"]
Fulfilment = Literal["unshipped", "partially_shipped", "shipped", "delivered"]
HoldCode = Literal[
    "risk_review",
    "refund_in_progress",
    "platform_hold",
    "group_incomplete",
    "balance_due",
    "address_missing",
    "test_order",
    "platform_fulfilled",
]
LineRefund = Literal["none", "requested", "refunded", "partially_refunded", "rejected"]
FundedBy = Literal["shop", "platform", "other"]

_PAID_ENOUGH = frozenset({"paid", "partially_refunded"})
_GOES_OUT = frozenset({"none", "rejected"})


class Hold(Part):
    """One reason why an order must not ship although it looks ready."""

    code: HoldCode = Field(description="The hub's word for the reason.")
    word: str | None = Field(None, description="The channel's own word (Taobao PAID_FORBID_CONSIGN), or null.")


class Totals(Part):
    """Sums of the whole order. 0 means none, null means that the platform doesn't say."""

    goods: Money | None = Field(None, description="Sum of unit_price * quantity before any discount.")
    discount: Money | None = Field(None, description="Every discount, of lines and of the order, as a positive amount.")
    shipping: Money | None = Field(None, description="Freight that the buyer owes (Taobao post_fee).")
    tax: Money | None = Field(None, description="Tax on top of the prices; 0 where prices include it.")
    other: Money | None = Field(None, description="What else the buyer owes: tips, duties, service fees.")
    payable: Money | None = Field(
        None, description="What the buyer owes in all: goods - discount + shipping + tax + other."
    )
    paid: Money | None = Field(None, description="What was really paid, refunds not taken off (Taobao payment).")
    refunded: Money | None = Field(None, description="What went back to the buyer so far.")


class Buyer(Part):
    """Who bought."""

    id: PersonalText = Field(None, description="The platform's id of the buyer (Taobao buyer_open_uid).")
    nickname: PersonalText = Field(None, description="The name that the platform shows for the buyer.")
    email: PersonalText = Field(None, description="The buyer's e-mail address.")


class Receiver(Part):
    """Where the goods go."""

    name: PersonalText = Field(None, description="Who receives the parcel.")
    phone: PersonalText = Field(None, description="The receiver's phone number, as the platform writes it.")
    country: PersonalText = Field(None, description="Country, by preference as ISO 3166 code of two letters.")
    province: PersonalText = Field(None, description="Province or state.")
    city: PersonalText = Field(None, description="City.")
    district: PersonalText = Field(None, description="District or county.")
    town: PersonalText = Field(None, description="Town or sub-district, where the platform has that level.")
    street: PersonalText = Field(None, description="The rest of the address: street, house, flat.")
    postcode: PersonalText = Field(None, description="Postal code.")
    masked: bool = Field(False, description="Whether the platform hides parts of the address behind stars.")
    token: PersonalText = Field(
        None, description="The platform's key for the real address (Taobao oaid, Douyin open address id)."
    )


class Settlement(Part):
    """One payment that was made for the order."""

    method: str | None = Field(None, description="How it was paid, in the platform's word (alipay, visa).")
    reference: str | None = Field(None, description="The payment's number at the payment provider.")
    amount: Money | None = Field(None, description="How much was paid with it.")
    paid_at: Instant | None = Field(None, description="When it was paid.")


class Discount(Part):
    """One discount, already contained in `totals.discount`."""

    code: str | None = Field(None, description="The code or number of the promotion.")
    title: str | None = Field(None, description="Its name as the platform shows it.")
    amount: Money | None = Field(None, description="How much it takes off, as a positive amount.")
    funded_by: FundedBy = Field("other", description="Who bears it: shop, platform or other.")


class Presale(Part):
    """The two steps of an order that is paid in two steps."""

    deposit: Money | None = Field(None, description="The deposit (Taobao step_paid_fee).")
    balance: Money | None = Field(None, description="What is due after the deposit.")
    balance_from: Instant | None = Field(None, description="From when the balance can be paid.")
    balance_until: Instant | None = Field(None, description="Until when the balance must be paid.")


class InvoiceWish(Part):
    """The invoice that the buyer asked for."""

    title: PersonalText = Field(None, description="Whom the invoice names: a company or a person.")
    kind: str | None = Field(None, description="Which kind of invoice, in the platform's word.")
    tax_no: PersonalText = Field(None, description="The buyer's tax number.")
    email: PersonalText = Field(None, description="Where to send the invoice.")
    phone: PersonalText = Field(None, description="Whom to tell about the invoice.")


class Line(Part):
    """One line of an order."""

    line_no: Id = Field(
        description="The platform's id of the line, which refunds and shipments refer to (Taobao oid); where it has "
        'none, as on JD and Pinduoduo, its SKU id, with "-2" for a second line of the same.'
    )
    sku: str | None = Field(
        None, description="The merchant's code as typed on the platform, or null; never a platform id in its place."
    )
    item_id: str | None = Field(None, description="The platform's id of the product (Taobao num_iid).")
    variant_id: str | None = Field(None, description="The platform's id of the variant (Taobao sku_id).")
    title: str | None = Field(None, description="Name of the product.")
    variant: str | None = Field(None, description="Words of the variant: colour, size (Taobao sku_properties_name).")
    quantity: int = Field(description="How many pieces were bought; whole and above 0.")
    unit_price: Money | None = Field(None, description="Price of one piece before discounts.")
    discount: Money | None = Field(None, description="What is taken off the line, as a positive amount.")
    amount: Money | None = Field(
        None, description="What the buyer owes for the line, all shares of order discounts taken off."
    )
    tax: Money | None = Field(None, description="Tax on top of the line's prices; 0 where prices include it.")
    shipped_quantity: int | None = Field(None, description="How many pieces went out.")
    refund: LineRefund = Field("none", description="How far a refund of this line has come.")
    refunded_amount: Money | None = Field(None, description="What went back to the buyer for this line.")
    gift: bool = Field(False, description="Whether the line is a free gift.")
    warehouse: str | None = Field(None, description="The warehouse that the platform assigned, by its code.")
    ship_by: Instant | None = Field(None, description="Until when the line must be shipped.")
    extra: Extra = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _computed_again(cls, data: Any) -> Any:
        return without(data, "shippable")

    @computed_field(description="Whether this line may go out: no refund of it in progress or done.")
    @property
    def shippable(self) -> bool:
        """Whether this line may go out: no refund of it in progress or done."""
        return self.refund in _GOES_OUT


class Order(Document):
    """An order. Key: tenant, shop and `order_no`."""

    document_kind: ClassVar[str] = "order"

    schema_: Literal["order/1"] = Field(
        "order/1", alias="schema", description="Which contract the document follows: kind and major version."
    )
    shop: Name = Field(description="The shop's name in hub.toml.")
    channel: Name = Field(description="The platform's code: taobao, jd, douyin, shopify ...")
    order_no: Id = Field(
        description="The platform's own id of the order, the one that its refunds, shipments and API calls refer to "
        "(Taobao tid, Shopify id)."
    )
    display_no: Name | None = Field(
        None, description="The number that people see when it differs (Shopify name, #1001), or null."
    )
    group_no: Id | None = Field(
        None, description="What ties split children or a combined purchase together (JD parent order), or null."
    )
    revision: Instant = Field(
        description="When the channel last changed the order; decides which of two messages is newer (Taobao modified)."
    )
    kind: OrderKind = Field("normal", description="normal, presale (paid in two steps), group_buy or exchange.")
    state: OrderState = Field(
        description="open; completed: nothing more will happen and goods left, even if all was refunded afterwards; "
        "cancelled: the platform closed it and no goods left. Never changed by a refund alone."
    )
    payment: Payment = Field(
        description="How far payment has come. Closed without ever being paid: unpaid; voided only where an "
        "authorisation was voided."
    )
    fulfilment: Fulfilment = Field(
        description="How far shipping has come; delivered when the platform says that the buyer has it."
    )
    holds: tuple[Hold, ...] = Field((), description="Why the order must not ship although it looks ready.")
    cod: bool = Field(False, description="Whether the buyer pays on delivery.")
    currency: Currency = Field(description="ISO 4217 code of all amounts of this order.")
    totals: Totals = Field(default_factory=Totals, description="Sums of the whole order.")
    placed_at: Instant | None = Field(None, description="When the buyer placed the order.")
    paid_at: Instant | None = Field(None, description="When the order was paid; set means that something was paid.")
    shipped_at: Instant | None = Field(None, description="When the goods left.")
    completed_at: Instant | None = Field(None, description="When the platform completed the order.")
    cancelled_at: Instant | None = Field(None, description="When the order was cancelled.")
    ship_by: Instant | None = Field(None, description="Until when the order must be shipped.")
    cancel_reason: str | None = Field(None, description="Why the order was cancelled, in the platform's words.")
    buyer: Buyer | None = Field(None, description="Who bought, or null.")
    receiver: Receiver | None = Field(
        None, description="Where the goods go, or null. A later message without an address never erases a stored one."
    )
    lines: tuple[Line, ...] = Field((), description="What was bought.")
    payments: tuple[Settlement, ...] = Field((), description="The payments that were made.")
    discounts: tuple[Discount, ...] = Field((), description="The discounts that `totals.discount` consists of.")
    presale: Presale | None = Field(None, description="Deposit and balance of an order paid in two steps, or null.")
    invoice: InvoiceWish | None = Field(None, description="The invoice that the buyer asked for, or null.")
    buyer_note: Annotated[str | None, Personal()] = Field(None, description="What the buyer wrote to the shop.")
    seller_note: Annotated[str | None, Personal()] = Field(None, description="What the shop's staff wrote down.")
    tags: tuple[str, ...] = Field((), description="Labels of the order on the platform.")
    extra: Extra = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _computed_again(cls, data: Any) -> Any:
        return without(data, "shippable")

    @computed_field(description="Whether the WMS may ship it: open, paid or cod, no holds, a shippable line.")
    @property
    def shippable(self) -> bool:
        """Whether the WMS may ship it: open, paid or cod, no holds, at least one shippable line."""
        return (
            self.state == "open"
            and (self.payment in _PAID_ENOUGH or self.cod)
            and not self.holds
            and any(line.refund in _GOES_OUT for line in self.lines)
        )
