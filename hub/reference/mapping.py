"""docs/reference/mapping.md: the grammar of mapping files, and what rows can do to a value."""

import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any

from hub.mapping import cases, functions, texts
from hub.mapping.functions import UNITS
from hub.mapping.grammar import OBJECT_KEYS, ROW_KEYS
from hub.mapping.lint import RULES
from hub.mapping.reading import TOP_KEYS
from hub.reference.markdown import code, escaped, table
from hub.reference.markdown import page as whole

CONVERSIONS: tuple[tuple[str, str, Callable[..., Any], Callable[..., Any] | None], ...] = (
    ("text", "", functions.to_text, None),
    ("int", "", functions.to_int, None),
    ("bool", "", functions.to_bool, None),
    ("decimal", "", functions.to_decimal, None),
    ("money", "unit", functions.to_money, functions.money_out),
    ("time", "zone, format", functions.to_time, functions.time_out),
    ("words", "separator", functions.to_words, None),
    ("lines", "", functions.to_lines, None),
    ("number", "", functions.number_out, functions.number_out),
    ("raw", "", functions.to_raw, None),
    ("phone", "", texts.to_phone, None),
    ("province", "", texts.to_province, None),
    ("city", "", texts.to_city, None),
    ("district", "", texts.to_district, None),
    ("street", "", texts.to_street, None),
    ("properties", "", texts.to_properties, None),
    ("sha256", "", texts.to_sha256, None),
)
"""Each word of `as`: the keys that go with it, its function from the wire, and its own to the wire where it differs."""

_INTRO = """\
A mapping is one TOML file: `mappings/channels/<code>/<name>.toml` turns a platform's record into a canonical
document, `mappings/destinations/<code>/<name>.toml` a canonical document into a destination's body. The values are
[JMESPath](https://jmespath.org/specification.html) expressions, complete and without additions; what JMESPath
cannot do is done by the row around it. All problems of all files are reported at once when they are loaded, with
file, line and key; nothing starts on a broken mapping. [write-a-mapping](../how-to/write-a-mapping.md) shows how to
make one.

What is *true* in a condition is JMESPath's: `false`, `null` and everything empty (`''`, `[]`, `{}`) are false, all
else is true, `0` too."""

_ROWS = """\
A row says where one field of the document comes from. `"expr"` is short for `{ path = "expr" }`; a constant is `{
value = ... }`. Dotted keys and nested tables make nested objects. Without `as`, a channel's row follows the type of
the canonical field; a destination's row passes the value on as it is."""

_OBJECTS = """\
A table without `path`, `value` or branches of rows is an object. One whose values are all null is null itself. With
`each` it is a list; `[[order.holds]]`, an array of tables, is a list made of parts that are joined in order, each
one object (with `if`) or several (with `each`).

`[[order.when]]` with `if` and `set` gives branches of a whole object: the first whose condition is true replaces
the rows that it names, one without `if` is the else."""

_WHERE_READ = """\
Expressions are read on the record; inside of a list, on the item. `from` says otherwise: `root` is the whole
record, `parent` the item one loop up, `document` the canonical document as made so far (such rows run last, in the
order of the file). A branch's `if` is not moved by the branch's own `from`: all conditions of a `when` are read where
the row with the `when` is."""

_ORDER = """\
`value = path * times / divide + plus - minus`; null operands of `plus` and `minus` count as 0, a null `path` gives
null. With `each`, the row is computed for every item and summed, or gathered with `collect = true`. A value is
read, compared with `absent`, looked up in its `table`, converted by `as`, and replaced by `default` only where it
is null."""

_UNITS = """\
Units of money are the digits by which they are smaller than the currency's main unit; `minor` is the currency's own
(100 JPY are 100 yen, 100 CNY are 100 fen)."""

_OVERLAY = """\
`extends = "CODE/order"` lays a file on another: tables are merged row by row, rows and lists are replaced. A shop
uses it by `mapping = "NAME"` in `hub.toml`, where NAME is a file beside the one that it extends."""

_DESTINATIONS = """\
A destination's mapping must read every field of the canonical document, or name it in `drops`: what it neither
carries nor drops is a problem at load. For `totals`, `receiver`, `buyer` and `lines` that holds for each field
inside, unless the whole is read or dropped. Nulls are left out of the body."""


