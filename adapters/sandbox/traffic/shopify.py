"""What happens to the orders of the Shopify shop: webhooks with full records, GraphQL beside them."""

from dataclasses import replace

from adapters.sandbox.deals.shopify import ABROAD, Deal
from adapters.sandbox.goods import DISCONTINUED, yuan
from adapters.sandbox.story import Book, Recipe, Step, Story

OPEN = {"state": "open", "payment": "paid", "fulfilment": "unshipped", "shippable": True}
UNKNOWN_STATUS = "under_review"
"""A financial_status that the platform does not have."""


def _paid(book: Book, label: str) -> Story:
    """Paid and waiting; the labels differ in lines, gifts, currencies, tax, and in how the message comes."""
    single = label not in ("multi_line", "gift", "discounts")
    basket = book.basket(
        1 if single else book.rng.randint(2, 4),
        most=1 if single else 3,
        off=label in ("multi_line", "discounts"),
        shipping=True,
        gift=label == "gift",
    )
    buyer = book.rng.choice(sorted(ABROAD)) if label == "two_currencies" else "USD"
    deal = Deal(book, basket, buyer_currency=buyer, taxed=label in ("normal", "taxed", "multi_line"))
    step = deal.seen(topic="orders/create", copies=50 if label == "storm" else 1)
    steps = [step]
    if label == "push_first":
        steps = [replace(step, how="push"), replace(step, at=step.at + 4, how="pull")]
    elif label == "pull_first":
        steps = [replace(step, how="pull"), replace(step, at=step.at + 4, how="again")]
    final = {**OPEN, "totals.goods": yuan(basket.goods), "totals.payable": yuan(deal.total)}
    return deal.story(label, *steps, final=final)


def _progress(book: Book, label: str) -> Story:
    """From authorised to closed; `out_of_order` pushes the first states after the last one."""
    deal = Deal(book, book.basket(2, most=2, off=True))
    steps = [
        deal.seen(0, paid="authorized", topic="orders/create"),
        deal.seen(2, topic="orders/paid"),
        deal.seen(4, shipped="partial", topic="orders/partially_fulfilled"),
        deal.seen(6, shipped="fulfilled", topic="orders/fulfilled"),
        deal.seen(7, shipped="fulfilled", closed=True),
    ]
    if label == "out_of_order":
        last = steps.pop()
        late = [replace(s, at=last.at + n, how="again") for n, s in enumerate(reversed(steps), 1)]
        steps = [*(replace(s, how="pull") for s in steps), last, *late]
    return deal.story(label, *steps, final={"state": "completed", "payment": "paid", "shippable": False})


def _authorized(book: Book, label: str) -> Story:
    deal = Deal(book, book.basket(1))
    step = deal.seen(paid="authorized", topic="orders/create")
    return deal.story(label, step, final={"state": "open", "payment": "authorized", "shippable": False})


def _partial_refund(book: Book, label: str) -> Story:
    """One piece of a line goes back after shipping; money for goodwill has no lines at all."""
    deal = Deal(book, book.basket(2, most=2), taxed=label == "partial_refund")
    refund = deal.refund(3, {}, cents=500) if label == "goodwill" else deal.refund(3, {0: 1})
    return deal.story(
        label,
        deal.seen(0, shipped="fulfilled"),
        deal.refund_step(refund, 3),
        deal.seen(3, paid="partially_refunded", shipped="fulfilled", refunds=[refund]),
        refunds=1,
        final={"state": "open", "payment": "partially_refunded", "fulfilment": "shipped"},
    )


def _full_refund(book: Book, label: str) -> Story:
    """All the money back, not cancelled: stays open, nothing to ship."""
    deal = Deal(book, book.basket(1))
    refund = deal.refund(3, {0: 1}, restock="no_restock")
    return deal.story(
        label,
        deal.seen(0, shipped="fulfilled"),
        deal.refund_step(refund, 3),
        deal.seen(3, paid="refunded", shipped="fulfilled", refunds=[refund], kept={0: 0}),
        refunds=1,
        final={"state": "open", "payment": "refunded", "shippable": False},
    )


def _cancelled(book: Book, label: str) -> Story:
    """Cancelled before shipping, with the money back, or never paid."""
    deal = Deal(book, book.basket(1))
    if label == "cancelled_unpaid":
        steps = [deal.seen(0, paid="pending", topic="orders/create")]
        steps.append(deal.seen(3, paid="voided", cancelled="customer", topic="orders/cancelled"))
        return deal.story(label, *steps, final={"state": "cancelled", "shippable": False})
    refund = deal.refund(3, {0: 1}, restock="cancel")
    return deal.story(
        label,
        deal.seen(0, topic="orders/create"),
        deal.refund_step(refund, 3),
        deal.seen(3, paid="refunded", cancelled="customer", refunds=[refund], kept={0: 0}, topic="orders/cancelled"),
        refunds=1,
        final={"state": "cancelled", "payment": "refunded", "shippable": False},
    )


