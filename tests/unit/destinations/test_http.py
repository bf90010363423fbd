"""Destination http: what is sent, how it is signed, and the rules that the shipped mappings recommend."""

import base64
import json
import re
import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import xmltodict
from pydantic import ValidationError
from standardwebhooks import Webhook

from adapters.destinations.http import ADAPTER, Http, HttpSettings
from adapters.port import Delivery, Receipt
from canonical import errors
from canonical.errors import HubError, Refused
from hub.mapping import expression

ROOT = Path(__file__).resolve().parents[3]
NOW = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
SECRET = "whsec_" + base64.b64encode(b"a key of the receiver, 32 bytes.").decode()
URL = "https://erp.example.com/in"
# printf '{"a":1}' | openssl dgst -sha256 -hmac s-1234 [-binary | base64]
HEX = "5ec890e6b63643d10f71867a663a81dadcc84b03a4313de004cae237b6e4b8f8"
BASE64 = "XsiQ5rY2Q9EPcYZ6ZjqB2tzISwOkMT3gBMriN7bkuPg="


def delivery(body: Any = None, **more: Any) -> Delivery:
    given: dict[str, Any] = {
        "id": "17",
        "tenant": "default",
        "destination": "erp",
        "kind": "order",
        "shop": "tb-main",
        "key": "41/23?x",
        "subject": "41/23?x",
        "revision": "r1",
        "sequence": 1,
        "idempotency_key": "key-0001",
        "body": {"order_no": "41/23?x"} if body is None else body,
    }
    return Delivery(**{**given, **more})


def made(**given: Any) -> Http:
    return ADAPTER(HttpSettings.model_validate({"url": URL, **given}), lambda t, d: expression.compile(t).search(d))


def sent(destination: Http, what: Delivery | None = None, now: datetime = NOW) -> httpx.Request:
    return next(destination.push(what or delivery(), now))


def finish(talk: Any, status: int = 200, body: Any = "", headers: Mapping[str, str] | None = None) -> Any:
    next(talk)
    content = body if isinstance(body, str) else json.dumps(body)
    try:
        talk.send(httpx.Response(status, headers=headers, content=content.encode()))
    except StopIteration as end:
        return end.value
    pytest.fail("one answer was not enough")


class TestWhatIsSent:
    def test_the_body_is_the_document_as_json(self) -> None:
        document = {"order_no": "4100000000000000123", "note": "加急 é", "quantity": 2, "id": 2**70}

        request = sent(made(), delivery(document))

        assert (request.method, str(request.url)) == ("POST", URL)
        assert request.headers["content-type"] == "application/json"
        assert json.loads(request.read()) == document

    def test_a_half_emoji_and_a_number_of_any_size_can_be_sent(self) -> None:
        assert json.loads(sent(made(), delivery({"note": "\ud83d", "n": 10**30})).read())["n"] == 10**30

    def test_xml_under_the_mappings_root(self) -> None:
        body = {
            "order": {"no": "1", "gift": True, "note": None, "lines": {"line": [{"q": 1}, {"q": 2}]}, "t": "a\x0b<b"}
        }

        request = sent(made(format="xml"), delivery(body, root="request"))

        assert request.headers["content-type"] == "application/xml; charset=utf-8"
        assert xmltodict.parse(request.read()) == {
            "request": {
                "order": {
                    "no": "1",
                    "gift": "true",
                    "note": None,
                    "lines": {"line": [{"q": "1"}, {"q": "2"}]},
                    "t": "a\ufffd<b",
                }
            }
        }

    def test_a_body_that_is_no_xml_is_refused(self) -> None:
        with pytest.raises(Refused) as caught:
            sent(made(format="xml"), delivery(["a", "b"]))

        assert caught.value.code == "delivery.body"

    def test_a_key_cannot_leave_its_place_in_the_address(self) -> None:
        request = sent(made(url="https://erp.example.com/{kind}/{key}?shop={shop}", urls={"refund": URL}))

        assert request.url.raw_path == b"/order/41%2F23%3Fx?shop=tb-main"
        assert request.url.host == "erp.example.com"

    def test_a_kind_may_have_its_own_address(self) -> None:
        destination = made(urls={"refund": "https://erp.example.com/refunds"})

        assert str(sent(destination, delivery(kind="refund")).url) == "https://erp.example.com/refunds"
        assert str(sent(destination).url) == URL

    def test_the_idempotency_key_is_the_same_on_every_attempt(self) -> None:
        destination = made(secret=SECRET)
        first, second = sent(destination), sent(destination, delivery(attempt=2), NOW + timedelta(hours=3))

        assert first.headers["idempotency-key"] == second.headers["idempotency-key"] == "key-0001"
        assert first.headers["webhook-id"] == second.headers["webhook-id"] == "key-0001"
        assert first.read() == second.read()

    def test_its_header_has_another_name_or_none(self) -> None:
        assert sent(made(idempotency_header="X-Request-Id")).headers["x-request-id"] == "key-0001"
        assert "idempotency-key" not in sent(made(idempotency_header="")).headers

    def test_a_key_that_no_header_can_hold_is_encoded(self) -> None:
        destination = made(secret=SECRET)
        request = sent(destination, delivery(idempotency_key="订单-1\r\nX: y"))

        assert request.headers["idempotency-key"] == "%E8%AE%A2%E5%8D%95-1%0D%0AX: y"
        assert "x" not in request.headers

    def test_further_headers(self) -> None:
        request = sent(made(headers={"X-Tenant": "7", "content-type": "application/vnd.erp+json"}))

        assert request.headers["x-tenant"] == "7"
        assert request.headers.get_list("content-type") == ["application/vnd.erp+json"]


