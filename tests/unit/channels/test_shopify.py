"""Shopify: pulls by cursor and cost, rows that do not fit, REST and GraphQL telling the same, what is written back."""

import json
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.channels.shopify import ADAPTER, OPERATIONS, Shopify, ShopifyShop
from adapters.graphql import TOO_DEAR, Dialect
from adapters.port import Credentials, Envelope, Receipt, Window
from adapters.sandbox.deals.shopify_graphql import order_node
from adapters.sandbox.graphql import choose, parse
from adapters.sandbox.story import Book
from adapters.sandbox.traffic.shopify import RECIPES
from adapters.wire_json import number, objects, text, typed
from canonical.errors import NotAuthorised, Refused, SignatureRejected, Unavailable
from canonical.identity import content_hash
from hub.mapping.catalog import Catalog

ROOT = Path(__file__).resolve().parents[3]
NOW = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
WINDOW = Window(NOW - timedelta(hours=1), NOW - timedelta(minutes=1))
GID = "gid://shopify/"
Server = Callable[[httpx.Request], httpx.Response]


DEAD = ("unknown_word", "bad_totals", "wrong_type", "undecodable", "forged")
"""Stories of the sandbox that no mapping can or should translate."""


def shop(**more: Any) -> Shopify:
    given = {"shop": "pottery.myshopify.com", "access_token": "shpat-demo", "client_secret": "shpss-demo", **more}
    return ADAPTER(ShopifyShop.model_validate(given))


def ok(data: Any) -> httpx.Response:
    return httpx.Response(200, json={"data": data})


def play(talk: Any, server: Server | Sequence[httpx.Response]) -> tuple[Any, list[httpx.Request]]:
    """Run a talk against a server, or over recorded answers: its result, and what it asked."""
    answers = iter([]) if callable(server) else iter(server)
    asked: list[httpx.Request] = []
    try:
        asked.append(next(talk))
        while True:
            answer = server(asked[-1]) if callable(server) else next(answers)
            asked.append(talk.send(answer))
    except StopIteration as end:
        return end.value, asked


def variables(request: httpx.Request) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(request.content)["variables"]
    return found


def node(number: int, lines: int = 0, **more: Any) -> dict[str, Any]:
    rows = [{"id": f"{GID}LineItem/{number}{n:03d}", "quantity": 1, "sku": f"S{n}"} for n in range(lines)]
    return {"id": f"{GID}Order/{number}", "name": f"#{number}", "lineItems": {"nodes": rows, "pageInfo": {}}, **more}


def listed(nodes: Sequence[Any], end: str | None = None) -> dict[str, Any]:
    return {"orders": {"nodes": list(nodes), "pageInfo": {"hasNextPage": end is not None, "endCursor": end}}}


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    made = Catalog(ROOT / "mappings")
    made.load()
    return made


