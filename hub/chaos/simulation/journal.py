"""What happened in a seed, as one hash: equal where every statement, log event, answer and effect was the same."""

import hashlib
from collections.abc import Callable
from typing import Any


class Journal:
    """`seconds` tells the virtual time since the start; `folder` is left out of what is kept: it is another one in
    each run. `trace` hears of each event, of `statements` only if wanted."""

    def __init__(
        self,
        seconds: Callable[[], float],
        folder: str,
        trace: Callable[[str], None] | None = None,
        *,
        statements: bool = False,
    ) -> None:
        self._folder = folder
        self._seconds, self._trace, self._statements = seconds, trace, statements
        self._hash = hashlib.blake2b(digest_size=16)
        self.events = 0

    def note(self, who: str, what: str, *facts: object) -> None:
        """Keep one event."""
        line = " ".join([f"{self._seconds():.6f}", who, what, *map(str, facts)]).replace(self._folder, "")
        self.events += 1
        self._hash.update(line.encode("utf-8", "surrogateescape"))
        if self._trace is not None:
            self._trace(line)

    def statement(self, who: str, text: str) -> None:
        """Keep one SQL statement with its values."""
        self.events += 1
        line = f"{self._seconds():.6f} {who} {text}"
        self._hash.update(line.encode("utf-8", "surrogateescape"))
        if self._trace is not None and self._statements:
            self._trace(line)

    def content(self, lines: Any) -> None:
        """Keep what a store holds in the end."""
        for line in lines:
            self._hash.update(str(line).encode("utf-8", "surrogateescape"))

    @property
    def digest(self) -> str:
        """The hash of all events so far."""
        return self._hash.hexdigest()
