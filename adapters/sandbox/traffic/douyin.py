"""What happens to the orders of the Douyin shop: thin pushes for every change, lists for those that are lost."""

from dataclasses import replace

from adapters.sandbox.deals.douyin import (
    CLOSED,
    DEPOSIT,
    DONE,
    REFUNDED_SHIPPED,
    REFUNDED_UNSHIPPED,
    RISK,
    SHIPPED,
    TO_SHIP,
    UNPAID,
    Deal,
)
from adapters.sandbox.goods import DISCONTINUED, yuan
from adapters.sandbox.story import Book, Recipe, Step, Story

OPEN = {"state": "open", "payment": "paid", "fulfilment": "unshipped", "shippable": True}
UNKNOWN_STATUS = 66
"""An order_status that the platform does not have."""


def _paid(book: Book, label: str) -> Story:
    """Paid and waiting; the labels differ in lines, gifts, and in how the message comes."""
    single = label not in ("multi_line", "gift")
    basket = book.basket(
        1 if single else book.rng.randint(2, 4), most=1 if single else 3, off=True, gift=label == "gift"
    )
    deal = Deal(book, basket)
    step = deal.seen(TO_SHIP, copies=50 if label == "storm" else 1)
    steps = [step]
    if label == "push_first":
        steps = [replace(step, how="push"), replace(step, at=step.at + 4, how="pull")]
    elif label == "pull_first":
        steps = [replace(step, how="pull"), replace(step, at=step.at + 4, how="again")]
    return deal.story(label, *steps, final={**OPEN, "totals.goods": yuan(basket.goods)})


def _progress(book: Book, label: str) -> Story:
    deal, sent = Deal(book, book.basket(2, most=2, off=True)), book.when(4)
    return deal.story(
        label,
        deal.seen(UNPAID, 0, paid=False),
        deal.seen(TO_SHIP, 2),
        deal.seen(SHIPPED, 4, shipped=sent),
        deal.seen(DONE, 7, shipped=sent),
        final={"state": "completed", "payment": "paid", "fulfilment": "delivered", "shippable": False},
    )


def _presale(book: Book, label: str) -> Story:
    """Deposit first; `presale` pays the balance too."""
    deal = Deal(book, book.basket(1), presell=2)
    steps = [deal.seen(DEPOSIT, 0, paid=False)]
    if label == "presale_deposit":
        return deal.story(label, *steps, final={"kind": "presale", "payment": "deposit_paid", "shippable": False})
    return deal.story(label, *steps, deal.seen(TO_SHIP, 4), final={**OPEN, "kind": "presale"})


def _risk(book: Book, label: str) -> Story:
    deal = Deal(book, book.basket(1))
    return deal.story(label, deal.seen(RISK, 0), final={"state": "open", "payment": "paid", "shippable": False})


def _unpaid_cancel(book: Book, label: str) -> Story:
    """Closed unpaid: status 4 like a refunded one, and pay_amount stays; pay_time is 0."""
    deal = Deal(book, book.basket(1))
    return deal.story(
        label,
        deal.seen(UNPAID, 0, paid=False),
        deal.seen(CLOSED, 3, paid=False),
        final={"state": "cancelled", "payment": "unpaid", "shippable": False},
    )


def _refund_before_shipping(book: Book, label: str) -> Story:
    deal, number = Deal(book, book.basket(1, off=True)), book.number(18, "14")
    return deal.story(
        label,
        deal.seen(TO_SHIP, 0),
        deal.seen(TO_SHIP, 2, aftersale={0: (6, 2, 1)}),
        deal.aftersale(number, 6, 2, 1, 2, asked=2),
        deal.seen(CLOSED, 5, main=REFUNDED_UNSHIPPED, aftersale={0: (12, 2, 3)}),
        deal.aftersale(number, 12, 2, 3, 5, asked=2),
        refunds=1,
        final={"state": "cancelled", "payment": "refunded", "fulfilment": "unshipped", "shippable": False},
    )


def _refund_only(book: Book, label: str) -> Story:
    """REFUND_ONLY after shipping: money back, goods stay out. In part or in full, the order is never cancelled."""
    deal, number, sent = Deal(book, book.basket(1, off=True)), book.number(18, "14"), book.when() - 250
    part = label == "refund_only_part"
    fen = deal.basket.lines[0].amount // 3 if part else None
    after = (12, 1, 3)
    last = (
        deal.seen(SHIPPED, 4, shipped=sent, aftersale={0: after})
        if part
        else deal.seen(CLOSED, 4, main=REFUNDED_SHIPPED, shipped=sent, aftersale={0: after})
    )
    return deal.story(
        label,
        deal.seen(SHIPPED, 0, shipped=sent),
        deal.aftersale(number, 6, 1, 1, 2, fen=fen, asked=2),
        last,
        deal.aftersale(number, 12, 1, 3, 4, fen=fen, asked=2),
        refunds=1,
        final={"state": "open" if part else "completed", "fulfilment": "shipped", "shippable": False},
    )


