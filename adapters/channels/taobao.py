"""Taobao and Tmall through TOP, the open platform: trades and refunds.

The lists answer newest first, so a page read forward loses rows when one of them changes meanwhile: count, then read
from the last page back to the first. They carry a part of a record only. TMC messages come over an authenticated
connection and bear no signature; what reaches the hub's URL (a merchant's TMC relay, a Jushita subscription) is signed
as TOP signs its SPI calls: the TOP recipe over the query, the headers that `top-sign-list` names, and the raw body.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any, ClassVar, Literal
from urllib.parse import parse_qsl
from xml.parsers.expat import ExpatError

import httpx
import xmltodict
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from adapters import signing
from adapters.answers import retry_after
from adapters.port import Capability, Credentials, Envelope, Hint, Page, Receipt, Reply, Talk, Window
from canonical import parse_json
from canonical.errors import HubError, NotAuthorised, NotUnderstood, Refusal, Refused, SignatureRejected, Unavailable

BEIJING = timezone(timedelta(hours=8))
WIDEST, TOLERANCE = timedelta(days=1), timedelta(minutes=10)  # of a window, of a push's timestamp

ANSWERS: dict[str, type[Refusal]] = {
    **dict.fromkeys(["7", "10"], Unavailable),
    **dict.fromkeys(["11", "12", "13", "26", "27", "53"], NotAuthorised),
    **dict.fromkeys(["21", "22", "23", "24", "25", "28", "29", "30", "31", "32", "33", "34", "40", "41"], Refused),
}
"""TOP's error codes. Others, 15 and 50 among them, say nothing by themselves: there the sub_code's beginning does."""
SUB_ANSWERS: dict[str, type[Refusal]] = {"accesscontrol.limited": Unavailable, "isp.": Unavailable, "isv.": Refused}
HINTS = {"25": "Check app_secret in hub.toml.", "31": "TOP allows ten minutes: set this machine's clock."}
LISTS = {"order": "taobao.trades.sold.increment.get", "refund": "taobao.refunds.receive.get"}
DETAILS = {"order": "taobao.trade.fullinfo.get", "refund": "taobao.refund.get"}
NUMBERS = {"order": "tid", "refund": "refund_id"}
FIELDS = {
    "order": "tid,type,status,created,modified,pay_time,consign_time,end_time,payment,total_fee,post_fee,order_tax_fee,"
    "step_trade_status,step_paid_fee,step_pay_details,new_presell,buyer_nick,buyer_open_uid,buyer_email,buyer_message,"
    "seller_memo,seller_flag,alipay_no,receiver_name,receiver_country,receiver_state,receiver_city,receiver_district,"
    "receiver_town,receiver_address,receiver_zip,receiver_mobile,receiver_phone,oaid,title,pic_path,price,num,num_iid,"
    "orders,promotion_details,invoice_name,invoice_kind,invoice_type,buyer_tax_no,trade_from,send_time,delivery_time,"
    "top_hold,ofp_hold,forbid_consign,team_buy_hold,share_group_hold,is_force_wlb,is_brand_sale,rx_audit_status",
    "refund": "refund_id,tid,oid,status,dispute_type,special_refund_type,refund_phase,refund_fee,total_fee,payment,num,"
    "outer_id,sku,num_iid,title,buyer_nick,buyer_open_uid,created,modified,end_time,good_status,has_good_return,"
    "order_status,reason,desc,company_name,sid",
}
TRADE_TYPES = "guarantee_trade,auto_delivery,ec,cod,step,nopaid,pre_auth_type,o2o_offlinetrade,fenxiao,external_trade"
CONTAINERS = {"trades": "order", "trade": "order", "refunds": "refund", "refund": "refund"}
WRAPPED = {"orders": "order", "promotion_details": "promotion_detail", "step_pay_details": "step_pay_detail"}
LINE_FIELDS = ("title", "pic_path", "price", "num", "num_iid", "status", "consign_time", "end_time")
SHAPES = "Known: TOP's answers with trades or refunds (JSON or XML), such records, lists of them, TMC messages"


class TaobaoShop(BaseModel):
    """The app's keys and the shop's session."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    app_key: str = Field(min_length=1, description="App Key of the app in the open platform's console.")
    app_secret: SecretStr = Field(description="App Secret. Signs requests and proves pushes.")
    session: SecretStr = Field(description="The shop's access token (session key).")
    refresh_token: SecretStr | None = Field(None, description="Only apps of the service market have one.")
    gateway: str = Field("https://eco.taobao.com/router/rest", pattern="^https?://", description="Address of TOP.")
    sign_method: Literal["md5", "hmac", "hmac-sha256"] = Field("md5", description="How requests are signed.")
    types: str = Field(TRADE_TYPES, description="Trade types to pull. TOP leaves out what is not listed.")
    details: bool = Field(True, description="Ask for each record in full: lists lack buyer messages and promotions.")
    page_size: int = Field(40, ge=1, le=100, description="Records a page; with details at most 16 are asked for.")
    carriers: dict[str, str] = Field({}, description="TOP's company code for a carrier code of the hub, if it differs.")


