"""What `hub mapping check` finds: each rule where it fires, and where it is silent; the shipped mappings are clean."""

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from hub.mapping.catalog import Catalog
from hub.mapping.lint import RULES, Finding, lint
from hub.mapping.schema import schema_of
from tests.unit.mapping.conftest import HEAD, RECORD, TAIL

MAPPINGS = Path(__file__).parents[3] / "mappings"
Check = Callable[..., list[Finding]]


@pytest.fixture
def check(folder: Any) -> Check:
    """The findings about an order mapping with these rows, whose cases begin with these records."""

    def run(rows: str, *records: dict[str, Any], head: str = HEAD, tail: str = TAIL) -> list[Finding]:
        cases = [{"given": {**RECORD, **record}, "expect": {}} for record in records]
        files = {"channels/shop/order.toml": head + rows + tail}
        if cases:
            files["channels/shop/cases/order-all.json"] = json.dumps(cases)
        catalog = folder(files)
        catalog.load()
        return lint(catalog, catalog.names())

    return run


def codes(findings: list[Finding]) -> set[str]:
    return {finding.code for finding in findings}


STATE = 'state = { path = "status", table = "state" }\n'
NO_ZONE = {"head": HEAD.replace('zone = "Asia/Shanghai"\n', "")}
DROPS = {"head": 'drops = ["gift_wrap"]\n' + HEAD}
WHY = {"tail": TAIL + '[tables.why]\nOLD = "old"\n'}
BY_REFUND = """state = { when = [ { if = "refund_status == 'DONE'", value = "cancelled" }, { value = "open" } ] }\n"""
BY_FIELD = 'state = { path = "after_sale_status", table = "state" }\n'
NO_ELSE = """state = { when = [ { if = "status == 'OPEN'", value = "open" } ] }\n"""


def state(row: str, words: str = "") -> dict[str, str]:
    """A head with another row for `state`, and further words of its table."""
    return {"head": HEAD.replace(STATE, row), "tail": TAIL + words}


def branches(first: str, second: str) -> str:
    rows = ", ".join((f'{{ if = "{first}", path = "b" }}', f'{{ if = "{second}", path = "c" }}', '{ path = "d" }'))
    return f"buyer_note = {{ when = [ {rows} ] }}"


Case = tuple[str, str, dict[str, Any], dict[str, str]]
FIRES: list[Case] = [
    ("refund_cancels", "", {}, state(BY_REFUND)),
    ("refund_cancels", "", {}, state(BY_FIELD, 'X = "cancelled"\n')),
    ("refund_cancels", "", {}, state(STATE, 'REFUNDED = "cancelled"\n')),
    ("unreachable", branches("a", "a"), {}, {}),
    ("unreachable", branches("`true`", "a"), {}, {}),
    ("cannot_fit", 'placed_at = "a == b"', {}, {}),
    ("cannot_fit", "totals.payable = \"'much'\"", {}, {}),
    ("personal_unmarked", 'extra.contact = "buyer_phone"', {}, {}),
    ("personal_unmarked", 'receiver.name = "who"\nextra.who = "who"', {}, {}),
    ("no_else", "", {}, state(NO_ELSE)),
    ("unknown_word", 'cancel_reason = { if = "no == `0`", path = "why", table = "why" }', {"why": "NEW"}, WHY),
    ("unused_table", "", {}, {"tail": TAIL + '[tables.spare]\nA = "open"\n'}),
    ("wire_field", "", {"gift_wrap": "red"}, {}),
    ("unused_drop", "", {}, DROPS),
    ("unit_untold", 'totals.payable = "total"', {"total": 5990}, {}),
    ("zone_untold", "", {}, NO_ZONE),
]
SILENT: list[Case] = [
    ("refund_cancels", 'cancel_reason = { path = "refund_why", table = "why" }', {}, WHY),
    ("refund_cancels", "", {}, state(STATE, 'REFUNDED = "completed"\nCLOSED = "cancelled"\n')),
    ("unreachable", branches("a", "b"), {}, {}),
    ("cannot_fit", 'cod = "a == b"', {}, {}),
    ("personal_unmarked", 'extra.product_name = "product_name"', {}, {}),
    ("personal_unmarked", 'extra.known = { path = "!buyer_phone", as = "bool" }', {}, {}),
    ("no_else", 'cancelled_at = { if = "a", path = "b" }', {}, {}),
    ("unknown_word", 'cancel_reason = { path = "why", table = "why" }', {"why": "OLD"}, WHY),
    ("unused_table", "", {}, {}),
    ("wire_field", "", {"gift_wrap": "red"}, DROPS),
    ("unused_drop", "", {"gift_wrap": "red"}, DROPS),
    ("unit_untold", 'totals.payable = { path = "total", unit = "fen" }', {"total": 5990}, {}),
    ("zone_untold", "", {"changed": "2026-02-01T08:00:00Z"}, NO_ZONE),
]


