"""House rules that no tool of the shelf keeps. Each is run over the project, and over planted violations."""

from collections.abc import Callable, Iterator

import pytest

from tests.architecture import rules
from tests.architecture.sources import PACKAGES, Source, modules

Rule = Callable[[Source], Iterator[str]]

OF_THE_CODE: list[Rule] = [
    rules.clock_is_passed_in,
    rules.clock_is_not_read_at_import,
    rules.money_is_no_float,
    rules.errors_are_named,
    rules.work_is_finished,
]
OF_THE_TESTS: list[Rule] = [
    rules.work_is_finished,
    rules.clock_is_not_read_at_import,
    rules.every_test_asserts,
    rules.no_test_sleeps,
    rules.no_real_pauses,
    rules.failures_are_not_repeated,
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


AT_IMPORT = rules.clock_is_not_read_at_import
CANNOT_FAIL = ("not None", "x or True", "[x == 1]", "{'a': x}", "(n for n in x)", "len(x) >= 0", "x is x", "'text'")
CAN_FAIL = ("x", "not x", "x and True", "x is y", "len(x) >= 1", "x == [1]", "[n for n in x]", "[*x]", "{**x}")

PLANTED: list[tuple[Rule, str, str]] = [
    (rules.clock_is_passed_in, "hub/flow.py", "from datetime import datetime, UTC\nx = datetime.now(UTC)"),
    (rules.clock_is_passed_in, "hub/flow.py", "import datetime\nx = datetime.datetime.utcnow()"),
    (rules.clock_is_passed_in, "adapters/port.py", "import time\nx = time.time()"),
    (rules.clock_is_passed_in, "dlq/shelf.py", "from time import time"),
    (AT_IMPORT, "hub/flow.py", "import time\nSTARTED = time.monotonic()"),
    (AT_IMPORT, "tests/test_x.py", "from hub import clock\nNOW = clock.now()"),
    (AT_IMPORT, "tests/test_x.py", "from hub.clock import now\nNOW = [n.year for n in (now(),)]"),
    (AT_IMPORT, "tests/test_x.py", "import datetime as d\nclass A:\n    day = d.date.today()"),
    (AT_IMPORT, "tests/test_x.py", "from time import time as t\ndef f(at=t()):\n    pass"),
    (AT_IMPORT, "tests/test_x.py", "from hub import clock\ndef f(*, at=clock.system()):\n    pass"),
    (
        AT_IMPORT,
        "tests/test_x.py",
        "from hub import clock\n@parametrize('at', [clock.now()])\ndef test_x(at):\n    g(at)",
    ),
    (
        AT_IMPORT,
        "tests/test_x.py",
        "def now():\n    return clock.now()\ndef soon():\n    return now()\n@case(soon())\ndef f(at):\n    g()",
    ),
    (rules.money_is_no_float, "canonical/order.py", "def f(x):\n    return float(x)"),
    (rules.money_is_no_float, "adapters/channels/x.py", "def f(x):\n    return float(x['total_fee'])"),
    (rules.money_is_no_float, "hub/mapping/x.py", "paid = float(text)"),
    (rules.errors_are_named, "hub/wire.py", "try:\n    f()\nexcept Exception:\n    raise"),
    (rules.errors_are_named, "hub/wire.py", "try:\n    f()\nexcept (KeyError, Exception) as e:\n    g(e)"),
    (rules.errors_are_named, "hub/wire.py", "try:\n    f()\nexcept:\n    g()"),
    (rules.errors_are_named, "hub/wire.py", "try:\n    f()\nexcept BaseException:\n    g()"),
    (rules.work_is_finished, "hub/flow.py", "# TO" + "DO later"),
    (rules.work_is_finished, "hub/flow.py", "raise NotImpl" + "ementedError"),
    (rules.every_test_asserts, "tests/unit/test_x.py", "def test_x():\n    f()"),
    (rules.every_test_asserts, "tests/unit/test_x.py", "def test_x():\n    assert True"),
    (rules.every_test_asserts, "tests/unit/test_x.py", "def test_x():\n    assert (x == 1, 'message')"),
    *((rules.every_test_asserts, "tests/unit/test_x.py", f"def test_x():\n    assert {text}") for text in CANNOT_FAIL),
    (rules.every_test_asserts, "tests/unit/test_x.py", "def agree(x):\n    assert 1\n\ndef test_x():\n    agree(f())"),
    (rules.every_test_asserts, "tests/unit/test_x.py", "def test_x():\n    assert f() == 1\n    assert True"),
    (rules.no_test_sleeps, "tests/unit/test_x.py", "import time\ntime.sleep(1)"),
    (rules.no_test_sleeps, "tests/docs/runner.py", "from time import sleep as wait\nwait(0.1)"),
    (rules.no_real_pauses, "tests/unit/test_x.py", "import asyncio\nasync def test_x():\n    await asyncio.sleep(0.1)"),
    (rules.no_real_pauses, "tests/rig.py", "from asyncio import sleep as wait\nasync def f(x):\n    await wait(x)"),
    (
        rules.no_real_pauses,
        "tests/unit/test_x.py",
        "import asyncio\nfrom tests.virtual import virtual\n@virtual\nasync def test_x():\n    f()\n\n"
        "async def test_y():\n    await asyncio.sleep(9)",
    ),
    (rules.failures_are_not_repeated, "tests/unit/test_x.py", "@pytest.mark.flaky(reruns=3)\ndef test_x():\n    f()"),
    (rules.failures_are_not_repeated, "tests/unit/test_x.py", "from flaky import flaky"),
    (rules.own_code_is_not_patched, "tests/unit/test_x.py", "from unittest.mock import patch"),
    (rules.own_code_is_not_patched, "tests/unit/test_x.py", "monkeypatch.setattr('hub.wire.send', f)"),
    (rules.own_code_is_not_patched, "tests/unit/test_x.py", "from hub import wire\nmonkeypatch.setattr(wire, 'f', 1)"),
]

ALLOWED: list[tuple[Rule, str, str]] = [
    (rules.clock_is_passed_in, "hub/host.py", "import time\nx = time.time()"),
    (rules.clock_is_passed_in, "hub/wire.py", "import time\nx = time.perf_counter() + time.monotonic()"),
    (AT_IMPORT, "hub/host.py", "import time\n_lead = time.monotonic()"),
    (AT_IMPORT, "tests/test_x.py", "from hub import clock\ndef test_x():\n    at = clock.now()"),
    (
        AT_IMPORT,
        "tests/test_x.py",
        "from hub import clock\n@parametrize('at', [lambda: clock.now()])\ndef f(at):\n    g()",
    ),
    (AT_IMPORT, "hub/x.py", "import time\nif __name__ == '__main__':\n    print(time.time())"),
    (AT_IMPORT, "tests/test_x.py", "class A:\n    def now(self, at=None):\n        return at or clock.now()"),
    (AT_IMPORT, "tests/test_x.py", "from datetime import datetime, time\nNINE = time(9)\nDAY = datetime(2026, 1, 31)"),
    (rules.money_is_no_float, "adapters/channels/x.py", "retry_after = float(headers['retry-after'])"),
    (rules.errors_are_named, "hub/flow.py", "try:\n    f()\nexcept Exception:\n    g()"),
    (rules.errors_are_named, "hub/wire.py", "try:\n    f()\nexcept BaseException:\n    g()\n    raise"),
    (rules.every_test_asserts, "tests/unit/test_x.py", "def agree(x):\n    assert x\n\ndef test_x():\n    agree(1)"),
    (rules.every_test_asserts, "tests/unit/test_x.py", "def test_x():\n    with pytest.raises(KeyError):\n        f()"),
    *((rules.every_test_asserts, "tests/unit/test_x.py", f"def test_x():\n    assert {text}") for text in CAN_FAIL),
    (rules.no_test_sleeps, "tests/acceptance/test_x.py", "import time\ntime.sleep(1)"),
    (rules.no_test_sleeps, "tests/unit/test_x.py", "process.wait(1)\nawait asyncio.sleep(0)"),
    (rules.no_real_pauses, "tests/acceptance/test_x.py", "import asyncio\nasync def f():\n    await asyncio.sleep(1)"),
    (rules.no_real_pauses, "tests/unit/test_x.py", "import asyncio\nasync def f():\n    await asyncio.sleep(0)"),
    (
        rules.no_real_pauses,
        "tests/unit/test_x.py",
        "import asyncio\nfrom tests.virtual import virtual\n@virtual\nasync def test_x():\n"
        "    async def f():\n        await asyncio.sleep(9)",
    ),
    (rules.failures_are_not_repeated, "tests/unit/test_x.py", "@pytest.mark.slow\ndef test_x():\n    assert retry()"),
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
