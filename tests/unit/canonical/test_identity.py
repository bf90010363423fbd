from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canonical import Order, dump_json
from canonical.fields import Document
from canonical.identity import Settled, Verdict, compare, content_hash, is_final, key_of, merge, settle, subject_of
from tests.unit.canonical.samples import (
    MOMENT,
    every_kind,
    invoice,
    line_data,
    order,
    order_data,
    orders,
    refund,
    shipment,
    stock,
)

EARLIER, SAME, LATER = "2024-06-18T04:59:59Z", "2024-06-18T05:00:00Z", "2024-06-18T05:00:01Z"
CLEAR = order_data()["receiver"]


@pytest.mark.parametrize(
    ("document", "key", "subject"),
    [
        (order(), ("order", "tea-house", "9223372036854775899"), "9223372036854775899"),
        (refund(), ("refund", "tea-house", "700100"), "9223372036854775899"),
        (shipment(), ("shipment", "tea-house", "WMS-1"), "9223372036854775899"),
        (stock(), ("stock", "HZ-1", "CUP-BLUE"), ""),
        (invoice(), ("invoice", "", "R20240618X1"), "9223372036854775899"),
        (invoice(order_nos=[]), ("invoice", "", "R20240618X1"), ""),
    ],
    ids=["order", "refund", "shipment", "stock", "invoice", "invoice of nothing"],
)
def test_key_and_subject(document: Document, key: tuple[str, str, str], subject: str) -> None:
    assert key_of(document) == key
    assert subject_of(document) == subject


@pytest.mark.parametrize(
    ("document", "final"),
    [
        (order(), False),
        (order(payment="refunded"), False),
        (order(state="completed"), True),
        (order(state="cancelled"), True),
        (refund(), False),
        (refund(state="approved"), False),
        (refund(state="refunded"), True),
        (refund(state="rejected"), True),
        (refund(state="cancelled"), True),
        (shipment(), False),
        (stock(), False),
        (invoice(state="failed"), False),
        (invoice(state="issued"), True),
        (invoice(state="void"), True),
    ],
)
def test_final_states(document: Document, final: bool) -> None:
    assert is_final(document) is final


@pytest.mark.parametrize(
    "changes",
    [
        {"revision": LATER},
        {"totals": {**order_data()["totals"], "paid": "188.0", "refunded": "0"}},
        {"extra": {"volatile": {"synced": "now"}}},
        {"lines": [line_data(1, extra={"volatile": 1}), line_data(2)]},
        {"kind": "normal", "cod": False, "display_no": None},
    ],
    ids=repr,
)
def test_what_is_no_content(changes: dict[str, Any]) -> None:
    assert content_hash(order(**changes)) == content_hash(order())


@pytest.mark.parametrize(
    "changes",
    [
        {"state": "completed"},
        {"order_no": "2"},
        {"totals": {**order_data()["totals"], "paid": "188.01"}},
        {"extra": {"gift_wrap": True}},
        {"receiver": None},
        {"lines": [line_data(1), line_data(2, extra={"colour": "blue"})]},
        {"lines": [line_data(2), line_data(1)]},
    ],
    ids=repr,
)
def test_what_is_content(changes: dict[str, Any]) -> None:
    assert content_hash(order(**changes)) != content_hash(order())


def test_the_order_of_names_in_extra_is_no_content() -> None:
    one = order(extra={"a": {"x": [1, {"p": 1, "q": 2}], "y": 2}, "b": 1})
    other = order(extra={"b": 1, "a": {"y": 2, "x": [1, {"q": 2, "p": 1}]}})
    assert content_hash(one) == content_hash(other)
    assert content_hash(one) != content_hash(order(extra={"a": {"x": [{"p": 1, "q": 2}, 1], "y": 2}, "b": 1}))


@pytest.mark.parametrize("document", every_kind(), ids=lambda d: d.document_kind)
def test_a_stored_document_has_the_content_that_it_had(document: Document) -> None:
    again = type(document).model_validate_json(dump_json(document))
    assert content_hash(again) == content_hash(document)
    assert len(content_hash(document)) == 32
    assert compare(again, document) is Verdict.DUPLICATE


