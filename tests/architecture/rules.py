"""House rules over syntax trees. Each rule takes a Source and yields what breaks it, as "path:line what".

test_house_rules.py runs them over the project, and over planted violations to see that they still bite.
"""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Set

from tests.architecture.sources import PACKAGES, Source

_CLOCKS = re.compile(r"(?:^|\.)(?:datetime\.(?:now|utcnow|today)|date\.today|time\.(?:time|time_ns|localtime|gmtime))$")
_CLOCK_FILE = "hub/host.py"
_ANY_CLOCK = re.compile(
    _CLOCKS.pattern + r"|(?:^|\.)(?:clock\.(?:now|system)|time\.(?:(?:monotonic|perf_counter)(?:_ns)?|strftime|ctime))$"
)
_BROAD_FILES = ("hub/dispatch.py", "hub/flow.py", "hub/gathering.py", "hub/receiving.py", "hub/workers.py")
_MACHINE = "hub/chaos/simulation/"
_JSON_FILE = "canonical/parsing.py"
_MONEY = re.compile(
    r"amount|price|fee|paid|payment|total|money|discount|tax|refund|balance|deposit|freight|postage", re.IGNORECASE
)
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


def clock_is_not_read_at_import(source: Source) -> Iterator[str]:
    """No clock, not even a monotonic one, is read where a module is imported or tests are collected.

    That is module level, class bodies, decorators (parametrize) and default values, by a function of the same file too.
    A run may begin long before such a value is used: what was "in an hour" is past by then.
    """
    if source.path == _CLOCK_FILE:
        return
    names = _full_names(source)
    bodies = {f.name: [n for statement in f.body for n in _evaluated(statement)] for f in source.functions()}
    reading: set[str] = set()
    while more := {f for f in bodies.keys() - reading if any(_reads_clock(n, names, reading) for n in bodies[f])}:
        reading |= more
    for node in _evaluated(source.tree):
        if _reads_clock(node, names, reading):
            yield _at(source, node, f"reads the clock at import: {ast.unparse(node)}")


def _reads_clock(node: ast.AST, names: Mapping[str, str], reading: Set[str]) -> bool:
    """Whether this is a call of a clock, or of one of the functions that read one."""
    if not isinstance(node, ast.Call):
        return False
    called = _full_name(node.func, names)
    return called in reading or bool(_ANY_CLOCK.search(called))


def _full_names(source: Source) -> dict[str, str]:
    """What the names that the file imports stand for: {"sleep": "time.sleep"}."""
    found: dict[str, str] = {}
    for node in source.walk():
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
            found |= {alias.asname or alias.name: module + alias.name for alias in node.names}
    return found


def _full_name(function: ast.expr, names: Mapping[str, str]) -> str:
    first, dot, rest = ast.unparse(function).partition(".")
    return names.get(first, first) + dot + rest


