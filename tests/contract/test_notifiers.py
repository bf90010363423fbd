"""What every notifier promises, and the signatures that the services demand."""

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

import adapters
from adapters.notifiers import dingtalk, feishu, wecom
from adapters.port import Alert
from canonical.errors import HubError, Refused, Unavailable

if TYPE_CHECKING:
    from pydantic import BaseModel

NOW = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
ALERT = Alert("alert-1a2b", "dead letters: a group is open", ("9c0f erp delivery.refused: 12 letter(s)", "another"))
SETTINGS: dict[str, dict[str, Any]] = {
    "webhook": {"url": "https://it.example.com/alerts", "secret": "whsec_c2VjcmV0LW9mLXRoaXMtdGVzdA=="},
    "dingtalk": {"token": "tok-5f2c9e0b", "secret": "SEC-of-this-test"},
    "wecom": {"key": "key-5f2c9e0b"},
    "feishu": {"token": "tok-5f2c9e0b", "secret": "secret-of-this-test"},
}
YES = {"webhook": "", "dingtalk": '{"errcode":0}', "wecom": '{"errcode":0}', "feishu": '{"code":0,"msg":"success"}'}
CODES = adapters.codes("notifiers")


def made(code: str) -> Any:
    adapter = adapters.load("notifiers", code)
    return adapter(adapter.Settings.model_validate(SETTINGS[code]))


def told(code: str, response: httpx.Response, alert: Alert = ALERT) -> httpx.Request:
    """The request, after its answer was read."""
    talk = made(code).tell(alert, NOW)
    request: httpx.Request = next(talk)
    with pytest.raises(StopIteration):
        talk.send(response)
    return request


@pytest.mark.parametrize("code", CODES)
class TestEveryNotifier:
    def test_it_says_all_of_an_alert(self, code: str) -> None:
        said = json.dumps(json.loads(told(code, httpx.Response(200, text=YES[code])).read()), ensure_ascii=False)
        assert all(part in said for part in (ALERT.id, ALERT.title, *ALERT.lines))

    def test_every_setting_is_described_and_secrets_do_not_show(self, code: str) -> None:
        model: type[BaseModel] = adapters.load("notifiers", code).Settings
        schema = model.model_json_schema()
        assert schema["additionalProperties"] is False
        assert [name for name, p in schema["properties"].items() if not p.get("description")] == []
        shown = repr(model.model_validate(SETTINGS[code]))
        assert not [v for k, v in SETTINGS[code].items() if k in ("secret", "token", "key") and v in shown]

    @given(status=st.integers(200, 599), body=st.text(max_size=60) | st.just('{"errcode": 310000}') | st.just("[1]"))
    def test_any_answer_is_a_receipt_or_an_error_by_name(self, code: str, status: int, body: str) -> None:
        talk = made(code).tell(ALERT, NOW)
        next(talk)
        with pytest.raises((StopIteration, HubError)) as ended:
            talk.send(httpx.Response(status, text=body))
        if isinstance(ended.value, HubError):
            assert ended.value.code.startswith("alert.")
        else:
            assert 200 <= status < 300

    @given(title=st.text(max_size=200), line=st.text(max_size=6000))
    def test_any_text_can_be_told(self, code: str, title: str, line: str) -> None:
        request = next(made(code).tell(Alert("alert-1", title, (line,) * 3), NOW))
        assert json.loads(request.read())


@pytest.mark.parametrize(
    ("code", "body", "error"),
    [
        ("dingtalk", '{"errcode":130101,"errmsg":"send too fast"}', Unavailable),
        ("dingtalk", '{"errcode":310000,"errmsg":"sign not match"}', Refused),
        ("wecom", '{"errcode":45009,"errmsg":"api freq out of limit"}', Unavailable),
        ("wecom", '{"errcode":93000,"errmsg":"invalid webhook url"}', Refused),
        ("feishu", '{"code":11232,"msg":"frequency limited"}', Unavailable),
        ("feishu", '{"code":19021,"msg":"sign match fail or timestamp is not within one hour"}', Refused),
    ],
)
def test_business_errors_come_with_http_200(code: str, body: str, error: type[HubError]) -> None:
    talk = made(code).tell(ALERT, NOW)
    next(talk)
    with pytest.raises(error):
        talk.send(httpx.Response(200, text=body))


def test_dingtalk_signs_as_independent_clients_do() -> None:
    # apprise 2.2.0 and DingtalkChatbot 1.5.7 give the same
    assert dingtalk.sign("SEC0123456789abcdef", 1700000000000) == "TSZbRFUuvaSQaRKUpF970OPCb2/LcQAP3wOvwZIzBZk="
    request = told("dingtalk", httpx.Response(200, text=YES["dingtalk"]))
    asked = parse_qs(urlsplit(str(request.url)).query)
    assert asked["sign"] == [dingtalk.sign("SEC-of-this-test", int(NOW.timestamp() * 1000))], "encoded once"


def test_feishu_signs_as_openssl_and_node_do() -> None:
    assert feishu.sign("feishu-demo-secret", 1700000000) == "LJ3PlcwviZMXQxiZQ4Jou4SlI9YJEmjE2SI9xcS1EG0="


def test_wecom_counts_bytes() -> None:
    assert wecom.cut("订单" * 10, 7) == "订单"
    request = next(made("wecom").tell(Alert("a", "t", ("单" * 5000,)), NOW))
    assert len(json.loads(request.read())["markdown"]["content"].encode()) <= 4096