class TestPull:
    def test_orders_by_their_change_behind_a_cursor(self) -> None:
        page, asked = play(shop().pull("order", WINDOW, None, NOW), [ok(listed([node(1), node(2)], "c1"))])
        request = asked[0]

        assert str(request.url) == "https://pottery.myshopify.com/admin/api/2026-07/graphql.json"
        assert request.headers["x-shopify-access-token"] == "shpat-demo"
        assert variables(request) == {
            "first": 5,
            "after": None,
            "query": "updated_at:>='2026-11-22T07:30:00Z' AND updated_at:<'2026-11-22T08:29:00Z'",
        }
        assert "sortKey: UPDATED_AT" in json.loads(request.content)["query"]
        assert [(e.kind, e.key) for e in page.envelopes] == [("order", "1"), ("order", "2")]

        page, asked = play(shop().pull("order", WINDOW, page.next_cursor, NOW), [ok(listed([node(3)]))])
        assert variables(asked[0])["after"] == "c1"
        assert page.next_cursor is None

    def test_a_query_that_is_too_dear_is_asked_for_fewer_orders_from_then_on(self) -> None:
        dear = httpx.Response(200, json={"errors": [{"message": "x", "extensions": {"code": "MAX_COST_EXCEEDED"}}]})
        pull = shop(page_size=20).pull("order", WINDOW, None, NOW)
        page, asked = play(pull, [dear, dear, ok(listed([node(1)], "c1"))])

        assert [variables(r)["first"] for r in asked] == [20, 10, 5]
        _, asked = play(shop().pull("order", WINDOW, page.next_cursor, NOW), [ok(listed([]))])
        assert (variables(asked[0])["first"], variables(asked[0])["after"]) == (5, "c1")

    def test_one_order_that_is_too_dear_is_refused_for_good(self) -> None:
        cost = {"requestedQueryCost": 1500, "throttleStatus": {"maximumAvailable": 1000, "restoreRate": 50}}
        answer = {"errors": [{"message": "x", "extensions": {"code": "THROTTLED"}}], "extensions": {"cost": cost}}
        with pytest.raises(Refused) as caught:
            play(shop(page_size=2).pull("order", WINDOW, None, NOW), [httpx.Response(200, json=answer)] * 2)

        assert caught.value.code == TOO_DEAR

    def test_throttled_waits_until_the_bucket_holds_enough(self) -> None:
        bucket = {"maximumAvailable": 2000, "currentlyAvailable": 150, "restoreRate": 100}
        cost = {"requestedQueryCost": 400, "actualQueryCost": None, "throttleStatus": bucket}
        answer = {
            "errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}],
            "extensions": {"cost": cost},
        }
        with pytest.raises(Unavailable) as caught:
            play(shop().pull("order", WINDOW, None, NOW), [httpx.Response(200, json=answer)])

        assert (caught.value.retry_after, caught.value.throttled) == (2.5, True)

    def test_refunds_are_read_out_of_the_orders_of_the_window(self) -> None:
        refund = {"id": f"{GID}Refund/9", "updatedAt": "2026-11-22T08:00:00Z", "refundLineItems": {"nodes": []}}
        order = {"id": f"{GID}Order/1", "currencyCode": "EUR", "refunds": [refund]}
        page, asked = play(shop().pull("refund", WINDOW, None, NOW), [ok(listed([order, {**order, "refunds": []}]))])

        assert "query Refunds" in json.loads(asked[0].content)["query"]
        assert [(e.kind, e.key, e.subject) for e in page.envelopes] == [("refund", "9", "1")]
        assert page.envelopes[0].body["order"] == {"id": "1", "currency": "EUR"}

    def test_lines_and_refund_rows_that_did_not_fit_are_asked_for(self) -> None:
        more = {"pageInfo": {"hasNextPage": True, "endCursor": "l1"}}
        first = node(1, 2)
        first["lineItems"] |= more
        row = {"quantity": 1, "lineItem": {"id": f"{GID}LineItem/1001"}}
        done = {"kind": "REFUND", "status": "SUCCESS"}
        first["refunds"] = [
            {
                "id": f"{GID}Refund/9",
                "transactions": {"nodes": [done]},
                "refundLineItems": {"nodes": [row], "pageInfo": {"hasNextPage": True, "endCursor": "r1"}},
            }
        ]
        rest = {"node": {"lineItems": {"nodes": [{"id": f"{GID}LineItem/1002", "quantity": 4}], "pageInfo": {}}}}
        rows = {"node": {"refundLineItems": {"nodes": [{**row, "lineItem": {"id": f"{GID}LineItem/1002"}}]}}}
        answers = {"Orders": listed([first]), "MoreLines": rest, "MoreRefunded": rows}

        def server(request: httpx.Request) -> httpx.Response:
            name = json.loads(request.content)["query"].split("(")[0].removeprefix("query ")
            return ok(answers[name])

        page, asked = play(shop().pull("order", WINDOW, None, NOW), server)

        assert {(variables(r)["id"], variables(r)["after"]) for r in asked[1:]} == {
            (f"{GID}Order/1", "l1"),
            (f"{GID}Refund/9", "r1"),
        }
        lines = page.envelopes[0].body["line_items"]
        assert [(line["id"], len(line["refund_line_items"])) for line in lines] == [
            ("1000", 0),
            ("1001", 1),
            ("1002", 1),
        ]

    @given(st.integers(0, 70), st.lists(st.tuples(st.integers(1, 8), st.integers(0, 69)), max_size=30))
    def test_no_order_is_missed_while_others_change(self, count: int, changes: list[tuple[int, int]]) -> None:
        orders = {n: n for n in range(count)}  # number -> when it was last changed
        turn = 0

        def server(request: httpx.Request) -> httpx.Response:
            nonlocal turn
            turn += 1
            for at, changed in changes:
                if at == turn and changed in orders:
                    orders[changed] = 1000 + turn  # out of the window
            asked = variables(request)
            behind = (-1, -1) if asked["after"] is None else tuple(json.loads(asked["after"]))
            rows = sorted((at, n) for n, at in orders.items() if at < 1000 and (at, n) > behind)
            part = rows[: asked["first"]]
            return ok(listed([node(n) for _, n in part], json.dumps(part[-1]) if len(rows) > len(part) else None))

        seen: set[str] = set()
        cursor: str | None = None
        for _ in range(20):
            page, _asked = play(shop().pull("order", WINDOW, cursor, NOW), server)
            seen |= {e.key for e in page.envelopes}
            cursor = page.next_cursor
            if cursor is None:
                break

        assert cursor is None
        assert {str(n) for n, at in orders.items() if at < 1000} <= seen


