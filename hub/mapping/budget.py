"""What an expression may cost. Mappings come from people: none of them may hang the hub or fill its memory.

A search is charged one step for each item of a list or object that it goes over. That bounds its time as long as what
it goes over is a part of the record. `[@, @] | [@, @] | ...` is not: each stage doubles what the next one sees. Such
expressions (`Weight`) are charged for the size of what they make as well.
"""

from typing import Any, NamedTuple, NoReturn

from jmespath.exceptions import JMESPathError

LONGEST = 20_000
"""Characters of an expression."""
DEEPEST = 250
"""Parts of an expression within one another."""
SEARCH = 500_000
"""Steps of one search."""
MESSAGE = 1_000_000
"""Steps of all searches for one message."""
_LIGHT = 64

Tree = dict[str, Any]


class TooComplex(JMESPathError):
    """An expression that is longer or deeper than anybody writes."""


class BudgetExceeded(JMESPathError):
    """A search that went over more than its budget allows."""


class Budget:
    """Steps that are left, for one search or for all searches of a message."""

    __slots__ = ("left",)

    def __init__(self, steps: int = SEARCH) -> None:
        self.left = steps

    def charge(self, steps: int) -> None:
        """Take steps away. Raises BudgetExceeded when there are none left."""
        self.left -= steps
        if self.left < 0:
            self.overdrawn()

    def overdrawn(self) -> NoReturn:
        """Say so."""
        raise BudgetExceeded("the expression goes over more items than one message may cost")

    def charge_for(self, value: Any) -> Any:
        """Take away what a value holds, item by item (a text counts by its length), and return it."""
        waiting = [value]
        while waiting:
            one = waiting.pop()
            if isinstance(one, str):
                self.charge(1 + len(one) // 16)
            elif isinstance(one, dict):
                self.charge(1 + len(one))
                waiting.extend(one.values())
            elif isinstance(one, list):
                self.charge(1 + len(one))
                waiting.extend(one)
        return value


class Weight(NamedTuple):
    """How many times larger than its input a result may be, and how many times the input is gone over."""

    size: float
    time: float

    @property
    def light(self) -> bool:
        """Whether a charge for each list that is gone over bounds the expression's cost."""
        return self.size <= _LIGHT and self.time <= _LIGHT


def measure(tree: Tree) -> Weight:
    """The weight of an expression. Raises TooComplex where it is deeper than DEEPEST."""
    return _weight(tree, DEEPEST)


def _weight(node: Tree, deeper: int) -> Weight:
    if deeper == 0:
        raise TooComplex(f"the expression has more than {DEEPEST} parts within one another")
    kind = node["type"]
    if kind == "literal":
        return Weight(max(1, _count(node["value"])), 0)
    parts = [_weight(child, deeper - 1) for child in node["children"] if isinstance(child, dict)]
    if kind in ("subexpression", "pipe", "index_expression"):
        return _chain(parts)
    if kind in ("projection", "value_projection", "filter_projection"):
        base, *inner = parts
        return Weight(base.size * inner[0].size, base.time + base.size * (1 + sum(one.time for one in inner)))
    time = sum(one.time for one in parts)
    if kind in ("multi_select_list", "multi_select_dict"):
        return Weight(sum(one.size for one in parts), time)
    if kind == "function_expression":
        return _call(node["value"], parts, time)
    if kind in ("comparator", "flatten"):
        time += min((one.size for one in parts), default=0)
    return Weight(max((one.size for one in parts), default=1), time)


def _chain(parts: list[Weight]) -> Weight:
    size, time = 1.0, 0.0
    for one in parts:
        time += size * one.time
        size *= one.size
    return Weight(size, time)


def _call(name: str, parts: list[Weight], time: float) -> Weight:
    size = sum(one.size for one in parts)
    if name == "map" and len(parts) == 2:
        return Weight(parts[0].size * parts[1].size, parts[1].time + parts[1].size * (1 + parts[0].time))
    if name.endswith("_by") and len(parts) == 2:
        time += parts[0].size * parts[1].time
    # text in text is escaped, which doubles it each time
    return Weight(2 * size if name == "to_string" else max(1, size), time + size)


def _count(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + sum(map(_count, value.values()))
    if isinstance(value, list):
        return 1 + sum(map(_count, value))
    return 1 + len(value) // 16 if isinstance(value, str) else 1
