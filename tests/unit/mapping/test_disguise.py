"""Nothing of a person is left in a recorded case, and all else is as it was."""

import doctest
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.mapping import disguise
from hub.mapping.casefile import Case
from hub.mapping.cases import cases_of, mappings_of
from hub.mapping.catalog import Catalog
from hub.mapping.disguise import disguised, fake
from hub.mapping.trace import traced
from hub.workbench.recording import NotRecordable, recorded

MAPPINGS = Path(__file__).parents[3] / "mappings"
CATALOG = Catalog(MAPPINGS)
CATALOG.load()
GENERIC = CATALOG.channel("generic", "order").mappings
ORDER: dict[str, Any] = {
    "order_no": "W1001",
    "status": "paid",
    "payment_status": "paid",
    "shipping_status": "none",
    "currency": "CNY",
    "created_at": "2026-11-01T08:00:00Z",
    "updated_at": "2026-11-01T09:00:00Z",
    "total": "20.00",
    "note": "请打电话给林晓月 13912345678",
    "address": {"name": "林晓月", "phone": "13912345678", "country": "CN", "city": "苏州市", "street": "平江路 9 号"},
    "items": [
        {"id": "1", "sku": "CUP-1", "title": "杯", "quantity": 2, "price": "10.00", "total": "20.00"},
        {"id": "2", "sku": "CUP-2", "title": "林晓月 的杯子", "quantity": 0},
    ],
}


def test_the_examples_in_the_docstrings_hold() -> None:
    assert doctest.testmod(disguise).failed == 0


def test_people_are_replaced_everywhere_and_nothing_else_is() -> None:
    made = disguised(ORDER, GENERIC)
    text = json.dumps(made, ensure_ascii=False)
    for personal in ("林晓月", "13912345678", "平江路", "W1001", "苏州"):
        assert personal not in text
    address = made["address"]
    assert made["items"][1]["title"] == f"{address['name']} 的杯子"
    assert (address["phone"][:2], len(address["phone"]), address["city"][-1]) == ("13", 11, "市")
    assert made["items"][0] == ORDER["items"][0]
    assert {name: made[name] for name in ("status", "total", "created_at", "currency")} == {
        name: ORDER[name] for name in ("status", "total", "created_at", "currency")
    }
    assert disguised(ORDER, GENERIC) == made


@given(
    st.text(st.characters(categories=["Lu", "Ll"]), min_size=4, max_size=20),
    st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True),
    st.text(max_size=20),
)
def test_no_personal_value_is_left(name: str, phone: str, around: str) -> None:
    address = {**ORDER["address"], "name": name, "phone": phone}
    record = {**ORDER, "address": address, "note": f"{around}{name}{around}{phone}"}
    text = json.dumps(disguised(record, GENERIC), ensure_ascii=False)
    assert phone not in text
    assert name not in text or fake(name) == name  # signs of which nothing can be invented


@given(st.text(max_size=40))
def test_fakes_are_stable_and_of_the_same_look(text: str) -> None:
    made = fake(text)
    assert made == fake(text)
    if "@" not in text:
        assert len(made) == len(text)
        assert [c.isdecimal() and c.isascii() for c in made] == [c.isdecimal() and c.isascii() for c in text]


@pytest.fixture(scope="module")
def shipped() -> dict[str, list[tuple[Case, str]]]:
    """The shipped cases of each channel's mapping."""
    found: dict[str, list[tuple[Case, str]]] = {}
    for case, kind in cases_of(CATALOG):
        found.setdefault(f"{case.way}/{case.folder}/{kind}", []).append((case, kind))
    return found


@pytest.mark.search
@pytest.mark.parametrize("name", sorted(n for n in CATALOG.names() if n.startswith("channels/")))
def test_the_same_becomes_of_every_shipped_case(
    name: str, shipped: dict[str, list[tuple[Case, str]]], thorough: bool
) -> None:
    cases, done = shipped.get(name, []), 0
    for case, kind in cases if thorough else cases[:: max(1, len(cases) // 5)]:
        mappings = mappings_of(CATALOG, case, kind)
        try:
            made = recorded(mappings, case.data["given"], {"shop": "shop", "channel": case.folder})
        except NotRecordable:
            continue
        again = traced(mappings, made.case["given"], {"shop": "shop", "channel": case.folder})
        assert made.case.get("problems", []) == [problem.code for problem in again.problems]
        done += 1
    assert done or not cases
