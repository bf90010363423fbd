"""Pinduoduo through POP, the open platform: orders and after-sale cases.

The lists by time of change take half an hour at most. A row that changes meanwhile leaves the window and those behind
it move up, so pages are read from the last back to the first. The platform writes them up to three minutes late:
keep `pull.overlap` above that. Rows carry the whole order; the buyer's address is there until the parcel leaves.
Cases are read from the list alone, which tells yuan; the single answer's unit is not documented, so the case that it
or a message names is asked for again by its order, and the key of such a hint is "order/case".
Push: the platform sends messages over a WebSocket, without a signature. A merchant's relay passes its frames, or the
message inside, on to the hub, signed by Standard Webhooks.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar

import httpx
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from adapters import signing
from adapters.answers import retry_after
from adapters.port import Capability, Credentials, Envelope, Hint, Page, Receipt, Reply, Talk, Window
from adapters.wire_json import objects, text, typed
from canonical import parse_json
from canonical.errors import HubError, NotAuthorised, NotUnderstood, Refusal, Refused, SignatureRejected, Unavailable

WIDEST, SIZE = timedelta(minutes=30), 100  # of a list by time of change
ANSWERS: dict[str, type[Refusal]] = {
    **dict.fromkeys(["50000", "50002", "52001", "52002", "52101", "52102", "52103", "70031", "70033"], Unavailable),
    "70036": Unavailable,
    **dict.fromkeys(["10019", "20004", "20005", "20031", "20032", "30000", "30001"], NotAuthorised),
    **dict.fromkeys(["70032", "70034", "70035"], NotAuthorised),
    **dict.fromkeys(["10000", "10001", "10016", "10017", "20034", "20035", "21001", "21002"], Refused),
    **dict.fromkeys(["50001", "52004"], Refused),
}
"""POP's error codes. 50001 is any business error, told apart by sub_code and sub_msg. Unknown ones are refused."""
THROTTLED = ("52101", "70031", "70036")
HINTS = {
    "10001": "The message names the parameter. POP allows ten minutes: set this machine's clock.",
    "10019": "The hub renews the token once by itself; if this stays, authorise the app for the shop again.",
    "20004": "Check client_id and client_secret in hub.toml.",
    "20005": "Enter this machine's address in the app's IP list on the open platform.",
    "20031": "Apply for this API's permission in the open platform's console.",
    "20032": "client_id and access_token belong to different apps.",
    **dict.fromkeys(["70032", "70034", "70035"], "The platform's risk control forbids it: ask the platform."),
}
LISTS = {"order": "pdd.order.number.list.increment.get", "refund": "pdd.refund.list.increment.get"}
ALL: dict[str, dict[str, Any]] = {
    "order": {"is_lucky_flag": 0, "order_status": 5, "refund_status": 5},
    "refund": {"after_sales_status": 1, "after_sales_type": 1},
}
"""Each list's filters for "all": it refuses a question without them."""
ROWS = ("order_list", "order_sn_list", "refund_list")
SHAPES = (
    "Known are the answers of POP's order and refund lists, of pdd.order.information.get and "
    "pdd.refund.information.get, with or without their envelope, single records, lists of them, and push messages."
)


