"""Objects, their branches, lists and their parts, the way out of a loop, rows over the finished document."""

from decimal import Decimal

LINES = """
[order.lines]
each = "items"
where = "!gone"
line_no = "id"
sku = "sku"
quantity = "n"
"""
ITEMS = {"items": [{"id": 1, "sku": "A", "n": 2}, {"id": 2, "sku": "B", "n": 1, "gone": True}, {"id": 3, "n": "4"}]}


def test_one_object_for_each_item_that_is_kept(document):
    lines = document(LINES, ITEMS).lines
    assert [(line.line_no, line.sku, line.quantity) for line in lines] == [("1", "A", 2), ("3", None, 4)]


def test_a_single_object_is_a_list_of_one_as_xml_gives_it(document):
    assert len(document(LINES, {"items": ITEMS["items"][0]}).lines) == 1


def test_no_list_is_no_lines(document):
    assert document(LINES, {}).lines == ()


def test_an_empty_item_does_not_vanish(translate):
    problems = translate(LINES, {"items": [{}]}).problems
    assert [(p.code, p.rule) for p in problems] == [
        ("mapping.missing", "shop/order: order.lines[0].line_no"),
        ("mapping.missing", "shop/order: order.lines[0].quantity"),
    ]


def test_reaching_out_of_the_loop(document):
    rows = """
    [order.lines]
    each = "parcels[]"
    line_no = "no"
    quantity = { value = 1 }
    warehouse = { path = "store", from = "root" }
    [[order.lines.extra.parts]]
    each = "pieces"
    piece = "name"
    parcel = { path = "no", from = "parent" }
    shop = { path = "store", from = "root" }
    """
    order = document(rows, {"store": "W1", "parcels": [{"no": 1, "pieces": [{"name": "a"}, {"name": "b"}]}, {"no": 2}]})
    assert [line.warehouse for line in order.lines] == ["W1", "W1"]
    assert order.lines[0].extra == {
        "parts": [{"piece": "a", "parcel": 1, "shop": "W1"}, {"piece": "b", "parcel": 1, "shop": "W1"}]
    }
    assert order.lines[1].extra == {}


def test_parent_of_a_single_loop_is_the_record(document):
    rows = LINES + 'warehouse = { path = "store", from = "parent" }'
    assert [line.warehouse for line in document(rows, {**ITEMS, "store": "W2"}).lines] == ["W2", "W2"]


def test_parts_are_joined_in_order(document):
    rows = """
    [[order.holds]]
    if = "risk"
    code = { value = "risk_review" }
    word = "risk"
    [[order.holds]]
    each = "holds"
    where = "active"
    code = { path = "kind", table = "hold" }
    word = "kind"
    [[order.holds]]
    code = { value = "test_order" }
    """
    tail = "\n[tables.state]\nOPEN = 'open'\n[tables.hold]\nP = 'platform_hold'\n"
    record = {"risk": "R", "holds": [{"kind": "P", "active": True}, {"kind": "Q"}]}
    holds = document(rows, record, tail=tail).holds
    assert [(hold.code, hold.word) for hold in holds] == [
        ("risk_review", "R"),
        ("platform_hold", "P"),
        ("test_order", None),
    ]
    assert [hold.code for hold in document(rows, {}, tail=tail).holds] == ["test_order"]


def test_a_part_with_a_condition_and_a_loop(document):
    rows = '[[order.payments]]\nif = "paid"\neach = "pays"\nmethod = "how"\n'
    record = {"pays": [{"how": "card"}]}
    assert [p.method for p in document(rows, {**record, "paid": True}).payments] == ["card"]
    assert document(rows, record).payments == ()


def test_an_object_without_any_value_is_null(document):
    rows = 'receiver.name = "name"\nreceiver.phone = "phone"\ntotals.paid = "paid"'
    assert document(rows, {}).receiver is None
    assert document(rows, {"phone": "1"}).receiver.phone == "1"
    assert document(rows, {}).totals.paid is None


def test_an_object_with_a_condition(document):
    rows = '[order.invoice]\nif = "wants"\ntitle = "title"\nkind = { value = "paper" }\n'
    assert document(rows, {"title": "x"}).invoice is None
    assert document(rows, {"title": "x", "wants": True}).invoice.kind == "paper"


def test_an_object_read_elsewhere(document):
    rows = '[order.lines]\neach = "items"\nline_no = "id"\nquantity = "id"\nextra.at = { from = "root", no = "no" }'
    assert document(rows, {"items": [{"id": 1}]}).lines[0].extra == {"at": {"no": 9007199254740993}}


def test_names_that_the_grammar_uses_go_under_fields(document):
    rows = '[order.extra.fields]\npath = "p"\nvalue = { value = 1 }\nwhen = { fields = { each = "p" } }\n'
    assert document(rows, {"p": "x"}).extra == {"path": "x", "value": 1, "when": {"each": "x"}}


