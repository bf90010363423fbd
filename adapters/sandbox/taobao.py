"""Imitation of Taobao's TOP gateway: POST /taobao/router/rest.

APIs: taobao.trades.sold.increment.get, taobao.trades.sold.get, taobao.trade.fullinfo.get, taobao.refunds.receive.get,
taobao.refund.get. As the real one: HTTP 200 for errors, XML unless format=json, the double-wrapped lists that
simplify=true takes away, newest first, nothing that `fields` does not name, either total_results or has_next.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from adapters.sandbox.platform import Platform, Record, Rejected, answer, beijing, from_beijing, page_of, pick
from adapters.sandbox.story import Step

DAY = 86400
TOLERANCE = 600
"""Seconds that a request's timestamp may differ from the gateway's clock."""

TOKEN_REFRESH = "taobao.top.auth.token.refresh"  # noqa: S105  # a method's name

_DEFAULT_TYPES = {"guarantee_trade", "auto_delivery", "ec", "cod", "step"}
_GUARANTEED = {"fixed", "auction"}
"""Values of a trade's `type` that the query calls guarantee_trade."""
_TOPICS = {
    "WAIT_BUYER_PAY": "TradeCreate",
    "WAIT_SELLER_SEND_GOODS": "TradeBuyerPay",
    "SELLER_CONSIGNED_PART": "TradePartlySellerShip",
    "WAIT_BUYER_CONFIRM_GOODS": "TradeSellerShip",
    "TRADE_FINISHED": "TradeSuccess",
    "TRADE_CLOSED": "TradeClose",
    "TRADE_CLOSED_BY_TAOBAO": "TradeClose",
}
_REFUND_TOPICS = {
    "WAIT_BUYER_RETURN_GOODS": "RefundSellerAgreeAgreement",
    "SELLER_REFUSE_BUYER": "RefundSellerRefuseAgreement",
    "WAIT_SELLER_CONFIRM_GOODS": "RefundBuyerReturnGoods",
    "SUCCESS": "RefundSuccess",
    "CLOSED": "RefundClosed",
}


