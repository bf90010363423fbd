"""Drafting a mapping from a sample: what is found by names, values and sums, and what is left to a person."""

import doctest
import json
import tomllib
from copy import deepcopy
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.mapping import editing, remedies
from hub.mapping.drafting import Draft, NotASample, draft, looks, read_sample, records_in, samples, vocabulary

NOW = datetime(2026, 3, 1, tzinfo=UTC)
HARBOR: dict[str, Any] = {
    "id": 90071992547409931, "state": "awaiting_dispatch", "pay_state": "captured", "currency": "EUR",
    "created": "2026-03-01T09:30:00Z", "changed": "2026-03-01T09:31:12Z", "paid_on": "2026-03-01T09:31:10Z",
    "goods": "258.00", "voucher": "18.00", "freight": "8.00", "sum": "248.00", "message": "",
    "consignee": {"name": "Rosa Lind", "tel": "+49 30 123456", "city": "Berlin", "address": "Example Street 7"},
    "rows": [
        {"row": 1, "code": "MUG-BLUE", "name": "Blue mug", "pieces": 2, "price": "49.00", "voucher": "6.84",
         "sum": "91.16"},
        {"row": 2, "code": "LAMP", "name": "Oak lamp", "pieces": 1, "price": "160.00", "voucher": "11.16",
         "sum": "148.84"},
    ],
}  # fmt: skip
GANG: dict[str, Any] = {  # in pinyin, amounts in fen, times in seconds with 0 for not yet, statuses that are numbers
    "dingdanhao": "G-77", "dingdanzhuangtai": 20, "xiadanshijian": 1771000000, "gengxinshijian": 1771000400,
    "zhifushijian": 1771000100, "fahuoshijian": 0, "yunfei": 800, "yingfu": 10600, "shouhuoren": "林一",
    "dianhua": "13800000000", "sheng": "浙江省", "shi": "杭州市", "dizhi": "示例路 1 号",
    "items": [{"huohao": "MUG-1", "shangpinmingcheng": "马克杯", "shuliang": 2, "danjia": 4900, "xiaoji": 9800}],
}  # fmt: skip


def drafted(record: Any, kind: str = "order", known: Any = None) -> Draft:
    records = records_in(record, kind)[1]
    return draft(kind, records, name=f"harbor/{kind}", source="s.json", known=known or {}, now=NOW)


def rows(made: Draft) -> dict[str, Any]:
    """The rows of the file by field, as they would be read."""
    data = tomllib.loads(made.text)
    found: dict[str, Any] = {}
    for key, value in data["order"].items():
        if key in ("totals", "buyer", "receiver", "lines"):
            found |= {f"{key}.{inner}": row for inner, row in value.items()}
        else:
            found[key] = value
    return found


def test_a_plain_site_is_mapped_whole() -> None:
    made = drafted(HARBOR)
    assert made.problems == []
    (order,) = made.documents
    assert order["order_no"] == "90071992547409931"
    assert (order["state"], order["payment"]) == ("open", "paid")
    assert order["totals"] == {
        "goods": "258.00", "discount": "18.00", "shipping": "8.00", "tax": "0.00", "other": "0.00", "payable": "248.00",
        "paid": "248.00", "refunded": None,
    }  # fmt: skip
    assert order["receiver"]["name"] == "Rosa Lind"
    assert order["receiver"]["phone"] == "+49 30 123456"
    assert [(line["sku"], line["quantity"], line["amount"]) for line in order["lines"]] == [
        ("MUG-BLUE", 2, "91.16"),
        ("LAMP", 1, "148.84"),
    ]


def test_each_row_says_how_sure_it_is_and_why() -> None:
    text = drafted(HARBOR).text
    assert 'currency = { path = "currency" }  # 0.95: the name; a currency' in text
    assert "# 0.98: the name; an amount; the totals add up" in text
    assert "quantity x price - discount = amount" in text