def _evaluated(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes that are evaluated with this one: no function's body, nor what only a command runs."""
    yield node
    below: Iterable[ast.AST] = ast.iter_child_nodes(node)
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        below = [*node.decorator_list, node.args]
    elif isinstance(node, ast.Lambda):
        below = [node.args]
    elif isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'":
        below = node.orelse
    for child in below:
        yield from _evaluated(child)


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


def work_is_finished(source: Source) -> Iterator[str]:
    """No mark of work put off, no stub."""
    for number, line in enumerate(source.text.splitlines(), 1):
        if match := _UNFINISHED.search(line):
            yield f"{source.path}:{number} is unfinished: {match.group()}"


def every_test_asserts(source: Source) -> Iterator[str]:
    """Every test has an assertion that can fail, its own or one in a function of its file; and none that cannot."""
    asserting = _asserting_functions(source)
    for node in source.functions():
        if node.name.startswith("test") and node.name not in asserting:
            yield _at(source, node, f"{node.name} asserts nothing")
    for statement in source.walk():
        if isinstance(statement, ast.Assert) and _always(statement.test, true=True):
            yield _at(source, statement, f"cannot fail: {ast.unparse(statement)}")


def _always(value: ast.expr, *, true: bool) -> bool:
    """Whether an expression is true (or false) whatever the code under test does."""
    match value:
        case ast.Constant():
            return bool(value.value) is true
        case ast.Tuple() | ast.List() | ast.Set():
            return bool(value.elts) is true and not any(isinstance(e, ast.Starred) for e in value.elts)
        case ast.Dict():
            return bool(value.keys) is true and None not in value.keys  # None stands for **
        case ast.Lambda() | ast.GeneratorExp():
            return true
        case ast.UnaryOp(ast.Not(), operand):
            return _always(operand, true=not true)
        case ast.BoolOp(operator, values):
            one_is_enough = isinstance(operator, ast.Or) is true
            return (any if one_is_enough else all)(_always(v, true=true) for v in values)
        case ast.Compare(ast.Name(name), [ast.Is()], [ast.Name(other)]):
            return true and name == other
        case ast.Compare(ast.Call(ast.Name("len")), [ast.GtE()], [ast.Constant(0)]):
            return true
    return False


def _asserting_functions(source: Source) -> set[str]:
    bodies = {node.name: list(ast.walk(node)) for node in source.functions()}
    called = {name: {ast.unparse(n.func) for n in body if isinstance(n, ast.Call)} for name, body in bodies.items()}
    found = {
        name
        for name, body in bodies.items()
        if any(isinstance(n, ast.Assert) and not _always(n.test, true=True) for n in body)
        or any(map(_ASSERTING_CALL.search, called[name]))
    }
    while more := {n for n in bodies if n not in found and {c.rpartition(".")[2] for c in called[n]} & found}:
        found |= more
    return found


def no_test_sleeps(source: Source) -> Iterator[str]:
    """No time.sleep outside of tests/acceptance: what is waited for is an event, or the time is passed in."""
    if source.path.startswith("tests/acceptance/"):
        return
    names = _full_names(source)
    for node in source.walk():
        if isinstance(node, ast.Call) and _full_name(node.func, names) == "time.sleep":
            yield _at(source, node, f"sleeps: {ast.unparse(node)}")


def no_real_pauses(source: Source) -> Iterator[str]:
    """No asyncio.sleep(x) with x > 0 outside of tests/acceptance, but in a test that is @virtual.

    sleep(0) only lets others run. A helper of virtual tests calls tests.virtual.passes, which refuses a real loop. What
    lies in tests/simulation runs on the simulated loop anyway.
    """
    if source.path.startswith(("tests/acceptance/", "tests/simulation/")) or source.path in _REALLY_PAUSES:
        return
    names = _full_names(source)
    free = {
        inner
        for function in source.functions()
        if any(_full_name(decorator, names) == "tests.virtual.virtual" for decorator in function.decorator_list)
        for inner in ast.walk(function)
    }
    for node in source.walk():
        if not isinstance(node, ast.Call) or _full_name(node.func, names) != "asyncio.sleep" or node in free:
            continue
        if [ast.unparse(argument) for argument in node.args] != ["0"]:
            yield _at(source, node, f"pauses for real: {ast.unparse(node)}")


_REALLY_PAUSES: Mapping[str, str] = {
    "tests/virtual.py": "its `passes` makes sure that the loop is a virtual one",
    "tests/unit/hub/test_transport.py": "a real server that drips: no assertion depends on how fast",
}
"""Files of tests that may call asyncio.sleep, and why."""


def failures_are_not_repeated(source: Source) -> Iterator[str]:
    """No test is marked to run again when it fails: that hides an error, of the test or of the hub."""
    for node in source.walk():
        if isinstance(node, ast.Attribute) and re.search(r"(?:^|\.)mark\.(?:flaky|rerun|retry)", ast.unparse(node)):
            yield _at(source, node, f"runs again where it failed: {ast.unparse(node)}")
        if isinstance(node, ast.Import | ast.ImportFrom) and re.search(
            r"\b(?:flaky|rerunfailures)\b", ast.unparse(node)
        ):
            yield _at(source, node, f"runs again where it failed: {ast.unparse(node)}")


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