class TestFetch:
    def test_an_order(self) -> None:
        found, asked = play(shop().fetch("order", "5511", NOW), [ok({"order": node(5511, 1)})])

        assert variables(asked[0]) == {"id": "gid://shopify/Order/5511"}
        assert (found.kind, found.key, found.subject) == ("order", "5511", "5511")

    def test_a_refund_with_its_order(self) -> None:
        about = {"id": f"{GID}Order/5511", "currencyCode": "EUR"}
        refund = {"id": f"{GID}Refund/9", "refundLineItems": {"nodes": []}, "order": about}
        found, asked = play(shop().fetch("refund", "9", NOW), [ok({"node": refund})])

        assert variables(asked[0]) == {"id": "gid://shopify/Refund/9"}
        assert (found.kind, found.key, found.subject) == ("refund", "9", "5511")


class TestRestAndGraphqlTellTheSame:
    """The webhook and the pull of one order must give one content, or it would be delivered twice."""

    @pytest.mark.parametrize("label", sorted(RECIPES))
    def test_over_the_life_of_an_order(self, catalog: Catalog, label: str) -> None:
        book = Book("shopify", 11, NOW.timestamp(), 3600)
        book.turn()
        steps = [s for s in RECIPES[label].write(book, label).steps if s.kind == "order"]

        for step in steps:
            body = json.loads(json.dumps(step.body))
            for kind in ("order", "refund"):
                told = [self.contents(catalog, answer, kind) for answer in (body, self.in_graphql(step.body))]
                assert told[0] == told[1]
                assert told[0] or kind == "refund" or label in DEAD

    def in_graphql(self, order: Any) -> Any:
        """What GraphQL answers to our own query; a field that we made up is an error there."""
        _, selection = parse(OPERATIONS.text("OneOrder"), {"id": "x"})
        return json.loads(json.dumps({"data": choose(selection, {"order": order_node(order)}, "Query")}))

    def contents(self, catalog: Catalog, answer: Any, kind: str) -> list[str]:
        translate = catalog.channel("shopify", kind).translate
        found = [
            translate(record.body, tenant="default", shop="pottery", channel="shopify", now=NOW)
            for record in shop().read(answer, kind)
            if isinstance(record, Envelope)
        ]
        return [content_hash(one.document) for one in found if one.document is not None]


