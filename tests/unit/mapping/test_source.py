"""Where each key of a TOML file is written."""

import tomllib

import pytest

from hub.mapping.source import Table, Unreadable, merge, parse, read

TEXT = '''\
# a comment = "not a key"
kind = "order"   # tail
"quoted key" = 1
note = """
[not.a.table]
x = 1
"""
literal = \'\'\'
y = 2 \'\'\'

[order]
a.b.c = { path = "x", absent = [
    "",
    "]",
    { deep = 1 },
] }
list = [
    { if = "a # b", path = "p" },
    { path = "q" },
]

[order.lines]
each = 'items[?a == "}"]'

[[order.holds]]
code = "one"

[[order.holds]]
code = "two"
  [order.holds.inner]
  z = 3
  [[order.holds.parts]]
  k = 1

[tables.state]
A = "open"
'''


def lines(table: Table) -> dict[str, int]:
    found = {}
    for key, value in table.items():
        found[table.at(key).key] = table.at(key).line
        for inner in value if isinstance(value, list) else [value]:
            if isinstance(inner, Table):
                found[inner.place.key] = inner.place.line
                found |= lines(inner)
    return found


def test_every_key_knows_its_line():
    found = lines(parse(TEXT, "o.toml"))
    assert {key: found[key] for key in ("kind", "quoted key", "note", "literal", "order", "order.a.b.c")} == {
        "kind": 2, "quoted key": 3, "note": 4, "literal": 8, "order": 11, "order.a.b.c": 12,
    }  # fmt: skip
    assert found["order.a.b.c.absent"] == 12
    assert found["order.a.b.c.absent[2].deep"] == 15
    assert (found["order.list[0]"], found["order.list[1].path"]) == (18, 19)
    assert (found["order.lines"], found["order.lines.each"]) == (22, 23)
    assert (found["order.holds[0].code"], found["order.holds[1].code"]) == (26, 29)
    assert (found["order.holds[1].inner.z"], found["order.holds[1].parts[0].k"]) == (31, 33)
    assert found["tables.state.A"] == 36


def test_the_data_is_what_toml_says():
    assert parse(TEXT, "o.toml") == tomllib.loads(TEXT)


def test_windows_line_ends_do_not_matter():
    assert lines(parse(TEXT.replace("\n", "\r\n"), "o.toml"))["tables.state.A"] == 36


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('a = 1\nb = "x', r"o.toml:2:\d+: not valid TOML"),
        ("a = 1\na = 2\n", "o.toml:2:6: not valid TOML"),
        ("[a\n", r"o.toml:1:\d+: not valid TOML"),
        ("a = " + "[" * 3000, r"o.toml:1:\d+: not valid TOML"),
    ],
)
def test_what_is_not_toml_is_told_with_its_line(text, told):
    with pytest.raises(Unreadable, match=told):
        parse(text, "o.toml")


def test_a_file_that_is_not_text_is_told(tmp_path):
    (tmp_path / "o.toml").write_bytes(b"a = '\xff'")
    with pytest.raises(Unreadable, match=r"o\.toml:1: cannot be read"):
        read(tmp_path / "o.toml", "o.toml")
    with pytest.raises(Unreadable, match="cannot be read"):
        read(tmp_path / "none.toml", "none.toml")


def test_merging_keeps_the_place_of_the_winner():
    base = parse('a = 1\n[t]\nx = "1"\ny = "2"\n', "base.toml")
    over = parse('\n\n[t]\ny = "3"\nz = "4"\n', "over.toml")
    merged = merge(base, over, lambda value: not isinstance(value, dict))
    assert merged == {"a": 1, "t": {"x": "1", "y": "3", "z": "4"}}
    assert [(merged["t"].at(k).file, merged["t"].at(k).line) for k in "xyz"] == [
        ("base.toml", 3), ("over.toml", 4), ("over.toml", 5),
    ]  # fmt: skip
    assert base["t"] == {"x": "1", "y": "2"}
