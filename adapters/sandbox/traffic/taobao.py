"""What happens to the orders of the Taobao shop. Some of the pushes are lost: the pull finds those changes."""

from dataclasses import replace
from typing import Any

from adapters.sandbox.deals.taobao import Deal
from adapters.sandbox.goods import DISCONTINUED, yuan
from adapters.sandbox.story import Book, Recipe, Story

OPEN = {"state": "open", "payment": "paid", "fulfilment": "unshipped", "shippable": True}
UNKNOWN_STATUS = "WAIT_SELLER_CUSTOMS_CLEARANCE"
"""A status that the platform does not have: one word, several orders, one group of letters."""


def _paid(book: Book, label: str) -> Story:
    """Paid, waits for the parcel; the labels differ in lines, gifts, and in how the message comes."""
    single = label not in ("multi_line", "gift")
    basket = book.basket(
        1 if single else book.rng.randint(2, 4), most=1 if single else 3, off=True, shipping=True, gift=label == "gift"
    )
    deal = Deal(book, basket)
    step = deal.seen("WAIT_SELLER_SEND_GOODS")
    steps = [step]
    if label == "push_first":
        steps = [replace(step, how="push"), replace(step, at=step.at + 4, how="pull")]
    elif label == "pull_first":
        steps = [replace(step, how="pull"), replace(step, at=step.at + 4, how="again")]
    final = {**OPEN, "totals.payable": yuan(basket.payable), "totals.goods": yuan(basket.goods)}
    return deal.story(label, *steps, final=final)


def _progress(book: Book, label: str) -> Story:
    deal = Deal(book, book.basket(2, most=2, off=True))
    sent = book.when(3)
    return deal.story(
        label,
        deal.seen("WAIT_BUYER_PAY", 0, paid=False),
        deal.seen("WAIT_SELLER_SEND_GOODS", 1),
        deal.seen("SELLER_CONSIGNED_PART", 3, shipped=sent),
        deal.seen("WAIT_BUYER_CONFIRM_GOODS", 5, shipped=sent),
        deal.seen("TRADE_FINISHED", 7, shipped=sent, ended=True),
        final={"state": "completed", "payment": "paid", "fulfilment": "delivered", "shippable": False},
    )


def _presale(book: Book, label: str) -> Story:
    """A step trade: the deposit first; `presale` pays the balance too."""
    deal = Deal(book, book.basket(1), kind="step")
    deposit = deal.basket.payable // 10
    front = {"step_trade_status": "FRONT_PAID_FINAL_NOPAID", "step_paid_fee": yuan(deposit)}
    steps = [deal.seen("WAIT_BUYER_PAY", 0, **front)]
    if label == "presale_deposit":
        return deal.story(label, *steps, final={"kind": "presale", "payment": "deposit_paid", "shippable": False})
    rest = {"step_trade_status": "FRONT_PAID_FINAL_PAID", "step_paid_fee": yuan(deal.basket.payable)}
    steps.append(deal.seen("WAIT_SELLER_SEND_GOODS", 4, **rest))
    return deal.story(label, *steps, final={**OPEN, "kind": "presale"})


def _unpaid_cancel(book: Book, label: str) -> Story:
    deal = Deal(book, book.basket(2, off=True))
    return deal.story(
        label,
        deal.seen("WAIT_BUYER_PAY", 0, paid=False),
        deal.seen("TRADE_CLOSED_BY_TAOBAO", 3, paid=False, ended=True),
        final={"state": "cancelled", "payment": "unpaid", "shippable": False},
    )


