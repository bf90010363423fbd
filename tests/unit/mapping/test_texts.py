"""Conversions of texts: phones, addresses, properties, Chinese numbers; alone and in rows, both ways of mapping."""

import doctest
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.mapping import texts
from hub.mapping.functions import Unfit
from hub.mapping.texts import from_chinese, split_address, to_phone, to_properties

ALL = [
    texts.to_phone, texts.to_province, texts.to_city, texts.to_district, texts.to_street, texts.to_properties,
    texts.to_sha256, texts.from_chinese,
]  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


def test_the_examples_in_the_docstrings_hold() -> None:
    assert doctest.testmod(texts).failed == 0


@given(st.sampled_from(ALL), JSON)
def test_any_value_is_taken_or_refused_by_name(convert: Any, value: Any) -> None:
    try:
        made = convert(value)
    except Unfit as unfit:
        assert unfit.expected  # noqa: PT017  # refusing by name is the other good outcome
    else:
        assert made is None or isinstance(made, str) or made is value


@given(st.text(max_size=40))
def test_what_is_made_plain_stays_plain(text: str) -> None:
    once = to_phone(text)
    assert once is None or to_phone(once) == once


@given(st.text("省市区县自治州北京上海浙江杭余街路1号 a", max_size=25))
def test_no_part_of_an_address_is_lost(text: str) -> None:
    parts = split_address(text)
    own = parts.get("city") == parts.get("province")
    whole = "".join(value for name, value in parts.items() if not (own and name == "city"))
    wanted = text.replace(" ", "")
    assert whole.replace(" ", "") in (wanted, wanted.replace(parts.get("province", "-"), "", 1))


@pytest.mark.parametrize(
    ("given_", "wanted"),
    [
        ("广西壮族自治区南宁市青秀区民族大道1号", ("广西壮族自治区", "南宁市", "青秀区", "民族大道1号")),
        ("北京北京市海淀区中关村大街1号", ("北京", "北京", "海淀区", "中关村大街1号")),
        ("北京海淀区中关村大街1号", ("北京", "北京", "海淀区", "中关村大街1号")),
        ("北京路123号", (None, None, None, "北京路123号")),
        ("浙江省杭州市文一西路阳光小区3号", ("浙江省", "杭州市", None, "文一西路阳光小区3号")),
        ("广东省东莞市长安镇霄边社区3号", ("广东省", "东莞市", None, "长安镇霄边社区3号")),
        ("新疆维吾尔自治区乌鲁木齐市新市区北京路1号", ("新疆维吾尔自治区", "乌鲁木齐市", "新市区", "北京路1号")),
        ("湖北省荆州市沙市区江津路1号", ("湖北省", "荆州市", "沙市区", "江津路1号")),
        ("山东省青岛市市北区台东路1号", ("山东省", "青岛市", "市北区", "台东路1号")),
        ("吉林省长春市二道区吉林大路1号", ("吉林省", "长春市", "二道区", "吉林大路1号")),
        ("江苏省苏州市苏州工业园区星湖街1号", ("江苏省", "苏州市", "苏州工业园区", "星湖街1号")),
        ("江苏省苏州市昆山市开发区前进路1号", ("江苏省", "苏州市", "昆山市", "开发区前进路1号")),
        ("云南省大理白族自治州大理市人民路2号", ("云南省", "大理白族自治州", "大理市", "人民路2号")),
        ("广东省东莞市莞太路1号", ("广东省", "东莞市", None, "莞太路1号")),
        ("香港特别行政区中环德辅道1号", ("香港特别行政区", None, None, "中环德辅道1号")),
    ],
)
def test_addresses_of_all_sorts(given_: str, wanted: tuple[str | None, ...]) -> None:
    parts = split_address(given_)
    assert tuple(parts.get(name) for name in ("province", "city", "district", "street")) == wanted


def test_properties_without_values_are_told() -> None:
    with pytest.raises(Unfit, match="properties with one of"):
        to_properties([{"id": 7}])


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1,234,567.5", "1234567.5"),
        ("1.5亿", "150000000"),
        ("-3.2万", "-32000"),
        ("-¥5", "-5"),
        ("¥-5", "-5"),
        ("1,23", "1,23"),
    ],
)
def test_numbers_as_people_write_them(text: str, number: str) -> None:
    assert from_chinese(text) == number


def test_rows_use_them(translate: Any) -> None:
    rows = """
placed_at = { path = "made", as = "time", format = "%Y%m%d%H%M%S" }
totals.payable = { path = "pay", chinese = true, absent = ["0"] }
totals.shipping = { path = "freight", chinese = true, absent = ["免运费"] }
receiver.phone = { path = "tel", as = "phone" }
receiver.province = { path = "addr", as = "province" }
receiver.city = { path = "addr", as = "city" }
receiver.district = { path = "addr", as = "district" }
receiver.street = { path = "addr", as = "street" }
buyer.id = { path = "nick", as = "sha256" }
extra.spec = { path = "spec", as = "properties" }
"""
    record = {
        "made": "20260201080000", "pay": "¥1,234.50", "freight": "免运费", "tel": "+86 139 1234 5678",
        "addr": "浙江省杭州市余杭区文一西路969号", "nick": "rosa", "spec": [{"name": "颜色", "value": "红"}],
    }  # fmt: skip
    found = translate(rows, record)
    draft = found.draft or found.document
    assert [p for p in found.problems if p.code.startswith("mapping.")] == []
    assert draft.totals.payable == Decimal("1234.50")
    assert draft.totals.shipping is None
    assert draft.placed_at.isoformat() == "2026-02-01T00:00:00+00:00"
    assert (draft.receiver.phone, draft.receiver.district, draft.receiver.street) == (
        "13912345678",
        "余杭区",
        "文一西路969号",
    )
    assert draft.extra["spec"] == "颜色:红"
    assert len(draft.buyer.id) == 64
    bad = translate(rows, {**record, "made": "gestern", "pay": "viel"})
    assert {p.code for p in bad.problems} >= {"mapping.bad_time", "mapping.bad_money"}


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ('placed_at = { path = "t", as = "time", format = "epoch_s" }', "epoch_s is for destinations"),
        ('buyer_note = { path = "t", chinese = true }', "chinese goes with as ="),
    ],
)
def test_keys_that_cannot_have_an_effect_are_told(rows: str, told: str, load_problems: Any) -> None:
    [problem] = load_problems(rows)
    assert told in problem
