"""What could mend a problem of a mapping: a word for a table, a path that moved, a value that means "not set", a
default, a guard. Each remedy is an edit of one row; whether it helps is tried on the records, never assumed."""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from canonical.problem import Problem
from hub.mapping import editing, expression
from hub.mapping.drafting import looks as look
from hub.mapping.drafting.samples import Leaf, leaves_of
from hub.mapping.drafting.vocabulary import names_of, plain_name, speaks_of_refund
from hub.mapping.drafting.writing import Known, word_of
from hub.mapping.editing import Keys
from hub.mapping.expression import EVALUATION_ERRORS, Expression
from hub.mapping.functions import Unfit, as_word
from hub.mapping.rows import Listing, MappingFile, Object, Row, Switch, Value
from hub.masking import is_sensitive, mask_text

UNSET = frozenset({"", "-", "--", "0", "null", "none", "nil", "n/a", "na", "无", *look.NO_TIMES})
"""Values that platforms write where there is nothing."""
_MOST_VALUES = 3
_CALL = re.compile(r"\b([a-z_]+)\(\s*([A-Za-z_][\w.\[\]]*)\s*([,)])")
_GUARDS = ("{0} || `[]`", "{0} || ''", "{0} || `0`", "to_string({0})", "to_number({0})")


@dataclass(frozen=True, slots=True)
class Remedy:
    """One edit. `sure`: may be taken without a person's choice, because it changes no meaning.

    `file` is below the folder of mappings. `keys` are those of the row at `at`; or, of a `word`, the word and its value
    in the table at `at`.
    """

    what: str
    title: str
    why: str
    file: str
    at: Keys
    keys: Mapping[str, Any]
    word: bool = False
    sure: bool = False

    def apply(self, text: str, comment: str = "") -> str:
        """The text of the file with the edit made. Raises Uneditable."""
        if self.word:
            ((word, value),) = self.keys.items()
            return editing.add_word(text, self.at, word, value, comment)
        return editing.set_keys(text, self.at, self.keys, comment)

    def as_dict(self) -> dict[str, Any]:
        """As JSON data."""
        keys = {"what": self.what, "title": self.title, "why": self.why, "file": self.file, "sure": self.sure}
        return {**keys, "at": editing_place(self.at), "keys": dict(self.keys)}


def remedies(
    mapping: MappingFile, folder: str, problem: Problem, failing: Sequence[Any], working: Sequence[Any], known: Known
) -> list[Remedy]:
    """What could mend one problem, the likeliest first. `folder` is the name under which files are told (mappings).

    `failing` are the records with the problem, `working` some without. Personal values never come out.
    """
    label = re.sub(r"\[\d+\]", "[]", problem.rule.partition(": ")[2])
    rows = list(rows_at(mapping.body, label))
    needed = any(row.target.required for row, _ in rows)
    found: list[Remedy] = []
    for row, listing in rows:
        if isinstance(row, Switch):
            if problem.code == "mapping.no_branch":
                found += _defaults(row, folder, needed=needed)
            continue
        if row.path is None or (problem.path and problem.path.partition(" (each")[0] != row.path.text):
            continue
        site = _Site(mapping, folder, row, listing)
        if problem.code == "mapping.unknown_word":
            found += _words(site, failing, known)
        elif problem.code == "mapping.expression":
            found += _guards(site, failing)
        else:
            found += [*_moved(site, failing, working), *_unset(site, failing)]
            if problem.code in ("mapping.missing", "mapping.no_branch"):
                found += _defaults(row, folder, needed=needed)
    return _unique(found)


def rows_at(row: Row, label: str, listing: Listing | None = None) -> Iterator[tuple[Value | Switch, Listing | None]]:
    """The rows that give a field (its branches too), each with the list that it lies in."""
    if isinstance(row, (Value, Switch)):
        if row.label.replace("[]", "") == label.replace("[]", ""):
            yield row, listing
        if isinstance(row, Switch):
            for _, branch in row.branches:
                yield from rows_at(branch, label, listing)
    elif isinstance(row, Object):
        for inner in row.every:
            yield from rows_at(inner, label, listing)
    else:
        for part in row.parts:
            yield from rows_at(part.object, label, row)


def editing_place(at: Keys) -> str:
    """A place as a person would look for it: order.holds[1].code."""
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in at).removeprefix(".")


