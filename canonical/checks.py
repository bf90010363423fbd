"""Rules across the fields of a document. All findings are reported at once; a rule that needs what the platform does
not say (null) finds nothing."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from canonical.fields import Document
from canonical.invoice import Invoice
from canonical.money import minor_digits, minor_unit
from canonical.order import Line, Order
from canonical.problem import Problem
from canonical.refund import Refund, RefundLine
from canonical.serialise import amounts, even
from canonical.shipment import Shipment, ShipmentLine

_FIGURES = "Compare the figures with the platform's console; the mapping may read a wrong field, or miss one."
_NOTHING_PAID = frozenset({"unpaid", "authorized", "voided"})
_NEVER_PAID = frozenset({"unpaid", "voided"})


def check(document: Document) -> list[Problem]:
    """Every rule that the document breaks; empty when all is well. Codes are check.NAME."""
    return [problem for rule in _RULES.get(type(document), ()) for problem in rule(document)]


def _totals(order: Order) -> Iterator[Problem]:
    if _closed_unpaid(order):
        return
    t = order.totals
    if t.goods is None or t.discount is None or t.shipping is None or t.tax is None or t.other is None:
        return
    expected = t.goods - t.discount + t.shipping + t.tax + t.other
    if t.payable is not None and t.payable != expected:
        yield Problem(
            "check.totals",
            "payable = goods - discount + shipping + tax + other",
            "totals.payable",
            str(t.payable),
            f"{t.goods} - {t.discount} + {t.shipping} + {t.tax} + {t.other} = {expected}",
            _FIGURES,
        )


def _lines_sum(order: Order) -> Iterator[Problem]:
    goods, discount = order.totals.goods, order.totals.discount
    if _closed_unpaid(order) or goods is None or discount is None:
        return
    total = Decimal(0)
    for line in order.lines:
        if line.amount is None:
            return
        total += line.amount
    expected = goods - discount
    allowed = minor_unit(order.currency) * len(order.lines)
    if abs(total - expected) > allowed:
        yield Problem(
            "check.lines_sum",
            "the lines' amounts add up to goods - discount, within one minor unit a line",
            "lines[].amount",
            str(total),
            f"{goods} - {discount} = {expected}, give or take {allowed}",
            _FIGURES,
        )


def _refunded(order: Order) -> Iterator[Problem]:
    paid, refunded = order.totals.paid, order.totals.refunded
    if paid is not None and refunded is not None and refunded > paid and not _closed_unpaid(order):
        yield Problem(
            "check.refunded",
            "refunded <= paid",
            "totals.refunded",
            str(refunded),
            f"at most {paid}, what was paid",
            _FIGURES,
        )


def _line_numbers(order: Order) -> Iterator[Problem]:
    first: dict[str, int] = {}
    for number, line in enumerate(order.lines):
        if line.line_no in first:
            yield Problem(
                "check.line_numbers",
                "line numbers are unique",
                f"lines[{number}].line_no",
                line.line_no,
                f"a number of its own; lines[{first[line.line_no]}] has this one",
                "Map the platform's id of the line; where there is none, number the second line of one SKU with -2.",
            )
        else:
            first[line.line_no] = number


def _quantities(document: Order | Refund | Shipment) -> Iterator[Problem]:
    lines: tuple[Line | RefundLine | ShipmentLine, ...] = document.lines
    for number, line in enumerate(lines):
        if line.quantity is not None and line.quantity <= 0:
            yield Problem(
                "check.quantity",
                "quantities are above 0",
                f"lines[{number}].quantity",
                str(line.quantity),
                "1 or more",
                "Leave lines that were taken out of the order out of the mapping's list (where = ...).",
            )


def _paid_at(order: Order) -> Iterator[Problem]:
    if order.paid_at is not None and order.payment in _NOTHING_PAID:
        yield Problem(
            "check.paid_at",
            "paid_at set means that something was paid",
            "paid_at",
            f"{_told(order.paid_at)} with payment {order.payment}",
            "no paid_at, or a payment that says that something was paid",
            "Mend the table of payment words, or list the platform's empty time under absent.",
        )


def _revision(order: Order) -> Iterator[Problem]:
    placed = order.placed_at
    if placed is None:
        return
    # where the platform's last change is told in whole seconds, the order's may not be
    floor = placed if order.revision.microsecond else placed.replace(microsecond=0)
    if order.revision < floor:
        yield Problem(
            "check.revision",
            "revision >= placed_at",
            "revision",
            _told(order.revision),
            f"{_told(placed)} or later",
            "Check the zone of both times in the mapping.",
        )


def _digits(document: Order | Refund | Invoice) -> Iterator[Problem]:
    if isinstance(document, Order) and _closed_unpaid(document):
        return
    unit = minor_unit(document.currency)
    if even(document, unit):
        return
    for path, amount in amounts(document):
        if not amount.same_quantum(unit) and amount.quantize(unit) != amount:
            yield Problem(
                "check.digits",
                "money has no more digits than its currency",
                path,
                str(amount),
                f"at most {minor_digits(document.currency)} digits after the point for {document.currency}",
                "Check the unit of the amount and the currency in the mapping.",
            )


def _told(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def _closed_unpaid(order: Order) -> bool:
    """Platforms blank the figures of orders that were closed without being paid."""
    return order.state == "cancelled" and order.payment in _NEVER_PAID


_RULES: Mapping[type[Document], tuple[Callable[[Any], Iterator[Problem]], ...]] = {
    Order: (_totals, _lines_sum, _refunded, _line_numbers, _quantities, _paid_at, _revision, _digits),
    Refund: (_quantities, _digits),
    Shipment: (_quantities,),
    Invoice: (_digits,),
}
