"""Douyin shop (Doudian open platform): shop orders and after-sale cases.

Pull: pages from 0, oldest change first, the end of the window frozen. A row that changes meanwhile leaves the window
and those behind it move up, to a page that was read: the platform's `total` tells how far, and it is read again.
Push: a signed JSON array of thin messages; the hub fetches what they name.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar

import httpx
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from adapters import signing
from adapters.answers import retry_after
from adapters.port import Capability, Credentials, Envelope, Hint, Page, Receipt, Reply, Talk, Window
from adapters.wire_json import text, typed
from canonical import parse_json
from canonical.errors import HubError, NotAuthorised, NotUnderstood, Refusal, Refused, SignatureRejected, Unavailable

OK, THROTTLED, SIZE = ("10000", "0"), "60000", 100
ANSWERS: dict[str, type[Refusal]] = {
    **dict.fromkeys(["20000", "20001", "50001", THROTTLED, "90000"], Unavailable),
    **dict.fromkeys(["30001", "30002", "80000"], NotAuthorised),
    **dict.fromkeys(["10001", "40001", "40002", "40003", "40004", "50002", "70000"], Refused),
}
"""`code` of the envelope, where `sub_code` says nothing else. Others by their first digit; the rest is refused."""
BY_DIGIT: dict[str, type[Refusal]] = {"2": Unavailable, "3": NotAuthorised, "6": Unavailable, "9": Unavailable}
SUB_ANSWERS: dict[str, type[Refusal]] = {
    **dict.fromkeys(["isp.", "dop.service-error", "isv.business-failed:2010401"], Unavailable),
    **dict.fromkeys(["dop.token-generate-failed", "dop.authorization-", "dop.app-forbidden"], NotAuthorised),
    **dict.fromkeys(["isv.app-permissions-insufficient", "isv.access-token-"], NotAuthorised),
    **dict.fromkeys(["isv.signature-invalid", "isv.timestamp-invalid"], NotAuthorised),
    "isv.": Refused,
}
"""Beginnings of `sub_code`; the first that fits decides. 40003 is the platform's word for very different faults."""
DONE_BEFORE = "isv.idempotent-id-existed"
AUTHORISE = "The hub renews the token once by itself; if this stays, authorise the app for the shop again."
HINTS = {
    **dict.fromkeys(["isv.access-token-", "dop.token-generate-failed"], AUTHORISE),
    "isv.signature-invalid": "Check app_key and app_secret in hub.toml.",
    "isv.timestamp-invalid": "Set the clock of this machine.",
    "isv.app-permissions-insufficient": "Apply for this API's permission in the platform's console.",
    "isv.parameter-invalid:20013": "Lists end at 50 000 rows: pull a shorter window.",
}
LISTS = {"order": "order/searchList", "refund": "afterSale/List"}
ROWS = {"order": "shop_order_list", "refund": "items"}
URL_CHECK = "0"
SHAPES = (
    "Known are the answers of order.searchList, order.orderDetail, afterSale.List and afterSale.Detail, with or "
    "without their envelope, single shop orders and after-sale cases and lists of them, and push messages."
)


