"""What happens to the orders of the own site: full records pushed by Standard Webhooks, and a list beside them."""

from dataclasses import replace
from typing import Any

from adapters.sandbox.deals.site import Deal
from adapters.sandbox.goods import DISCONTINUED, yuan
from adapters.sandbox.story import Book, Recipe, Step, Story

OPEN = {"state": "open", "payment": "paid", "fulfilment": "unshipped", "shippable": True}
UNKNOWN_STATUS = "awaiting_pickup_slot"
"""A status that the mapping does not know."""


def _paid(book: Book, label: str) -> Story:
    """Paid and waiting; the labels differ in lines, gifts, kinds of numbers, and in how the message comes."""
    single = label not in ("multi_line", "gift")
    basket = book.basket(
        1 if single else book.rng.randint(2, 4), most=1 if single else 3, off=True, shipping=True, gift=label == "gift"
    )
    deal = Deal(book, basket, numbers=label == "numbers")
    step = deal.seen("paid", "paid", copies=50 if label == "storm" else 1)
    steps = [step]
    if label == "push_first":
        steps = [replace(step, how="push"), replace(step, at=step.at + 4, how="pull")]
    elif label == "pull_first":
        steps = [replace(step, how="pull"), replace(step, at=step.at + 4, how="again")]
    elif label == "duplicates":
        steps = [step, *(replace(step, at=step.at + n, how="again") for n in (1, 2, 5))]
    final = {**OPEN, "totals.goods": yuan(basket.goods), "totals.payable": yuan(basket.payable)}
    return deal.story(label, *steps, final=final)


def _progress(book: Book, label: str) -> Story:
    """From unpaid to completed; `out_of_order` pushes the last states first and the first ones late."""
    deal = Deal(book, book.basket(2, most=2, off=True))
    steps = [
        deal.seen("pending", "unpaid", 0),
        deal.seen("paid", "paid", 2),
        deal.seen("processing", "paid", 3, shipping="partial"),
        deal.seen("shipped", "paid", 5, shipping="shipped"),
        deal.seen("completed", "paid", 7, shipping="delivered"),
    ]
    if label == "out_of_order":
        last = steps.pop()
        late = [replace(s, at=last.at + n, how="again") for n, s in enumerate(reversed(steps), 1)]
        steps = [*(replace(s, how="pull") for s in steps), last, *late]
    final = {"state": "completed", "payment": "paid", "fulfilment": "delivered", "shippable": False}
    return deal.story(label, *steps, final=final)


def _unpaid_cancel(book: Book, label: str) -> Story:
    deal = Deal(book, book.basket(1))
    steps = (deal.seen("pending", "unpaid", 0), deal.seen("cancelled", "unpaid", 3))
    return deal.story(label, *steps, final={"state": "cancelled", "payment": "unpaid", "shippable": False})


def _refund_before_shipping(book: Book, label: str) -> Story:
    deal = Deal(book, book.basket(1))
    number, all_of_it = "R" + book.number(9), deal.basket.payable
    return deal.story(
        label,
        deal.seen("paid", "paid", 0),
        deal.seen("paid", "paid", 2, lines={0: "requested"}),
        deal.refund(number, "requested", 2, asked=2),
        deal.seen("cancelled", "refunded", 5, refunded=all_of_it, lines={0: "refunded"}),
        deal.refund(number, "refunded", 5, asked=2),
        refunds=1,
        final={"state": "cancelled", "payment": "refunded", "fulfilment": "unshipped", "shippable": False},
    )


def _refund_after_shipping(book: Book, label: str) -> Story:
    """Money back, or a return, of one line after everything has arrived."""
    deal, number = Deal(book, book.basket(2, off=True)), "R" + book.number(9)
    kind, back = "return" if label == "return" else "refund_only", deal.basket.lines[1].amount
    about: dict[str, Any] = {"kind": kind, "phase": "after_shipping", "index": 1, "asked": 2}
    return deal.story(
        label,
        deal.seen("completed", "paid", 0, shipping="delivered"),
        deal.refund(number, "requested", 2, **about),
        deal.seen("completed", "partially_refunded", 5, shipping="delivered", refunded=back, lines={1: "refunded"}),
        deal.refund(number, "refunded", 5, **about),
        refunds=1,
        final={"state": "completed", "payment": "partially_refunded", "fulfilment": "delivered", "shippable": False},
    )