def test_branches_of_an_object_with_names_under_fields(document):
    rows = """
    [order.extra]
    fields = { from = "p", value = "q" }
    [[order.extra.when]]
    if = "on"
    set = { value = { value = "branch" } }
    """
    assert document(rows, {"p": 1, "q": 2}).extra == {"from": 1, "value": 2}
    assert document(rows, {"p": 1, "q": 2, "on": True}).extra == {"from": 1, "value": "branch"}


def test_branches_of_the_document(document):
    rows = """
    buyer_note = "note"
    [[order.when]]
    if = "type == 'step'"
    set = { kind = { value = "presale" }, presale.deposit = "paid", buyer_note = { value = "step" } }
    [[order.when]]
    if = "type == 'group'"
    set.kind = { value = "group_buy" }
    [[order.when]]
    set.seller_note = { value = "else" }
    """
    step = document(rows, {"type": "step", "paid": "5", "note": "n"})
    assert (step.kind, step.presale.deposit, step.buyer_note, step.seller_note) == (
        "presale",
        Decimal("5.00"),
        "step",
        None,
    )
    group = document(rows, {"type": "group", "note": "n"})
    assert (group.kind, group.presale, group.buyer_note) == ("group_buy", None, "n")
    other = document(rows, {"note": "n"})
    assert (other.kind, other.buyer_note, other.seller_note) == ("normal", "n", "else")


def test_branches_change_single_rows_of_an_inner_object(document):
    rows = """
    totals.paid = "paid"
    totals.tax = "tax"
    [[order.when]]
    if = "free"
    set.totals.tax = { value = 0 }
    """
    totals = document(rows, {"free": True, "paid": "3", "tax": "1"}).totals
    assert (totals.paid, totals.tax) == (Decimal("3.00"), Decimal("0"))


def test_branches_of_an_item(document):
    rows = (
        LINES + '\n[[order.lines.when]]\nif = "gift"\nset = { gift = { value = true }, unit_price = { value = 0 } }\n'
    )
    lines = document(rows, {"items": [{"id": 1, "n": 1, "gift": True}, {"id": 2, "n": 1}]}).lines
    assert [(line.gift, line.unit_price) for line in lines] == [(True, Decimal("0")), (False, None)]


def test_rows_over_the_document_run_last_in_the_order_of_the_file(document):
    rows = """
    buyer_note = { path = "totals.goods > `15` && 'big' || 'small'", from = "document" }
    totals.goods = { each = "lines", path = "amount", from = "document" }
    seller_note = { path = "totals.goods > `15` && 'big' || 'small'", from = "document" }
    tags = { each = "lines", path = "sku", from = "document", collect = true }
    [order.lines]
    each = "items"
    line_no = "id"
    sku = "sku"
    quantity = { value = 2 }
    amount = "price"
    """
    items = [{"id": 1, "sku": "A", "price": "10.50"}, {"id": 2, "sku": "B", "price": 5}]
    order = document(rows, {"items": items})
    assert order.totals.goods == Decimal("15.50")
    assert order.tags == ("A", "B")
    assert (order.buyer_note, order.seller_note) == ("small", "big")


def test_rows_over_the_document_see_one_another_in_the_order_of_the_file(document):
    rows = """
    placed_at = "t"
    display_no = { path = "order_no", from = "document" }
    paid_at = { path = "placed_at", from = "document" }
    buyer_note = { path = "display_no", from = "document" }
    """
    order = document(rows, {"t": "2026-01-01 00:00:00"})
    assert order.buyer_note == order.display_no == order.order_no
    assert order.paid_at == order.placed_at


def test_a_hold_that_follows_from_the_finished_lines(document):
    rows = """
    [[order.holds]]
    from = "document"
    if = "lines && !(lines[?refund == 'none'])"
    code = { value = "refund_in_progress" }
    [order.lines]
    each = "items"
    line_no = "id"
    quantity = { value = 1 }
    refund = { path = "back", table = "back" }
    """
    tail = "\n[tables.state]\nOPEN = 'open'\n[tables.back]\n1 = 'requested'\n0 = 'none'\n"
    both = {"items": [{"id": 1, "back": 1}, {"id": 2, "back": 1}]}
    one = {"items": [{"id": 1, "back": 1}, {"id": 2, "back": 0}]}
    assert [h.code for h in document(rows, both, tail=tail).holds] == ["refund_in_progress"]
    assert document(rows, one, tail=tail).holds == ()


def test_an_object_whose_only_row_waits_may_still_be_null(document):
    rows = 'presale.deposit = { path = "extra.none", from = "document" }\nextra.x = { value = 1 }'
    assert document(rows).presale is None
    rows = 'presale.deposit = { path = "totals.paid", from = "document" }\ntotals.paid = "paid"'
    assert document(rows, {"paid": "5"}).presale.deposit == Decimal("5.00")
