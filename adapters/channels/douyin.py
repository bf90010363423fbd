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
from canonical import parse_json
from canonical.errors import HubError, NotAuthorised, NotUnderstood, Refusal, Refused, SignatureRejected, Unavailable

OK = 10000
ANSWERS: dict[int, type[Refusal]] = {
    **dict.fromkeys([20000, 20001, 50001, 60000, 90000], Unavailable),
    **dict.fromkeys([30001, 30002, 80000], NotAuthorised),
    **dict.fromkeys([10001, 40001, 40002, 40003, 40004, 50002, 70000], Refused),
}
"""`code` of the envelope, where `sub_code` says nothing else. Others by their first digit: see `refusal`."""
SUB_ANSWERS: dict[str, type[Refusal]] = {
    "isp.": Unavailable,
    "dop.service-error": Unavailable,
    "isv.business-failed:2010002": Unavailable,
    "isv.business-failed:2010401": Unavailable,
    "dop.token-generate-failed": NotAuthorised,
    "dop.authorization-no-existed": NotAuthorised,
    "dop.authorization-closed": NotAuthorised,
    "dop.app-forbidden": NotAuthorised,
    "isv.app-permissions-insufficient": NotAuthorised,
    "isv.access-token-": NotAuthorised,
    "isv.signature-invalid": NotAuthorised,
    "isv.timestamp-invalid": NotAuthorised,
    "isv.": Refused,
}
"""Beginnings of `sub_code`; the first that fits decides. 40003 is the platform's word for very different faults."""
THROTTLED = 60000
DONE_BEFORE = "isv.idempotent-id-existed"
HINTS = {
    "isv.access-token-": "The hub refreshes the token once; if this stays, authorise the app for the shop again.",
    "dop.token-generate-failed": "The refresh token is used up: authorise the app for the shop again.",
    "isv.signature-invalid": "Check app_key and app_secret in hub.toml.",
    "isv.timestamp-invalid": "Set this machine's clock.",
    "isv.app-permissions-insufficient": "Apply for this API's permission in the platform's console.",
    "isv.parameter-invalid:20013": "Lists end at 50 000 rows: pull a shorter window.",
}
LISTS = {"order": "order/searchList", "refund": "afterSale/List"}
DETAILS = {"order": ("order/orderDetail", "shop_order_id"), "refund": ("afterSale/Detail", "after_sale_id")}
ROWS = {"order": "shop_order_list", "refund": "items"}
SIZE = 100
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
        """`event-sign`: MD5 over app key, raw body and secret."""
        given = headers.get("event-sign", "")
        if not given:
            raise SignatureRejected("event-sign is missing")
        if not signing.same(given, signing.douyin_push(self._secret, self.settings.app_key, raw)):
            raise SignatureRejected("event-sign does not match the body")

    def unpack(self, headers: Mapping[str, str], raw: bytes, now: datetime) -> Iterator[Envelope | Hint]:
        """A hint for every message that names an order or an after-sale case."""
        return self.read(raw)

    def acknowledge(self, error: HubError | None) -> Reply:
        """Anything but code 0 makes the platform send all of it again."""
        if error is None:
            return Reply(200, b'{"code":0,"msg":"success"}')
        if isinstance(error, SignatureRejected):
            return Reply(401, b'{"code":40003,"msg":"isv.signature-invalid"}')
        if error.retryable:
            return Reply(503, b'{"code":20000,"msg":"isp.service-error"}')
        return Reply(400, b'{"code":40004,"msg":"isv.parameter-invalid"}')

    def read(self, body: Any, kind: str | None = None) -> Iterator[Envelope | Hint]:
        """Everything that SHAPES names; `str` and `bytes` are parsed."""
        data = parse_json(body if isinstance(body, bytes) else body.encode()) if isinstance(body, str | bytes) else body
        return (found for found in records(data, self.settings.shop_id) if kind in (None, found.kind))

    def pull(self, kind: str, window: Window, cursor: str | None, now: datetime) -> Talk[Page]:
        """order.searchList or afterSale.List. The cursor is "page/total/size" as the page before told them."""
        page, known, size = (int(part) for part in (cursor or f"0/0/{SIZE}").split("/"))
        span = int(window.start.timestamp()), int(window.end.timestamp())
        data = yield from self._list(kind, page, span, now)
        found, rows, total = [*records(data)], len(data.get(ROWS[kind]) or []), whole(data.get("total"))
        if page == 0 and 0 < rows < total:
            size = rows  # the platform may give fewer a page than it was asked for
        # So many rows have moved from this page to those before it, since they were read.
        at, moved = page, known - total
        while at > 0 and at * size > page * size - moved:
            at -= 1
            again = yield from self._list(kind, at, span, now)
            found += records(again)
            moved = known - whole(again.get("total"))
        more = rows and (data.get("has_more") is True or page * size + rows < total)
        envelopes = [record for record in found if isinstance(record, Envelope)]
        return Page(envelopes, f"{page + 1}/{total}/{size}" if more else None)

    def _list(self, kind: str, page: int, span: tuple[int, int], now: datetime) -> Talk[dict[str, Any]]:
        data = yield from self._call(LISTS[kind], list_params(kind, page, span), now)
        if not isinstance(data, dict):
            raise NotUnderstood(f"{LISTS[kind]} was not answered with an object", hint=SHAPES)
        return data

    def fetch(self, kind: str, key: str, now: datetime) -> Talk[Envelope]:
        """order.orderDetail (which shows at most 40 lines of an order) or afterSale.Detail."""
        path, name = DETAILS[kind]
        data = yield from self._call(path, {name: key}, now)
        for found in records(data):
            if isinstance(found, Envelope) and found.kind == kind:
                return found
        raise NotUnderstood(f"{path} was answered without a record", hint=SHAPES)

    def refresh(self, now: datetime) -> Talk[Credentials | None]:
        """token.refresh, or token.create for an app of one's own; None with neither refresh_token nor shop_id."""
        token = self.settings.refresh_token
        if token is not None and token.get_secret_value():
            params = {"grant_type": "refresh_token", "refresh_token": token.get_secret_value()}
            fresh = yield from self._call("token/refresh", params, now)
        elif self.settings.shop_id:
            params = {"code": "", "grant_type": "authorization_self", "shop_id": self.settings.shop_id}
            fresh = yield from self._call("token/create", params, now)
        else:
            return None
        if not isinstance(fresh, dict) or not fresh.get("access_token"):
            raise NotAuthorised("the platform gave no token", hint=HINTS["dop.token-generate-failed"])
        tokens = {name: str(fresh[name]) for name in ("access_token", "refresh_token") if fresh.get(name)}
        seconds = fresh.get("expires_in")
        return Credentials(tokens, now + timedelta(seconds=seconds) if isinstance(seconds, int) else None)

    def tell(self, change: Mapping[str, Any], now: datetime) -> Talk[Receipt]:
        """A shipment: order.logisticsAddMultiPack, or order.logisticsAdd where it names no lines. Stock, absolute:
        sku.syncStock, which needs the product's number in extra.product_id or extra.out_product_id."""
        if str(change["schema"]).startswith("stock/"):
            return (yield from self._stock(change, now))
        order, number = str(change["order_no"]), str(change.get("tracking_no") or "")
        carrier = str(change.get("carrier") or "")
        parcel: dict[str, Any] = {
            "company_code": self.settings.carriers.get(carrier, carrier),
            "logistics_code": number,
        }
        lines = change.get("lines") or []
        if lines:
            shipped = [{"shipped_order_id": line["line_no"], "shipped_num": line["quantity"]} for line in lines]
            path, packs = "order/logisticsAddMultiPack", [{**parcel, "shipped_order_info": shipped}]
            params: dict[str, Any] = {"request_id": str(change["shipment_no"]), "pack_list": packs}
        else:
            path, params = "order/logisticsAdd", {**parcel, "is_refund_reject": False}
        try:
            yield from self._call(path, {"order_id": order, **params}, now)
        except Refused as error:
            if str(error.evidence.get("sub_code", "")).startswith(DONE_BEFORE):
                return Receipt(number, already_there=True)
            told = yield from self.fetch("order", order, now)
            if not number or number not in [sent.get("tracking_no") for sent in told.body.get("logistics_info") or []]:
                raise
            return Receipt(number, already_there=True)
        return Receipt(number)

    def _stock(self, change: Mapping[str, Any], now: datetime) -> Talk[Receipt]:
        extra = change.get("extra") or {}
        known = {name: extra[name] for name in ("product_id", "out_product_id", "sku_id") if extra.get(name)}
        if not known.keys() & {"product_id", "out_product_id"}:
            hint = "sku.syncStock needs extra.product_id or extra.out_product_id: fill it in the mapping of the stock."
            raise Refused(f"the stock of {change['sku']} names no Douyin product", hint=hint)
        if "sku_id" not in known:
            known["code"] = change["sku"]
        if change.get("warehouse") and extra.get("out_warehouse_id"):
            known["out_warehouse_id"] = extra["out_warehouse_id"]
        known |= {"stock_num": int(change["available"]), "incremental": False}
        yield from self._call("sku/syncStock", known, now)
        return Receipt(str(change["sku"]))

    def _call(self, path: str, params: Mapping[str, Any], now: datetime) -> Talk[Any]:
        """One signed request; the `data` of its answer."""
        method, stamp, body = path.replace("/", "."), str(int(now.timestamp())), signing.sorted_json(params)
        own = {"app_key": self.settings.app_key, "method": method, "timestamp": stamp, "v": "2"}
        if not method.startswith("token."):
            own["access_token"] = self.settings.access_token.get_secret_value()
            if not own["access_token"]:
                raise NotAuthorised("there is no access_token yet", hint=HINTS["isv.access-token-"])
        sign = signing.douyin(self._secret, self.settings.app_key, method, body, stamp, "hmac-sha256")
        query = {**own, "sign": sign, "sign_method": "hmac-sha256"}
        # The bytes that are signed are the bytes that are sent.
        headers = {"content-type": "application/json", "x-open-no-old-err-code": "1"}
        url = f"{self.settings.gateway.rstrip('/')}/{path}"
        response = yield httpx.Request("POST", url, params=query, content=body.encode(), headers=headers)
        status = response.status_code
        if status in (408, 429) or status >= 500:
            wait = retry_after({k.lower(): v for k, v in response.headers.items()}, now)
            raise Unavailable(f"the platform answered HTTP {status}", retry_after=wait, throttled=status == 429)
        answer = parse_json(response.content)
        if not isinstance(answer, dict) or "code" not in answer:
            raise NotUnderstood(f"{method} was answered without a code", hint=SHAPES)
        return inside(answer)


