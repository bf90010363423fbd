"""Imitation of the Douyin shop platform: POST /douyin/<method path>.

APIs: order/searchList, order/orderDetail, afterSale/List, afterSale/Detail, token/create, token/refresh; pushes as a
JSON array signed in `event-sign`. As the real one: HTTP 200 for errors, pages from 0, newest first unless order_asc,
amounts in fen, a body that has to be the very bytes that were signed, a push answered with `{"code":0}` or sent again.
"""

import hashlib
import hmac
import json
import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import httpx
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from adapters.sandbox.platform import Platform, Record, Rejected, answer, from_beijing, page_of
from adapters.sandbox.story import Step

TOLERANCE = 600
"""Seconds that a request's timestamp may differ from the platform's clock."""
DEEPEST = 50_000
"""Rows that can be reached by paging."""


class Douyin(Platform):
    """The platform and one shop."""

    code: ClassVar[str] = "douyin"

    def routes(self) -> list[BaseRoute]:
        return [Route("/{path:path}", self.serve, methods=["POST"])]

    def reply(self, request: Request, raw: bytes) -> Response:
        method = request.path_params["path"].strip("/").replace("/", ".")
        query = dict(request.query_params)
        if query.get("method") != method:
            raise Rejected("40002", "缺少参数", "isv.parameter-missing:method")
        self._prove(query, raw)
        if not method.startswith("token."):
            self._admit_token(query.get("access_token", ""))
        if self.admit():
            raise Rejected("60000", "请求频率过高", "isv.api-rate-limited")
        apis: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "order.searchList": self._search,
            "order.orderDetail": self._detail,
            "afterSale.List": self._aftersales,
            "afterSale.Detail": self._aftersale,
            "token.create": self._token,
            "token.refresh": self._token,
        }
        if method not in apis:
            raise Rejected("70000", "API已下线", "dop.api-not-existed")
        try:
            given = json.loads(raw or b"{}")
        except ValueError:
            raise Rejected("40004", "参数不合法", "isv.parameter-invalid:param_json") from None
        self.count(method)
        return answer(self._envelope(10000, "success", data=apis[method](given)))

    def refuse(self, why: Rejected, request: Request) -> Response:  # the frame's signature
        return answer(self._envelope(int(why.code), why.message, why.sub))

    def message(self, step: Step, message_id: str) -> bytes:
        """Thin: numbers and the tag, no goods; the JSON of an event is text inside the JSON of the message."""
        body: Any = step.body
        data: dict[str, Any] = {"p_id": int(step.subject or step.key), "shop_id": 77001, "order_type": 0}
        if step.kind == "order":
            data |= {"s_ids": [int(r["order_id"]) for r in body["sku_order_list"]]}
            data |= {"order_status": body["order_status"], "create_time": int(step.created)}
        else:
            info = body["aftersale_info"]
            data |= {"aftersale_id": int(step.key), "s_id": int(info["related_id"])}
            data |= {n: info[n] for n in ("aftersale_type", "aftersale_status", "refund_amount")}
        data["update_time"] = int(step.modified)
        events = [{"tag": step.topic, "msg_id": message_id, "data": json.dumps(data, separators=(",", ":"))}]
        return json.dumps(events, ensure_ascii=False, separators=(",", ":")).encode()

    def sign_push(self, body: bytes, message_id: str = "", topic: str = "", age: float = 0) -> dict[str, str]:
        """event-sign has no time in it, so an old one is as good as a new one."""
        account = self.shop.account
        sealed = account.app_key.encode() + body + account.app_secret.encode()
        return {"app-id": account.app_key, "event-sign": hashlib.md5(sealed).hexdigest()}  # noqa: S324  # its rule

    def acknowledged(self, response: httpx.Response) -> bool:
        try:
            return response.is_success and response.json().get("code") == 0
        except (ValueError, AttributeError):
            return False

    def _envelope(self, code: int, msg: str, sub: str = "", data: Any = None) -> dict[str, Any]:
        envelope = {"code": code, "msg": msg, "sub_code": sub, "sub_msg": msg if sub else ""}
        envelope |= {"log_id": f"SANDBOX{sum(self.calls.values()):012d}"}
        return envelope if data is None else envelope | {"data": data}

    def _prove(self, query: Mapping[str, str], raw: bytes) -> None:
        """Parameters, application, time and signature over the very bytes of the body."""
        for name in ("app_key", "method", "timestamp", "v", "sign"):
            if not query.get(name):
                raise Rejected("40002", "缺少参数", f"isv.parameter-missing:{name}")
        account = self.shop.account
        if query["app_key"] != account.app_key:
            raise Rejected("30001", "权限不足", "dop.app-forbidden")
        if abs(_moment(query["timestamp"]) - self.clock()) > TOLERANCE:
            raise Rejected("40003", "非法的参数", "isv.timestamp-invalid")
        body = raw.decode("utf-8", "replace")
        plain = f"app_key{query['app_key']}method{query['method']}param_json{body}timestamp{query['timestamp']}v2"
        sealed = f"{account.app_secret}{plain}{account.app_secret}".encode()
        if query.get("sign_method", "md5") == "md5":
            expected = hashlib.md5(sealed).hexdigest()  # noqa: S324  # the platform's rule
        else:
            expected = hmac.new(account.app_secret.encode(), sealed, "sha256").hexdigest()
        if not hmac.compare_digest(expected, query["sign"]):
            raise Rejected("40003", "非法的参数", "isv.signature-invalid")

    def _admit_token(self, token: str) -> None:
        account = self.shop.account
        if account.accepts(token):
            return
        if not token:
            raise Rejected("40002", "缺少参数", "isv.parameter-missing:access_token")
        old = token in account.expired
        raise Rejected("40003", "非法的参数", "isv.access-token-expired" if old else "isv.access-token-no-existed")

    def _token(self, given: dict[str, Any]) -> dict[str, Any]:
        """A fresh pair; the old ones stop being good."""
        account = self.shop.account
        if given.get("grant_type") == "refresh_token" and given.get("refresh_token") != account.refresh_token:
            raise Rejected("50001", "平台处理失败", "dop.token-generate-failed:refresh_token")
        account.renew()
        tokens = {"access_token": account.token, "refresh_token": account.refresh_token}
        return tokens | {"expires_in": 604800, "shop_id": 77001, "shop_name": self.shop.name, "scope": "SCOPE"}

    def _search(self, given: dict[str, Any]) -> dict[str, Any]:
        by = "modified" if given.get("order_by") == "update_time" else "created"
        name = "update_time" if by == "modified" else "create_time"
        start, end = _bounds(given, f"{name}_start", f"{name}_end")
        rows = self.shop.between("order", start, end, by=by)
        if given.get("order_asc") is not True:
            rows.reverse()
        page, size = _paging(given)
        listed = [self.shown(r) for r in page_of(rows, page, size)]
        return {"page": page, "size": size, "total": len(rows), "shop_order_list": listed}

    def _detail(self, given: dict[str, Any]) -> dict[str, Any]:
        record = self._known("order", str(given.get("shop_order_id", "")))
        return {"shop_order_detail": self.shown(record)}

    def _aftersales(self, given: dict[str, Any]) -> dict[str, Any]:
        if "update_start_time" in given:
            start, end = _bounds(given, "update_start_time", "update_end_time")
            rows = self.shop.between("refund", start, end)
        elif "start_time" in given:
            start, end = _bounds(given, "start_time", "end_time")
            rows = self.shop.between("refund", start, end, by="created")
        else:
            rows = self.shop.all("refund")
        if given.get("order_by") != ["update_time asc"]:
            rows.reverse()
        if given.get("aftersale_id"):
            rows = [r for r in rows if r.key == str(given["aftersale_id"])]
        if given.get("order_id"):
            rows = [r for r in rows if r.subject == str(given["order_id"])]
        page, size = _paging(given)
        items = [self.shown(r) for r in page_of(rows, page, size)]
        more = (page + 1) * size < len(rows)
        return {"items": items, "has_more": more, "total": len(rows), "page": page, "size": size}

    def _aftersale(self, given: dict[str, Any]) -> dict[str, Any]:
        """The detail calls the parts of a list item by other names, and knows what was really paid back; what the
        after-sale of a row comes to is told by the list alone."""
        body = self.shown(self._known("refund", str(given.get("after_sale_id", ""))))
        info, names = body["aftersale_info"], ("apply_time", "update_time", "part_type", "got_pkg", "refund_status")
        detail = {name: info[name] for name in names} | {
            "after_sale_id": int(info["aftersale_id"]),
            "after_sale_status": info["aftersale_status"],
            "after_sale_type": info["aftersale_type"],
            "aftersale_status_to_final_time": info["aftersale_status_to_final_time"],
            "refund_total_amount": info["refund_amount"],
            "refund_post_amount": info["refund_post_amount"],
            "real_refund_amount": info["refund_amount"] if info["refund_status"] == 3 else 0,
            "reason": body["text_part"]["reason_text"],
            "reason_remark": "",
        }
        back = {"tracking_no": info["return_logistics_code"], "company_name": info["return_logistics_company_name"]}
        rows = [_detailed(row) for row in body["order_info"]["related_order_info"]]
        return {
            "process_info": {
                "after_sale_info": detail,
                "logistics_info": {"return": back} if any(back.values()) else {},
            },
            "order_info": {"shop_order_id": int(body["order_info"]["shop_order_id"]), "sku_order_infos": rows},
        }

    def _known(self, kind: str, key: str) -> Record:
        record = self.shop.get(kind, key)
        if record is None:
            raise Rejected("50002", "业务处理失败", "isv.business-failed:2010001")
        return record