def _refund_in_progress(book: Book, label: str) -> Story:
    deal, number = Deal(book, book.basket(1)), "R" + book.number(9)
    steps = (deal.seen("paid", "paid", 0, lines={0: "requested"}), deal.refund(number, "requested", 0))
    return deal.story(label, *steps, refunds=1, final={"state": "open", "payment": "paid", "shippable": False})


def _held(book: Book, label: str) -> Story:
    """Under review, a test, or without an address: must not ship."""
    deal = Deal(book, book.basket(1))
    kinds: dict[str, dict[str, Any]] = {"risk_review": {"risk": "review"}, "test_order": {"test": True}}
    about = kinds.get(label, {"address": False})
    return deal.story(label, deal.seen("paid", "paid", **about), final={**OPEN, "shippable": False})


def _stale_page(book: Book, label: str) -> Story:
    deal = Deal(book, book.basket(1, off=True))
    shipped = deal.seen("shipped", "paid", 3, shipping="shipped")
    return deal.story(
        label,
        deal.seen("paid", "paid", 0),
        shipped,
        replace(shipped, at=shipped.at + 1, how="lag"),
        final={"state": "open", "fulfilment": "shipped"},
    )


def _unknown_word(book: Book, label: str) -> Story:
    deal = Deal(book, book.basket(1))
    return deal.story(label, deal.seen(UNKNOWN_STATUS, "paid"), dead="mapping.unknown_word")


def _bad_totals(book: Book, label: str) -> Story:
    deal = Deal(book, book.basket(2, off=True))
    wrong = yuan(deal.basket.payable + 1000)
    return deal.story(label, deal.seen("paid", "paid", total=wrong, paid=wrong), dead="check.totals")


def _wrong_type(book: Book, label: str) -> Story:
    deal = Deal(book, book.basket(1))
    body = deal.body("paid", "paid", book.when())
    body["items"][0]["quantity"] = "two"
    return deal.story(label, deal.step(body), dead="mapping.wrong_type")


def _missing_sku(book: Book, label: str) -> Story:
    deal = Deal(book, book.basket(1))
    body = deal.body("paid", "paid", book.when())
    if label == "unknown_sku":
        body["items"][0]["sku"] = DISCONTINUED
    else:
        body["items"][0]["sku"] = ""
    return deal.story(label, deal.step(body), refused_by="erp", final=OPEN)


def _raw(book: Book, label: str) -> Story:
    """Signed as it should be and no message (dead), or a wrong signature or an old time (turned away)."""
    flaw = {"undecodable": "", "forged": "signature", "old": "timestamp"}[label]
    body = b'{"type": "order.updated", "data": ' if not flaw else b'{"type": "order.updated", "data": {}}'
    step = Step(book.at, "push", "raw", book.number(12, "msg"), body, book.when(), book.when(), flaw=flaw)
    return Story("site", label, step.key, (step,), orders=0, dead="" if flaw else "wire.not_understood")


RECIPES: dict[str, Recipe] = {
    "normal": Recipe(_paid, 6),
    "multi_line": Recipe(_paid, 6),
    "progress": Recipe(_progress, 3),
    "gift": Recipe(_paid, 2),
    "numbers": Recipe(_paid, 2),
    "push_first": Recipe(_paid, 2),
    "pull_first": Recipe(_paid, 2),
    "duplicates": Recipe(_paid, 2),
    "storm": Recipe(_paid),
    "out_of_order": Recipe(_progress, 3),
    "unpaid_cancel": Recipe(_unpaid_cancel, 2),
    "refund_before_shipping": Recipe(_refund_before_shipping, 3),
    "refund_only": Recipe(_refund_after_shipping, 3),
    "return": Recipe(_refund_after_shipping, 3),
    "refund_in_progress": Recipe(_refund_in_progress, 2),
    "risk_review": Recipe(_held),
    "test_order": Recipe(_held),
    "no_address": Recipe(_held),
    "stale_page": Recipe(_stale_page, 2),
    "unknown_word": Recipe(_unknown_word, 3),
    "bad_totals": Recipe(_bad_totals, 2),
    "wrong_type": Recipe(_wrong_type),
    "missing_sku": Recipe(_missing_sku),
    "unknown_sku": Recipe(_missing_sku),
    "undecodable": Recipe(_raw),
    "forged": Recipe(_raw),
    "old": Recipe(_raw),
}
EVERYDAY = ("normal", "normal", "multi_line", "multi_line", "progress", "refund_before_shipping", "refund_only")
