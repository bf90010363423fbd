"""`hub mapping record`: a stored order or a file becomes a case that passes."""

import json
import shutil
from pathlib import Path

import pytest

from tests.unit.cli.terminal import Terminal

SHIPPED = Path(__file__).parents[3] / "mappings"


@pytest.fixture
def own(terminal: Terminal) -> Terminal:
    """The morning's hub with a mappings folder of its own."""
    shutil.copytree(SHIPPED, terminal.folder / "mappings", ignore=shutil.ignore_patterns("jd", "douyin", "cases"))
    text = terminal.config.read_text("utf-8").replace("[hub]\n", '[hub]\nmappings = "mappings"\n', 1)
    terminal.config.write_text(text, encoding="utf-8")
    return terminal


def number(terminal: Terminal) -> str:
    """An order that the morning brought."""
    return str(terminal("orders", "list", "--json").json["orders"][0]["number"])


def test_a_stored_order_becomes_a_case_that_passes(own: Terminal) -> None:
    order = number(own)
    made = own("mapping", "record", order, "--why", "what a morning brings", "--json")
    assert made.code == 0, made.err
    file = Path(made.json["case"])
    case = json.loads(file.read_text("utf-8"))
    assert case["why"] == "what a morning brings"
    assert order not in file.read_text("utf-8")
    assert case["expect"]["totals"]
    tested = own("mapping", "test", made.json["mapping"].removeprefix("channels/"))
    assert (tested.code, tested.out.strip()) == (0, "1 passed, 0 failed")
    again = own("mapping", "record", order)
    assert again.code == 2
    assert "is there already" in again.err
    assert own("mapping", "record", order, "--force").code == 0
    assert own("mapping", "record", order, "--case", "another").code == 0
    assert (file.parent / "order-another.json").exists()


def test_a_file_needs_its_mapping_and_may_be_printed_only(own: Terminal) -> None:
    record = {"tid": "330000000000009", "status": "WAIT_CUSTOMS", "type": "fixed", "created": "2026-03-01 09:00:00"}
    (own.folder / "answer.json").write_text(json.dumps(record), "utf-8")
    asked = own("mapping", "record", str(own.folder / "answer.json"))
    assert asked.code == 2
    assert "--mapping" in asked.err
    shown = own("mapping", "record", str(own.folder / "answer.json"), "-m", "taobao/order", "--dry-run")
    assert shown.code == 0, shown.err
    assert "mapping.unknown_word" in json.loads(shown.out)["problems"]
    assert json.loads(shown.out)["given"]["tid"] != record["tid"]
    assert not (own.folder / "mappings/channels/taobao/cases").exists()


@pytest.mark.parametrize(
    ("given", "words", "code", "told"),
    [
        (None, ("nosuch",), 1, "never seen nosuch"),
        (b'{"error_response": {"code": 7, "msg": "App Call Limited"}}', ("-m", "taobao/order"), 1, "failed call"),
        (b"\x00\x01\x02", ("-m", "taobao/order"), 1, "not"),
        (b"", ("-m", "taobao/order"), 1, "empty"),
        (b"{}", ("-m", "taobao/ordr"), 2, "did you mean taobao/order"),
    ],
    ids=["an unknown order", "an error envelope", "binary", "nothing", "an unknown mapping"],
)
def test_what_cannot_be_recorded_is_told(
    given: bytes | None, words: tuple[str, ...], code: int, told: str, own: Terminal
) -> None:
    if given is not None:
        (own.folder / "given").write_bytes(given)
        words = (str(own.folder / "given"), *words)
    said = own("mapping", "record", *words)
    assert said.code == code, said.err
    assert told in said.err
