"""Looking at what the hub did: trace, orders, deliveries, destinations, doctor. Nothing here changes the store."""

import re
from typing import Any

import pytest

from tests.unit.cli.terminal import Terminal

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def listed(terminal: Terminal, *words: object, of: str) -> list[Any]:
    said = terminal(*words, "--json")
    assert said.code == 0
    found: list[Any] = said.json[of]
    return found


def test_trace_tells_the_whole_story_in_order(terminal: Terminal) -> None:
    said = terminal("trace", "W1")
    assert said.code == 0
    lines = said.out.split("\n\n")[0].splitlines()
    times = [TIME.match(line) for line in lines]
    assert all(times)
    assert [t[0] for t in times if t] == sorted(t[0] for t in times if t)
    for told in ("by push from shop site", "ignored: duplicate (message 1 has it)", "translated by generic/order@",
                 "version 2 queued", "attempt 1 delivered (200)"):  # fmt: skip
        assert told in said.out
    assert "state open  payment paid" in said.out


def test_trace_shows_what_waits_behind_what_and_where_it_died(terminal: Terminal) -> None:
    said = terminal("trace", "W7")
    assert said.code == 1
    assert "attempt 1 refused (422)" in said.out
    assert re.search(r"erp: order W7 v2 held, behind delivery \d+", said.out)
    assert re.search(r"dead letter \d+ open: hub dlq show \d+", said.out)
    assert "wms: order W7 v2 delivered" in said.out


def test_trace_for_machines_masks_people_unless_asked(terminal: Terminal) -> None:
    said, clear = terminal("trace", "W7", "--json"), terminal("trace", "W7", "--json", "--personal")
    assert said.code == clear.code == 0
    assert "Rosa Lind" not in said.out
    assert "Rosa Lind" in clear.out
    story = said.json
    assert story.keys() >= {"messages", "documents", "deliveries", "dead_letters"}
    stamps = [m["received_at"] for m in story["messages"]] + [
        a["at"] for d in story["deliveries"] for a in d["attempted"]
    ]
    assert all(TIME.fullmatch(stamp) for stamp in stamps)


def test_an_order_that_was_never_seen_is_exit_1_with_a_next_step(terminal: Terminal) -> None:
    for words in (("trace", "W404"), ("trace", "W404", "--json"), ("orders", "show", "W404")):
        said = terminal(*words)
        assert (said.code, said.out) == (1, "")
        assert "W404" in said.err
        assert "try: hub " in said.err


@pytest.mark.parametrize("noun", ["orders", "deliveries", "dlq"])
def test_paging_by_key_gives_every_row_once(terminal: Terminal, noun: str) -> None:
    of = {"orders": "orders", "deliveries": "deliveries", "dlq": "letters"}[noun]
    whole = [row["id"] for row in listed(terminal, noun, "list", of=of)]
    assert whole == sorted(whole, reverse=True)
    seen: list[int] = []
    before: list[object] = []
    for _ in range(len(whole) + 1):
        page = terminal(noun, "list", "--limit", 3, "--json", *before).json
        seen += [row["id"] for row in page[of]]
        if page["before"] is None:
            break
        assert f"--before {page['before']}" in terminal(noun, "list", "--limit", 3, *before).out
        before = ["--before", page["before"]]
    assert seen == whole


def test_orders_are_filtered(terminal: Terminal) -> None:
    assert {o["number"] for o in listed(terminal, "orders", "list", of="orders")} == {f"W{n}" for n in range(1, 8)}
    assert listed(terminal, "orders", "list", "--state", "cancelled", of="orders") == []
    assert listed(terminal, "orders", "list", "--shop", "nobody", of="orders") == []
    assert listed(terminal, "orders", "list", "--kind", "refund", of="orders") == []
    assert terminal("orders", "list", "--kind", "refund").out.strip() == "no documents yet"


def test_an_order_is_shown_as_canonical_json_and_masked(terminal: Terminal) -> None:
    (shown,) = terminal("orders", "show", "W1").json
    assert (shown["schema"], shown["order_no"], shown["totals"]["payable"]) == ("order/1", "W1", "20.00")
    assert shown["receiver"]["street"] == "***"
    (clear,) = terminal("orders", "show", "W1", "--personal").json
    assert clear["receiver"]["street"] == "平江路 9 号"