def test_pinyin_fen_and_epoch_times() -> None:
    made = drafted(GANG)
    data, found = tomllib.loads(made.text), rows(made)
    assert (data["unit"], data["currency"]) == ("fen", "CNY")
    assert found["shipped_at"] == {"path": "fahuoshijian", "absent": [0]}
    assert found["receiver.phone"] == "dianhua"
    assert found["lines.unit_price"] == "danjia"
    assert found["lines.line_no"] == {"path": "huohao", "distinct": True}
    assert found["receiver.country"] == {"value": "CN"}


def test_a_status_that_is_a_number_is_left_to_a_person() -> None:
    made = drafted(GANG)
    assert [(p.code, p.found) for p in made.problems] == [("mapping.unknown_word", "20")] * len(made.problems)
    assert '# 20 = "..."  # TO DECIDE' in made.text
    assert "# One of: open, completed, cancelled." in made.text
    assert made.documents == []
    filled = made.text.replace('# 20 = "..."', '20 = "open"', 1)
    assert tomllib.loads(filled)["tables"]["state"] == {"20": "open"}


@pytest.mark.parametrize("word", ["REFUNDED", "refund_success", "Returned", "已退款", "AFTERSALE_DONE"])
def test_a_refunds_word_is_never_proposed_for_a_state(word: str) -> None:
    known = {("order.state", word): ("cancelled", "other/order")}
    made = drafted({**HARBOR, "state": word}, known=known)
    assert "a refund never changes an order's state" in made.text
    assert tomllib.loads(made.text)["tables"]["state"] == {}
    assert next(p.rule for p in made.problems) == "harbor/order: order.state"


def test_words_of_other_mappings_are_borrowed_and_named() -> None:
    made = drafted({**HARBOR, "state": "AUF_LAGER"}, known={("order.state", "AUF_LAGER"): ("open", "berg/order")})
    assert 'AUF_LAGER = "open"  # as in berg/order' in made.text


def test_what_contradicts_the_sample_becomes_a_comment() -> None:
    record = deepcopy(HARBOR)
    record["paid_on"] = "2026-02-01T00:00:00Z"  # before it was placed: not the time of payment, whatever its name
    made = drafted(record)
    assert "before placed_at" in made.text
    record = deepcopy(HARBOR) | {"sum": "200.00"}
    made = drafted(record)
    assert not any(p.code == "check.totals" for p in made.problems)
    assert "TO DECIDE" in made.text


@pytest.mark.parametrize(
    ("wrap", "where"),
    [
        (lambda r: r, "@"),
        (lambda r: [r, r], "@"),
        (lambda r: {"data": r}, "data"),
        (lambda r: {"code": 0, "msg": "ok", "data": {"list": [r, r], "total": 2}}, "data.list"),
        (lambda r: {"data": {"orders": {"edges": [{"node": r}]}}}, "data.orders.edges[].node"),
    ],
    ids=["record", "list", "push", "page", "graphql"],
)
def test_the_records_are_found_wherever_they_lie(wrap: Any, where: str) -> None:
    found, records = records_in(wrap(HARBOR), "order")
    assert found == where
    assert records[0] == HARBOR


def test_xml_is_a_sample_too() -> None:
    raw = b"""<answer><order><order_no>X-1</order_no><status>paid</status><created>2026-03-01 09:00:00</created>
    <items><item><sku>A</sku><qty>2</qty><price>3.00</price></item></items></order></answer>"""
    made = drafted(read_sample(raw))
    assert rows(made)["order_no"] == "order_no"
    assert rows(made)["lines.each"] == "items.item"
    assert [line["quantity"] for line in made.documents[0]["lines"]] == [2]


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"", "empty"),
        (b"  \n", "empty"),
        (b"hello", "neither JSON nor XML"),
        (b"<a><b></a>", "not XML"),
        (b"[1, 2]", "single values"),
        (b"[]", "empty list"),
        (b'"x"', "single value"),
        (b'{"error_response": {"code": 7, "msg": "App Call Limited"}}', "error answer"),
        (b'{"errors": "[API] Invalid API key"}', "error answer"),
        (b'{"code": 40001, "message": "bad token", "request_id": "1"}', "looks like an order|error answer"),
        (b'{"a": {"b": 1}}', "looks like an order"),
    ],
)
def test_what_is_no_sample_is_told(raw: bytes, told: str) -> None:
    with pytest.raises(NotASample, match=told) as caught:
        drafted(read_sample(raw))
    assert caught.value.hint


