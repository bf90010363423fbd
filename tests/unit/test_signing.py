"""Every signature recipe against vectors made by independent client libraries."""

import json
from pathlib import Path
from typing import Any

import pytest

from adapters import signing
from canonical.errors import SignatureRejected

FOLDER = Path(__file__).resolve().parents[1] / "fixtures" / "signing"
SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "fixtures" / "destinations" / "signing-vectors.json"
WHSEC = "whsec_aHViLXRlc3Qtc2lnbmluZy1rZXktMzItYnl0ZXMhISE="


def _vectors(name: str) -> list[Any]:
    data = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return [pytest.param(v, id=f"{name}: {v['name']}") for v in data["vectors"]]


TOP = ("taobao_top_md5", "jd_jos_md5", "jd_param_json_requests", "pdd_md5")


@pytest.mark.parametrize("v", [v for name in TOP for v in _vectors(name)])
def test_top(v: dict[str, Any]) -> None:
    assert signing.top(v["secret"], v["params"]) == v["expected"]


@pytest.mark.parametrize("v", _vectors("qimen_spi_inbound"))
def test_qimen_callback(v: dict[str, Any]) -> None:
    body = v["body"].encode()

    assert signing.top(v["secret"], v["params"], v["params"]["sign_method"], body) == v["expected"]
    assert signing.top(v["secret"], v["params"], v["params"]["sign_method"], body + b" ") != v["expected"]


@pytest.mark.parametrize("v", _vectors("douyin_doudian"))
def test_douyin(v: dict[str, Any]) -> None:
    p = v["params"]

    made = signing.douyin(v["secret"], p["app_key"], p["method"], p["param_json"], p["timestamp"], v["sign_method"])

    assert made == v["expected"]


@pytest.mark.parametrize("v", _vectors("douyin_push_inbound"))
def test_douyin_push(v: dict[str, Any]) -> None:
    assert signing.douyin_push(v["secret"], v["app_key"], v["body"].encode()) == v["expected"]


@pytest.mark.parametrize("v", _vectors("shopify_webhook_inbound"))
def test_shopify_webhook(v: dict[str, Any]) -> None:
    raw = v["body"].encode()

    assert signing.same(v["expected"] + "\n", signing.hmac_base64(v["secret"], raw))
    assert not signing.same(v["expected"], signing.hmac_base64(v["secret"], raw + b" "))


@pytest.mark.parametrize("v", _vectors("shopify_oauth_query_hmac"))
def test_shopify_query(v: dict[str, Any]) -> None:
    assert signing.shopify_query(v["secret"], {**v["params"], "hmac": v["expected"]}) == v["expected"]


@pytest.mark.parametrize("v", _vectors("standard_webhooks_outbound"))
def test_standard_webhooks(v: dict[str, Any]) -> None:
    made = signing.standard_webhooks(v["secret"], v["webhook_id"], v["webhook_timestamp"], v["body"].encode())

    assert made == v["expected"]


def _sheet(v: dict[str, Any]) -> str:
    if v["recipe"] == "top":
        return signing.top(v["secret"], v["params"], v["method"])
    if v["recipe"] == "douyin":
        json_text = signing.sorted_json(v["value"])
        return signing.douyin(v["secret"], v["app_key"], v["method"], json_text, v["timestamp"], v["sign_method"])
    if v["recipe"] == "douyin_spi":
        json_text = signing.sorted_json(v["value"])
        return signing.douyin_spi(v["secret"], v["app_key"], json_text, v["timestamp"], v["sign_method"])
    if v["recipe"] == "douyin_push":
        return signing.douyin_push(v["secret"], v["app_key"], v["body"].encode())
    if v["recipe"] == "shopify_webhook":
        return signing.hmac_base64(v["secret"], v["body"].encode())
    assert v["recipe"] == "shopify_query"
    return signing.shopify_query(v["secret"], v["query"])


@pytest.mark.parametrize("v", _vectors("sheets"))
def test_published_vectors(v: dict[str, Any]) -> None:
    assert _sheet(v) == v["expected"]


@pytest.mark.skipif(not SHARED.exists(), reason="the shared fixtures are not on this machine")
def test_qimen_requests() -> None:
    v = json.loads(SHARED.read_text(encoding="utf-8"))["qimen_md5"]
    body = v["body"].encode()

    assert signing.top(v["secret"], v["params"], "md5", body) == v["sign"]
    assert signing.top(v["secret"], v["params"], "hmac", body) == v["sign_hmac_md5"]
    assert signing.top(v["secret"], v["params"], "hmac-sha256", body) == v["sign_hmac_sha256"]


class TestVerifyStandardWebhooks:
    raw = b'{"order_no":"W1001"}'

    def headers(self, secret: str = WHSEC, stamp: int = 1_795_312_800) -> dict[str, str]:
        return {
            "webhook-id": "evt-1",
            "webhook-timestamp": str(stamp),
            "webhook-signature": signing.standard_webhooks(secret, "evt-1", stamp, self.raw),
        }

    def test_old_and_new_secret_are_both_taken_during_a_rotation(self) -> None:
        old = "whsec_b2xkLXNlY3JldC1vZi10aGUtc2hvcC0wMDAx"
        headers = self.headers(old)

        signing.verify_standard_webhooks([WHSEC, old], headers, self.raw, 1_795_312_900)
        with pytest.raises(SignatureRejected):
            signing.verify_standard_webhooks([WHSEC], headers, self.raw, 1_795_312_900)

    def test_one_good_signature_among_several_is_enough(self) -> None:
        headers = self.headers()
        headers["webhook-signature"] = "v1a,xxxx v1,AAAA " + headers["webhook-signature"]

        signing.verify_standard_webhooks([WHSEC], headers, self.raw, 1_795_312_800)
        with pytest.raises(SignatureRejected):
            signing.verify_standard_webhooks([WHSEC], headers, self.raw + b" ", 1_795_312_800)

    @pytest.mark.parametrize("away", [-301, 301])
    def test_time_outside_the_window(self, away: int) -> None:
        with pytest.raises(SignatureRejected) as caught:
            signing.verify_standard_webhooks([WHSEC], self.headers(), self.raw, 1_795_312_800 + away)

        assert caught.value.code == "wire.timestamp"

    @pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
    def test_each_header_is_needed_and_covered(self, name: str) -> None:
        headers = self.headers()
        for other in ("", "9" * 5000, "٤٢", "\udcff"):
            with pytest.raises(SignatureRejected):
                signing.verify_standard_webhooks([WHSEC], {**headers, name: other}, self.raw, 1_795_312_800)

    def test_no_secret_accepts_nothing(self) -> None:
        with pytest.raises(SignatureRejected):
            signing.verify_standard_webhooks([], self.headers(), self.raw, 1_795_312_800)

    @pytest.mark.parametrize("secret", ["whsec_", "whsec_not base64!", "%%%"])
    def test_a_secret_that_is_no_key(self, secret: str) -> None:
        with pytest.raises(ValueError, match=r"."):
            signing.standard_webhooks_key(secret)


def test_nothing_equals_an_empty_signature() -> None:
    assert not signing.same("", "")
    assert not signing.same(None, "")