def _return(book: Book, label: str) -> Story:
    """One of two rows goes back after the end; the order stays completed."""
    deal, number, sent = Deal(book, book.basket(2, off=True)), book.number(18, "14"), book.when() - 250
    return deal.story(
        label,
        deal.seen(DONE, 0, shipped=sent),
        deal.aftersale(number, 6, 0, 1, 1, index=1, asked=1),
        deal.aftersale(number, 11, 0, 1, 3, index=1, asked=1),
        deal.seen(DONE, 5, shipped=sent, aftersale={1: (12, 0, 3)}),
        deal.aftersale(number, 12, 0, 3, 5, index=1, asked=1),
        refunds=1,
        final={"state": "completed", "fulfilment": "delivered", "shippable": False},
    )


def _refund_in_progress(book: Book, label: str) -> Story:
    """Asked for before shipping: no line may go out; or withdrawn again, when it may."""
    deal, number = Deal(book, book.basket(1)), book.number(18, "14")
    withdrawn = label == "refund_withdrawn"
    steps = [deal.seen(TO_SHIP, 0, aftersale={0: (6, 2, 1)}), deal.aftersale(number, 6, 2, 1, 0)]
    if withdrawn:
        steps += [deal.seen(TO_SHIP, 3, aftersale={0: (28, 2, 1)}), deal.aftersale(number, 28, 2, 1, 3)]
    return deal.story(label, *steps, refunds=1, final={"state": "open", "payment": "paid", "shippable": withdrawn})


def _lost_address(book: Book, label: str) -> Story:
    deal = Deal(book, book.basket(2))
    later = replace(deal.seen(TO_SHIP, 6, address=False, seller_words="已备货"), after_seen=True)
    return deal.story(label, deal.seen(TO_SHIP, 0), later, final={**OPEN, "receiver.token": deal.address_key})


def _unknown_word(book: Book, label: str) -> Story:
    deal = Deal(book, book.basket(1))
    return deal.story(label, deal.seen(UNKNOWN_STATUS), dead="mapping.unknown_word")


def _bad_totals(book: Book, label: str) -> Story:
    """The shop order says ten yuan more than its rows."""
    deal = Deal(book, book.basket(2, off=True))
    step = deal.seen(TO_SHIP, pay_amount=deal.basket.payable + 1000)
    return deal.story(label, step, dead="check.totals")


def _wrong_type(book: Book, label: str) -> Story:
    deal = Deal(book, book.basket(1))
    body = deal.body(TO_SHIP, book.when())
    body["sku_order_list"][0]["item_num"] = {"count": 1}
    return deal.story(label, deal.step(body), dead="mapping.wrong_type")


def _missing_sku(book: Book, label: str) -> Story:
    deal = Deal(book, book.basket(1))
    body = deal.body(TO_SHIP, book.when())
    if label == "unknown_sku":
        body["sku_order_list"][0]["code"] = DISCONTINUED
    else:
        body["sku_order_list"][0]["code"] = ""
    return deal.story(label, deal.step(body), refused_by="erp", final=OPEN)


def _undecodable(book: Book, label: str) -> Story:
    """Signed as it should be, and no message."""
    step = Step(book.at, "push", "raw", book.number(12, "msg"), b'[{"tag":"101","msg_id":', book.when(), book.when())
    return Story("douyin", label, step.key, (step,), orders=0, dead="wire.not_understood")


def _forged(book: Book, label: str) -> Story:
    """A push with a wrong signature: turned away, leaves no document."""
    step = Step(book.at, "push", "raw", book.number(12, "msg"), b"[]", book.when(), book.when(), flaw="signature")
    return Story("douyin", label, step.key, (step,), orders=0)


RECIPES: dict[str, Recipe] = {
    "normal": Recipe(_paid, 6),
    "multi_line": Recipe(_paid, 5),
    "progress": Recipe(_progress, 3),
    "gift": Recipe(_paid, 2),
    "push_first": Recipe(_paid, 2),
    "pull_first": Recipe(_paid, 2),
    "storm": Recipe(_paid),
    "presale": Recipe(_presale, 2),
    "presale_deposit": Recipe(_presale),
    "risk": Recipe(_risk, 2),
    "unpaid_cancel": Recipe(_unpaid_cancel, 2),
    "refund_before_shipping": Recipe(_refund_before_shipping, 3),
    "refund_only": Recipe(_refund_only, 3),
    "refund_only_part": Recipe(_refund_only, 2),
    "return": Recipe(_return, 2),
    "refund_in_progress": Recipe(_refund_in_progress, 2),
    "refund_withdrawn": Recipe(_refund_in_progress, 2),
    "lost_address": Recipe(_lost_address, 2),
    "unknown_word": Recipe(_unknown_word, 3),
    "bad_totals": Recipe(_bad_totals, 2),
    "wrong_type": Recipe(_wrong_type),
    "missing_sku": Recipe(_missing_sku),
    "unknown_sku": Recipe(_missing_sku),
    "undecodable": Recipe(_undecodable),
    "forged": Recipe(_forged),
}
EVERYDAY = ("normal", "normal", "multi_line", "multi_line", "progress", "refund_before_shipping", "refund_only")
