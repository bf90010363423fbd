"""`hub map`: what platforms answer and push, read without a store; whatever it is given, it never breaks."""

import json
from pathlib import Path
from typing import Any

import pytest

import adapters
from hub.adapting import mappings_folder
from tests.unit.cli.terminal import Terminal

FIXTURES = Path(__file__).parents[2] / "fixtures" / "channels"
CHANNELS = adapters.codes("channels")
PAGES = {code: json.loads((FIXTURES / code / "pages.json").read_text(encoding="utf-8")) for code in CHANNELS}
TRADE = next(page["body"] for page in PAGES["taobao"] if page["name"] == "a bare trade")
THIN = next(page["body"] for page in PAGES["taobao"] if page["name"] == "a message")
NONSENSE = {
    "nothing": b"",
    "blanks": b" \r\n\t",
    "words": b"orders are fine today",
    "half": b'{"trades": [',
    "broken UTF-8": b'{"tid": "\xff\xfe"}',
    "a byte order mark": b"\xef\xbb\xbf{}",
    "NaN": b'{"tid": NaN}',
    "a key twice": b'{"tid": "1", "tid": "2"}',
    "deep": b"[" * 100_000,
    "binary": bytes(range(256)),
    "HTML": b"<!doctype html><html><body>Bad Gateway</body></html>",
    "half a page of XML": b"<trades_sold_get_response><total_results>1</total",
    "an XML bomb": b'<!DOCTYPE x [<!ENTITY a "lol"><!ENTITY b "&a;&a;">]><error_response>&b;</error_response>',
    "a number": b"17",
    "a text": b'"hello"',
    "null": b"null",
    "an object of nothing": b"{}",
    "numbers in a list": b"[1, 2, 3]",
}


def wrong(code: str) -> dict[str, Any]:
    """A record whose every value is of a wrong type."""
    cases = sorted((mappings_folder() / "channels" / code / "cases").glob("order*.json"))
    case = json.loads(cases[0].read_text("utf-8"))
    record = (case[0] if isinstance(case, list) else case)["given"]
    return {name: "many" if isinstance(value, dict | list) else {"is": "none"} for name, value in record.items()}


def raw(body: Any) -> bytes:
    return body.encode() if isinstance(body, str) else json.dumps(body, ensure_ascii=False).encode()


def of_each_sort(code: str) -> list[dict[str, Any]]:
    """The first page of a channel with many records, with one, with none, in XML, and of each error."""
    sorts: dict[Any, dict[str, Any]] = {}
    for page in PAGES[code]:
        sorts.setdefault((len(page.get("records", [])), page.get("raises"), isinstance(page["body"], str)), page)
    return list(sorts.values())


SOME = [(code, page) for code in CHANNELS for page in of_each_sort(code)]


@pytest.mark.parametrize(("code", "page"), SOME, ids=[f"{c} {p['name']}" for c, p in SOME])
def test_everything_a_platform_answers_is_read(code: str, page: dict[str, Any], bare: Terminal) -> None:
    words = [f"{code}/{page['kind']}" if page.get("kind") else code, "answer", "--json"]
    (bare.folder / "answer").write_bytes(raw(page["body"]))
    said = bare("map", *words)
    told = said.json
    assert told.keys() >= {"documents", "problems", "hints"}
    assert told.keys() <= {"documents", "problems", "hints", "ignored"}
    if "raises" in page:
        assert (said.code, told["documents"], told["hints"]) == (1, [], [])
        assert [p["found"] for p in told["problems"]] == [told["problems"][0]["found"]] != [""]
        assert said.err.startswith("error: ")
        return
    assert said.code == (1 if told["problems"] else 0)
    made = {(d["schema"].partition("/")[0], d.get("refund_no") or d["order_no"]) for d in told["documents"]}
    rest = {(r["kind"], r["key"]) for part in ("problems", "hints", "ignored") for r in told.get(part, [])}
    assert made | rest == {(r["kind"], r["key"]) for r in page["records"]}


@pytest.mark.parametrize("what", NONSENSE)
def test_nonsense_gets_a_message_and_no_traceback(what: str, bare: Terminal) -> None:
    said = bare("map", "taobao", "-", "--json", given=NONSENSE[what])
    assert (said.code, said.json["documents"], said.json["hints"]) == (1, [], [])
    assert [p["code"] for p in said.json["problems"]] == ["wire.not_understood"]
    assert said.json["problems"][0]["hint"]
    assert said.err.startswith("error: ")


@pytest.mark.parametrize("code", CHANNELS)
def test_a_record_of_wrong_types_is_told_field_by_field(code: str, bare: Terminal) -> None:
    said = bare("map", code, "-", "--json", given=raw(wrong(code)))
    assert (said.code, said.json["documents"]) == (1, [])
    assert said.json["problems"]
    assert all(p.get("hint") for p in said.json["problems"])


def test_one_bad_record_of_a_page_does_not_hide_the_others(bare: Terminal) -> None:
    bad = TRADE | {"tid": "3300000000000000666", "status": "WAIT_CUSTOMS"}
    said = bare("map", "taobao", "-", "--json", given=raw([TRADE, bad]))
    assert said.code == 1
    assert [d["order_no"] for d in said.json["documents"]] == [TRADE["tid"]]
    assert [(p["key"], p["code"]) for p in said.json["problems"]] == [("3300000000000000666", "mapping.unknown_word")]
    assert "WAIT_CUSTOMS" in said.json["problems"][0]["found"]


def test_a_thin_event_is_a_hint(bare: Terminal) -> None:
    said = bare("map", "taobao", "-", "--json", given=raw(THIN))
    assert (said.code, said.json["documents"], said.json["problems"]) == (0, [], [])
    assert said.json["hints"] == [{"kind": "order", "key": "3300000000000000010"}]
    assert "a thin event" in bare("map", "taobao", "-", given=raw(THIN)).out


def test_people_get_a_table(bare: Terminal) -> None:
    said = bare("map", "taobao", "-", given=raw([TRADE, TRADE | {"tid": "9", "status": "WAIT_CUSTOMS"}]))
    assert f"order {TRADE['tid']}" in said.out
    assert "1 document(s), 1 problem(s)" in said.out
    assert "WAIT_CUSTOMS" in said.err
    assert "try: " in said.err


@pytest.mark.parametrize("words", [("absent.json",), (".",)], ids=["no such file", "a folder"])
def test_a_file_that_cannot_be_read_is_wrong_usage(words: tuple[str, ...], bare: Terminal) -> None:
    said = bare("map", "taobao", *words)
    assert said.code == 2
    assert said.err.startswith(f"error: {words[0]}: ")


def test_unknown_channels_and_kinds_name_what_there_is(bare: Terminal) -> None:
    near, far, kind = (bare("map", name, "-", given=b"{}") for name in ("taobo", "zz", "taobao/stock"))
    assert {near.code, far.code, kind.code} == {2}
    assert "taobao" in near.err
    assert ", ".join(adapters.codes("channels")) in far.err
    assert "taobao/order, taobao/refund" in kind.err


def test_a_shop_of_hub_toml_lends_its_settings_and_overlay(terminal: Terminal) -> None:
    body = raw({"order_no": "W1", "status": "paid"})
    said = terminal("map", "generic", "-", "--shop", "site", "--json", given=body)
    assert [p["key"] for p in said.json["problems"]] == ["W1"] * len(said.json["problems"])
    assert said.code == 1
    wrong = terminal("map", "generic", "-", "--shop", "nobody", given=body)
    assert wrong.code == 3
    assert "there are: site" in wrong.err
