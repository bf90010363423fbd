"""The same grammar the other way: canonical documents to what a destination takes."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("body", "given", "found"),
    [
        ('a.b = "sku"', {"sku": "S"}, {"a": {"b": "S"}}),
        ('a = "sku"', {"sku": None}, {}),
        ('a.b = "sku"\nc = { value = 1 }', {}, {"c": 1}),
        ('a = { path = "sku", default = "" }', {}, {"a": ""}),
        ('a = "available"', {"available": 5}, {"a": 5}),
        ('a = { path = "available", as = "text" }', {"available": 5}, {"a": "5"}),
        ('a = { path = "extra.price", as = "money", unit = "fen" }', {"extra": {"price": "59.90"}}, {"a": 5990}),
        ('a = { path = "extra.price", as = "money" }', {"extra": {"price": "59.9"}}, {"a": "59.90"}),
        ('a = { path = "extra.price", as = "number" }', {"extra": {"price": "59.90"}}, {"a": 59.9}),
        ('a = { path = "extra.n", as = "int" }', {"extra": {"n": "3"}}, {"a": 3}),
        ('a = { path = "extra.n", as = "decimal" }', {"extra": {"n": "1E+2"}}, {"a": "100"}),
        ('a = { path = "extra.n", as = "bool" }', {"extra": {"n": "1"}}, {"a": True}),
        (
            'a = { path = "revision", as = "time", format = "%Y-%m-%d %H:%M:%S", zone = "Asia/Shanghai" }',
            {"revision": "2024-06-01T04:00:00Z"},
            {"a": "2024-06-01 12:00:00"},
        ),
        (
            'a = { path = "revision", as = "time", format = "epoch_s" }',
            {"revision": "2024-06-01T04:00:00Z"},
            {"a": 1717214400},
        ),
        ('a = { path = "revision", as = "time" }', {"revision": "2024-06-01T04:00:00Z"}, {"a": "2024-06-01T04:00:00Z"}),
        (
            'a = { path = "warehouse", table = "t" }\n[tables.t]\nW = { code = "1" }',
            {"warehouse": "W"},
            {"a": {"code": "1"}},
        ),
        (
            'a = { path = "extra.p", times = "available", as = "money" }',
            {"extra": {"p": "1.5"}, "available": 3},
            {"a": "4.50"},
        ),
        (
            'a = { path = "extra.p", times = "available", as = "money", unit = "fen" }',
            {"extra": {"p": "1.5"}, "available": 3},
            {"a": 450},
        ),
        (
            'a = { path = "extra.p", divide = "available", as = "money" }',
            {"extra": {"p": "10"}, "available": 3},
            {"a": "3.33"},
        ),
        (
            'a = { path = "extra.p", plus = "available", as = "number" }',
            {"extra": {"p": "1.25"}, "available": 3},
            {"a": 4.25},
        ),
        (
            'a = { path = "extra.p", minus = "available", as = "decimal" }',
            {"extra": {"p": "1.25"}, "available": 1},
            {"a": "0.25"},
        ),
        ('a = { each = "extra.l", path = "n", as = "int" }', {"extra": {"l": [{"n": 1}, {"n": "2"}]}}, {"a": 3}),
        ('a = { when = [{ if = "sku", value = 1 }, { value = 2 }] }', {"sku": "S"}, {"a": 1}),
        (
            '[[body.lines]]\neach = "extra.l"\nname = "n"\nof = { path = "sku", from = "root" }',
            {"sku": "S", "extra": {"l": [{"n": 1}]}},
            {"lines": [{"name": 1, "of": "S"}]},
        ),
        ('"@id" = "sku"\n"#text" = { value = "x" }', {"sku": "S"}, {"@id": "S", "#text": "x"}),
        ('[body.fields]\nvalue = "sku"\nfrom = { value = "hub" }', {"sku": "S"}, {"value": "S", "from": "hub"}),
        (
            '[[body.when]]\nif = "available > `0`"\nset.a = { value = "in" }\n[[body.when]]\nset.a = { value = "out" }',
            {"available": 0},
            {"a": "out"},
        ),
    ],
    ids=lambda value: value[:60] if isinstance(value, str) else "-",
)
def test_rows_to_the_wire(render, body, given, found):
    assert render(body, given) == (found, [])


def test_the_document_s_currency_decides_the_digits(folder):
    drops = (
        '["tenant", "shop", "channel", "refund_no", "order_no", "revision", "kind", "phase", "state", "shipping", '
        '"lines", "reason", "buyer_note", "return_parcel", "requested_at", "completed_at", "extra"]'
    )
    catalog = folder(
        {
            "destinations/erp/refund.toml": f'kind = "refund"\nroot = "req"\ndrops = {drops}\n[body]\n'
            'a = { path = "amount", as = "money" }\nb = { path = "amount", as = "money", unit = "minor" }\n'
        }
    )
    catalog.load()
    rendering = catalog.destination("erp/refund")
    assert rendering.render({"amount": "500", "currency": "JPY"})[0] == {"a": "500", "b": 500}
    assert rendering.render({"amount": "5", "currency": "CNY"})[0] == {"a": "5.00", "b": 500}
    assert (rendering.root, rendering.kind) == ("req", "refund")
    assert rendering.version.startswith("erp/refund@")
    assert catalog.destination("erp", "refund") is rendering


@pytest.mark.parametrize(
    ("body", "given", "code", "rule"),
    [
        ('a = { path = "sku", required = true }', {}, "mapping.missing", "body.a"),
        ('a = { path = "sku", if = "available", required = true }', {"sku": "S"}, "mapping.no_branch", "body.a"),
        ('a = { path = "sku", table = "t" }\n[tables.t]\nA = 1', {"sku": "S"}, "mapping.unknown_word", "body.a"),
        (
            'a = { path = "extra.p", as = "money", unit = "jiao" }',
            {"extra": {"p": "1.55"}},
            "mapping.bad_money",
            "body.a",
        ),
        ('a = { path = "extra.p", as = "number" }', {"extra": {"p": "x"}}, "mapping.wrong_type", "body.a"),
        ('a = { path = "revision", as = "time" }', {"revision": "x"}, "mapping.bad_time", "body.a"),
        ('a = "sum(extra)"', {"extra": {}}, "mapping.expression", "body.a"),
        (
            '[[body.l]]\neach = "extra.l"\nn = { path = "n", required = true }',
            {"extra": {"l": [{"n": 1}, {}]}},
            "mapping.missing",
            "body.l[1].n",
        ),
    ],
    ids=lambda value: value[:60] if isinstance(value, str) else "-",
)
def test_what_cannot_be_written_is_told(render, body, given, code, rule):
    _, problems = render(body, given)
    assert [(p.code, p.rule) for p in problems] == [(code, f"wms/stock: {rule}")]
    assert "mappings/destinations/wms/stock.toml" in problems[0].hint


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("pln"), inner, max_size=3),
    max_leaves=6,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(["sku", "available", "revision", "extra"]), JSON))
def test_no_document_raises(render, document):
    body = """
    a = { path = "extra.p", times = "available", as = "money", unit = "fen" }
    b = { path = "revision", as = "time", format = "epoch_ms" }
    c = { path = "sku", as = "number" }
    d = { each = "extra.l", path = "n", as = "int" }
    e = "sum(extra.l)"
    """
    found, problems = render(body, document)
    assert isinstance(found, dict)
    assert all(problem.hint for problem in problems)


LOST = "neither carried nor listed in drops: "


@pytest.mark.parametrize(
    ("drops", "body", "told"),
    [
        ([], 'a = "@"', None),
        ([], 'a = "sku"', LOST + "tenant, warehouse, revision, available, on_hand, reserved, in_transit, extra"),
        (
            ["tenant", "revision", "on_hand", "reserved", "in_transit", "extra"],
            'a = "sku"\nb = "available"',
            LOST + "warehouse",
        ),
        (
            ["tenant", "on_hand", "reserved", "in_transit", "extra"],
            'a = "[sku, warehouse]"\nb = { value = 1, if = "available" }\n[[body.when]]\nif = "revision"\nset.c = "x"',
            None,
        ),
        (
            ["tenant", "on_hand", "reserved", "in_transit", "extra", "revision"],
            'a = { path = "to_string(sku)", plus = "available" , as = "int"}\nb = "{x: {y: warehouse}}"',
            None,
        ),
        (["tenantt"], 'a = "@"', "drops names no field 'tenantt', did you mean tenant?"),
    ],
    ids=range(6),
)
def test_a_stock_mapping_must_carry_or_drop_every_field(folder, load_problems, drops, body, told):
    files = {"destinations/wms/stock.toml": f'kind = "stock"\ndrops = {drops}\n[body]\n{body}\n'}
    if told is None:
        folder(files).load()
        assert folder(files).folder.is_dir()
    else:
        assert load_problems(files) == [f"mappings/destinations/wms/stock.toml:2: drops: {told}"]


ORDER_DROPS = [
    "tenant",
    "shop",
    "channel",
    "display_no",
    "group_no",
    "revision",
    "kind",
    "state",
    "payment",
    "fulfilment",
    "holds",
    "shippable",
    "cod",
    "currency",
    "placed_at",
    "paid_at",
    "shipped_at",
    "completed_at",
    "cancelled_at",
    "ship_by",
    "cancel_reason",
    "buyer",
    "payments",
    "discounts",
    "presale",
    "invoice",
    "buyer_note",
    "seller_note",
    "tags",
    "extra",
]
LINE_DROPS = [
    "lines.line_no",
    "lines.item_id",
    "lines.variant_id",
    "lines[].title",
    "lines.variant",
    "lines.discount",
    "lines.amount",
    "lines.tax",
    "lines.shipped_quantity",
    "lines.refund",
    "lines.refunded_amount",
    "lines.gift",
    "lines.shippable",
    "lines.warehouse",
    "lines.ship_by",
    "lines.extra",
]


def test_totals_receiver_and_lines_are_held_to_it_field_by_field(load_problems):
    text = f"""kind = "order"
