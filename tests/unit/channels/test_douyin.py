"""Douyin: what is signed is what is sent, lists are paged without a gap, answers are understood, shipments are told."""

import hashlib
import hmac
import json
from collections.abc import Generator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.channels.douyin import ADAPTER, SIZE, Douyin, DouyinShop
from adapters.port import Credentials, Page, Receipt, Window
from canonical.errors import NotAuthorised, Refused, SignatureRejected, Unavailable

NOW = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
WINDOW = Window(NOW - timedelta(hours=1), NOW - timedelta(minutes=1))
START, END = int(WINDOW.start.timestamp()), int(WINDOW.end.timestamp())
KEY, SECRET = "7300000000000000042", "0b9d3f1e-demo-secret"


def shop(**more: Any) -> Douyin:
    given = {"app_key": KEY, "app_secret": SECRET, "access_token": "at-demo", "gateway": "https://shop.test", **more}
    return ADAPTER(DouyinShop.model_validate(given))


def ok(data: Any) -> httpx.Response:
    return httpx.Response(200, json={"code": 10000, "msg": "success", "sub_code": "", "data": data})


def no(code: int, sub: str = "") -> httpx.Response:
    return httpx.Response(200, json={"code": code, "msg": "no", "sub_code": sub, "sub_msg": "no", "log_id": "L1"})


def play(
    talk: Generator[httpx.Request, httpx.Response, Any], answers: Sequence[httpx.Response]
) -> tuple[Any, list[httpx.Request]]:
    """Run a talk over recorded answers: its result, and what it asked."""
    asked = [next(talk)]
    for answer in answers:
        try:
            asked.append(talk.send(answer))
        except StopIteration as end:
            return end.value, asked
    pytest.fail(f"the talk wants another answer: {asked[-1].url}")


def sent(request: httpx.Request) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(request.content)
    return found


def row(number: int, changed: int) -> dict[str, Any]:
    return {"order_id": str(number), "update_time": changed, "sku_order_list": []}


SHIPMENT = {
    "schema": "shipment/1",
    "shipment_no": "SH-31",
    "order_no": "6905128734010000001",
    "carrier": "SF",
    "tracking_no": "SF7700112233",
    "complete": False,
    "lines": [{"line_no": "6905128734010000002", "sku": "TEA", "quantity": 2}],
}


class TestRequests:
    def test_the_signature_covers_the_very_bytes_of_the_body(self) -> None:
        _, asked = play(shop().fetch("order", "6905128734010000001", NOW), [ok({"shop_order_detail": row(1, START)})])
        request = asked[0]
        query = request.url.params
        plain = (
            f"{SECRET}app_key{KEY}methodorder.orderDetailparam_json{request.content.decode()}"
            f"timestamp{query['timestamp']}v2{SECRET}"
        )

        assert request.method == "POST"
        assert request.url.path == "/order/orderDetail"
        assert request.content == b'{"shop_order_id":"6905128734010000001"}'
        assert request.headers["content-type"] == "application/json"
        assert query["sign"] == hmac.new(SECRET.encode(), plain.encode(), hashlib.sha256).hexdigest()
        assert (query["sign_method"], query["v"], query["access_token"]) == ("hmac-sha256", "2", "at-demo")
        assert query["timestamp"] == str(int(NOW.timestamp()))

    def test_the_body_is_sorted_and_not_escaped(self) -> None:
        change = {"schema": "shipment/1", "shipment_no": "S<1>", "order_no": "1", "tracking_no": "运&1", "lines": []}
        _, asked = play(shop().tell(change, NOW), [ok({})])

        expected = '{"company_code":"","is_refund_reject":false,"logistics_code":"运&1","order_id":"1"}'
        assert asked[0].content.decode() == expected

    def test_without_a_token_nothing_is_asked(self) -> None:
        with pytest.raises(NotAuthorised):
            play(shop(access_token="").fetch("order", "1", NOW), [])


