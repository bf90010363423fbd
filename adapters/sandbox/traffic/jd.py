"""What happens to the orders of the JD shop. Most of it is pulled; a relay tells of some."""

from dataclasses import replace
from typing import Any

from adapters.sandbox.deals.jd import CANCELLED, DONE, SHIPPED, TO_SHIP, Deal
from adapters.sandbox.goods import DISCONTINUED, yuan
from adapters.sandbox.story import Book, Recipe, Story

OPEN = {"state": "open", "payment": "paid", "fulfilment": "unshipped", "shippable": True}
UNKNOWN_STATE = "WAIT_CUSTOMS_INSPECTION"
"""A state that the platform does not have."""


def _paid(book: Book, label: str) -> Story:
    """Paid and waiting: one line, several, with a gift, with platform coupons, or from the balance."""
    single = label == "normal"
    basket = book.basket(
        1 if single else book.rng.randint(2, 4), most=1 if single else 3, off=True, gift=label == "gift"
    )
    off = basket.payable // 20 if label == "platform_coupon" else 0
    balance = basket.payable // 4 if label == "balance_used" else 0
    deal = Deal(book, basket, platform_off=off, balance=balance)
    return deal.story(label, deal.seen(TO_SHIP), final={**OPEN, "totals.goods": yuan(basket.goods)})


def _progress(book: Book, label: str) -> Story:
    deal = Deal(book, book.basket(2, most=2, off=True))
    return deal.story(
        label,
        deal.seen(TO_SHIP, 0),
        deal.seen(SHIPPED, 3, shipped=True),
        deal.seen(DONE, 6, shipped=True),
        final={"state": "completed", "payment": "paid", "fulfilment": "delivered", "shippable": False},
    )


def _split(book: Book, label: str) -> Story:
    """An order of several parcels: the parent is dissolved, its children are the sale."""
    whole = Deal(book, book.basket(4, most=2, off=True))
    first, second = (Deal(book, part, parent=whole.number) for part in whole.basket.split(2))
    nothing = dict.fromkeys(("orderTotalPrice", "orderSellerPrice", "orderPayment", "sellerDiscount"), "0.00")
    gone = whole.seen("PARENT_TRADE_CANCELED", 2, couponDetailList=[], **nothing)
    return whole.story(
        label,
        whole.seen(TO_SHIP, 0),
        gone,
        first.seen(TO_SHIP, 2),
        second.seen(TO_SHIP, 2),
        second.seen(SHIPPED, 5, shipped=True),
        orders=3,
        final={"state": "cancelled", "shippable": False},
    )


def _unpaid_cancel(book: Book, label: str) -> Story:
    """Closed unpaid: figures blank, often without lines and address."""
    deal = Deal(book, book.basket(1))
    nothing = dict.fromkeys(("orderTotalPrice", "orderSellerPrice", "orderPayment", "sellerDiscount"), "0.00")
    step = deal.seen(CANCELLED, 0, paid=False, address=False, couponDetailList=[], **nothing)
    return deal.story(label, step, final={"state": "cancelled", "payment": "unpaid", "shippable": False})


def _paid_cancel(book: Book, label: str) -> Story:
    """The buyer cancels before shipping: locked, application, cancelled; or the application is refused."""
    deal, number = Deal(book, book.basket(2, off=True)), book.number(11, "2")
    refused = label == "application_refused"
    steps = [deal.seen(TO_SHIP, 0), deal.seen("LOCKED", 2), deal.application(number, 0, 2, 2)]
    steps += [deal.seen(TO_SHIP if refused else CANCELLED, 5), deal.application(number, 2 if refused else 3, 5, 2)]
    final = OPEN if refused else {"state": "cancelled", "payment": "refunded", "shippable": False}
    return deal.story(label, *steps, refunds=1, final=final)


def _locked(book: Book, label: str) -> Story:
    deal, number = Deal(book, book.basket(1)), book.number(11, "2")
    return deal.story(
        label,
        deal.seen("LOCKED", 1),
        deal.application(number, 0, 1, 1),
        refunds=1,
        final={"state": "open", "payment": "paid", "shippable": False},
    )


def _service(book: Book, label: str) -> Story:
    """After the sale is over: a return, an exchange or a repair. The order stays finished."""
    deal, number = Deal(book, book.basket(1)), book.number(10, "2")
    expect = {"return": 10, "exchange": 20, "repair": 30}[label]
    return deal.story(
        label,
        deal.seen(DONE, 0, shipped=True),
        deal.service(number, expect, 10005, 1),
        deal.service(number, expect, 10010, 4),
        refunds=1,
        final={"state": "completed", "fulfilment": "delivered", "shippable": False},
    )


