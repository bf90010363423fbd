"""JMESPath behind one door: the rest of the hub knows `compile` and `Expression.search` only.

The language is JMESPath, whole and unchanged. One interpreter is built and reused for every search, which halves the
cost of the library's own `.search()`; plain field paths (`a.b.c`, most rows of a mapping) are read without it.
"""

import difflib
import warnings
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from functools import cache
from typing import Any

from jmespath.exceptions import ArityError, EmptyExpressionError, JMESPathError, LexerError, ParseError
from jmespath.functions import REVERSE_TYPES_MAP, TYPES_MAP, Functions, signature
from jmespath.parser import Parser
from jmespath.visitor import Options, TreeInterpreter

Tree = dict[str, Any]
EVALUATION_ERRORS = (JMESPathError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError, RecursionError)
"""Everything that a search may raise on data: the library's own errors, and Python's where it forgets to check
(`'a' < `1``, `contains('abc', `1`)`)."""


_to_number: Callable[[Functions, Any], Any] = Functions.FUNCTION_TABLE["to_number"]["function"]


class _ExactFunctions(Functions):
    """JMESPath's functions; a Decimal counts as a number, so that rows over the canonical document can add money."""

    def _get_allowed_pytypes(self, types: Sequence[str]) -> tuple[list[str], list[Sequence[str]]]:
        return _allowed(tuple(types))

    def _convert_to_jmespath_type(self, pyobject: str) -> str:
        kind: str = "number" if pyobject == "Decimal" else TYPES_MAP.get(pyobject, "unknown")
        return kind

    @signature({"types": []})
    def _func_to_number(self, arg: Any) -> Any:
        return arg if isinstance(arg, Decimal) else _to_number(self, arg)


@cache
def _allowed(types: tuple[str, ...]) -> tuple[list[str], list[Sequence[str]]]:
    """Names of the Python types that a parameter takes, and of the elements where it is a list."""
    outer: list[str] = []
    inner: list[Sequence[str]] = []
    for kind in types:
        whole, _, element = kind.partition("-")
        outer.extend(_python_names(whole))
        if element:
            inner.append(_python_names(element))
    return outer, inner


def _python_names(kind: str) -> Sequence[str]:
    names = tuple(REVERSE_TYPES_MAP[kind])
    return (*names, "Decimal") if kind == "number" else names


_INTERPRETER = TreeInterpreter(Options(custom_functions=_ExactFunctions()))
_FUNCTIONS: dict[str, Any] = _ExactFunctions.FUNCTION_TABLE


class Expression:
    """A compiled JMESPath expression. `text` is its source, `tree` its syntax tree."""

    __slots__ = ("search", "text", "tree")

    search: Callable[[Any], Any]
    """Evaluate against parsed JSON. Raises one of EVALUATION_ERRORS."""

    def __init__(self, text: str, tree: Tree) -> None:
        self.text = text
        self.tree = tree
        self.search = _searcher(tree)

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"


def compile(text: str) -> Expression:  # noqa: A001  # hub.mapping.expression.compile reads as what it is
    """Compile; raises jmespath's own exceptions (a subclass of JMESPathError).

    >>> compile("orders[?num > `1`].sku").search({"orders": [{"num": 2, "sku": "A"}, {"num": 1, "sku": "B"}]})
    ['A']
    """
    if not text:
        raise EmptyExpressionError
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library grumbles about a literal form that the language allows
        tree: Any = Parser().parse(text).parsed
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
        if name not in _FUNCTIONS:
            near = difflib.get_close_matches(name, _FUNCTIONS, 1)
            yield f"unknown function {name}()" + (f", did you mean {near[0]}()?" if near else "")
            continue
        wanted = _FUNCTIONS[name]["signature"]
        variadic = bool(wanted and wanted[-1].get("variadic"))
        if given < len(wanted) or (given > len(wanted) and not variadic):
            least = "at least " if variadic else ""
            yield f"{name}() takes {least}{len(wanted)} argument{'s' * (len(wanted) != 1)}, not {given}"


def _nodes(tree: Any) -> Iterator[Tree]:
    if isinstance(tree, dict) and "type" in tree:
        yield tree
        for child in tree.get("children", ()):
            yield from _nodes(child)


def _searcher(tree: Tree) -> Callable[[Any], Any]:
    """A function of the data alone. Paths of plain fields are walked directly, with the interpreter's own meaning."""
    names = _field_path(tree)
    if names is None:
        visit, node = _INTERPRETER.visit, tree
        return lambda data: visit(node, data)  # type: ignore[arg-type]  # the stubs call the tree a TypedDict
    if len(names) == 1:
        name = names[0]
        return lambda data: data.get(name) if isinstance(data, dict) else None
    first, rest = names[0], names[1:]

    def walk(data: Any) -> Any:
        value = data.get(first) if isinstance(data, dict) else None
        for name in rest:
            if not isinstance(value, dict):
                return None
            value = value.get(name)
        return value

    return walk


def _field_path(tree: Tree) -> list[str] | None:
    if tree["type"] == "field":
        return [tree["value"]]
    if tree["type"] != "subexpression":
        return None
    names: list[str] = []
    for child in tree["children"]:
        part = _field_path(child)
        if part is None:
            return None
        names += part
    return names
