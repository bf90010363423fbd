"""House rules over syntax trees. Each rule takes a Source and yields what breaks it, as "path:line what".

test_house_rules.py runs them over the project, and over planted violations to see that they still bite.
"""

import ast
import re
from collections.abc import Iterator

from tests.architecture.sources import PACKAGES, Source

FUNCTION_LINES = 60
FILE_LINES = 400
ADAPTER_LINES = 300
TEST_FILE_LINES = 450

_CLOCKS = re.compile(r"(?:^|\.)(?:datetime\.(?:now|utcnow|today)|date\.today|time\.(?:time|time_ns|localtime|gmtime))$")
_CLOCK_FILE = "hub/host.py"
_MIGRATIONS = "hub/store/migrations/versions/"
_BROAD_FILES = ("hub/dispatch.py", "hub/flow.py", "hub/gathering.py", "hub/receiving.py", "hub/workers.py")
_MACHINE = "hub/chaos/simulation/"
_JSON_FILE = "canonical/parsing.py"
_MONEY = re.compile(
    r"amount|price|fee|paid|payment|total|money|discount|tax|refund|balance|deposit|freight|postage", re.IGNORECASE
)
_VAGUE = re.compile(r"(?:^|/|_)(?:utils?|helpers?|misc|common|manager|base)\.py$")
_UNFINISHED = re.compile(r"\b(?:T[O]DO|F[I]XME|X[X]X|H[A]CK)\b|raise NotImpl[e]mented")
_ASSERTING_CALL = re.compile(r"(?:^|\.)(?:raises|warns|fail|assert_\w+|assert_called\w*|call_and_validate)$")


def _at(source: Source, node: ast.AST, what: str) -> str:
    return f"{source.path}:{getattr(node, 'lineno', 0)} {what}"


def clock_is_passed_in(source: Source) -> Iterator[str]:
    """Only hub/host.py reads the time of day; everything else is given `now`. Monotonic clocks are free."""
    if source.path == _CLOCK_FILE:
        return
    for node in source.walk():
        if isinstance(node, ast.Call) and _CLOCKS.search(ast.unparse(node.func)):
            yield _at(source, node, f"reads the clock: {ast.unparse(node)}")
        if isinstance(node, ast.ImportFrom) and node.module == "time" and any(n.name == "time" for n in node.names):
            yield _at(source, node, "imports the clock: from time import time")


def money_is_no_float(source: Source) -> Iterator[str]:
    """No float() in canonical/; none over an amount in adapters/, hub/mapping/.

    JSON's own numbers are read as floats in one place; their shortest text is what becomes an amount.
    """
    if not source.path.startswith(("canonical/", "adapters/", "hub/mapping/")) or source.path == _JSON_FILE:
        return
    for statement in source.walk():
        if not isinstance(statement, ast.stmt) or isinstance(statement, ast.FunctionDef | ast.ClassDef):
            continue
        for node in ast.walk(statement):
            called = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "float"
            if called and (source.package == "canonical" or _MONEY.search(_words_around(statement, node))):
                yield _at(source, node, f"takes money for a float: {ast.unparse(node)}")


def _words_around(statement: ast.stmt, call: ast.AST) -> str:
    """The call itself, and the names that its result is given to."""
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
    return " ".join([ast.unparse(call), *(ast.unparse(t) for t in targets if t is not None)])


def errors_are_named(source: Source) -> Iterator[str]:
    """No bare except and no `except Exception`: an error that nobody named is swallowed with those that were meant.

    `except BaseException` that cleans up and raises again is no catch.
    """
    if source.path in _BROAD_FILES or source.path.startswith(_MACHINE):
        return
    for node in source.walk():
        if not isinstance(node, ast.ExceptHandler):
            continue
        caught = "" if node.type is None else ast.unparse(node.type)
        raises_again = isinstance(node.body[-1], ast.Raise) and node.body[-1].exc is None
        if re.search(r"\bException\b", caught) or (not raises_again and ("Base" in caught or not caught)):
            yield _at(source, node, f"catches everything: except {caught}".rstrip())


