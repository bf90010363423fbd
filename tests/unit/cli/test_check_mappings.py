"""`hub mapping check` and `schema`, as a person types them."""

import json
import shutil
from pathlib import Path

import pytest

from tests.unit.cli.terminal import Said, Terminal

SHIPPED = Path(__file__).parents[3] / "mappings"


@pytest.fixture
def own(bare: Terminal) -> Terminal:
    """A folder with the generic channel's mappings, beside no hub.toml."""
    shutil.copytree(SHIPPED / "channels" / "generic", bare.folder / "mappings/channels/generic")
    return bare


def check(terminal: Terminal, *words: str) -> Said:
    return terminal("mapping", "check", *words, "--mappings", terminal.folder / "mappings")


def change(terminal: Terminal, old: str, new: str) -> None:
    path = terminal.folder / "mappings/channels/generic/order.toml"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")


def test_clean_mappings_are_told_so(own: Terminal) -> None:
    said = check(own, "--strict")
    assert (said.code, said.out.strip()) == (0, "2 checked: 0 problem(s), 0 error(s), 0 warning(s)")


def test_findings_come_with_their_place_and_a_caret(own: Terminal) -> None:
    change(own, '\ntitle = "title"\n', '\ntitle = "title"\nextra.contact = "customer_phone"\n')
    said = check(own, "generic/order")
    assert said.code == 1
    assert "order.toml:" in said.err
    assert "error personal_unmarked: items.customer_phone is personal" in said.err
    line, caret = said.err.splitlines()[1:3]
    assert line[caret.index("^") :].startswith("customer_phone")
    told = check(own, "generic/order", "--json").json
    assert [finding["code"] for finding in told["findings"]] == ["personal_unmarked"]


def test_warnings_count_when_they_are_asked_to(own: Terminal) -> None:
    change(own, "[tables.state]", '[tables.spare]\na = "open"\n[tables.state]')
    assert check(own).code == 0
    assert check(own, "--strict").code == 1


def test_what_does_not_load_is_told_with_everything_and_exit_3(own: Terminal) -> None:
    change(own, '\ntitle = "title"\n', '\ntitle = "title["\nquantitty = "num"\n')
    said = check(own)
    assert said.code == 3
    assert said.err.count("order.toml:") == 2
    assert "did you mean quantity?" in said.err
    assert len(check(own, "--json").json["broken"]) == 2


def test_an_unknown_mapping_gives_the_nearest(own: Terminal) -> None:
    said = check(own, "generic/ordr")
    assert said.code == 2
    assert "did you mean generic/order?" in said.err


def test_the_schema_is_printed_or_written(own: Terminal) -> None:
    printed = own("mapping", "schema")
    assert json.loads(printed.out)["properties"]["order"]
    written = own("mapping", "schema", own.folder / "mapping.schema.json")
    assert written.code == 0
    assert json.loads((own.folder / "mapping.schema.json").read_text("utf-8")) == json.loads(printed.out)
