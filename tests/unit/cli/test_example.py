"""The hub.toml at the top of the repository is a deployment that works, and so is each example in it."""

import re
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

import adapters
from tests.unit.cli.terminal import Said, Terminal

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "hub.toml"
MARK = "#: "
ENVIRONMENT = r'"env:([A-Z_]+)"'
WELL = {"ok": True, "problems": [], "notes": []}
WHSEC = f"whsec_{'c2VjcmV0' * 4}"
GIVEN = {"HUB_KEY": "A" * 43 + "="}
"""Environment variables that take no text but one of their own form; all others are given WHSEC."""


def blocks(text: str) -> dict[str, tuple[int, int]]:
    """First and last line number of each run of marked lines, by its first line."""
    found: dict[str, tuple[int, int]] = {}
    start, lines = 0, ["", *text.splitlines(), ""]
    for number, line in enumerate(lines):
        if not line.startswith(MARK):
            start = 0
        elif start == 0:
            start = number
        if start:
            found[lines[start].removeprefix(MARK)] = (start, number)
    return found


def used(text: str, first: int, last: int) -> str:
    """The file with the mark taken off these lines, as its reader is told to do."""
    lines = enumerate(text.splitlines(), 1)
    return "\n".join(line.removeprefix(MARK) if first <= number <= last else line for number, line in lines)


@pytest.fixture
def text() -> str:
    return EXAMPLE.read_text("utf-8")


@pytest.fixture
def check(bare: Terminal, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Said]:
    """`hub check` on a changed copy, with every secret set that it names."""

    def run(changed: str) -> Said:
        for name in re.findall(ENVIRONMENT, changed):
            monkeypatch.setenv(name, GIVEN.get(name, WHSEC))
        bare.config.write_text(changed, encoding="utf-8")
        (bare.folder / "mappings").symlink_to(ROOT / "mappings")
        return bare("check", "--json")

    return run


def test_it_is_right_on_a_fresh_clone(bare: Terminal, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in re.findall(ENVIRONMENT, text):
        monkeypatch.delenv(name, raising=False)
    said = bare("check", "-c", EXAMPLE, "--json")
    assert (said.code, said.json) == (0, WELL)


@pytest.mark.parametrize("first_line", blocks(EXAMPLE.read_text("utf-8")))
def test_each_example_in_it_is_right(check: Callable[[str], Said], text: str, first_line: str) -> None:
    changed = used(text, *blocks(text)[first_line])
    assert tomllib.loads(changed) != tomllib.loads(text), "the example says something"
    said = check(changed)
    assert (said.code, said.json) == (0, WELL)


def test_all_examples_together_are_right(check: Callable[[str], Said], text: str) -> None:
    changed = used(text, 1, text.count("\n"))
    said = check(changed)
    assert (said.code, said.json) == (0, WELL)
    shown = {name for kind in ("channels", "destinations") for name in adapters.codes(kind) if f'"{name}"' in changed}
    assert shown >= {"generic", "taobao", "jd", "douyin", "shopify", "http", "file"}


def test_no_secret_is_written_in_it(text: str) -> None:
    secrets = re.findall(r'(\w*(?:secret|token|key|session|password|bearer)) = "([^"]*)"', text)
    assert len(secrets) > 10
    assert [key for key, value in secrets if not value.startswith(("env:", "file:"))] == []
