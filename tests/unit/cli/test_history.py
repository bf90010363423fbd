"""`hub mapping diff` and `shadow`: a change of a file held against a morning's messages."""

import shutil
from pathlib import Path

import pytest

from hub.store import history
from hub.wiring import build
from hub.workbench import versions
from tests.unit.cli.terminal import Terminal

SHIPPED = Path(__file__).parents[3] / "mappings"


@pytest.fixture
def own(terminal: Terminal) -> Terminal:
    """The morning's hub with a mappings folder of its own."""
    others = shutil.ignore_patterns("cases", "taobao", "shopify", "jd", "douyin")
    shutil.copytree(SHIPPED, terminal.folder / "mappings", ignore=others)
    text = terminal.config.read_text("utf-8").replace("[hub]\n", '[hub]\nmappings = "mappings"\n', 1)
    terminal.config.write_text(text, encoding="utf-8")
    return terminal


def change(terminal: Terminal, old: str, new: str) -> None:
    path = terminal.folder / "mappings/channels/generic/order.toml"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def old_version(terminal: Terminal) -> str:
    """A stored version that differs from the file by one row."""
    change(terminal, '\ntitle = "title"\n', '\ntitle = "sku"\n')
    version = propose(terminal)
    change(terminal, '\ntitle = "sku"\n', '\ntitle = "title"\n')
    return version


def propose(terminal: Terminal) -> str:
    """Keep the file on disk as a version; its hash."""
    hub = build(terminal.config)
    with hub.store.begin() as connection:
        sources = hub.catalog.sources("channels/generic/order")
        found = versions.propose(connection, hub.catalog, "channels/generic/order", sources, "ann")
    hub.store.close()
    return found.version.partition("@")[2]


def test_the_same_version_has_no_difference(own: Terminal) -> None:
    said = own("mapping", "diff", "generic/order")
    assert (said.code, "the same version" in said.out) == (0, True)


def test_versions_are_compared_and_the_look_is_kept(own: Terminal) -> None:
    version = old_version(own)
    said = own("mapping", "diff", "generic/order", version[:5])
    assert said.code == 0
    assert "lines[].title" in said.out
    assert '"杯" -> "CUP-1"' in said.out
    assert "open dead letters: 3, of which the new version mends 0" in said.out
    assert "hub mapping activate generic/order" in said.out
    hub = build(own.config)
    with hub.store.look() as connection:
        (kept,) = history.diffs(connection, "channels/generic/order", f"generic/order@{version}")
    hub.store.close()
    assert kept["actor"] == "lin"
    assert kept["report"]["changed"] == kept["report"]["fields"]["lines[].title"]["count"] == 9


@pytest.mark.parametrize("words", [("generic/order", "{v}", "file"), ("generic/order@{v}", "generic/order@file"),
                                   ("channels/generic/order@{v}", "file")])  # fmt: skip
def test_two_versions_are_written_in_several_ways(own: Terminal, words: tuple[str, ...]) -> None:
    version = old_version(own)
    said = own("mapping", "diff", *(w.format(v=version) for w in words), "--json")
    assert said.code == 0
    assert (said.json["old"], said.json["new"] != said.json["old"]) == (f"generic/order@{version}", True)
    assert said.json["fields"]["lines[].title"]["samples"][0]["new"] == '"杯"'


def test_what_fails_newly_ends_with_1_and_a_shop_alone_is_no_seen_diff(own: Terminal) -> None:
    change(own, '\npaid = "open"\n', "\n")
    version = propose(own)
    change(own, "[tables.state]\n", '[tables.state]\npaid = "open"\n')
    said = own("mapping", "diff", "generic/order", version, "--shop", "site", "--since", "7d")
    assert said.code == 1
    assert "mapping.unknown_word generic/order: order.state" in said.out
    assert "next:" not in said.out
    assert "Rosa" not in said.out


def test_a_shadow_is_started_shown_and_stopped(own: Terminal) -> None:
    version = old_version(own)
    said = own("mapping", "shadow", "generic/order", version, "--for", "2h")
    assert (said.code, "in the shadow for 2h" in said.out) == (0, True)
    said = own("mapping", "shadow", "generic/order")
    assert (said.code, "nothing compared yet" in said.out) == (0, True)
    said = own("mapping", "shadow", "generic/order", version)
    assert (said.code, "is in the shadow already" in said.err) == (1, True)
    said = own("mapping", "shadow", "generic/order", "--stop", "--json")
    assert said.json["ended_at"]
    assert own("mapping", "shadow", "generic/order", "--stop").code == 1


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("diff", "generic/ordr"), 2, "did you mean generic/order?"),
        (("diff", "generic"), 2, "did you mean generic/order, generic/refund?"),
        (("diff", "generic/order", "ffff"), 1, "has no version 'ffff'; there are:"),
        (("diff", "generic/order", "previous"), 1, "has no version before the one in force"),
        (("diff", "generic/order@a", "b", "c"), 2, "two versions are compared, not 3"),
        (("diff", "generic/order", "--since", "week"), 0, "the same version"),
        (("shadow", "generic/order"), 1, "was ever in the shadow"),
        (("shadow", "generic/order", "file"), 1, "is in force: there is nothing to compare"),
        (("shadow", "generic/order", "file", "--for", "soon"), 2, "'soon' is not a duration"),
        (("shadow", "generic/order", "file", "--stop"), 2, "--stop takes no version"),
    ],
)
def test_bad_input_is_told_with_what_to_do(own: Terminal, words: tuple[str, ...], code: int, told: str) -> None:
    said = own("mapping", *words)
    assert told in said.out + said.err
    assert said.code == code


def test_a_broken_file_is_told_with_its_line(own: Terminal) -> None:
    change(own, "[order]\n", '[order]\nnonsense = "x"\n')
    said = own("mapping", "diff", "generic/order")
    assert said.code == 3
    assert "mappings/channels/generic/order.toml:" in said.err
    assert "unknown field of order 'nonsense'" in said.err


def test_a_draft_is_tried_before_it_lies_where_it_would_be_taken(own: Terminal) -> None:
    text = (own.folder / "mappings/channels/generic/order.toml").read_text("utf-8")
    draft = own.folder / "draft.toml"
    draft.write_text(text.replace('\ntitle = "title"\n', '\ntitle = "sku"\n', 1), encoding="utf-8")
    said = own("mapping", "diff", "generic/order", "draft.toml", "--json")
    assert (said.code, list(said.json["fields"])) == (0, ["lines[].title"])
    assert own("mapping", "shadow", "generic/order", "draft.toml").code == 0
    draft.write_text(text.replace("[order]\n", '[order]\nnonsense = "x"\n', 1), encoding="utf-8")
    said = own("mapping", "diff", "generic/order", "draft.toml")
    assert (said.code, "unknown field of order 'nonsense'" in said.err) == (3, True)
    said = own("mapping", "diff", "generic/order", "drift.toml")
    assert (said.code, "drift.toml: cannot be read" in said.err) == (1, True)