@given(orders(), orders())
def test_content_is_equal_exactly_when_the_documents_are(one: Order, other: Order) -> None:
    other = other.model_copy(update={"revision": one.revision})
    assert (content_hash(one) == content_hash(other)) is (dump_json(one) == dump_json(other))
    assert content_hash(Order.model_validate_json(dump_json(one))) == content_hash(one)


@pytest.mark.parametrize(
    ("stored", "new", "verdict"),
    [
        (None, {}, Verdict.NEW),
        ({}, {}, Verdict.DUPLICATE),
        ({}, {"revision": LATER}, Verdict.SAME_CONTENT),
        ({}, {"revision": LATER, "seller_note": "hurry"}, Verdict.NEWER),
        ({}, {"seller_note": "hurry"}, Verdict.NEWER),
        ({}, {"revision": EARLIER}, Verdict.STALE),
        ({}, {"revision": EARLIER, "state": "completed"}, Verdict.STALE),
        ({"state": "completed"}, {}, Verdict.STALE),
        ({"state": "cancelled"}, {}, Verdict.STALE),
        ({}, {"state": "completed"}, Verdict.NEWER),
        ({"state": "completed"}, {"state": "completed", "payment": "refunded"}, Verdict.NEWER),
        ({"state": "completed"}, {"revision": LATER}, Verdict.NEWER),
    ],
    ids=repr,
)
def test_verdicts(stored: dict[str, Any] | None, new: dict[str, Any], verdict: Verdict) -> None:
    before = None if stored is None else order(**stored)
    assert compare(before, order(**new)) is verdict


@pytest.mark.parametrize(
    ("verdict", "taken", "delivered"),
    [
        (Verdict.NEW, True, True),
        (Verdict.NEWER, True, True),
        (Verdict.SAME_CONTENT, True, False),
        (Verdict.DUPLICATE, False, False),
        (Verdict.STALE, False, False),
    ],
)
def test_what_a_verdict_means(verdict: Verdict, taken: bool, delivered: bool) -> None:
    assert (verdict.taken, verdict.delivered) == (taken, delivered)


def test_stale_says_which_of_both_it_is() -> None:
    assert "older revision" in settle(order(), order(revision=EARLIER)).why
    assert "step back" in settle(order(state="completed"), order()).why


def test_settling_keeps_the_document_that_holds_and_its_content() -> None:
    stored, new = order(), order(revision=LATER, seller_note="hurry")
    settled = settle(stored, new)
    assert settled == Settled(Verdict.NEWER, new, content_hash(new))
    assert settle(stored, order(revision=EARLIER)).document is stored
    assert settle(stored, new, stored_content=content_hash(stored)) == settled
    assert settle(None, new) == Settled(Verdict.NEW, new, content_hash(new))


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        ("requested", "issued", Verdict.NEWER),
        ("requested", "failed", Verdict.NEWER),
        ("failed", "requested", Verdict.NEWER),
        ("issued", "void", Verdict.NEWER),
        ("issued", "requested", Verdict.STALE),
        ("void", "issued", Verdict.STALE),
        ("issued", "issued", Verdict.DUPLICATE),
    ],
)
def test_an_invoice_without_revision_goes_forward_only(before: str, after: str, verdict: Verdict) -> None:
    assert compare(invoice(state=before), invoice(state=after)) is verdict


def test_refunds_and_stock_follow_their_revision() -> None:
    assert compare(refund(state="refunded"), refund(state="approved")) is Verdict.STALE
    assert compare(refund(state="rejected"), refund(state="requested", revision=MOMENT + timedelta(days=1))) == "newer"
    assert compare(stock(), stock(available=3)) is Verdict.NEWER
    assert compare(stock(), stock(available=3, revision=MOMENT - timedelta(seconds=1))) is Verdict.STALE


