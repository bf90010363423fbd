"""Imitation of JD's JOS gateway: /jd/routerjson (GET or POST).

APIs: jingdong.pop.order.enSearch and .search, .enGet and .get, jingdong.pop.afs.soa.refundapply.queryPageList,
jingdong.asc.query.list. As the real one: answers under `<method>_responce` (its spelling), business success one level
deeper, text codes in the error envelope, HTTP 200 throughout, orders oldest change first unless sortType is 1, only the
optional_fields that were named, yuan as text in orders and fen as numbers in refund applications.
"""

import hashlib
import hmac
import json
import math
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from adapters.sandbox.platform import Platform, Record, Rejected, answer, from_beijing, page_of, standard_webhooks
from adapters.sandbox.story import Step

TOLERANCE = 360
"""Seconds that a request's timestamp may differ from the gateway's clock."""
MONTH = 31 * 86400

_CODES = {
    "method": ("14", "缺少方法名参数"),
    "app_key": ("20", "缺少应用参数"),
    "timestamp": ("7", "缺少时间戳参数"),
    "v": ("4", "缺少版本参数"),
    "sign": ("11", "缺少签名参数"),
    "access_token": ("18", "缺少access_token参数"),
}


class JD(Platform):
    """The gateway and one shop."""

    code: ClassVar[str] = "jd"

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/routerjson", self.serve, methods=["GET", "POST"]),
            Route("/oauth2/refresh_token", self.serve, methods=["GET"]),
        ]

    def reply(self, request: Request, raw: bytes) -> Response:
        if request.url.path.endswith("/oauth2/refresh_token"):
            return answer(self._refreshed(request.query_params))
        text = request.url.query if request.method == "GET" else raw.decode("utf-8", "replace")
        params = dict(parse_qsl(text, keep_blank_values=True)) | dict(parse_qsl(request.url.query))
        self._prove(params)
        if self.admit():
            raise Rejected("2", "超过接口调用次数限制", "Call limit exceeded")
        method = params["method"]
        apis: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "jingdong.pop.order.enSearch": self._orders,
            "jingdong.pop.order.search": self._orders,
            "jingdong.pop.order.enGet": self._order,
            "jingdong.pop.order.get": self._order,
            "jingdong.pop.afs.soa.refundapply.queryPageList": self._applications,
            "jingdong.asc.query.list": self._services,
        }
        if method not in apis:
            raise Rejected("15", "不存在的方法名", "Invalid Method")
        try:
            business = json.loads(params.get("360buy_param_json") or "{}")
        except ValueError:
            raise Rejected("62", "无效的json参数", "Invalid JSON") from None
        self.count(method)
        return answer({method.replace(".", "_") + "_responce": {**apis[method](business), "code": "0"}})

    def refuse(self, why: Rejected, request: Request) -> Response:  # the frame's signature
        error = {"code": why.code, "zh_desc": why.message}
        return answer({"error_response": error | ({"en_desc": why.sub} if why.sub else {})})

    def message(self, step: Step, message_id: str) -> bytes:
        """JD itself pushes nothing over plain HTTP. A merchant's relay in its cloud tells the number of an order, or a
        case in full."""
        told = step.body if step.kind == "refund" else {"orderId": step.key}
        return json.dumps(told, ensure_ascii=False).encode()

    def sign_push(self, body: bytes, message_id: str, topic: str = "", age: float = 0) -> dict[str, str]:
        """The relay signs by Standard Webhooks."""
        return standard_webhooks(self.shop.account.push_secret, message_id, int(self.clock() - age), body)

    def _refreshed(self, query: Mapping[str, str]) -> dict[str, Any]:
        """A fresh pair of tokens, in the words of JD's authorisation server."""
        account = self.shop.account
        if query.get("app_secret") != account.app_secret or query.get("refresh_token") != account.refresh_token:
            return {"code": "402", "msg": "refresh_token is invalid"}
        account.renew()
        tokens = {"access_token": account.token, "refresh_token": account.refresh_token}
        return tokens | {"expires_in": 31536000, "token_type": "bearer", "scope": "snsapi_base"}

    def _prove(self, params: Mapping[str, str]) -> None:
        """System parameters, application, time, signature and token, with the gateway's own codes."""
        for name, (code, words) in _CODES.items():
            if not params.get(name):
                raise Rejected(code, words, f"Missing {name}")
        account = self.shop.account
        if params["app_key"] != account.app_key:
            raise Rejected("21", "无效的app_key", "Invalid app_key")
        if abs(_moment(params["timestamp"]) - self.clock()) > TOLERANCE:
            raise Rejected("8", "无效的时间戳参数", "Invalid Timestamp")
        text = "".join(n + params[n] for n in sorted(params) if n != "sign")
        sealed = (account.app_secret + text + account.app_secret).encode()
        expected = hashlib.md5(sealed).hexdigest().upper()  # noqa: S324  # the platform's rule
        if not hmac.compare_digest(expected, params["sign"]):
            raise Rejected("12", "无效签名", "Invalid Signature")
        if not account.accepts(params["access_token"]):
            raise Rejected("19", "无效access_token", "Invalid access_token")

    def _orders(self, given: dict[str, Any]) -> dict[str, Any]:
        query = given.get("paramOrderJSFQuery", given)
        if not query.get("optional_fields"):
            raise Rejected("68", "optional_fields参数错误", "Invalid optional_fields")
        by = "created" if str(query.get("dateType", "")) == "1" else "modified"
        start, end = _span(query, "start_date", "end_date")
        states = set(str(query.get("order_state") or "ALL").split(","))
        rows = self.shop.between("order", start, end, by=by)
        rows = [r for r in rows if "ALL" in states or r.body.get("orderState") in states]
        if str(query.get("sortType", "")) == "1":
            rows.reverse()
        page, size = _number(query, "page"), _number(query, "page_size")
        if page < 1 or not 1 <= size <= 100:
            return {"searchorderinfo_result": {"apiResult": _failed("10400001", "page或page_size错误")}}
        listed = [_asked(self.shown(r), query) for r in page_of(rows, page - 1, size)]
        result = {"apiResult": {"success": True}, "orderTotal": len(rows), "orderInfoList": listed}
        return {"searchorderinfo_result": result}

    def _order(self, given: dict[str, Any]) -> dict[str, Any]:
        if not given.get("optional_fields"):
            raise Rejected("68", "optional_fields参数错误", "Invalid optional_fields")
        record = self.shop.get("order", str(given.get("order_id", "")))
        if record is None:
            return {"orderDetailInfo": {"apiResult": _failed("10400002", "订单不存在")}}
        return {"orderDetailInfo": {"apiResult": {"success": True}, "orderInfo": _asked(self.shown(record), given)}}

    def _applications(self, given: dict[str, Any]) -> dict[str, Any]:
        """Refund applications of paid orders that were not shipped; filtered by apply time or by check time."""
        rows = self._of_family("application")
        for name, field in (("applyTime", "applyTime"), ("checkTime", "checkTime")):
            if given.get(name + "Start"):
                start, end = _span(given, name + "Start", name + "End")
                rows = [r for r in rows if r.body.get(field) and start <= from_beijing(r.body[field]) <= end]
        rows = _narrowed(rows, given, {"orderId": "orderId", "ids": "id", "status": "status"})
        page, size = _number(given, "pageIndex"), _number(given, "pageSize")
        listed = [self.shown(r) for r in page_of(rows, max(page, 1) - 1, size)]
        if str(given.get("showSku", "")).lower() != "true":
            for row in listed:
                row.pop("skuApplyRefundVo", None)
        return {"queryResult": {"success": True, "totalCount": len(rows), "result": listed}}

    def _services(self, given: dict[str, Any]) -> dict[str, Any]:
        """After-sales service orders: return, exchange, repair."""
        rows = self._of_family("service")
        for name in ("applyTime", "updateTime", "finishTime"):
            if given.get(name + "Begin"):
                start, end = _span(given, name + "Begin", name + "End")
                rows = [r for r in rows if start <= _service_time(r, name) <= end]
        rows = _narrowed(rows, given, {"orderId": "orderId", "serviceId": "serviceId"})
        page, size = _number(given, "pageNumber"), _number(given, "pageSize")
        listed = [self.shown(r) for r in page_of(rows, max(page, 1) - 1, size)]
        return {"pageResult": {"success": True, "totalCount": len(rows), "pageNumber": page, "data": listed}}

    def _of_family(self, family: str) -> list[Record]:
        mark = "serviceId" if family == "service" else "applyRefundSum"
        return [r for r in self.shop.all("refund") if mark in r.body]


