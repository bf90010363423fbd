"""Compiled expressions against the `jmespath` library, and against what this project's own case files say."""

import json
from pathlib import Path
from typing import Any

import jmespath
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jmespath.exceptions import JMESPathError

from hub.mapping import budget, expression
from hub.mapping.budget import Budget, BudgetExceeded, TooComplex
from hub.mapping.walker import Walker

CASES = Path(__file__).parents[2] / "fixtures" / "mapping" / "expressions"

# ---------------------------------------------------------------- what the language is, by examples


def examples() -> list[Any]:
    """Every example of every file: (the document, the example), named by its file and expression."""
    files = [(path.stem, json.loads(path.read_text("utf-8"))) for path in sorted(CASES.glob("*.json"))]
    return [
        pytest.param(group["given"], case, id=f"{name}: {case['expression']}")
        for name, groups in files
        for group in groups
        for case in group["cases"]
    ]


@pytest.mark.parametrize(("data", "case"), examples())
def test_the_language_means_what_its_examples_say(data: Any, case: dict[str, Any]) -> None:
    ways = [lambda text: expression.compile(text).search(data), lambda text: jmespath.search(text, data)]
    for way in ways:
        if "error" in case:
            with pytest.raises((JMESPathError, ValueError, TypeError)) as caught:
                way(case["expression"])
            assert type(caught.value).__name__ == case["error"]
        else:
            assert typed(way(case["expression"])) == typed(case["result"])


# ---------------------------------------------------------------- any expression on any document

NAMES = st.sampled_from(["a", "b", "c", "d", '"a b"'])
ATOMS = st.sampled_from(
    [
        "@", "*", "[]", "[*]", "[0]", "[-1]", "[1:]", "[::-1]", "[::0]", "[:2]", "[5:1:-2]", "a[0]", "a.b", "'x'",
        "'a'", "''", "`0`", "`1`", "`1.0`", "`-2`", "`true`", "`false`", "`null`", "`1.5`", '`{"a": [1, 2]}`',
        '`["x", ""]`', "`[]`", "`[0, 1]`", "['x', 'a', 'abc']",
    ]
)  # fmt: skip
ONE = st.sampled_from(
    ["abs", "avg", "ceil", "floor", "keys", "length", "max", "merge", "min", "not_null", "reverse", "sort", "sum"]
) | st.sampled_from(["to_array", "to_number", "to_string", "type", "values"])
TWO = st.sampled_from(["contains", "ends_with", "join", "merge", "not_null", "starts_with"])
BY = st.sampled_from(["max_by", "min_by", "sort_by"])
SIGN = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])


