import json
from typing import Any

import pytest
from pydantic import ValidationError

from canonical import DOCUMENTS, Order, dump_json
from canonical.fields import Document
from canonical.personal import MASK, mask, personal_paths
from canonical.schemas import schema_of
from tests.unit.canonical.samples import every_kind, line_data, order, order_data

PERSONAL = {
    "order": {
        *(f"buyer.{name}" for name in ("id", "nickname", "email")),
        *(
            f"receiver.{name}"
            for name in ("name", "phone", "country", "province", "city", "district", "town", "street")
        ),
        *("receiver.postcode", "receiver.token"),
        *(f"invoice.{name}" for name in ("title", "tax_no", "email", "phone")),
        *("buyer_note", "seller_note"),
    },
    "refund": {"buyer_note"},
    "shipment": set(),
    "stock": set(),
    "invoice": {"title", "tax_no", "url"},
}


def _tagged(root: dict[str, Any], node: dict[str, Any], path: str) -> set[str]:
    """The paths that a reader of the JSON Schema finds tagged."""
    if "$ref" in node:
        return _tagged(root, root["$defs"][node["$ref"].rpartition("/")[2]], path)
    found = {path} if node.get("x-personal") else set()
    for name, inner in node.get("properties", {}).items():
        found |= _tagged(root, inner, f"{path}.{name}" if path else name)
    for inner in node.get("anyOf", ()):
        found |= _tagged(root, inner, path)
    return found | _tagged(root, node["items"], f"{path}[]") if "items" in node else found


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_the_fields_with_personal_data(kind: str) -> None:
    assert set(personal_paths(kind)) == PERSONAL[kind]


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_the_published_schema_shows_the_same_tags(kind: str) -> None:
    schema = schema_of(kind)
    assert _tagged(schema, schema, "") == PERSONAL[kind]


def test_masking_hides_every_personal_value_and_nothing_else() -> None:
    data = json.loads(dump_json(order(seller_note="", lines=[line_data(title="Lin Mu's cup")])))
    masked = mask(data, "order")
    assert masked["receiver"] == {**data["receiver"], "name": MASK, "phone": MASK, "city": MASK, "street": MASK}
    assert masked["buyer"] == {"id": MASK, "nickname": MASK, "email": None}
    assert masked["invoice"]["tax_no"] == MASK
    assert (masked["buyer_note"], masked["seller_note"]) == (MASK, "")
    untouched = set(data) - {"receiver", "buyer", "invoice", "buyer_note"}
    assert {name: masked[name] for name in untouched} == {name: data[name] for name in untouched}


def test_masking_leaves_the_original_alone() -> None:
    data = json.loads(dump_json(order()))
    before = json.dumps(data)
    assert mask(data, "order") != data
    assert json.dumps(data) == before


@pytest.mark.parametrize("document", every_kind(), ids=lambda d: d.document_kind)
def test_a_masked_document_is_still_a_document(document: Document) -> None:
    masked = mask(json.loads(dump_json(document)), document.document_kind)
    assert type(document).model_validate(masked).tenant == document.tenant


def test_masking_takes_half_a_document() -> None:
    assert mask({"buyer_note": "ring", "receiver": None, "x": 1}, "order") == {
        "buyer_note": MASK,
        "receiver": None,
        "x": 1,
    }
    assert mask({"receiver": "a text", "buyer": [{"id": "7"}, "?"]}, "order") == {
        "receiver": "a text",
        "buyer": [{"id": MASK}, "?"],
    }


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(KeyError):
        mask({}, "parcel")


def test_no_repr_and_no_validation_error_tells_personal_data() -> None:
    shown = repr(order()) + str(order())
    with pytest.raises(ValidationError) as caught:
        Order.model_validate({**order_data(), "buyer_note": 13500001111, "receiver": {"phone": ["13500001111"]}})
    for told in (shown, str(caught.value)):
        assert "13500001111" not in told
        assert "Lin Mu" not in told
    assert "order_no='9223372036854775899'" in shown
