"""The models: what they take, what they refuse, what they compute, and that nothing is lost on the way through JSON."""

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from pydantic import BaseModel, ValidationError

import canonical
from canonical import DOCUMENTS, Line, Order, dump_json
from canonical.fields import Document, Part, leaves_of
from canonical.schemas import schema_of
from canonical.serialise import amounts, exact
from tests.unit.canonical.samples import (
    MOMENT,
    every_kind,
    invoice,
    line_data,
    order,
    order_data,
    orders,
    refund,
    shipment,
    stock,
    totals,
)

DOCUMENT = pytest.mark.parametrize("document", every_kind(), ids=lambda d: d.document_kind)


def _parts(model: type[Part]) -> set[type[Part]]:
    inner = {
        leaf
        for info in model.model_fields.values()
        for leaf in leaves_of(info)
        if isinstance(leaf, type) and issubclass(leaf, Part)
    }
    return {model}.union(*(_parts(part) for part in inner))


PARTS = sorted({part for model in DOCUMENTS.values() for part in _parts(model)}, key=lambda part: part.__name__)
PART = pytest.mark.parametrize("part", PARTS, ids=lambda part: part.__name__)


def test_the_kinds_are_those_of_the_contract() -> None:
    assert list(DOCUMENTS) == ["order", "refund", "shipment", "stock", "invoice"]
    assert all(model.document_kind == kind for kind, model in DOCUMENTS.items())


def test_what_the_package_exports_is_there() -> None:
    assert len(canonical.__all__) == len(set(canonical.__all__))
    assert all(getattr(canonical, name) is not None for name in canonical.__all__)


@PART
def test_every_field_says_what_it_means(part: type[BaseModel]) -> None:
    said: dict[str, Any] = {**part.model_fields, **part.model_computed_fields}
    assert [name for name, info in said.items() if not info.description] == []


@PART
def test_every_part_is_immutable_and_refuses_unknown_names(part: type[BaseModel]) -> None:
    assert part.model_config["frozen"] is True
    assert part.model_config["extra"] == "forbid"


ORDER_FIELDS = """
schema tenant shop channel order_no display_no group_no revision kind state payment fulfilment holds
cod currency totals placed_at paid_at shipped_at completed_at cancelled_at ship_by cancel_reason buyer receiver
lines payments discounts presale invoice buyer_note seller_note tags extra shippable"""
LINE_FIELDS = """
line_no sku item_id variant_id title variant quantity unit_price discount amount tax shipped_quantity
refund refunded_amount gift warehouse ship_by extra shippable"""
REFUND_FIELDS = """
schema tenant shop channel refund_no order_no revision kind phase state amount shipping currency
lines reason buyer_note return_parcel requested_at completed_at extra"""
SHIPMENT_FIELDS = """schema tenant shop channel shipment_no order_no revision warehouse carrier carrier_name tracking_no
shipped_at complete lines extra"""
STOCK_FIELDS = "schema tenant sku warehouse revision available on_hand reserved in_transit extra"
INVOICE_FIELDS = """schema tenant request_no order_nos kind red_of title tax_no currency lines state number code url
issued_at extra"""


@pytest.mark.parametrize(
    ("document", "fields"),
    [
        (order(), ORDER_FIELDS),
        (refund(), REFUND_FIELDS),
        (shipment(), SHIPMENT_FIELDS),
        (stock(), STOCK_FIELDS),
        (invoice(), INVOICE_FIELDS),
    ],
    ids=["order", "refund", "shipment", "stock", "invoice"],
)
def test_a_document_carries_every_field_of_the_contract_and_no_other(document: Document, fields: str) -> None:
    assert list(json.loads(dump_json(document))) == fields.split()


def test_a_line_carries_every_field_of_the_contract() -> None:
    assert list(json.loads(dump_json(order()))["lines"][0]) == LINE_FIELDS.split()