class TestPull:
    def test_orders_by_change_oldest_first_with_a_frozen_end(self) -> None:
        page, asked = play(
            shop().pull("order", WINDOW, None, NOW), [ok({"total": 1, "shop_order_list": [row(7, START)]})]
        )

        assert asked[0].url.path == "/order/searchList"
        assert sent(asked[0]) == {
            "page": 0,
            "size": SIZE,
            "order_by": "update_time",
            "order_asc": True,
            "update_time_start": START,
            "update_time_end": END,
        }
        assert [(e.kind, e.key, e.revision) for e in page.envelopes] == [("order", "7", str(START))]
        assert page.next_cursor is None

    def test_refunds_by_change_oldest_first(self) -> None:
        item = {"aftersale_info": {"aftersale_id": "9", "update_time": START}, "order_info": {"shop_order_id": "7"}}
        answer = ok({"items": [item], "has_more": False, "total": 1, "size": 1})
        page, asked = play(shop().pull("refund", WINDOW, None, NOW), [answer])

        assert asked[0].url.path == "/afterSale/List"
        assert sent(asked[0]) == {
            "page": 0,
            "size": SIZE,
            "order_by": ["update_time asc"],
            "update_start_time": START,
            "update_end_time": END,
        }
        assert [(e.kind, e.key, e.subject) for e in page.envelopes] == [("refund", "9", "7")]

    def test_a_list_of_refunds_goes_on_while_the_platform_says_so(self) -> None:
        item = {"aftersale_info": {"aftersale_id": "9"}, "order_info": {}}
        page, _ = play(shop().pull("refund", WINDOW, None, NOW), [ok({"items": [item], "has_more": True})])

        assert page.next_cursor is not None

    def test_an_empty_window(self) -> None:
        page, _ = play(shop().pull("order", WINDOW, None, NOW), [ok({"page": 0, "total": 0, "shop_order_list": []})])

        assert page == Page([])

    @given(st.integers(0, 450), st.lists(st.tuples(st.integers(0, 9), st.integers(0, 449)), max_size=60))
    def test_no_order_is_missed_while_others_change(self, count: int, changes: list[tuple[int, int]]) -> None:
        listed = [row(n, START + n) for n in range(count)]
        changed = [0]

        def answer(request: httpx.Request) -> httpx.Response:
            """The list as it is now; before each answer some orders change and leave the window."""
            changed[0] += 1
            for turn, number in changes:
                if turn == changed[0]:
                    listed[:] = [r for r in listed if r["order_id"] != str(number)]
            page, size = sent(request)["page"], sent(request)["size"]
            return ok({"page": page, "total": len(listed), "shop_order_list": listed[page * size : (page + 1) * size]})

        seen, cursor, pages = set(), None, 0
        while pages < 30:
            talk = shop().pull("order", WINDOW, cursor, NOW)
            request = next(talk)
            try:
                while True:
                    request = talk.send(answer(request))
            except StopIteration as end:
                seen |= {e.key for e in end.value.envelopes}
                cursor, pages = end.value.next_cursor, pages + 1
            if cursor is None:
                break

        assert cursor is None
        assert {r["order_id"] for r in listed} <= seen

    def test_a_platform_that_gives_less_a_page_than_asked_is_read_to_the_end(self) -> None:
        rows = [row(n, START + n) for n in range(7)]
        seen: list[str] = []
        cursor = None
        for number in range(4):
            part = rows[number * 2 : number * 2 + 2]
            page, asked = play(shop().pull("order", WINDOW, cursor, NOW), [ok({"total": 7, "shop_order_list": part})])
            assert sent(asked[0])["page"] == number
            seen += [e.key for e in page.envelopes]
            cursor = page.next_cursor

        assert cursor is None
        assert seen == [str(n) for n in range(7)]


class TestFetch:
    def test_an_after_sale_case(self) -> None:
        case = {"aftersale_info": {"aftersale_id": 9, "update_time": START}, "order_info": {"shop_order_id": 7}}
        data = {"items": [case], "has_more": False, "total": 1}
        found, asked = play(shop().fetch("refund", "9", NOW), [ok(data)])

        assert asked[0].url.path == "/afterSale/List"
        assert sent(asked[0]) == {"aftersale_id": "9", "page": 0, "size": 1}
        assert (found.kind, found.key, found.subject) == ("refund", "9", "7")

    def test_numbers_beyond_2_53_stay_exact(self) -> None:
        order = b'{"order_id":6905128734010000001,"sku_order_list":[{"product_id":3719283746501928375}]}'
        raw = b'{"code":10000,"data":{"shop_order_detail":' + order + b"}}"
        found, _ = play(shop().fetch("order", "1", NOW), [httpx.Response(200, content=raw)])

        assert found.key == "6905128734010000001"
        assert found.body["sku_order_list"][0]["product_id"] == 3719283746501928375