class DouyinShop(BaseModel):
    """The app's keys and the shop's tokens."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    app_key: str = Field(min_length=1, description="App Key of the app in the open platform's console.")
    app_secret: SecretStr = Field(description="App Secret. Signs requests and proves pushes.")
    access_token: SecretStr = Field(SecretStr(""), description="The shop's token; empty: made with shop_id.")
    refresh_token: SecretStr | None = Field(None, description="Renews access_token; both change every time.")
    shop_id: str = Field("", pattern="^[0-9]*$", description="The shop's number. Leaves out other shops' pushes.")
    gateway: str = Field("https://openapi-fxg.jinritemai.com", pattern="^https?://", description="Address of the API.")
    carriers: dict[str, str] = Field({}, description="company_code for a carrier code of the hub, if it differs.")


class Douyin:
    """One Douyin shop."""

    title: ClassVar[str] = "Douyin shop"
    kinds: ClassVar[tuple[str, ...]] = ("order", "refund")
    capabilities: ClassVar[frozenset[Capability]] = frozenset(Capability)
    Settings: ClassVar[type[BaseModel]] = DouyinShop

    def __init__(self, settings: DouyinShop) -> None:
        self.settings = settings
        self._secret = settings.app_secret.get_secret_value()

    def verify(self, headers: Mapping[str, str], raw: bytes, now: datetime) -> None:
        """`event-sign`: MD5 over app key, raw body and secret. There is no time in it."""
        if not signing.same(headers.get("event-sign"), signing.douyin_push(self._secret, self.settings.app_key, raw)):
            raise SignatureRejected("event-sign is missing or does not match the body")

    def unpack(self, headers: Mapping[str, str], raw: bytes, now: datetime) -> Iterator[Envelope | Hint]:
        """A hint for every message that names an order or an after-sale case."""
        return self.read(raw)

    def acknowledge(self, error: HubError | None) -> Reply:
        """Anything but code 0 makes the platform send all of it again."""
        if error is None:
            return Reply(200, b'{"code":0,"msg":"success"}')
        rejected = Reply(401, b'{"code":40003,"msg":"isv.signature-invalid"}')
        failed = Reply(503 if error.retryable else 400, b'{"code":20000,"msg":"isp.service-error"}')
        return rejected if isinstance(error, SignatureRejected) else failed

    def read(self, body: Any, kind: str | None = None) -> Iterator[Envelope | Hint]:
        """Everything that SHAPES names; `str` and `bytes` are parsed."""
        raw = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body
        data = parse_json(raw) if isinstance(raw, bytes) else raw
        return (found for found in records(data, self.settings.shop_id) if kind in (None, found.kind))

    def pull(self, kind: str, window: Window, cursor: str | None, now: datetime) -> Talk[Page]:
        """order.searchList or afterSale.List. The cursor is "page/total/size" as the page before told them."""
        page, known, size = (int(part) for part in (cursor or f"0/0/{SIZE}").split("/"))
        data = yield from self._list(kind, page, window, now)
        found, rows = [*records(data)], len(typed(data.get(ROWS[kind]), list))
        total = typed(data.get("total", known), int)
        if page == 0 and 0 < rows < total:
            size = rows  # the platform may give fewer a page than it was asked for
        # So many rows have moved from this page to those before it, since they were read.
        at, moved = page, known - total
        while at > 0 and at * size > page * size - moved:
            at -= 1
            again = yield from self._list(kind, at, window, now)
            found += records(again)
            moved = known - typed(again.get("total", total), int)
        more = rows and (data.get("has_more") is True or page * size + rows < total)
        envelopes = [record for record in found if isinstance(record, Envelope)]
        return Page(envelopes, f"{page + 1}/{total}/{size}" if more else None)

    def fetch(self, kind: str, key: str, now: datetime) -> Talk[Envelope]:
        """order.orderDetail (which shows at most 40 lines of an order), or afterSale.List by the case's number: Detail
        does not tell the lines' amounts, and a pushed case must come out as the pulled one does."""
        one: dict[str, Any] = {"shop_order_id": key} if kind == "order" else {"aftersale_id": key, "page": 0, "size": 1}
        path = "order/orderDetail" if kind == "order" else LISTS[kind]
        for found in records((yield from self._call(path, one, now))):
            if isinstance(found, Envelope) and found.kind == kind and (kind == "order" or found.key == key):
                return found
        raise NotUnderstood(f"{path} was answered without a record", hint=SHAPES)

    def refresh(self, now: datetime) -> Talk[Credentials | None]:
        """token.refresh, or token.create for an app of one's own; None with neither refresh_token nor shop_id."""
        token, shop = self.settings.refresh_token, self.settings.shop_id
        if token is None and not shop:
            return None
        path, params = "token/create", {"grant_type": "authorization_self", "shop_id": shop, "code": ""}
        if token is not None:
            path, params = "token/refresh", {"grant_type": "refresh_token", "refresh_token": token.get_secret_value()}
        fresh = typed((yield from self._call(path, params, now)), dict)
        tokens = {name: text(fresh[name]) for name in ("access_token", "refresh_token") if text(fresh.get(name))}
        if "access_token" not in tokens:
            raise NotAuthorised("the platform gave no token", hint=AUTHORISE)
        seconds = typed(fresh.get("expires_in"), int)
        return Credentials(tokens, now + timedelta(seconds=seconds) if 0 < seconds < 10**9 else None)

    def tell(self, change: Mapping[str, Any], now: datetime) -> Talk[Receipt]:
        """A shipment: order.logisticsAddMultiPack, or order.logisticsAdd where it names no lines. Stock, absolute:
        sku.syncStock, which needs the product's number in extra.product_id or extra.out_product_id."""
        if str(change["schema"]).startswith("stock/"):
            yield from self._call("sku/syncStock", stock(change), now)
            return Receipt(str(change["sku"]))
        order, number, carrier = (str(change.get(name) or "") for name in ("order_no", "tracking_no", "carrier"))
        parcel = {"company_code": self.settings.carriers.get(carrier, carrier), "logistics_code": number}
        shipped = [{"shipped_order_id": n["line_no"], "shipped_num": n["quantity"]} for n in change.get("lines") or []]
        path, params = "order/logisticsAdd", {**parcel, "is_refund_reject": False}
        if shipped:
            packs = [{**parcel, "shipped_order_info": shipped}]
            path, params = "order/logisticsAddMultiPack", {"request_id": change["shipment_no"], "pack_list": packs}
        try:
            yield from self._call(path, {"order_id": order, **params}, now)
        except Refused as error:
            if not str(error.evidence.get("sub_code", "")).startswith(DONE_BEFORE):
                there = (yield from self.fetch("order", order, now)).body.get("logistics_info")
                if not number or number not in [typed(one, dict).get("tracking_no") for one in typed(there, list)]:
                    raise
            return Receipt(number, already_there=True)
        return Receipt(number)

    def _list(self, kind: str, page: int, window: Window, now: datetime) -> Talk[dict[str, Any]]:
        """By change, oldest first. `page` has to be there even when it is 0."""
        start, end = int(window.start.timestamp()), int(window.end.timestamp())
        order = {"update_time_start": start, "update_time_end": end, "order_by": "update_time", "order_asc": True}
        refund = {"update_start_time": start, "update_end_time": end, "order_by": ["update_time asc"]}
        params = {"page": page, "size": SIZE, **(order if kind == "order" else refund)}
        if isinstance(data := (yield from self._call(LISTS[kind], params, now)), dict):
            return data
        raise NotUnderstood(f"{LISTS[kind]} was not answered with an object", hint=SHAPES)

    def _call(self, path: str, params: Mapping[str, Any], now: datetime) -> Talk[Any]:
        """One signed request; the `data` of its answer."""
        method, stamp, body = path.replace("/", "."), str(int(now.timestamp())), signing.sorted_json(params)
        query = {"app_key": self.settings.app_key, "method": method, "timestamp": stamp, "v": "2"}
        if not method.startswith("token."):
            query["access_token"] = self.settings.access_token.get_secret_value()
        if not query.get("access_token", "token"):
            raise NotAuthorised("there is no access_token yet", hint=AUTHORISE)
        query["sign"] = signing.douyin(self._secret, self.settings.app_key, method, body, stamp, "hmac-sha256")
        query["sign_method"] = "hmac-sha256"
        # The bytes that are signed are the bytes that are sent.
        headers = {"content-type": "application/json", "x-open-no-old-err-code": "1"}
        url = f"{self.settings.gateway.rstrip('/')}/{path}"
        response = yield httpx.Request("POST", url, params=query, content=body.encode(), headers=headers)
        if (status := response.status_code) in (408, 429) or status >= 500:
            wait = retry_after({k.lower(): v for k, v in response.headers.items()}, now)
            raise Unavailable(f"the platform answered HTTP {status}", retry_after=wait, throttled=status == 429)
        answer = parse_json(response.content)
        if not isinstance(answer, dict) or "code" not in answer:
            raise NotUnderstood(f"{method} was answered without a code", hint=SHAPES)
        return inside(answer)


