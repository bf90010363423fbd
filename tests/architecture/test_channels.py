"""A channel is three paths with one name, and nobody else knows that name."""

import ast
import re
from collections.abc import Iterator

import pytest

import adapters
from tests.architecture.sources import ROOT, Source, modules

CODES = adapters.codes("channels")
# `generic` is also a word of English, and the channel without a platform: its mappings are the user's.
PLATFORMS = [code for code in CODES if code != "generic"]

# Who may name a platform, and why.
EXEMPT = {
    "adapters/signing.py": "a recipe bears the name of the platform that invented it",
    "adapters/sandbox/": "imitates the platforms by name",
    "hub/demo": "plays with the imitated platforms",
}


@pytest.mark.parametrize("code", CODES)
def test_a_channel_is_complete(code: str) -> None:
    assert (ROOT / "adapters" / "channels" / f"{code}.py").is_file()
    assert list((ROOT / "tests" / "fixtures" / "channels" / code).glob("*.json"))
    if code in PLATFORMS:
        mappings = ROOT / "mappings" / "channels" / code
        assert list(mappings.glob("*.toml"))
        assert list((mappings / "cases").glob("*.json"))


def test_no_folder_without_its_channel() -> None:
    folders = [
        f for parent in ("mappings", "tests/fixtures") for f in (ROOT / parent / "channels").iterdir() if f.is_dir()
    ]
    assert [f.relative_to(ROOT).as_posix() for f in folders if f.name not in CODES] == []


@pytest.mark.parametrize("code", PLATFORMS)
def test_nobody_else_knows_the_channel(code: str) -> None:
    named = [
        finding
        for source in modules("hub", "adapters")
        if source.path != f"adapters/channels/{code}.py" and not source.path.startswith(tuple(EXEMPT))
        for finding in names(source, code)
    ]
    assert not named, "\n".join(named)


def names(source: Source, word: str) -> Iterator[str]:
    """Where the code uses the word: as a name, an attribute or a text. A sentence for people may name an example."""
    pattern = re.compile(rf"(?<![a-z]){word}(?![a-z])")
    for node in source.walk():
        if isinstance(node, ast.Constant):
            text = node.value if isinstance(node.value, str) and " " not in node.value else ""
        else:
            text = str(getattr(node, "id", None) or getattr(node, "attr", None) or getattr(node, "name", None) or "")
        if pattern.search(text):
            yield f"{source.path}:{getattr(node, 'lineno', 0)} names {word}"


@pytest.mark.parametrize(
    "planted", ["x = 'taobao'", "def f():\n    taobao()", "import adapters.channels.taobao", "x.taobao"]
)
def test_a_planted_name_is_found(planted: str) -> None:
    assert list(names(Source("hub/flow.py", planted), "taobao"))


def test_an_example_for_people_is_no_knowledge() -> None:
    text = '"""Such as taobao."""\nhelp = "CHANNEL, such as taobao"  # taobao\n'
    assert not list(names(Source("hub/flow.py", text), "taobao"))
