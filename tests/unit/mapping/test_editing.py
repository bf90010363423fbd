"""Editing a mapping's text: the change that was meant, and nothing else."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.mapping.editing import Uneditable, add_word, difference, set_keys, set_row, written

TEXT = """\
# an order
kind = "order"

[order]
state = { path = "status", table = "state" }   # the platform's word
totals.paid = "sum"      # what came in
paid_at = { when = [
    { if = "paid", path = "paid_on" },     # as told
    { path = "other" },
] }

[[order.holds]]
if = "a"
code = { value = "test_order" }

[[order.holds]]
if = "b"
code = "word"

# what the platform calls it
[tables.state]
NEW = "open"         # just placed
"half done" = "open"

# how it was paid
[tables.payment]
YES = "paid"
"""
PLACES = [
    ("order", "state"), ("order", "totals", "paid"), ("order", "paid_at"), ("order", "holds", 1, "code"),
    ("order", "holds", 0, "code"), ("order", "lines", "sku"), ("order", "note"), ("order", "totals", "tax"),
]  # fmt: skip
MAPPINGS = sorted(Path(__file__).parents[3].glob("mappings/*/*/*.toml"))
words = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=0, max_size=12)


def test_a_word_goes_after_the_last_one_before_the_next_tables_comment() -> None:
    changed = add_word(TEXT, ("tables", "state"), "DONE", "completed", "kim, 2026-03-01: the site's docs")
    assert difference(TEXT, changed, "o.toml").splitlines()[3:] == [
        " [tables.state]",
        ' NEW = "open"         # just placed',
        ' "half done" = "open"',
        '+DONE = "completed"  # kim, 2026-03-01: the site\'s docs',
        " ",
        " # how it was paid",
        " [tables.payment]",
    ]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('tables.state.A = "open"  # x\n', 'tables.state.A = "open"  # x\ntables.state.B = "open"\n'),
        ('[tables]\nstate.A = "open"\n', '[tables]\nstate.A = "open"\nstate.B = "open"\n'),
        ('[tables]\nstate = { A = "open" }\n', '[tables]\nstate = { A = "open", B = "open" }\n'),
        ("[tables.state]\n", '[tables.state]\nB = "open"\n'),
        ('[tables.state]\nA = "open"', '[tables.state]\nA = "open"\nB = "open"\n'),
        ('kind = "order"\n', 'kind = "order"\n\n[tables.state]\nB = "open"\n'),
        ('[tables.state]\r\nA = "open"\r\n', '[tables.state]\r\nA = "open"\r\nB = "open"\r\n'),
    ],
)
def test_tables_may_be_written_in_any_way(before: str, after: str) -> None:
    assert add_word(before, ("tables", "state"), "B", "open") == after


def test_a_shared_table_is_the_whole_file() -> None:
    assert add_word('# carriers\nSF = "sf"\n', (), "YTO-2", "yto") == '# carriers\nSF = "sf"\nYTO-2 = "yto"\n'


def test_a_word_that_is_there_is_not_changed() -> None:
    with pytest.raises(Uneditable, match="there already") as told:
        add_word(TEXT, ("tables", "state"), "NEW", "completed")
    assert told.value.by_hand == '[tables.state]\nNEW = "completed"'


def test_keys_of_a_row_keep_its_others_as_written() -> None:
    changed = set_keys(TEXT, ("order", "state"), {"default": "open", "path": "status.word"}, "kim")
    line = 'state = { path = "status.word", table = "state", default = "open" }   # the platform\'s word'
    assert line in changed.splitlines()
    changed = set_keys(TEXT, ("order", "paid_at"), {"absent": ["0001-01-01"]}, "kim")
    assert '    { if = "paid", path = "paid_on" },     # as told\n' in changed
    assert set_keys("[order.state]\npath = 'a' # x\n", ("order", "state"), {"path": "b", "default": "c"}) == (
        '[order.state]\npath = "b" # x\ndefault = "c"\n'
    )


def test_a_row_that_is_not_there_is_no_row_to_change() -> None:
    with pytest.raises(Uneditable, match="no such row"):
        set_keys(TEXT, ("order", "lines", "sku"), {"default": ""})


@given(st.sampled_from(PLACES), words, words, st.booleans())
def test_a_row_set_is_the_only_thing_that_changes(at: tuple[str | int, ...], path: str, note: str, plain: bool) -> None:
    row = path if plain else {"path": path, "absent": [note, 0], "as": "text"}
    data = tomllib.loads(TEXT)
    changed = tomllib.loads(set_row(TEXT, at, row, note))
    here: Any = data
    there: Any = changed
    for key in at[:-1]:
        here = here.setdefault(key, {}) if isinstance(here, dict) else here[key]
        there = there[key]
    assert there.pop(at[-1]) == row
    here.pop(at[-1], None)
    assert changed == data


@given(st.sampled_from(MAPPINGS), words.filter(bool), words, words)
def test_a_word_added_to_any_shipped_mapping_is_all_that_changes(file: Path, word: str, value: str, note: str) -> None:
    text = file.read_text()
    data = tomllib.loads(text)
    for name, table in data.get("tables", {}).items():
        if word in table:
            continue
        changed = add_word(text, ("tables", name), word, value, note)
        table[word] = value
        assert tomllib.loads(changed) == data
        del table[word]
        added = [line for line in difference(text, changed, "x").splitlines()[2:] if line[0] in "+-"]
        assert len(added) == 1
        assert added[0].startswith("+")


@given(st.recursive(words | st.integers(-9, 10**9) | st.booleans(), lambda inner: st.lists(inner, max_size=3)))
def test_values_are_written_as_toml_reads_them(value: object) -> None:
    assert tomllib.loads(f"x = {written(value)}")["x"] == value
