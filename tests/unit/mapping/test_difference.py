"""Two documents held against each other, and the sum over many."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canonical.problem import Problem
from hub.mapping.difference import (
    IGNORED,
    MOST_KEYS,
    OTHERS,
    SAMPLES,
    Comparison,
    Outcome,
    Report,
    changes,
    personal_fields,
)
from hub.mapping.rows import MappingFile, Object
from hub.mapping.source import Place, Table

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "sku"]), inner, max_size=3),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": 2}, [("a", 1, 2)]),
        ({"a": 1}, {"a": True}, [("a", 1, True)]),
        ({"a": "1"}, {"a": 1}, [("a", "1", 1)]),
        ({"a": None}, {}, []),
        ({}, {"b": {"c": 1}}, [("b", None, {"c": 1})]),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}}, [("a.c", 2, 3)]),
        ({"l": [1, 2]}, {"l": [1]}, [("l[]", 2, None)]),
        ({"l": [{"sku": "A", "n": 1}, {"sku": "B", "n": 1}]}, {"l": [{"sku": "B", "n": 1}]},
         [("l[]", {"sku": "A", "n": 1}, None)]),
        ({"l": [{"sku": "A", "n": 1}]}, {"l": [{"sku": "B", "n": 1}]}, [("l[].sku", "A", "B")]),
        ({"l": [{"line_no": "1", "n": 1}, {"line_no": "2", "n": 2}]},
         {"l": [{"line_no": "2", "n": 2}, {"line_no": "1", "n": 7}]}, [("l[].n", 1, 7)]),
    ],
)  # fmt: skip
def test_the_fields_that_differ_are_told(old: Any, new: Any, found: list[Any]) -> None:
    assert list(changes(old, new)) == found


@given(JSON)
def test_nothing_differs_from_its_copy(value: Any) -> None:
    assert list(changes(value, copy.deepcopy(value))) == []


def _stripped(value: Any) -> Any:
    """Without nulls in objects, and with types told apart, as the comparison sees it."""
    if isinstance(value, dict):
        return {k: _stripped(v) for k, v in value.items() if v is not None}
    return [_stripped(v) for v in value] if isinstance(value, list) else (type(value).__name__, value)


@given(JSON, JSON)
def test_a_difference_is_found_exactly_where_there_is_one(old: Any, new: Any) -> None:
    found = list(changes(old, new))
    if _stripped(old) == _stripped(new):
        assert found == []
    for _, before, after in found:
        assert _stripped(before) != _stripped(after)


@given(st.dictionaries(st.sampled_from(["a", "b", "c"]), JSON, max_size=3), st.sampled_from(["a", "b", "c"]), JSON)
def test_changing_one_field_is_told_under_its_name(document: Any, key: str, value: Any) -> None:
    changed = {**document, key: value}
    for path, _, _ in changes(document, changed):
        assert path.replace("[]", ".").split(".")[0] == key


_PLACE = Place("order.toml", 1, "")
_BODY = Object("order", _PLACE, [])
ORDER = MappingFile("shop/order", "channels/shop/order", "order.toml", "order", False, Table(_PLACE), _BODY)


def _comparison() -> Comparison:
    return Comparison(Report("channels/shop/order", "a", "b"), personal_fields(ORDER))


PROBLEM = Problem("mapping.unknown_word", "shop/order: order.lines[3].refund", "back", '"ODD"', "a word", "Add it.")


def test_every_pair_is_counted_once() -> None:
    comparison, document, other = _comparison(), Outcome({"order_no": "1"}), Outcome({"order_no": "2"})
    failed, ignored = Outcome(problems=[PROBLEM]), Outcome(ignored="a test")
    pairs = [(document, document), (document, other), (document, failed), (failed, document), (failed, failed)]
    pairs += [(document, ignored), (ignored, document), (ignored, ignored), (ignored, failed), (failed, ignored)]
    for number, (old, new) in enumerate(pairs):
        comparison.add(old, new, {"message": number})
    report = comparison.report
    assert (report.compared, report.unchanged, report.changed) == (10, 2, 3)
    assert (report.failing, report.mended, report.still_failing) == (2, 2, 1)
    assert report.worse
    assert report.fields[IGNORED].samples[0] == {"message": 5, "old": "a document", "new": "ignored: a test"}
    assert list(report.problems) == ["mapping.unknown_word shop/order: order.lines[].refund"]
    assert report.problems["mapping.unknown_word shop/order: order.lines[].refund"].samples[0]["message"] == 2


def test_personal_values_are_told_as_what_they_are() -> None:
    comparison = _comparison()
    old = {"receiver": {"name": "Chen"}, "buyer": None, "totals": {"paid": "1.00"}}
    new = {"receiver": {"name": "Li"}, "buyer": {"nickname": "chen"}, "totals": {"paid": "2.00"}}
    comparison.add(Outcome(old), Outcome(new), {})
    text = json.dumps(comparison.report.as_dict())
    assert "chen" not in text.lower()
    assert "text of 4 characters (masked)" in text
    assert comparison.report.fields["totals.paid"].samples == [{"old": '"1.00"', "new": '"2.00"'}]


def test_what_is_kept_is_bounded() -> None:
    comparison = _comparison()
    for number in range(MOST_KEYS + 50):
        comparison.add(Outcome({"x": 1}), Outcome({"x": 1, f"field{number}": "y" * 1000}), {"message": number})
        comparison.add(Outcome({"x": 1}), Outcome({"x": 2}), {"message": number})
    report = comparison.report
    assert len(report.fields) == MOST_KEYS + 1
    assert report.fields[OTHERS].count > 0
    assert all(len(tally.samples) <= SAMPLES for tally in report.fields.values())
    assert len(json.dumps(report.as_dict())) < 150_000


def test_a_report_goes_on_where_it_was_kept() -> None:
    comparison = _comparison()
    comparison.add(Outcome({"x": 1}), Outcome({"x": 2}), {"message": 1})
    kept = Report.from_dict(json.loads(json.dumps(comparison.report.as_dict())))
    Comparison(kept, lambda path: False).add(Outcome({"x": 1}), Outcome({"x": 2}), {"message": 2})
    assert kept.fields["x"].count == 2
    assert [sample["message"] for sample in kept.fields["x"].samples] == [1, 2]