class Taobao:
    """One Taobao or Tmall shop."""

    title: ClassVar[str] = "Taobao and Tmall"
    kinds: ClassVar[tuple[str, ...]] = ("order", "refund")
    capabilities: ClassVar[frozenset[Capability]] = frozenset(Capability)
    Settings: ClassVar[type[BaseModel]] = TaobaoShop

    def __init__(self, settings: TaobaoShop) -> None:
        self.settings = settings
        self._secret = settings.app_secret.get_secret_value()
        self._size = min(settings.page_size, 16 if settings.details else 100)  # a talk has few turns: one for a detail

    def verify(self, headers: Mapping[str, str], raw: bytes, now: datetime) -> None:
        """TOP's SPI: `sign` over the query (of the pseudo header `:path`), listed headers, and the body."""
        params = dict(parse_qsl(headers.get(":path", "").partition("?")[2], keep_blank_values=True))
        given = params.pop("sign", "") or headers.get("sign", "")
        listed = [name.strip() for name in headers.get("top-sign-list", "").split(",") if name.strip()]
        params |= {name: headers.get(name.lower(), "") for name in listed}
        method = params.get("sign_method") or "md5"
        expected = signing.top(self._secret, params, method, raw) if method in ("md5", "hmac", "hmac-sha256") else ""
        if not signing.same(given, expected):
            raise SignatureRejected("sign is missing or does not match the parameters and the body")
        try:
            stamp = datetime.strptime(params.get("timestamp", ""), "%Y-%m-%d %H:%M:%S").replace(tzinfo=BEIJING)
        except ValueError:
            stamp = datetime.fromtimestamp(0, BEIJING)
        if abs(now - stamp) > TOLERANCE:
            raise SignatureRejected("timestamp is missing or more than ten minutes off", code="wire.timestamp")

    def unpack(self, headers: Mapping[str, str], raw: bytes, now: datetime) -> Iterator[Envelope | Hint]:
        return self.read(raw)

    def acknowledge(self, error: HubError | None) -> Reply:
        """TOP's SPI answer."""
        if error is None:
            return Reply(200, b'{"success":true}')
        if isinstance(error, SignatureRejected):
            return Reply(401, b'{"success":false,"sub_code":"sign-check-failure","sub_message":"Illegal request"}')
        return Reply(503 if error.retryable else 400, b'{"success":false,"sub_code":"isp.system-busy"}')

    def read(self, body: Any, kind: str | None = None) -> Iterator[Envelope | Hint]:
        """Everything that SHAPES names; `str` and `bytes` are parsed as JSON or, after a "<", as XML."""
        data = _parsed(body) if isinstance(body, str | bytes) else body
        return (found for found in records(data) if kind in (None, found.kind))

    def pull(self, kind: str, window: Window, cursor: str | None, now: datetime) -> Talk[Page]:
        """One page, from the last to the first. The cursor is "start of a day/page"; page 0: count that day first."""
        place, _, number = (cursor or f"{window.start.isoformat()}/0").rpartition("/")
        start, page = datetime.fromisoformat(place), int(number)
        end = min(start + WIDEST, window.end)
        span = {"start_modified": _beijing(start), "end_modified": _beijing(end), "type": self.settings.types}
        if not page:
            count = {"fields": NUMBERS[kind], "page_size": "1", "use_has_next": "false"}
            counted = yield from self._ask(LISTS[kind], now, **count, **span)
            if not (total := _text(counted.get("total_results"))).isdecimal():
                raise NotUnderstood(f"{LISTS[kind]} did not tell total_results", hint=SHAPES)
            page = -(-int(total) // self._size)
        found: list[Envelope] = []
        if page:
            this = {"fields": FIELDS[kind], "page_no": str(page), "page_size": str(self._size), "use_has_next": "true"}
            answer = yield from self._ask(LISTS[kind], now, **this, **span)
            for record in self.read(answer, kind):
                found += [(yield from self._in_full(record, now))]
        after = f"{start.isoformat()}/{page - 1}" if page > 1 else f"{end.isoformat()}/0" if end < window.end else None
        return Page(found, after)

    def fetch(self, kind: str, key: str, now: datetime) -> Talk[Envelope]:
        """taobao.trade.fullinfo.get or taobao.refund.get."""
        answer = yield from self._ask(DETAILS[kind], now, fields=FIELDS[kind], **{NUMBERS[kind]: key})
        for found in self.read(answer, kind):
            if isinstance(found, Envelope):
                return found
        raise NotUnderstood(f"{DETAILS[kind]} answered without a record", hint=SHAPES)

    def _in_full(self, short: Envelope | Hint, now: datetime) -> Talk[Envelope]:
        if isinstance(short, Envelope) and not self.settings.details:
            return short
        try:
            return (yield from self.fetch(short.kind, short.key, now))
        except Refused as error:  # one record that TOP will not show in full must not stop the others
            if isinstance(short, Hint) or not str(error.evidence.get("sub_code", "")).startswith("isv."):
                raise
            return short

    def refresh(self, now: datetime) -> Talk[Credentials | None]:
        """taobao.top.auth.token.refresh; None for apps whose token has a fixed life."""
        if self.settings.refresh_token is None:
            return None
        token = self.settings.refresh_token.get_secret_value()
        answer = yield from self._ask("taobao.top.auth.token.refresh", now, session="", refresh_token=token)
        result = answer.get("token_result")
        fresh = _parsed(result) if isinstance(result, str) else result
        if not isinstance(fresh, dict) or not (session := _text(fresh.get("access_token"))):
            raise NotAuthorised("TOP gave no new token")
        settings = {"session": session, "refresh_token": _text(fresh.get("refresh_token")) or token}
        seconds = _text(fresh.get("expires_in"))
        return Credentials(settings, now + timedelta(seconds=int(seconds)) if seconds.isdecimal() else None)

    def tell(self, change: Mapping[str, Any], now: datetime) -> Talk[Receipt]:
        """A shipment: taobao.logistics.offline.send. Stock, absolute: taobao.skus.quantity.update."""
        if str(change["schema"]).startswith("stock/"):
            item, figure = _text((change.get("extra") or {}).get("item_id")), f"{change['sku']}:{change['available']}"
            if not item:
                raise Refused(f"no item for the stock of {change['sku']}", hint="Put TOP's num_iid into extra.item_id.")
            yield from self._ask("taobao.skus.quantity.update", now, num_iid=item, outerid_quantities=figure, type="1")
            return Receipt(item)
        order, number, carrier = (_text(change.get(name)) for name in ("order_no", "tracking_no", "carrier"))
        sent = {"tid": order, "out_sid": number, "company_code": self.settings.carriers.get(carrier, carrier)}
        if not change.get("complete"):
            sent |= {"is_split": "1", "sub_tid": ",".join(line["line_no"] for line in change.get("lines") or [])}
        try:
            yield from self._ask("taobao.logistics.offline.send", now, **sent)
        except Refused:  # perhaps because it is shipped already: an earlier answer was lost
            trade = yield from self.fetch("order", order, now)
            lines = (trade.body.get("orders") or {}).get("order") or []
            if not number or number not in [line.get("invoice_no") for line in lines]:
                raise
            return Receipt(number, already_there=True)
        return Receipt(number)

    def _ask(self, method: str, now: datetime, **params: str) -> Talk[dict[str, Any]]:
        """What is inside of the answer's envelope."""
        own = {"method": method, "app_key": self.settings.app_key, "timestamp": _beijing(now), "v": "2.0"}
        own |= {"session": self.settings.session.get_secret_value(), "sign_method": self.settings.sign_method}
        sent = {name: value for name, value in {**own, "format": "json", **params}.items() if value}
        sent["sign"] = signing.top(self._secret, sent, self.settings.sign_method)
        form = {"content-type": "application/x-www-form-urlencoded;charset=utf-8"}
        response = yield httpx.Request("POST", self.settings.gateway, data=sent, headers=form)
        if (status := response.status_code) in (408, 429) or status >= 500:
            raise Unavailable(f"HTTP {status}", retry_after=retry_after(response.headers, now), throttled=status == 429)
        answer = _parsed(response.content)
        for name, inner in answer.items() if isinstance(answer, dict) else ():
            if name == "error_response":
                raise refusal(inner)
            if isinstance(inner, dict):
                return inner
        raise NotUnderstood(f"{method} was not answered as TOP documents it", hint=SHAPES)


def records(body: Any, kind: str = "") -> Iterator[Envelope | Hint]:
    """Records inside of anything that TOP answers or pushes. `kind` is what the container says that they are."""
    if isinstance(body, list):
        for item in body:
            yield from records(item, kind)
    elif not isinstance(body, dict):
        raise NotUnderstood(f"expected a JSON object, found {type(body).__name__}", hint=SHAPES)
    elif "error_response" in body:
        raise refusal(body["error_response"])
    elif isinstance(body.get("jdp_response"), str):
        yield from records(_parsed(body["jdp_response"]))
    elif "topic" in body and "content" in body:
        yield _event(body)
    elif "tid" in body or "refund_id" in body:
        yield _record(body, kind or ("refund" if "refund_id" in body else "order"))
    else:
        yield from _inside(body, kind)


def _inside(body: Mapping[str, Any], kind: str) -> Iterator[Envelope | Hint]:
    wrappers = [k for k in body if k in CONTAINERS or k in ("result", "messages", "tmc_message") or "_response" in k]
    if not wrappers and kind:
        yield _record(body, kind)
    elif not wrappers and not body.keys() & {"total_results", "has_next"}:  # a page without records has these alone
        raise NotUnderstood("not a shape that TOP documents", hint=SHAPES)
    for name in wrappers:
        if body[name]:
            yield from records(body[name], CONTAINERS.get(name, kind))


def _record(body: Mapping[str, Any], kind: str) -> Envelope | Hint:
    """A trade or refund as it came, but with its lists wrapped as in answers that are not simplified (orders.order)."""
    key, trade, revision = _text(body.get(NUMBERS[kind])), _text(body.get("tid")), _text(body.get("modified"))
    if "oid" in body and not body.keys() & {"created", "orders", "status" if kind == "refund" else "orders"}:
        return Hint(kind, key, body=dict(body))  # the content of a message
    wrapped = {name: {inner: body[name]} for name, inner in WRAPPED.items() if isinstance(body.get(name), list)}
    if kind == "order" and not body.get("orders") and body.get("num_iid"):  # a trade of one line may carry it on itself
        wrapped["orders"] = {"order": [{"oid": trade} | {name: body[name] for name in LINE_FIELDS if name in body}]}
    return Envelope(kind, key, {**body, **wrapped}, revision, trade)


def _event(message: Mapping[str, Any]) -> Hint:
    """A TMC message {id, topic, content}; content is an object or JSON text. Raises NotUnderstood, NotAuthorised."""
    topic, content = _text(message["topic"]), message["content"]
    content = _parsed(content) if isinstance(content, str) else content
    if topic == "taobao_top_AuthCancel":
        raise NotAuthorised("the seller has withdrawn the app's authorisation")
    kind = "order" if topic.startswith("taobao_trade_") else "refund" if topic.startswith("taobao_refund_") else ""
    number = _text(content.get(NUMBERS[kind])) if kind and isinstance(content, dict) else ""
    if not number:
        raise NotUnderstood(f"{topic} names no trade and no refund", hint="Forward topics of trades and refunds only.")
    return Hint(kind, number, _text(message.get("id")), dict(message))


def refusal(error: Any) -> Refusal:
    """What an error_response means: the platform's side is told by its sub_code, everything else by its code first."""
    said = {k: _text(v) for k, v in error.items()} if isinstance(error, dict) else {"msg": str(error)}
    code, sub = said.get("code", ""), said.get("sub_code", "")
    by_sub = next((answer for beginning, answer in SUB_ANSWERS.items() if sub.startswith(beginning)), Unavailable)
    meant = by_sub if sub and by_sub is Unavailable else ANSWERS.get(code, by_sub)
    message = f"TOP: {code} {sub or said.get('msg', '')} {said.get('sub_msg', '')}".strip()
    if not issubclass(meant, Unavailable):
        return meant(message, hint=HINTS.get(code, ""), evidence=said)
    ban = re.search(r"last for (\d+) more second", said.get("sub_msg", ""))
    wait = float(ban[1]) if ban else None
    return Unavailable(message, retry_after=wait, throttled=code == "7" or "limited" in sub, evidence=said)


def _parsed(raw: str | bytes) -> Any:
    data = (raw.encode("utf-8", "surrogatepass") if isinstance(raw, str) else raw).strip()
    if data[:1] != b"<":
        return parse_json(data)
    try:  # TOP answers XML where it fails before it has read `format`
        return xmltodict.parse(data, force_list=("trade", "order", "refund", "promotion_detail"), xml_attribs=False)
    except (ExpatError, ValueError) as error:
        raise NotUnderstood(f"broken XML: {error}") from None


def _beijing(time: datetime) -> str:
    return time.astimezone(BEIJING).strftime("%Y-%m-%d %H:%M:%S")


def _text(value: Any) -> str:
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


ADAPTER = Taobao
