"""What the imitated platforms turn away, in each platform's own words; signatures by published vectors."""

from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from adapters.sandbox.douyin import Douyin
from adapters.sandbox.jd import JD
from adapters.sandbox.platform import Account, BadDay, Platform, Shop, from_beijing
from adapters.sandbox.shopify import Shopify
from adapters.sandbox.site import Site
from adapters.sandbox.taobao import Taobao

NOON = from_beijing("2024-06-01 12:00:00")

# Published vectors: see the platforms' sheets and the clients that reproduce them.
TAOBAO = {
    "app_key": "12345678",
    "method": "taobao.trades.sold.increment.get",
    "session": "testsession",
    "timestamp": "2024-06-01 12:00:00",
    "format": "json",
    "v": "2.0",
    "sign_method": "md5",
    "fields": "tid,status,payment,orders",
    "start_modified": "2024-06-01 11:30:00",
    "end_modified": "2024-06-01 12:00:00",
    "page_no": "1",
    "page_size": "50",
    "use_has_next": "true",
    "title": "测试 空格&=",
}
TAOBAO_SIGNS = {
    "md5": "FE8FDFD8CE0583CF8F7FB287855A1EC9",
    "hmac": "44F5FF44088EA8F6C081A5A90CF4D20D",
    "hmac-sha256": "060F0EBC9B56C53DE18673A34C76E0D4186EE2529BF804C47BECBADE3ECEBEAD",
}
JD_PARAMS = {
    "app_key": "testkey",
    "access_token": "testtoken",
    "method": "jingdong.pop.order.enSearch",
    "timestamp": "2024-06-01 12:00:00",
    "v": "2.0",
    "360buy_param_json": '{"end_date":"2024-06-01 12:00:00","optional_fields":"orderId,orderState,itemInfoList",'
    '"order_state":"WAIT_SELLER_STOCK_OUT","page":"1","page_size":"100","start_date":"2024-06-01 11:30:00"}',
}
JD_SIGN = "0ABFD7AB496D6DF74FECFAB20BF4570A"
DOUYIN_BODY = (
    '{"order_by":"update_time","page":0,"size":100,"update_time_end":1717214400,"update_time_start":1717212600}'
)
DOUYIN = {
    "app_key": "6839996111111111111",
    "method": "order.searchList",
    "access_token": "testtoken",
    "timestamp": "1717214400",
    "v": "2",
    "sign_method": "hmac-sha256",
}
DOUYIN_SIGN = "4414c637c6d2a72395168c0ff7881f2a3cb7d2fe246daf63c61e4abf2b8e9fe6"


def served(cls: type[Platform], app_key: str, secret: str, token: str, **how: Any) -> httpx.AsyncClient:
    platform = cls(Shop("s", Account(app_key, secret, token, "refresh")), clock=lambda: NOON, **how)
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(Starlette(routes=platform.routes())), base_url="http://platform"
    )


async def taobao(params: dict[str, str], **how: Any) -> httpx.Response:
    async with served(Taobao, "12345678", "testsecret", "testsession", **how) as client:
        return await client.post("/router/rest", data=params)


async def jd(params: dict[str, str], **how: Any) -> Any:
    async with served(JD, "testkey", "testsecret", "testtoken", **how) as client:
        return (await client.post("/routerjson", data=params)).json()


async def douyin(params: dict[str, str], body: str = DOUYIN_BODY, **how: Any) -> Any:
    async with served(Douyin, "6839996111111111111", "testsecret", "testtoken", **how) as client:
        return (await client.post("/order/searchList", params=params, content=body.encode())).json()


@pytest.mark.parametrize("method", TAOBAO_SIGNS)
async def test_taobao_takes_the_published_signatures(method: str) -> None:
    answered = await taobao(TAOBAO | {"sign_method": method, "sign": TAOBAO_SIGNS[method]})
    assert answered.json()["trades_sold_increment_get_response"]["has_next"] is False


async def test_jd_takes_the_published_signature() -> None:
    answered = await jd(JD_PARAMS | {"sign": JD_SIGN})
    result = answered["jingdong_pop_order_enSearch_responce"]["searchorderinfo_result"]
    assert result == {"apiResult": {"success": True}, "orderTotal": 0, "orderInfoList": []}


async def test_douyin_takes_the_published_signatures() -> None:
    assert (await douyin(DOUYIN | {"sign": DOUYIN_SIGN}))["code"] == 10000
    legacy = DOUYIN | {"sign_method": "md5", "sign": "406bc018e9e9ae3e0ecb742aa13510b2"}
    assert (await douyin(legacy))["data"]["total"] == 0


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"sign": "FE8FDFD8CE0583CF8F7FB287855A1EC8"}, 25),
        ({"page_no": "2"}, 25),
        ({"sign": ""}, 24),
        ({"app_key": "87654321"}, 29),
        ({"app_key": ""}, 28),
        ({"timestamp": "2024-06-01 11:49:59"}, 31),
        ({"timestamp": "yesterday"}, 31),
        ({"method": ""}, 21),
    ],
)
async def test_taobao_refuses_with_its_codes(change: dict[str, str], code: int) -> None:
    answered = await taobao(TAOBAO | {"sign": TAOBAO_SIGNS["md5"]} | change)
    assert (answered.status_code, answered.json()["error_response"]["code"]) == (200, code)


async def test_taobao_answers_xml_to_who_did_not_ask_for_json() -> None:
    params = {k: v for k, v in TAOBAO.items() if k != "format"}
    answered = await taobao(params | {"sign": "wrong"})
    assert answered.headers["content-type"].startswith("text/xml")
    assert "<error_response><code>25</code>" in answered.text


