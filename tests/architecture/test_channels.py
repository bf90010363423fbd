"""A channel is three paths with one name, and nobody else knows that name.

Beside those there is a second, smaller kind: a platform that needs no code. It is two paths, its mappings and its
fixtures, and a how-to page that shows the settings with which the channel `generic` speaks to it.
"""

import ast
import re
from collections.abc import Iterator

import pytest

import adapters
from tests.architecture.sources import PACKAGES, ROOT, Source, kept_files, modules

CODES = adapters.codes("channels")
# `generic` is also a word of English, and the channel without a platform: its mappings are the user's.
PLATFORMS = [code for code in CODES if code != "generic"]
BY_SETTINGS = sorted(f.name for f in (ROOT / "mappings" / "channels").iterdir() if f.is_dir() and f.name not in CODES)

# What belongs to a channel: its three paths, its generated page, and, where fixtures don't say it, tests of its own.
OWN = (
    "adapters/channels/{code}.",  # the adapter, and what it reads
    "mappings/channels/{code}/",
    "tests/fixtures/channels/{code}/",
    "docs/reference/channels/{code}.md",
    "tests/unit/channels/test_{code}.py",
)
# Who else may name a platform, and why.
EXEMPT = {
    "adapters/signing.py": "a recipe bears the name of the platform that invented it",
    "adapters/sandbox/": "imitates the platforms by name",
    "hub/demo": "plays with the imitated platforms",
    "hub/bench/": "measures the mappings of two platforms, beside the same by hand",
    "tests/fixtures/signing/": "vectors bear the name of their recipe",
    "tests/contract/test_drafts.py": "figures measured on the platforms of which there are enough real samples",
    "mappings/destinations/": "a destination may ask for the platform in words of its own",
    "mappings/tables/carriers.toml": "a platform may be a carrier too",
    "canonical/": "a field's description names the platforms that have it",
}
# Where a name would be an edit that a new channel needs. Pages and examples for people may name anybody.
CLOSED = (*PACKAGES, "scripts", "tests/contract")
CLOSED_TEXTS = ("mappings/", "hub/", "adapters/", "pyproject.toml", "Makefile")


@pytest.mark.parametrize("code", CODES)
def test_a_channel_is_complete(code: str) -> None:
    assert (ROOT / "adapters" / "channels" / f"{code}.py").is_file()
    assert list((ROOT / "tests" / "fixtures" / "channels" / code).glob("*.json"))
    if code in PLATFORMS:
        mappings = ROOT / "mappings" / "channels" / code
        assert list(mappings.glob("*.toml"))
        assert list((mappings / "cases").glob("*.json"))


@pytest.mark.parametrize("name", BY_SETTINGS)
def test_a_platform_by_settings_is_complete(name: str) -> None:
    mappings = ROOT / "mappings" / "channels" / name
    assert list(mappings.glob("*.toml"))
    assert list((mappings / "cases").glob("*.json"))
    assert (ROOT / "tests" / "fixtures" / "channels" / name / "settings.json").is_file()
    shown = re.compile(rf'channel = "generic"\nmapping = "{re.escape(name)}"')
    pages = [page.name for page in (ROOT / "docs" / "how-to").glob("*.md") if shown.search(page.read_text("utf-8"))]
    assert pages, f'no page in docs/how-to shows a shop with channel = "generic" and mapping = "{name}"'


def test_no_fixtures_without_their_channel() -> None:
    folders = [f for f in (ROOT / "tests" / "fixtures" / "channels").iterdir() if f.is_dir()]
    assert [f.name for f in folders if f.name not in (*CODES, *BY_SETTINGS)] == []


@pytest.mark.parametrize("code", [*PLATFORMS, *BY_SETTINGS])
def test_a_channel_is_its_own_paths_and_no_more(code: str) -> None:
    own = tuple(path.format(code=code) for path in OWN)
    strays = [path for path in kept_files() if _word(code).search(path) and not path.startswith((*own, *EXEMPT))]
    assert not strays, f"a channel is three paths; these bear its name too: {', '.join(strays)}"


@pytest.mark.parametrize("code", [*PLATFORMS, *BY_SETTINGS])
def test_nobody_else_knows_the_channel(code: str) -> None:
    own = tuple(path.format(code=code) for path in OWN)
    named = [
        finding
        for source in modules(*CLOSED)
        if not source.path.startswith((*own, *EXEMPT))
        for finding in names(source, code)
    ]
    named += [
        f"{path} names {code}"
        for path in kept_files()
        if path.startswith(CLOSED_TEXTS) and not path.endswith(".py") and not path.startswith((*own, *EXEMPT))
        if _word(code).search((ROOT / path).read_text("utf-8", "replace"))
    ]
    assert not named, "\n".join(named)


def _word(code: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![a-z]){re.escape(code)}(?![a-z])")


def names(source: Source, word: str) -> Iterator[str]:
    """Where the code uses the word: as a name, an attribute or a text. A sentence for people may name an example."""
    pattern = _word(word)
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
