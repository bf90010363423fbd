"""House rules that no tool of the shelf keeps. Each is run over the project, and over planted violations."""

from collections.abc import Callable, Iterator

import pytest

from tests.architecture import rules
from tests.architecture.sources import PACKAGES, Source, modules

Rule = Callable[[Source], Iterator[str]]

OF_THE_CODE: list[Rule] = [
    rules.clock_is_passed_in,
    rules.money_is_no_float,
    rules.errors_are_named,
    rules.names_say_what,
    rules.sizes_are_readable,
    rules.work_is_finished,
]
OF_THE_TESTS: list[Rule] = [
    rules.names_say_what,
    rules.sizes_are_readable,
    rules.work_is_finished,
    rules.every_test_asserts,
    rules.own_code_is_not_patched,
]


def name(rule: Rule) -> str:
    return rule.__name__


@pytest.mark.parametrize("rule", OF_THE_CODE, ids=name)
def test_the_code_keeps_it(rule: Rule) -> None:
    broken = [finding for source in modules(*PACKAGES) for finding in rule(source)]
    assert not broken, "\n".join([(rule.__doc__ or "").strip(), *broken])


@pytest.mark.parametrize("rule", OF_THE_TESTS, ids=name)
def test_the_tests_keep_it(rule: Rule) -> None:
    broken = [finding for source in modules("tests") for finding in rule(source)]
    assert not broken, "\n".join([(rule.__doc__ or "").strip(), *broken])


PLANTED: list[tuple[Rule, str, str]] = [
    (rules.clock_is_passed_in, "hub/flow.py", "from datetime import datetime, UTC\nx = datetime.now(UTC)"),
    (rules.clock_is_passed_in, "hub/flow.py", "import datetime\nx = datetime.datetime.utcnow()"),
    (rules.clock_is_passed_in, "adapters/port.py", "import time\nx = time.time()"),
    (rules.clock_is_passed_in, "dlq/shelf.py", "from time import time"),
    (rules.money_is_no_float, "canonical/order.py", "def f(x):\n    return float(x)"),
    (rules.money_is_no_float, "adapters/channels/x.py", "def f(x):\n    return float(x['total_fee'])"),
    (rules.money_is_no_float, "hub/mapping/x.py", "paid = float(text)"),
    (rules.errors_are_named, "hub/wire.py", "try:\n    f()\nexcept Exception:\n    raise"),
    (rules.errors_are_named, "hub/wire.py", "try:\n    f()\nexcept (KeyError, Exception) as e:\n    g(e)"),
    (rules.errors_are_named, "hub/wire.py", "try:\n    f()\nexcept:\n    g()"),
    (rules.errors_are_named, "hub/wire.py", "try:\n    f()\nexcept BaseException:\n    g()"),
    (rules.names_say_what, "hub/utils.py", ""),
    (rules.names_say_what, "hub/store/sql_helpers.py", ""),
    (rules.sizes_are_readable, "hub/flow.py", "def f():\n" + "    g()\n" * 60),
    (rules.sizes_are_readable, "hub/flow.py", "x = 1\n" * 401),
    (rules.sizes_are_readable, "adapters/channels/x.py", "x = 1\n" * 301),
    (rules.work_is_finished, "hub/flow.py", "# TO" + "DO later"),
    (rules.work_is_finished, "hub/flow.py", "raise NotImpl" + "ementedError"),
    (rules.every_test_asserts, "tests/unit/test_x.py", "def test_x():\n    f()"),
    (rules.every_test_asserts, "tests/unit/test_x.py", "def test_x():\n    assert True"),
    (rules.every_test_asserts, "tests/unit/test_x.py", "def test_x():\n    assert (x == 1, 'message')"),
    (rules.own_code_is_not_patched, "tests/unit/test_x.py", "from unittest.mock import patch"),
    (rules.own_code_is_not_patched, "tests/unit/test_x.py", "monkeypatch.setattr('hub.wire.send', f)"),
    (rules.own_code_is_not_patched, "tests/unit/test_x.py", "from hub import wire\nmonkeypatch.setattr(wire, 'f', 1)"),
]

ALLOWED: list[tuple[Rule, str, str]] = [
    (rules.clock_is_passed_in, "hub/host.py", "import time\nx = time.time()"),
    (rules.clock_is_passed_in, "hub/wire.py", "import time\nx = time.perf_counter() + time.monotonic()"),
    (rules.money_is_no_float, "adapters/channels/x.py", "retry_after = float(headers['retry-after'])"),
    (rules.errors_are_named, "hub/flow.py", "try:\n    f()\nexcept Exception:\n    g()"),
    (rules.errors_are_named, "hub/wire.py", "try:\n    f()\nexcept BaseException:\n    g()\n    raise"),
    (rules.names_say_what, "hub/mapping/grammar.py", ""),
    (rules.sizes_are_readable, "hub/flow.py", "def f():\n" + "    g()\n" * 59),
    (rules.every_test_asserts, "tests/unit/test_x.py", "def agree(x):\n    assert x\n\ndef test_x():\n    agree(1)"),
    (rules.every_test_asserts, "tests/unit/test_x.py", "def test_x():\n    with pytest.raises(KeyError):\n        f()"),
    (rules.own_code_is_not_patched, "tests/unit/test_x.py", "monkeypatch.setattr(sys, 'argv', [])"),
]


@pytest.mark.parametrize("number", range(len(PLANTED)), ids=lambda n: f"{PLANTED[n][0].__name__}-{n}")
def test_a_planted_violation_is_found(number: int) -> None:
    rule, path, text = PLANTED[number]
    assert list(rule(Source(path, text))) != []


@pytest.mark.parametrize("number", range(len(ALLOWED)), ids=lambda n: f"{ALLOWED[n][0].__name__}-{n}")
def test_what_is_allowed_stays_allowed(number: int) -> None:
    rule, path, text = ALLOWED[number]
    assert list(rule(Source(path, text))) == []


def test_the_longest_functions_are_told(record_property: Callable[[str, object], None]) -> None:
    """The budget is 40 lines; this shows who is near it (`pytest -s -k longest`)."""
    functions = [(source, function) for source in modules(*PACKAGES) for function in source.functions()]
    longest = sorted(((rules.function_length(f), f"{s.path}:{f.lineno} {f.name}") for s, f in functions), reverse=True)
    for length, where in longest[:10]:
        print(f"{length:4} {where}")  # noqa: T201  # the report itself
        record_property(where, length)
    middle = longest[len(longest) // 2][0]
    assert middle <= 12, "half of all functions are longer than that"