class PinduoduoShop(BaseModel):
    """The app's keys and the shop's tokens."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    client_id: str = Field(min_length=1, description="client_id of the app in the open platform's console.")
    client_secret: SecretStr = Field(description="client_secret. Signs requests.")
    access_token: SecretStr = Field(description="The shop's token.")
    refresh_token: SecretStr | None = Field(None, description="Renews access_token.")
    push_secret: SecretStr | None = Field(None, description="Standard Webhooks secret of the merchant's relay.")
    mall_id: str = Field("", pattern="^[0-9]*$", description="The shop's number. Leaves out other shops' messages.")
    gateway: str = Field("https://gw-api.pinduoduo.com/api/router", pattern="^https?://", description="Address of POP.")
    carriers: dict[str, str] = Field(
        {}, description="logistics_id (of pdd.logistics.companies.get) for a carrier code of the hub: needed to ship."
    )


class Pinduoduo:
    """One Pinduoduo shop."""

    title: ClassVar[str] = "Pinduoduo"
    kinds: ClassVar[tuple[str, ...]] = ("order", "refund")
    capabilities: ClassVar[frozenset[Capability]] = frozenset(Capability)
    Settings: ClassVar[type[BaseModel]] = PinduoduoShop

    def __init__(self, settings: PinduoduoShop) -> None:
        self.settings = settings

    def verify(self, headers: Mapping[str, str], raw: bytes, now: datetime) -> None:
        """Standard Webhooks with push_secret; without one nothing is accepted."""
        if self.settings.push_secret is None:
            raise SignatureRejected("this shop takes no pushes: it has no push_secret")
        signing.verify_standard_webhooks([self.settings.push_secret.get_secret_value()], headers, raw, now.timestamp())

    def unpack(self, headers: Mapping[str, str], raw: bytes, now: datetime) -> Iterator[Envelope | Hint]:
        """A hint for a message about an order or a case, nothing for one about goods or a heartbeat."""
        return self.read(parse_json(raw))

    def acknowledge(self, error: HubError | None) -> Reply:
        """To the relay, which acknowledges the frame to the platform only after a 200."""
        if error is None:
            return Reply(200, b'{"success":true}')
        status = 401 if isinstance(error, SignatureRejected) else 503 if error.retryable else 400
        return Reply(status, b'{"success":false,"error":"%s"}' % error.code.encode())

    def read(self, body: Any, kind: str | None = None) -> Iterator[Envelope | Hint]:
        """Everything that SHAPES names."""
        return (found for found in records(body, self.settings.mall_id) if kind in (None, found.kind))

    def pull(self, kind: str, window: Window, cursor: str | None, now: datetime) -> Talk[Page]:
        """One page. The cursor is "start of the half hour/page"; page 0: count first, which brings page 1 along."""
        place, _, number = (cursor or f"{window.start.isoformat()}/0").rpartition("/")
        start, page = datetime.fromisoformat(place), int(number)
        end = min(start + WIDEST, window.end)
        answer = yield from self._list(kind, page or 1, start, end, now)
        if not page:
            total = answer.get("total_count")
            if not isinstance(total, int) or isinstance(total, bool):
                raise NotUnderstood(f"{LISTS[kind]} did not tell total_count", hint=SHAPES)
            page = max(1, -(-total // SIZE))
            if page > 1:
                answer = yield from self._list(kind, page, start, end, now)
        found = [*records(answer)]
        after = f"{start.isoformat()}/{page - 1}" if page > 1 else f"{end.isoformat()}/0" if end < window.end else None
        whole = [record for record in found if isinstance(record, Envelope)]
        return Page(whole, after, [record for record in found if isinstance(record, Hint)])

    def fetch(self, kind: str, key: str, now: datetime) -> Talk[Envelope]:
        """pdd.order.information.get; for a case "order/case" the list of cases, by the order's number."""
        order, _, case = key.partition("/")
        if kind == "refund" and not case:
            hint = "POP finds a case by its order only: fetch it as ORDER/CASE, or pull the time when it changed."
            raise Refused(f"the order of the case {key} is not known", code="wire.no_such_record", hint=hint)
        if kind == "order":
            answer = yield from self._ask("pdd.order.information.get", {"order_sn": order}, now)
        else:
            span = {"start_updated_at": int((now - WIDEST).timestamp()), "end_updated_at": int(now.timestamp())}
            answer = yield from self._ask(LISTS[kind], {**ALL[kind], **span, "order_sn": order}, now)
        for found in records(answer):
            if isinstance(found, Envelope) and (found.kind, found.key) == (kind, case or order):
                return found
        raise Refused(f"Pinduoduo has no {kind} {key}", code="wire.no_such_record")

    def refresh(self, now: datetime) -> Talk[Credentials | None]:
        """pdd.pop.auth.token.refresh; None without a refresh_token."""
        if self.settings.refresh_token is None:
            return None
        token = self.settings.refresh_token.get_secret_value()
        fresh = yield from self._ask("pdd.pop.auth.token.refresh", {"refresh_token": token}, now)
        tokens = {name: text(fresh[name]) for name in ("access_token", "refresh_token") if text(fresh.get(name))}
        if "access_token" not in tokens:
            raise NotAuthorised("POP gave no new token", hint=HINTS["10019"])
        seconds = typed(fresh.get("expires_in"), int)
        return Credentials(tokens, now + timedelta(seconds=seconds) if 0 < seconds < 10**9 else None)

    def tell(self, change: Mapping[str, Any], now: datetime) -> Talk[Receipt]:
        """A shipment: pdd.logistics.online.send, and for the parcels after the first pdd.order.upload.extra.logistics.
        Stock, absolute: pdd.goods.quantity.update, which needs the product's number in extra.goods_id."""
        if str(change["schema"]).startswith("stock/"):
            yield from self._ask("pdd.goods.quantity.update", stock(change), now)
            return Receipt(str(change["sku"]))
        order, number, carrier = (text(change.get(name)) for name in ("order_no", "tracking_no", "carrier"))
        if not (company := self.settings.carriers.get(carrier)):
            hint = f'In hub.toml: carriers = {{ {carrier} = "..." }}, with the id of pdd.logistics.companies.get.'
            raise Refused(f"no logistics_id is known for the carrier {carrier}", hint=hint)
        sent = {"order_sn": order, "logistics_id": company, "tracking_number": number}
        try:
            yield from self._ask("pdd.logistics.online.send", sent, now)
        except Refused:  # perhaps because it is shipped already: by a parcel before this one, or an answer was lost
            there = (yield from self.fetch("order", order, now)).body
            parcels = [there, *objects(there.get("extra_delivery_list"))]
            if number and number in [text(parcel.get("tracking_number")) for parcel in parcels]:
                return Receipt(number, already_there=True)
            if there.get("order_status") == 1:
                raise
            extra = signing.sorted_json([{"shipping_id": company, "track_no": number}])
            further = {"order_sn": order, "extra_track_list": extra, "extra_track_type": 1}
            yield from self._ask("pdd.order.upload.extra.logistics", further, now)
        return Receipt(number)

    def _list(self, kind: str, page: int, start: datetime, end: datetime, now: datetime) -> Talk[dict[str, Any]]:
        span = {"start_updated_at": int(start.timestamp()), "end_updated_at": int(end.timestamp())}
        return (yield from self._ask(LISTS[kind], {**ALL[kind], **span, "page": page, "page_size": SIZE}, now))

    def _ask(self, name: str, params: Mapping[str, Any], now: datetime) -> Talk[dict[str, Any]]:
        """One signed request; what is inside of the answer's envelope."""
        own = {"type": name, "client_id": self.settings.client_id, "timestamp": str(int(now.timestamp()))}
        own |= {"data_type": "JSON", "version": "V1"}
        if not name.startswith("pdd.pop.auth."):
            own["access_token"] = self.settings.access_token.get_secret_value()
        sent = own | {key: str(value) for key, value in params.items()}
        sent["sign"] = signing.top(self.settings.client_secret.get_secret_value(), sent)
        response = yield httpx.Request("POST", self.settings.gateway, data=sent)
        if (status := response.status_code) in (408, 429) or status >= 500:
            wait = retry_after({k.lower(): v for k, v in response.headers.items()}, now)
            raise Unavailable(f"POP answered HTTP {status}", retry_after=wait, throttled=status == 429)
        return inside(parse_json(response.content))