def _detailed(row: Mapping[str, Any]) -> dict[str, Any]:
    same = ("order_status", "pay_amount", "product_id", "product_name", "shop_sku_code", "create_time")
    told = {name: row[name] for name in same}
    return told | {
        "sku_order_id": int(row["sku_order_id"]),
        "item_quantity": row["item_num"],
        "after_sale_item_count": row["aftersale_item_num"],
    }


def _moment(text: str) -> float:
    """Seconds since 1970 or Beijing time: both are in the field."""
    try:
        return int(text) if text.isdecimal() else from_beijing(text)
    except ValueError:
        return math.inf


def _bounds(given: Mapping[str, Any], start: str, end: str) -> tuple[float, float]:
    first, last = given.get(start), given.get(end)
    if not isinstance(first, int) or not isinstance(last, int) or last < first:
        raise Rejected("40004", "参数不合法", f"isv.parameter-invalid:{start}")
    return first, last


def _paging(given: Mapping[str, Any]) -> tuple[int, int]:
    """`page` has to be there even when it is 0."""
    page, size = given.get("page"), given.get("size")
    if not isinstance(page, int) or not isinstance(size, int):
        raise Rejected("40002", "缺少参数", "isv.parameter-missing:page")
    if page < 0 or not 1 <= size <= 100 or (page + 1) * size > DEEPEST:
        raise Rejected("40004", "参数不合法", "isv.parameter-invalid:size")
    return page, size
