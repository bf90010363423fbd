"""Destination `tryton`: sales, cancellations and customer returns in a Tryton ERP (series 8) over its REST interface.

One document is several requests, each safe to repeat: what is there already is found by the channel's order number
(`sale.reference`) and gone on with. Source: Tryton's REST interface and models; GPL software that is only talked to.
"""

from base64 import urlsafe_b64encode
from collections.abc import Generator, Mapping, Sequence
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, ClassVar

import httpx
import orjson
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from adapters.answers import OUTAGES
from adapters.port import Delivery, Receipt, Talk
from canonical.errors import InternalError, NotAuthorised, Refused, Unavailable

_PRICE = Decimal("0.0001")  # as Tryton keeps unit prices by default (product.price_decimal)
_BEGUN, _GONE = ("draft", "quotation"), "cancelled"
_SALE = ("state", "number", "total_amount", "lines.quantity", "lines.product.code")
Asked = Generator[httpx.Request, httpx.Response, Any]


class TrytonSettings(BaseModel):
    """One company in one database of a Tryton server."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    url: str = Field(min_length=1, description="the server's address, such as https://erp.example.com")
    database: str = Field(min_length=1, description="name of the database")
    key: SecretStr = Field(description="key of a user application of kind `rest`")
    company: int = Field(1, ge=1, description="id of the company that sells")
    warehouse: str = Field("WH", description="code of the warehouse that ships")
    tax: str = Field("", description="name of the tax of every line, contained in the channel's prices; empty: none")
    freight: str = Field("freight", description="description of the line that carries the buyer's freight")


class Tryton:
    """Orders become confirmed sales, refunds that were paid become sales with negative quantities."""

    title: ClassVar[str] = "Tryton ERP"
    Settings: ClassVar[type[TrytonSettings]] = TrytonSettings
    can_look_up: bool = True
    many_steps: ClassVar[bool] = True

    def __init__(self, settings: TrytonSettings) -> None:
        self._settings = settings
        context = urlsafe_b64encode(orjson.dumps({"company": settings.company})).decode()
        key = settings.key.get_secret_value()
        self._headers = {"Authorization": f"Bearer {key}", "X-Tryton-Context": context}
        self._base = f"{settings.url.rstrip('/')}/{settings.database}/rest/model"

    def push(self, delivery: Delivery, now: datetime) -> Talk[Receipt]:
        """Bring the sale to what the document says."""
        document = delivery.body
        lines = document.get("lines") if isinstance(document, Mapping) else None
        if not isinstance(lines, list) or not all(isinstance(line, Mapping) for line in lines):
            raise Refused("this is no order or refund", code="delivery.body", hint="Give tryton no mapping of its own.")
        work = self._refund(document) if delivery.kind == "refund" else self._order(document)
        receipt: Receipt = yield from work
        return receipt

    def look_up(self, delivery: Delivery, now: datetime) -> Talk[Receipt | None]:
        """Whether the document took effect: a sale that was begun and not confirmed did not."""
        found = yield from self._sale(delivery.key)
        if found is None or found.get("state") in _BEGUN:
            return None
        gone = isinstance(delivery.body, Mapping) and delivery.body.get("state") == _GONE
        if gone and found.get("state") != _GONE:
            return None
        return Receipt(str(found.get("number") or ""), already_there=True)

    def _order(self, order: Mapping[str, Any]) -> Asked:
        found = yield from self._sale(str(order.get("order_no", "")))
        if order.get("state") == _GONE:
            return (yield from self._cancelled(found))
        if found is not None and found.get("state") not in _BEGUN:
            return _unchanged(found, order)
        if found is None:
            found = yield from self._created(order)
        return (yield from self._confirmed(found))

    def _cancelled(self, found: Mapping[str, Any] | None) -> Asked:
        """A sale that never was needs no cancelling; one that is being shipped cannot be cancelled any more."""
        if found is None or found.get("state") == _GONE:
            return Receipt(str((found or {}).get("number") or ""), already_there=True)
        yield from self._post(f"sale.sale/{found['id']}/cancel", {})
        return Receipt(str(found.get("number") or ""))

    def _created(self, order: Mapping[str, Any]) -> Asked:
        products = yield from self._products([line.get("sku") for line in order["lines"]])
        tax = yield from self._tax()
        lines = [_line(products[line["sku"]], line, tax) for line in order["lines"]]
        totals = order.get("totals") or {}
        if freight := _decimal(totals.get("shipping")):
            lines.append(_free(self._settings.freight, freight))
        made = yield from self._save(order, str(order["order_no"]), lines)
        payable = _decimal(totals.get("payable"))
        rest = payable - _amount(made) if payable is not None else Decimal(0)
        if rest:  # what is off the whole order, and cents that were lost in dividing
            kind = "rounding" if abs(rest) <= Decimal("0.01") * len(lines) else "discount"
            change = {"lines": [["create", [_free(kind, rest)]]]}
            made = yield from self._post(f"sale.sale/{made['id']}", change, method="PUT")
        return made

    def _refund(self, refund: Mapping[str, Any]) -> Asked:
        """Money that went back is a return; a case that is still open changes nothing in the books."""
        number = str(refund.get("refund_no", ""))
        found = yield from self._sale(number)
        if found is not None and found.get("state") not in _BEGUN:
            return Receipt(str(found.get("number") or ""), already_there=True)
        if refund.get("state") != "refunded":
            return Receipt()
        if found is None:
            found = yield from self._returned(refund, number)
        return (yield from self._confirmed(found))

    def _returned(self, refund: Mapping[str, Any], number: str) -> Asked:
        whole = _decimal(refund.get("amount")) or Decimal(0)
        known = [line for line in refund["lines"] if line.get("sku") and line.get("amount") is not None]
        goods = refund.get("kind") == "return_and_refund"
        lines: list[dict[str, Any]] = []
        if goods:
            products = yield from self._products([line["sku"] for line in known])
            tax = yield from self._tax()
            lines = [_line(products[line["sku"]], line, tax, sign=-1) for line in known]
        told = sum((_decimal(line["amount"]) or Decimal(0) for line in known if goods), Decimal(0))
        if whole - told:
            lines.append(_free("refund", told - whole))
        return (yield from self._save(refund, number, lines))

    def _save(self, document: Mapping[str, Any], reference: str, lines: Sequence[Mapping[str, Any]]) -> Asked:
        currency = yield from self._one("currency.currency", [["code", "=", document.get("currency")]], "currency")
        warehouse = [["code", "=", self._settings.warehouse], ["type", "=", "warehouse"]]
        place = yield from self._one("stock.location", warehouse, "warehouse")
        party, address = yield from self._party(document)
        sale = {
            "company": self._settings.company, "currency": currency["id"], "party": party, "reference": reference,
            "invoice_address": address, "shipment_address": address, "warehouse": place["id"],
            "invoice_method": "order", "shipment_method": "order", "lines": [["create", list(lines)]],
        }  # fmt: skip
        return (yield from self._post("sale.sale", sale))

    def _confirmed(self, sale: Mapping[str, Any]) -> Asked:
        if sale.get("state") == "draft":
            yield from self._post(f"sale.sale/{sale['id']}/quote", {})
        done = yield from self._post(f"sale.sale/{sale['id']}/confirm", {})
        return Receipt(str(done.get("number") or ""))

    def _sale(self, reference: str) -> Asked:
        """The sale of that reference: one that lives before one that was cancelled."""
        rows = yield from self._search("sale.sale", [["reference", "=", reference]], *_SALE)
        return min(rows, key=lambda row: row.get("state") == _GONE, default=None)

    def _products(self, skus: Sequence[Any]) -> Asked:
        wanted = sorted({str(sku) for sku in skus if sku})
        rows = yield from self._search("product.product", [["code", "in", wanted]], "code", "sale_uom", "default_uom")
        found = {row.get("code"): row for row in rows}
        missing = [sku for sku in wanted if sku not in found] + (["(none)"] if not all(skus) else [])
        if missing:
            raise Refused(
                f"the ERP has no product {', '.join(missing)}",
                code="delivery.unknown_sku",
                hint="Create the product in Tryton, or correct the SKU in the shop; then replay.",
                evidence={"reason": f"unknown SKU {', '.join(missing)}"},
            )
        return found

    def _tax(self) -> Asked:
        if not self._settings.tax:
            return None
        found = yield from self._one("account.tax", [["name", "=", self._settings.tax]], "tax", "rate")
        return {"id": found["id"], "rate": _decimal(found.get("rate")) or Decimal(0)}

    def _party(self, document: Mapping[str, Any]) -> Asked:
        """Who bought, by a code of the shop's; made on the first order. Gives ids of the party and its address."""
        receiver, buyer = document.get("receiver") or {}, document.get("buyer") or {}
        who = buyer.get("id") or document.get("order_no")
        code = f"{document.get('shop')}/{who}"[:60]
        rows = yield from self._search("party.party", [["code", "=", code]], "addresses.street")
        if rows and rows[0].get("addresses"):
            return rows[0]["id"], rows[0]["addresses"][0]["id"]
        words = [receiver.get(name) for name in ("province", "city", "district", "town", "street")]
        address = {"street": " ".join(filter(None, words)), "city": receiver.get("city") or ""}
        party = {"code": code, "name": receiver.get("name") or code, "addresses": [["create", [address]]]}
        made = yield from self._post("party.party", party, fields=("addresses.street",))
        return made["id"], made["addresses"][0]["id"]

    def _one(self, model: str, domain: Sequence[Any], what: str, *fields: str) -> Asked:
        rows = yield from self._search(model, domain, "rec_name", *fields)
        if not rows:
            name = domain[0][2]
            hint = f"Create it in Tryton, or write another {what} into hub.toml; then replay."
            raise Refused(f"the ERP has no {what} {name!r}", code="delivery.erp_settings", hint=hint)
        return rows[0]

    def _search(self, model: str, domain: Sequence[Any], *fields: str) -> Asked:
        asked = [("d", urlsafe_b64encode(orjson.dumps(domain)).decode()), *(("f", name) for name in fields)]
        url = httpx.URL(f"{self._base}/{model}", params=asked)
        answer = self._read((yield httpx.Request("GET", url, headers=self._headers)))
        if not isinstance(answer, list) or not all(isinstance(row, dict) and "id" in row for row in answer):
            raise Unavailable("the answer is no list of records", code="delivery.not_tryton")
        return answer

    def _post(self, path: str, record: Any, method: str = "POST", fields: Sequence[str] = _SALE) -> Asked:
        url = httpx.URL(f"{self._base}/{path}", params=[("f", name) for name in fields])
        headers = {**self._headers, "Content-Type": "application/json"}
        answer = self._read((yield httpx.Request(method, url, headers=headers, content=orjson.dumps(record))))
        if not isinstance(answer, dict) or "id" not in answer:
            raise Unavailable("the answer is no record", code="delivery.not_tryton")
        return answer

    def _read(self, response: httpx.Response) -> Any:
        """The answer's data. Raises what it means; a UserError of Tryton is a refusal with its own words."""
        status = response.status_code
        try:
            answer = orjson.loads(response.content)
        except orjson.JSONDecodeError:
            answer = None
        if 200 <= status < 300:
            return answer
        said = str(answer.get("message") or "") if isinstance(answer, dict) else ""
        evidence = {"status": status, "reason": said[:500]}
        if status in (401, 403):
            raise NotAuthorised(f"HTTP {status}: the key is unknown, expired, or may not do this", evidence=evidence)
        if status in (423, 502, 503, 504) or status in OUTAGES:
            raise Unavailable(f"HTTP {status} {said}".strip(), evidence=evidence)
        if status >= 500:  # an unknown field looks the same as a crash: tried a few times, and no outage
            raise InternalError(f"HTTP {status}: Tryton failed on this request", evidence=evidence)
        code, hint = _class_of(said)
        raise Refused(
            f"HTTP {status}: {said[:300]}" if said else f"HTTP {status}", code=code, hint=hint, evidence=evidence
        )