def inside(answer: Mapping[str, Any]) -> Any:
    """The `data` of an envelope. Raises what its code means: by sub_code, else by code."""
    said, sub = str(answer.get("code", answer.get("err_no"))), str(answer.get("sub_code") or "")
    if said in OK and not sub:
        return answer.get("data")
    means = ANSWERS.get(said) or BY_DIGIT.get(said[:1], Refused)
    means = next((what for start, what in SUB_ANSWERS.items() if sub.startswith(start)), means)
    names = ("code", "err_no", "msg", "message", "sub_code", "sub_msg", "log_id")
    evidence = {name: answer[name] for name in names if answer.get(name) not in (None, "")}
    message = f"{said} {sub}: {answer.get('sub_msg') or answer.get('msg') or answer.get('message') or ''}"
    if said == THROTTLED:
        raise Unavailable(message, throttled=True, evidence=evidence)
    raise means(message, hint=next((h for start, h in HINTS.items() if sub.startswith(start)), ""), evidence=evidence)


def records(body: Any, shop_id: str = "") -> Iterator[Envelope | Hint]:
    """Records inside of anything that the platform answers or pushes."""
    if isinstance(body, list):
        for item in body:
            yield from records(item, shop_id)
    elif not isinstance(body, dict):
        raise NotUnderstood(f"expected a JSON object or array, found {type(body).__name__}", hint=SHAPES)
    elif "tag" in body:
        yield from event(body, shop_id)
    elif "aftersale_info" in body or "process_info" in body:
        yield case(body)
    elif "sku_order_list" in body:
        number = text(body.get("order_id"))
        yield Envelope("order", number, body, text(body.get("update_time")), number)
    elif isinstance(body.get("shop_order_detail"), dict):
        yield from records(body["shop_order_detail"])
    elif (name := next((n for n in ROWS.values() if n in body), "")) or body.get("total") == 0:
        yield from records(typed(body.get(name), list))
    else:
        yield from records(enveloped(body), shop_id)


