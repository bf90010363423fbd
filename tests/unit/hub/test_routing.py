"""Which destinations a document goes to."""

from typing import Any

from hub.config import Config
from hub.mapping import expression
from hub.routing import Routes


def routes(*rules: dict[str, Any], destinations: dict[str, Any] | None = None) -> Routes:
    names = {n for rule in rules for n in rule["to"]}
    sections = {n: {"kind": "http", **(destinations or {}).get(n, {})} for n in names}
    return Routes(Config.model_validate({"destinations": sections, "routes": rules}), expression.compile)


DOCUMENT = {"shop": "a", "tenant": "default", "shippable": False, "state": "open"}


def test_a_condition_decides_unless_the_destination_knows_the_document() -> None:
    made = routes({"on": "order", "if": "shippable", "to": ["wms"]}, {"on": "order", "to": ["erp"]})
    assert made.destinations("order", DOCUMENT, frozenset()) == ["erp"]
    assert made.destinations("order", {**DOCUMENT, "shippable": True}, frozenset()) == ["wms", "erp"]
    assert made.destinations("order", DOCUMENT, frozenset({"wms"})) == ["wms", "erp"]


def test_a_rule_may_be_told_not_to_stick() -> None:
    made = routes({"on": "order", "if": "shippable", "to": ["wms"], "sticky": False})
    assert made.destinations("order", DOCUMENT, frozenset({"wms"})) == []


def test_shops_and_tenants_narrow_a_rule() -> None:
    made = routes({"on": "order", "to": ["erp"], "shops": ["b"]}, {"on": "order", "to": ["tax"]},
                  destinations={"tax": {"tenant": "other"}})  # fmt: skip
    made_for_b = Config.model_validate({"shops": {"b": {"channel": "generic"}}})
    assert made_for_b.shops["b"].tenant == "default"
    assert made.destinations("order", DOCUMENT, frozenset()) == []
    assert made.destinations("order", {**DOCUMENT, "shop": "b", "tenant": "other"}, frozenset()) == ["erp", "tax"]


def test_kinds_without_a_rule_are_known_as_such() -> None:
    made = routes({"on": "order", "to": ["erp"]})
    assert made.has("order")
    assert not made.has("refund")