def test_deliveries_are_filtered_and_shown_with_their_attempts(terminal: Terminal) -> None:
    (dead,) = listed(terminal, "deliveries", "list", "--state", "dead", of="deliveries")
    assert (dead["destination"], dead["subject"], dead["attempts"]) == ("erp", "W7", 1)
    (held,) = listed(terminal, "deliveries", "list", "-d", "erp", "--state", "held", of="deliveries")
    assert held["subject"] == "W7"
    assert {d["subject"] for d in listed(terminal, "deliveries", "list", "--order", "W2", of="deliveries")} == {"W2"}
    shown = terminal("deliveries", "show", dead["id"])
    assert [a["status"] for a in shown.json["attempted"]] == [422]
    assert "Rosa Lind" not in shown.out
    assert "Rosa Lind" in terminal("deliveries", "show", dead["id"], "--personal").out
    missing = terminal("deliveries", "show", 4711)
    assert (missing.code, "4711" in missing.err) == (1, True)


def test_destinations_tell_their_health(terminal: Terminal) -> None:
    erp, wms = listed(terminal, "destinations", "list", of="destinations")
    assert (erp["name"], erp["breaker"], erp["counts"]["dead"], erp["counts"]["held"]) == ("erp", "closed", 1, 1)
    assert TIME.fullmatch(erp["oldest_waiting"])
    assert (wms["name"], wms["oldest_waiting"]) == ("wms", None)
    assert "erp" in terminal("destinations", "list").out


def test_doctor_finds_what_needs_a_person_and_says_what_to_do(terminal: Terminal) -> None:
    said = terminal("doctor", "--json")
    assert said.code == 1
    assert said.json["ok"] is False
    assert all(f["what"] and f["do"].startswith("hub ") for f in said.json["findings"])
    assert any("teleported" in f["what"] for f in said.json["findings"])
    plain = terminal("doctor")
    assert plain.code == 1
    assert "do: hub dlq show" in plain.err


def test_letters_are_grouped_by_cause_the_most_frequent_first(terminal: Terminal) -> None:
    groups = listed(terminal, "dlq", "groups", of="groups")
    assert (groups[0]["cause"], groups[0]["count"]) == ("mapping.unknown_word", 2)
    assert {g["cause"] for g in groups} == {"mapping.unknown_word", "delivery.refused", "check.totals"}
    assert all(g["hint"] for g in groups)
    said = terminal("dlq", "groups")
    for group in groups:
        assert group["fingerprint"] in said.out
    assert "[tables.state]" in said.out, "square brackets are text, not markup"
    assert listed(terminal, "dlq", "list", "--group", groups[0]["fingerprint"], of="letters")[0]["subject"] == "W9"
    assert terminal("dlq", "groups", "--state", "ignored").out.strip() == "none"


def test_letters_are_filtered(terminal: Terminal) -> None:
    assert {r["subject"] for r in listed(terminal, "dlq", "list", "--cause", "check.totals", of="letters")} == {"W10"}
    assert {r["subject"] for r in listed(terminal, "dlq", "list", "-d", "erp", of="letters")} == {"W7"}
    assert {r["subject"] for r in listed(terminal, "dlq", "list", "--order", "W8", of="letters")} == {"W8"}
    assert listed(terminal, "dlq", "list", "--owner", "sun", of="letters") == []
    assert listed(terminal, "dlq", "list", "--state", "resolved", of="letters") == []
    assert len(listed(terminal, "dlq", "list", "--state", "all", of="letters")) == 4


def test_a_letter_explains_itself(terminal: Terminal) -> None:
    letters = {r["subject"]: r["id"] for r in listed(terminal, "dlq", "list", of="letters")}
    said = terminal("dlq", "show", letters["W8"])
    assert said.code == 0
    for told in ('found "teleported"', "expected a word of table state", "path: status", "do: Add the word",
                 "mappings/channels/generic/order.toml", f"hub dlq replay {letters['W8']}"):  # fmt: skip
        assert told in said.out
    refused = terminal("dlq", "show", letters["W7"], "--json").json
    assert refused["attempted"][0]["status"] == 422
    assert "unknown SKU" in str(refused["evidence"])
    assert refused["document"]["receiver"]["name"] == "***"
    assert "raw" not in refused
    assert "Rosa Lind" in terminal("dlq", "show", letters["W8"], "--personal").out
    missing = terminal("dlq", "show", 4711)
    assert (missing.code, "4711" in missing.err) == (1, True)
