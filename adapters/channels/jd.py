"""JD through JOS, the open platform for merchants (POP): orders, cancellations before shipping, service orders after.

Lists answer in ascending order of change. A row that changes meanwhile leaves the window and pulls all later ones
forward, so pages are read from the last back to the first. Cases live in two systems: applications to cancel a paid
order (refundapply, by time of application and again by time of audit) and service orders (asc, by last change).
Push: JD publishes no signature; a merchant's own relay inside of JD's cloud may sign by Standard Webhooks.
"""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any, ClassVar

import httpx
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from adapters import signing
from adapters.answers import retry_after
from adapters.port import Capability, Credentials, Envelope, Hint, Page, Receipt, Reply, Talk, Window
from canonical import parse_json
from canonical.errors import HubError, NotAuthorised, NotUnderstood, Refusal, Refused, SignatureRejected, Unavailable

BEIJING = timezone(timedelta(hours=8))
WIDEST = timedelta(days=1)  # JD takes a month; a day keeps a window below its hundred pages
ANSWERS: dict[str, type[Refusal]] = {
    **dict.fromkeys(["2", "43", "65", "66", "67", "69", "70", "78"], Unavailable),
    **dict.fromkeys(["18", "19", "20", "21", "22", "24", "25", "73", "74", "75", "79", "80", "88"], NotAuthorised),
    **dict.fromkeys(["4", "5", "7", "8", "11", "12", "14", "15", "23", "28", "60", "61", "62", "63", "64"], Refused),
    **dict.fromkeys(["68", "71", "72", "83", "85", "86", "87"], Refused),
}
"""JOS's gateway codes. Business codes have eight digits and are permanent; others, never seen, may pass."""
HINTS = {"8": "JD allows six minutes: set this machine's clock.", "12": "Check app_secret in hub.toml."}
ORDER_FIELDS = (
    "orderId,venderId,orderType,payType,orderTotalPrice,orderSellerPrice,orderPayment,freightPrice,sellerDiscount,"
    "orderState,orderStateRemark,deliveryType,invoiceInfo,invoiceEasyInfo,invoiceCode,vatInfo,orderRemark,orderStartTime,"
    "orderEndTime,consigneeInfo,itemInfoList,couponDetailList,venderRemark,balanceUsed,pin,open_id_buyer,returnOrder,"
    "paymentConfirmTime,waybill,logisticsId,modified,directParentOrderId,parentOrderId,orderSource,storeOrder,"
    "idSopShipmenttype,taxFee,serviceFee,storeId"
)
SEARCH, APPLICATIONS, SERVICES = "pop.order.enSearch", "pop.afs.soa.refundapply.queryPageList", "asc.query.list"
TIMES = [(APPLICATIONS, f"{time}Start", f"{time}End") for time in ("applyTime", "checkTime")]
PASSES = {
    "order": [(SEARCH, "start_date", "end_date")],
    "refund": [*TIMES, (SERVICES, "updateTimeBegin", "updateTimeEnd")],
}
BOXES = ("searchorderinfo_result", "orderInfoResult", "orderDetailInfo", "orderInfoList", "orderInfo")
CONTAINERS = dict.fromkeys(BOXES, "order")
CONTAINERS |= dict.fromkeys(["queryResult", "result", "pageResult", "data", "serviceBillList"], "refund")
SHAPES = "Known: answers of enSearch, search, enGet, get, refundapply and asc, such records, lists of them, {orderId}."


