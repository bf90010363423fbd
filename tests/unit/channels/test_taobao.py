"""Taobao's own rules: what is signed is what is sent, pages from the last to the first, details, writing back."""

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

from adapters.channels.taobao import ADAPTER, TaobaoShop
from adapters.port import Envelope, Window
from canonical.errors import NotUnderstood, Refused, SignatureRejected, Unavailable

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SECRET = "unitSecretTaobao"
Handler = Callable[[dict[str, str]], Any]


def shop(**over: Any) -> Any:
    given = {"app_key": "k1", "app_secret": SECRET, "session": "s1", "details": False, **over}
    return ADAPTER(TaobaoShop.model_validate(given))


def run(talk: Any, handler: Handler, asked: list[dict[str, str]] | None = None) -> Any:
    """Run a talk against a function from the sent form to the answer's JSON."""
    try:
        request = next(talk)
        while True:
            form = dict(parse_qsl(request.read().decode(), keep_blank_values=True))
            if asked is not None:
                asked.append(form)
            answer = handler(form)
            response = answer if isinstance(answer, httpx.Response) else httpx.Response(200, json=answer)
            request = talk.send(response)
    except StopIteration as end:
        return end.value


class Platform:
    """Trades by time of change, newest first, as TOP lists them. `between` runs before every page."""

    def __init__(self, changed: dict[str, datetime], between: Callable[["Platform"], None] | None = None) -> None:
        self.changed, self.between = changed, between

    def __call__(self, form: dict[str, str]) -> Any:
        if form["method"] == "taobao.trade.fullinfo.get":
            trade = {"tid": form["tid"], "created": "x", "modified": "y", "buyer_message": "full"}
            return {"trade_fullinfo_get_response": {"trade": trade}}
        start, end = beijing(form["start_modified"]), beijing(form["end_modified"])
        rows = sorted((t, n) for n, t in self.changed.items() if start <= t <= end)[::-1]
        if form["use_has_next"] == "false":
            return {"trades_sold_increment_get_response": {"total_results": len(rows)}}
        page, size = int(form["page_no"]), int(form["page_size"])
        here = [{"tid": n, "created": "x", "modified": str(t)} for t, n in rows[(page - 1) * size : page * size]]
        if self.between:
            self.between(self)
        trades = {"trades": {"trade": here}} if here else {}
        return {"trades_sold_increment_get_response": {"has_next": len(rows) > page * size, **trades}}


def beijing(text: str) -> datetime:
    return datetime.strptime(text + "+0800", "%Y-%m-%d %H:%M:%S%z")


def pulled(
    channel: Any, platform: Handler, window: Window, asked: list[dict[str, str]] | None = None
) -> Iterator[list[str]]:
    """The keys of each page until the window is done."""
    cursor = None
    while True:
        page = run(channel.pull("order", window, cursor, NOW), platform, asked)
        yield [e.key for e in page.envelopes]
        cursor = page.next_cursor
        if cursor is None:
            return


def hours(first: float, last: float) -> Window:
    return Window(NOW - timedelta(hours=first), NOW - timedelta(hours=last))


class TestRequests:
    def test_the_signature_covers_exactly_what_is_sent(self) -> None:
        asked: list[dict[str, str]] = []
        list(pulled(shop(), Platform({}), hours(2, 1), asked))

        form = asked[0]
        given = form.pop("sign")
        text = "".join(k + v for k, v in sorted(form.items()))
        assert given == hashlib.md5(f"{SECRET}{text}{SECRET}".encode()).hexdigest().upper()  # noqa: S324
        assert form["session"] == "s1"
        assert form["format"] == "json"
        assert form["timestamp"] == "2026-03-01 20:00:00"

    def test_the_form_says_that_it_is_utf_8(self) -> None:
        request = next(shop().fetch("order", "1", NOW))

        assert request.method == "POST"
        assert request.headers["content-type"] == "application/x-www-form-urlencoded;charset=utf-8"

    def test_no_secret_is_sent_or_shown(self) -> None:
        channel = shop(refresh_token="r1-secret")
        request = next(channel.fetch("order", "1", NOW))

        assert SECRET not in request.read().decode() + repr(channel.settings)


