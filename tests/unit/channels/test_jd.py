"""JD's own rules: the JSON that is signed is what is sent, three passes for cases, pages from the last to the first."""

import hashlib
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.channels.jd import ADAPTER, JdShop
from adapters.port import Envelope, Window
from canonical.errors import NotAuthorised, Refused, SignatureRejected, Unavailable

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
WINDOW = Window(NOW - timedelta(hours=2), NOW - timedelta(hours=1))
SECRET = "unitSecretJd"
Handler = Callable[[str, dict[str, Any]], Any]


def shop(**over: Any) -> Any:
    given = {"app_key": "k1", "app_secret": SECRET, "access_token": "t1", **over}
    return ADAPTER(JdShop.model_validate(given))


def run(talk: Any, handler: Handler, asked: list[tuple[str, dict[str, Any]]] | None = None) -> Any:
    """Run a talk against a function from (method, business parameters) to what stands inside of the envelope."""
    try:
        request = next(talk)
        while True:
            form = dict(parse_qsl(request.read().decode()))
            method = form["method"].removeprefix("jingdong.")
            business = json.loads(form["360buy_param_json"])
            if asked is not None:
                asked.append((method, business))
            answer = handler(method, business)
            if not isinstance(answer, httpx.Response):
                outside = form["method"].replace(".", "_") + "_responce"
                whole = answer if "error_response" in answer else {outside: {"code": "0", **answer}}
                answer = httpx.Response(200, json=whole)
            request = talk.send(answer)
    except StopIteration as end:
        return end.value


class Platform:
    """Orders by time of change, oldest first, as JD lists them. `between` runs after every page."""

    def __init__(self, changed: dict[str, datetime], between: Callable[["Platform"], None] | None = None) -> None:
        self.changed, self.between = changed, between

    def __call__(self, method: str, business: dict[str, Any]) -> Any:
        start, end = beijing(business["start_date"]), beijing(business["end_date"])
        rows = sorted((t, n) for n, t in self.changed.items() if start <= t <= end)
        page, size = int(business["page"]), int(business["page_size"])
        here = [
            {"orderId": n, "orderState": "FINISHED_L", "modified": str(t)} for t, n in rows[(page - 1) * size :][:size]
        ]
        if self.between:
            self.between(self)
        return {
            "searchorderinfo_result": {"apiResult": {"success": True}, "orderTotal": len(rows), "orderInfoList": here}
        }


def beijing(text: str) -> datetime:
    return datetime.strptime(text + "+0800", "%Y-%m-%d %H:%M:%S%z")


def pulled(
    channel: Any, kind: str, handler: Handler, window: Window, asked: list[Any] | None = None
) -> Iterator[list[str]]:
    """The keys of each page until the window is done."""
    cursor = None
    while True:
        page = run(channel.pull(kind, window, cursor, NOW), handler, asked)
        yield [e.key for e in page.envelopes]
        cursor = page.next_cursor
        if cursor is None:
            return


class TestRequests:
    def test_the_signature_covers_the_very_text_that_is_sent(self) -> None:
        request = next(shop(operator="运营").pull("refund", WINDOW, None, NOW))
        form = dict(parse_qsl(request.read().decode()))

        given = form.pop("sign")
        text = "".join(k + v for k, v in sorted(form.items()))
        assert given == hashlib.md5(f"{SECRET}{text}{SECRET}".encode()).hexdigest().upper()  # noqa: S324
        assert form["access_token"] == "t1"
        assert form["timestamp"] == "2026-03-01 20:00:00"
        assert form["v"] == "2.0"

    def test_a_query_names_its_fields(self) -> None:
        asked: list[Any] = []
        list(pulled(shop(), "order", Platform({}), WINDOW, asked))

        method, business = asked[0]
        assert method == "pop.order.enSearch"
        assert {"itemInfoList", "consigneeInfo", "couponDetailList", "parentOrderId"} <= set(
            business["optional_fields"].split(",")
        )
        assert (business["start_date"], business["end_date"]) == ("2026-03-01 18:00:00", "2026-03-01 19:00:00")
        assert (business["order_state"], business["page"], business["page_size"]) == ("ALL", "1", "100")

    def test_the_newest_form_wraps_it(self) -> None:
        request = next(shop(wrapped=True).pull("order", WINDOW, None, NOW))
        business = json.loads(dict(parse_qsl(request.read().decode()))["360buy_param_json"])

        assert list(business) == ["paramOrderJSFQuery"]
        assert business["paramOrderJSFQuery"]["source_id"] == "JOS"
        assert business["paramOrderJSFQuery"]["page"] == "1"

    def test_no_secret_is_sent_or_shown(self) -> None:
        channel = shop(refresh_token="r1-secret")
        request = next(channel.fetch("order", "1", NOW))

        assert SECRET not in request.read().decode() + repr(channel.settings)


