"""docs/reference/channels/<code>.md: one channel, its settings, its records and what they become, its errors."""

import inspect
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import adapters
from adapters.port import Capability
from canonical.errors import HubError
from hub.mapping.cases import run_cases
from hub.mapping.catalog import Catalog
from hub.mapping.expression import Expression
from hub.mapping.rows import Listing, MappingFile, Object, Row, Switch, Value
from hub.reference.errors import again
from hub.reference.markdown import code, escaped, prose, table
from hub.reference.markdown import page as whole
from hub.reference.settings import settings_table

_MAPPINGS = """\
The mappings that come with the hub. A shop changes single rows of them with a mapping of its own (`extends`), see
[mapping.md](../mapping.md). How to read the tables: an expression is read on the record, inside of a list on its
item."""


def shipped(root: Path) -> Catalog:
    """The mappings that lie in the source folder. Raises ConfigError if one has problems."""
    catalog = Catalog(root / "mappings")
    catalog.load()
    return catalog


def by_settings(catalog: Catalog) -> list[str]:
    """Platforms that have mappings but no adapter: the channel `generic` speaks to them."""
    folders = {name.split("/")[1] for name in catalog.names() if name.startswith("channels/")}
    return sorted(folders - set(adapters.codes("channels")))


def page_by_settings(name: str, catalog: Catalog) -> str:
    """The page of a platform without an adapter."""
    setting = code(f'mapping = "{name}"')
    how = (
        f"No adapter: the channel [{code('generic')}](generic.md) speaks to this platform by settings, with {setting}. "
        "[use-a-platform-by-settings](../../how-to/use-a-platform-by-settings.md) shows them."
    )
    return whole(code(name), how, *_mappings(name, catalog))


def page(name: str, catalog: Catalog) -> str:
    """The page's text."""
    adapter = adapters.load("channels", name)
    module = sys.modules[adapter.__module__]
    setting = code(f'channel = "{name}"')
    parts = [
        prose(inspect.getdoc(module) or ""),
        "## What it can do",
        table(("", ""), ((c.value, "yes" if c in adapter.capabilities else "–") for c in Capability)),
        "## Settings",
        f"Keys of `[shops.NAME]` with {setting}, beside [those of every shop](../configuration.md).",
        settings_table(adapter.Settings),
        *_mappings(name, catalog),
        *_errors(module),
    ]
    return whole(f"{adapter.title} (`{name}`)", *parts)


def _mappings(name: str, catalog: Catalog) -> Iterator[str]:
    files = [catalog.mapping(n) for n in catalog.names() if n.startswith(f"channels/{name}/")]
    if not files:
        return
    yield "## Records and what they become"
    yield _MAPPINGS
    examples = _examples(name, catalog)
    for mapping in files:
        yield f"### {code(mapping.name)}: {mapping.kind}"
        yield _about(mapping)
        if example := examples.pop(mapping.kind, None):
            told = f"A record, as in the case {example[0]}"
            yield f"<details>\n<summary>{told}</summary>\n\n```json\n{example[1]}\n```\n\n</details>"
        yield table(("field", "from", "how"), rows(mapping.body))
        if mapping.ignore:
            yield "Records that are no documents:"
            yield table(("if", "why"), ((code(c.text), escaped(why)) for c, why in mapping.ignore))
        yield from _tables(mapping)


def _about(mapping: MappingFile) -> str:
    lines = []
    if mapping.extends:
        lines.append(f"Changes rows of {code(mapping.extends)}.")
    if mapping.accepts is not None:
        lines.append(f"For records where {code(mapping.accepts.text)} is true.")
    if mapping.key is not None:
        lines.append(f"The record's number is {code(mapping.key.text)}.")
    return " ".join(lines)


def _examples(name: str, catalog: Catalog) -> dict[str, tuple[str, str]]:
    """One record a kind: the shortest of the cases that come out without problems and without being ignored."""
    found: dict[str, tuple[str, str]] = {}
    for result in run_cases(catalog, name):
        file = catalog.folder.parent / result.file
        case = json.loads(file.read_text(encoding="utf-8"))
        if isinstance(case, list) or case.get("problems") or case.get("ignored") or not result.passed:
            continue
        kind, text = result.mapping.partition("/")[2], json.dumps(case["given"], ensure_ascii=False, indent=2)
        if file.parent.parts[-3] == "channels" and (kind not in found or len(text) > len(found[kind][1])):
            found[kind] = (result.case, text)
    return found