@DOCUMENT
def test_a_stored_document_loads_again(document: Document) -> None:
    model = type(document)
    assert model.model_validate(document.model_dump(mode="json", by_alias=True)) == document
    assert model.model_validate(document.model_dump()) == document
    assert model.model_validate_json(dump_json(document)) == exact(document)


@given(orders())
def test_any_order_survives_storing(document: Order) -> None:
    stored = dump_json(document)
    again = Order.model_validate_json(stored)
    assert again == document
    assert dump_json(again) == stored
    assert again.shippable is json.loads(stored)["shippable"]


@given(orders())
def test_any_order_follows_the_published_schema(document: Order) -> None:
    jsonschema.validate(json.loads(dump_json(document)), schema_of("order"))
    assert document.schema_ == "order/1"


@DOCUMENT
def test_each_kind_follows_its_published_schema(document: Document) -> None:
    data = json.loads(dump_json(document))
    jsonschema.validate(data, schema_of(document.document_kind))
    assert data["schema"] == f"{document.document_kind}/1"


def test_ids_stay_text_and_exact() -> None:
    assert json.loads(dump_json(order()))["order_no"] == "9223372036854775899"


def test_money_is_written_with_the_digits_of_its_currency() -> None:
    yen = order(currency="JPY", totals={"goods": "1E+3", "discount": "0.00"}, lines=[line_data(amount="1000.00")])
    data = json.loads(dump_json(yen))
    assert data["totals"]["goods"] == "1000"
    assert data["totals"]["discount"] == "0"
    assert data["lines"][0]["amount"] == "1000"
    yuan = json.loads(dump_json(order(totals={"goods": "59.9", "paid": 3, "tax": "0.125"})))["totals"]
    assert (yuan["goods"], yuan["paid"], yuan["tax"], yuan["other"]) == ("59.90", "3.00", "0.125", None)
    lines = json.loads(dump_json(invoice()))["lines"]
    assert lines[0]["unit_price"] == "39.82300885"


def test_exact_leaves_what_is_exact_already_alone() -> None:
    assert exact(order()) is not None
    one = exact(order())
    assert exact(one) is one
    parcel = shipment()
    assert exact(parcel) is parcel


def test_every_amount_of_an_order_is_found_with_its_path() -> None:
    document = order(
        lines=[line_data(1, refunded_amount="1.00")],
        payments=[{"amount": "188.00"}],
        discounts=[{"amount": "20.00"}],
        presale={"deposit": "10.00"},
    )
    found = dict(amounts(document))
    assert found["lines[0].refunded_amount"] == Decimal("1.00")
    assert found["payments[0].amount"] == Decimal("188.00")
    assert found["discounts[0].amount"] == Decimal("20.00")
    assert found["presale.deposit"] == Decimal("10.00")
    assert found["totals.payable"] == Decimal("188.00")
    assert "lines[0].tax" not in found


def test_times_are_utc_with_z() -> None:
    shanghai = datetime(2024, 6, 18, 13, 0, tzinfo=timezone(timedelta(hours=8)))
    document = order(revision=shanghai, placed_at="2024-06-18T00:30:00.250-04:00")
    data = json.loads(dump_json(document))
    assert data["revision"] == "2024-06-18T05:00:00Z"
    assert data["placed_at"] == "2024-06-18T04:30:00.250000Z"
    assert document.revision.tzinfo is UTC


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"order_no": 42}, "order_no"),
        ({"order_no": ""}, "order_no"),
        ({"order_no": "a\x00b"}, "order_no"),
        ({"order_no": "9" * 129}, "order_no"),
        ({"display_no": "#" * 65}, "display_no"),
        ({"revision": "2024-06-18T05:00:00"}, "revision"),
        ({"revision": None}, "revision"),
        ({"placed_at": "0001-01-01T00:00:00+08:00"}, "placed_at"),
        ({"currency": "RMB"}, "currency"),
        ({"currency": "cny"}, "currency"),
        ({"state": "closed"}, "state"),
        ({"payment": None}, "payment"),
        ({"holds": [{"code": "unknown"}]}, "holds"),
        ({"lines": [line_data(quantity="1.5")]}, "lines"),
        ({"lines": None}, "lines"),
        ({"totals": {"goods": "NaN"}}, "totals"),
        ({"discounts": [{"funded_by": "bank"}]}, "discounts"),
        ({"schema": "order/2"}, "schema"),
        ({"note": "x"}, "note"),
    ],
    ids=repr,
)
def test_what_the_contract_does_not_allow_is_refused_by_place(changes: dict[str, Any], place: str) -> None:
    with pytest.raises(ValidationError) as caught:
        order(**changes)
    assert {error["loc"][0] for error in caught.value.errors()} == {place}


