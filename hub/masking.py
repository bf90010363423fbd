"""What must not be in a log line, by the names of fields and by the looks of their values."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

MASK = "***"
_DEEP = 6
"""Levels of nesting that are looked into; what lies deeper is left out."""

_SECRET = frozenset(
    [
        "token",
        "tokens",
        "secret",
        "secrets",
        "password",
        "passwd",
        "pwd",
        "authorization",
        "cookie",
        "credential",
        "credentials",
        "apikey",
        "session",
        "sessionkey",
        "signature",
        "sign",
        "hmac",
        "private",
        "bearer",
    ]
)
_PERSONAL = frozenset(
    [
        "phone",
        "mobile",
        "tel",
        "telephone",
        "email",
        "mail",
        "address",
        "addresses",
        "street",
        "recipient",
        "receiver",
        "consignee",
        "buyer",
        "customer",
        "nickname",
        "nick",
        "realname",
        "fullname",
        "firstname",
        "lastname",
        "username",
        "idcard",
        "passport",
        "birthday",
    ]
)
_PERSONAL_INSIDE = frozenset({"name"})
"""Names that mean a person inside a record, and the hub's own things (a shop, a destination) on the line itself."""
_OURS = frozenset(
    [
        "time",
        "level",
        "event",
        "logger",
        "order",
        "subject",
        "key",
        "shop",
        "destination",
        "delivery",
        "message",
        "letter",
        "document",
        "incident",
        "id",
        "kind",
        "channel",
        "number",
        "code",
        "loop",
    ]
)
"""Fields of a line that hold the hub's own ids and words: an order number may look like a phone's."""

_NAMES = r"(?:[\w-]*token|[\w-]*secret|passw(?:or)?d|authorization|sign(?:ature)?|session(?:_?key)?|api_?key|hmac)"

_TEXT: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\[parameters: .*", re.S), "[parameters left out]"),
    (re.compile(r"(?m)^DETAIL: .*$"), "DETAIL: left out"),
    (re.compile(r"(?i)\b(Bearer|Basic)\s+[\w.~+/=-]{6,}"), r"\1 ***"),
    (re.compile(r"\bwhsec_[\w+/=-]+"), "whsec_***"),
    (re.compile(r"\bhub_[\w-]{43}(?![\w-])"), "hub_***"),
    (re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*"), "***"),
    (re.compile(r"://[^/\s:@]*:[^/\s@]*@"), "://***@"),
    (re.compile(rf"(?i)({_NAMES}[\"']?\s*=\s*[\"']?)[^\"'&,\s}}]+"), r"\1***"),
    (re.compile(rf"(?i)([\"']{_NAMES}[\"']\s*:\s*[\"'])[^\"']+"), r"\1***"),
    (re.compile(rf"(?i)({_NAMES}[\"']?\s*:\s*[\"']?)(?=[^\"'&,\s}}]*[\d+/=])[^\"'&,\s}}]{{6,}}"), r"\1***"),
    (re.compile(r"[\w.+-]+@(?:[\w-]+\.)+\w+"), "***@***"),
    (re.compile(r"(?<![\w.])(?:\+?86[- ]?)?1[3-9]\d[- ]?\d{4}[- ]?\d{4}(?![\w.])"), MASK),
    (re.compile(r"(?<![\w.])\+\d[\d ()-]{7,16}\d(?!\w)"), MASK),
)

_SUSPICIOUS = re.compile(
    r"(?i)parameters: |DETAIL: |bearer|basic|whsec_|hub_|eyJ|@|token|secret|passw|authorization|sign|session|api_?key"
    r"|hmac|\d{3}[- ]?\d{4}|\+\d"
)
"""Without any of these there is nothing to mask: one look instead of thirteen at what is most often short and plain."""


def mask_fields(event: Mapping[str, Any]) -> dict[str, Any]:
    """A line's fields without secrets and personal data."""
    return {
        name: value if name in _OURS and name != "event" else _masked(name, value, 0) for name, value in event.items()
    }


def mask_text(text: str) -> str:
    """Free text without what looks like a secret, a phone number or an e-mail address."""
    if _SUSPICIOUS.search(text):
        for pattern, instead in _TEXT:
            text = pattern.sub(instead, text)
    return text


def is_sensitive(name: str) -> bool:
    """Whether a field of this name inside a record holds, by its name, a secret or personal data.

    >>> [is_sensitive(name) for name in ("receiver_mobile", "app_secret", "status")]
    [True, True, False]
    """
    return _hidden(name, 1)


def _masked(name: str, value: Any, depth: int) -> Any:
    if value is None or value == "" or isinstance(value, bool):
        return value
    if name and _hidden(name, depth):
        return MASK
    if isinstance(value, Mapping):
        return MASK if depth >= _DEEP else {str(k): _masked(str(k), v, depth + 1) for k, v in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return MASK if depth >= _DEEP else [_masked("", v, depth + 1) for v in value]
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    if isinstance(value, int):
        return MASK if re.fullmatch(r"1[3-9]\d{9}", str(value)) else value
    if isinstance(value, float):
        return value
    return mask_text(str(value))


@lru_cache(maxsize=4096)
def _hidden(name: str, depth: int) -> bool:
    words = re.findall(r"[a-z0-9]+", re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower())
    known = {*words, "".join(words)}
    return bool(known & _SECRET or known & _PERSONAL or (depth and known & _PERSONAL_INSIDE))
