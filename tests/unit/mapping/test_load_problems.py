"""Everything that is wrong with mapping files is told at load: file, line, key, and what may have been meant."""

import pytest

from canonical.errors import ConfigError
from tests.unit.mapping.conftest import lines_only

FILE = "mappings/channels/shop/order.toml"
ROW = 12  # the line of the first row that a test adds


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ('buyer_nota = "x"', "order.buyer_nota: unknown field of order 'buyer_nota', did you mean buyer_note?"),
        ('totals.payed = "x"', "order.totals.payed: unknown field of order.totals 'payed', did you mean payable?"),
        ('shippable = "x"', "order.shippable: the hub sets this field itself"),
        ('tenant = "x"', "order.tenant: the hub sets this field itself"),
        ('display_no = "a..b"', "order.display_no: '.' is not expected here\n    a..b\n      ^"),
        ('display_no = ""', "order.display_no: the expression is empty"),
        ('display_no = "a["', "order.display_no: the expression ends too early\n    a[\n      ^"),
        ('display_no = "lenght(a)"', "order.display_no: unknown function lenght(), did you mean length()?"),
        ('display_no = { path = "join(a)" }', "order.display_no.path: join() takes 2 arguments, not 1"),
        ("display_no = { path = 5 }", "order.display_no.path: an expression is text, not a number"),
        ("display_no = 5", "order.display_no: a row is an expression in quotes or a table; a constant is written"),
        (
            'display_no = { pth = "x", path = "y" }',
            "order.display_no.pth: unknown key of a row 'pth', did you mean path?",
        ),
        ('display_no = { as = "text" }', "order.display_no: a row needs path, value or when"),
        ('display_no = { path = "a", value = "b" }', "order.display_no.value: path and value exclude each other"),
        (
            'display_no = { path = "a", as = "txt" }',
            "order.display_no.as: unknown conversion 'txt', did you mean text?",
        ),
        (
            'totals.paid = { path = "a", unit = "fenn" }',
            "order.totals.paid.unit: unknown unit 'fenn', did you mean fen?",
        ),
        ('display_no = { path = "a", unit = "fen" }', "order.display_no.unit: unit goes with as = money"),
        ('display_no = { path = "a", times = "b" }', "order.display_no.times: times goes with as = money or int"),
        ('tags = { path = "a", separator = ";" }', "order.tags.separator: separator goes with as = words"),
        ('placed_at = { path = "a", format = "epoch_s" }', "order.placed_at.format: epoch_s is for destinations"),
        ('placed_at = { path = "a", zone = "China" }', "order.placed_at.zone: unknown zone 'China'"),
        ('placed_at = { path = "a", zone = "../etc" }', "order.placed_at.zone: unknown zone '../etc'"),
        (
            'display_no = { path = "a", from = "rot" }',
            "order.display_no.from: unknown place to read from 'rot', did you mean root?",
        ),
        (
            'payment2 = { path = "a", table = "stat" }',
            "order.payment2: unknown field of order 'payment2', did you mean payment?",
        ),
        ('kind = { path = "a", table = "stat" }', "order.kind.table: unknown table 'stat', did you mean state?"),
        ('kind = { path = "a", table = "only" }', "tables.only.A: 'open' is not a word of kind, known: normal"),
        ('kind = { value = "presail" }', "order.kind.value: 'presail' is not a word of kind, did you mean presale?"),
        ('kind = { path = "a", default = "x" }', "order.kind.default: 'x' is not a word of kind"),
        ('totals.paid = { value = "1,5" }', "order.totals.paid.value: '1,5' is not what paid takes"),
        (
            'placed_at = { path = "a", default = "never" }',
            "order.placed_at.default: 'never' is not what placed_at takes",
        ),
        ('totals = { each = "a", paid = "b" }', "order.totals: this field is an object, not a list"),
        ('[order.totals.paid]\nif = "a"\namount = "b"', "order.totals.paid: a row needs path, value or when"),
        ('[[order.tags]]\nif = "a"\nword = "b"', "order.tags: a list of words is one row"),
        ('[order.lines]\nline_no = "a"', "order.lines: this is a list: give it `each`"),
        ('[order.lines]\neach = "a"\nline_no = "b"', "order.lines: order.lines[].quantity must be mapped"),
        ('[[order.holds]]\nwhere = "a"\ncode = "b"', "order.holds[0].where: `where` keeps items of `each`"),
        ('holds = ["a"]', "order.holds: a list is made of tables"),
        ('totals.tax = { path = "a", where = "b" }', "order.totals.tax.where: where goes with each"),
        ('totals.tax = { path = "a", collect = true }', "order.totals.tax.collect: collect goes with each"),
        (
            'display_no = { path = "a", each = "b" }',
            "order.display_no.each: a sum is money, int, decimal, number; to gather",
        ),
        (
            'display_no = { path = "a", distinct = true }',
            "order.display_no.distinct: distinct is for rows inside a list",
        ),
        ('display_no = { path = "a", absent = "-" }', "order.display_no.absent: absent cannot be text"),
        (
            'display_no = { when = [{ value = "a" }, { value = "b" }] }',
            "order.display_no.when[1]: this branch is never reached",
        ),
        ('display_no = { when = ["a"] }', "order.display_no: a branch is a row"),
        (
            'display_no = { when = [{ if = "a[", value = "b" }] }',
            "order.display_no.when[0].if: the expression ends too early",
        ),
        ('[[order.when]]\nif = "a"', "order.when[0]: a branch of an object has `if` and `set`"),
        (
            '[[order.when]]\nif = "a"\nsett = 1\nset.kind = { value = "presale" }',
            "order.when[0].sett: unknown key of a branch 'sett'",
        ),
        ('[[order.when]]\nset.kind = { value = "x" }', "order.when[0].set.kind.value: 'x' is not a word of kind"),
        (
            '[[order.when]]\nset.kind = "a"\n[[order.when]]\nset.kind = "b"',
            "order.when[1]: this branch is never reached",
        ),
        ('extra = { if = 5, x = "y" }', "order.extra.if: an expression is text, not a number"),
        ('totals.paid = { path = "a", plus = ["b["] }', "order.totals.paid.plus: the expression ends too early"),
        ('totals.paid = { path = "a", plus = [5] }', "order.totals.paid.plus: an expression is text, not a number"),
    ],
)
def test_a_wrong_row(load_problems, rows, told):
    problems = load_problems(rows, tail="\n[tables.state]\nOPEN = 'open'\n[tables.only]\nA = 'open'\n")
    matching = [p for p in problems if p.partition(": ")[2].startswith(told)]
    assert matching or problems == [told], problems
    assert len(problems) == 1
    file, line, _ = problems[0].split(":", 2)
    assert file == FILE
    assert int(line) >= ROW or told.startswith("order.kind.table: ") or "tables." in told or "must be mapped" in told