def _moment(text: str) -> float:
    """Both forms that circulate: `2024-06-01 12:00:00` and `2024-06-01 12:00:00.000+0800`."""
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S.%f%z").timestamp() if "+" in text else from_beijing(text)
    except ValueError:
        return math.inf


def _span(given: Mapping[str, Any], start: str, end: str) -> tuple[float, float]:
    try:
        first, last = from_beijing(str(given[start])), from_beijing(str(given[end]))
    except (KeyError, ValueError):
        raise Rejected("61", "无效的参数", f"Invalid {start} or {end}") from None
    if last < first or last - first > MONTH:
        raise Rejected("61", "时间范围不能超过一个月", f"{start} to {end} is longer than a month, or ends first")
    return first, last


def _number(given: Mapping[str, Any], name: str) -> int:
    text = str(given.get(name, ""))
    if not text.isdecimal():
        raise Rejected("60", "缺少必要参数", f"Missing {name}")
    return int(text)


def _asked(body: Mapping[str, Any], query: Mapping[str, Any]) -> dict[str, Any]:
    """orderId comes always; everything else has to be named in optional_fields."""
    names = {n.strip() for n in str(query["optional_fields"]).split(",")} | {"orderId"}
    return {k: v for k, v in body.items() if k in names}


def _narrowed(rows: list[Record], given: Mapping[str, Any], filters: Mapping[str, str]) -> list[Record]:
    for name, field in filters.items():
        if given.get(name) not in (None, ""):
            rows = [r for r in rows if str(r.body.get(field)) in str(given[name]).split(",")]
    return rows


def _service_time(record: Record, name: str) -> float:
    return record.created if name == "applyTime" else record.modified


def _failed(code: str, words: str) -> dict[str, Any]:
    return {"success": False, "numberCode": int(code), "chineseErrCode": words, "englishErrCode": code}