drops = {ORDER_DROPS + LINE_DROPS}
[body]
no = "order_no"
paid = "totals.paid"
address = "join(' ', [receiver.province, receiver.city, receiver.street])"
[[body.rows]]
each = "lines[?shippable]"
sku = "sku"
price = "unit_price"
"""
    assert load_problems({"destinations/erp/order.toml": text}) == [
        f"mappings/destinations/erp/order.toml:2: drops: {LOST}totals.goods, totals.discount, totals.shipping, "
        "totals.tax, totals.other, totals.payable, totals.refunded, receiver.name, receiver.phone, receiver.country, "
        "receiver.district, receiver.town, receiver.postcode, receiver.masked, receiver.token, lines.quantity"
    ]


def test_the_whole_parent_read_or_dropped_is_enough(folder):
    text = f"""kind = "order"
drops = {[*ORDER_DROPS, "totals"]}
[body]
no = "order_no"
receiver = "receiver"
items = "lines"
"""
    catalog = folder({"destinations/erp/order.toml": text})
    catalog.load()
    assert catalog.destination("erp").render({"order_no": "1", "lines": []})[0] == {"no": "1", "items": []}


def test_loops_and_ways_out_of_them_count_as_read(folder):
    text = f"""kind = "order"
drops = {[*ORDER_DROPS, *LINE_DROPS, "receiver"]}
[body]
[[body.rows]]
each = "lines"
where = "quantity"
sku = "sku"
price = {{ path = "unit_price", minus = "discount", as = "money" }}
no = {{ path = "order_no", from = "parent" }}
all = {{ path = "totals", from = "root" }}
"""
    catalog = folder({"destinations/erp/order.toml": text})
    catalog.load()
    body, problems = catalog.destination("erp").render(
        {"order_no": "1", "currency": "CNY", "totals": {}, "lines": [{"sku": "A", "unit_price": "2", "quantity": 1}]}
    )
    assert (body, problems) == ({"rows": [{"sku": "A", "price": "2.00", "no": "1", "all": {}}]}, [])


def test_personal_values_are_never_shown(folder):
    text = f"""kind = "order"