def _edited(book: Book, label: str) -> Story:
    """The merchant takes a line out before payment: its current_quantity is 0, the totals of the placing stay."""
    deal = Deal(book, book.basket(3))
    left = deal.total - deal.worth(1)
    after = deal.seen(3, kept={1: 0}, topic="orders/edited", current_total_price=yuan(left))
    return deal.story(label, deal.seen(0, paid="pending", topic="orders/create"), after, final={"state": "open"})


def _held(book: Book, label: str) -> Story:
    """A test order, or one without an address."""
    deal = Deal(book, book.basket(1))
    step = deal.seen(test=True) if label == "test_order" else deal.seen(address=False, customer=None, source_name="pos")
    return deal.story(label, step, final={**OPEN, "shippable": False})


def _numbers(book: Book, label: str) -> Story:
    """Numbers where text is usual."""
    deal = Deal(book, book.basket(1))
    body = deal.body(book.when())
    row = body["line_items"][0]
    row["price"] = deal.basket.lines[0].price / 100
    body["total_discounts"] = 0
    return deal.story(label, deal.step(body), final=OPEN)


def _unknown_word(book: Book, label: str) -> Story:
    deal = Deal(book, book.basket(1))
    return deal.story(label, deal.seen(paid=UNKNOWN_STATUS), dead="mapping.unknown_word")


def _bad_totals(book: Book, label: str) -> Story:
    deal = Deal(book, book.basket(2))
    wrong = deal.total + 1000
    body = deal.body(book.when(), total_price=yuan(wrong), current_total_price=yuan(wrong))
    for name in ("total_price_set", "current_total_price_set"):
        for money in body[name].values():
            money["amount"] = yuan(wrong)
    return deal.story(label, deal.step(body), dead="check.totals")


def _wrong_type(book: Book, label: str) -> Story:
    deal = Deal(book, book.basket(1))
    body = deal.body(book.when())
    body["line_items"][0]["quantity"] = body["line_items"][0]["current_quantity"] = "two"
    return deal.story(label, deal.step(body, how="push"), dead="mapping.wrong_type")


def _missing_sku(book: Book, label: str) -> Story:
    deal = Deal(book, book.basket(1))
    body = deal.body(book.when())
    if label == "unknown_sku":
        body["line_items"][0]["sku"] = DISCONTINUED
    else:
        body["line_items"][0]["sku"] = book.rng.choice(("", None))
    return deal.story(label, deal.step(body), refused_by="erp", final=OPEN)


def _raw(book: Book, label: str) -> Story:
    """Signed as it should be and no message (dead), or a wrong signature (turned away)."""
    flaw = "signature" if label == "forged" else ""
    step = Step(
        book.at,
        "push",
        "raw",
        book.number(12, "msg"),
        b'{"id": 82098',
        book.when(),
        book.when(),
        topic="orders/updated",
        flaw=flaw,
    )
    return Story("shopify", label, step.key, (step,), orders=0, dead="" if flaw else "wire.not_understood")


RECIPES: dict[str, Recipe] = {
    "normal": Recipe(_paid, 6),
    "multi_line": Recipe(_paid, 4),
    "progress": Recipe(_progress, 3),
    "gift": Recipe(_paid, 2),
    "discounts": Recipe(_paid, 3),
    "taxed": Recipe(_paid, 2),
    "two_currencies": Recipe(_paid, 3),
    "push_first": Recipe(_paid, 2),
    "pull_first": Recipe(_paid, 2),
    "storm": Recipe(_paid),
    "out_of_order": Recipe(_progress, 3),
    "authorized": Recipe(_authorized, 2),
    "partial_refund": Recipe(_partial_refund, 3),
    "goodwill": Recipe(_partial_refund, 2),
    "full_refund": Recipe(_full_refund, 2),
    "cancelled": Recipe(_cancelled, 3),
    "cancelled_unpaid": Recipe(_cancelled, 2),
    "edited": Recipe(_edited, 2),
    "test_order": Recipe(_held),
    "no_address": Recipe(_held, 2),
    "numbers": Recipe(_numbers, 2),
    "unknown_word": Recipe(_unknown_word, 3),
    "bad_totals": Recipe(_bad_totals, 2),
    "wrong_type": Recipe(_wrong_type),
    "missing_sku": Recipe(_missing_sku),
    "unknown_sku": Recipe(_missing_sku),
    "undecodable": Recipe(_raw),
    "forged": Recipe(_raw),
}
EVERYDAY = ("normal", "normal", "multi_line", "discounts", "progress", "partial_refund", "cancelled")