def enveloped(body: Mapping[str, Any]) -> Any:
    """What lies in an envelope of the platform, of its old clients (err_no), or of a middle-man (isSuccess)."""
    if body.get("isSuccess") is False:
        raise Refused(str(body.get("error_Msg") or "the middle-man refuses"), evidence={"code": body.get("error_Code")})
    is_answer = body.keys() & {"code", "err_no"} and "order_id" not in body  # a line has a `code` too
    data = inside(body) if is_answer else body.get("data")
    if not isinstance(data, dict | list):
        raise NotUnderstood("neither a record nor an answer of the platform", hint=SHAPES)
    return data


def stock(change: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of sku.syncStock: what may be sold, as it is, not as a difference."""
    extra = change.get("extra") or {}
    known = {n: extra[n] for n in ("product_id", "out_product_id", "sku_id", "out_warehouse_id") if extra.get(n)}
    if not known.keys() & {"product_id", "out_product_id"}:
        hint = "sku.syncStock needs extra.product_id or extra.out_product_id: fill it in the mapping of the stock."
        raise Refused(f"the stock of {change['sku']} names no Douyin product", hint=hint)
    code = {} if "sku_id" in known else {"code": change["sku"]}
    return {**known, **code, "stock_num": int(change["available"]), "incremental": False}


def case(body: dict[str, Any]) -> Envelope:
    """One after-sale case, in the shape of afterSale.List or of afterSale.Detail."""
    process, order = typed(body.get("process_info"), dict), typed(body.get("order_info"), dict)
    info = typed(body.get("aftersale_info") or process.get("after_sale_info"), dict)
    number = text(info.get("aftersale_id")) or text(info.get("after_sale_id"))
    return Envelope("refund", number, body, text(info.get("update_time")), text(order.get("shop_order_id")))


def event(message: dict[str, Any], shop_id: str) -> Iterator[Envelope | Hint]:
    """What a push message names. Tags from 100 are about orders, from 200 about after-sale cases."""
    tag, number, data = str(message["tag"]), text(message.get("msg_id")), message.get("data")
    try:
        told = typed(parse_json(data.encode("utf-8", "surrogatepass")) if isinstance(data, str) else data, dict)
    except NotUnderstood:
        told = {}
    if tag == URL_CHECK or (shop_id and text(told.get("shop_id")) not in ("", shop_id)):
        return  # an app has one address for the pushes of all its shops
    if key := text(told.get("aftersale_id")):
        yield Hint("refund", key, number, message)
    elif key := text(told.get("p_id")):
        yield Hint("order", key, number, message)
    elif len(tag) == 3 and tag[0] in "12":
        # Kept as a record that cannot be translated: a dead letter of its own, which stops no other message.
        yield Envelope("order" if tag[0] == "1" else "refund", number, message, message_id=number)


ADAPTER = Douyin