class JdShop(BaseModel):
    """The app's keys and the shop's tokens."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    app_key: str = Field(min_length=1, description="App Key of the app in JD's open platform.")
    app_secret: SecretStr = Field(description="App Secret. Signs requests.")
    access_token: SecretStr = Field(description="The shop's access token.")
    refresh_token: SecretStr | None = Field(None, description="Renews the access token within its last day.")
    gateway: str = Field("https://api.jd.com/routerjson", pattern="^https?://", description="Address of JOS.")
    oauth: str = Field("https://open-oauth.jd.com", pattern="^https?://", description="Address of JD's authorisation.")
    wrapped: bool = Field(False, description="Send order queries inside paramOrderJSFQuery (newest form).")
    order_states: str = Field("ALL", description="Order states to pull, separated by commas.")
    page_size: int = Field(100, ge=1, le=100, description="Orders a page; cases after the sale come at most 50 a page.")
    services: bool = Field(True, description="Pull service orders (returns, exchanges, repairs) too.")
    vender_id: str = Field("", description="The merchant's number (venderId), which asc.query.list asks for.")
    operator: str = Field("hub", description="Who asks, as JD keeps it in the log of service orders.")
    carriers: dict[str, str] = Field({}, description="JD's number of the carrier for a carrier code of the hub.")
    push_secret: SecretStr | None = Field(None, description="Standard Webhooks secret of the merchant's relay.")


class Jd:
    """One JD shop."""

    title: ClassVar[str] = "JD"
    kinds: ClassVar[tuple[str, ...]] = ("order", "refund")
    capabilities: ClassVar[frozenset[Capability]] = frozenset(Capability)
    Settings: ClassVar[type[BaseModel]] = JdShop

    def __init__(self, settings: JdShop) -> None:
        self.settings = settings

    def verify(self, headers: Mapping[str, str], raw: bytes, now: datetime) -> None:
        """Standard Webhooks with push_secret; without one nothing is accepted."""
        if self.settings.push_secret is None:
            raise SignatureRejected("this shop takes no pushes: it has no push_secret")
        signing.verify_standard_webhooks([self.settings.push_secret.get_secret_value()], headers, raw, now.timestamp())

    def unpack(self, headers: Mapping[str, str], raw: bytes, now: datetime) -> Iterator[Envelope | Hint]:
        return self.read(parse_json(raw))

    def acknowledge(self, error: HubError | None) -> Reply:
        if error is None:
            return Reply(200, b'{"code":"0"}')
        status = 401 if isinstance(error, SignatureRejected) else 503 if error.retryable else 400
        return Reply(status, b'{"error_response":{"code":"%d"}}' % (12 if status == 401 else 43))

    def read(self, body: Any, kind: str | None = None) -> Iterator[Envelope | Hint]:
        """Everything that SHAPES names; `str` is parsed as JSON."""
        data = _parsed(body.encode("utf-8", "surrogatepass")) if isinstance(body, str) else body
        return (found for found in records(data) if kind in (None, found.kind))

    def pull(self, kind: str, window: Window, cursor: str | None, now: datetime) -> Talk[Page]:
        """One page. The cursor is "start of a day/pass/page"; page 0: ask how many pages that day and pass have."""
        place, at, number = (cursor or f"{window.start.isoformat()}/0/0").rsplit("/", 2)
        start, turn, page = datetime.fromisoformat(place), int(at), int(number)
        end = min(start + WIDEST, window.end)
        passes = PASSES[kind] if self.settings.services else PASSES[kind][:2]
        method, first, last = passes[turn]
        size = self.settings.page_size if kind == "order" else min(50, self.settings.page_size)
        span = {first: _beijing(start), last: _beijing(end)}
        answer = yield from self._ask(method, self._page(method, page or 1, size) | span, now)
        if not page and (page := -(-_total(answer) // size)) > 1:
            answer = yield from self._ask(method, self._page(method, page, size) | span, now)
        found = [r for r in self.read(answer, kind) if isinstance(r, Envelope)]
        if page > 1:
            return Page(found, f"{start.isoformat()}/{turn}/{page - 1}")
        if turn + 1 < len(passes):
            return Page(found, f"{start.isoformat()}/{turn + 1}/0")
        return Page(found, f"{end.isoformat()}/0/0" if end < window.end else None)

    def fetch(self, kind: str, key: str, now: datetime) -> Talk[Envelope]:
        """pop.order.enGet; for a case queryPageList by number, then asc.query.list by service order."""
        asked = [("pop.order.enGet", {"order_id": key, "optional_fields": ORDER_FIELDS})]
        if kind == "refund":
            asked = [(APPLICATIONS, self._page(APPLICATIONS, 1, 1) | {"ids": key})]
            asked += [(SERVICES, self._page(SERVICES, 1, 1) | {"serviceId": key})] if self.settings.services else []
        for method, query in asked:
            answer = yield from self._ask(method, query, now)
            for found in self.read(answer, kind):
                if isinstance(found, Envelope):
                    return found
        raise Refused(f"JD has no {kind} {key}", code="wire.not_found")

    def _page(self, method: str, page: int, size: int) -> dict[str, Any]:
        if method == SEARCH:
            states = {"order_state": self.settings.order_states, "optional_fields": ORDER_FIELDS}
            return {**states, "page": str(page), "page_size": str(size)}
        if method == APPLICATIONS:
            return {"pageIndex": page, "pageSize": size, "showSku": True}
        operator = {"operatePin": self.settings.operator, "operateNick": self.settings.operator}
        return {**operator, "buId": self.settings.vender_id, "pageNumber": page, "pageSize": size}

    def refresh(self, now: datetime) -> Talk[Credentials | None]:
        """GET /oauth2/refresh_token. JD gives a new pair within the last day of the old one."""
        if self.settings.refresh_token is None:
            return None
        old = self.settings.refresh_token.get_secret_value()
        sent = {"app_key": self.settings.app_key, "app_secret": self.settings.app_secret.get_secret_value()}
        sent |= {"grant_type": "refresh_token", "refresh_token": old}
        response = yield httpx.Request("GET", f"{self.settings.oauth}/oauth2/refresh_token", params=sent)
        fresh = _opened(response, now)
        if not (token := _text(fresh.get("access_token"))):
            raise NotAuthorised(f"JD gave no new token: {_text(fresh.get('msg'))}")
        settings = {"access_token": token, "refresh_token": _text(fresh.get("refresh_token")) or old}
        seconds = _text(fresh.get("expires_in"))
        return Credentials(settings, now + timedelta(seconds=int(seconds)) if seconds.isdecimal() else None)

    def tell(self, change: Mapping[str, Any], now: datetime) -> Talk[Receipt]:
        """A shipment: pop.order.shipment, of the whole order. Stock, absolute: stock.write.updateSkuStock."""
        if str(change["schema"]).startswith("stock/"):
            sku, store = _text((change.get("extra") or {}).get("variant_id")), _text(change.get("warehouse")) or "0"
            if not sku:
                raise Refused(f"no SKU for the stock of {change['sku']}", hint="Put JD's skuId into extra.variant_id.")
            stock = {"skuId": sku, "stockNum": str(change["available"]), "storeId": store}
            yield from self._ask("stock.write.updateSkuStock", stock, now)
            return Receipt(sku)
        order, number, carrier = (_text(change.get(name)) for name in ("order_no", "tracking_no", "carrier"))
        if not change.get("complete"):
            raise Refused("JD ships whole orders", hint="Report it once complete, all its numbers joined by commas.")
        company = self.settings.carriers.get(carrier, carrier if carrier.isdecimal() else "")
        if not company:
            raise Refused(f"no JD number for the carrier {carrier}", hint=f"Add {carrier} to the shop's carriers.")
        sent = {"orderId": order, "logiCoprId": company, "logiNo": number}
        try:
            yield from self._ask("pop.order.shipment", sent, now)
        except Refusal:  # code 70 and its like: it may be shipped already, an earlier answer was lost
            known = yield from self.fetch("order", order, now)
            if not number or number not in re.split("[,|]", _text(known.body.get("waybill"))):
                raise
            return Receipt(number, already_there=True)
        return Receipt(number)

    def _ask(self, method: str, query: Mapping[str, Any], now: datetime) -> Talk[dict[str, Any]]:
        query = {name: value for name, value in query.items() if value != ""}
        if self.settings.wrapped and method.startswith("pop.order.en"):
            query = {"paramOrderJSFQuery": {**query, "source_id": "JOS"}}
        sent = {"method": f"jingdong.{method}", "app_key": self.settings.app_key, "timestamp": _beijing(now)}
        sent |= {"access_token": self.settings.access_token.get_secret_value(), "v": "2.0"}
        sent["360buy_param_json"] = json.dumps(query, ensure_ascii=False, separators=(",", ":"))
        sent["sign"] = signing.top(self.settings.app_secret.get_secret_value(), sent)
        answer = _opened((yield httpx.Request("POST", self.settings.gateway, data=sent)), now)
        _check(answer)
        return answer


def records(body: Any, kind: str = "") -> Iterator[Envelope | Hint]:
    """Records inside of anything that JOS answers. `kind` is what the container says that they are."""
    if isinstance(body, list):
        for item in body:
            yield from records(item, kind)
        return
    if not isinstance(body, dict):
        raise NotUnderstood(f"expected a JSON object, found {type(body).__name__}", hint=SHAPES)
    _check(body)
    wrappers = [k for k in body if k in CONTAINERS or k.endswith(("_responce", "_response"))]
    page = wrappers or body.keys() & {"orderTotal", "totalCount", "apiResult", "success"}
    if body.keys() & {"orderId", "serviceId", "applyRefundSum"} or (kind and not page):
        yield _record(body, kind)
        return
    if "jos_order_result_dto" in body or "purchase_order_list" in body:
        hint = "JD's own purchases from its suppliers (VC) are another product than a shop's orders (POP)."
        raise NotUnderstood("a purchase order of JD itself", hint=hint)
    if not page:
        raise NotUnderstood("not a shape that JD documents", hint=SHAPES)
    for name in wrappers:
        if body[name]:
            yield from records(body[name], CONTAINERS.get(name, kind))


def _record(body: Mapping[str, Any], kind: str) -> Envelope | Hint:
    order = _text(body.get("orderId"))
    if body.keys() & {"serviceId", "applyRefundSum"}:
        kind = "refund"
    elif body.keys() & {"orderState", "orderStartTime", "itemInfoList"}:
        kind = "order"
    if not kind:
        return Hint("order", order, body=dict(body))
    if kind == "refund":
        times = ("modified", "updateDate", "updateTime", "processTime", "approveTime", "checkTime", "applyTime")
        revision = max(_text(body.get(name)) for name in times)
        return Envelope(kind, _text(body.get("serviceId")) or _text(body.get("id")), dict(body), revision, order)
    pairs = re.findall(r"([^:;]+):([^;]*)", _text(body.get("invoiceInfo")))  # "type:...;title:...;content:..."
    parts = {"invoiceParts": {name.strip(): value.strip() for name, value in pairs}} if pairs else {}
    return Envelope(kind, order, {**body, **parts}, _text(body.get("modified")), order)


def _levels(name: str, answer: Mapping[str, Any], depth: int = 4) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield name, answer
    for inner, value in answer.items() if depth else ():
        if isinstance(value, dict):
            yield from _levels(inner, value, depth - 1)


def _check(answer: Mapping[str, Any]) -> None:
    """Raise what an error means: JD tells it on the outside by a code, or up to three levels deeper by `success`."""
    for name, level in _levels("", answer):
        code = next((_text(level[k]) for k in ("code", "numberCode", "errorCode", "resultCode") if k in level), "")
        outside = name.endswith(("_responce", "_response")) and code not in ("", "0", "200")
        if outside or "zh_desc" in level or "en_desc" in level or str(level.get("success")).lower() == "false":
            raise refusal(code, level)


def refusal(code: str, said: Mapping[str, Any]) -> Refusal:
    """What a code means. Without a code the gateway took the call and the business refused it."""
    meant = ANSWERS.get(code, Refused if len(code) in (0, 8) else Unavailable)
    words = [_text(said.get(k)) for k in ("zh_desc", "en_desc", "chineseErrCode", "englishErrCode", "msg", "message")]
    message = f"JD: {code} {' '.join(filter(None, words))}".strip()
    evidence = {k: v for k, v in said.items() if isinstance(v, str | int)}
    if not issubclass(meant, Unavailable):
        return meant(message, hint=HINTS.get(code, ""), evidence=evidence)
    return Unavailable(message, throttled=code == "2", retry_after=3600.0 if code == "2" else None, evidence=evidence)


def _total(answer: Mapping[str, Any]) -> int:
    for _, level in _levels("", answer):
        for name in ("orderTotal", "totalCount"):
            if (number := _text(level.get(name))).isdecimal():
                return int(number)
    raise NotUnderstood("JD did not tell how many there are", hint=SHAPES)


def _opened(response: httpx.Response, now: datetime) -> dict[str, Any]:
    if (status := response.status_code) in (408, 429) or status >= 500:
        raise Unavailable(f"HTTP {status}", retry_after=retry_after(response.headers, now), throttled=status == 429)
    answer = _parsed(response.content)
    if not isinstance(answer, dict):
        raise NotUnderstood("JD did not answer with an object", hint=SHAPES)
    return answer


def _parsed(raw: bytes) -> Any:
    if raw.lstrip()[:1] == b"<":
        raise Unavailable("JD's gateway answered a web page")
    try:
        return parse_json(raw)
    except NotUnderstood:  # the gateway lets control characters through that JSON does not allow
        return parse_json(re.sub(rb"[\x00-\x1f]", b"", raw))


def _beijing(time: datetime) -> str:
    return time.astimezone(BEIJING).strftime("%Y-%m-%d %H:%M:%S")


def _text(value: Any) -> str:
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


ADAPTER = Jd
