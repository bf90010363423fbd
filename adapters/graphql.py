"""Talking GraphQL: operations out of a .graphql file, answers whose errors come with status 200, costs in points.

Costs are told as Shopify and others do, in `extensions.cost`: what the query was charged, what the bucket holds, how
fast it refills. A query that does not fit right now is Unavailable until it does; one that never will is Refused.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from adapters.answers import retry_after
from adapters.port import Talk
from adapters.wire_json import number, text, typed
from canonical import parse_json
from canonical.errors import NotUnderstood, Refusal, Refused, Unavailable

TOO_DEAR = "wire.query_too_dear"
"""Code of the Refused for a query that costs more than there ever is: ask for less."""
_CAPITAL = re.compile(r"(?<!^)(?=[A-Z])")
_DEFINITION = re.compile(r"(?:query|mutation|fragment) (\w+)")
_SPREAD = re.compile(r"\.\.\.(\w+)")
_FULL = ("429", "THROTTLED")


class Operations:
    """The queries and mutations of a .graphql file: definitions parted by blank lines."""

    def __init__(self, path: Path) -> None:
        parts = path.read_text(encoding="utf-8").split("\n\n")
        self._parts = {found.group(1): part for part in parts if (found := _DEFINITION.match(part))}

    def text(self, name: str) -> str:
        """An operation with the fragments that it uses, directly or through others: what a server is sent."""
        names = [name]
        for known in names:
            spread = dict.fromkeys(_SPREAD.findall(self._parts[known]))
            names += [n for n in spread if n in self._parts and n not in names]
        return "\n".join(self._parts[known].strip() for known in names)


class GraphQL:
    """One endpoint. `answers` says what statuses and `extensions.code` mean; `long` names, for a field whose rows may
    not fit into one answer, the operation that asks for the rest by the id of the object that has them."""

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str],
        operations: Operations,
        answers: Mapping[str, type[Refusal]],
        long: Mapping[str, str],
    ) -> None:
        self._url, self._headers = url, dict(headers)
        self._operations, self._answers, self._long = operations, answers, long

    def ask(self, name: str, variables: Mapping[str, Any], now: datetime) -> Talk[dict[str, Any]]:
        """Run an operation; the `data` of its answer. Raises what its status, errors or userErrors mean."""
        sent = {"query": self._operations.text(name), "variables": variables}
        response = yield httpx.Request("POST", self._url, headers=self._headers, json=sent)
        data = answer_of(response, now, self._answers).get("data")
        if isinstance(data, dict):
            return data
        raise NotUnderstood(f"{name} was answered without data", hint="Look at the answer in the exchange log.")

    def complete(self, node: Any, now: datetime) -> Talk[None]:
        """Ask for the rows that did not fit into an object, and into the objects in its lists."""
        for name, value in typed(node, dict).items():
            if isinstance(value, list):
                for item in value:
                    yield from self.complete(item, now)
            elif name in self._long and isinstance(value, dict):
                yield from self._rest(node, name, now)

    def _rest(self, node: dict[str, Any], name: str, now: datetime) -> Talk[None]:
        rows = node[name]
        while (info := typed(rows.get("pageInfo"), dict)).get("hasNextPage") is True and text(info.get("endCursor")):
            variables = {"id": node.get("id"), "after": info["endCursor"]}
            data = yield from self.ask(self._long[name], variables, now)
            more = typed(typed(data.get("node"), dict).get(name), dict)
            rows["nodes"] = [*typed(rows.get("nodes"), list), *typed(more.get("nodes"), list)]
            rows["pageInfo"] = more.get("pageInfo")


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a platform's GraphQL differs from its REST, beyond connections and the spelling of names.

    `gid` is how global ids begin; `names` are fields called otherwise in REST (both in snake_case); the words in fields
    of `lower` are upper-case in GraphQL and lower-case in REST.
    """

    gid: str
    names: Mapping[str, str] = field(default_factory=dict)
    lower: frozenset[str] = frozenset()

    def rest(self, value: Any) -> Any:
        """An answer as REST would say it: connections as lists, names in snake_case, ids as numbers.

        >>> Dialect("gid://demo/").rest({"lineItems": {"nodes": [{"id": "gid://demo/LineItem/7", "isGift": True}]}})
        {'line_items': [{'id': '7', 'is_gift': True}]}
        """
        if isinstance(value, dict):
            if isinstance(value.get("nodes"), list):
                return [self.rest(node) for node in value["nodes"]]
            if isinstance(value.get("edges"), list):
                return [self.rest(typed(edge, dict).get("node")) for edge in value["edges"]]
            return dict(self._field(str(name), inner) for name, inner in value.items())
        if isinstance(value, list):
            return [self.rest(item) for item in value]
        if isinstance(value, str) and value.startswith(self.gid):
            return value.rpartition("/")[2].partition("?")[0]
        return value

    def _field(self, name: str, value: Any) -> tuple[str, Any]:
        plain = _CAPITAL.sub("_", name).lower()
        plain = self.names.get(plain, plain)
        word = value.lower() if plain in self.lower and isinstance(value, str) else value
        return plain, self.rest(word)