@dataclass(frozen=True, slots=True)
class _Site:
    """The row that is to be mended, and where it reads."""

    mapping: MappingFile
    folder: str
    row: Value
    listing: Listing | None

    @property
    def file(self) -> str:
        return self.row.place.file.removeprefix(f"{self.folder}/")

    @property
    def at(self) -> Keys:
        return keys_of(self.row.place.key)

    @property
    def name(self) -> str:
        """The field as the drafts call it: lines.sku."""
        return self.row.label.replace("[]", "").partition(".")[2]

    def items(self, record: Any) -> list[Any]:
        """What the row is read on: the record, or the items of its list."""
        if self.row.source == "document":
            return []
        if self.listing is None or self.row.source == "root":
            return [record]
        found: list[Any] = []
        for part in self.listing.parts:
            value = _search(part.each, record) if part.each is not None else record
            found += value if isinstance(value, list) else [value]
        return [item for item in found if isinstance(item, dict)]

    def values(self, records: Iterable[Any]) -> list[tuple[Any, Any]]:
        """(item, what the path finds in it) of all records."""
        return [(item, _search(self.row.path, item)) for record in records for item in self.items(record)]

    def keyed(self, what: str, title: str, why: str, keys: Mapping[str, Any], *, sure: bool = False) -> Remedy:
        return Remedy(what, title, why, self.file, self.at, keys, sure=sure)


def _words(site: _Site, failing: Sequence[Any], known: Known) -> Iterator[Remedy]:
    row = site.row
    table = row.table or {}
    if row.target.personal:
        return
    words = {w for _, value in site.values(failing) if (w := _word(value)) is not None and w not in table}
    words = {word for word in words if mask_text(word) == word}
    shared = f"tables/{row.table_name}.toml" == row.table_file.removeprefix(f"{site.folder}/")
    at: Keys = () if shared else ("tables", row.table_name)
    file = row.table_file.removeprefix(f"{site.folder}/")
    for word in sorted(words - {_word(v) for v in row.absent}):
        for value, why in _meanings(site, word, table, known):
            title = f"{word} means {value}"
            yield Remedy("word", title, why, file, at, {word: value}, word=True)
        if row.target.nullable or row.default is not None:
            yield site.keyed("absent", f"{word} means: not set", "", {"absent": [*row.absent, word]}, sure=False)


def _meanings(site: _Site, word: str, table: Mapping[str, Any], known: Known) -> Iterator[tuple[Any, str]]:
    """The values that a word could stand for, the nearest first, each with what speaks for it."""
    choices = list(site.row.target.words or dict.fromkeys(table.values()))
    value, why = word_of(site.mapping.kind, site.name, word, known)
    if value in choices and value:
        choices.remove(value)
        yield value, why
    if site.row.label == "order.state" and speaks_of_refund(word):
        yield from ((choice, "careful: a refund by itself never changes an order's state") for choice in choices)
        return
    own = set(plain_name(word).split("_"))
    like: dict[Any, tuple[float, str]] = {}
    for other, meant in table.items():
        shared = len(own & set(plain_name(other).split("_"))) / max(len(own), 1)
        score = max(shared, difflib.SequenceMatcher(None, plain_name(word), plain_name(other)).ratio())
        if score > like.get(meant, (0.0, ""))[0]:
            like[meant] = (score, other)
    for choice in sorted(choices, key=lambda c: -like.get(c, (0.0, ""))[0]):
        score, other = like.get(choice, (0.0, ""))
        yield choice, f"like {other}" if score >= 0.5 else ""


def _moved(site: _Site, failing: Sequence[Any], working: Sequence[Any]) -> Iterator[Remedy]:
    """The value lies elsewhere now: under the same name, or under one that the records before did not have."""
    row = site.row
    assert row.path is not None  # noqa: S101  # only rows with a path come here
    bad = [item for item, value in site.values(failing) if not _fits(row, value)]
    before = [value for _, value in site.values(working) if value is not None]
    old = {leaf.keys for leaf in leaves_of([item for item, _ in site.values(working)])}
    if not bad:
        return
    named = _last_names(row.path)
    shape = look.looks(before) if before else frozenset()
    scored = []
    for leaf in leaves_of(bad):
        if leaf.text == row.path.text or len(leaf.told) < len(bad) or not all(_fits(row, v) for v in leaf.told):
            continue
        score, why = _move(site, leaf, named, leaf.keys not in old)
        if shape and not shape & look.looks(leaf.values):
            score -= 0.4
        if score >= 0.5:
            scored.append((score, leaf.text, why))
    for score, text, why in sorted(scored, key=lambda s: (-s[0], len(s[1])))[:4]:
        path = f"{text} || {row.path.text}" if row.path.text != text else text
        title = f"{row.label} is now at {text}"
        sure = score >= 0.9 and sum(s[0] >= 0.9 for s in scored) == 1
        yield site.keyed("path", title, why, {"path": path}, sure=sure)


