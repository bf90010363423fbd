"""`hub mapping test`: what a failing case shows, and running again when a file changes."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.guards import HANGS
from tests.unit.cli.terminal import Terminal

MAPPING = """
kind = "order"
key = "id"
revision = "changed"
currency = "CNY"
[order]
order_no = "id"
state = { path = "status", table = "state" }
payment = { value = "paid" }
fulfilment = { value = "unshipped" }
[tables.state]
ready = "open"
"""
CASE: dict[str, Any] = {
    "why": "the usual",
    "given": {"id": 81, "status": "ready", "changed": "2026-03-01T09:30:00Z"},
    "expect": {"state": "open"},
}


@pytest.fixture
def site(bare: Terminal) -> Terminal:
    """A folder with a mapping of an own shop and one case."""
    (bare.folder / "mappings/channels/harbor/cases").mkdir(parents=True)
    (bare.folder / "mappings/channels/harbor/order.toml").write_text(MAPPING)
    (bare.folder / "mappings/channels/harbor/cases/order-usual.json").write_text(json.dumps(CASE))
    (bare.folder / "hub.toml").write_text('[hub]\nmappings = "mappings"\n')
    return bare


def change(site: Terminal, old: str, new: str) -> None:
    path = site.folder / "mappings/channels/harbor/order.toml"
    path.write_text(path.read_text().replace(old, new))


def test_a_failing_case_names_the_rule_that_made_the_field(site: Terminal) -> None:
    assert site("mapping", "test", "harbor").out == "1 passed, 0 failed\n"
    change(site, 'ready = "open"', 'ready = "completed"')
    done = site("mapping", "test")
    assert (done.code, done.out) == (1, "0 passed, 1 failed\n")
    assert done.err.splitlines() == [
        "✗ mappings/channels/harbor/cases/order-usual.json:1  harbor/order order-usual: the usual",
        '    state: expected "open", found "completed"',
        '      by mappings/channels/harbor/order.toml:8, path status = "ready", table state: ready -> completed',
    ]
    [failed] = site("mapping", "test", "--json").json["failed"]
    assert failed["differences"] == ['state: expected "open", found "completed"']
    assert failed["fields"][0]["rule"].startswith("mappings/channels/harbor/order.toml:8")


def test_a_broken_mapping_is_told_and_others_are_tested_all_the_same(site: Terminal) -> None:
    (site.folder / "mappings/channels/pier").mkdir()
    (site.folder / "mappings/channels/pier/order.toml").write_text("kind = ")
    done = site("mapping", "test", "harbor")
    assert (done.code, done.out) == (0, "1 passed, 0 failed\n")
    assert "1 problem(s) in other mappings" in done.err
    done = site("mapping", "test", "pier")
    assert done.code == 3
    assert "mappings/channels/pier/order.toml:1:1: not valid TOML" in done.err
    assert site("mapping", "test").code == 3


@pytest.fixture
def watching(site: Terminal) -> Iterator["subprocess.Popen[str]"]:
    """The command that watches, as a process of its own."""
    command = [sys.executable, "-m", "hub", "mapping", "test", "--watch", "--json"]
    path = os.pathsep.join([str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH", "")])
    process = subprocess.Popen(
        command, cwd=site.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    yield process
    process.kill()
    process.communicate()


def test_watching_runs_again_when_a_file_changes(site: Terminal, watching: "subprocess.Popen[str]") -> None:
    assert watching.stdout is not None

    def run() -> Any:
        return json.loads(watching.stdout.readline())  # type: ignore[union-attr]  # it is a pipe

    assert (run()["passed"], site.folder.exists()) == (1, True)
    change(site, 'ready = "open"', 'ready = "completed"')
    again = run()
    assert (again["passed"], len(again["failed"])) == (0, 1)
    change(site, 'ready = "completed"', "ready = ")
    assert "not valid TOML" in run()["broken"][0]
    change(site, "ready = \n", 'ready = "open"\n')
    assert run()["passed"] == 1
    (site.folder / "mappings/channels/harbor/cases/order-more.json").write_text(json.dumps(CASE))
    assert run()["passed"] == 2
    watching.send_signal(signal.SIGINT)
    out, err = watching.communicate(timeout=HANGS)
    assert (watching.returncode, out) == (0, "")
    assert "Traceback" not in err