def test_a_refund_is_drafted_too() -> None:
    record = {"refund_id": "R1", "order_id": "O1", "status": "SUCCESS", "refund_fee": "5.00", "type": "refund_only",
              "created": "2026-03-01 09:00:00", "modified": "2026-03-01 09:10:00", "currency": "CNY"}  # fmt: skip
    made = drafted(record, "refund")
    assert made.problems == []
    assert made.documents[0]["amount"] == "5.00"
    assert made.documents[0]["state"] == "refunded"


def test_no_personal_value_is_written_into_the_file() -> None:
    text = drafted(HARBOR).text + drafted(GANG).text
    assert not [word for word in ("Rosa", "Lind", "123456", "Example Street", "林一", "13800000000") if word in text]


VALUES = st.none() | st.booleans() | st.integers(-(10**14), 10**14) | st.text(max_size=12) | st.floats(allow_nan=False)
NAMES = st.sampled_from(
    [
        "id",
        "order_no",
        "status",
        "created",
        "amount",
        "items",
        "price",
        "qty",
        "sku",
        "address",
        "订单号",
        "paid",
        "a b",
        '"',
    ]
)


NESTED = st.recursive(
    VALUES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=12
)


@given(st.dictionaries(NAMES, NESTED, max_size=9))
def test_any_record_gives_a_mapping_that_loads_or_is_told(record: dict[str, Any]) -> None:
    try:
        made = drafted(json.loads(json.dumps({"order_no": "A-1", "status": "new", **record}, allow_nan=False)))
    except (NotASample, ValueError):
        return
    assert tomllib.loads(made.text)["kind"] == "order"
    assert all(Decimal(0) <= Decimal(str(row["confidence"])) <= 1 for row in made.rows)


@pytest.mark.parametrize("module", [editing, looks, remedies, samples, vocabulary], ids=lambda m: m.__name__)
def test_the_examples_in_the_docstrings_hold(module: Any) -> None:
    assert doctest.testmod(module).failed == 0


def test_first_and_last_name_are_joined_and_the_billing_address_is_nobodys() -> None:
    record = deepcopy(HARBOR)
    del record["consignee"]
    record["billing"] = {"first_name": "Ana", "last_name": "Sol", "city": "Faro"}
    record["shipping"] = {"first_name": "Rosa", "last_name": "Lind", "city": "Berlin", "address_1": "Example Street 7"}
    receiver = drafted(record).documents[0]["receiver"]
    assert (receiver["name"], receiver["city"]) == ("Rosa Lind", "Berlin")


def test_what_one_time_has_for_not_yet_holds_for_the_others() -> None:
    found = rows(drafted(GANG))
    assert found["paid_at"] == {"path": "zhifushijian", "absent": [0]}
    assert found["payment"]["when"][0]["if"] == "zhifushijian && to_string(zhifushijian) != '0'"


def test_an_answer_whose_error_says_that_there_is_none_is_data() -> None:
    assert records_in({"error": "", "message": "", "response": {"list": [HARBOR]}}, "order")[0] == "response.list"


def test_whole_amounts_of_a_currency_without_digits_are_no_fen() -> None:
    record = (
        {**HARBOR, "currency": "JPY"} | dict.fromkeys(("goods", "sum"), 1200) | {"voucher": 0, "freight": 0, "rows": []}
    )
    assert "unit" not in tomllib.loads(drafted(record).text)


def test_chinese_names_are_written_as_they_are() -> None:
    record = {"订单编号": "A1", "订单状态": "待发货", "下单时间": "2026-03-01 09:00:00", "订单金额": "20.00",
              "商品列表": [{"货号": "M1", "商品名称": "杯", "数量": 2, "单价": "10.00", "小计": "20.00"}]}  # fmt: skip
    made = drafted(record)
    assert """order_no = '"订单编号"'""" in made.text
    assert made.problems == []
    assert (made.documents[0]["placed_at"], made.documents[0]["lines"][0]["amount"]) == (
        "2026-03-01T01:00:00Z",
        "20.00",
    )