def test_lines_are_those_of_the_row(load_problems):
    problems = load_problems(
        '\n\ntotals.paid = { path = "a", unit = "x" }\n[order.lines]\neach = "["\nline_no = "a"\nquantity = "b["'
    )
    assert [p.split(": ")[0].rpartition(":")[2] for p in problems] == ["14", "18", "16"]


def test_every_error_is_told_at_once_with_line_column_and_the_nearest_right_thing(folder):
    text = (
        """\
kind = "order"
key = "no"
revision = "changed"
zone = "Asia/Shangai"
currency = "CNY"

[order]
order_no = "no"
state = { path = "status", table = "stat" }
payment = { value = "payed" }
fulfilment = { value = "unshipped" }
"""
        + "#\n" * 28
        + """\
totals.payable = { path = "lenght(a)", as = "mony" }
tags = "a["
[tables.state]
OPEN = "open"
"""
    )
    with pytest.raises(ConfigError) as caught:
        folder({"channels/shop/order.toml": text}).load()
    problems = caught.value.problems
    assert [p.removeprefix("mappings/channels/shop/order.toml:").partition(": ")[0] for p in problems] == [
        "4:1", "9:28", "10:13", "40:40", "40:20", "41:1",
    ]  # fmt: skip
    told = [
        "zones are named like",
        "did you mean state?",
        "payed",
        "did you mean money?",
        "did you mean length()?",
        "^",
    ]
    assert all(hint in problem for hint, problem in zip(told, problems, strict=True)), problems


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('kind = "order"', 'kind = "ordre"', "1: kind: unknown kind 'ordre', did you mean order?"),
        ('kind = "order"\n', "", "1: unknown kind ''; known: invoice, order"),
        ('key = "no"\n', "", "1: key is missing"),
        ('key = "no"', 'kee = "no"', "2: kee: unknown key 'kee', did you mean key?"),
        ('key = "no"', "key = 5", "2: key: an expression is text, not a number"),
        ('zone = "Asia/Shanghai"', 'zone = "Peking"', "4: zone: unknown zone 'Peking'"),
        ('currency = "CNY"', 'currency = "cny("', "5: currency: the expression ends too early"),
        ('currency = "CNY"', 'currency = "CNY"\nunit = "euro"', "6: unit: unknown unit 'euro'"),
        ('currency = "CNY"\n', "", "6: order: order.currency must be mapped"),
        ('revision = "changed"\n', "", "6: order: order.revision must be mapped"),
        ('order_no = "no"\n', "", "7: order: order.order_no must be mapped"),
        ("[order]", "[orders]", "1: the section [order] is missing"),
        ("[order]", '[[ignore]]\nif = "a"\n[order]', "7: ignore[0]: [[ignore]] has `if` (an expression) and `why`"),
        ("[order]", '[[ignore]]\nif = "a("\nwhy = "x"\n[order]', "8: ignore[0].if: the expression ends too early"),
        (
            "[order]",
            'extends = "shop/ordre"\n[order]',
            "7: extends: there is no mapping 'shop/ordre', did you mean shop/order?",
        ),
        ("[order]", 'extends = "shop/order"\n[order]', "7: extends: extends itself in a circle"),
        ("[order]", 'accepts = "a b"\n[order]', "7: accepts: "),
    ],
)
def test_a_wrong_head(load_problems, usual_head, old, new, told):
    head = usual_head.replace(old, new, 1)
    assert head != usual_head
    problems = load_problems("", head=head)
    assert any(p.startswith(f"{FILE}:{told}") for p in problems), problems


