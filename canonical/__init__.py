"""The language that all connected systems share: five documents, their checks, their identity. Imports nobody else."""

from canonical.documents import DOCUMENTS, AnyDocument
from canonical.invoice import Invoice, InvoiceLine
from canonical.order import Line, Order
from canonical.parsing import parse_json
from canonical.problem import Problem
from canonical.refund import Refund, RefundLine
from canonical.serialise import dump_json
from canonical.shipment import Shipment, ShipmentLine
from canonical.stock import Stock

__all__ = [
    "DOCUMENTS",
    "AnyDocument",
    "Invoice",
    "InvoiceLine",
    "Line",
    "Order",
    "Problem",
    "Refund",
    "RefundLine",
    "Shipment",
    "ShipmentLine",
    "Stock",
    "dump_json",
    "parse_json",
]