def rows(row: Row, label: str = "") -> Iterator[tuple[str, str, str]]:
    """Every field that a mapping writes: its name, where it comes from, what is done to it."""
    if isinstance(row, Object):
        yield from _object(row, label)
    elif isinstance(row, Listing):
        for part in row.parts:
            each = f"each of {code(part.each.text)}" if part.each else "one"
            kept = f" where {code(part.where.text)}" if part.where else ""
            yield code(f"{label}[]"), each + kept, _when(part.condition) if part.condition else ""
            yield from rows(part.object, f"{label}[]")
    elif isinstance(row, Switch):
        yield code(label), "<br>".join(_branch(c, inner) for c, inner in row.branches), _default(row.default)
    else:
        yield code(label), _source(row), _how(row)


def _object(row: Object, label: str) -> Iterator[tuple[str, str, str]]:
    usual = [found for name, inner in row.rows for found in rows(inner, f"{label}.{name}".lstrip("."))]
    yield from usual
    for condition, whole_object in row.variants:
        for name, inner in whole_object:
            for field, source, how in rows(inner, f"{label}.{name}".lstrip(".")):
                if (field, source, how) not in usual:
                    yield field, source, f"{_when(condition)}{', ' if how else ''}{how}"


def _branch(condition: Expression | None, row: Value | Switch) -> str:
    inner = _source(row) if isinstance(row, Value) else " / ".join(_branch(c, r) for c, r in row.branches)
    how = _how(row) if isinstance(row, Value) else ""
    return f"{_when(condition)}: {inner}{f' ({how})' if how else ''}"


def _when(condition: Expression | None) -> str:
    return "else" if condition is None else f"if {code(condition.text)}"


def _source(row: Value) -> str:
    if row.path is None:
        return "constant " + code(json.dumps(row.constant, ensure_ascii=False, default=str))
    text = code(row.path.text)
    if row.times is not None:
        text += f" × {code(row.times.text)}"
    if row.divide is not None:
        text += f" ÷ {code(row.divide.text)}"
    text += "".join(f" + {code(e.text)}" for e in row.plus) + "".join(f" - {code(e.text)}" for e in row.minus)
    if row.each is not None:
        kept = f" where {code(row.where.text)}" if row.where else ""
        text = f"{'gathered' if row.collect else 'sum'} over {code(row.each.text)}{kept} of {text}"
    return text + (f" of the {row.source}" if row.source != "item" else "")


def _how(row: Value) -> str:
    notes = []
    if row.table is not None:
        notes.append(f"table {code(row.table_name)}")
    if row.path is not None and row.as_ not in ("text", "raw", "list"):
        notes.append(row.as_ + (f" in {row.unit}" if row.as_ == "money" and row.unit not in ("major", "yuan") else ""))
    if row.absent:
        notes.append("not set: " + " ".join(code(json.dumps(v, ensure_ascii=False)) for v in row.absent))
    if row.distinct:
        notes.append("made distinct")
    return ", ".join([*notes, *([_default(row.default)] if row.default is not None else [])])


def _default(value: Any) -> str:
    return "" if value is None else f"default {code(json.dumps(value, ensure_ascii=False, default=str))}"


def _tables(mapping: MappingFile) -> Iterator[str]:
    for name, words in mapping.raw.get("tables", {}).items():
        yield f"Table `{name}`:"
        yield table(
            ("word", "becomes"),
            ((code(word), code(json.dumps(value, ensure_ascii=False))) for word, value in words.items()),
        )


def _errors(module: Any) -> Iterator[str]:
    tables = {name: value for name, value in vars(module).items() if _is_answers(value)}
    if not tables:
        return
    yield "## Answers of the platform"
    yield (
        "What the platform's error codes, or their beginnings, mean to the hub; the classes are told in "
        "[errors.md](../errors.md)."
    )
    told = sorted({(str(word), error) for answers in tables.values() for word, error in answers.items()}, key=_by_class)
    grouped: dict[type[HubError], list[str]] = {}
    for word, error in told:
        grouped.setdefault(error, []).append(word)
    yield table(
        ("code", "class", "again?"),
        ((" ".join(code(w) for w in words), code(error.__name__), again(error)) for error, words in grouped.items()),
    )


def _by_class(item: tuple[str, type[HubError]]) -> tuple[str, int, str]:
    word, error = item
    return error.__name__, int(word) if word.isdecimal() else 0, word


def _is_answers(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and bool(value)
        and all(isinstance(v, type) and issubclass(v, HubError) for v in value.values())
    )
