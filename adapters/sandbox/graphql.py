"""As much of GraphQL as a server needs that answers queries over plain data: parse a request, choose what it selects.

Operations, variables with defaults, arguments, aliases, fragments (named and inline), @include and @skip. A field that
the data does not have is an error, as on a real server: a query that asks for what does not exist must not pass here.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

_TOKEN = re.compile(
    r'[\s,\ufeff]+|\#[^\n]*|(?P<block>"""(?:.|\n)*?""")|(?P<string>"(?:\\.|[^"\\\n])*")'
    r"|(?P<number>-?\d+(?:\.\d+)?)|(?P<name>[_A-Za-z]\w*)|(?P<mark>\.\.\.|[{}()\[\]:!$@=|&])"
)


class QueryError(Exception):
    """The request cannot be answered; `code` is what a server puts into extensions.code."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.message, self.code = message, code


@dataclass(slots=True)
class Selected:
    """One field of a selection, or a fragment (`name` empty) on a type."""

    name: str
    alias: str = ""
    arguments: dict[str, Any] = field(default_factory=dict)
    selection: "list[Selected]" = field(default_factory=list)
    on: str = ""


@dataclass(frozen=True, slots=True)
class Variable:
    name: str


def parse(text: str, variables: Mapping[str, Any]) -> tuple[str, list[Selected]]:
    """The kind of the operation ("query" or "mutation") and its selection, variables filled in. Raises QueryError."""
    reader = _Reader(_tokens(text))
    operation: tuple[str, dict[str, Any], list[Selected]] | None = None
    while reader.more:
        if reader.peek == "fragment":
            reader.fragment()
        else:
            operation = operation or reader.operation()
    if operation is None:
        raise QueryError("no operation", "GRAPHQL_PARSE_FAILED")
    kind, defaults, selection = operation
    return kind, _filled(selection, {**defaults, **variables}, reader.fragments, 0)


def choose(selection: list[Selected], data: Any, what: str) -> Any:
    """What a selection takes from data; members that are functions are called with the field's arguments."""
    if isinstance(data, list):
        return [choose(selection, item, what) for item in data]
    if data is None:
        return None
    if not isinstance(data, dict):
        raise QueryError(f"Field of {what} can't have selections", "selectionMismatch")
    chosen: dict[str, Any] = {}
    for part in selection:
        if not part.name:
            if part.on in ("", data.get("__typename", part.on)):
                chosen |= choose(part.selection, data, what)
            continue
        if part.name not in data:
            raise QueryError(f"Field '{part.name}' doesn't exist on type '{what}'", "undefinedField")
        value = data[part.name]
        if callable(value):
            value = value(part.arguments)
        if isinstance(value, dict | list) and not part.selection and _has_objects(value):
            raise QueryError(f"Field '{part.name}' must have selections", "selectionMismatch")
        chosen[part.alias or part.name] = choose(part.selection, value, part.name) if part.selection else value
    return chosen


def cost(selection: list[Selected]) -> int:
    """Points of a query: an object 1, a connection 2 and its items, scalars and amounts of money nothing."""
    points = 0
    for part in selection:
        if not part.name:
            points += cost(part.selection)
        elif part.selection and not part.name.endswith("Set") and part.name != "pageInfo":
            size = part.arguments.get("first") or part.arguments.get("last")
            points += 2 + int(size) * (1 + _item_cost(part.selection)) if size else 1 + cost(part.selection)
    return points


def _item_cost(selection: list[Selected]) -> int:
    """One item of a connection, below nodes or edges and node."""
    inner = [p for p in selection if p.name in ("nodes", "edges", "node", "")]
    return sum(cost(p.selection) if p.name in ("nodes", "node") else _item_cost(p.selection) for p in inner)


def connection(items: list[dict[str, Any]]) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """A list as the connection that it is in GraphQL; `first` and `after` page through it."""

    def page(arguments: Mapping[str, Any]) -> dict[str, Any]:
        start = int(arguments.get("after") or 0)
        end = start + int(arguments.get("first") or len(items))
        edges = [{"node": item, "cursor": str(i + 1)} for i, item in enumerate(items)][start:end]
        return connected(edges, end < len(items))

    return page


def connected(edges: list[dict[str, Any]], more: bool) -> dict[str, Any]:
    """The answer of a connection."""
    info = {
        "hasNextPage": more,
        "hasPreviousPage": False,
        "startCursor": edges[0]["cursor"] if edges else None,
        "endCursor": edges[-1]["cursor"] if edges else None,
    }
    return {"edges": edges, "nodes": [e["node"] for e in edges], "pageInfo": info}


def _has_objects(value: dict[str, Any] | list[Any]) -> bool:
    return isinstance(value, dict) or any(isinstance(v, dict) for v in value)


def _tokens(text: str) -> list[str]:
    found, place = [], 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise QueryError(f"unexpected {text[place]!r}", "GRAPHQL_PARSE_FAILED")
        if match.lastgroup:
            found.append(match.group())
        place = match.end()
    return found


