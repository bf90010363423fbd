"""Labels of rows: names of fields with their positions, as traces and explanations have them."""

import re
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

from canonical import DOCUMENTS
from hub.mapping.functions import time_text
from hub.mapping.rows import Listing, MappingFile, Object, Row, Switch
from hub.mapping.shape import fields_of


def section_of(mapping: MappingFile) -> str:
    """The section in which a mapping's document lies."""
    return "body" if mapping.outward else mapping.kind


def label_of(name: str, section: str) -> str:
    """A field as a person writes it, as traces have it.

    >>> label_of("lines.0.amount", "order"), label_of("order.lines[1]", "order"), label_of(" state", "order")
    ('order.lines[0].amount', 'order.lines[1]', 'order.state')
    """
    name = re.sub(r"\.(\d+)(?=\.|$)", r"[\1]", name.strip().strip(".")).replace("[]", "")
    return name if name == section or name.startswith(f"{section}.") else f"{section}.{name}"


def field_names(kind: str) -> Iterator[str]:
    """The fields of a kind of document, those of its parts among them: totals.paid, lines.sku."""

    def inside(fields: Any, before: str) -> Iterator[str]:
        for name, known in fields.items():
            yield before + name
            if known.model is not None:
                yield from inside(fields_of(known.model), f"{before}{name}.")

    yield from inside(fields_of(DOCUMENTS[kind]), "")


def plain(value: Any) -> Any:
    """A value as JSON data: amounts and times as text."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime):
        return time_text(value)
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    return [plain(inner) for inner in value] if isinstance(value, (list, tuple)) else value


def bare(label: str) -> str:
    """A label without its positions."""
    return re.sub(r"\[\d*\]", "", label)


def all_rows(row: Row) -> Iterator[Row]:
    """A row and everything inside of it, in all branches."""
    yield row
    if isinstance(row, Object):
        for inner in row.every:
            yield from all_rows(inner)
    elif isinstance(row, Listing):
        for part in row.parts:
            yield from all_rows(part.object)
    elif isinstance(row, Switch):
        for _, branch in row.branches:
            yield from all_rows(branch)