def _class_of(said: str) -> tuple[str, str]:
    """What kind of refusal it is, by Tryton's words in English (the key's user should have no other language)."""
    if "exceeds the limit" in said or "number of digits" in said:
        return "delivery.decimals", "Round the amounts in the mapping, or allow more digits in Tryton; then replay."
    if "can not call" in said or "cannot modify" in said or "can not modify" in said:
        return "delivery.frozen", "The sale is being processed: change it in Tryton by hand, then discard the letter."
    return "delivery.refused", "Read Tryton's own words in the evidence, mend the data, then replay."


def _unchanged(sale: Mapping[str, Any], order: Mapping[str, Any]) -> Receipt:
    """A confirmed sale is frozen: fine where what it stands for has not changed."""
    payable = _decimal((order.get("totals") or {}).get("payable"))
    there: dict[str, Decimal] = {}
    for line in sale.get("lines") or []:
        code = (line.get("product") or {}).get("code")
        if code:
            there[code] = there.get(code, Decimal(0)) + Decimal(str(line.get("quantity") or 0))
    wanted: dict[str, Decimal] = {}
    for line in order["lines"]:
        wanted[str(line.get("sku"))] = wanted.get(str(line.get("sku")), Decimal(0)) + Decimal(str(line.get("quantity")))
    if there == wanted and (payable is None or payable == _amount(sale)):
        return Receipt(str(sale.get("number") or ""), already_there=True)
    hint = "Change the sale in Tryton by hand, then discard the letter."
    raise Refused("the sale is confirmed and the order has changed since", code="delivery.frozen", hint=hint)