def _move(site: _Site, leaf: Leaf, named: set[str], new: bool) -> tuple[float, str]:
    if leaf.name in named:
        return (0.95, "the same name, in another place") if new else (0.8, "the same name")
    under = {plain_name(key) for key in leaf.keys[:-1]} & named
    if under and new:
        return 0.92, f"{next(iter(under))} is an object now"
    if not new:
        return 0.0, ""
    if leaf.name in names_of(site.mapping.kind, site.name):
        return 0.75, "a new field with a usual name for it"
    near = max((difflib.SequenceMatcher(None, leaf.name, name).ratio() for name in named), default=0.0)
    return (0.5 + 0.2 * near, "a new field with a name like it") if near >= 0.7 else (0.0, "")


def _unset(site: _Site, failing: Sequence[Any]) -> Iterator[Remedy]:
    """What the failing records hold means that there is nothing."""
    row = site.row
    if row.required or is_sensitive(site.name.rpartition(".")[2]) or row.target.personal:
        return
    bad = [v for _, v in site.values(failing) if v is not None and not _fits(row, v)]
    single = [v for v in bad if isinstance(v, (str, int, float)) and not isinstance(v, bool)]
    values = list({(type(v), v): v for v in single if mask_text(str(v)) == str(v)}.values())
    if not values or len(single) < len(bad) or len(values) > _MOST_VALUES:
        return
    usual = all(str(v).strip().lower() in UNSET for v in values)
    told = ", ".join(map(repr, values))
    why = "what platforms write where there is nothing" if usual else ""
    yield site.keyed("absent", f"{told} means: not set", why, {"absent": [*row.absent, *values]}, sure=usual)


def _defaults(row: Value | Switch, folder: str, *, needed: bool) -> Iterator[Remedy]:
    """A value for where there is none. Which one is a person's choice."""
    target, at = row.target, keys_of(row.place.key)
    file = row.place.file.removeprefix(f"{folder}/")
    simple: dict[str, list[Any]] = {"bool": [False], "int": [0], "text": [""]}
    choices: Sequence[Any] = target.words or simple.get(target.as_, [])
    if needed and target.as_ == "text" and not target.words:
        return  # a number of an order cannot be made up
    for choice in choices:
        shown = editing.written(choice)
        yield Remedy("default", f"where there is none: {shown}", "", file, at, {"default": choice})


def _guards(site: _Site, failing: Sequence[Any]) -> Iterator[Remedy]:
    """The expression with its calls guarded, where that evaluates on every failing record."""
    row = site.row
    assert row.path is not None  # noqa: S101  # only rows with a path come here
    text = row.path.text
    items = [item for record in failing for item in site.items(record)]
    for call in _CALL.finditer(text):
        for guard in _GUARDS:
            changed = text[: call.start(2)] + guard.format(call[2]) + text[call.end(2) :]
            if _evaluates(changed, items):
                title = f"{call[1]}() takes {guard.format(call[2])}"
                yield site.keyed("guard", title, "so it evaluates on every one of them", {"path": changed})
                break


def _evaluates(text: str, items: Sequence[Any]) -> bool:
    compiled = expression.compile(text)
    for item in items:
        try:
            compiled.search(item)
        except EVALUATION_ERRORS:
            return False
    return True


def _fits(row: Value, value: Any) -> bool:
    """Whether a value could be what the row wants."""
    if value is None:
        return False
    if row.table is not None:
        return _word(value) in row.table
    seen = look.looks([value])
    wanted = {"time": {look.TIME}, "money": {look.MONEY}, "int": {look.INT, look.NUMBER}, "bool": {look.BOOL}}
    kinds = wanted.get(row.as_)
    if kinds is None:
        return not isinstance(value, (list, dict)) or row.as_ in ("raw", "words", "list")
    return not isinstance(value, (list, dict)) and bool(seen & kinds)


def _last_names(path: Expression) -> set[str]:
    return {plain_name(name) for name in _fields(path.tree) if name}


def _fields(tree: Any) -> Iterator[str]:
    if tree["type"] == "field":
        yield tree["value"]
    elif tree["type"] == "subexpression":
        yield from _fields(tree["children"][-1])
    else:
        for child in tree.get("children", ()):
            if isinstance(child, dict):
                yield from _fields(child)


def keys_of(dotted: str) -> Keys:
    """
    >>> keys_of("order.holds[1].code")
    ('order', 'holds', 1, 'code')
    """
    return tuple(int(p[1:-1]) if p.startswith("[") else p for p in re.findall(r"\[\d+\]|[^.\[\]]+", dotted))


def _search(path: Expression | None, data: Any) -> Any:
    try:
        return path.search(data) if path is not None else data
    except EVALUATION_ERRORS:
        return None


def _word(value: Any) -> str | None:
    try:
        return None if value is None else as_word(value)
    except Unfit:
        return None


def _unique(found: Iterable[Remedy]) -> list[Remedy]:
    seen: dict[tuple[str, Keys, str], Remedy] = {}
    for remedy in found:
        seen.setdefault((remedy.file, remedy.at, repr(sorted(remedy.keys.items()))), remedy)
    return list(seen.values())