async def test_taobao_tells_how_long_a_ban_lasts() -> None:
    async with served(Taobao, "12345678", "testsecret", "testsession", limit=1) as client:
        params = TAOBAO | {"sign": TAOBAO_SIGNS["md5"]}
        await client.post("/router/rest", data=params)
        error = (await client.post("/router/rest", data=params)).json()["error_response"]
    assert (error["code"], error["sub_code"]) == (7, "accesscontrol.limited-by-app-api-access-count")
    assert error["sub_msg"] == "This ban will last for 2 more seconds"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"sign": "0" * 32}, "12"),
        ({"sign": ""}, "11"),
        ({"app_key": "other"}, "21"),
        ({"timestamp": "2024-06-01 11:53:59"}, "8"),
        ({"access_token": ""}, "18"),
        ({"method": ""}, "14"),
    ],
)
async def test_jd_refuses_with_its_codes(change: dict[str, str], code: str) -> None:
    answered = await jd(JD_PARAMS | {"sign": JD_SIGN} | change)
    assert answered["error_response"]["code"] == code


@pytest.mark.parametrize(
    ("change", "body", "code", "sub_code"),
    [
        ({"sign": "0" * 64}, DOUYIN_BODY, 40003, "isv.signature-invalid"),
        ({}, DOUYIN_BODY.replace(",", ", "), 40003, "isv.signature-invalid"),
        ({"timestamp": "1717213000"}, DOUYIN_BODY, 40003, "isv.timestamp-invalid"),
        ({"app_key": "1"}, DOUYIN_BODY, 30001, "dop.app-forbidden"),
        ({"access_token": "old"}, DOUYIN_BODY, 40003, "isv.access-token-no-existed"),
        ({"sign": ""}, DOUYIN_BODY, 40002, "isv.parameter-missing:sign"),
    ],
)
async def test_douyin_refuses_with_its_codes(change: dict[str, str], body: str, code: int, sub_code: str) -> None:
    answered = await douyin(DOUYIN | {"sign": DOUYIN_SIGN} | change, body)
    assert (answered["code"], answered["sub_code"]) == (code, sub_code)


async def test_douyin_limits_calls() -> None:
    async with served(Douyin, "6839996111111111111", "testsecret", "testtoken", limit=2) as client:
        codes = [
            (await client.post("/order/searchList", params=DOUYIN | {"sign": DOUYIN_SIGN}, content=DOUYIN_BODY)).json()
            for _ in range(3)
        ]
    assert [c["code"] for c in codes] == [10000, 10000, 60000]


async def test_shopify_refuses_an_unknown_token() -> None:
    async with served(Shopify, "k", "s", "shpat_good") as client:
        answered = await client.post(
            "/admin/api/2026-07/graphql.json",
            json={"query": "{ shop { name } }"},
            headers={"X-Shopify-Access-Token": "x"},
        )
    assert answered.status_code == 401
    assert isinstance(answered.json()["errors"], str)


async def test_shopify_throttles_by_cost_and_refills() -> None:
    """A query has to fit into the bucket; the answer tells what is left, and there is no Retry-After."""
    query = {"query": "{ orders(first: 250, sortKey: UPDATED_AT) { nodes { id } } }"}
    path, headers = "/admin/api/2026-07/graphql.json", {"X-Shopify-Access-Token": "shpat_good"}
    async with served(Shopify, "k", "s", "shpat_good", limit=10) as client:
        answered = await client.post(path, json=query, headers=headers)
        while "errors" not in answered.json():
            answered = await client.post(path, json=query, headers=headers)
    throttled = answered.json()
    assert (answered.status_code, throttled["errors"][0]["extensions"]["code"]) == (200, "THROTTLED")
    cost = throttled["extensions"]["cost"]
    assert cost["requestedQueryCost"] > cost["throttleStatus"]["currentlyAvailable"]
    assert "data" not in throttled
    assert "retry-after" not in answered.headers


async def test_shopify_refuses_fields_that_do_not_exist_and_queries_that_cost_too_much() -> None:
    headers = {"X-Shopify-Access-Token": "shpat_good"}
    codes = []
    async with served(Shopify, "k", "s", "shpat_good") as client:
        for query in (
            "{ orders(first: 1) { nodes { orderNumber } } shop { colour } }",
            "{ orders(first: 250) { nodes { lineItems(first: 100) { nodes { id } } } } }",
            "{ orders(first: 1) { nodes { id }",
        ):
            answered = await client.post("/admin/api/2026-07/graphql.json", json={"query": query}, headers=headers)
            codes.append(answered.json()["errors"][0]["extensions"]["code"])
    assert codes == ["undefinedField", "MAX_COST_EXCEEDED", "GRAPHQL_PARSE_FAILED"]


async def test_the_site_wants_its_bearer_token() -> None:
    async with served(Site, "k", "s", "good") as client:
        refused = await client.get("/api/orders")
        taken = await client.get("/api/orders", headers={"Authorization": "Bearer good"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "unauthorized")
    assert taken.json() == {"items": [], "next_cursor": None}


async def test_the_site_tells_when_to_come_back() -> None:
    async with served(Site, "k", "s", "good", limit=1) as client:
        headers = {"Authorization": "Bearer good"}
        await client.get("/api/orders", headers=headers)
        refused = await client.get("/api/orders", headers=headers)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "2")


async def test_bad_days_come_and_go() -> None:
    day = BadDay("error", every=2, status=502)
    async with served(Site, "k", "s", "good", days=[day]) as client:
        headers = {"Authorization": "Bearer good"}
        statuses = [(await client.get("/api/orders", headers=headers)).status_code for _ in range(4)]
    assert statuses == [200, 502, 200, 502]


async def test_a_cut_connection_gives_no_answer() -> None:
    async with served(Site, "k", "s", "good", days=[BadDay("cut")]) as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get("/api/orders", headers={"Authorization": "Bearer good"})
