"""What a person does about it: replay, discard, assign, note, pause, resume, breaker, tokens. All of it is audited."""

import hashlib
import sqlite3
from typing import Any

import pytest

from hub.store import audit
from hub.wiring import build
from tests.unit.cli.terminal import Terminal


def acts(terminal: Terminal) -> list[tuple[str, str, str]]:
    """Who did what to what, oldest first."""
    store = build(terminal.config).store
    try:
        with store.look() as connection:
            return [(a["actor"], a["act"], a["subject"]) for a in reversed(audit.entries(connection, limit=100))]
    finally:
        store.close()


def letters(terminal: Terminal, *filters: object) -> dict[str, dict[str, Any]]:
    found = terminal("dlq", "list", "--state", "all", *filters, "--json").json["letters"]
    return {row["subject"]: row for row in found}


def test_a_dry_run_says_what_would_go_and_changes_nothing(terminal: Terminal) -> None:
    group = terminal("dlq", "groups", "--json").json["groups"][0]["fingerprint"]
    said = terminal("dlq", "replay", "--group", group[:6], "--dry-run")
    assert (said.code, "2 letter(s) would go again: 2 to be mapped" in said.out) == (0, True)
    machine = terminal("dlq", "replay", "--group", group, "--dry-run", "--json").json
    assert (machine["dry_run"], machine["messages"], machine["deliveries"]) == (True, 2, 0)
    assert {row["state"] for row in letters(terminal).values()} == {"open"}
    assert acts(terminal) == []


def test_a_group_or_one_letter_is_replayed_once(terminal: Terminal) -> None:
    group = terminal("dlq", "groups", "--json").json["groups"][0]["fingerprint"]
    said = terminal("dlq", "replay", "-g", group[:6])
    assert (said.code, "2 letter(s) go again" in said.out) == (0, True)
    refused = letters(terminal)["W7"]["id"]
    assert terminal("dlq", "replay", refused, "--json").json["deliveries"] == 1
    assert {s: row["state"] for s, row in letters(terminal).items()} == {
        "W7": "replaying", "W8": "replaying", "W9": "replaying", "W10": "open",
    }  # fmt: skip
    again = terminal("dlq", "replay", refused)
    assert again.code == 1
    assert "none of these letters is open" in again.err
    assert [(who, act) for who, act, _ in acts(terminal)] == [("lin", "letter.replayed")] * 3


def test_discarding_needs_a_reason_and_keeps_it(terminal: Terminal) -> None:
    number = letters(terminal)["W7"]["id"]
    assert terminal("dlq", "discard", number).code == 2
    empty = terminal("dlq", "discard", number, "--reason", "  ")
    assert (empty.code, "needs a reason" in empty.err) == (1, True)
    assert letters(terminal)["W7"]["state"] == "open"
    assert terminal("dlq", "discard", number, "--reason", "the buyer ordered by telephone").code == 0
    closed = letters(terminal)["W7"]
    assert (closed["state"], closed["closed_by"], closed["closed_why"]) == (
        "discarded", "lin", "the buyer ordered by telephone",
    )  # fmt: skip
    (held,) = terminal("deliveries", "list", "--order", "W7", "-d", "erp", "--limit", 1, "--json").json["deliveries"]
    assert held["state"] == "waiting", "what it held goes on without it"


def test_letters_are_given_to_people_and_noted_on(terminal: Terminal) -> None:
    number = letters(terminal)["W10"]["id"]
    assert terminal("dlq", "assign", "sun", number).code == 0
    assert set(letters(terminal, "--owner", "sun")) == {"W10"}
    assert terminal("dlq", "note", number, "asked the [shop] about it [/]").code == 0
    shown = terminal("dlq", "show", number)
    assert "lin: asked the [shop] about it [/]" in shown.out
    assert terminal("dlq", "assign", "", number).code == 0
    assert letters(terminal, "--owner", "sun") == {}


@pytest.mark.parametrize(
    ("words", "code"),
    [(("replay", 4711), 1), (("discard", 4711, "--reason", "x"), 1), (("assign", "sun", 4711), 1),
     (("note", 4711, "x"), 1), (("replay",), 2), (("replay", 1, "--group", "ab"), 2), (("replay", "--group", "zz"), 1),
     (("discard", "--reason", "x"), 2)],
    ids=str,
)  # fmt: skip
def test_what_cannot_be_done_is_said_and_is_no_success(terminal: Terminal, words: tuple[Any, ...], code: int) -> None:
    said = terminal("dlq", *words)
    assert said.code == code
    assert said.err.startswith("error: ")
    assert "try: " in said.err
    assert {row["state"] for row in letters(terminal).values()} == {"open"}