class TestPull:
    def test_counts_first_then_reads_from_the_last_page_to_the_first(self) -> None:
        asked: list[dict[str, str]] = []
        platform = Platform({str(n): NOW - timedelta(minutes=70 + n) for n in range(5)})

        pages = list(pulled(shop(page_size=2), platform, hours(2, 1), asked))

        assert pages == [["4"], ["2", "3"], ["0", "1"]]
        assert [(f["use_has_next"], f.get("page_no")) for f in asked] == [
            ("false", None), ("true", "3"), ("true", "2"), ("true", "1"),
        ]  # fmt: skip
        assert {f["end_modified"] for f in asked} == {"2026-03-01 19:00:00"}

    def test_asks_for_the_types_that_top_would_leave_out(self) -> None:
        asked: list[dict[str, str]] = []
        list(pulled(shop(), Platform({}), hours(2, 1), asked))

        assert {"step", "cod", "nopaid", "o2o_offlinetrade"} <= set(asked[0]["type"].split(","))

    def test_an_empty_window_takes_one_request(self) -> None:
        asked: list[dict[str, str]] = []

        assert list(pulled(shop(), Platform({}), hours(2, 1), asked)) == [[]]
        assert len(asked) == 1

    def test_splits_what_is_longer_than_a_day(self) -> None:
        asked: list[dict[str, str]] = []
        platform = Platform({"a": NOW - timedelta(hours=60), "b": NOW - timedelta(hours=3)})

        pages = list(pulled(shop(), platform, hours(62, 2), asked))

        assert sorted(key for page in pages for key in page) == ["a", "b"]
        spans = [beijing(f["end_modified"]) - beijing(f["start_modified"]) for f in asked]
        assert max(spans) == timedelta(days=1)

    def test_a_crash_goes_on_at_the_cursor(self) -> None:
        platform = Platform({str(n): NOW - timedelta(minutes=70 + n) for n in range(5)})
        first = run(shop(page_size=2).pull("order", hours(2, 1), None, NOW), platform)
        again = [run(shop(page_size=2).pull("order", hours(2, 1), first.next_cursor, NOW), platform) for _ in range(2)]

        assert [e.key for e in again[0].envelopes] == [e.key for e in again[1].envelopes]

    @given(st.integers(1, 40), st.lists(st.integers(0, 39), max_size=30), st.integers(1, 7))
    def test_no_trade_is_lost_while_others_change(self, count: int, touched: list[int], size: int) -> None:
        waiting = list(touched)

        def change(platform: Platform) -> None:
            if waiting and str(waiting[-1]) in platform.changed:
                platform.changed[str(waiting.pop())] = NOW
            elif waiting:
                waiting.pop()

        platform = Platform({str(n): NOW - timedelta(minutes=61 + n) for n in range(count)}, change)
        seen = [key for page in pulled(shop(page_size=size), platform, hours(2, 1)) for key in page]

        # What changed meanwhile lies in the next window; everything else must have been seen.
        later = [key for page in pulled(shop(page_size=size), Platform(platform.changed), hours(1, -1)) for key in page]
        assert set(seen) | set(later) == {str(n) for n in range(count)}

    def test_a_missing_count_is_no_empty_window(self) -> None:
        with pytest.raises(NotUnderstood):
            run(shop().pull("order", hours(2, 1), None, NOW), lambda form: {"x_response": {"has_next": False}})

    def test_refunds_have_their_own_list(self) -> None:
        asked: list[dict[str, str]] = []
        answers = iter([
            {"refunds_receive_get_response": {"total_results": 1}},
            {"refunds_receive_get_response": {"refunds": {"refund": [{"refund_id": "9", "tid": "1", "created": "x"}]}}},
        ])  # fmt: skip
        page = run(shop().pull("refund", hours(2, 1), None, NOW), lambda form: next(answers), asked)

        assert [(e.kind, e.key, e.subject) for e in page.envelopes] == [("refund", "9", "1")]
        assert asked[1]["method"] == "taobao.refunds.receive.get"
        assert "dispute_type" in asked[1]["fields"].split(",")


class TestDetails:
    def test_each_record_is_asked_for_in_full(self) -> None:
        platform = Platform({str(n): NOW - timedelta(minutes=70 + n) for n in range(3)})
        page = run(shop(details=True).pull("order", hours(2, 1), None, NOW), platform)

        assert [e.body["buyer_message"] for e in page.envelopes] == ["full"] * 3

    def test_pages_stay_small_enough_for_one_talk(self) -> None:
        asked: list[dict[str, str]] = []
        platform = Platform({str(n): NOW - timedelta(minutes=61 + n) for n in range(40)})
        run(shop(details=True, page_size=100).pull("order", hours(2, 1), None, NOW), platform, asked)

        assert len(asked) <= 18

    def test_one_that_is_not_shown_stays_as_the_list_has_it(self) -> None:
        platform = Platform({"7": NOW - timedelta(minutes=70)})

        def answer(form: dict[str, str]) -> Any:
            if form["method"] == "taobao.trade.fullinfo.get":
                return {"error_response": {"code": 15, "sub_code": "isv.trade-not-exist"}}
            return platform(form)

        page = run(shop(details=True).pull("order", hours(2, 1), None, NOW), answer)

        assert [e.key for e in page.envelopes] == ["7"]

    def test_our_own_mistake_is_not_hidden_by_it(self) -> None:
        platform = Platform({"7": NOW - timedelta(minutes=70)})

        def answer(form: dict[str, str]) -> Any:
            wrong = form["method"] == "taobao.trade.fullinfo.get"
            return {"error_response": {"code": 22, "msg": "Invalid Method"}} if wrong else platform(form)

        with pytest.raises(Refused):
            run(shop(details=True).pull("order", hours(2, 1), None, NOW), answer)


