"""What each path of a shop's records has held so far: a tree of bounded size, learned from the records themselves.

A hostile platform cannot make it grow. Names that are data (ids, addresses, maps with ever new keys) fall together
under "*", a field that takes many words stops being watched for words, and what would lie too deep or be too much is
not looked at. What in a record is not as it was, hub.mapping.observing tells.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from hub.mapping.provenance import ANY

SETTLED = 200
"""Records that a place must have been seen in before something new there is told."""
GONE = 100
"""Records in a row without a field that nearly all had before: it has vanished. Also: seen again after so many."""
MOST_NODES = 2000
MOST_CHILDREN = 128
MOST_WORDS = 24
MOST_ALL_WORDS = 4000
LONGEST_NAME = 64
ITEM = "[]"
"""The name under which the items of a list are kept."""

Place = tuple[str, ...]
"""Names from the root, ITEM for the items of a list, "*" for names that are data."""
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DATA = re.compile(r"\d{4,}|[0-9a-fA-F]{16,}|[0-9a-fA-F]{8}-[0-9a-fA-F-]{20,}|.*[@\x00-\x1f].*", re.DOTALL)
_CROWDS = (16, 32, 64)
"""Numbers of names in one object at which it is asked whether they are data."""


@dataclass(slots=True)
class Node:
    """What is known of one place. Counts are of records; `typed` and `calm` are of values."""

    seen: int = 0
    chances: int = 0  # records that had the parent since this was first seen
    gap: int = 0  # records with the parent since it was last seen
    last: int = 0  # the record in which it was last seen
    at: float = 0.0  # when that one arrived, epoch seconds
    late: bool = False  # first seen when what it lies in was settled
    data: bool = False  # the names inside are data: all of them are one
    typed: int = 0
    calm: int = 0  # values since the last word that was new
    types: dict[str, int] = field(default_factory=dict)
    words: dict[str, int] | None = field(default_factory=dict)  # None: too many, or too long, to be words
    late_types: dict[str, int] = field(default_factory=dict)  # type -> the record in which it was last seen
    late_words: dict[str, int] = field(default_factory=dict)
    children: dict[str, "Node"] = field(default_factory=dict)


class Profile:
    """What the records of one shop and kind have looked like."""

    def __init__(self, *, settled: int = SETTLED, gone: int = GONE) -> None:
        self.root = Node()
        self.records = 0
        self.full = False  # something was left out because the profile is as large as it may be
        self.merged: list[str] = []
        """Places whose names turned out to be data since the profile was loaded."""
        self.settled, self.gone = settled, gone
        self._nodes = self._words = 0

    def dump(self) -> bytes:
        """As JSON."""
        return json.dumps([self.records, self.full, _packed(self.root)], separators=(",", ":")).encode()

    @classmethod
    def load(cls, kept: bytes, *, settled: int = SETTLED, gone: int = GONE) -> "Profile":
        """The profile that `dump` gave."""
        profile = cls(settled=settled, gone=gone)
        profile.records, profile.full, root = json.loads(kept)
        profile.root = _unpacked(root)
        profile._count()
        return profile

    def child(self, node: Node, name: str, place: Place) -> tuple[str, Node] | None:
        """The name under which something inside `node` (at `place`) is kept, and its node; None if there is no room."""
        if name != ITEM and (node.data or _is_data(name)):
            name = ANY
        found = node.children.get(name)
        if found is not None:
            return name, found
        if name not in (ITEM, ANY) and _crowded(node):
            self._merge(node, place)
            return ANY, node.children[ANY]
        if self._nodes >= MOST_NODES:
            self.full = True
            return None
        self._nodes += 1
        known = node.types.get("list" if name == ITEM else "object", 0)
        found = node.children[name] = Node(late=name != ANY and known >= self.settled)
        return name, found

    def learn_word(self, node: Node, word: str) -> None:
        """Keep a word that a field has held; one that has too many is no longer watched for words."""
        assert node.words is not None  # noqa: S101  # the caller has looked
        if len(node.words) >= MOST_WORDS or self._words >= MOST_ALL_WORDS:
            self.forget_words(node)
            return
        self._words += 1
        node.words[word] = 1

    def late_word(self, node: Node, word: str) -> bool:
        """Keep a word that came late; False if there are too many of them already."""
        if word not in node.late_words:
            if len(node.late_words) >= MOST_WORDS or self._words >= MOST_ALL_WORDS:
                return False
            self._words += 1
        node.late_words[word] = self.records
        return True

    def forget_words(self, node: Node) -> None:
        """A field's values are no words."""
        self._words -= len(node.words or ())
        node.words = None

    def _merge(self, node: Node, place: Place) -> None:
        """From now on the names inside an object are data."""
        names = [name for name in node.children if name not in (ITEM, ANY)]
        whole = node.children.get(ANY, Node())
        for name in names:
            _join(whole, node.children.pop(name))
        node.children[ANY], node.data = whole, True
        self.merged.append(shown(place))
        self._count()

    def _count(self) -> None:
        nodes = list(_all(self.root))
        self._nodes, self._words = len(nodes), sum(len(n.words or ()) + len(n.late_words) for n in nodes)


def shown(place: Place) -> str:
    """A place as JMESPath writes it, at most 300 characters.

    >>> shown(("orders", "order", "[]", "sku-id")), shown(("by_day", "*", "count"))
    ('orders.order[]."sku-id"', 'by_day.*.count')
    """
    text = ""
    for name in place:
        if name == ITEM:
            text += name
        else:
            plain = name == ANY or _PLAIN.fullmatch(name)
            text += ("." if text else "") + (name if plain else json.dumps(name, ensure_ascii=False))
    return text if len(text) <= 300 else "..." + text[-297:]


def _is_data(name: str) -> bool:
    return len(name) > LONGEST_NAME or _DATA.fullmatch(name) is not None


def _crowded(node: Node) -> bool:
    """Whether one more name shows that names are data: there are too many, or most of them are seen rarely."""
    count = len(node.children)
    if count not in _CROWDS:
        return count >= MOST_CHILDREN
    rare = sum(child.seen * 20 <= node.seen for child in node.children.values())
    return rare * 4 >= count * 3


def _join(whole: Node, node: Node) -> None:
    """Lay one node on another: what any of them has held."""
    whole.seen, whole.last = max(whole.seen, node.seen), max(whole.last, node.last)
    whole.at = max(whole.at, node.at)
    whole.chances, whole.gap = max(whole.chances, node.chances), min(whole.gap, node.gap)
    whole.typed += node.typed
    for kind, count in node.types.items():
        whole.types[kind] = whole.types.get(kind, 0) + count
    whole.words, whole.data = None, whole.data or node.data
    for name, child in node.children.items():
        _join(whole.children.setdefault(name, Node()), child)


def _all(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children.values():
        yield from _all(child)


_KEYS = {
    "n": "seen", "m": "chances", "g": "gap", "l": "last", "a": "at", "x": "late", "d": "data",
    "v": "typed", "k": "calm", "t": "types", "w": "words", "lt": "late_types", "lw": "late_words",
}  # fmt: skip
_EMPTY = Node()


def _packed(node: Node) -> dict[str, Any]:
    packed = {k: v for k, name in _KEYS.items() if (v := getattr(node, name)) != getattr(_EMPTY, name)}
    if node.children:
        packed["c"] = {name: _packed(child) for name, child in node.children.items()}
    return packed


def _unpacked(packed: dict[str, Any]) -> Node:
    node = Node(**{_KEYS[k]: v for k, v in packed.items() if k != "c"})
    node.children = {name: _unpacked(child) for name, child in packed.get("c", {}).items()}
    return node
