"""WooCommerce: requests signed for shops without TLS, against an independent client; refunds laid into lines."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from adapters.channels.woocommerce import ADAPTER, WooCommerceShop, of_order, signed

VECTORS = Path(__file__).parents[2] / "fixtures" / "signing" / "woocommerce_oauth1.json"
NOW = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)


@pytest.mark.parametrize("v", json.loads(VECTORS.read_text("utf-8"))["vectors"], ids=lambda v: v["name"])
def test_requests_over_plain_http_are_signed(v: dict[str, Any]) -> None:
    url = urlsplit(v["url"])
    query = dict(parse_qsl(url.query, keep_blank_values=True))
    at = datetime.fromtimestamp(v["oauth_timestamp"], UTC)

    made = signed(
        v["method"], f"{url.scheme}://{url.netloc}{url.path}", query, v["consumer_key"], v["consumer_secret"], at,
        v["oauth_nonce"],
    )  # fmt: skip

    assert made["oauth_signature"] == v["expected"]


def request(shop: WooCommerceShop, now: datetime = NOW) -> httpx.Request:
    return next(ADAPTER(shop).fetch("order", "9001", now))


def test_what_is_signed_is_what_is_sent_and_no_nonce_comes_twice() -> None:
    keys = {"consumer_key": "ck_a", "consumer_secret": "cs_b"}
    plain = WooCommerceShop.model_validate({"url": "http://shop.example.com/", **keys})
    first, again = request(plain), request(plain, NOW.replace(microsecond=1))
    assert first.url.path == "/wp-json/wc/v3/orders/9001"
    assert first.url.params["oauth_consumer_key"] == "ck_a"
    assert "authorization" not in first.headers
    assert first.url.params["oauth_nonce"] != again.url.params["oauth_nonce"]
    sent = {k: v for k, v in first.url.params.items() if not k.startswith("oauth_")}
    url = str(first.url.copy_with(query=None))
    assert signed("GET", url, sent, "ck_a", "cs_b", NOW)["oauth_signature"] == first.url.params["oauth_signature"]
    assert (
        "oauth_nonce"
        not in request(WooCommerceShop.model_validate({"url": "https://shop.example.com", **keys})).url.params
    )


def test_refunds_are_laid_into_the_lines_that_they_are_about() -> None:
    about = {"quantity": -1, "meta_data": [{"key": "_refunded_item_id", "value": "7"}]}
    order = {"id": 1, "line_items": [{"id": 7}, {"id": 8}], "refunds": [{"amount": "5.00", "line_items": [about]}]}
    made = of_order(order).body
    assert [line["refund_rows"] for line in made["line_items"]] == [[about], []]
    assert order["line_items"] == [{"id": 7}, {"id": 8}]
