"""Every command tells what it does and what it takes."""

from collections.abc import Iterator
from typing import Any

import pytest
from typer.main import get_command

from hub.cli.app import app
from tests.unit.cli.terminal import Terminal


def commands(group: Any, *before: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    for word, inner in group.commands.items():
        yield (*before, word), inner
        if hasattr(inner, "commands"):
            yield from commands(inner, *before, word)


ALL = dict(commands(get_command(app)))
PROMISED = {
    "init", "check", "run", "serve", "work", "map", "trace", "orders", "deliveries", "destinations", "dlq", "pull",
    "doctor", "mapping", "token", "bench", "demo", "sandbox",
}  # fmt: skip


def test_every_promised_command_is_there() -> None:
    assert {words[0] for words in ALL} >= PROMISED
    assert {words[1] for words in ALL if words[0] == "dlq" and len(words) > 1} >= {
        "list", "show", "groups", "replay", "discard", "assign", "note",
    }  # fmt: skip


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_help_says_what_a_command_does_and_explains_every_option(words: tuple[str, ...], bare: Terminal) -> None:
    said = bare(*words, "--help")
    command = ALL[words]
    assert said.code == 0
    assert said.err == ""
    assert " ".join(command.help.split())[:40] in " ".join(said.out.split())
    for parameter in command.params:
        if parameter.param_type_name == "option":
            assert parameter.help, f"--{parameter.name} is not explained"
            assert max(parameter.opts, key=len) in said.out


def test_the_command_alone_shows_where_to_begin(bare: Terminal) -> None:
    said = bare()
    assert said.code == 2
    assert "hub init" in said.err
    assert "hub trace ORDER" in said.err


@pytest.mark.parametrize(
    "words",
    [("nonsense",), ("orders", "nonsense"), ("orders", "list", "--nonsense"), ("dlq", "show", "seven"), ("trace",),
     ("orders", "list", "--limit", "0"), ("orders", "list", "--limit", "many")],
    ids=" ".join,
)  # fmt: skip
def test_wrong_usage_is_exit_2_with_a_way_to_help(words: tuple[str, ...], bare: Terminal) -> None:
    said = bare(*words)
    assert said.code == 2
    assert "-h' for help" in said.err