class TestHowItIsProven:
    def test_standard_webhooks_as_their_own_library_checks_it(self) -> None:
        now = datetime.now(UTC)
        request = sent(made(secret=SECRET), delivery({"note": "加急"}), now)

        assert Webhook(SECRET).verify(request.read(), dict(request.headers)) == {"note": "加急"}

    @pytest.mark.parametrize(
        ("auth", "name", "value"),
        [
            ({"bearer": "tok-1234"}, "authorization", "Bearer tok-1234"),
            (
                {"basic": {"user": "hub", "password": "pä:ss"}},
                "authorization",
                "Basic " + base64.b64encode("hub:pä:ss".encode()).decode(),
            ),
            ({"header": {"name": "X-Api-Key", "value": "k-1234"}}, "x-api-key", "k-1234"),
        ],
    )
    def test_logins(self, auth: dict[str, Any], name: str, value: str) -> None:
        assert sent(made(auth=auth)).headers[name] == value

    def test_hmac_over_the_body_that_is_sent(self) -> None:
        body = delivery({"a": 1})
        plain = {"secret": "s-1234", "header": "X-Sig"}

        assert sent(made(auth={"hmac": {**plain, "prefix": "sha256="}}), body).headers["x-sig"] == f"sha256={HEX}"
        assert sent(made(auth={"hmac": {**plain, "encoding": "base64"}}), body).headers["x-sig"] == BASE64

    @pytest.mark.parametrize(
        "wrong",
        [
            {"auth": {}},
            {"auth": {"bearer": "a", "basic": {"user": "a", "password": "b"}}},
            {"auth": {"bearer": "two\nlines"}},
            {"headers": {"X Y": "1"}},
            {"secret": "whsec_???"},
            {"url": "ftp://erp.example.com"},
            {"url": "https://erp.example.com/{order}"},
            {"url": ""},
            {"idempotency_header": "a b"},
            {"okif": "x"},
        ],
    )
    def test_settings_that_cannot_work_are_refused_without_showing_secrets(self, wrong: dict[str, Any]) -> None:
        with pytest.raises(ValidationError) as caught:
            made(**wrong)

        assert "???" not in "".join(e["msg"] for e in caught.value.errors())


class TestLookUp:
    def test_it_fills_address_and_body(self) -> None:
        look_up = {
            "url": "https://erp.example.com/query?no={key}",
            "method": "POST",
            "body": {"FilterString": "FBillNo='{shop}-{key}'", "Limit": 1},
            "found_if": "body[0][0]",
            "reference": "body[0][0]",
        }
        talk = made(look_up=look_up, auth={"bearer": "tok-1234"}).look_up(delivery(), NOW)
        request = next(talk)

        assert str(request.url) == "https://erp.example.com/query?no=41%2F23%3Fx"
        assert json.loads(request.read()) == {"FilterString": "FBillNo='tb-main-41/23?x'", "Limit": 1}
        assert request.headers["authorization"] == "Bearer tok-1234"

    @pytest.mark.parametrize(
        ("found_if", "status", "body", "expected"),
        [
            ("", 200, {"id": 9}, Receipt("9", already_there=True)),
            ("", 404, {}, None),
            ("length(body.rows) > `0`", 200, {"rows": [1]}, Receipt(already_there=True)),
            ("length(body.rows) > `0`", 200, {"rows": []}, None),
            ("body.rows", 404, {}, None),
        ],
    )
    def test_what_the_answer_says(self, found_if: str, status: int, body: Any, expected: Receipt | None) -> None:
        look_up = {"url": URL, "found_if": found_if, "reference": "body.id"}

        assert finish(made(look_up=look_up).look_up(delivery(), NOW), status, body) == expected

    @pytest.mark.parametrize(
        ("found_if", "status", "raises"),
        [
            ("", 500, "Unavailable"),
            ("", 401, "NotAuthorised"),
            ("", 400, "Refused"),
            ("length(body) > `0`", 503, "Unavailable"),
        ],
    )
    def test_no_answer_is_not_taken_for_no(self, found_if: str, status: int, raises: str) -> None:
        with pytest.raises(HubError) as caught:
            finish(made(look_up={"url": URL, "found_if": found_if}).look_up(delivery(), NOW), status, {"rows": 3})

        assert type(caught.value) is getattr(errors, raises)

    def test_without_one_nothing_is_asked(self) -> None:
        assert made().can_look_up is False
        assert made(look_up={"url": URL}).can_look_up is True