@pytest.mark.parametrize(
    "lost",
    [None, {}, {"country": "CN", "city": "Hangzhou"}, {"masked": True}, {"name": "L**", "phone": "135****1111"}],
    ids=repr,
)
@pytest.mark.parametrize("revision", [SAME, LATER])
def test_a_message_without_an_address_erases_none(lost: dict[str, Any] | None, revision: str) -> None:
    new = order(receiver=lost, revision=revision, seller_note="x", holds=[{"code": "address_missing"}])
    merged = merge(order(), new)
    assert merged.receiver == order().receiver
    assert merged.holds == ()
    assert merged.shippable
    assert merged.seller_note == "x"
    assert merge(order(), order(receiver=lost, holds=[{"code": "risk_review"}])).holds[0].code == "risk_review"


def test_a_message_that_only_lost_the_address_is_no_change() -> None:
    lost = {"receiver": None, "holds": [{"code": "address_missing"}]}
    assert compare(order(), order(**lost)) is Verdict.DUPLICATE
    assert compare(order(), order(revision=LATER, **lost)) is Verdict.SAME_CONTENT


def test_a_new_address_is_taken() -> None:
    moved = {**CLEAR, "street": "2 Lake Road"}
    assert merge(order(), order(receiver=moved)).receiver == order(receiver=moved).receiver
    assert compare(order(), order(receiver=moved)) is Verdict.NEWER


def test_a_masked_address_does_not_replace_the_same_one_in_clear() -> None:
    masked = {"name": "L**", "phone": "135****1111", "city": "Hangzhou", "street": "* Lake Road", "masked": True}
    assert merge(order(), order(receiver=masked, revision=LATER)).receiver == order().receiver
    elsewhere = order(receiver={**masked, "city": "Suzhou"}, revision=LATER)
    assert merge(order(), elsewhere).receiver == elsewhere.receiver
    other_token = order(receiver={**masked, "token": "oaid-2"}, revision=LATER)
    assert merge(order(), other_token).receiver == other_token.receiver
    assert merge(order(receiver=masked), order(revision=LATER)).receiver == order().receiver


def test_a_token_is_an_address() -> None:
    known = order(receiver={"token": "oaid-1", "masked": True})
    assert merge(known, order(receiver=None, revision=LATER)).receiver == known.receiver


def test_an_address_that_arrives_late_is_taken_and_nothing_else() -> None:
    waiting = order(receiver=None, holds=[{"code": "address_missing"}], seller_note="new", revision=LATER)
    settled = settle(waiting, order(seller_note="old"))
    assert settled.verdict is Verdict.NEWER
    assert settled.document.receiver == order().receiver
    assert settled.document.seller_note == "new"
    assert settled.document.revision == waiting.revision
    assert settled.document.shippable
    assert settle(settled.document, order(seller_note="old")).verdict is Verdict.STALE


def test_documents_without_an_address_are_taken_as_they_are() -> None:
    new = refund(state="approved", revision=MOMENT + timedelta(hours=1))
    assert merge(refund(), new) is new
    assert merge(None, new) is new
    older = refund(revision=MOMENT - timedelta(hours=1))
    stored = refund()
    assert merge(stored, older) is stored


@given(st.lists(st.tuples(st.integers(0, 59), st.booleans()), min_size=1, max_size=4, unique_by=lambda pair: pair[0]))
def test_messages_in_any_order_end_in_one_document(changes: list[tuple[int, bool]]) -> None:
    messages = [
        order(
            revision=f"2024-06-18T05:00:{second:02}Z",
            seller_note=f"note {second}",
            receiver=CLEAR if known else None,
            holds=[] if known else [{"code": "address_missing"}],
        )
        for second, known in changes
    ]
    ends = set()
    for arrival in permutations(messages):
        kept: Order | None = None
        for message in (*arrival, *arrival):
            kept = settle(kept, message).document
        assert kept is not None
        ends.add(dump_json(kept))
    assert len(ends) == 1


@given(orders(), orders())
def test_settling_twice_changes_nothing(stored: Order, new: Order) -> None:
    first = settle(stored, new)
    again = settle(first.document, new)
    assert not again.verdict.taken or again.verdict is Verdict.NEWER
    assert again.document == first.document