def test_all_files_are_told_about_at_once(load_problems, usual_head):
    problems = load_problems(
        {
            "channels/shop/order.toml": usual_head + 'tags = "a["\nbuyer_note = "b["\n[tables.state]\nA = "opened"\n',
            "channels/shop/refund.toml": "kind = ",
            "tables/carriers.toml": "a = 1\na = 2",
            "destinations/erp/order.toml": 'kind = "order"\n[body]\nx = "shop"\ny = { path = "y", as = "mony" }\n',
        }
    )
    assert [p.split(": ")[0] for p in problems] == [
        "mappings/tables/carriers.toml:2",
        "mappings/channels/shop/refund.toml:1",
        f"{FILE}:15",
        f"{FILE}:12",
        f"{FILE}:13",
        "mappings/destinations/erp/order.toml:4",
        "mappings/destinations/erp/order.toml:1",
    ]
    assert "did you mean open?" in problems[2]


def test_two_files_that_take_everything(load_problems, usual_head):
    text = usual_head + "[tables.state]\nOPEN = 'open'\n"
    problems = load_problems({"channels/shop/order.toml": text, "channels/shop/order-new.toml": text})
    assert problems == [
        f"{FILE.replace('order', 'order-new')}:1: {FILE} takes every order too; give one of the two `accepts`"
    ]


def test_a_folder_that_is_not_there(folder, tmp_path):
    with pytest.raises(ConfigError, match="does not exist"):
        folder({}).load()


def test_a_bad_file_keeps_the_good_ones_in_force(folder, usual_head):
    text = usual_head + "[tables.state]\nOPEN = 'open'\n"
    catalog = folder({"channels/shop/order.toml": text})
    catalog.load()
    version = catalog.channel("shop", "order").version
    with pytest.raises(ConfigError):
        folder({"channels/shop/order.toml": text.replace("'open'", "'ajar'")}).load()
    folder({"channels/shop/order.toml": text.replace("'open'", "'ajar'")})
    with pytest.raises(ConfigError):
        catalog.load()
    assert catalog.channel("shop", "order").version == version


def test_authors_at_work_get_what_can_be_loaded(folder, usual_head):
    text = usual_head + "[tables.state]\nOPEN = 'open'\n"
    catalog = folder({"channels/shop/order.toml": text, "channels/shop/refund.toml": "kind = 1"})
    assert lines_only(catalog.load_what_can_be()) == [
        "mappings/channels/shop/refund.toml:1: kind: unknown kind '1'; known: invoice, order, refund, shipment, stock",
    ]
    assert catalog.names() == ["channels/shop/order"]
