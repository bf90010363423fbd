"""How the Douyin shop shows an order: a shop order with its sku orders, and after-sales. Amounts in fen."""

from collections.abc import Mapping
from typing import Any

from adapters.sandbox.goods import Basket
from adapters.sandbox.story import Book, Step, Story

UNPAID, DEPOSIT, RISK, TO_SHIP, PART_SHIPPED, SHIPPED, CLOSED, DONE = 1, 103, 105, 2, 101, 3, 4, 5
REFUNDED_UNSHIPPED, REFUNDED_SHIPPED = 21, 22

_WORDS = {
    1: "待支付",
    103: "部分支付",
    105: "已支付",
    2: "备货中",
    101: "部分发货",
    3: "已发货",
    4: "已关闭",
    5: "已完成",
}
_TAGS = {1: "100", 103: "100", 105: "110", 2: "101", 101: "108", 3: "102", 4: "106", 5: "103"}
_NOTHING = {"after_sale_status": 0, "after_sale_type": 0, "refund_status": 0}
_ZEROS = (
    "author_cost_amount", "modify_amount", "modify_post_amount", "only_platform_cost_amount", "platform_cost_amount",
    "post_insurance_amount", "post_promotion_amount", "promotion_pay_amount", "promotion_platform_amount",
    "promotion_redpack_amount", "promotion_redpack_platform_amount", "promotion_redpack_talent_amount",
    "promotion_talent_amount", "tax_amount",
)  # fmt: skip


