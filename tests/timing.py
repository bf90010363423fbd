"""Where a run's time goes: its slowest files, told at the end."""

import os
from collections import defaultdict
from collections.abc import Generator

import pytest

SHOWN = 10
_CPU = "cpu seconds"


def _spent() -> float:
    """CPU seconds of this process and of those that it started and waited for."""
    return sum(os.times()[:4])


class Times:
    """A plugin that adds up seconds and CPU seconds by file. With xdist, workers measure and the controller adds."""

    def __init__(self) -> None:
        self._before = _spent()
        self._took: defaultdict[str, float] = defaultdict(float)
        self._used: defaultdict[str, float] = defaultdict(float)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Write into each report what was used since the one before it. A report travels from a worker as it is."""
        report = yield
        now = _spent()
        report.user_properties = [*report.user_properties, (_CPU, now - self._before)]
        self._before = now
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count setup, call and teardown of a test for its file."""
        file = report.location[0]
        self._took[file] += report.duration
        self._used[file] += sum(float(str(used)) for name, used in report.user_properties if name == _CPU)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Tell the slowest files, where there are several."""
        if len(self._took) < 2:
            return
        terminalreporter.section(f"slowest {SHOWN} of {len(self._took)} files")
        slowest = sorted(self._took, key=lambda file: -self._took[file])[:SHOWN]
        rows = [("all", sum(self._took.values()), sum(self._used.values()))]
        rows += [(file, self._took[file], self._used[file]) for file in slowest]
        for file, seconds, used in rows:
            terminalreporter.write_line(f"{seconds:7.1f} s {used:7.1f} s CPU  {file}")