def list_params(kind: str, page: int, span: tuple[int, int]) -> dict[str, Any]:
    """One page of a list: by change, oldest first. `page` has to be there even when it is 0."""
    if kind == "order":
        times = {"update_time_start": span[0], "update_time_end": span[1]}
        return {"page": page, "size": SIZE, "order_by": "update_time", "order_asc": True, **times}
    times = {"update_start_time": span[0], "update_end_time": span[1]}
    return {"page": page, "size": SIZE, "order_by": ["update_time asc"], **times}


def whole(value: Any) -> int:
    """A whole number, 0 where there is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def inside(answer: Mapping[str, Any]) -> Any:
    """The `data` of an envelope. Raises what its code means."""
    code, sub = answer.get("code", answer.get("err_no")), str(answer.get("sub_code") or "")
    if code in (OK, 0, str(OK)) and not sub:
        return answer.get("data")
    raise refusal(int(code) if str(code).isdecimal() else 0, sub, answer)


def refusal(code: int, sub: str, answer: Mapping[str, Any]) -> Refusal:
    """The error that an envelope means: by sub_code, else by code, else by the code's first digit."""
    by_digit: dict[str, type[Refusal]] = {"2": Unavailable, "6": Unavailable, "9": Unavailable, "3": NotAuthorised}
    means = ANSWERS.get(code) or by_digit.get(str(code)[:1], Refused)
    means = next((what for start, what in SUB_ANSWERS.items() if sub.startswith(start)), means)
    text = answer.get("sub_msg") or answer.get("msg") or answer.get("message") or ""
    names = ("code", "err_no", "msg", "message", "sub_code", "sub_msg", "log_id")
    evidence = {name: answer[name] for name in names if answer.get(name) not in (None, "")}
    message, hint = f"{code} {sub}: {text}", next((h for start, h in HINTS.items() if sub.startswith(start)), "")
    if code == THROTTLED:
        return Unavailable(message, throttled=True, evidence=evidence)
    return means(message, hint=hint, evidence=evidence)


