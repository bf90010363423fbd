"""Which destinations a document goes to."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hub.config import Config


@dataclass(frozen=True, slots=True)
class Rule:
    """One [[routes]] entry, ready to ask. `holds` is None for a rule without `if`."""

    on: str
    holds: Callable[[Any], Any] | None
    to: tuple[str, ...]
    shops: tuple[str, ...]
    sticky: bool


class Routes:
    """All rules of hub.toml."""

    def __init__(self, config: Config, compile_: Callable[[str], Any]) -> None:
        self._tenants = {name: d.tenant for name, d in config.destinations.items()}
        self._rules: dict[str, list[Rule]] = {}
        for route in config.routes:
            holds = compile_(route.if_).search if route.if_ else None
            self._rules.setdefault(route.on, []).append(Rule(route.on, holds, route.to, route.shops, route.sticky))

    def has(self, kind: str) -> bool:
        """Whether any rule is about this kind."""
        return kind in self._rules

    def needs_document(self, kind: str) -> bool:
        """Whether a rule of this kind asks about the document's content."""
        return any(rule.holds for rule in self._rules.get(kind, ()))

    def destinations(self, kind: str, document: Mapping[str, Any], before: frozenset[str]) -> list[str]:
        """Names of the destinations, in the order of hub.toml. `before` got an earlier version of this document."""
        found: dict[str, None] = {}
        for rule in self._rules.get(kind, ()):
            if rule.shops and document.get("shop") not in rule.shops:
                continue
            wanted = rule.holds is None or bool(rule.holds(document))
            for name in rule.to:
                if self._tenants[name] not in ("", document.get("tenant")):
                    continue
                if wanted or (rule.sticky and name in before):
                    found[name] = None
        return list(found)
