"""An e-invoice to issue, and its answer."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from canonical.fields import Currency, Document, Extra, Id, Instant, Part, PersonalText
from canonical.money import Money, Number

InvoiceKind = Literal["blue", "red"]
InvoiceState = Literal["requested", "issued", "failed", "void"]
RequestNo = Annotated[str, StringConstraints(min_length=1, max_length=20, pattern=r"^[^\x00-\x1f\x7f]+$")]


class InvoiceLine(Part):
    """One line of an invoice. Amounts are positive on a blue invoice and negative on a red one."""

    name: str = Field(description="Name of the goods or service.")
    tax_code: str | None = Field(None, description="Tax classification code of the goods (19 digits in China).")
    quantity: Number | None = Field(None, description="How many, or null; may be a fraction.")
    unit_price: Number | None = Field(
        None, description="Price of one without tax; may have more digits than the currency, since it is divided."
    )
    amount: Money | None = Field(None, description="Amount of the line without tax.")
    tax_rate: Number | None = Field(None, description='Rate of tax as a fraction: "0.13" is 13 %.')
    tax: Money | None = Field(None, description="Tax on the line.")


class Invoice(Document):
    """An e-invoice to issue, and its answer. Key: tenant and `request_no`."""

    document_kind: ClassVar[str] = "invoice"

    schema_: Literal["invoice/1"] = Field(
        "invoice/1", alias="schema", description="Which contract the document follows: kind and major version."
    )
    request_no: RequestNo = Field(
        description="The request's own number, by which the tax system tells a repetition: stable, at most 20 "
        "characters, never holds a time."
    )
    order_nos: tuple[Id, ...] = Field((), description="The orders that it bills.")
    kind: InvoiceKind = Field(description="blue: an invoice; red: one that takes a blue one back.")
    red_of: str | None = Field(None, description="The blue invoice's number that a red one takes back, or null.")
    title: PersonalText = Field(None, description="Whom the invoice names: a company or a person.")
    tax_no: PersonalText = Field(None, description="The buyer's tax number.")
    currency: Currency = Field(description="ISO 4217 code of all amounts of this invoice.")
    lines: tuple[InvoiceLine, ...] = Field((), description="What is billed.")
    state: InvoiceState = Field(description="requested, issued, failed or void.")
    number: str | None = Field(None, description="The invoice's number once issued.")
    code: str | None = Field(None, description="The invoice's code once issued, where invoices have one.")
    url: PersonalText = Field(None, description="Where the issued invoice can be read; whoever has it can read it.")
    issued_at: Instant | None = Field(None, description="When it was issued.")
    extra: Extra = Field(default_factory=dict)
