"""How the Taobao shop shows a trade and its refunds: as the TOP gateway answers them, amounts in yuan as text."""

from collections.abc import Mapping
from typing import Any

from adapters.sandbox.goods import Basket, yuan
from adapters.sandbox.platform import beijing
from adapters.sandbox.story import Book, Step, Story


class Deal:
    """One trade as it goes through its life; every call of `seen` is one state of it."""

    def __init__(self, book: Book, basket: Basket, kind: str = "fixed") -> None:
        self.book, self.basket, self.kind = book, basket, kind
        self.tid = book.number(19, "4")
        self.oids = [self.tid] if len(basket.lines) == 1 else [book.number(19, "4") for _ in basket.lines]
        self.placed = book.ago()
        self.paid = self.placed + book.rng.randrange(10, 200)
        self.buyer = {"buyer_nick": "t**", "buyer_open_uid": "AAH" + book.hex(21), "alipay_no": book.number(28, "20")}
        self.oaid = "1" + book.hex(64)
        self.reason = book.rng.choice(("不想要了", "拍错了", "与商家协商一致退款"))
        self.returned_by = book.number(13, "SF")
        self.how = book.rng.choice(("both", "both", "pull"))
        self.city = book.rng.choice(("杭州市", "成都市", "济源市", ""))

    def seen(self, status: str, later: int = 0, how: str = "", **about: Any) -> Step:
        """The trade in this status, changed at that moment."""
        return self.step(self.body(status, self.book.when(later), **about), later, how)

    def step(self, body: dict[str, Any], later: int = 0, how: str = "") -> Step:
        """A body of one's own making, changed at that moment."""
        return Step(self.book.at + later, how or self.how, "order", self.tid, body, self.book.when(later), self.placed)

    def body(
        self,
        status: str,
        at: int,
        *,
        paid: bool = True,
        shipped: int | None = None,
        ended: bool = False,
        refunds: Mapping[int, tuple[str, str]] | None = None,
        address: bool = True,
        **more: Any,
    ) -> dict[str, Any]:
        """`refunds` tells lines by index: their refund_status and refund_id. `more` overrides the trade's members."""
        lines = [self._line(i, status, at, paid, shipped, ended, (refunds or {}).get(i)) for i in range(len(self.oids))]
        trade: dict[str, Any] = {
            "tid": self.tid,
            "type": self.kind,
            "status": status,
            "created": beijing(self.placed),
            "modified": beijing(at),
            "total_fee": yuan(self.basket.goods),
            "discount_fee": yuan(self.basket.share),
            "adjust_fee": "0.00",
            "post_fee": yuan(self.basket.shipping),
            "payment": yuan(self.basket.payable),
            "received_payment": yuan(self.basket.payable if status == "TRADE_FINISHED" else 0),
            "seller_flag": 0,
            "has_buyer_message": False,
            "title": "沙盒家居小店",
            "orders": {"order": lines},
            **self.buyer,
        }
        if paid:
            trade["pay_time"] = beijing(self.paid)
        if shipped is not None:
            trade["consign_time"] = beijing(shipped)
        if ended:
            trade["end_time"] = beijing(at)
        if address:
            trade |= self._address()
        return trade | more

    def _line(
        self,
        index: int,
        status: str,
        at: int,
        paid: bool,
        shipped: int | None,
        ended: bool,
        refund: tuple[str, str] | None,
    ) -> dict[str, Any]:
        line, word = self.basket.lines[index], refund[0] if refund else "NO_REFUND"
        gone = word == "SUCCESS" and status != "TRADE_FINISHED"
        total = line.listed - line.discount
        row: dict[str, Any] = {
            "oid": self.oids[index],
            "status": "TRADE_CLOSED" if gone else status,
            "refund_status": word,
            "title": line.goods.title,
            "num_iid": line.goods.item_id,
            "sku_id": str(line.goods.variant_id),
            "outer_iid": line.goods.sku.rpartition("-")[0],
            "outer_sku_id": line.goods.sku,
            "sku_properties_name": line.goods.variant,
            "price": yuan(line.price),
            "num": line.quantity,
            "discount_fee": yuan(line.discount),
            "adjust_fee": "0.00",
            "total_fee": yuan(total),
            "part_mjz_discount": yuan(line.share),
            "payment": "0.00" if gone or not paid else yuan(total),
            "cid": 50020000,
            "pic_path": f"https://img.example.com/{line.goods.sku.lower()}.jpg",
        }
        if paid:
            row["divide_order_fee"] = yuan(line.amount)
        if line.gift:
            row["is_free_gift"] = True
        if refund:
            row["refund_id"] = refund[1]
        if shipped is not None and not gone:
            row["consign_time"] = beijing(shipped)
        if ended or gone:
            row["end_time"] = beijing(at)
        return row

    def _address(self) -> dict[str, Any]:
        """As the platform shows it: masked, with the key of the real one. County-level cities leave the city empty."""
        return {
            "oaid": self.oaid,
            "receiver_name": "赵**",
            "receiver_mobile": "***********",
            "receiver_state": "河南省" if not self.city else "浙江省",
            "receiver_city": self.city,
            "receiver_district": "济源市" if not self.city else "西湖区",
            "receiver_town": "北海街道",
            "receiver_address": "北*街道**路**号",
            "receiver_zip": "459000",
        }

    def refund(
        self,
        refund_id: str,
        status: str,
        later: int,
        *,
        index: int = 0,
        fee: int | None = None,
        order_status: str = "TRADE_CLOSED",
        dispute: str = "REFUND",
        phase: str = "onsale",
        goods: str = "BUYER_NOT_RECEIVED",
    ) -> Step:
        """A refund of one line; `fee` in fen, all of the line when left out."""
        line, at = self.basket.lines[index], self.book.when(later)
        fee = line.amount if fee is None else fee
        body: dict[str, Any] = {
            "refund_id": refund_id,
            "tid": self.tid,
            "oid": self.oids[index],
            "status": status,
            "order_status": order_status,
            "dispute_type": dispute,
            "refund_phase": phase,
            "good_status": goods,
            "has_good_return": dispute == "REFUND_AND_RETURN",
            "refund_fee": yuan(fee),
            "total_fee": yuan(line.listed - line.discount),
            "payment": yuan(line.amount - fee),
            "num": line.quantity,
            "outer_id": line.goods.sku,
            "sku": f"{line.goods.variant_id}|{line.goods.variant}",
            "title": line.goods.title,
            "reason": self.reason,
            "desc": "",
            "created": beijing(self.book.when()),
            "modified": beijing(at),
            "buyer_nick": "t**",
            "buyer_open_uid": self.buyer["buyer_open_uid"],
            "seller_nick": "沙盒家居小店",
        }
        if status in ("SUCCESS", "CLOSED"):
            body["end_time"] = beijing(at)
        if goods == "BUYER_RETURNED_GOODS":
            body |= {"company_name": "顺丰速运", "sid": self.returned_by}
        return Step(self.book.at + later, self.how, "refund", refund_id, body, at, self.book.when(), self.tid)

    def story(self, label: str, *steps: Step, final: Mapping[str, Any] | None = None, **fate: Any) -> Story:
        return Story("taobao", label, self.tid, tuple(sorted(steps, key=lambda s: s.at)), final=final or {}, **fate)