def _refund_before_shipping(book: Book, label: str) -> Story:
    deal, number = Deal(book, book.basket(1, off=True)), book.number(18, "2")
    return deal.story(
        label,
        deal.seen("WAIT_SELLER_SEND_GOODS", 0),
        deal.seen("WAIT_SELLER_SEND_GOODS", 2, refunds={0: ("WAIT_SELLER_AGREE", number)}),
        deal.refund(number, "WAIT_SELLER_AGREE", 2, order_status="WAIT_SELLER_SEND_GOODS"),
        deal.seen("TRADE_CLOSED", 5, refunds={0: ("SUCCESS", number)}, ended=True),
        deal.refund(number, "SUCCESS", 5),
        refunds=1,
        final={"state": "cancelled", "payment": "refunded", "fulfilment": "unshipped", "shippable": False},
    )


def _refund_after_shipping(book: Book, label: str) -> Story:
    """Closed after a return: goods had left, so the order is completed, not cancelled."""
    deal, number, sent = Deal(book, book.basket(1)), book.number(18, "2"), book.when() - 200
    about: dict[str, Any] = {"dispute": "REFUND_AND_RETURN", "goods": "BUYER_RETURNED_GOODS"}
    return deal.story(
        label,
        deal.seen("WAIT_BUYER_CONFIRM_GOODS", 0, shipped=sent, refunds={0: ("WAIT_BUYER_RETURN_GOODS", number)}),
        deal.refund(number, "WAIT_BUYER_RETURN_GOODS", 0, order_status="WAIT_BUYER_CONFIRM_GOODS", **about),
        deal.seen("TRADE_CLOSED", 4, shipped=sent, refunds={0: ("SUCCESS", number)}, ended=True),
        deal.refund(number, "SUCCESS", 4, **about),
        refunds=1,
        final={"state": "completed", "payment": "refunded", "shippable": False},
    )


def _refunded_line(book: Book, label: str) -> Story:
    """One of three lines is paid back before shipping; its own payment then reads 0.00."""
    deal, number = Deal(book, book.basket(3, most=2, off=True)), book.number(18, "2")
    return deal.story(
        label,
        deal.seen("WAIT_SELLER_SEND_GOODS", 0),
        deal.seen("WAIT_SELLER_SEND_GOODS", 3, refunds={1: ("SUCCESS", number)}),
        deal.refund(number, "SUCCESS", 3, index=1),
        refunds=1,
        final={"state": "open", "payment": "partially_refunded", "shippable": True},
    )


def _refund_open(book: Book, label: str) -> Story:
    """A refund that is asked for, or was asked for and withdrawn, before shipping."""
    deal, number = Deal(book, book.basket(1)), book.number(18, "2")
    withdrawn = label == "refund_withdrawn"
    word = "CLOSED" if withdrawn else "WAIT_SELLER_AGREE"
    return deal.story(
        label,
        deal.seen("WAIT_SELLER_SEND_GOODS", 1, refunds={0: (word, number)}),
        deal.refund(number, word, 1, order_status="WAIT_SELLER_SEND_GOODS"),
        refunds=1,
        final={"state": "open", "payment": "paid", "shippable": withdrawn},
    )


def _price_compensation(book: Book, label: str) -> Story:
    """Some yuan back after everything is over; dispute_type REFUND, and the trade stays finished."""
    deal, number, sent = Deal(book, book.basket(2, most=2)), book.number(18, "2"), book.when() - 250
    about: dict[str, Any] = {"fee": 1000, "phase": "aftersale", "goods": "BUYER_RECEIVED"}
    return deal.story(
        label,
        deal.seen("TRADE_FINISHED", 0, shipped=sent, ended=True),
        deal.refund(number, "SUCCESS", 2, order_status="TRADE_FINISHED", **about),
        deal.seen("TRADE_FINISHED", 2, shipped=sent, ended=True, refunds={0: ("SUCCESS", number)}),
        refunds=1,
        final={"state": "completed", "payment": "partially_refunded", "fulfilment": "delivered", "shippable": False},
    )


def _held(book: Book, label: str) -> Story:
    deal = Deal(book, book.basket(1))
    return deal.story(label, deal.seen("PAID_FORBID_CONSIGN"), final={**OPEN, "shippable": False})


