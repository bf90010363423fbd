"""Channel generic: paging by every scheme, fetching, settings; pushes and pages are in the contract suite."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from adapters.channels.generic import ADAPTER, Generic, GenericSettings
from adapters.port import Capability, Envelope, Window
from canonical import errors
from canonical.errors import HubError, NotUnderstood, Refused, SignatureRejected, Unavailable
from hub.mapping import expression

NOW = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
WINDOW = Window(datetime(2026, 11, 22, 7, 30, tzinfo=UTC), datetime(2026, 11, 22, 8, 0, tzinfo=UTC))
URL = "https://shop.example.com/api/orders"
Server = Callable[[httpx.Request], httpx.Response]


def made(source: dict[str, Any] | None = None, **given: Any) -> Generic:
    sources = {"order": {"url": URL, **source}} if source is not None else {}
    chosen = GenericSettings.model_validate({"source": sources, **given})
    return ADAPTER(chosen, lambda text, data: expression.compile(text).search(data))


def talk(conversation: Any, server: Server) -> Any:
    try:
        request = next(conversation)
        while True:
            response = server(request)
            response.request = request
            request = conversation.send(response)
    except StopIteration as end:
        return end.value


def walk(channel: Generic, server: Server, most: int = 200) -> list[str]:
    """Pull a whole window, each page in a talk of its own as the hub does; the keys in order."""
    keys, cursor = [], None
    for _ in range(most):
        page = talk(channel.pull("order", WINDOW, cursor, NOW), server)
        keys += [e.key for e in page.envelopes]
        cursor = page.next_cursor
        if cursor is None:
            return keys
    pytest.fail("the pull does not come to an end")


def answer(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> httpx.Response:
    return httpx.Response(status, headers=headers, content=json.dumps(body).encode())


def records(keys: range) -> list[dict[str, str]]:
    return [{"order_no": f"W{k}", "updated_at": "2026-11-22T07:40:00Z"} for k in keys]


class TestRequest:
    def asked(self, source: dict[str, Any], window: Window = WINDOW) -> httpx.Request:
        return next(made(source).pull("order", window, None, NOW))

    def test_window_and_size_go_as_configured(self) -> None:
        params = self.asked({"params": {"expand": "items"}, "size": 50}).url.params

        assert dict(params) == {
            "expand": "items",
            "updated_since": "2026-11-22T07:30:00Z",
            "updated_before": "2026-11-22T08:00:00Z",
            "limit": "50",
        }

    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            ({"time_format": "epoch_s"}, "1795332600"),
            ({"time_format": "epoch_ms"}, "1795332600000"),
            ({"time_format": "%Y-%m-%d %H:%M:%S", "zone": "Asia/Shanghai"}, "2026-11-22 15:30:00"),
            ({"zone": "Asia/Shanghai"}, "2026-11-22T15:30:00+08:00"),
        ],
    )
    def test_times(self, given: dict[str, Any], expected: str) -> None:
        east = timezone(timedelta(hours=9))
        window = Window(WINDOW.start.astimezone(east) + timedelta(microseconds=700), WINDOW.end)

        assert self.asked(given, window).url.params["updated_since"] == expected

    def test_parameters_can_be_left_out(self) -> None:
        source = {"since_param": "", "until_param": "", "size_param": "", "url": URL + "?state=any"}

        assert str(self.asked(source).url) == URL + "?state=any"

    def test_post_sends_them_as_json(self) -> None:
        request = self.asked({"method": "POST", "time_format": "epoch_s", "auth": {"hmac": {"secret": "s-1234"}}})

        assert request.url.query == b""
        assert json.loads(request.read()) == {"updated_since": 1795332600, "updated_before": 1795334400, "limit": 100}
        assert len(request.headers["x-signature"]) == 64

    def test_login_and_headers_go_with_every_request(self) -> None:
        source = {"auth": {"bearer": "tok-1234"}, "headers": {"X-Shop": "7"}, "paging": "link"}
        seen: list[httpx.Request] = []

        def server(request: httpx.Request) -> httpx.Response:
            seen.append(request)
            more = {"link": f'<{URL}?page=2>; rel="next"'} if len(seen) == 1 else {}
            return answer(records(range(1)), headers=more)

        walk(made(source), server)

        assert [r.headers["authorization"] for r in seen] == ["Bearer tok-1234"] * 2
        assert [r.headers["x-shop"] for r in seen] == ["7", "7"]


class TestCursor:
    source = {"paging": "cursor", "cursor_param": "after", "next_cursor": "page.next"}  # noqa: RUF012  # never changed

    def test_to_the_end(self) -> None:
        def server(request: httpx.Request) -> httpx.Response:
            start = int(request.url.params.get("after", "0"))
            following = start + 2 if start + 2 < 5 else None
            return answer({"orders": records(range(start, min(start + 2, 5))), "page": {"next": following}})

        assert walk(made(self.source), server) == ["W0", "W1", "W2", "W3", "W4"]

    def test_the_flag_decides_where_there_is_one(self) -> None:
        def server(request: httpx.Request) -> httpx.Response:
            return answer({"orders": records(range(1)), "page": {"next": "always-there"}, "has_more": False})

        assert walk(made({**self.source, "more": "has_more"}), server) == ["W0"]

    def test_a_cursor_that_stays_is_no_endless_pull(self) -> None:
        with pytest.raises(NotUnderstood):
            walk(made(self.source), lambda _: answer({"orders": records(range(1)), "page": {"next": "same"}}))

    def test_an_expression_that_breaks_names_itself(self) -> None:
        with pytest.raises(Refused) as caught:
            walk(made({**self.source, "next_cursor": "join('', page)"}), lambda _: answer({"orders": [], "page": 1}))

        assert caught.value.evidence["rule"] == "next_cursor"


class TestPageNumbers:
    source = {"paging": "page", "size": 2}  # noqa: RUF012  # never changed

    def server(self, count: int, first: int = 1, beyond: int = 200) -> Server:
        def serve(request: httpx.Request) -> httpx.Response:
            start = (int(request.url.params["page"]) - first) * 2
            if start >= count and start and beyond != 200:
                return answer({"detail": "no such page"}, beyond)
            return answer({"orders": records(range(start, min(start + 2, count))), "total": count})

        return serve

    @pytest.mark.parametrize("count", [0, 1, 2, 3, 6])
    @pytest.mark.parametrize("beyond", [200, 404])
    @pytest.mark.parametrize("first", [0, 1])
    def test_forward_until_an_empty_page(self, count: int, beyond: int, first: int) -> None:
        found = walk(made({**self.source, "first_page": first}), self.server(count, first, beyond))

        assert found == [f"W{n}" for n in range(count)]

    def test_a_flag_saves_the_last_request(self) -> None:
        asked: list[str] = []

        def server(request: httpx.Request) -> httpx.Response:
            asked.append(request.url.params["page"])
            return answer(
                {"orders": records(range(2)) if len(asked) == 1 else records(range(2, 3)), "more": len(asked) < 2}
            )

        assert walk(made({**self.source, "more": "more"}), server) == ["W0", "W1", "W2"]
        assert asked == ["1", "2"]

    def test_a_site_that_ignores_the_number_is_found_out(self) -> None:
        with pytest.raises(NotUnderstood) as caught:
            walk(made(self.source), lambda _: answer(records(range(2))))

        assert "page_param" in caught.value.hint

    @pytest.mark.parametrize("count", [0, 1, 2, 3, 7])
    def test_backwards_where_the_total_is_known(self, count: int) -> None:
        found = walk(made({**self.source, "total": "total"}), self.server(count))

        assert sorted(found, key=lambda k: int(k[1:])) == [f"W{n}" for n in range(count)]

    def test_a_site_that_gives_smaller_pages_than_asked_for(self) -> None:
        found = walk(made({**self.source, "size": 100, "total": "total"}), self.server(7))

        assert sorted(found) == [f"W{n}" for n in range(7)]

    def test_a_total_that_is_none(self) -> None:
        with pytest.raises(NotUnderstood) as caught:
            walk(made({**self.source, "total": "count"}), self.server(3))

        assert "total" in caught.value.hint

    @given(
        count=st.integers(0, 40),
        changes=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 39)), max_size=12),
        size=st.integers(1, 7),
    )
    def test_no_order_is_skipped_while_others_leave_the_window(
        self, count: int, changes: list[tuple[int, int]], size: int
    ) -> None:
        """An order that changes leaves the window, and all behind it move up; the next window brings it."""
        listed, gone, turn = list(range(count)), set(), 0

        def server(request: httpx.Request) -> httpx.Response:
            nonlocal turn
            for when, which in changes:
                if when == turn and which in listed:
                    listed.remove(which)
                    gone.add(f"W{which}")
            turn += 1
            start = (int(request.url.params["page"]) - 1) * size
            here = [{"order_no": f"W{n}"} for n in listed[start : start + size]]
            return answer({"orders": here, "total": len(listed)})

        found = walk(made({**self.source, "size": size, "total": "total"}), server)

        assert {f"W{n}" for n in range(count)} - set(found) <= gone


class TestLinks:
    source = {"paging": "link"}  # noqa: RUF012  # never changed

    def test_to_the_end_with_relative_links(self) -> None:
        def server(request: httpx.Request) -> httpx.Response:
            page = int(request.url.params.get("page", "1"))
            links = {"link": f'</api/orders?page={page + 1}>; rel="next", <{URL}>; rel="first"'} if page < 3 else {}
            return answer(records(range(page, page + 1)), headers=links)

        assert walk(made(self.source), server) == ["W1", "W2", "W3"]

    @pytest.mark.parametrize(
        "link", ["https://evil.example.com/api", "http://shop.example.com/api", "//x.example.com/"]
    )
    def test_another_server_never_sees_our_login(self, link: str) -> None:
        with pytest.raises(NotUnderstood):
            walk(made(self.source), lambda _: answer([], headers={"link": f'<{link}>; rel="next"'}))

    def test_a_link_to_itself(self) -> None:
        source = {**self.source, "since_param": "", "until_param": "", "size_param": ""}
        with pytest.raises(NotUnderstood):
            walk(made(source), lambda _: answer([], headers={"link": f'<{URL}>; rel="next"'}))


class TestAnswers:
    def test_rules_over_an_answer_that_is_always_200(self) -> None:
        rules = {"ok_if": "body.code == `0`", "retry_if": "body.code == `9`", "auth_if": "body.code == `401`"}

        def pulled(body: Any, status: int = 200) -> Any:
            return talk(made(rules).pull("order", WINDOW, None, NOW), lambda _: answer(body, status))

        assert [e.key for e in pulled({"code": 0, "data": records(range(2))}).envelopes] == ["W0", "W1"]
        for code, name in ((9, "Unavailable"), (401, "NotAuthorised"), (5, "Refused")):
            with pytest.raises(HubError) as caught:
                pulled({"code": code})
            assert type(caught.value) is getattr(errors, name)
        with pytest.raises(Unavailable):
            pulled("<html>", 503)

    def test_paging_none_reads_one_page(self) -> None:
        page = talk(made({"paging": "none"}).pull("order", WINDOW, None, NOW), lambda _: answer(records(range(3))))

        assert len(page.envelopes) == 3
        assert page.next_cursor is None

    def test_the_kind_of_a_source_is_its_name(self) -> None:
        sources = {"refund": {"url": URL, "records": "list"}}
        chosen = GenericSettings.model_validate({"kind": "'order'", "key": "id", "source": sources})
        channel = ADAPTER(chosen, lambda text, data: expression.compile(text).search(data))
        page = talk(channel.pull("refund", WINDOW, None, NOW), lambda _: answer({"list": [{"id": 5, "order_no": 17}]}))

        assert page.envelopes == [Envelope("refund", "5", {"id": 5, "order_no": 17}, subject="17")]

    def test_a_kind_without_a_source_says_what_to_write(self) -> None:
        with pytest.raises(Refused) as caught:
            next(made().pull("refund", WINDOW, None, NOW))

        assert "source.refund" in caught.value.hint


class TestFetch:
    channel = staticmethod(lambda: made({"fetch": "https://shop.example.com/api/orders/{key}?full=1"}))

    def test_one_record(self) -> None:
        seen: list[httpx.Request] = []

        def server(request: httpx.Request) -> httpx.Response:
            seen.append(request)
            return answer({"data": {"order_no": "A/1", "updated_at": "u"}})

        found = talk(self.channel().fetch("order", "A/1", NOW), server)

        assert seen[0].url.raw_path == b"/api/orders/A%2F1?full=1"
        assert (found.kind, found.key, found.revision, found.subject) == ("order", "A/1", "u", "A/1")

    def test_there_is_none(self) -> None:
        with pytest.raises(Refused) as caught:
            talk(self.channel().fetch("order", "A1", NOW), lambda _: answer({}, 404))

        assert caught.value.code == "wire.no_such_record"

    def test_another_one(self) -> None:
        with pytest.raises(NotUnderstood):
            talk(self.channel().fetch("order", "A1", NOW), lambda _: answer({"order_no": "A2"}))

    def test_no_address_for_it(self) -> None:
        with pytest.raises(Refused):
            next(made({}).fetch("order", "A1", NOW))


class TestSettings:
    def test_capabilities_follow_from_what_is_configured(self) -> None:
        token = {"scheme": "token", "secret": "t-1234"}

        assert made(signature=token).capabilities == {Capability.WEBHOOK}
        assert made({"fetch": URL + "/{key}"}).capabilities == {Capability.PULL_ORDERS, Capability.FETCH}
        assert Capability.PULL_REFUNDS in Generic.capabilities

    def test_the_answer_to_a_push_is_the_sites(self) -> None:
        channel = made(ack={"status": 202, "body": '{"code":0}'})

        assert (channel.acknowledge(None).status, channel.acknowledge(None).body) == (202, b'{"code":0}')
        assert channel.acknowledge(SignatureRejected()).status == 401
        assert channel.acknowledge(Unavailable()).status == 503
        assert channel.acknowledge(NotUnderstood()).status == 400

    def test_every_expression_is_named_for_the_check_at_start(self) -> None:
        found = made({"more": "has_more"}, records="rows", message_id="uid").expressions

        assert found["records[0]"] == "rows"
        assert found["source.order.more"] == "has_more"
        assert found["message_id"] == "uid"

    def test_nothing_is_told_back(self) -> None:
        with pytest.raises(Refused) as caught:
            made().tell({}, NOW)

        assert "http" in caught.value.hint

    def test_there_is_nothing_to_refresh(self) -> None:
        assert talk(made().refresh(NOW), lambda _: answer({})) is None

    @pytest.mark.parametrize(
        "wrong",
        [
            {"signature": {"scheme": "token"}},
            {"signature": {"scheme": "token", "secret": ""}},
            {"signature": {"scheme": "md5", "secret": "s"}},
            {"signature": {"scheme": "standard-webhooks", "secret": "no base64!"}},
            {"signature": {"scheme": "hmac-sha256-hex", "secret": "s", "signed": "{timestamp}"}},
            {"signature": {"scheme": "hmac-sha256-hex", "secret": "s", "timestamp_header": "X-T", "signed": "{body}"}},
            {"signature": {"scheme": "token", "secret": "s", "tolerance": "soon"}},
            {"source": {"invoice": {"url": URL}}},
            {"source": {"order": {"url": "shop.example.com"}}},
            {"source": {"order": {"url": URL, "fetch": URL + "/{number}"}}},
            {"source": {"order": {"url": URL, "zone": "Mars"}}},
            {"ack": {"status": 500}},
            {"app_key": "x"},
        ],
    )
    def test_settings_that_cannot_work_are_refused(self, wrong: dict[str, Any]) -> None:
        with pytest.raises(ValidationError) as caught:
            GenericSettings.model_validate(wrong)

        assert "no base64!" not in "".join(e["msg"] for e in caught.value.errors())