class TestPull:
    def test_one_page_takes_one_request(self) -> None:
        asked: list[Any] = []
        platform = Platform({"a": NOW - timedelta(minutes=70)})

        assert list(pulled(shop(), "order", platform, WINDOW, asked)) == [["a"]]
        assert len(asked) == 1

    def test_several_are_read_from_the_last_to_the_first(self) -> None:
        asked: list[Any] = []
        platform = Platform({str(n): NOW - timedelta(minutes=110 - n) for n in range(5)})

        pages = list(pulled(shop(page_size=2), "order", platform, WINDOW, asked))

        assert pages == [["4"], ["2", "3"], ["0", "1"]]
        assert [business["page"] for _, business in asked] == ["1", "3", "2", "1"]

    def test_splits_what_is_longer_than_a_day(self) -> None:
        platform = Platform({"a": NOW - timedelta(hours=60), "b": NOW - timedelta(hours=3)})
        window = Window(NOW - timedelta(hours=62), NOW - timedelta(hours=2))

        assert sorted(k for page in pulled(shop(), "order", platform, window) for k in page) == ["a", "b"]

    @given(st.integers(1, 30), st.lists(st.integers(0, 29), max_size=20), st.integers(1, 6))
    def test_no_order_is_lost_while_others_change(self, count: int, touched: list[int], size: int) -> None:
        waiting = list(touched)

        def change(platform: Platform) -> None:
            if waiting and (name := str(waiting.pop())) in platform.changed:
                platform.changed[name] = NOW

        platform = Platform({str(n): NOW - timedelta(minutes=119 - n) for n in range(count)}, change)
        seen = {k for page in pulled(shop(page_size=size), "order", platform, WINDOW) for k in page}

        moved = {n for n, t in platform.changed.items() if t == NOW}
        assert seen | moved == {str(n) for n in range(count)}

    def test_cases_are_read_in_three_passes(self) -> None:
        asked: list[Any] = []

        def answer(method: str, business: dict[str, Any]) -> Any:
            if method == "asc.query.list":
                row = {"serviceId": 3, "orderId": 1, "customerExpect": 10, "serviceStatus": 10001, "applyTime": "x"}
                return {"pageResult": {"success": True, "totalCount": 1, "data": [row]}}
            number = 1 if "applyTimeStart" in business else 2
            row = {"id": number, "orderId": 1, "applyRefundSum": 100, "status": 0, "applyTime": "x"}
            return {"queryResult": {"success": True, "totalCount": 1, "result": [row]}}

        pages = list(pulled(shop(vender_id="88"), "refund", answer, WINDOW, asked))

        assert pages == [["1"], ["2"], ["3"]]
        assert [sorted(b.keys() & {"applyTimeStart", "checkTimeStart", "updateTimeBegin"}) for _, b in asked] == [
            ["applyTimeStart"], ["checkTimeStart"], ["updateTimeBegin"],
        ]  # fmt: skip
        assert asked[0][1]["pageSize"] == 50
        assert asked[2][1]["buId"] == "88"

    def test_service_orders_can_be_left_out(self) -> None:
        empty = {"queryResult": {"success": True, "totalCount": 0, "result": []}}

        assert len(list(pulled(shop(services=False), "refund", lambda m, b: empty, WINDOW))) == 2


class TestFetch:
    def test_a_case_is_looked_for_in_both_systems(self) -> None:
        def answer(method: str, business: dict[str, Any]) -> Any:
            if method == "asc.query.list":
                row = {"serviceId": business["serviceId"], "orderId": 1, "customerExpect": 10, "serviceStatus": 10001}
                return {"pageResult": {"success": True, "totalCount": 1, "data": [row]}}
            return {"queryResult": {"success": True, "totalCount": 0}}

        found = run(shop().fetch("refund", "77", NOW), answer)

        assert (found.kind, found.key, found.subject) == ("refund", "77", "1")

    def test_control_characters_that_the_gateway_lets_through(self) -> None:
        order = b'{"orderId":"5","orderState":"LOCKED","orderRemark":"a\x0bb"}'
        raw = b'{"jingdong_pop_order_enGet_responce":{"code":"0","orderDetailInfo":{"orderInfo":' + order + b"}}}"
        found = run(shop().fetch("order", "5", NOW), lambda m, b: httpx.Response(200, content=raw))

        assert found.body["orderRemark"] == "ab"


