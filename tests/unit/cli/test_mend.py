"""`hub mapping mend`: what it offers, what it writes, how it refuses."""

import json
import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hub.store import audit
from hub.wiring import build
from tests.guards import HANGS
from tests.unit.cli.terminal import Terminal

SHIPPED = Path(__file__).parents[3] / "mappings" / "channels" / "generic"


@pytest.fixture
def shop(terminal: Terminal) -> Terminal:
    """The morning, in which W8 and W9 died of the word "teleported", with mappings of its own."""
    folder = terminal.folder / "mappings" / "channels" / "generic"
    shutil.copytree(SHIPPED, folder)
    text = terminal.config.read_text().replace("[hub]\n", '[hub]\nmappings = "mappings"\n', 1)
    terminal.config.write_text(text)
    return terminal


def mapping(shop: Terminal) -> Path:
    return shop.folder / "mappings" / "channels" / "generic" / "order.toml"


def group(shop: Terminal, cause: str = "mapping.unknown_word") -> str:
    groups = shop("dlq", "groups", "--json").json["groups"]
    return str(next(g["fingerprint"] for g in groups if g["cause"] == cause)[:6])


def test_without_a_choice_it_offers_and_writes_nothing(shop: Terminal) -> None:
    before = mapping(shop).read_text()
    for arguments in ((), ("--yes",)):
        said = shop("mapping", "mend", group(shop), *arguments)
        assert said.code == 1
        assert 'generic/order: order.state: found "teleported"' in said.out
        assert "1  teleported means" in said.out
        assert "a person has to choose" in said.err
        assert f"hub mapping mend {group(shop)} --row 'teleported = " in said.err
    assert mapping(shop).read_text() == before


def test_a_chosen_word_is_shown_tried_written_and_replayed(shop: Terminal) -> None:
    chosen = ("mapping", "mend", group(shop), "--row", 'teleported = "open"')
    said = shop(*chosen, "--dry-run")
    assert said.code == 0
    assert '+teleported = "open"  # lin, ' in said.out
    assert "2 of 2 letter(s) would go through" in said.out
    assert "teleported" not in mapping(shop).read_text()
    said = shop(*chosen, "--yes")
    assert said.code == 0, said.err
    assert "wrote channels/generic/order.toml" in said.out
    assert "2 letter(s) go again" in said.out
    assert 'teleported = "open"  # lin, ' in mapping(shop).read_text()
    hub = build(shop.config)
    with hub.store.look() as connection:
        (entry,) = [e for e in audit.entries(connection) if e["act"] == "mapping.mended"]
    hub.store.close()
    assert (entry["actor"], entry["subject"]) == ("lin", "channels/generic/order")


def test_a_number_names_a_proposal_and_json_tells_all(shop: Terminal) -> None:
    offered = shop("mapping", "mend", group(shop), "--json").json
    number = next(p["number"] for p in offered["proposals"] if p["keys"] == {"teleported": "completed"})
    told = shop("mapping", "mend", group(shop), "--row", number, "--yes", "--json").json
    assert (told["letters"], told["letters_mended"], told["replayed"]) == (2, 2, 2)
    assert told["written"] == ["channels/generic/order.toml"]
    assert told["history"]["failing"] == 0
    assert '+teleported = "completed"' in told["diff"]


def test_a_row_may_be_written_out(shop: Terminal) -> None:
    row = """order.state = { default = "open", absent = ["teleported"] }"""
    said = shop("mapping", "mend", group(shop), "--row", row, "--yes")
    assert said.code == 0, said.err
    line = 'state = { path = "status", table = "state", default = "open", absent = ["teleported"] }'
    assert line in mapping(shop).read_text()


def test_red_cases_refuse(shop: Terminal) -> None:
    case = {
        "given": {"order_no": "C1", "status": "teleported"},
        "problems": ["mapping.unknown_word", "mapping.missing"],
    }
    (mapping(shop).parent / "cases" / "order-teleported.json").write_text(json.dumps(case))
    said = shop("mapping", "mend", group(shop), "--row", 'teleported = "open"', "--yes")
    assert said.code == 3
    assert "order-teleported.json" in said.err
    assert "nothing was written" in said.err
    assert "teleported" not in mapping(shop).read_text()


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("99", "there are"),
        ("what", "not TOML"),
        ('beamed = "open"', "no word of this group"),
        ('order.nothing = "x"', "no row order.nothing"),
        ('teleported = "somewhere"', "not a word of state"),
    ],
)
def test_a_wrong_row_is_told(shop: Terminal, row: str, told: str) -> None:
    before = mapping(shop).read_text()
    said = shop("mapping", "mend", group(shop), "--row", row, "--yes")
    assert said.code in (2, 3)
    assert told in said.err
    assert mapping(shop).read_text() == before


def test_what_no_row_causes_and_groups_that_are_not_there(shop: Terminal) -> None:
    said = shop("mapping", "mend", group(shop, "check.totals"))
    assert said.code == 1
    assert "check.totals" in said.err
    assert shop("mapping", "mend", "ffffff").code == 1


def at_a_terminal(shop: Terminal, *words: str, typed: bytes) -> tuple[int, str]:
    """The command at a real terminal, with what somebody types there."""
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "hub", *words]
    with subprocess.Popen(command, cwd=shop.folder, stdin=slave, stdout=subprocess.PIPE, stderr=slave) as process:
        os.close(slave)
        os.write(master, typed)
        out, _ = process.communicate(timeout=HANGS)
    os.close(master)
    return process.returncode, out.decode()


def test_at_a_terminal_it_asks(shop: Terminal) -> None:
    words = ("mapping", "mend", group(shop))
    before = mapping(shop).read_text()
    code, _ = at_a_terminal(shop, *words, typed=b"\n")
    assert (code, mapping(shop).read_text()) == (1, before)
    code, out = at_a_terminal(shop, *words, typed=b"9\n1\nn\n")
    assert (code, mapping(shop).read_text()) == (0, before)
    assert "nothing was written" in out
    code, out = at_a_terminal(shop, *words, typed=b"1\ny\n")
    assert code == 0
    assert "2 letter(s) go again" in out
    assert "\nteleported = " in mapping(shop).read_text()


def test_the_mappings_of_an_installed_hub_are_left_and_a_version_is_activated(terminal: Terminal) -> None:
    shipped = SHIPPED / "order.toml"
    before = shipped.read_text()
    said = terminal("mapping", "mend", group(terminal), "--row", 'teleported = "open"', "--yes")
    assert said.code == 0, said.err
    assert "activated generic/order@" in said.out
    assert "go again" in said.out
    assert shipped.read_text() == before