class TestRefresh:
    def test_an_expiring_token(self) -> None:
        answer = httpx.Response(200, json={"access_token": "a2", "refresh_token": "r2", "expires_in": 3600})
        found, asked = play(shop(refresh_token="r1", client_id="c").refresh(NOW), [answer])

        assert str(asked[0].url) == "https://pottery.myshopify.com/admin/oauth/access_token"
        assert json.loads(asked[0].content) == {
            "client_id": "c",
            "client_secret": "shpss-demo",
            "grant_type": "refresh_token",
            "refresh_token": "r1",
        }
        assert found == Credentials({"access_token": "a2", "refresh_token": "r2"}, NOW + timedelta(hours=1))

    def test_a_token_that_does_not_expire(self) -> None:
        assert play(shop().refresh(NOW), [])[0] is None

    def test_no_token(self) -> None:
        with pytest.raises(NotAuthorised):
            play(shop(refresh_token="r1").refresh(NOW), [httpx.Response(200, json={})])


SHIPMENT = {
    "schema": "shipment/1",
    "shipment_no": "SH-31",
    "order_no": "5511",
    "carrier": "ups",
    "tracking_no": "1Z999",
    "complete": False,
    "lines": [{"line_no": "71", "sku": "MUG-01", "quantity": 2}],
}


def to_ship(action: str = "CREATE_FULFILLMENT", tracking: str = "") -> httpx.Response:
    rows = [
        {"id": f"{GID}FulfillmentOrderLineItem/{n}1", "remainingQuantity": 3, "lineItem": {"id": f"{GID}LineItem/{n}"}}
        for n in (71, 72)
    ]
    group = {"id": f"{GID}FulfillmentOrder/5", "supportedActions": [{"action": action}], "lineItems": {"nodes": rows}}
    parcels = [{"trackingInfo": [{"number": tracking}]}] if tracking else []
    return ok({"order": {"fulfillments": parcels, "fulfillmentOrders": {"nodes": [group]}}})