def names_say_what(source: Source) -> Iterator[str]:
    """File names are nouns of the domain."""
    if _VAGUE.search(source.path):
        yield f"{source.path}:1 is a name that says nothing about what lives there"


def sizes_are_readable(source: Source) -> Iterator[str]:
    """Functions and files that fit into a head. A migration is one list of what changes, and is never touched again."""
    if source.path.startswith(_MIGRATIONS):
        return
    for node in source.functions():
        length = function_length(node)
        if length > FUNCTION_LINES:
            yield _at(source, node, f"{node.name} is {length} lines long, more than {FUNCTION_LINES}")
    adapter = source.path.startswith(("adapters/channels/", "adapters/destinations/", "adapters/notifiers/"))
    most = TEST_FILE_LINES if source.package == "tests" else ADAPTER_LINES if adapter else FILE_LINES
    if (lines := source.text.count("\n")) > most:
        yield f"{source.path}:1 has {lines} lines, more than {most}"


def function_length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from `def` to the end of the body."""
    return (node.end_lineno or node.lineno) - node.lineno + 1


def work_is_finished(source: Source) -> Iterator[str]:
    """No mark of work put off, no stub."""
    for number, line in enumerate(source.text.splitlines(), 1):
        if match := _UNFINISHED.search(line):
            yield f"{source.path}:{number} is unfinished: {match.group()}"


def every_test_asserts(source: Source) -> Iterator[str]:
    """Every test asserts something, by itself or through a function of its own file, and can fail."""
    asserting = _asserting_functions(source)
    for node in source.functions():
        if node.name.startswith("test") and node.name not in asserting:
            yield _at(source, node, f"{node.name} asserts nothing")
        for inner in ast.walk(node):
            if isinstance(inner, ast.Assert) and isinstance(inner.test, ast.Constant | ast.Tuple) and _truthy(inner):
                yield _at(source, inner, f"{node.name} has an assertion that cannot fail")


def _truthy(node: ast.Assert) -> bool:
    return bool(node.test.value if isinstance(node.test, ast.Constant) else getattr(node.test, "elts", True))


def _asserting_functions(source: Source) -> set[str]:
    bodies = {node.name: list(ast.walk(node)) for node in source.functions()}
    called = {
        name: {ast.unparse(n.func) for n in body if isinstance(n, ast.Call | ast.Subscript) and hasattr(n, "func")}
        for name, body in bodies.items()
    }
    found = {
        name
        for name, body in bodies.items()
        if any(isinstance(n, ast.Assert) for n in body) or any(map(_ASSERTING_CALL.search, called[name]))
    }
    while more := {n for n in bodies if n not in found and {c.rpartition(".")[2] for c in called[n]} & found}:
        found |= more
    return found


def own_code_is_not_patched(source: Source) -> Iterator[str]:
    """Tests replace the edge (HTTP, the clock that is passed in), never a part of the project."""
    ours = _imported_from_us(source)
    for node in source.walk():
        if isinstance(node, ast.Import | ast.ImportFrom) and "unittest.mock" in ast.unparse(node):
            yield _at(source, node, "imports unittest.mock")
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("monkeypatch.setattr", "mocker.patch")):
            target = ast.unparse(node.args[0]).strip("'") if node.args else ""
            if target.partition(".")[0] in ours:
                yield _at(source, node, f"patches our own code: {target}")


def _imported_from_us(source: Source) -> set[str]:
    ours = set(PACKAGES)
    for node in source.walk():
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in PACKAGES:
            ours |= {alias.asname or alias.name for alias in node.names}
        if isinstance(node, ast.Import):
            ours |= {a.asname for a in node.names if a.asname and a.name.partition(".")[0] in PACKAGES}
    return ours