class _Reader:
    """Recursive descent over the tokens."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens, self._at = tokens, 0
        self.fragments: dict[str, list[Selected]] = {}

    @property
    def more(self) -> bool:
        return self._at < len(self._tokens)

    @property
    def peek(self) -> str:
        return self._tokens[self._at] if self.more else ""

    def take(self, expected: str = "") -> str:
        token = self.peek
        if not token or (expected and token != expected):
            raise QueryError(f"expected {expected or 'more'}, found {token or 'the end'}", "GRAPHQL_PARSE_FAILED")
        self._at += 1
        return token

    def operation(self) -> tuple[str, dict[str, Any], list[Selected]]:
        if self.peek == "{":
            return "query", {}, self.selection()
        kind, defaults = self.take(), {}
        if kind not in ("query", "mutation"):
            raise QueryError(f"unexpected {kind}", "GRAPHQL_PARSE_FAILED")
        if self.peek not in ("(", "{", "@"):
            self.take()
        if self.peek == "(":
            defaults = self._variables()
        self._directives()
        return kind, defaults, self.selection()

    def fragment(self) -> None:
        self.take("fragment")
        name = self.take()
        self.take("on")
        self.take()
        self._directives()
        self.fragments[name] = self.selection()

    def selection(self) -> list[Selected]:
        self.take("{")
        found = []
        while self.peek != "}":
            found.append(self._spread() if self.peek == "..." else self._field())
        self.take("}")
        return found

    def _spread(self) -> Selected:
        self.take("...")
        if self.peek == "on":
            self.take()
            on = self.take()
            return Selected("", on=on, arguments=self._directives(), selection=self.selection())
        if self.peek in ("{", "@"):
            return Selected("", arguments=self._directives(), selection=self.selection())
        return Selected("", alias=self.take(), arguments=self._directives())

    def _field(self) -> Selected:
        name, alias = self.take(), ""
        if self.peek == ":":
            self.take()
            alias, name = name, self.take()
        arguments = self._arguments() if self.peek == "(" else {}
        arguments |= self._directives()
        return Selected(name, alias, arguments, self.selection() if self.peek == "{" else [])

    def _arguments(self) -> dict[str, Any]:
        found = {}
        self.take("(")
        while self.peek != ")":
            name = self.take()
            self.take(":")
            found[name] = self._value()
        self.take(")")
        return found

    def _directives(self) -> dict[str, Any]:
        """@include(if:) and @skip(if:) as arguments of those names."""
        found = {}
        while self.peek == "@":
            self.take()
            name = self.take()
            given = self._arguments() if self.peek == "(" else {}
            found[f"@{name}"] = given.get("if", True)
        return found

    def _variables(self) -> dict[str, Any]:
        defaults = {}
        self.take("(")
        while self.peek != ")":
            self.take("$")
            name = self.take()
            self.take(":")
            while self.peek not in ("$", ")", "="):
                self.take()
            if self.peek == "=":
                self.take()
                defaults[name] = self._value()
        self.take(")")
        return defaults

    def _value(self) -> Any:
        token = self.take()
        if token == "$":  # noqa: S105  # a mark of the grammar
            return Variable(self.take())
        if token == "[":  # noqa: S105
            items = []
            while self.peek != "]":
                items.append(self._value())
            self.take("]")
            return items
        if token == "{":  # noqa: S105
            self._at -= 1
            return self._object()
        return _scalar(token)

    def _object(self) -> dict[str, Any]:
        found = {}
        self.take("{")
        while self.peek != "}":
            name = self.take()
            self.take(":")
            found[name] = self._value()
        self.take("}")
        return found


def _scalar(token: str) -> Any:
    if token.startswith('"""'):
        return token[3:-3].strip()
    if token.startswith('"'):
        return re.sub(r"\\(.)", r"\1", token[1:-1])
    if re.fullmatch(r"-?\d+", token):
        return int(token)
    return {"true": True, "false": False, "null": None}.get(token, token)


def _filled(
    selection: list[Selected], variables: Mapping[str, Any], fragments: Mapping[str, list[Selected]], depth: int
) -> list[Selected]:
    """Variables replaced, named fragments put in place, what @skip and @include leave out taken out."""
    if depth > 30:
        raise QueryError("the query is nested too deeply", "GRAPHQL_VALIDATION_FAILED")
    found = []
    for part in selection:
        arguments = {name: _value_of(value, variables) for name, value in part.arguments.items()}
        if arguments.pop("@include", True) is False or arguments.pop("@skip", False) is True:
            continue
        inner = part.selection
        if not part.name and part.alias:
            if part.alias not in fragments:
                raise QueryError(f"no fragment {part.alias}", "undefinedFragment")
            inner = fragments[part.alias]
        found.append(
            Selected(part.name, part.alias, arguments, _filled(inner, variables, fragments, depth + 1), part.on)
        )
    return found


def _value_of(value: Any, variables: Mapping[str, Any]) -> Any:
    if isinstance(value, Variable):
        return variables.get(value.name)
    if isinstance(value, list):
        return [_value_of(v, variables) for v in value]
    if isinstance(value, dict):
        return {k: _value_of(v, variables) for k, v in value.items()}
    return value