def inside(answer: Any) -> dict[str, Any]:
    """What is in an envelope, whose name does not follow from the API's. Raises what an error_response means."""
    if isinstance(answer, dict):
        if "error_response" in answer:
            raise refusal(typed(answer["error_response"], dict))
        for name, inner in answer.items():
            if name.endswith("_response") and isinstance(inner, dict):
                if inner.get("is_success") is False:
                    raise Refused("POP answered is_success false", evidence=dict(inner))
                return inner
    raise NotUnderstood("neither a record nor an answer of POP", hint=SHAPES)


def refusal(error: Mapping[str, Any]) -> Refusal:
    """What an error_response means, by its error_code."""
    said = {
        name: error[name]
        for name in ("error_code", "error_msg", "sub_code", "sub_msg", "request_id")
        if error.get(name)
    }
    code = text(said.get("error_code"))
    sub = text(said.get("sub_msg")) or text(said.get("error_msg"))
    message, hint = f"POP: {code} {sub}".strip(), HINTS.get(code, "")
    meant = ANSWERS.get(code, Refused)
    if meant is Unavailable:
        return Unavailable(message, throttled=code in THROTTLED, hint=hint, evidence=said)
    return meant(message, hint=hint, evidence=said)


def records(body: Any, mall_id: str = "") -> Iterator[Envelope | Hint]:
    """Records inside of anything that POP answers or pushes."""
    if isinstance(body, list):
        for item in body:
            yield from records(item, mall_id)
    elif not isinstance(body, dict):
        raise NotUnderstood(f"expected a JSON object or array, found {type(body).__name__}", hint=SHAPES)
    elif "commandType" in body or "mallID" in body:
        yield from event(body, mall_id)
    elif "order_sn" in body:
        yield record(body)
    elif isinstance(body.get("order_info"), dict):
        yield from records(body["order_info"])
    elif name := next((name for name in ROWS if name in body), ""):
        yield from records(typed(body[name], list))
    elif body.get("total_count") != 0 and body.get("has_next") is not False:
        yield from records(inside(body), mall_id)


