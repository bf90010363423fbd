"""Replays, groups, edits, audit, erasure and keys as a person at a terminal uses them."""

import csv
import io
from typing import Any

import pytest

from tests.unit.cli.terminal import Terminal


def letter_of(terminal: Terminal, order: str) -> dict[str, Any]:
    (row,) = terminal("dlq", "list", "--order", order, "--json").json["letters"]
    found: dict[str, Any] = row
    return found


def test_a_replay_is_planned_started_paused_and_cancelled(terminal: Terminal) -> None:
    said = terminal("dlq", "plan", "--destination", "erp")
    assert said.code == 0
    assert "1 letter(s), worth 20.00 CNY" in said.out
    assert "start it: hub dlq replay --job 1" in said.out
    assert letter_of(terminal, "W7")["state"] == "open", "nothing is sent by a plan"
    assert "replay 1 runs over 1 letter(s)" in terminal("dlq", "replay", "--job", 1).out
    assert "is paused: hub dlq resume 1" in terminal("dlq", "pause", 1).out
    assert terminal("dlq", "report", 1, "--json").json["state"] == "paused"
    assert terminal("dlq", "resume", 1).code == 0
    assert terminal("dlq", "cancel", 1).code == 0
    again = terminal("dlq", "replay", "--job", 1)
    assert (again.code, "replay 1 is cancelled" in again.err) == (1, True)
    rows = list(csv.DictReader(io.StringIO(terminal("dlq", "report", 1, "--csv").out)))
    assert [(row["subject"], row["state"]) for row in rows] == [("W7", "waiting")]
    assert "cancelled" in terminal("dlq", "replays").out


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("--rate", "fast"), 2, "is not a rate"),
        (("--ramp", "slowly"), 2, "no list of per cents"),
        (("--ramp", "5,1,100"), 1, "rises to 100"),
        (("--since", "yesterday"), 2, "is not a duration"),
        (("--step", "fly"), 1, "is not a step"),
        (("--shop", "nowhere"), 1, "no open dead letter fits"),
        (("--mapping", "generic/order@00000000"), 1, "no version"),
        (("--from", "9"), 1, "there is no replay 9"),
    ],
)
def test_a_plan_that_makes_no_sense_says_why(terminal: Terminal, words: tuple[str, ...], code: int, told: str) -> None:
    said = terminal("dlq", "plan", *words)
    assert (said.code, told in said.err) == (code, True), said.err
    assert terminal("dlq", "replays", "--json").json["replays"] == []


def test_a_group_is_acknowledged_noted_ignored_and_reopened(terminal: Terminal) -> None:
    name = terminal("dlq", "groups", "--json").json["groups"][0]["fingerprint"]
    assert "is acknowledged; 2 letter(s)" in terminal("dlq", "acknowledge", name[:6]).out
    assert terminal("dlq", "note-group", name[:6], "the shop tries a new word").code == 0
    shown = terminal("dlq", "group", name[:6])
    assert "lin: the shop tries a new word" in shown.out
    assert terminal("dlq", "assign", "sun", "-g", name).code == 0
    assert terminal("dlq", "group", name, "--json").json["owner"] == "sun"
    assert terminal("dlq", "ignore", name).code == 0
    assert name not in terminal("dlq", "groups").out
    assert name in terminal("dlq", "groups", "--state", "ignored").out
    assert "is open" in terminal("dlq", "reopen", name).out
    assert terminal("dlq", "group", "ffff").code == 1
    assert terminal("dlq", "groups", "--state", "gone").code == 2


def test_a_letter_is_changed_and_says_by_whom(terminal: Terminal) -> None:
    number = letter_of(terminal, "W7")["id"]
    carried = terminal("dlq", "edit", number).json
    assert (carried["edition"], carried["content"]["lines"][0]["sku"]) == (0, "CUP-1")
    said = terminal("dlq", "edit", number, "--set", "lines[0].sku=CUP-2", "--why", "renamed")
    assert "lines[].sku: CUP-1 -> CUP-2" in said.out
    late = terminal("dlq", "edit", number, "--set", "lines[0].sku=CUP-3", "--edition", 0)
    assert (late.code, "lin changed it before you" in late.err) == (1, True)
    wrong = terminal("dlq", "edit", number, "--set", "totals.payable=1.00")
    assert (wrong.code, "contradicts itself" in wrong.err) == (1, True)
    lost = terminal("dlq", "edit", number, "--set", "liens[0].sku=CUP-3")
    assert (lost.code, "there is nothing at that place" in lost.err) == (1, True)
    assert "lin changed lines[].sku renamed" in terminal("dlq", "show", number).out


def test_the_audit_log_is_listed_and_verified(terminal: Terminal) -> None:
    terminal("destinations", "pause", "wms", "--reason", "stock count")
    head = terminal("audit", "verify", "--json").json
    assert head["whole"] is True
    assert "destination.paused" in terminal("audit", "list").out
    assert terminal("audit", "verify", "--head", head["head"]).code == 0
    gone = terminal("audit", "verify", "--head", "0" * 64)
    assert (gone.code, "the end was cut off" in gone.err) == (1, True)


def test_orders_are_found_by_phone_and_name(terminal: Terminal) -> None:
    found = terminal("orders", "list", "--phone", "139-1234-5678", "--json").json["orders"]
    assert len(found) == 7
    assert len(terminal("orders", "list", "--name", "rosa lind", "--limit", 3, "--json").json["orders"]) == 3
    assert terminal("orders", "list", "--name", "Nobody", "--json").json["orders"] == []


def test_a_person_is_erased_after_a_look_at_what_would_go(terminal: Terminal) -> None:
    assert terminal("erase").code == 2
    look = terminal("erase", "--phone", "139 1234 5678")
    assert "order W1 of shop site" in look.out
    assert "nothing was changed" in look.err
    refused = terminal("erase", "--phone", "13912345678", "--yes")
    assert (refused.code, "still on their way" in refused.err) == (1, True), "W7's successor is held"
    done = terminal("erase", "--phone", "13912345678", "--yes", "--force", "--json").json
    assert (done["erased"], done["orders"]) == (True, 7)
    assert "Rosa" not in terminal("orders", "show", "W1", "--personal").out
    assert terminal("erase", "--phone", "13912345678").code == 3


def test_keys_need_a_hub_key_and_are_rotated(terminal: Terminal) -> None:
    assert "nothing is encrypted" in terminal("key", "list").out
    assert terminal("key", "rotate").code == 2
    key = terminal("token", "key").out.strip()
    terminal.config.write_text(terminal.config.read_text().replace("[hub]", f'[hub]\nkey = "{key}"', 1))
    first = terminal("key", "list", "--json").json["keys"]
    assert [row["retired_at"] for row in first] == [None] * len(first)
    done = terminal("key", "rotate", "--json").json
    assert done["rows"] > 20
    assert len(terminal("key", "list", "--json").json["keys"]) == 2 * len(first)
    assert "Rosa Lind" in terminal("orders", "show", "W1", "--personal").out
    assert terminal("key", "reseal").code == 0