def _line(
    product: Mapping[str, Any], line: Mapping[str, Any], tax: Mapping[str, Any] | None, sign: int = 1
) -> dict[str, Any]:
    quantity, amount = Decimal(str(line.get("quantity") or 1)), _decimal(line.get("amount"))
    each = (_decimal(line.get("unit_price")) or Decimal(0)) if amount is None else amount / quantity
    if tax is not None:
        each /= 1 + tax["rate"]
    made = {
        "type": "line", "product": product["id"], "quantity": float(sign * quantity), "unit_price": _written(each),
        "unit": product.get("sale_uom") or product.get("default_uom"),
    }  # fmt: skip
    return made | ({"taxes": [["add", [tax["id"]]]]} if tax is not None else {})


def _free(description: str, amount: Decimal) -> dict[str, Any]:
    return {"type": "line", "description": description, "quantity": 1.0, "unit_price": _written(amount)}


def _written(amount: Decimal) -> dict[str, str]:
    return {"__class__": "Decimal", "decimal": str(amount.quantize(_PRICE, ROUND_HALF_UP))}


def _decimal(value: Any) -> Decimal | None:
    """An amount of the canonical model (text), or of Tryton's JSON."""
    if isinstance(value, Mapping):
        value = value.get("decimal")
    try:
        return None if value is None else Decimal(str(value))
    except ArithmeticError:
        raise Refused("an amount is no number", code="delivery.body", hint="Mend the mapping, then replay.") from None


def _amount(sale: Mapping[str, Any]) -> Decimal:
    return _decimal(sale.get("total_amount")) or Decimal(0)


ADAPTER = Tryton
