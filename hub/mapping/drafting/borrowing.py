"""What the mappings that are there know already: which word means what, for which field."""

from collections.abc import Iterable, Iterator

from hub.mapping.drafting.writing import Known
from hub.mapping.labels import all_rows
from hub.mapping.rows import MappingFile, Row, Value


def words_of(mappings: Iterable[MappingFile]) -> Known:
    """(field, word) -> (canonical word, mapping), "order.state" being a field.

    Left out are words that mean one thing here and another there, and numbers.
    """
    found: dict[tuple[str, str], tuple[str, str]] = {}
    unclear = set()
    for mapping in mappings:
        for row in () if mapping.outward else looked_up(mapping.body):
            for word, value in (row.table or {}).items():
                place = (row.label.replace("[]", ""), word)
                if not isinstance(value, str) or word.lstrip("-").isdecimal():
                    continue
                if found.setdefault(place, (value, mapping.name))[0] != value:
                    unclear.add(place)
    return {place: known for place, known in found.items() if place not in unclear}


def looked_up(row: Row) -> Iterator[Value]:
    """Every row that goes through a table."""
    return (one for one in all_rows(row) if isinstance(one, Value) and one.table is not None)