def _held(book: Book, label: str) -> Story:
    """Ready to look at, but not to be shipped by us: paused, or sent from JD's own warehouse."""
    deal = Deal(book, book.basket(1))
    step = (
        deal.seen("POP_ORDER_PAUSE") if label == "paused" else deal.seen(TO_SHIP, orderType="21", storeOrder="京仓订单")
    )
    return deal.story(label, step, final={"state": "open", "payment": "paid", "shippable": False})


def _cod(book: Book, label: str) -> Story:
    deal = Deal(book, book.basket(1))
    step = deal.seen(TO_SHIP, paid=False, payType="1-货到付款")
    return deal.story(label, step, final={"state": "open", "cod": True, "shippable": True})


def _delivery_return(book: Book, label: str) -> Story:
    deal = Deal(book, book.basket(1))
    return deal.story(label, deal.seen("DELIVERY_RETURN", shipped=True))


def _lost_address(book: Book, label: str) -> Story:
    deal = Deal(book, book.basket(2))
    later = replace(deal.seen(TO_SHIP, 6, address=False, venderRemark="已联系买家"), after_seen=True)
    return deal.story(label, deal.seen(TO_SHIP, 0), later, final={**OPEN, "receiver.city": "成都市"})


def _stale_page(book: Book, label: str) -> Story:
    deal = Deal(book, book.basket(1, off=True))
    return deal.story(
        label,
        deal.seen(TO_SHIP, 0),
        deal.seen(SHIPPED, 2, shipped=True),
        deal.seen(SHIPPED, 3, how="lag", shipped=True),
        final={"state": "open", "fulfilment": "shipped"},
    )


def _unknown_word(book: Book, label: str) -> Story:
    deal = Deal(book, book.basket(1))
    return deal.story(label, deal.seen(UNKNOWN_STATE), dead="mapping.unknown_word")


def _bad_totals(book: Book, label: str) -> Story:
    """The order says ten yuan more of goods than its lines."""
    deal = Deal(book, book.basket(2, off=True))
    goods, off = deal.basket.goods + 1000, deal.basket.discount
    more: dict[str, Any] = {"orderTotalPrice": yuan(goods), "orderSellerPrice": yuan(goods - off)}
    return deal.story(label, deal.seen(TO_SHIP, **more), dead="check.totals")


def _wrong_type(book: Book, label: str) -> Story:
    deal = Deal(book, book.basket(1))
    body = deal.body(TO_SHIP, book.when())
    body["itemInfoList"][0]["itemTotal"] = "two"
    return deal.story(label, deal.step(body), dead="mapping.wrong_type")


def _missing_sku(book: Book, label: str) -> Story:
    deal = Deal(book, book.basket(1))
    body = deal.body(TO_SHIP, book.when())
    if label == "unknown_sku":
        body["itemInfoList"][0]["outerSkuId"] = DISCONTINUED
    else:
        body["itemInfoList"][0].pop("outerSkuId")
    return deal.story(label, deal.step(body), refused_by="erp", final=OPEN)


RECIPES: dict[str, Recipe] = {
    "normal": Recipe(_paid, 6),
    "multi_line": Recipe(_paid, 6),
    "split": Recipe(_split, 3),
    "progress": Recipe(_progress, 3),
    "gift": Recipe(_paid, 2),
    "platform_coupon": Recipe(_paid, 2),
    "balance_used": Recipe(_paid, 2),
    "unpaid_cancel": Recipe(_unpaid_cancel, 2),
    "paid_cancel": Recipe(_paid_cancel, 3),
    "application_refused": Recipe(_paid_cancel, 2),
    "locked": Recipe(_locked, 2),
    "return": Recipe(_service, 3),
    "exchange": Recipe(_service, 2),
    "repair": Recipe(_service),
    "paused": Recipe(_held),
    "platform_fulfilled": Recipe(_held, 2),
    "cod": Recipe(_cod),
    "delivery_return": Recipe(_delivery_return),
    "lost_address": Recipe(_lost_address, 2),
    "stale_page": Recipe(_stale_page),
    "unknown_word": Recipe(_unknown_word, 2),
    "bad_totals": Recipe(_bad_totals, 2),
    "wrong_type": Recipe(_wrong_type),
    "missing_sku": Recipe(_missing_sku),
    "unknown_sku": Recipe(_missing_sku),
}
EVERYDAY = ("normal", "normal", "multi_line", "multi_line", "progress", "paid_cancel", "return")