def named(cases: list[Case]) -> list[Any]:
    return [pytest.param(*case, id=f"{case[0]} {number}") for number, case in enumerate(cases)]


def test_each_rule_is_shown_to_fire_and_to_be_silent() -> None:
    assert {code for code, *_ in FIRES} == {code for code, *_ in SILENT} == RULES.keys()


@pytest.mark.parametrize(("code", "rows", "record", "more"), named(FIRES))
def test_it_fires(code: str, rows: str, record: dict[str, Any], more: dict[str, Any], check: Check) -> None:
    found = [finding for finding in check(rows, record, **more) if finding.code == code]
    assert found
    assert all(finding.place.line > 0 and finding.message for finding in found)
    assert found[0].as_dict()["hint"]


@pytest.mark.parametrize(("code", "rows", "record", "more"), named(SILENT))
def test_it_is_silent(code: str, rows: str, record: dict[str, Any], more: dict[str, Any], check: Check) -> None:
    assert code not in codes(check(rows, record, **more))


def test_what_is_right_as_it_is_gets_silenced_with_its_reason(check: Check) -> None:
    allow = '[[allow]]\ncode = "wire_field"\nwhy = "the site\'s own"\n'
    assert codes(check("", {"gift_wrap": "red"})) == {"wire_field"}
    assert codes(check("", {"gift_wrap": "red"}, tail=TAIL + allow)) == set()
    elsewhere = allow.replace("why", 'key = "order.state"\nwhy')
    assert codes(check("", {"gift_wrap": "red"}, tail=TAIL + elsewhere)) == {"wire_field"}


def test_shipped_mappings_are_clean() -> None:
    catalog = Catalog(MAPPINGS)
    catalog.load()
    assert [finding.place.says(finding.message) for finding in lint(catalog, catalog.names())] == []


# ---------------------------------------------------------------- the schema for editors


@pytest.mark.parametrize("path", sorted(MAPPINGS.glob("*/*/*.toml")), ids=lambda p: p.relative_to(MAPPINGS).as_posix())
def test_every_shipped_mapping_fits_the_schema(path: Path) -> None:
    validator = jsonschema.Draft7Validator(schema_of())
    assert [error.message for error in validator.iter_errors(tomllib.loads(path.read_text("utf-8")))] == []


@pytest.mark.parametrize(
    "text",
    [
        'kind = "ordre"', 'kee = "no"', '[order]\nordre_no = "no"', '[order]\nstate = { pat = "status" }', "key = 5",
        '[order]\nplaced_at = { path = "t", as = "tme" }', '[[order.lines]]\nskuu = "a"',
        '[order]\nstate = { when = [ { iff = "a", value = "open" } ] }',
    ],
)  # fmt: skip
def test_typing_errors_do_not_fit_the_schema(text: str) -> None:
    validator = jsonschema.Draft7Validator(schema_of())
    assert list(validator.iter_errors(tomllib.loads(text)))
