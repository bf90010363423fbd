"""Lines of Python in the making: variables, constants, blocks, and what is known to have been computed."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

MOST_BLOCKS = 14
"""Loops within one another; Python takes 20."""
MOST_INDENTS = 90
"""Blocks within one another; Python takes 100."""
PLAIN = (str, int, bool, type(None))
"""What is written as itself; other constants are handed to the code by name."""


class Uncompiled(Exception):
    """It nests more blocks than Python takes, or is too rare to be worth writing: it is to be interpreted."""


class Lines:
    """The body of one function. Values live in local variables; `_known` has what is sure to have been computed."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.constants: dict[str, Any] = {}
        self._count = 0
        self._indent = 1
        self._blocks = 0
        """Loops around the present line; `_chains`: branches, written as loops that run once: Python counts both."""
        self._chains = 0
        self._known: dict[tuple[str, str], str] = {}
        self._kinds: dict[str, str] = {}
        self._names: dict[int, str] = {}

    def say(self, line: str) -> None:
        """One line at the present indent."""
        self.lines.append(" " * self._indent + line)

    def name(self, prefix: str = "v") -> str:
        """A variable that nothing else uses."""
        self._count += 1
        return f"{prefix}{self._count}"

    def bind(self, code: str, kind: str = "") -> str:
        """Put the value of an expression into a variable. `kind`: "dict", "list", "bool", where it is sure."""
        name = self.name()
        self.say(f"{name} = {code}")
        if kind:
            self._kinds[name] = kind
        return name

    def once(self, about: str, code: str) -> str:
        """The variable for code about another variable: the one that holds it already, wherever that is sure."""
        if (about, code) not in self._known:
            self._known[about, code] = self.bind(code)
        return self._known[about, code]

    def constant(self, value: Any) -> str:
        """How a constant is written."""
        if isinstance(value, PLAIN) and not (isinstance(value, int) and value.bit_length() > 64):
            return repr(value)
        if id(value) not in self._names:
            self._names[id(value)] = name = self.name("k")
            self.constants[name] = value
        return self._names[id(value)]

    def call(self, function: Any) -> str:
        """The name under which the code calls a function."""
        self.constants[function.__name__] = function
        return str(function.__name__)

    @contextmanager
    def block(self, head: str, *, loop: bool = False, chain: bool = False) -> Iterator[None]:
        """Lines under a head. What is computed there is not known to have been computed after it."""
        self.say(head)
        known = self._known.copy()
        self._deeper()
        self._blocks += loop
        self._chains += chain
        if self._blocks + self._chains > MOST_BLOCKS:
            raise Uncompiled
        before = len(self.lines)
        yield
        if len(self.lines) == before:
            self.say("pass")
        self._known = known
        self._indent -= 1
        self._blocks -= loop
        self._chains -= chain

    def _deeper(self) -> None:
        self._indent += 1
        if self._indent > MOST_INDENTS:
            raise Uncompiled
