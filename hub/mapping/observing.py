"""Looks at one record: what in it is not as the records before, and which of that the mappings do not know."""

import re
from dataclasses import dataclass
from typing import Any

from hub.mapping.functions import as_word
from hub.mapping.known import Known
from hub.mapping.profile import ITEM, Node, Place, Profile, shown
from hub.mapping.provenance import Path
from hub.mapping.telling import described
from hub.masking import is_sensitive, mask_text

NEW_FIELD, NEW_WORD, VANISHED, NEW_TYPE = "new_field", "new_word", "vanished", "new_type"

NEARLY_ALL = 0.98
MOST_DEPTH = 12
MOST_VALUES = 5000
"""Values of one record that are looked at."""
MOST_ITEMS = 50
"""Items of one list that are looked at."""
LONGEST_WORD = 40
MOST_DIGITS = 6
"""Digits that a shown value may have: what has more may be a phone number, an account, a person's id."""
HIDDEN = "(masked)"

_WORD = re.compile(r"[A-Za-z]+([_ -][A-Za-z]+)*")
_CODE = re.compile(r"[A-Za-z0-9_.:/+-]*")
_TIME = re.compile(r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d)?([.,]\d+)?(Z|[+-]\d\d:?\d\d)?)?")


@dataclass(frozen=True, slots=True)
class Hit:
    """Something in one record that is not as it was. `path` as JMESPath writes it; `detail` the word, or the types;
    `sample` masked; `again`: it had stayed away for a while. `since`: when a vanished field was last there, and
    `count` the records without it that this hit stands for."""

    what: str
    path: str
    detail: str = ""
    sample: str = ""
    again: bool = False
    since: float | None = None
    count: int = 1


@dataclass(frozen=True, slots=True)
class Seen:
    """What one record told: `hits` (what goes on is told every time), and paths of vanished fields that are back."""

    hits: list[Hit]
    back: list[str]


def observe(profile: Profile, record: Any, known: Known, at: float = 0.0) -> Seen:
    """Learn from one record (parsed JSON) that arrived `at` (epoch seconds), and tell what is not as it was."""
    profile.records += 1
    look = _Look(profile, known, at)
    look.walk(profile.root, record, (), ())
    look.missing()
    return Seen(list(look.hits.values()), look.back)