def page() -> str:
    """The page's text."""
    tops = ((code(key), _kinds(given), escaped(meaning)) for key, (given, meaning) in TOP_KEYS.items())
    rows = ((code(key), _kinds(given), escaped(meaning)) for key, (given, meaning) in ROW_KEYS.items())
    objects = ((code(key), escaped(meaning)) for key, meaning in OBJECT_KEYS.items())
    units = ((code(unit), "the currency's" if digits < 0 else str(digits)) for unit, digits in UNITS.items())
    return whole(
        "Mappings",
        _INTRO,
        "## Top level",
        table(("key", "is", "meaning"), tops),
        "The document itself is the section named like its kind, `[order]`; in a destination's file it is `[body]`.",
        "## Rows",
        _ROWS,
        table(("key", "is", "meaning"), rows),
        _WHERE_READ,
        _ORDER,
        "## Objects and lists",
        _OBJECTS,
        table(("key", "meaning"), objects),
        "## Conversions",
        "The words of `as`. Each example shows values from the wire and what they become.",
        *_conversions(),
        "### Numbers in Chinese",
        "With `chinese = true` the conversions to numbers (int, decimal, money, number) take them first as Chinese text"
        " writes them.",
        _examples(texts.from_chinese),
        "### Units of money",
        _UNITS,
        table(("unit", "digits"), units),
        "## Tables",
        _first_sentences(functions.as_word) + " " + _TABLES,
        _examples(functions.as_word),
        "## Overlays",
        _OVERLAY,
        "## Destinations",
        _DESTINATIONS,
        "## Cases",
        *_cases(),
        "## What `hub mapping check` finds",
        _CHECKED,
        table(("code", "severity", "meaning", "what to do"), _rules()),
    )


_TABLES = """\
`[tables.NAME]` holds `word = "canonical word"`; a table that several mappings share is a file of its own,
`mappings/tables/NAME.toml`. A word that is in no row is the problem `mapping.unknown_word`; there is no row for
"all others"."""


_CHECKED = """\
Beside what does not load. A finding that is right as it is gets silenced in the file, with its reason:
`[[allow]]` with `code`, `why`, and `key` where it is about one place only."""


def _rules() -> Iterator[tuple[str, ...]]:
    for name, (severity, meaning, hint) in RULES.items():
        yield code(name), severity, escaped(meaning), escaped(hint)


def _conversions() -> Iterator[str]:
    for word, keys, inward, outward in CONVERSIONS:
        yield f"### `{word}`"
        along = f" Goes with {', '.join(code(k) for k in keys.split(', '))}." if keys else ""
        if outward is inward:
            yield f"{_first_sentences(inward)} In destinations only."
            yield _examples(inward)
            continue
        yield _first_sentences(inward) + along
        yield _examples(inward)
        if outward is not None:
            yield _first_sentences(outward)
            yield _examples(outward)


def _cases() -> Iterator[str]:
    yield (
        "Cases lie beside the mappings, in `cases/<name>.json`, and `hub mapping test` runs them. "
        "A case holds a record, and what must become of it:"
    )
    text = inspect.getdoc(cases) or ""
    for block in text.split("\n\n")[1:3]:
        if block.startswith("    "):
            yield f"```text\n{inspect.cleandoc(block)}\n```"
        else:
            yield escaped(" ".join(block.split()))


def _kinds(given: Any) -> str:
    words = {str: "text", bool: "true or false", list: "list", object: "anything", dict: "table"}
    types = given if isinstance(given, tuple) else (given,)
    return " or ".join(words.get(t, "table") for t in types)


def _first_sentences(function: Callable[..., Any]) -> str:
    """The docstring up to its first example."""
    text = (inspect.getdoc(function) or "").partition(">>>")[0]
    return escaped(" ".join(text.split()))


def _examples(function: Callable[..., Any]) -> str:
    """The docstring's examples, as they are tested."""
    lines = (inspect.getdoc(function) or "").splitlines()
    start = next((i for i, line in enumerate(lines) if line.startswith(">>>")), len(lines))
    shown = [re.sub(r"^>>> ", "", line) if line.startswith(">>>") else f"# {line}" for line in lines[start:]]
    return "```python\n" + "\n".join(shown) + "\n```" if shown else ""
