"""Requests made by settings: signatures, tokens, windows in parts, lists that only name their records."""

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from adapters.asking import Asking, Sign, Token, nested
from adapters.channels.generic import ADAPTER, Generic, GenericSettings
from adapters.port import Capability, Page, Window
from canonical.errors import NotAuthorised, NotUnderstood
from hub.mapping import expression

NOW = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
URL = "https://shop.example.com/api"


def made(**source: Any) -> Generic:
    settings = {"source": {"order": {"url": URL, "fetch": URL, "ids": "ids", "paging": "none", **source}}}
    return ADAPTER(GenericSettings.model_validate(settings), lambda text, data: expression.compile(text).search(data))


def turn(talk: Any, body: Any) -> tuple[httpx.Request, Any]:
    request = next(talk)
    response = httpx.Response(200, json=body, request=request)
    try:
        talk.send(response)
    except StopIteration as end:
        return request, end.value
    raise AssertionError("one request was expected")


@pytest.mark.parametrize("digest", ["md5", "sha1", "sha256"])
def test_a_signature_covers_the_parameters_that_its_text_names_and_the_secret_is_not_sent(digest: str) -> None:
    sign = Sign.model_validate({"text": "{a}.{timestamp}.{none}.{secret}", "secret": "s3cret", "digest": digest})
    sent = sign.signed({"a": "{secret}", "b": 1}, NOW)
    other = sign.signed({"a": "x", "b": 1}, NOW)

    assert sent["timestamp"] == str(int(NOW.timestamp()))
    assert sent["sign"] != other["sign"]
    assert other["sign"] == sign.signed({"a": "x", "b": 2}, NOW)["sign"]
    assert "s3cret" not in str(sent)


def test_a_signature_without_its_secret_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"must hold \{secret\}"):
        Sign.model_validate({"text": "{a}", "secret": "x"})


def test_capitals_and_another_name() -> None:
    sign = Sign.model_validate({"text": "x{secret}", "secret": "s", "upper": True, "param": "mac", "time_param": ""})
    sent = sign.signed({}, NOW)

    assert list(sent) == ["mac"]
    assert str(sent["mac"]).isupper()


def test_a_token_goes_into_the_address_of_a_post_and_into_its_body() -> None:
    asking = Asking.model_validate(
        {
            "method": "POST",
            "params": {"range.from": 1},
            "query": {"access_token": "{access_token}"},
            "secrets": {"t": "Bearer {access_token}"},
        }
    )
    request = asking.request(URL + "?v=1", {"range.to": 2}, {"access_token": "tok"}, NOW)

    assert dict(request.url.params) == {"v": "1", "access_token": "tok"}
    assert json.loads(request.content) == {"range": {"from": 1, "to": 2}, "t": "Bearer tok"}
    assert "Bearer" not in repr(asking)


def test_a_token_that_is_not_there_is_asked_for_before_the_platform_is() -> None:
    asking = Asking.model_validate({"query": {"access_token": "{access_token}"}})

    with pytest.raises(NotAuthorised, match="no access_token yet"):
        asking.request(URL, {}, {"access_token": ""}, NOW)


def test_names_that_meet_on_one_place() -> None:
    assert nested({"a": 1, "b.c": 2, "b.d.e": 3}) == {"a": 1, "b": {"c": 2, "d": {"e": 3}}}


@given(st.integers(1, 5000), st.integers(60, 100_000))
def test_the_parts_of_a_window_leave_no_gap_and_none_is_too_wide(widest: int, seconds: int) -> None:
    start, cursor, spans = NOW - timedelta(days=30), None, []
    window = Window(start, start + timedelta(seconds=seconds))
    channel = made(widest=max(widest, seconds // 40), time_format="epoch_s")
    for _ in range(60):
        request, page = turn(channel.pull("order", window, cursor, NOW), {"ids": []})
        spans.append((int(request.url.params["updated_since"]), int(request.url.params["updated_before"])))
        cursor = page.next_cursor
        if cursor is None:
            break
    assert spans[0][0] == int(window.start.timestamp())
    assert spans[-1][1] == int(window.end.timestamp())
    assert all(before[1] == after[0] for before, after in pairwise(spans))
    assert all(0 < end - begin <= max(widest, seconds // 40) for begin, end in spans)


def test_a_list_of_numbers_gives_hints() -> None:
    page: Page = turn(made().pull("order", Window(NOW - timedelta(hours=1), NOW), None, NOW), {"ids": [17, "A-18"]})[1]

    assert [(h.kind, h.key) for h in page.hints] == [("order", "17"), ("order", "A-18")]
    assert page.envelopes == []


@pytest.mark.parametrize("ids", [None, "17", [{"id": 1}], [True]])
def test_numbers_that_are_none_are_told(ids: Any) -> None:
    with pytest.raises(NotUnderstood, match="ids"):
        turn(made().pull("order", Window(NOW - timedelta(hours=1), NOW), None, NOW), {"ids": ids})


def test_numbers_without_an_address_to_read_them_are_refused_at_the_start() -> None:
    with pytest.raises(ValidationError, match="address of one record"):
        made(fetch="")


@pytest.mark.parametrize(
    ("value", "ends"),
    [
        (7200, NOW + timedelta(hours=2)),
        ("7200", NOW + timedelta(hours=2)),
        (1795917600, datetime.fromtimestamp(1795917600, UTC)),
        (1795917600000, datetime.fromtimestamp(1795917600, UTC)),
        (None, None),
        (True, None),
        ("soon", None),
    ],
)
def test_when_a_token_ends(value: Any, ends: datetime | None) -> None:
    assert Token.model_validate({"url": URL}).ends(value, NOW) == ends


def test_a_shop_with_token_can_renew_it() -> None:
    settings = GenericSettings.model_validate({"token": {"url": URL}})
    channel = ADAPTER(settings, lambda text, data: expression.compile(text).search(data))

    assert Capability.TOKEN_REFRESH in channel.capabilities
    assert Capability.TOKEN_REFRESH not in made().capabilities
