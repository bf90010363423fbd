"""What the answer of a plain HTTP service means: by its status, and by rules over status, headers and body.

The rules exist because many systems answer 200 with an error in the body.
"""

import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from xml.parsers.expat import ExpatError

import httpx
import xmltodict

from canonical import parse_json
from canonical.errors import NotAuthorised, NotUnderstood, Refusal, Refused, Unavailable

Search = Callable[[str, Any], Any]
"""Evaluates one JMESPath text over data. Raises one of SEARCH_ERRORS where it cannot."""
SEARCH_ERRORS = (ValueError, TypeError, ArithmeticError, LookupError, AttributeError, RecursionError)
"""What an evaluation raises on data: the library's errors, and Python's where the library does not look."""

KEPT = 2000
"""Characters of an answer that go into an error's evidence."""
THROTTLED = frozenset({425, 429})
OUTAGES = frozenset({408, *THROTTLED})


class Answers:
    """Reads the answers of one service. `secrets` are cut out of everything that is shown."""

    def __init__(self, search: Search, secrets: Iterable[str] = ()) -> None:
        self._search = search
        # Short ones are not cut out: "a" would shred every text, and is no secret.
        self._secrets = sorted({s for s in secrets if len(s) >= 4}, key=len, reverse=True)

    def view(self, response: httpx.Response) -> dict[str, Any]:
        """What rules look at: {status, headers (lower-case names), body (JSON or XML as data, else text)}."""
        headers = {k.lower(): v for k, v in response.headers.items()}
        return {"status": response.status_code, "headers": headers, "body": body_of(response)}

    def holds(self, name: str, rule: str, view: Mapping[str, Any], of: str = "") -> bool:
        """Whether a rule is there and true. Raises Refused (delivery.answer_rule) where it cannot be evaluated."""
        return bool(rule) and _true(self.value(name, rule, view, of))

    def value(self, name: str, rule: str, view: Mapping[str, Any], of: str = "") -> Any:
        """What a rule gives over the whole view, or over its part `of`. Raises as `holds` does."""
        try:
            return self._search(rule, view[of] if of else view)
        except SEARCH_ERRORS as error:
            raise Refused(
                f"the rule {name} cannot be evaluated on this answer",
                code="delivery.answer_rule",
                hint=f"Mend {name} in hub.toml so that it holds for every answer of this system, then replay.",
                evidence={"rule": name, "expression": rule, "why": self.clean(str(error)), **self.evidence(view)},
            ) from error

    def text(self, name: str, rule: str, view: Mapping[str, Any]) -> str:
        """What a rule gives as text, "" where it gives nothing: never a reason to fail."""
        try:
            found = self.value(name, rule, view) if rule else None
        except Refused:
            return ""
        return self.clean(str(found))[:200] if isinstance(found, str | int | float) else ""

    def failure(
        self, view: Mapping[str, Any], now: datetime, reason: str = "", otherwise: type[Refusal] = Refused
    ) -> Refusal:
        """The error that a status means; `otherwise` is the class of a status that says nothing."""
        status = int(view["status"])
        message = f"HTTP {status}" + (f": {reason}" if reason else "")
        evidence = self.evidence(view) | ({"reason": reason} if reason else {})
        if status in (401, 403):
            return NotAuthorised(message, evidence=evidence)
        if status in OUTAGES or status >= 500:
            return Unavailable(
                message,
                retry_after=retry_after(view["headers"], now),
                throttled=status in THROTTLED,
                evidence=evidence,
            )
        return otherwise(message, evidence=evidence)

    def evidence(self, view: Mapping[str, Any]) -> dict[str, Any]:
        """Status and the beginning of the answer, without our own secrets."""
        shown: dict[str, Any] = {"status": view["status"], "answer": self.clean(str(view["body"]))[:KEPT]}
        if 300 <= int(view["status"]) < 400:
            shown["location"] = self.clean(view["headers"].get("location", ""))[:KEPT]
        return shown

    def clean(self, text: str) -> str:
        """Text without our own secrets, which some systems repeat."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text


def body_of(response: httpx.Response) -> Any:
    """The body as data where it is JSON or XML, whatever its declared type says; else as text."""
    raw = response.content.strip()
    try:
        if raw[:1] == b"<":
            return xmltodict.parse(raw)
        return parse_json(raw) if raw else ""
    except (NotUnderstood, ExpatError, ValueError):
        return response.text


def must_be_taken(response: httpx.Response, name: str, later: Collection[int], hint: str) -> None:
    """Read the answer of a service that says HTTP 200 either way, and what it means by the code called `name`.

    Raises Unavailable for codes in `later` and for what is no such answer, Refused for all other codes but 0.
    """
    body = body_of(response)
    code = body.get(name) if isinstance(body, Mapping) else None
    if response.status_code != 200 or not isinstance(code, int):
        raise Unavailable(f"HTTP {response.status_code} without {name}", retry_after=60.0, code="alert.not_taken")
    said = next((str(body[key]) for key in ("errmsg", "msg", "StatusMessage") if body.get(key)), "")[:200]
    if code in later:
        raise Unavailable(f"{name} {code}: {said}", retry_after=60.0, code="alert.not_taken")
    if code != 0:
        raise Refused(f"{name} {code}: {said}", code="alert.refused", hint=hint)


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds from a Retry-After header, which is a number or an HTTP date; None where there is no usable one."""
    text = headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,3})?", text):
        return float(text)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, math.ceil((at - now).total_seconds()))


def seconds(value: Any) -> float | None:
    """A rule's result as a waiting time in seconds: a number, or text that is one."""
    if isinstance(value, bool) or not re.fullmatch(r"[0-9]{1,9}(\.[0-9]+)?", str(value)):
        return None
    return float(str(value))


def _true(value: Any) -> bool:
    """JMESPath's truth: false, null and everything empty are false; 0 is true."""
    return not (value is None or value is False or value in ("", [], {}))