class TestTell:
    MADE = ok({"fulfillmentCreate": {"fulfillment": {"id": f"{GID}Fulfillment/8"}, "userErrors": []}})

    def test_a_parcel_with_its_lines(self) -> None:
        found, asked = play(shop(carriers={"ups": "UPS"}).tell(SHIPMENT, NOW), [to_ship(), self.MADE])

        assert variables(asked[0]) == {"id": "gid://shopify/Order/5511"}
        assert variables(asked[1])["fulfillment"] == {
            "lineItemsByFulfillmentOrder": [
                {
                    "fulfillmentOrderId": "gid://shopify/FulfillmentOrder/5",
                    "fulfillmentOrderLineItems": [
                        {"id": "gid://shopify/FulfillmentOrderLineItem/711", "quantity": 2},
                    ],
                }
            ],
            "trackingInfo": {"number": "1Z999", "company": "UPS"},
            "notifyCustomer": True,
        }
        assert found == Receipt("1Z999")

    def test_a_parcel_with_all_that_is_left(self) -> None:
        _, asked = play(shop().tell({**SHIPMENT, "lines": []}, NOW), [to_ship(), self.MADE])

        rows = variables(asked[1])["fulfillment"]["lineItemsByFulfillmentOrder"][0]["fulfillmentOrderLineItems"]
        assert [row["quantity"] for row in rows] == [3, 3]

    def test_told_before(self) -> None:
        assert play(shop().tell(SHIPMENT, NOW), [to_ship(tracking="1Z999")])[0] == Receipt("1Z999", already_there=True)

    def test_an_order_on_hold_is_not_fulfilled(self) -> None:
        with pytest.raises(Refused) as caught:
            play(shop().tell(SHIPMENT, NOW), [to_ship("RELEASE_HOLD")])

        assert "on hold" in caught.value.hint

    def test_user_errors_come_with_status_200(self) -> None:
        no = ok({"fulfillmentCreate": {"fulfillment": None, "userErrors": [{"field": None, "message": "closed"}]}})
        with pytest.raises(Refused) as caught:
            play(shop().tell(SHIPMENT, NOW), [to_ship(), no])

        assert caught.value.evidence["userErrors"][0]["message"] == "closed"

    STOCK = ok(
        {"inventoryItems": {"nodes": [{"id": f"{GID}InventoryItem/4", "sku": "MUG"}, {"id": "x", "sku": "MUG-2"}]}}
    )

    def test_stock_is_told_as_it_is(self) -> None:
        change = {"schema": "stock/1", "sku": "MUG", "available": "12", "revision": "2026-11-22T08:00:00Z", "extra": {}}
        done = ok({"inventorySetQuantities": {"userErrors": []}})
        found, asked = play(shop(location_id="3").tell(change, NOW), [self.STOCK, done])

        assert variables(asked[0]) == {"query": "sku:'MUG'"}
        assert variables(asked[1]) == {
            "input": {
                "name": "available",
                "reason": "correction",
                "quantities": [
                    {
                        "inventoryItemId": "gid://shopify/InventoryItem/4",
                        "locationId": "gid://shopify/Location/3",
                        "changeFromQuantity": None,
                        "quantity": 12,
                    }
                ],
            },
            "key": "MUG:3:2026-11-22T08:00:00Z",
        }
        assert found == Receipt("MUG")

    def test_stock_without_a_place(self) -> None:
        with pytest.raises(Refused) as caught:
            play(shop().tell({"schema": "stock/1", "sku": "MUG", "available": 1}, NOW), [self.STOCK])

        assert "location_id" in caught.value.hint


class TestAcknowledge:
    def test_by_status_alone(self) -> None:
        replies = [shop().acknowledge(e) for e in (None, SignatureRejected(), Unavailable(), Refused())]

        assert [r.status for r in replies] == [200, 401, 503, 400]


class TestWire:
    def test_an_operation_is_sent_with_its_fragments_alone(self) -> None:
        sent = OPERATIONS.text("MoreLines")

        assert [part.split()[1] for part in sent.split("\n") if part.startswith("fragment")] == ["Line", "Money"]
        assert "query Orders" not in sent

    @pytest.mark.parametrize("name", ["Orders", "Refunds", "OneOrder", "OneRefund", "ToShip", "Ship", "SetStock"])
    def test_every_fragment_is_defined_once(self, name: str) -> None:
        sent = OPERATIONS.text(name)
        defined = [line.split()[1] for line in sent.split("\n") if line.startswith("fragment")]

        assert len(defined) == len(set(defined))
        assert set(re.findall(r"\.\.\.(\w+)", sent)) == set(defined)

    def test_graphql_in_the_words_of_rest(self) -> None:
        dialect = Dialect("gid://demo/", {"display_status": "status"}, frozenset({"status"}))
        answer = {
            "displayStatus": "ON_HOLD",
            "id": "gid://demo/Stock/7?place=3",
            "rows": {"edges": [{"node": {"aB": 1}}, 5]},
        }

        assert dialect.rest(answer) == {"status": "on_hold", "id": "7", "rows": [{"a_b": 1}, None]}

    def test_picking_from_anything(self) -> None:
        assert (typed([], dict), typed({"a": 1}, dict), objects([{"a": 1}, 2]), objects("x")) == (
            {},
            {"a": 1},
            [{"a": 1}, {}],
            [],
        )
        assert (text(0), text(True), text(2**63), text("x"), text(None)) == ("", "", "9223372036854775808", "x", "")
        assert (number("2.0"), number(50.0), number("1e9"), number(None)) == (2.0, 50.0, 0, 0)