def records(body: Any, shop_id: str = "") -> Iterator[Envelope | Hint]:
    """Records inside of anything that the platform answers or pushes."""
    if isinstance(body, list):
        messages = [item for item in body if isinstance(item, dict) and "tag" in item]
        yield from events(messages, shop_id) if messages else (found for item in body for found in records(item))
    elif not isinstance(body, dict):
        raise NotUnderstood(f"expected a JSON object or array, found {type(body).__name__}", hint=SHAPES)
    elif "tag" in body and "data" in body:
        yield from events([body], shop_id)
    elif "aftersale_info" in body or "process_info" in body:
        yield case(body)
    elif "sku_order_list" in body:
        number = text(body.get("order_id"))
        yield Envelope("order", number, body, text(body.get("update_time")), number)
    elif isinstance(body.get("shop_order_detail"), dict):
        yield from records(body["shop_order_detail"])
    elif (rows := next((name for name in ROWS.values() if name in body), "")) or body.get("total") == 0:
        yield from (found for row in body.get(rows) or [] for found in records(row))
    else:
        yield from enveloped(body, shop_id)


def enveloped(body: Mapping[str, Any], shop_id: str) -> Iterator[Envelope | Hint]:
    """What lies in an envelope of the platform, of its old clients (err_no), or of a middle-man (isSuccess)."""
    if body.get("isSuccess") is False:
        raise Refused(str(body.get("error_Msg") or "the middle-man refuses"), evidence={"code": body.get("error_Code")})
    if "parent_order_id" in body:
        raise NotUnderstood("this is a line (sku order) without its shop order", hint=SHAPES)
    data = inside(body) if "code" in body or "err_no" in body else body.get("data")
    if not isinstance(data, dict | list):
        raise NotUnderstood("neither a record nor an answer of the platform", hint=SHAPES)
    yield from records(data, shop_id)


