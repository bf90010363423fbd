import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canonical import parse_json
from canonical.errors import NotUnderstood
from canonical.parsing import MAX_NESTING

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and repr(one) == repr(other)


@given(JSON)
def test_what_json_can_say_comes_back(data: Any) -> None:
    for ascii_only in (True, False):
        assert _same(parse_json(json.dumps(data, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")), data)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"9223372036854775809", 9223372036854775809),
        (b"59.90", 59.9),
        (b"\xef\xbb\xbf{}", {}),
        (b' {"a": [1, "\xe8\x8c\xb6"]} ', {"a": [1, "茶"]}),
        (b'"\\ud83c\\udf75"', "🍵"),
        (b"1e2", 100.0),
    ],
)
def test_plain_documents(raw: bytes, expected: Any) -> None:
    assert _same(parse_json(raw), expected)


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "not JSON: Expecting value at line 1 column 1"),
        (b'{"a": 1,\n "b": }', "line 2 column 7"),
        (b"{'a': 1}", "line 1 column 2"),
        (b'{"a": 1} x', "Extra data"),
        (b'{"a": "tab\there"}', "Invalid control character"),
        (b'{"a": "\xff"}', "broken UTF-8 at byte 7"),
        ('"ä"'.encode("utf-16"), "broken UTF-8 at byte 0"),
        (b"<xml/>", "not JSON"),
        (b"[NaN]", "NaN is no JSON number"),
        (b"[-Infinity]", "-Infinity is no JSON number"),
        (b"[1e400]", "beyond what a JSON number can hold"),
        (b"1" * 400 + b".5", "beyond what a JSON number can hold"),
        (b"1" * 5000, "too many digits"),
        (b'{"a": 1, "b": 2, "a": 3}', "the key a stands twice"),
        (b'{"page": {"rows": [{"tid": 1}, {"tid": 1, "tid": 2}]}}', r"page.rows\[1\].tid stands twice"),
    ],
)
def test_what_is_refused_names_its_place(raw: bytes, says: str) -> None:
    with pytest.raises(NotUnderstood, match=says) as caught:
        parse_json(raw)
    assert not caught.value.retryable


def test_no_refusal_repeats_what_the_message_holds() -> None:
    with pytest.raises(NotUnderstood) as caught:
        parse_json(b'{"phone": "13500001111", "phone": "13500002222" ')
    assert "1350000" not in f"{caught.value} {caught.value.evidence}"


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}"), (b'[{"a":', b"}]")])
def test_nesting_is_bounded(opening: bytes, closing: bytes) -> None:
    levels = MAX_NESTING // opening.count(b"[") if opening == b"[" else MAX_NESTING // (2 if opening[:1] == b"[" else 1)
    assert parse_json(opening * levels + b"1" + closing * levels)
    for times in (levels + 1, 500, 200_000):
        with pytest.raises(NotUnderstood, match="nested deeper than 64"):
            parse_json(opening * times + b"1" + closing * times)


def test_brackets_in_texts_and_wide_documents_are_no_nesting() -> None:
    assert parse_json(json.dumps(["[[[{{{" * 100] * 100).encode())[0].startswith("[")
    assert len(parse_json(json.dumps([{"a": [n]} for n in range(500)]).encode())) == 500


def test_a_deep_document_with_a_key_twice_is_refused_too() -> None:
    with pytest.raises(NotUnderstood, match="stands twice"):
        parse_json(b"[" * 90 + b'{"a":1,"a":2}' + b"]" * 90)


def test_half_an_emoji_does_not_cost_an_order() -> None:
    data = parse_json(b'{"nick\\ud83d": ["tea \\uD83D", {"n": "\\udf75 \\ud83c\\udf75"}], "n": 1}')
    assert data == {"nick\ufffd": ["tea \ufffd", {"n": "\ufffd 🍵"}], "n": 1}


def test_ten_megabytes_with_a_key_twice_at_the_end_are_refused_quickly() -> None:
    body = b"{" + b",".join(b'"k%d":1' % n for n in range(400_000)) + b',"k7":2}'
    with pytest.raises(NotUnderstood, match="the key k7 stands twice"):
        parse_json(body)