class TestTokens:
    def test_without_a_refresh_token_there_is_none(self) -> None:
        with pytest.raises(StopIteration) as end:
            next(shop().refresh(NOW))

        assert end.value.value is None

    def test_a_new_pair(self) -> None:
        talk = shop(refresh_token="r1", oauth="https://oauth.test").refresh(NOW)
        request = next(talk)
        assert request.method == "GET"
        assert request.url.path == "/oauth2/refresh_token"
        assert dict(request.url.params)["grant_type"] == "refresh_token"
        with pytest.raises(StopIteration) as end:
            talk.send(httpx.Response(200, json={"access_token": "t2", "refresh_token": "r2", "expires_in": 86400}))

        assert end.value.value.settings == {"access_token": "t2", "refresh_token": "r2"}
        assert end.value.value.expires_at == NOW + timedelta(days=1)


SHIPMENT = {
    "schema": "shipment/1",
    "order_no": "301",
    "carrier": "SF",
    "tracking_no": "SF1",
    "complete": True,
    "lines": [],
}
DONE = {"sopjosshipment_result": {"success": True}}


class TestTell:
    def test_a_shipment(self) -> None:
        asked: list[Any] = []
        receipt = run(shop(carriers={"SF": "467"}).tell(SHIPMENT, NOW), lambda m, b: DONE, asked)

        assert receipt.reference == "SF1"
        assert asked == [("pop.order.shipment", {"orderId": "301", "logiCoprId": "467", "logiNo": "SF1"})]

    def test_a_carrier_without_jds_number_says_what_to_do(self) -> None:
        with pytest.raises(Refused) as caught:
            run(shop().tell(SHIPMENT, NOW), lambda m, b: DONE)

        assert "SF" in caught.value.hint

    def test_a_part_is_not_told(self) -> None:
        with pytest.raises(Refused, match="whole"):
            run(shop(carriers={"SF": "467"}).tell({**SHIPMENT, "complete": False}, NOW), lambda m, b: DONE)

    @pytest.mark.parametrize(("waybill", "taken"), [("SF0,SF1", True), ("SF0", False)])
    def test_being_shipped_already_is_well_if_it_is_that_parcel(self, waybill: str, taken: bool) -> None:
        def answer(method: str, business: dict[str, Any]) -> Any:
            if method == "pop.order.shipment":
                return {"error_response": {"code": "70", "zh_desc": "订单正在出库中"}}
            order = {"orderId": "301", "orderState": "WAIT_GOODS_RECEIVE_CONFIRM", "waybill": waybill}
            return {"orderDetailInfo": {"apiResult": {"success": True}, "orderInfo": order}}

        if taken:
            assert run(shop(carriers={"SF": "467"}).tell(SHIPMENT, NOW), answer).already_there
        else:
            with pytest.raises(Unavailable):
                run(shop(carriers={"SF": "467"}).tell(SHIPMENT, NOW), answer)

    def test_stock_is_absolute(self) -> None:
        asked: list[Any] = []
        stock = {"schema": "stock/1", "sku": "LAMP", "available": 7, "extra": {"variant_id": "1002"}}
        run(shop().tell(stock, NOW), lambda m, b: {"success": True}, asked)

        assert asked == [("stock.write.updateSkuStock", {"skuId": "1002", "stockNum": "7", "storeId": "0"})]

    def test_stock_without_its_sku_says_what_to_do(self) -> None:
        with pytest.raises(Refused) as caught:
            run(shop().tell({"schema": "stock/1", "sku": "LAMP", "available": 7}, NOW), lambda m, b: {})

        assert "variant_id" in caught.value.hint


def test_the_text_of_an_invoice_is_taken_apart() -> None:
    order = {
        "orderId": "1",
        "orderState": "LOCKED",
        "invoiceInfo": "发票类型:普通发票;发票抬头:示例:商行;发票内容:明细",
    }
    found = next(shop().read(order))

    assert isinstance(found, Envelope)
    assert found.body["invoiceParts"] == {"发票类型": "普通发票", "发票抬头": "示例:商行", "发票内容": "明细"}


def test_no_invoice_has_no_parts() -> None:
    found = next(shop().read({"orderId": "1", "orderState": "LOCKED", "invoiceInfo": "不需要开具发票"}))

    assert isinstance(found, Envelope)
    assert "invoiceParts" not in found.body


def test_the_answer_to_a_relay() -> None:
    assert shop().acknowledge(None).status == 200
    assert shop().acknowledge(SignatureRejected()).status == 401
    assert shop().acknowledge(Unavailable()).status == 503
    assert shop().acknowledge(NotAuthorised()).status == 400