class _Look:
    """One record. `path` is a place without its lists, as `known` has it."""

    def __init__(self, profile: Profile, known: Known, at: float) -> None:
        self.hits: dict[tuple[str, str, str], Hit] = {}
        self.back: list[str] = []
        self._profile, self._known, self._at = profile, known, at
        self._left = MOST_VALUES
        self._parents: dict[int, tuple[Node, Place]] = {}

    def walk(self, node: Node, value: Any, path: Path, place: Place) -> None:
        """Look at a value and at everything in it."""
        self._left -= 1
        if self._left < 0:
            return
        if node.last != self._profile.records:
            self._met(node, value, path, place)
        if isinstance(value, dict):
            self._inside(node, list(value.items()), path, place)
        elif isinstance(value, list):
            self._inside(node, [(ITEM, item) for item in value[:MOST_ITEMS]], path, place)
        else:
            self._word(node, value, path, place)
        kind = _type(value)
        if kind:
            self._type(node, kind, value, path, place)

    def missing(self) -> None:
        """After the walk: what was not there though its parent was."""
        records, gone, settled = self._profile.records, self._profile.gone, self._profile.settled
        for node, place in self._parents.values():
            for name, child in () if node.data else node.children.items():
                child.chances += 1
                if child.last == records:
                    child.gap = 0
                    continue
                child.gap += 1
                before = child.chances - child.gap
                if child.gap >= gone and before >= settled and child.seen >= NEARLY_ALL * before:
                    count = child.gap if child.gap == gone else 1
                    self._say(Hit(VANISHED, shown((*place, name)), since=child.at, count=count))

    def _met(self, node: Node, value: Any, path: Path, place: Place) -> None:
        """The first time in this record."""
        away = node.gap >= self._profile.gone
        node.last, node.at = self._profile.records, self._at
        node.seen += 1
        if away:
            self.back.append(shown(place))
        if node.late and not self._known.rows(path):
            self._say(Hit(NEW_FIELD, shown(place), "", self._sample(value, path), away))

    def _inside(self, node: Node, members: list[tuple[str, Any]], path: Path, place: Place) -> None:
        if len(place) >= MOST_DEPTH:
            return
        self._parents[id(node)] = (node, place)
        for name, inner in members:
            found = None if inner is None else self._profile.child(node, name, place)
            if found is not None:
                kept, child = found
                self.walk(child, inner, path if kept == ITEM else (*path, kept), (*place, kept))

    def _type(self, node: Node, kind: str, value: Any, path: Path, place: Place) -> None:
        node.typed += 1
        if kind in node.types:
            node.types[kind] += 1
            return
        last = node.late_types.get(kind)
        # a list may hold many values: within the first record that has the place nothing is news
        if last is None and (node.typed <= self._profile.settled or node.seen <= 1):
            node.types[kind] = 1
            return
        node.late_types[kind] = self._profile.records
        usual = max(node.types, key=lambda k: node.types[k], default="")
        detail = f"{usual} -> {kind}"
        self._say(Hit(NEW_TYPE, shown(place), detail, self._sample(value, path), self._again(last)))

    def _word(self, node: Node, value: Any, path: Path, place: Place) -> None:
        if value == "":
            return
        words = self._known.table(path)
        if words is not None:
            word = as_word(value)
            if word not in words:
                self._late(node, word, path, place)
        elif isinstance(value, str) and node.words is not None:
            self._enumerable(node, value, path, place)

    def _enumerable(self, node: Node, word: str, path: Path, place: Place) -> None:
        """A word of a field that no table is for: what is new among few words that have long been the same."""
        words = node.words or {}
        if word in words:
            words[word] += 1
            node.calm += 1
            return
        compared = self._known.compared(path)
        pattern = _CODE if compared else _WORD
        if len(word) > LONGEST_WORD or not pattern.fullmatch(word) or self._is_hidden(path):
            self._profile.forget_words(node)
        elif word in node.late_words or (node.calm >= self._profile.settled and word not in compared):
            self._late(node, word, path, place)
        else:
            node.calm = 0 if word not in compared else node.calm
            self._profile.learn_word(node, word)

    def _late(self, node: Node, word: str, path: Path, place: Place) -> None:
        word = HIDDEN if self._is_hidden(path) else _clean(mask_text(word[:LONGEST_WORD]))
        again = self._again(node.late_words.get(word))
        if self._profile.late_word(node, word):
            self._say(Hit(NEW_WORD, shown(place), word, "" if word == HIDDEN else described(word), again))

    def _again(self, last: int | None) -> bool:
        return last is not None and self._profile.records - last > self._profile.gone

    def _say(self, hit: Hit) -> None:
        self.hits.setdefault((hit.what, hit.path, hit.detail), hit)

    def _is_hidden(self, path: Path) -> bool:
        return self._known.personal(path) or any(map(is_sensitive, path))

    def _sample(self, value: Any, path: Path) -> str:
        """What may be shown of a value: of a field that nobody knows it may be anybody's name or number."""
        hidden = self._is_hidden(path)
        if not hidden and isinstance(value, (str, int, float)) and not isinstance(value, bool):
            text = str(value)
            telling = sum(c.isdigit() for c in text) > MOST_DIGITS or not _CODE.fullmatch(text)
            hidden = telling and not _TIME.fullmatch(text)
        return _clean(mask_text(described(value, personal=hidden)))


def _type(value: Any) -> str:
    """A value's type; "" for what is empty, which platforms write in place of anything."""
    if value is None or value in ("", [], {}):
        return ""
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, (int, float)):
        return "number"
    return "text" if isinstance(value, str) else "object" if isinstance(value, dict) else "list"


def _clean(text: str) -> str:
    """Without what PostgreSQL cannot store."""
    return text.replace("\x00", "\ufffd")