@pytest.mark.parametrize(
    "name", ["tenant", "shop", "channel", "order_no", "revision", "state", "payment", "fulfilment"]
)
def test_an_order_without_what_it_needs_is_refused(name: str) -> None:
    data = {key: value for key, value in order_data().items() if key != name}
    with pytest.raises(ValidationError, match=name):
        Order.model_validate(data)


def test_a_request_number_has_at_most_20_characters() -> None:
    assert invoice(request_no="R" * 20).request_no == "R" * 20
    with pytest.raises(ValidationError, match="request_no"):
        invoice(request_no="R" * 21)


def test_documents_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        order().state = "completed"  # type: ignore[misc]  # that it is refused is the point


@pytest.mark.parametrize(
    ("refund_state", "ships"),
    [("none", True), ("rejected", True), ("requested", False), ("refunded", False), ("partially_refunded", False)],
)
def test_a_line_ships_unless_a_refund_is_in_progress_or_done(refund_state: str, ships: bool) -> None:
    assert Line.model_validate(line_data(refund=refund_state)).shippable is ships
    assert order(lines=[line_data(refund=refund_state)]).shippable is ships
    assert order(lines=[line_data(1, refund=refund_state), line_data(2)]).shippable is True


@pytest.mark.parametrize(
    ("changes", "ships"),
    [
        ({}, True),
        ({"payment": "partially_refunded"}, True),
        ({"payment": "unpaid"}, False),
        ({"payment": "authorized"}, False),
        ({"payment": "deposit_paid"}, False),
        ({"payment": "refunded"}, False),
        ({"payment": "voided"}, False),
        ({"payment": "unpaid", "cod": True}, True),
        ({"state": "completed"}, False),
        ({"state": "cancelled"}, False),
        ({"state": "cancelled", "cod": True}, False),
        ({"holds": [{"code": "risk_review"}]}, False),
        ({"holds": [{"code": "test_order"}], "cod": True}, False),
        ({"lines": []}, False),
    ],
    ids=repr,
)
def test_an_order_ships_by_the_rule_of_the_contract(changes: dict[str, Any], ships: bool) -> None:
    assert order(**changes).shippable is ships


def test_a_computed_field_is_not_believed_on_input() -> None:
    claimed = order(shippable=False, lines=[line_data(shippable=False, refund="requested")])
    assert claimed.shippable is False
    assert order(shippable=False).shippable is True
    assert order(state="cancelled", shippable=True).shippable is False


def test_parts_are_taken_as_objects_too() -> None:
    line = Line.model_validate(line_data())
    assert order(lines=[line]).lines == (line,)
    assert Order.model_validate(order()) == order()


def test_nulls_are_written_out() -> None:
    data = json.loads(dump_json(Order.model_validate({**order_data(), "totals": {}, "receiver": None})))
    assert set(data["totals"].values()) == {None}
    assert data["receiver"] is None
    assert data["shipped_at"] is None


def test_a_moment_keeps_its_place_in_time() -> None:
    assert refund(revision=MOMENT).revision == MOMENT
    assert totals()["payable"] == "188.00"