class Deal:
    """One shop order as it goes through its life. Its first sku order has the same number, as on the platform."""

    def __init__(self, book: Book, basket: Basket, presell: int = 0) -> None:
        self.book, self.basket, self.presell = book, basket, presell
        self.number = book.number(19, "69")
        self.rows = [self.number, *(book.number(19, "69") for _ in basket.lines[1:])]
        self.placed = book.ago()
        self.paid = self.placed + book.rng.randrange(5, 200)
        self.buyer, self.address_key = "1@#" + book.hex(48), "#" + book.hex(48)
        self.cipher = (f"##{book.hex(60)}*{book.hex(40)}=#1##", f"$${book.hex(60)}*{book.hex(40)}=$1$$")
        self.parcel = book.number(15, "SF")

    def seen(self, status: int, later: int = 0, how: str = "both", copies: int = 1, **about: Any) -> Step:
        """The order in this status, changed at that moment, with the push that belongs to it."""
        return self.step(self.body(status, self.book.when(later), **about), later, how, copies)

    def step(self, body: dict[str, Any], later: int = 0, how: str = "both", copies: int = 1) -> Step:
        """A body of one's own making, changed at that moment."""
        tag = _TAGS.get(body["order_status"], "109")
        at = self.book.when(later)
        return Step(self.book.at + later, how, "order", self.number, body, at, self.placed, topic=tag, copies=copies)

    def body(
        self,
        status: int,
        at: int,
        *,
        main: int | None = None,
        paid: bool = True,
        shipped: int = 0,
        aftersale: Mapping[int, tuple[int, int, int]] | None = None,
        address: bool = True,
        **more: Any,
    ) -> dict[str, Any]:
        """`aftersale` tells rows by index: after_sale_status, after_sale_type, refund_status."""
        state = {
            "order_status": status,
            "order_status_desc": _WORDS.get(status, ""),
            "main_status": status if main is None else main,
            "main_status_desc": "",
            "create_time": self.placed,
            "update_time": at,
            "pay_time": self.paid if paid else 0,
            "ship_time": shipped,
            "finish_time": at if status == DONE else 0,
            "cancel_reason": "不想要了" if status == CLOSED and not paid else "",
            "order_type": 0,
            "trade_type": 0,
            "pay_type": 4 if paid else 0,
            "b_type": 2,
            "biz": 2,
            "exp_ship_time": self.paid + 172800,
        }
        order: dict[str, Any] = {
            "order_id": self.number,
            "order_level": 2,
            **state,
            **self._money(self.basket.goods, self.basket.discount),
            "post_amount": self.basket.shipping,
            "post_origin_amount": self.basket.shipping,
            "shop_id": 77001,
            "shop_name": "沙盒家居旗舰店",
            "app_id": 1128,
            "order_expire_time": 1800,
            "doudian_open_id": self.buyer,
            "buyer_words": "",
            "seller_words": "",
            "seller_remark_stars": 0,
            "logistics_info": [self._shipment(shipped)] if shipped else [],
            "order_phase_list": self._phases(paid),
            "sku_order_list": [self._row(i, state, (aftersale or {}).get(i)) for i in range(len(self.rows))],
        }
        if address:
            order |= self._address()
        return order | more

    def _row(self, index: int, state: Mapping[str, Any], aftersale: tuple[int, int, int] | None) -> dict[str, Any]:
        line, goods = self.basket.lines[index], self.basket.lines[index].goods
        info = dict(zip(_NOTHING, aftersale, strict=True)) if aftersale else _NOTHING
        return {
            "order_id": self.rows[index],
            "parent_order_id": self.number,
            "order_level": 3,
            **state,
            **self._money(line.listed, line.discount + line.share),
            "origin_amount": line.price,
            "sum_amount": line.listed,
            "post_amount": self.basket.shipping if index == 0 else 0,
            "item_num": line.quantity,
            "code": goods.sku,
            "out_sku_id": "",
            "out_product_id": "0",
            "product_id": goods.item_id,
            "product_id_str": str(goods.item_id),
            "sku_id": goods.variant_id,
            "product_name": goods.title,
            "product_pic": f"https://img.example.com/{goods.sku.lower()}.jpg",
            "spec": [dict(zip(("name", "value"), p.split(":"), strict=True)) for p in goods.variant.split(";")],
            "given_product_type": "FREE" if line.gift else "",
            "master_sku_order_id_list": [self.rows[0]] if line.gift else [],
            "pre_sale_type": self.presell,
            "after_sale_info": info,
            "goods_type": 0,
            "is_comment": 0,
        }

    def _money(self, goods: int, off: int) -> dict[str, int]:
        """What the merchant took off is promotion_shop_amount and shop_cost_amount too."""
        sums = {"order_amount": goods, "promotion_amount": off, "pay_amount": goods - off}
        shop = {"promotion_shop_amount": off, "shop_cost_amount": off, "total_promotion_amount": off}
        return dict.fromkeys(_ZEROS, 0) | sums | shop

    def _phases(self, paid: bool) -> list[dict[str, Any]]:
        """Deposit and balance of a presale."""
        if not self.presell:
            return []
        deposit = self.basket.payable // 10
        parts = ((1, deposit, True), (2, self.basket.payable - deposit, paid))
        return [
            {
                "phase_order_id": f"{self.number}{n}",
                "total_phase": 2,
                "current_phase": n,
                "pay_success": done,
                "phase_pay_amount": fen,
                "phase_order_amount": fen,
                "phase_promotion_amount": 0,
                "phase_open_time": self.placed,
                "phase_close_time": self.placed + 864000,
                "pay_time": self.paid if done else 0,
            }
            for n, fen, done in parts
        ]

    def _shipment(self, shipped: int) -> dict[str, Any]:
        products = [
            {"sku_order_id": row, "product_count": line.quantity, "sku_id": line.goods.variant_id}
            for row, line in zip(self.rows, self.basket.lines, strict=True)
        ]
        names = {"company": "shunfeng", "company_name": "顺丰速运", "delivery_id": self.parcel[2:]}
        return {"tracking_no": self.parcel, "ship_time": shipped, **names, "product_info": products}

    def _address(self) -> dict[str, Any]:
        """Cipher text and masks; the key of the real address is open_address_id."""
        return {
            "encrypt_post_receiver": self.cipher[0],
            "encrypt_post_tel": self.cipher[1],
            "mask_post_receiver": "王*",
            "mask_post_tel": "1********21",
            "open_address_id": self.address_key,
            "post_receiver": "",
            "post_tel": "",
            "post_addr": {
                "province": {"name": "福建省", "id": "35"},
                "city": {"name": "厦门市", "id": "350200"},
                "town": {"name": "集美区", "id": "350211"},
                "street": {"name": "杏林街道", "id": "350211001"},
                "encrypt_detail": self.cipher[0],
                "detail": "",
            },
        }

    def aftersale(
        self,
        number: str,
        status: int,
        kind: int,
        refund: int,
        later: int,
        *,
        index: int = 0,
        fen: int | None = None,
        asked: int = 0,
    ) -> Step:
        """One after-sale of one row: its status, type and refund_status; all of the row when fen is left out."""
        line, at, since = self.basket.lines[index], self.book.when(later), self.book.when(asked)
        amount = line.amount if fen is None else fen
        info: dict[str, Any] = {
            "aftersale_id": number,
            "aftersale_order_type": 1,
            "aftersale_type": kind,
            "aftersale_status": status,
            "aftersale_status_to_final_time": at if status in (12, 28) else 0,
            "related_id": self.rows[index],
            "apply_time": since,
            "create_time": since,
            "update_time": at,
            "status_deadline": 0,
            "refund_amount": amount,
            "refund_post_amount": 0,
            "aftersale_num": line.quantity,
            "part_type": int(amount < line.amount),
            "refund_status": refund,
            "refund_type": 0,
            "arbitrate_status": 0,
            "got_pkg": int(kind == 1),
            "remark": "",
            "return_logistics_code": self.parcel if kind == 0 and status in (11, 12) else "",
            "return_logistics_company_name": "顺丰速运" if kind == 0 and status in (11, 12) else "",
        }
        row = {
            "sku_order_id": self.rows[index],
            "order_status": SHIPPED if kind == 1 else CLOSED,
            "pay_amount": line.amount,
            "price": line.price,
            "item_num": line.quantity,
            "aftersale_item_num": line.quantity,
            "aftersale_pay_amount": amount,
            "aftersale_post_amount": 0,
            "product_id": line.goods.item_id,
            "product_name": line.goods.title,
            "shop_sku_code": line.goods.sku,
            "create_time": self.placed,
        }
        texts = {"reason_text": "与商家协商一致", "aftersale_status_text": "", "aftersale_type_text": ""}
        body = {
            "aftersale_info": info,
            "order_info": {"shop_order_id": self.number, "related_order_info": [row]},
            "text_part": texts,
        }
        tag = {6: "200", 7: "202", 11: "203", 12: "206", 28: "207", 27: "204"}[status]
        return Step(self.book.at + later, "both", "refund", number, body, at, since, self.number, topic=tag)

    def story(self, label: str, *steps: Step, final: Mapping[str, Any] | None = None, **fate: Any) -> Story:
        return Story("douyin", label, self.number, tuple(sorted(steps, key=lambda s: s.at)), final=final or {}, **fate)