def _lost_address(book: Book, label: str) -> Story:
    """A later answer has lost the receiver; the stored one stays."""
    deal = Deal(book, book.basket(2))
    steps = (
        deal.seen("WAIT_SELLER_SEND_GOODS", 0, "both"),
        replace(deal.seen("WAIT_SELLER_SEND_GOODS", 10, address=False, seller_flag=1), after_seen=True),
    )
    return deal.story(label, *steps, final={**OPEN, "receiver.token": deal.oaid})


def _stale_page(book: Book, label: str) -> Story:
    """After the change one list answer still shows the former state."""
    deal, sent = Deal(book, book.basket(1, off=True)), book.when(2)
    return deal.story(
        label,
        deal.seen("WAIT_SELLER_SEND_GOODS", 0),
        deal.seen("WAIT_BUYER_CONFIRM_GOODS", 2, shipped=sent),
        deal.seen("WAIT_BUYER_CONFIRM_GOODS", 3, how="lag", shipped=sent),
        final={"state": "open", "fulfilment": "shipped"},
    )


def _unknown_word(book: Book, label: str) -> Story:
    deal = Deal(book, book.basket(1))
    return deal.story(label, deal.seen(UNKNOWN_STATUS), dead="mapping.unknown_word")


def _bad_totals(book: Book, label: str) -> Story:
    """The trade says ten yuan more than its lines."""
    deal = Deal(book, book.basket(2, off=True))
    step = deal.seen("WAIT_SELLER_SEND_GOODS", payment=yuan(deal.basket.payable + 1000))
    return deal.story(label, step, dead="check.totals")


def _wrong_type(book: Book, label: str) -> Story:
    deal = Deal(book, book.basket(1))
    body = deal.body("WAIT_SELLER_SEND_GOODS", book.when())
    body["orders"]["order"][0]["num"] = "two"
    return deal.story(label, deal.step(body), dead="mapping.wrong_type")


def _missing_sku(book: Book, label: str) -> Story:
    """The merchant typed no code: a good order, until somebody needs the SKU."""
    deal = Deal(book, book.basket(1))
    body = deal.body("WAIT_SELLER_SEND_GOODS", book.when())
    if label == "unknown_sku":
        body["orders"]["order"][0]["outer_sku_id"] = DISCONTINUED
    else:
        for name in ("outer_sku_id", "outer_iid"):
            body["orders"]["order"][0].pop(name)
    return deal.story(label, deal.step(body), refused_by="erp", final=OPEN)


RECIPES: dict[str, Recipe] = {
    "normal": Recipe(_paid, 6),
    "multi_line": Recipe(_paid, 6),
    "progress": Recipe(_progress, 3),
    "gift": Recipe(_paid, 2),
    "push_first": Recipe(_paid, 2),
    "pull_first": Recipe(_paid, 2),
    "presale": Recipe(_presale, 2),
    "presale_deposit": Recipe(_presale),
    "unpaid_cancel": Recipe(_unpaid_cancel, 2),
    "refund_before_shipping": Recipe(_refund_before_shipping, 2),
    "refund_after_shipping": Recipe(_refund_after_shipping, 2),
    "refunded_line": Recipe(_refunded_line, 2),
    "refund_in_progress": Recipe(_refund_open, 2),
    "refund_withdrawn": Recipe(_refund_open),
    "price_compensation": Recipe(_price_compensation, 2),
    "held": Recipe(_held, 2),
    "lost_address": Recipe(_lost_address, 2),
    "stale_page": Recipe(_stale_page, 2),
    "unknown_word": Recipe(_unknown_word, 4),
    "bad_totals": Recipe(_bad_totals, 2),
    "wrong_type": Recipe(_wrong_type),
    "missing_sku": Recipe(_missing_sku),
    "unknown_sku": Recipe(_missing_sku),
}
EVERYDAY = (
    "normal",
    "normal",
    "multi_line",
    "multi_line",
    "progress",
    "refund_before_shipping",
    "refund_after_shipping",
)
