"""A mapping's function does what its rows do one by one."""

import copy
import random
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.mapping.cases import cases_of, mappings_of
from hub.mapping.catalog import Catalog
from hub.mapping.compiler import Fast
from hub.mapping.rendering import Rendering
from hub.mapping.rows import MappingFile
from hub.mapping.run import Run
from hub.mapping.translation import Compiled
from tests.unit.mapping.conftest import HEAD, RECORD, TAIL

MAPPINGS = Path(__file__).parents[3] / "mappings"


def shipped() -> Catalog:
    catalog = Catalog(MAPPINGS)
    catalog.load()
    return catalog


CATALOG = shipped()


def given_by_mapping() -> dict[str, list[Any]]:
    """What the cases of each mapping begin with."""
    found: dict[str, list[Any]] = {}
    for case, kind in cases_of(CATALOG):
        for mapping in mappings_of(CATALOG, case, kind):
            found.setdefault(mapping.full_name, []).append(case.data["given"])
    return found


GIVEN = given_by_mapping()
ODD: list[Any] = [
    None,
    "",
    "x",
    0,
    1,
    -7,
    1.5,
    True,
    False,
    [],
    {},
    ["a"],
    [{}],
    [None],
    {"a": None},
    "12.345",
    "1717214400",
]


def by_rows(mapping: MappingFile, record: Any) -> tuple[Any, bool]:
    """What the interpreter makes of a record, and whether it complains."""
    if mapping.outward:
        made, problems = Rendering(mapping, lambda row, build: build).render(record)
        return made, bool(problems)
    run = Run(mapping, record)
    return Compiled(mapping, lambda row, build: build).interpreted(run), bool(run.problems)


def with_types(value: Any) -> Any:
    """A value with the types of all its parts: 1 is not True, and not Decimal(1)."""
    if isinstance(value, dict):
        return {key: with_types(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [with_types(inner) for inner in value]
    return (type(value).__name__, str(value) if isinstance(value, (Decimal, datetime)) else value)


def same(mapping: MappingFile, record: Any, fast: Fast) -> bool:
    """Hold the two against each other; whether the function did it alone."""
    before = copy.deepcopy(record)
    quick = fast(record)
    assert record == before
    slow, complains = by_rows(mapping, record)
    if quick is None:
        return False
    assert not complains
    assert with_types(quick) == with_types(slow)
    assert list(quick) == list(slow)
    return True


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place of a record that something else can be put into."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from places(value[key])


def changed(record: Any, chance: random.Random) -> Any:
    """The record with up to three places changed."""
    record = copy.deepcopy(record)
    for _ in range(chance.randint(1, 3)):
        where = list(places(record))
        if not where:
            break
        holder, key = chance.choice(where)
        if chance.random() < 0.3:
            del holder[key]
        elif chance.random() < 0.2 and isinstance(holder[key], list):
            holder[key] = holder[key] * 2
        else:
            holder[key] = copy.deepcopy(chance.choice(ODD))
    return record


@pytest.mark.parametrize("name", sorted(GIVEN))
def test_the_function_of_a_shipped_mapping_does_what_its_rows_do(name: str) -> None:
    mapping = CATALOG.mapping(name)
    fast = Fast(mapping)
    records = [record for record in GIVEN[name] if isinstance(record, dict)]

    alone = sum(same(mapping, record, fast) for record in records)

    complaints = sum(by_rows(mapping, record)[1] for record in records)
    assert alone == len(records) - complaints


@given(st.sampled_from(sorted(GIVEN)), st.integers(0, 10**9))
def test_they_agree_on_records_that_somebody_has_spoilt(name: str, seed: int) -> None:
    mapping = CATALOG.mapping(name)
    chance = random.Random(seed)
    record = chance.choice([record for record in GIVEN[name] if isinstance(record, dict)])

    same(mapping, changed(record, chance), FUNCTIONS.setdefault(name, Fast(mapping)))


FUNCTIONS: dict[str, Fast] = {}


# ---------------------------------------------------------------- what a message may cost

LINES = """
[order.lines]
each = "lines"
line_no = "no"
quantity = "num"
unit_price = { value = "1.00" }
amount = { value = "1.00" }
discount = { value = "0" }
refund = { value = "none" }
title = { from = "root", path = "EXPRESSION" }
"""


@pytest.mark.parametrize(
    "text", ["lines[].tags[] | length(@) | to_string(@)", "contains(to_string(@), 'x') && 'y' || 'n'"]
)
def test_a_row_that_goes_over_the_whole_record_for_each_line_is_named(text: str, translate: Any) -> None:
    lines = [{"no": str(number), "num": 1, "tags": ["a" * 30] * 10} for number in range(1100)]

    found = translate(LINES.replace("EXPRESSION", text), {"lines": lines})

    assert [problem.code for problem in found.problems] == ["mapping.budget"]
    [problem] = found.problems
    assert problem.rule.startswith("shop/order: order.lines[")
    assert problem.path == text
    assert "steps" in problem.found
    assert "order.toml:" in problem.hint


def test_branches_within_branches_nest_deeper_than_python_takes(translate: Any) -> None:
    row = '{ path = "note" }'
    for depth in range(25):
        row = f'{{ when = [ {{ if = "a{depth}", value = "{depth}" }}, {row} ] }}'
    found = translate(f"buyer_note = {row}", {"note": "innermost"})
    assert (found.draft or found.document).buyer_note == "innermost"
    assert (translate(f"buyer_note = {row}", {"a3": True}).document or found.draft).buyer_note == "3"


def test_what_python_cannot_take_is_interpreted(folder: Any) -> None:
    deep = ".".join(["a[*]"] * 40)
    catalog = folder({"channels/shop/order.toml": f"{HEAD}\nbuyer_note = {{ path = \"{deep} && 'deep'\" }}\n{TAIL}"})
    catalog.load()
    mapping = catalog.mapping("channels/shop/order")

    assert Fast(mapping)(RECORD) is None
    assert by_rows(mapping, RECORD | {"a": [{}]})[0]["order_no"] == str(RECORD["no"])
