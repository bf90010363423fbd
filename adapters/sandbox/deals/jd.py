"""How the JD shop shows an order: as enSearch answers it (yuan as text); refund applications in fen; service orders."""

from collections.abc import Mapping
from typing import Any

from adapters.sandbox.goods import Basket, yuan
from adapters.sandbox.platform import beijing
from adapters.sandbox.story import Book, Step, Story

TO_SHIP, SHIPPED, DONE, CANCELLED = (
    "WAIT_SELLER_STOCK_OUT",
    "WAIT_GOODS_RECEIVE_CONFIRM",
    "FINISHED_L",
    "TRADE_CANCELED",
)


class Deal:
    """One order as it goes through its life."""

    def __init__(
        self, book: Book, basket: Basket, *, platform_off: int = 0, balance: int = 0, parent: str = ""
    ) -> None:
        self.book, self.basket, self.parent = book, basket, parent
        self.platform_off, self.balance = platform_off, balance
        self.number = book.number(12, "3")
        self.placed = book.ago()
        self.paid = self.placed + book.rng.randrange(10, 200)
        self.how = book.rng.choice(("both", "pull", "pull"))
        self.pin, self.waybill = book.hex(32), book.number(13, "JDV")

    @property
    def payment(self) -> int:
        """What the buyer pays after coupons of the platform and from the balance, in fen."""
        return self.basket.payable - self.platform_off - self.balance

    def seen(self, state: str, later: int = 0, how: str = "", **about: Any) -> Step:
        """The order in this state, changed at that moment."""
        return self.step(self.body(state, self.book.when(later), **about), later, how)

    def step(self, body: dict[str, Any], later: int = 0, how: str = "") -> Step:
        """A body of one's own making, changed at that moment."""
        return Step(
            self.book.at + later, how or self.how, "order", self.number, body, self.book.when(later), self.placed
        )

    def body(
        self, state: str, at: int, *, paid: bool = True, shipped: bool = False, address: bool = True, **more: Any
    ) -> dict[str, Any]:
        """`more` overrides the order's members."""
        basket = self.basket
        order: dict[str, Any] = {
            "orderId": self.number,
            "venderId": "88001",
            "orderType": "22",
            "payType": "4-在线支付",
            "orderTotalPrice": yuan(basket.goods),
            "sellerDiscount": yuan(basket.discount),
            "orderSellerPrice": yuan(basket.goods - basket.discount),
            "orderPayment": yuan(self.payment),
            "freightPrice": yuan(basket.shipping),
            "balanceUsed": yuan(self.balance),
            "orderState": state,
            "orderStateRemark": "",
            "deliveryType": "任意时间",
            "invoiceInfo": "不需要开具发票",
            "orderRemark": "",
            "venderRemark": "",
            "orderStartTime": beijing(self.placed),
            "orderEndTime": beijing(at) if state == DONE else "0001-01-01 00:00:00",
            "modified": beijing(at),
            "pin": self.pin,
            "returnOrder": "0",
            "waybill": self.waybill if shipped else "",
            "logisticsId": "2087" if shipped else "",
            "orderSource": "移动端订单",
            "storeOrder": "",
            "itemInfoList": [self._item(i) for i in range(len(basket.lines))],
            "couponDetailList": self._coupons(),
        }
        if paid:
            order["paymentConfirmTime"] = beijing(self.paid)
        if self.parent:
            order |= {"parentOrderId": self.parent, "directParentOrderId": self.parent}
        if address:
            order["consigneeInfo"] = self._consignee()
        return order | more

    def _item(self, index: int) -> dict[str, Any]:
        line = self.basket.lines[index]
        return {
            "skuId": str(line.goods.variant_id),
            "outerSkuId": line.goods.sku,
            "skuName": f"{line.goods.title} {line.goods.variant}",
            "jdPrice": yuan(line.price),
            "giftPoint": "0",
            "wareId": str(line.goods.item_id),
            "itemTotal": str(line.quantity),
            "productNo": line.goods.sku.rpartition("-")[0],
            "newStoreId": "0",
        }

    def _coupons(self) -> list[dict[str, Any]]:
        """Rows of the order, and the same money once more line by line where a row has a skuId."""
        lines = self.basket.lines
        single = sum(line.discount for line in lines)
        rows: list[dict[str, Any]] = []
        if single:
            rows.append({"orderId": self.number, "couponType": "30-单品促销优惠", "couponPrice": yuan(single)})
        if self.basket.share:
            rows.append({"orderId": self.number, "couponType": "100-店铺优惠", "couponPrice": yuan(self.basket.share)})
        if self.platform_off:
            rows.append({"orderId": self.number, "couponType": "41-京东券优惠", "couponPrice": yuan(self.platform_off)})
        for line in lines:
            for label, fen in (("30-单品促销优惠", line.discount), ("100-店铺优惠", line.share)):
                if fen:
                    row = {"orderId": self.number, "skuId": str(line.goods.variant_id)}
                    rows.append(row | {"couponType": label, "couponPrice": yuan(fen)})
        return rows

    def _consignee(self) -> dict[str, Any]:
        return {
            "fullname": "李**",
            "telephone": "",
            "mobile": "138****0000",
            "fullAddress": "四川成都市武侯区***",
            "province": "四川",
            "city": "成都市",
            "county": "武侯区",
            "town": "晋阳街道",
            "provinceId": "22",
            "cityId": "1930",
            "countyId": "50947",
            "townId": "52198",
        }

    def application(self, number: str, status: int, later: int, asked: int = 0) -> Step:
        """A refund application before shipping, in fen. Status 0 not looked at, 2 refused, 3 approved by finance."""
        at, since = self.book.when(later), self.book.when(asked)
        body: dict[str, Any] = {
            "id": int(number),
            "orderId": int(self.number),
            "applyTime": beijing(since),
            "applyRefundSum": self.payment,
            "buyerId": self.pin[:12],
            "buyerName": self.pin[:12],
            "status": status,
            "reason": "不想要了",
            "systemId": 28,
            "skuApplyRefundVo": [
                {"skuId": x.goods.variant_id, "skuCount": x.quantity, "skuName": x.goods.title}
                for x in self.basket.lines
            ],
        }
        if status:
            body |= {"checkTime": beijing(at), "checkUserName": "审核员", "checkRemark": "商家已处理"}
        return Step(self.book.at + later, self.how, "refund", number, body, at, since, self.number)

    def service(self, number: str, expect: int, status: int, later: int) -> Step:
        """A service order: 10 return, 20 exchange, 30 repair. Status 10005 waits for the goods, 10010 is done."""
        line, since = self.basket.lines[0], self.book.when()
        names = {10: "退货", 20: "换货", 30: "维修"}
        body = {
            "applyId": int(number) + 1,
            "serviceId": int(number),
            "orderId": int(self.number),
            "applyTime": beijing(since),
            "updateDate": beijing(self.book.when(later)),
            "customerExpect": expect,
            "customerExpectName": names[expect],
            "serviceStatus": status,
            "serviceStatusName": {10005: "待收货", 10010: "完成"}[status],
            "customerName": "李**",
            "customerTel": "138****0000",
            "pickwareType": 40,
            "orderType": 22,
            "skuId": line.goods.variant_id,
            "wareName": line.goods.title,
            "skuType": 1,
            "serviceCount": 1,
        }
        return Step(self.book.at + later, self.how, "refund", number, body, self.book.when(later), since, self.number)

    def story(self, label: str, *steps: Step, final: Mapping[str, Any] | None = None, **fate: Any) -> Story:
        return Story("jd", label, self.number, tuple(sorted(steps, key=lambda s: s.at)), final=final or {}, **fate)