class TestEvidence:
    def test_it_is_bounded_and_without_our_secrets(self) -> None:
        echo = "Authorization: Bearer tok-1234 " + "x" * 9000
        with pytest.raises(Refused) as caught:
            finish(made(auth={"bearer": "tok-1234"}, reason="body").push(delivery(), NOW), 422, echo)

        assert caught.value.evidence["status"] == 422
        assert len(caught.value.evidence["answer"]) == 2000
        assert "tok-1234" not in repr(caught.value.evidence) + caught.value.message

    def test_every_expression_is_named_for_the_check_at_start(self) -> None:
        destination = made(ok_if="body.ok", look_up={"url": URL, "found_if": "body"})

        assert destination.expressions == {"ok_if": "body.ok", "look_up.found_if": "body"}


def _recommended(name: str) -> dict[str, Any]:
    """The rules in the comment at the top of a shipped mapping, as the settings that they are."""
    text = (ROOT / "mappings" / "destinations" / name / "order.toml").read_text(encoding="utf-8")
    comment = [line.removeprefix("#").strip() for line in text.partition("kind =")[0].splitlines()]
    rules = [line for line in comment if re.match(r"\w+_if\s+=|reason\s+=|reference\s+=", line)]
    return tomllib.loads("\n".join(rules))


KINGDEE: list[tuple[int, Any, str]] = [
    (200, {"Result": {"ResponseStatus": {"IsSuccess": True, "Errors": []}, "Number": "SO-1"}}, "SO-1"),
    (200, {"Result": {"ResponseStatus": {"IsSuccess": "true"}, "Number": "SO-2"}}, "SO-2"),
    (200, {"Result": {"ResponseStatus": {"IsSuccess": False, "MsgCode": 9, "Errors": [{"Message": "x"}]}}}, "Refused"),
    (200, {"Result": {"ResponseStatus": {"IsSuccess": "false", "MsgCode": 11}}}, "Refused"),
    (200, {"Result": {"ResponseStatus": {"IsSuccess": False, "MsgCode": 1}}}, "NotAuthorised"),
    (200, {"Result": {"ResponseStatus": {"IsSuccess": False, "MsgCode": 13}}}, "Unavailable"),
    (519, {"errcode": 4006, "description": "invalid"}, "NotAuthorised"),
    (519, {"errcode": 5001, "description": "no such API"}, "Unavailable"),
    (502, "<html>", "Unavailable"),
]
QIMEN: list[tuple[int, Any, str]] = [
    (200, "<response><flag>success</flag><code>0</code><message>ok</message></response>", ""),
    (200, "<response><flag>success</flag><message>invalid appkey</message></response>", ""),
    (200, "<response><flag>failure</flag><code>S1</code><message>订单已存在</message></response>", "duplicate"),
    (200, "<response><flag>failure</flag><code>S3</code><message>没有明细</message></response>", "Refused"),
    (200, "<error_response><code>15</code><sub_code>isp.timeout</sub_code></error_response>", "Unavailable"),
    (200, "<error_response><code>25</code><sub_code>isv.sign</sub_code></error_response>", "Refused"),
    (200, "<html><body>maintenance", "Unavailable"),
]
NUONUO: list[tuple[int, Any, str]] = [
    (200, {"code": "E0000", "describe": "ok", "result": {"invoiceSerialNum": "26110001"}}, "26110001"),
    (200, {"code": "E9106", "describe": "number used", "result": None}, "duplicate"),
    (200, {"code": "E9121"}, "Unavailable"),
    (200, {"code": "070306"}, "NotAuthorised"),
    (200, {"code": "E9130"}, "Refused"),
]


@pytest.mark.parametrize(
    ("name", "status", "body", "expected"),
    [(n, *case) for n, cases in {"kingdee": KINGDEE, "qimen": QIMEN, "nuonuo": NUONUO}.items() for case in cases],
)
def test_the_rules_recommended_for_a_mapping(name: str, status: int, body: Any, expected: str) -> None:
    rules = _recommended(name)
    assert "ok_if" in rules
    talk = made(**rules).push(delivery(), NOW)
    try:
        receipt = finish(talk, status, body)
    except HubError as error:
        assert type(error).__name__ == expected, repr(error)  # noqa: PT017  # one of the two endings
    else:
        assert ("duplicate" if receipt.already_there else receipt.reference) == expected