class TestErrors:
    def test_too_many_calls(self) -> None:
        with pytest.raises(Unavailable) as caught:
            play(shop().fetch("order", "1", NOW), [no(60000)])

        assert caught.value.throttled

    def test_the_platforms_words_and_its_log_id_are_kept(self) -> None:
        with pytest.raises(NotAuthorised) as caught:
            play(shop().fetch("order", "1", NOW), [no(40003, "isv.access-token-expired")])

        assert caught.value.evidence == {
            "code": 40003,
            "msg": "no",
            "sub_code": "isv.access-token-expired",
            "sub_msg": "no",
            "log_id": "L1",
        }
        assert "authorise" in caught.value.hint


class TestRefresh:
    FRESH = ok({"access_token": "at-2", "refresh_token": "rt-2", "expires_in": 604800, "shop_id": 880042})

    def test_both_tokens_change(self) -> None:
        found, asked = play(shop(refresh_token="rt-1").refresh(NOW), [self.FRESH])

        assert asked[0].url.path == "/token/refresh"
        assert sent(asked[0]) == {"grant_type": "refresh_token", "refresh_token": "rt-1"}
        assert "access_token" not in asked[0].url.params
        assert found == Credentials({"access_token": "at-2", "refresh_token": "rt-2"}, NOW + timedelta(days=7))

    def test_an_app_of_ones_own_makes_its_token_from_the_shops_number(self) -> None:
        found, asked = play(shop(access_token="", shop_id="880042").refresh(NOW), [self.FRESH])

        assert asked[0].url.path == "/token/create"
        assert sent(asked[0]) == {"code": "", "grant_type": "authorization_self", "shop_id": "880042"}
        assert found.settings["access_token"] == "at-2"

    def test_a_fixed_token_is_not_renewed(self) -> None:
        with pytest.raises(StopIteration) as end:
            next(shop().refresh(NOW))

        assert end.value.value is None


class TestTell:
    def test_a_parcel_with_its_lines(self) -> None:
        found, asked = play(shop(carriers={"SF": "shunfeng"}).tell(SHIPMENT, NOW), [ok({})])

        assert found == Receipt("SF7700112233")
        assert asked[0].url.path == "/order/logisticsAddMultiPack"
        assert sent(asked[0]) == {
            "order_id": "6905128734010000001",
            "request_id": "SH-31",
            "pack_list": [
                {
                    "company_code": "shunfeng",
                    "logistics_code": "SF7700112233",
                    "shipped_order_info": [{"shipped_order_id": "6905128734010000002", "shipped_num": 2}],
                }
            ],
        }

    def test_told_before(self) -> None:
        found, _ = play(shop().tell(SHIPMENT, NOW), [no(40003, "isv.idempotent-id-existed")])

        assert found == Receipt("SF7700112233", already_there=True)

    def test_refused_because_it_is_there_already(self) -> None:
        order = {**row(1, START), "logistics_info": [{"tracking_no": "SF7700112233"}]}
        found, asked = play(
            shop().tell({**SHIPMENT, "lines": []}, NOW),
            [no(50002, "isv.business-failed:1"), ok({"shop_order_detail": order})],
        )

        assert [r.url.path for r in asked] == ["/order/logisticsAdd", "/order/orderDetail"]
        assert found.already_there

    def test_refused_for_good(self) -> None:
        order = {**row(1, START), "logistics_info": None}
        with pytest.raises(Refused) as caught:
            play(shop().tell(SHIPMENT, NOW), [no(50002, "isv.business-failed:2"), ok({"shop_order_detail": order})])

        assert caught.value.evidence["sub_code"] == "isv.business-failed:2"

    def test_stock_is_told_as_it_is(self) -> None:
        change = {"schema": "stock/1", "sku": "TEA", "available": "12", "extra": {"product_id": 3719283746501928375}}
        found, asked = play(shop().tell(change, NOW), [ok({})])

        assert asked[0].url.path == "/sku/syncStock"
        assert sent(asked[0]) == {
            "product_id": 3719283746501928375,
            "code": "TEA",
            "stock_num": 12,
            "incremental": False,
        }
        assert found == Receipt("TEA")

    def test_stock_without_its_product_says_what_is_missing(self) -> None:
        with pytest.raises(Refused) as caught:
            play(shop().tell({"schema": "stock/1", "sku": "TEA", "available": 1, "extra": {}}, NOW), [])

        assert "extra.product_id" in caught.value.hint


class TestAcknowledge:
    def test_only_code_0_stops_the_platform(self) -> None:
        assert json.loads(shop().acknowledge(None).body) == {"code": 0, "msg": "success"}
        assert shop().acknowledge(SignatureRejected()).status == 401
        assert shop().acknowledge(Unavailable()).status == 503
        assert json.loads(shop().acknowledge(Unavailable()).body)["code"] != 0