def test_a_destination_is_paused_resumed_and_its_breaker_forced(terminal: Terminal) -> None:
    assert terminal("destinations", "pause", "erp", "--reason", "stock-taking").code == 0
    assert terminal("destinations", "list", "--json").json["destinations"][0]["paused"] == "stock-taking"
    assert "erp is paused: stock-taking" in terminal("doctor").err
    assert terminal("destinations", "resume", "erp").code == 0
    assert terminal("destinations", "breaker", "erp", "open").code == 0
    assert terminal("destinations", "list", "--json").json["destinations"][0]["breaker"] == "forced open"
    assert terminal("destinations", "breaker", "erp", "auto").code == 0
    assert terminal("destinations", "list", "--json").json["destinations"][0]["breaker"] == "closed"
    told = terminal("destinations", "breaker", "erp", "open", "--kind", "refund").out
    assert told.strip() == "the breaker of erp for refund documents is forced open"
    assert terminal("destinations", "list", "--json").json["destinations"][0]["breaker"] == "forced open (refund)"
    assert "the breaker of erp is open" in terminal("doctor").err
    wrong = (("pause", "nobody"), ("resume", "nobody"), ("breaker", "nobody", "open"), ("breaker", "erp", "ajar"))
    for words in (*wrong, ("breaker", "erp", "open", "--kind", "letter")):
        assert terminal("destinations", *words).code == 2
    assert [act for _, act, _ in acts(terminal)] == [
        "destination.paused", "destination.resumed", "breaker.forced", "breaker.forced", "breaker.forced",
    ]  # fmt: skip


def test_a_token_is_shown_once_and_kept_hashed(terminal: Terminal) -> None:
    token = terminal("token", "create", "console", "--role", "support").out.strip()
    assert token.startswith("hub_")
    assert terminal("token", "create", "console", "--role", "viewer").code == 1
    assert terminal("token", "create", "other", "--role", "king").code == 2
    rows = terminal("token", "list", "--json").json["tokens"]
    assert [(r["name"], r["role"], r["revoked_at"]) for r in rows] == [("console", "support", None)]
    with sqlite3.connect(terminal.folder / "hub.db") as connection:
        dump = "\n".join(connection.iterdump())
    connection.close()
    assert token not in dump
    assert hashlib.sha256(token.encode()).hexdigest() in dump
    assert terminal("token", "revoke", "console").code == 0
    assert terminal("token", "revoke", "console").code == 1
    assert terminal("token", "list", "--json").json["tokens"][0]["revoked_at"]
    assert [act for _, act, _ in acts(terminal)] == ["token.created", "token.revoked"]


def test_a_fresh_key_is_one_that_hub_toml_takes(terminal: Terminal) -> None:
    key = terminal("token", "key").out.strip()
    text = terminal.config.read_text(encoding="utf-8")
    terminal.config.write_text(text.replace("[hub]\n", f'[hub]\nkey = "{key}"\n'), encoding="utf-8")
    assert terminal("check").code == 0
    terminal.config.write_text(text.replace("[hub]\n", '[hub]\nkey = "short"\n'), encoding="utf-8")
    assert terminal("check").code == 1


@pytest.mark.parametrize(
    "words",
    ["dlq show", "dlq discard --reason x", "dlq replay", "dlq pause", "deliveries show", "orders list --before"],
)
def test_a_number_that_no_id_has_is_refused_in_words(terminal: Terminal, words: str) -> None:
    said = terminal(*words.split(), 10**20)
    assert (said.code, "a number is larger than any id" in said.err) == (2, True)


def test_what_ails_the_store_is_told_in_one_line(terminal: Terminal) -> None:
    with sqlite3.connect(terminal.folder / "hub.db") as broken:
        broken.execute("drop table dead_letters")
    said = terminal("dlq", "list")
    assert (said.code, "Traceback" in said.err) == (1, False)
    assert "error: the store: " in said.err
    assert "no such table: dead_letters" in said.err
