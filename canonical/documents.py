"""The documents there are, by kind."""

from collections.abc import Mapping

from canonical.fields import Document
from canonical.invoice import Invoice
from canonical.order import Order
from canonical.refund import Refund
from canonical.shipment import Shipment
from canonical.stock import Stock

AnyDocument = Order | Refund | Shipment | Stock | Invoice

DOCUMENTS: Mapping[str, type[Document]] = {
    model.document_kind: model for model in (Order, Refund, Shipment, Stock, Invoice)
}
"""Kind ("order", "refund", "shipment", "stock", "invoice") -> model."""