def case(body: dict[str, Any]) -> Envelope:
    """One after-sale case, in the shape of afterSale.List or of afterSale.Detail."""
    info = body.get("aftersale_info") or (body.get("process_info") or {}).get("after_sale_info") or {}
    number = text(info.get("aftersale_id")) or text(info.get("after_sale_id"))
    order = text((body.get("order_info") or {}).get("shop_order_id"))
    return Envelope("refund", number, body, text(info.get("update_time")), order)


def events(messages: list[dict[str, Any]], shop_id: str) -> Iterator[Envelope | Hint]:
    """What push messages name. Tags below 200 are about orders, from 200 to 299 about after-sale cases."""
    for message in messages:
        tag, number = text(message["tag"]), text(message.get("msg_id"))
        if tag == URL_CHECK:
            continue
        data = message.get("data")
        event = parse_json(data.encode()) if isinstance(data, str) and data else data
        event = event if isinstance(event, dict) else {}
        if shop_id and event.get("shop_id") and text(event["shop_id"]) != shop_id:
            continue  # an app has one address for the pushes of all its shops
        if key := text(event.get("aftersale_id")):
            yield Hint("refund", key, number, message)
        elif key := text(event.get("p_id")):
            yield Hint("order", key, number, message)
        elif len(tag) == 3 and tag[0] in "12":
            # Kept as a record that cannot be translated: a dead letter of its own, which stops no other message.
            yield Envelope("order" if tag[0] == "1" else "refund", number, message, message_id=number)


def text(value: Any) -> str:
    """Numbers and texts as text, everything else as ""."""
    return str(value) if isinstance(value, int | str) and not isinstance(value, bool) and value != 0 else ""


ADAPTER = Douyin