class Taobao(Platform):
    """The gateway and one shop."""

    code: ClassVar[str] = "taobao"

    def routes(self) -> list[BaseRoute]:
        return [Route("/router/rest", self.serve, methods=["GET", "POST"])]

    def reply(self, request: Request, raw: bytes) -> Response:
        params = _params(request, raw)
        self._prove(params)
        wait = self.admit()
        if wait:
            raise Rejected(
                "7",
                "App Call Limited",
                f"accesscontrol.limited-by-app-api-access-count|This ban will last for {int(wait) + 1} more seconds",
            )
        method = params["method"]
        apis = {
            "taobao.trades.sold.increment.get": self._changed_trades,
            "taobao.trades.sold.get": self._created_trades,
            "taobao.trade.fullinfo.get": self._trade,
            "taobao.refunds.receive.get": self._changed_refunds,
            "taobao.refund.get": self._refund,
            TOKEN_REFRESH: self._refreshed,
        }
        if method not in apis:
            raise Rejected("22", "Invalid Method")
        self.count(method)
        result = {**apis[method](params), "request_id": f"sandbox{sum(self.calls.values()):08d}"}
        if params.get("simplify") == "true":
            return answer({k: _unwrap(v) for k, v in result.items()})
        return answer({method.removeprefix("taobao.").replace(".", "_") + "_response": result})

    def refuse(self, why: Rejected, request: Request) -> Response:
        sub_code, _, sub_msg = why.sub.partition("|")
        error: dict[str, Any] = {"code": int(why.code), "msg": why.message}
        if sub_code:
            error |= {"sub_code": sub_code, "sub_msg": sub_msg}
        error["request_id"] = f"sandbox{sum(self.calls.values()):08d}"
        wanted = dict(parse_qsl(request.scope.get("sandbox.form", ""))).get("format")
        if wanted == "json":
            return answer({"error_response": error})
        text = "".join(f"<{k}>{escape(str(v))}</{k}>" for k, v in error.items())
        head = '<?xml version="1.0" encoding="utf-8" ?>'
        return Response(f"{head}<error_response>{text}</error_response>", media_type="text/xml")

    def message(self, step: Step, message_id: str) -> bytes:
        """A TMC message as a relay posts it: it names the trade, or the refund, and no more."""
        content: dict[str, Any] = {"tid": int(step.subject or step.key), "seller_nick": self.shop.name}
        body: Any = step.body
        if step.kind == "order":
            content |= {"oid": int(body["orders"]["order"][0]["oid"]), "status": body["status"]}
            topic = f"taobao_trade_{_TOPICS.get(body['status'], 'TradeChanged')}"
        else:
            content |= {"oid": int(body["oid"]), "refund_id": int(step.key), "refund_fee": body["refund_fee"]}
            topic = f"taobao_refund_{_REFUND_TOPICS.get(body['status'], 'RefundCreated')}"
        message = {"id": message_id, "topic": topic, "pub_time": beijing(self.clock()), "content": content}
        return json.dumps(message, ensure_ascii=False).encode()

    def sign_push(self, body: bytes, message_id: str = "", topic: str = "", age: float = 0) -> dict[str, str]:
        """TMC itself signs nothing: its connection is trusted. A relay over HTTP signs as TOP signs its SPI calls: the
        headers that top-sign-list names, then the raw body."""
        stamp = beijing(self.clock() - age)
        secret = self.shop.account.app_secret.encode()
        sealed = secret + f"timestamp{stamp}".encode() + body + secret
        sign = hashlib.md5(sealed).hexdigest().upper()  # noqa: S324  # the platform's rule
        return {"top-sign-list": "timestamp", "timestamp": stamp, "sign": sign}

    def _prove(self, params: Mapping[str, str]) -> None:
        """System parameters, time, application, session and signature, with the gateway's own codes."""
        for name, code in (("method", "21"), ("sign", "24"), ("app_key", "28"), ("timestamp", "30"), ("v", "32")):
            if not params.get(name):
                raise Rejected(code, f"Missing {name}")
        account = self.shop.account
        if params["app_key"] != account.app_key:
            raise Rejected("29", "Invalid app Key")
        try:
            skew = abs(from_beijing(params["timestamp"]) - self.clock())
        except ValueError:
            raise Rejected("31", "Invalid Timestamp") from None
        if skew > TOLERANCE:
            raise Rejected("31", "Invalid Timestamp")
        if not hmac.compare_digest(_signature(account.app_secret, params), params["sign"]):
            raise Rejected("25", "Invalid signature")
        if params["method"] == TOKEN_REFRESH:
            return
        if not params.get("session"):
            raise Rejected("26", "Missing session")
        if not account.accepts(params["session"]):
            raise Rejected("27", "Invalid session", "isv.invalid-sessionkey|session is not valid or has expired")

    def _refreshed(self, params: Mapping[str, str]) -> dict[str, Any]:
        """The new pair comes as JSON text inside the JSON."""
        account = self.shop.account
        if params.get("refresh_token") != account.refresh_token:
            raise Rejected("15", "Remote service error", "isv.invalid-parameter|refresh_token is not valid")
        account.renew()
        tokens = {"access_token": account.token, "refresh_token": account.refresh_token, "expires_in": 31536000}
        return {"token_result": json.dumps(tokens)}

    def _changed_trades(self, params: Mapping[str, str]) -> dict[str, Any]:
        start, end = _window(params, "start_modified", "end_modified", longest=DAY)
        rows = [r for r in self.shop.between("order", start, end) if _wanted(r, params)]
        return self._listed(params, rows, "trades", "trade", most=100)

    def _created_trades(self, params: Mapping[str, str]) -> dict[str, Any]:
        start, end = _window(params, "start_created", "end_created", longest=90 * DAY)
        rows = [r for r in self.shop.between("order", start, end, by="created") if _wanted(r, params)]
        return self._listed(params, rows, "trades", "trade", most=100)

    def _changed_refunds(self, params: Mapping[str, str]) -> dict[str, Any]:
        start, end = _window(params, "start_modified", "end_modified", longest=90 * DAY)
        return self._listed(params, self.shop.between("refund", start, end), "refunds", "refund", most=100)

    def _listed(
        self, params: Mapping[str, str], rows: list[Record], outer: str, inner: str, most: int
    ) -> dict[str, Any]:
        """One page, newest change first, as the list stands at this moment."""
        fields, page, size = _fields(params), _number(params, "page_no", 1), _number(params, "page_size", 40)
        if page < 1 or not 1 <= size <= most:
            raise Rejected(
                "41", "Invalid Arguments", f"isv.invalid-parameter|page_no or page_size (1..{most}) is wrong"
            )
        rows.reverse()
        here = page_of(rows, page - 1, size)
        result: dict[str, Any] = (
            {outer: {inner: [pick(self.shown(r, whole=False), fields) for r in here]}} if here else {}
        )
        if params.get("use_has_next") == "true":
            return result | {"has_next": len(rows) > page * size}
        return result | {"total_results": len(rows)}

    def _trade(self, params: Mapping[str, str]) -> dict[str, Any]:
        return {"trade": self._single(params, "order", "tid", "isv.trade-not-exist")}

    def _refund(self, params: Mapping[str, str]) -> dict[str, Any]:
        return {"refund": self._single(params, "refund", "refund_id", "isv.refund-not-exist")}

    def _single(self, params: Mapping[str, str], kind: str, name: str, missing: str) -> dict[str, Any]:
        fields = _fields(params)
        if not params.get(name):
            raise Rejected("40", "Missing required arguments", f"isv.missing-parameter:{name}|{name} is missing")
        record = self.shop.get(kind, params[name])
        if record is None:
            raise Rejected("15", "Remote service error", f"{missing}|no such number")
        return pick(self.shown(record), fields)


