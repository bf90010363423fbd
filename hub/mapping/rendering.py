"""From a canonical document to what a destination takes. Never raises on data."""

from typing import Any

from canonical.problem import Problem
from hub.mapping.compiler import Fast
from hub.mapping.interpreter import compile_document, compile_row
from hub.mapping.rows import MappingFile
from hub.mapping.run import Frame, Run, Watch


class Rendering:
    """One destination's mapping, compiled. With `watch` its rows are seen when they run."""

    def __init__(self, mapping: MappingFile, watch: Watch | None = None) -> None:
        self.mapping = mapping
        self._fast = Fast(mapping) if watch is None else None
        self._build = compile_document(mapping.body, outward=True, watch=watch)
        currency = mapping.currency
        self._currency = None if isinstance(currency, str) else compile_row(currency, outward=True)

    @property
    def version(self) -> str:
        """The mapping's content hash, e.g. kingdee/order@3f2a9c1b."""
        return self.mapping.version

    @property
    def root(self) -> str:
        """The outermost element, where the body goes out as XML."""
        return self.mapping.root

    @property
    def kind(self) -> str:
        """The kind of document that it takes."""
        return self.mapping.kind

    def render(self, document: dict[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
        """The body for a document as JSON data (amounts as decimal strings), and what could not be written.

        Nulls are left out. A body with problems must not be sent.
        """
        body = self._fast(document) if self._fast else None
        if body is not None:
            return body, []
        run = Run(self.mapping, document)
        if self._currency is None:
            run.currency = str(self.mapping.currency)
        else:
            currency = self._currency(Frame(run, document))
            run.currency = currency if isinstance(currency, str) else ""
        return self._build(run), list(dict.fromkeys(run.problems))
