"""What the records of a shop have held, and what is told when they change. The profile stays small whatever comes."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.mapping.known import Known
from hub.mapping.observing import HIDDEN, NEW_FIELD, NEW_TYPE, NEW_WORD, VANISHED, Hit, observe
from hub.mapping.profile import MOST_CHILDREN, MOST_NODES, MOST_WORDS, Node, Profile, shown
from tests.unit.mapping.conftest import HEAD, TAIL

SETTLED, GONE = 20, 10
ROWS = """
buyer.nickname = "nick"
[order.lines]
each = "items"
line_no = "id"
quantity = { value = 1 }
refund = { path = "back", table = "back", absent = ["-"] }
gift = { path = "mark == 'gift'" }
[tables.back]
no = "none"
yes = "refunded"
"""
RECORD: dict[str, Any] = {
    "no": 1, "changed": "2026-02-01", "status": "OPEN", "nick": "chen", "way": "by_air",
    "items": [{"id": 1, "back": "no", "mark": "gift", "price": "1.00"}, {"id": 2, "back": "-", "mark": "none"}],
}  # fmt: skip


@pytest.fixture
def known(folder: Any) -> Known:
    catalog = folder({"channels/shop/order.toml": HEAD + ROWS + TAIL})
    catalog.load()
    return Known(catalog.channel("shop", "order").mappings)


@pytest.fixture
def see(known: Known) -> Callable[..., list[Hit]]:
    """Show the usual record with these changes, after enough usual ones; a name with None takes the field away."""
    profile = Profile(settled=SETTLED, gone=GONE)

    def usual(times: int) -> list[Hit]:
        return [hit for _ in range(times) for hit in observe(profile, copy.deepcopy(RECORD), known).hits]

    assert usual(SETTLED + GONE + 5) == []

    def look(times: int = 1, item: dict[str, Any] | None = None, **fields: Any) -> list[Hit]:
        record = {k: v for k, v in {**copy.deepcopy(RECORD), **fields}.items() if v is not None}
        if item is not None:
            record["items"][0].update(item)
        return [hit for _ in range(times) for hit in observe(profile, record, known).hits]

    return look


def test_nothing_is_told_while_all_is_as_it_was(see: Callable[..., list[Hit]]) -> None:
    assert see(5 * SETTLED) == []


def test_a_new_field_is_told_each_time_with_a_sample(see: Callable[..., list[Hit]]) -> None:
    assert see(2, item={"colour": "red"}) == [Hit(NEW_FIELD, "items[].colour", "", '"red"')] * 2


def test_of_a_new_object_the_object_alone_is_told(see: Callable[..., list[Hit]]) -> None:
    hits = see(3, gift={"card": {"text": "x"}})
    assert {(hit.what, hit.path, hit.sample) for hit in hits} == {(NEW_FIELD, "gift", "an object with card")}


def test_a_field_that_comes_back_after_a_while_is_told_as_such(see: Callable[..., list[Hit]]) -> None:
    assert [hit.again for hit in see(colour="red")] == [False]
    assert see(GONE) == []
    assert [hit.again for hit in see(colour="red")] == [True]


def test_a_field_that_a_rule_reads_is_no_news(see: Callable[..., list[Hit]], known: Known) -> None:
    profile = Profile(settled=SETTLED, gone=GONE)
    without = {key: value for key, value in RECORD.items() if key != "nick"}
    for _ in range(SETTLED + 5):
        observe(profile, without, known)
    assert observe(profile, RECORD, known).hits == []
    assert known.rows(("nick",)) == ("order.buyer.nickname",)


def test_a_word_that_no_table_has_is_told_at_once(known: Known) -> None:
    profile = Profile(settled=SETTLED, gone=GONE)
    record = {**RECORD, "items": [{"id": 1, "back": "maybe"}]}
    assert observe(profile, record, known).hits == [Hit(NEW_WORD, "items[].back", "maybe", '"maybe"')]


def test_what_a_table_takes_as_not_set_is_known(see: Callable[..., list[Hit]]) -> None:
    assert see(item={"back": "-"}) == []


def test_a_new_word_among_few_that_were_long_the_same_is_told(see: Callable[..., list[Hit]]) -> None:
    assert see(way="by_sea") == [Hit(NEW_WORD, "way", "by_sea", '"by_sea"')]
    assert see(way="by_sea") == [Hit(NEW_WORD, "way", "by_sea", '"by_sea"')]


def test_a_word_that_a_condition_compares_with_is_known(see: Callable[..., list[Hit]]) -> None:
    assert see(item={"mark": "none"}) == []
    assert [hit.path for hit in see(item={"mark": "NEW-2"})] == ["items[].mark"]


def test_numbers_amounts_and_titles_are_no_words(see: Callable[..., list[Hit]]) -> None:
    assert see(item={"price": "2.00"}, no=77) == []


def test_people_are_never_words_nor_samples(see: Callable[..., list[Hit]]) -> None:
    assert see(nick="li") == []
    hits = see(buyer_mobile="13800138000", note="from Chen to Li", number="6222021234567890", who="张三")
    assert len(hits) == 4
    for hit in hits:
        assert "(masked)" in hit.sample
        assert not {"138", "Chen", "6222", "张"} & {
            part for part in ("138", "Chen", "6222", "张") if part in hit.sample
        }


def test_a_personal_word_that_its_table_does_not_have_is_told_without_it(folder: Any) -> None:
    text = HEAD + '[order.receiver]\nprovince = { path = "at", table = "places" }\n[tables.places]\nA = "A"\n' + TAIL
    catalog = folder({"channels/shop/order.toml": text})
    catalog.load()
    hits = observe(Profile(), {"at": "B"}, Known(catalog.channel("shop", "order").mappings)).hits
    assert hits == [Hit(NEW_WORD, "at", HIDDEN)]


def test_a_phone_number_where_a_word_should_be_is_not_shown(see: Callable[..., list[Hit]]) -> None:
    assert see(item={"back": "13800138000"}) == [Hit(NEW_WORD, "items[].back", "***", '"***"')]


def test_a_field_that_is_gone_is_told_once_it_was_missing_long_enough(see: Callable[..., list[Hit]]) -> None:
    assert see(GONE - 1, way=None) == []
    assert see(2, way=None) == [Hit(VANISHED, "way", since=0.0, count=GONE), Hit(VANISHED, "way", since=0.0)]
    assert see(1) == []
    assert see(1, way=None) == []


def test_what_lay_inside_of_a_vanished_field_is_not_told_too(see: Callable[..., list[Hit]]) -> None:
    assert {hit.path for hit in see(2 * GONE, items=None)} == {"items"}


def test_a_rare_field_does_not_vanish(known: Known) -> None:
    profile = Profile(settled=SETTLED, gone=GONE)
    hits = [
        h for i in range(300) for h in observe(profile, {"no": i, "odd": 1} if i % 7 == 0 else {"no": i}, known).hits
    ]
    assert hits == []


def test_a_type_that_changed_is_told_but_not_what_is_empty(see: Callable[..., list[Hit]]) -> None:
    empty: list[Any] = ["", [], {}]
    assert [see(way=value) for value in empty] == [[], [], []]
    assert see(way=["by_air"]) == [Hit(NEW_TYPE, "way", "text -> list", "a list of 1")]
    assert see(item={"price": 1.5}) == [Hit(NEW_TYPE, "items[].price", "text -> number", "1.5")]


def test_vanished_fields_that_are_back_are_told(known: Known) -> None:
    profile = Profile(settled=SETTLED, gone=GONE)
    for _ in range(2 * SETTLED):
        observe(profile, RECORD, known)
    for _ in range(GONE):
        observe(profile, {**RECORD, "way": None}, known)
    assert observe(profile, RECORD, known).back == ["way"]


def test_names_that_are_ids_fall_together(known: Known) -> None:
    profile = Profile(settled=SETTLED, gone=GONE)
    hits = [h for i in range(100) for h in observe(profile, {"by_id": {str(10**9 + i): {"n": 1}}}, known).hits]
    assert hits == []
    assert list(profile.root.children["by_id"].children) == ["*"]
    hits = observe(profile, {"by_id": {"10": {}, "x@y.z": {"n": 1, "m": 1}}}, known).hits
    assert [hit.path for hit in hits if hit.path.startswith("by_id.*")] == ["by_id.*.m"]


def test_a_map_of_ever_new_names_becomes_one_that_is_told(known: Known) -> None:
    profile = Profile(settled=SETTLED, gone=GONE)
    for number in range(200):
        observe(profile, {"no": 1, "tags": {_word(number): 1}}, known)
    assert list(profile.root.children["tags"].children) == ["*"]
    assert profile.merged == ["tags"]


def _word(number: int) -> str:
    return "".join(chr(97 + int(digit)) for digit in str(number))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=5),
    max_leaves=25,
)


@given(st.lists(JSON | st.dictionaries(st.sampled_from(["status", "items", "nick"]), JSON), max_size=30))
def test_any_records_are_taken_and_a_kept_profile_goes_on_the_same(records: list[Any]) -> None:
    known = Known([])
    profile, twin = Profile(settled=3, gone=2), Profile(settled=3, gone=2)
    for record in records:
        hits = observe(profile, record, known).hits
        twin = Profile.load(twin.dump(), settled=3, gone=2)
        assert observe(twin, record, known).hits == hits
        assert all(len(hit.path) <= 300 and "\x00" not in hit.path + hit.sample + hit.detail for hit in hits)
    assert twin.dump() == profile.dump()


@given(JSON, st.integers(0, 40))
def test_what_is_always_the_same_is_never_news(record: Any, times: int) -> None:
    profile = Profile(settled=5, gone=3)
    assert [hit for _ in range(times) for hit in observe(profile, record, Known([])).hits] == []


def test_a_hostile_platform_cannot_make_it_grow(known: Known) -> None:
    profile = Profile(settled=SETTLED, gone=GONE)
    for number in range(400):
        names = {f"{_word(number)}{_word(i)}": {_word(i): _word(number)} for i in range(40)}
        deep: Any = {"x": 1}
        for _ in range(60):
            deep = {_word(number): deep}
        items = [{"back": f"{_word(number)}{i}", "mark": f"m{number}"} for i in range(200)]
        observe(profile, {**names, "deep": deep, "items": items, "wide": {"k": names}, "status": _word(number)}, known)
    nodes = list(_nodes(profile.root))
    assert len(nodes) <= MOST_NODES + 1
    assert all(len(node.children) <= MOST_CHILDREN + 1 for node in nodes)
    assert all(len(node.words or ()) <= MOST_WORDS and len(node.late_words) <= MOST_WORDS for node in nodes)
    assert len(profile.dump()) < 300_000


def _nodes(node: Node) -> list[Node]:
    return [node, *(inner for child in node.children.values() for inner in _nodes(child))]


def test_places_are_written_as_jmespath_writes_them() -> None:
    assert shown(("a", "[]", "b-c", "*")) == 'a[]."b-c".*'
    assert len(shown(("x" * 60,) * 12)) == 300