drops = {[*ORDER_DROPS, *LINE_DROPS, "totals"]}
[body]
no = {{ path = "order_no", table = "t" }}
name = {{ path = "receiver.name", table = "t" }}
all = {{ path = "join(' ', [receiver.name, receiver.street])", as = "int" }}
made = {{ path = "receiver | [name, phone] | [1]", as = "time" }}
[[body.rows]]
each = "lines"
sku = {{ path = "sku", table = "t" }}
of = {{ path = "receiver.phone", from = "root", as = "time" }}
price = "[unit_price, quantity]"
[body.extra]
whole = "receiver"
[tables.t]
A = 1
"""
    catalog = folder({"destinations/erp/order.toml": text})
    catalog.load()
    receiver = {"name": "Li Lei", "street": "Nanjing Road 1", "phone": "13800000000"}
    _, problems = catalog.destination("erp").render({"order_no": "O1", "receiver": receiver, "lines": [{"sku": "S"}]})
    assert {p.rule.removeprefix("erp/order: body."): p.found for p in problems} == {
        "no": '"O1"',
        "name": "text of 6 characters (masked)",
        "all": "text of 21 characters (masked)",
        "made": "text of 11 characters (masked)",
        "rows[0].sku": '"S"',
        "rows[0].of": "text of 11 characters (masked)",
    }


def test_a_destination_has_no_document_to_build_on(load_problems):
    text = 'kind = "stock"\n[body]\na = { path = "@", from = "document" }\nb = "@"\n'
    problems = load_problems({"destinations/wms/stock.toml": text})
    assert problems == [
        "mappings/destinations/wms/stock.toml:3: body.a.from: a destination reads the document anyway: "
        'use from = "root"'
    ]