def answer_of(response: httpx.Response, now: datetime, answers: Mapping[str, type[Refusal]]) -> dict[str, Any]:
    """The JSON object of an answer. Raises what its status or its errors mean."""
    if not response.is_success:
        wait = retry_after({k.lower(): v for k, v in response.headers.items()}, now)
        raise refusal(str(response.status_code), answers, {"answer": response.text[:1000]}, wait)
    body = parse_json(response.content)
    if not isinstance(body, dict):
        raise NotUnderstood("the answer is no JSON object", hint="Look at the answer in the exchange log.")
    check(body, answers)
    return body


def check(body: Mapping[str, Any], answers: Mapping[str, type[Refusal]], told: str = "") -> None:
    """Raise what the errors inside of an answer mean, by their first code; `told` is the code where they have none."""
    for result in typed(body.get("data"), dict).values():
        if faults := typed(result, dict).get("userErrors"):
            raise Refused("the change is refused", evidence={"userErrors": faults})
    errors = body.get("errors") or body.get("error")
    if not errors:
        return
    first = typed(errors[0] if isinstance(errors, list) else None, dict)
    code = text(typed(first.get("extensions"), dict).get("code"))
    cost = typed(typed(body.get("extensions"), dict).get("cost"), dict)
    bucket, wanted = typed(cost.get("throttleStatus"), dict), number(cost.get("requestedQueryCost"))
    most, left, refill = (number(bucket.get(n)) for n in ("maximumAvailable", "currentlyAvailable", "restoreRate"))
    if code == "MAX_COST_EXCEEDED" or (code == "THROTTLED" and 0 < most < wanted):
        raise Refused("the query costs more than there ever is", code=TOO_DEAR, evidence={"cost": cost})
    wait = max(0.0, wanted - left) / refill if code == "THROTTLED" and refill else None
    raise refusal(code or told, answers, {"errors": errors, **({"cost": cost} if cost else {})}, wait)


def refusal(
    code: str, answers: Mapping[str, type[Refusal]], evidence: Mapping[str, Any], wait: float | None = None
) -> Refusal:
    """The error that a status or a code means: from 500 on an outage; what nobody told us of is refused."""
    means = answers.get(code) or (Unavailable if code.isdecimal() and int(code) >= 500 else Refused)
    message = f"the platform answers {code or 'with errors'}: {words(evidence)}".rstrip(": ")
    if means is Unavailable:
        return Unavailable(message, retry_after=wait, throttled=code in _FULL, evidence=evidence)
    return means(message, evidence=evidence)


def words(errors: Any) -> str:
    """The first text in errors of any shape: a text, a list, texts or lists by field.

    >>> words({"errors": {"order": ["is wrong"]}}), words({"errors": [{"message": "Throttled", "path": []}]})
    ('is wrong', 'Throttled')
    """
    if isinstance(errors, dict):
        told = errors.get("message") or errors.get("errors") or errors.get("error") or next(iter(errors.values()), "")
        return words(told)
    if isinstance(errors, list):
        return words(errors[0]) if errors else ""
    return text(errors)[:200]
