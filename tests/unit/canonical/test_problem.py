import pytest

from canonical import Problem

FULL = Problem("mapping.unknown_word", "taobao/order: order.state", "status", "'X'", "a word of the table", "add it")


def test_a_problem_survives_plain_data() -> None:
    assert Problem.from_dict(FULL.as_dict()) == FULL
    assert list(FULL.as_dict()) == ["code", "rule", "path", "found", "expected", "hint"]


def test_what_is_missing_is_empty_and_what_is_unknown_is_left_out() -> None:
    assert Problem.from_dict({"code": "check.totals", "found": None, "later": 1}) == Problem("check.totals")
    with pytest.raises(KeyError):
        Problem.from_dict({"rule": "x"})


def test_problems_are_values() -> None:
    assert len({FULL, Problem.from_dict(FULL.as_dict()), Problem("check.totals")}) == 2