def record(body: dict[str, Any]) -> Envelope | Hint:
    """An order or a case in full; a hint where the row only names one, or tells amounts without their unit."""
    order, case = text(body.get("order_sn")), text(body.get("id") or body.get("after_sales_id"))
    if case:
        if "created_time" not in body:
            return Hint("refund", f"{order}/{case}", body=body)
        return Envelope("refund", case, body, text(body.get("updated_time")), order)
    if "item_list" not in body:
        return Hint("order", order, body=body)
    return Envelope("order", order, body, text(body.get("updated_at")), order)


def event(frame: dict[str, Any], mall_id: str) -> Iterator[Envelope | Hint]:
    """What a frame {id, commandType, message: {type, mallID, content}}, or the message alone, names."""
    message = typed(frame.get("message"), dict) if "commandType" in frame else frame
    if frame.get("commandType", "Common") != "Common" or (mall_id and text(message.get("mallID")) not in ("", mall_id)):
        return  # a heartbeat, or another shop of the same app
    topic, content = text(message.get("type")), message.get("content")
    told = typed(parse_json(content.encode("utf-8", "surrogatepass")) if isinstance(content, str) else content, dict)
    order, case, number = text(told.get("tid")), text(told.get("refund_id")), text(frame.get("id"))
    if topic.startswith("pdd_refund_") and order and case:
        yield Hint("refund", f"{order}/{case}", number, message)
    elif topic.startswith("pdd_trade_") and order:
        yield Hint("order", order, number, message)
    elif not topic.startswith("pdd_") or topic.startswith(("pdd_trade_", "pdd_refund_")):
        raise NotUnderstood(f"the message {topic or 'without a type'} names no order and no case", hint=SHAPES)


def stock(change: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of pdd.goods.quantity.update: what may be sold, as it is, not as a difference."""
    extra = typed(change.get("extra"), dict)
    if not (goods := text(extra.get("goods_id"))):
        hint = "pdd.goods.quantity.update needs extra.goods_id: fill it in the mapping of the stock."
        raise Refused(f"the stock of {change['sku']} names no Pinduoduo product", hint=hint)
    variant = {"sku_id": text(extra["sku_id"])} if text(extra.get("sku_id")) else {"outer_id": change["sku"]}
    return {"goods_id": goods, **variant, "quantity": int(change["available"]), "update_type": 1}


ADAPTER = Pinduoduo