def _params(request: Request, raw: bytes) -> dict[str, str]:
    form = raw.decode("utf-8", "replace") if request.method == "POST" else ""
    request.scope["sandbox.form"] = "&".join(t for t in (request.url.query, form) if t)
    return dict(parse_qsl(request.url.query, keep_blank_values=True)) | dict(parse_qsl(form, keep_blank_values=True))


def _signature(secret: str, params: Mapping[str, str]) -> str:
    """The gateway's own sum: every parameter except sign that has a name and a value, in byte order."""
    names = sorted((n for n in params if n != "sign" and n and params[n]), key=str.encode)
    text = "".join(n + params[n] for n in names).encode()
    method = params.get("sign_method", "md5")
    if method == "md5":
        digest = hashlib.md5(secret.encode() + text + secret.encode())  # noqa: S324  # the platform's rule
        return digest.hexdigest().upper()
    if method not in ("hmac", "hmac-sha256"):
        raise Rejected("25", "Invalid signature", "isv.invalid-sign-method|md5, hmac or hmac-sha256")
    return hmac.new(secret.encode(), text, "md5" if method == "hmac" else "sha256").hexdigest().upper()


def _window(params: Mapping[str, str], start: str, end: str, longest: float) -> tuple[float, float]:
    if not params.get(start) or not params.get(end):
        raise Rejected("40", "Missing required arguments", f"isv.missing-parameter:{start}|{start}, {end}")
    try:
        first, last = from_beijing(params[start]), from_beijing(params[end])
    except ValueError:
        raise Rejected("41", "Invalid Arguments", f"isv.invalid-parameter|{start} or {end} is no time") from None
    if last < first or last - first > longest:
        raise Rejected("41", "Invalid Arguments", "isv.invalid-parameter|the window is too long or ends first")
    return first, last


def _fields(params: Mapping[str, str]) -> list[str]:
    if not params.get("fields"):
        raise Rejected("40", "Missing required arguments", "isv.missing-parameter:fields|fields is missing")
    return params["fields"].split(",")


def _number(params: Mapping[str, str], name: str, default: int) -> int:
    text = params.get(name, str(default))
    if not text.isdecimal():
        raise Rejected("41", "Invalid Arguments", f"isv.invalid-parameter|{name} is no number")
    return int(text)


def _wanted(record: Record, params: Mapping[str, str]) -> bool:
    """Filters by status and by type; types that are not asked for are absent without a word."""
    if params.get("status") and record.body.get("status") != params["status"]:
        return False
    types = set(params["type"].split(",")) if params.get("type") else _DEFAULT_TYPES
    kind = str(record.body.get("type", "fixed"))
    return kind in types or (kind in _GUARANTEED and "guarantee_trade" in types)


def _unwrap(value: Any) -> Any:
    """simplify=true: {"trade": [...]} becomes the list itself, at every depth."""
    if isinstance(value, list):
        return [_unwrap(v) for v in value]
    if isinstance(value, dict):
        if len(value) == 1 and isinstance(inner := next(iter(value.values())), list):
            return _unwrap(inner)
        return {k: _unwrap(v) for k, v in value.items()}
    return value
