"""`hub mapping drift`: shown, filtered, closed; bad input is told."""

from hub.store import audit, drift
from hub.store.drift import Found
from hub.wiring import build
from tests.unit.cli.terminal import Terminal

AT = 1_790_000_000.0


def found(terminal: Terminal) -> None:
    """A day on which the platform sent something new."""
    store = build(terminal.config).store
    news = [
        Found("site", "order", "generic", "new_field", "wrapping", "", '"red"', 3, AT, AT, 4),
        Found("site", "order", "generic", "new_word", "status", "teleported", '"teleported"', 8, AT, AT, 2),
    ]
    with store.begin() as connection:
        drift.add(connection, news, 10)
    store.close()


def test_without_findings_all_is_well(terminal: Terminal) -> None:
    said = terminal("mapping", "drift")
    assert said.code == 0
    assert "nothing that the mappings don't know" in said.out
    assert "none yet" in said.out
    assert terminal("mapping", "drift", "--json").json == {"findings": [], "profiles": []}


def test_findings_are_shown_with_the_rules_that_read_them(terminal: Terminal) -> None:
    found(terminal)
    said = terminal("mapping", "drift", "--shop", "site", "--channel", "generic")
    assert said.code == 1
    field, word = (next(line for line in said.out.splitlines() if key in line) for key in ("wrapping", "teleported"))
    assert "new field" in field
    assert "no rule" in field
    assert "order.state" in word
    rows = terminal("mapping", "drift", "--json").json["findings"]
    assert {(row["what"], row["count"], tuple(row["rules"])) for row in rows if row["what"] == "new_field"} == {
        ("new_field", 4, ())
    }


def test_a_person_closes_findings_and_the_audit_log_has_it(terminal: Terminal) -> None:
    found(terminal)
    assert terminal("mapping", "drift", "--close", "1,2").out == "2 closed\n"
    assert terminal("mapping", "drift", "--close", "2").out == "0 closed, 1 were closed already\n"
    assert terminal("mapping", "drift").code == 0
    said = terminal("mapping", "drift", "--all", "--json")
    assert said.code == 0
    assert {row["closed_by"] for row in said.json["findings"]} == {"lin"}
    store = build(terminal.config).store
    with store.look() as connection:
        acts = [(row["actor"], row["act"], row["subject"]) for row in audit.entries(connection)]
    store.close()
    assert ("lin", "drift.closed", "finding 1") in acts


def test_what_is_not_there_is_told(terminal: Terminal) -> None:
    said = terminal("mapping", "drift", "--shop", "sitte")
    assert (said.code, "did you mean site?" in said.err) == (2, True)
    said = terminal("mapping", "drift", "--close", "first")
    assert (said.code, "numbers of findings, not first" in said.err) == (2, True)
    said = terminal("mapping", "drift", "--close", "77")
    assert (said.code, "there is no finding 77" in said.err) == (1, True)