def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Expressions of expressions: each construct of the language."""
    part = inner.map("({})".format)
    return st.one_of(
        st.builds("{} || {}".format, part, part),
        st.builds("{} && {}".format, part, part),
        st.builds("!{}".format, part),
        st.builds("{} {} {}".format, part, SIGN, part),
        st.builds("{} | {}".format, part, part),
        st.builds("{}.{}".format, part, NAMES),
        st.builds("{}.*".format, part),
        st.builds("{}[]".format, part),
        st.builds("{}[*].{}".format, part, NAMES),
        st.builds("{}[*].[{}, {}]".format, part, inner, inner),
        st.builds("{}[?{}]".format, part, inner),
        st.builds("{}[?{}].{}".format, part, inner, NAMES),
        st.builds("{}[-2:]".format, part),
        st.builds("[{}, {}]".format, inner, inner),
        st.builds("{{x: {}, y: {}}}".format, inner, inner),
        st.builds("{}.{{x: {}}}".format, part, inner),
        st.builds("{}({})".format, ONE, inner),
        st.builds("{}({}, {})".format, TWO, inner, inner),
        st.builds("contains(['x', 'a', ''], {})".format, inner),
        st.builds("map(&{}, {})".format, part, inner),
        st.builds("{}({}, &{})".format, BY, inner, part),
    )


EXPRESSIONS = st.recursive(NAMES | ATOMS, larger, max_leaves=6)
SCALARS = st.sampled_from([None, True, False, 0, 1, -2, 7, 0.0, 1.0, 1.5, "", "a", "x", "abc", "10", "1.5", "é"])
DOCUMENTS = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "c", "d", "a b"]), inner),
    max_leaves=10,
)


def typed(value: Any) -> Any:
    """A result with the types of its parts; an expression reference is itself only."""
    if isinstance(value, dict):
        return {key: typed(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [typed(inner) for inner in value]
    name = type(value).__name__
    return name if name == "_Expression" else (name, value)


def outcome(search: Any, data: Any) -> Any:
    """What a search gives, or how it fails."""
    try:
        return typed(search(data))
    except (JMESPathError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as error:
        # an expression reference in a message shows where it lies in memory
        return type(error).__name__, "" if " at 0x" in str(error) else str(error)


@settings(max_examples=8 * settings().max_examples)
@given(EXPRESSIONS, st.lists(DOCUMENTS, min_size=5, max_size=5))
def test_any_expression_means_what_the_library_means(text: str, documents: list[Any]) -> None:
    compiled, walk = expression.compile(text), expression.compile(text).evaluator()
    heavy = expression.compile(text).evaluator(heavy=True)
    for data in documents:
        wanted = outcome(lambda data: jmespath.search(text, data), data)
        assert outcome(compiled.search, data) == wanted
        assert outcome(lambda data: walk(data, Walker(budget.SEARCH)), data) == wanted
        assert outcome(lambda data: heavy(data, Walker(budget.SEARCH)), data) == wanted


@pytest.mark.filterwarnings("ignore:deprecated string literal syntax")  # the library grumbles about what it takes
@given(st.text(alphabet="ab.[]*?|&!@(){}:,'\"`0-1<>= \\", max_size=20))
def test_any_text_compiles_or_fails_as_with_the_library(text: str) -> None:
    def error_of(compile_: Any) -> str:
        try:
            compile_(text)
        except JMESPathError as error:
            return type(error).__name__
        return ""

    assert error_of(expression.compile) == error_of(jmespath.compile)


# ---------------------------------------------------------------- what it may cost

ROWS = {"a": [{"b": [{"c": [1, 2, 3]}] * 30}] * 30}


@pytest.mark.parametrize(
    "text",
    [
        " | ".join(["[@, @][]"] * 60),
        " | ".join(["[@, @]"] * 60) + " | to_string(@)",
        " | ".join(["{a: @, b: @}"] * 60) + " | values(@)[].values(@)[]",
        "to_string([" * 60 + "@" + "])" * 60,
        " | ".join(["a", *["map(&[@, @], @)[]"] * 60]),
        "[" + ", ".join(["a[].b[].c[]"] * 900) + "]",
        " | ".join(["[@, @]"] * 40) + " == " + " | ".join(["[@, @]"] * 40) + " || `1`",
        " | ".join(["join(to_string(@), [to_string(@), to_string(@)])"] * 40),
    ],
    ids=["lists", "text", "objects", "escapes", "map", "again and again", "equality", "join"],
)
def test_no_expression_can_hang_the_hub(text: str) -> None:
    compiled = expression.compile(text)
    for search in (compiled.search, lambda data: compiled.evaluator()(data, Walker(budget.SEARCH))):
        with pytest.raises(BudgetExceeded):
            search(ROWS)


def test_usual_expressions_cost_next_to_nothing() -> None:
    walker = Walker(budget.SEARCH)
    evaluate = expression.compile("a[].b[].c[] | sum(@)").evaluator()
    assert evaluate(ROWS, walker) == 5400
    assert budget.SEARCH - walker.budget.left < 10_000


def test_a_budget_is_spent_by_all_searches_together() -> None:
    walker = Walker(20)
    evaluate = expression.compile("@[*]").evaluator()
    assert evaluate([1] * 15, walker) == [1] * 15
    with pytest.raises(BudgetExceeded):
        evaluate([1] * 15, walker)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a" * 30_000, "30000 characters"),
        ("!" * 5_000 + "a", "parts within one another"),
        ("(" * 9_000 + "a" + ")" * 9_000, "parts within one another"),
        (" || ".join(["a"] * 400), "parts within one another"),
    ],
)
def test_what_is_longer_or_deeper_than_anybody_writes_is_refused(text: str, told: str) -> None:
    with pytest.raises(TooComplex, match=told):
        expression.compile(text)


def test_what_nests_deeper_than_python_takes_is_interpreted() -> None:
    deep: Any = "end"
    for _ in range(40):
        deep = {"a": [deep, deep]} if _ == 0 else {"a": [deep]}
    text = ".".join(["a[*]"] * 40)
    assert expression.compile(text).search(deep) == jmespath.search(text, deep)


def test_a_text_counts_by_its_length() -> None:
    with pytest.raises(BudgetExceeded):
        Budget(100).charge_for({"note": "x" * 10_000})
