"""JMESPath behind one door: the rest of the hub knows `compile` and `Expression` only.

The language is JMESPath, whole and unchanged; results and errors are those of the `jmespath` library. `search` runs
Python that is written from the syntax tree at the first use (hub.mapping.codegen), within a budget of its own.
"""

import difflib
import warnings
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from jmespath.exceptions import ArityError, EmptyExpressionError, JMESPathError, LexerError, ParseError
from jmespath.parser import Parser

from hub.mapping.budget import DEEPEST, LONGEST, SEARCH, Budget, TooComplex, Tree, measure
from hub.mapping.codegen import Emitter
from hub.mapping.lines import Uncompiled
from hub.mapping.runtime import FUNCTIONS
from hub.mapping.walker import Walker

EVALUATION_ERRORS = (JMESPathError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError, RecursionError)
"""Everything that a search may raise on data: the library's own errors, and Python's where it forgets to check
(`'a' < `1``, `contains('abc', `1`)`)."""


class Expression:
    """A compiled JMESPath expression. `text` is its source, `tree` its syntax tree, `weight` what it may cost."""

    __slots__ = ("search", "text", "tree", "weight")

    search: Callable[[Any], Any]
    """Evaluate against parsed JSON. Raises one of EVALUATION_ERRORS, BudgetExceeded among them."""

    def __init__(self, text: str, tree: Tree) -> None:
        self.text = text
        self.tree = tree
        self.weight = measure(tree)
        self.search = self._first

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"

    def _first(self, data: Any) -> Any:
        self.search = _compiled(self.tree, heavy=not self.weight.light)
        return self.search(data)

    def evaluator(self, *, heavy: bool = False) -> Callable[[Any, Walker], Any]:
        """The same by the library's interpreter, for many searches that share a budget.

        `heavy`: charge for the size of what is made, as where the same data is gone over again and again.
        """
        tree, heavy = self.tree, heavy or not self.weight.light
        return lambda data, walker: walker.evaluate(tree, data, heavy=heavy)


@lru_cache(maxsize=4096)
def compile(text: str) -> Expression:  # noqa: A001  # hub.mapping.expression.compile reads as what it is
    """Compile; raises jmespath's own exceptions, TooComplex among them (all are JMESPathErrors).

    >>> compile("orders[?num > `1`].sku").search({"orders": [{"num": 2, "sku": "A"}, {"num": 1, "sku": "B"}]})
    ['A']
    """
    if not text:
        raise EmptyExpressionError
    if len(text) > LONGEST:
        raise TooComplex(f"the expression has {len(text)} characters; at most {LONGEST} are taken")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library grumbles about a literal form that the language allows
        try:
            tree: Any = Parser().parse(text).parsed
        except RecursionError:
            raise TooComplex(f"the expression has more than {DEEPEST} parts within one another") from None
    return Expression(text, tree)


def is_true(value: Any) -> bool:
    """JMESPath's truth: everything but null, false, "", [] and {}; 0 is true.

    >>> [is_true(v) for v in (0, "x", "", [], {}, None, False)]
    [True, True, False, False, False, False, False]
    """
    return not (value is None or value is False or value == "" or value == [] or value == {})


def complaint(text: str, error: JMESPathError) -> str:
    """Say what is wrong with an expression that did not compile, the caret under the spot.

    >>> try: compile("a[")
    ... except JMESPathError as error: print(complaint("a[", error))
    the expression ends too early
        a[
          ^
    """
    if isinstance(error, EmptyExpressionError):
        return "the expression is empty"
    if not isinstance(error, ParseError) or isinstance(error, ArityError):
        return str(error).splitlines()[0]
    at = error.lexer_position if isinstance(error, LexerError) else error.lex_position
    if isinstance(error, LexerError):
        what = str(error.message)
    elif error.token_type in (None, "EOF"):
        what, at = "the expression ends too early", len(text)
    else:
        # the parser's own words name token types: only those about functions help a person
        about = error.msg.rstrip(".") + ": " if "function name" in error.msg else ""
        what = f"{about}{str(error.token_value)!r} is not expected here"
    before = text[:at].splitlines() or [""]
    line = text.splitlines()[len(before) - 1] if text.splitlines() else text
    return f"{what}\n    {line}\n    {' ' * len(before[-1])}^"


def wrong_calls(expression: Expression) -> Iterator[str]:
    """Calls that can never work: unknown functions, wrong numbers of arguments.

    >>> list(wrong_calls(compile("lenght(a)")))
    ['unknown function lenght(), did you mean length()?']
    """
    for node in _nodes(expression.tree):
        if node["type"] != "function_expression":
            continue
        name, given = node["value"], len(node["children"])
        if name not in FUNCTIONS.FUNCTION_TABLE:
            near = difflib.get_close_matches(name, FUNCTIONS.FUNCTION_TABLE, 1)
            yield f"unknown function {name}()" + (f", did you mean {near[0]}()?" if near else "")
            continue
        wanted = FUNCTIONS.FUNCTION_TABLE[name]["signature"]
        variadic = bool(wanted and wanted[-1].get("variadic"))
        if given < len(wanted) or (given > len(wanted) and not variadic):
            least = "at least " if variadic else ""
            yield f"{name}() takes {least}{len(wanted)} argument{'s' * (len(wanted) != 1)}, not {given}"


def _nodes(tree: Any) -> Iterator[Tree]:
    if isinstance(tree, dict) and "type" in tree:
        yield tree
        for child in tree.get("children", ()):
            yield from _nodes(child)


def _compiled(tree: Tree, *, heavy: bool) -> Callable[[Any], Any]:
    """Python written for a tree. What nests deeper than Python takes is interpreted."""
    emitter = Emitter()
    emitter.heavy = heavy
    names: dict[str, Any] = {"Budget": Budget}
    try:
        result = emitter.value(tree, "data")
        spend = " budget = Budget()\n left = budget.left\n" if emitter.charges else ""
        body = "\n".join(emitter.lines)
        source = f"def search(data):\n{spend}{body}\n return {result}"
        names |= emitter.constants
        exec(source, names)  # noqa: S102  # written by codegen from the tree, with constants for all texts
    except (Uncompiled, RecursionError, SyntaxError):  # Python's own limits, wherever they lie
        return lambda data: Walker(SEARCH).evaluate(tree, data, heavy=heavy)
    search: Callable[[Any], Any] = names["search"]
    return search