class TestTokens:
    def test_a_fixed_token_has_no_refresh(self) -> None:
        assert run(shop().refresh(NOW), lambda form: {}) is None

    def test_a_new_pair(self) -> None:
        asked: list[dict[str, str]] = []
        result = json.dumps({"access_token": "s2", "refresh_token": "r2", "expires_in": 3600})
        answer = {"top_auth_token_refresh_response": {"token_result": result}}

        fresh = run(shop(refresh_token="r1").refresh(NOW), lambda form: answer, asked)

        assert fresh.settings == {"session": "s2", "refresh_token": "r2"}
        assert fresh.expires_at == NOW + timedelta(hours=1)
        assert asked[0]["refresh_token"] == "r1"
        assert "session" not in asked[0]


SHIPMENT = {
    "schema": "shipment/1",
    "order_no": "11",
    "carrier": "SF",
    "tracking_no": "SF1",
    "complete": True,
    "lines": [],
}


class TestTell:
    def test_a_shipment(self) -> None:
        asked: list[dict[str, str]] = []
        answer = {"logistics_offline_send_response": {"shipping": {"is_success": True}}}

        receipt = run(shop(carriers={"SF": "SFEXPRESS"}).tell(SHIPMENT, NOW), lambda form: answer, asked)

        assert (receipt.reference, receipt.already_there) == ("SF1", False)
        sent = asked[0]
        assert (sent["tid"], sent["out_sid"], sent["company_code"]) == ("11", "SF1", "SFEXPRESS")
        assert "is_split" not in sent

    def test_a_part_of_an_order_names_its_lines(self) -> None:
        asked: list[dict[str, str]] = []
        answer = {"logistics_offline_send_response": {"shipping": {"is_success": True}}}
        part = {**SHIPMENT, "complete": False, "lines": [{"line_no": "12"}, {"line_no": "13"}]}
        run(shop().tell(part, NOW), lambda form: answer, asked)

        assert (asked[0]["is_split"], asked[0]["sub_tid"]) == ("1", "12,13")

    @pytest.mark.parametrize(("waybill", "taken"), [("SF1", True), ("OTHER", False)])
    def test_a_refusal_is_well_if_it_is_shipped_with_that_number(self, waybill: str, taken: bool) -> None:
        def answer(form: dict[str, str]) -> Any:
            if form["method"] == "taobao.logistics.offline.send":
                return {"error_response": {"code": 15, "sub_code": "isv.logistics-offline-service-error"}}
            trade = {"tid": "11", "created": "x", "orders": {"order": [{"oid": "12", "invoice_no": waybill}]}}
            return {"trade_fullinfo_get_response": {"trade": trade}}

        if taken:
            assert run(shop().tell(SHIPMENT, NOW), answer).already_there
        else:
            with pytest.raises(Refused):
                run(shop().tell(SHIPMENT, NOW), answer)

    def test_stock_is_absolute(self) -> None:
        asked: list[dict[str, str]] = []
        stock = {"schema": "stock/1", "sku": "TEA-1", "available": 7, "extra": {"item_id": "710"}}
        run(shop().tell(stock, NOW), lambda form: {"skus_quantity_update_response": {"item": {}}}, asked)

        assert (asked[0]["num_iid"], asked[0]["outerid_quantities"], asked[0]["type"]) == ("710", "TEA-1:7", "1")

    def test_stock_without_its_item_says_what_to_do(self) -> None:
        with pytest.raises(Refused, match="TEA-1") as caught:
            run(shop().tell({"schema": "stock/1", "sku": "TEA-1", "available": 7}, NOW), lambda form: {})

        assert "num_iid" in caught.value.hint


def test_a_trade_of_one_line_gets_its_line() -> None:
    trade = {"tid": 31, "created": "x", "num": 2, "num_iid": 9, "price": "50.00", "payment": "96.00", "title": "t"}
    found = next(shop().read(trade))

    assert isinstance(found, Envelope)
    assert found.body["orders"] == {"order": [{"oid": "31", "title": "t", "price": "50.00", "num": 2, "num_iid": 9}]}


def test_what_simplify_took_away_is_put_back() -> None:
    trade = {"tid": 31, "created": "x", "orders": [{"oid": 32}], "promotion_details": [{"promotion_name": "p"}]}
    found = next(shop().read({"trades": [trade], "total_results": 1}))

    assert isinstance(found, Envelope)
    assert found.body["orders"] == {"order": [{"oid": 32}]}
    assert found.body["promotion_details"] == {"promotion_detail": [{"promotion_name": "p"}]}


def test_the_answer_to_a_push_is_tops() -> None:
    assert json.loads(shop().acknowledge(None).body) == {"success": True}
    rejected = shop().acknowledge(SignatureRejected())
    assert (rejected.status, json.loads(rejected.body)["sub_code"]) == (401, "sign-check-failure")
    assert shop().acknowledge(Unavailable()).status == 503
