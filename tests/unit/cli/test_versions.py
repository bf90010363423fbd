"""`hub mapping versions`, `activate`, `rollback`, `follow` and `show`, as a person types them."""

import shutil
import tomllib
from pathlib import Path

import pytest

from tests.unit.cli.terminal import Terminal

SHIPPED = Path(__file__).parents[3] / "mappings"


@pytest.fixture
def own(terminal: Terminal) -> Terminal:
    """The morning's hub with a mappings folder of its own."""
    shutil.copytree(SHIPPED, terminal.folder / "mappings", ignore=shutil.ignore_patterns("taobao", "jd", "douyin"))
    text = terminal.config.read_text("utf-8").replace("[hub]\n", '[hub]\nmappings = "mappings"\n', 1)
    terminal.config.write_text(text, encoding="utf-8")
    return terminal


def change(terminal: Terminal, old: str, new: str) -> None:
    path = terminal.folder / "mappings/channels/generic/order.toml"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_activate_change_diff_activate_and_back(own: Terminal) -> None:
    none = own("mapping", "versions", "generic/order")
    assert "the file, which is followed" in none.out
    assert "no version was activated yet" in none.out
    first = own("mapping", "activate", "generic/order", "--why", "as it was", "--json")
    assert first.code == 0, first.err
    change(own, '\ntitle = "title"\n', '\ntitle = "sku"\n')

    refused = own("mapping", "activate", "generic/order")
    assert refused.code == 1
    assert "nobody has seen what it changes" in refused.err
    assert "hub mapping diff" in refused.err
    assert own("mapping", "activate", "generic/order", "--force").code == 1
    differs = own("mapping", "versions", "generic/order")
    assert "the file on disk differs" in differs.out

    assert own("mapping", "diff", "generic/order").code == 0
    second = own("mapping", "activate", "generic/order", "--why", "SKUs")
    assert second.code == 0, second.err
    assert first.json["in_force"] in second.out
    assert "hub mapping rollback generic/order" in second.out
    back = own("mapping", "rollback", "generic/order", "--json")
    assert back.json["in_force"] == first.json["in_force"]
    told = own("mapping", "versions", "generic/order", "--json").json
    assert [row["why"] for row in told["versions"]] == ["SKUs", "as it was"]
    assert [row["state"] for row in told["versions"]] == ["was in force", "in force"]
    again = own("mapping", "activate", "generic/order", first.json["in_force"].rpartition("@")[2][:4])
    assert "in force already" in again.out
    followed = own("mapping", "follow", "generic/order", "--force", "--why", "git decides")
    assert "the file (" in followed.out


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("activate", "generic/order", "nosuch"), 1, "no version 'nosuch'"),
        (("activate", "generic/ordr"), 2, "did you mean generic/order"),
        (("rollback", "generic/order"), 1, "no version before"),
        (("show", "generic/order", "--shop", "nosuch"), 2, "no shop 'nosuch'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_what_is_not_there_is_told(words: tuple[str, ...], code: int, told: str, own: Terminal) -> None:
    said = own("mapping", *words)
    assert said.code == code
    assert told in said.err


def test_a_broken_file_is_refused_and_all_its_problems_told(own: Terminal) -> None:
    assert own("mapping", "activate", "generic/order").code == 0
    change(own, '\ntitle = "title"\n', '\ntitle = "title["\ntitel = "x"\n')
    said = own("mapping", "activate", "generic/order")
    assert said.code == 3
    assert said.err.count("order.toml:") == 2
    assert own("mapping", "versions", "generic/order").code == 0


def test_show_prints_the_files_and_resolved_rows_with_their_origin(own: Terminal) -> None:
    overlay = own.folder / "mappings/channels/generic/outlet.toml"
    overlay.write_text('extends = "generic/order"\n[order]\nseller_note = { value = "outlet" }\n', "utf-8")
    shown = own("mapping", "show", "generic/outlet", "--resolved")
    assert shown.code == 0, shown.err
    assert 'order.seller_note = { value = "outlet" }  # mappings/channels/generic/outlet.toml:3' in shown.out
    assert "mappings/channels/generic/order.toml:" in shown.out
    again = own.folder / "mappings/channels/again/order.toml"
    again.parent.mkdir()
    again.write_text(shown.out, "utf-8")
    assert tomllib.loads(shown.out)["order"]["seller_note"] == {"value": "outlet"}
    version = own("mapping", "list", "--json").json["mappings"]
    assert version["channels/again/order"].rpartition("@")[2] == version["channels/generic/outlet"].rpartition("@")[2]
    rows = own("mapping", "show", "generic/order", "--json").json["rows"]
    assert {"key", "value", "file", "line"} == rows[0].keys()
    plain = own("mapping", "show", "generic/order")
    assert "# channels/generic/order.toml" in plain.out


def test_a_tenants_overlay_holds_for_its_shops(own: Terminal) -> None:
    overlay = own.folder / "mappings/channels/generic/acme.toml"
    overlay.write_text('extends = "generic/order"\n[order]\nseller_note = { value = "acme" }\n', "utf-8")
    text = own.config.read_text("utf-8")
    own.config.write_text(text + '\n[tenants.default]\nmapping = "acme"\n', "utf-8")
    shops = [line.partition(".")[2].rstrip("]") for line in text.splitlines() if line.startswith("[shops.")]
    shown = own("mapping", "show", "generic/order", "--shop", shops[0], "--resolved")
    assert shown.code == 0, shown.err
    assert 'order.seller_note = { value = "acme" }' in shown.out
    own.config.write_text(text + '\n[tenants.default]\nmapping = "acmee"\n', "utf-8")
    wrong = own("check")
    assert wrong.code == 1
    assert "tenants.default.mapping" in wrong.err
    own.config.write_text(text + '\n[tenants.nobody]\nmapping = "acme"\n', "utf-8")
    assert "no shop has tenant = 'nobody'" in own("check").err
