"""Signature recipes as pure functions over bytes and text, and their comparison in constant time.

Each recipe is proven by vectors made with independent client libraries (tests/fixtures/signing/).
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from typing import Any

from canonical.errors import SignatureRejected

_DIGESTS = {"hmac": "md5", "hmac-md5": "md5", "hmac-sha256": "sha256"}


def same(given: str | None, expected: str) -> bool:
    """Compare two signatures without telling by the time it takes where they differ. Nothing equals an empty one."""
    return hmac.compare_digest((given or "").strip().encode(errors="replace"), expected.encode()) and bool(expected)


def hmac_hex(secret: str | bytes, message: bytes, digest: str = "sha256") -> str:
    """Lower-case hex HMAC."""
    return hmac.new(_bytes(secret), message, digest).hexdigest()


def hmac_base64(secret: str | bytes, message: bytes, digest: str = "sha256") -> str:
    """Base64 HMAC, as Shopify (X-Shopify-Hmac-Sha256) and WooCommerce send it."""
    return base64_text(hmac.new(_bytes(secret), message, digest).digest())


def base64_text(value: bytes) -> str:
    """Standard base64 on one line."""
    return base64.b64encode(value).decode()


def top(secret: str, params: Mapping[str, str], method: str = "md5", body: bytes = b"") -> str:
    """Taobao TOP, JD JOS and Qimen: names sorted by byte order, name+value joined raw, upper-case hex.

    `method` is md5 (secret before and after), hmac (HMAC-MD5) or hmac-sha256. Empty names and values are left out.
    `body` is Qimen's: the raw request body, after the parameters. Qimen's callbacks are signed the same way.
    """
    text = "".join(f"{k}{v}" for k, v in sorted(params.items(), key=lambda i: i[0].encode()) if k and v and k != "sign")
    signed = text.encode() + body
    if method == "md5":
        whole = secret.encode() + signed + secret.encode()
        return hashlib.md5(whole).hexdigest().upper()  # noqa: S324  # the platform's rule
    return hmac.new(secret.encode(), signed, _DIGESTS[method]).hexdigest().upper()


def sorted_json(value: Any) -> str:
    """JSON with keys sorted at every level, no spaces, no escaping beyond JSON's own (Douyin's param_json)."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def douyin(secret: str, app_key: str, method: str, param_json: str, timestamp: str, sign_method: str) -> str:
    """Douyin open platform requests: lower-case hex over secret + fixed parameter order + secret."""
    text = f"{secret}app_key{app_key}method{method}param_json{param_json}timestamp{timestamp}v2{secret}"
    if sign_method == "md5":
        return hashlib.md5(text.encode()).hexdigest()  # noqa: S324  # the platform's rule
    return hmac_hex(secret, text.encode())


def douyin_push(secret: str, app_key: str, raw: bytes) -> str:
    """Douyin push header event-sign: MD5 over app key, raw body and secret, lower-case hex."""
    return hashlib.md5(app_key.encode() + raw + secret.encode()).hexdigest()  # noqa: S324  # the platform's rule


def douyin_spi(secret: str, app_key: str, param_json: str, timestamp: str, sign_method: str) -> str:
    """Douyin SPI, where the platform calls us: lower-case hex, param_json sorted at every level."""
    text = f"{secret}app_key{app_key}param_json{param_json}timestamp{timestamp}{secret}"
    if sign_method == "md5":
        return hashlib.md5(text.encode()).hexdigest()  # noqa: S324  # the platform's rule
    return hmac_hex(secret, text.encode())


def shopify_query(secret: str, params: Mapping[str, str | list[str]]) -> str:
    """Shopify's OAuth redirect and app proxy: hex HMAC-SHA256 over the sorted query without hmac and signature."""

    def pair(name: str, value: str | list[str]) -> str:
        # Rails' rules: ids[]=2&ids[]=1 is signed as ids=["2", "1"], and delimiters inside are escaped.
        text = value if isinstance(value, str) else json.dumps([str(v) for v in value])
        name = name.removesuffix("[]").replace("%", "%25").replace("=", "%3D")
        return f"{name}={text.replace('%', '%25')}".replace("&", "%26")

    pairs = sorted(pair(k, v) for k, v in params.items() if k not in ("hmac", "signature"))
    return hmac_hex(secret, "&".join(pairs).encode())


def standard_webhooks_key(secret: str) -> bytes:
    """The key inside a Standard Webhooks secret: base64 after the `whsec_` prefix. Raises ValueError."""
    key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    if not key:
        raise ValueError("the secret is empty")
    return key


def standard_webhooks(secret: str, message_id: str, timestamp: int, raw: bytes) -> str:
    """One `webhook-signature` entry: v1,<base64 HMAC-SHA256 of id.timestamp.body>."""
    signed = f"{message_id}.{timestamp}.".encode(errors="replace") + raw
    return "v1," + hmac_base64(standard_webhooks_key(secret), signed)


def verify_standard_webhooks(
    secrets: Iterable[str], headers: Mapping[str, str], raw: bytes, now: float, tolerance: float = 300
) -> None:
    """Standard Webhooks: any of several signatures against any of several secrets (rotation), time within tolerance.

    `now` and `tolerance` are seconds. Raises SignatureRejected.
    """
    message_id, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    given = headers.get("webhook-signature", "").split()
    if not message_id or not stamp or not given:
        raise SignatureRejected("webhook-id, webhook-timestamp or webhook-signature is missing")
    check_time(stamp, now, tolerance, "webhook-timestamp")
    expected = [standard_webhooks(s, message_id, int(stamp), raw) for s in secrets]
    if not any(same(g, e) for g in given for e in expected):
        raise SignatureRejected("webhook-signature does not match the body")


def check_time(stamp: str, now: float, tolerance: float, name: str = "timestamp") -> None:
    """A signed time in epoch seconds or milliseconds must lie within `tolerance` seconds of `now`, either way.

    Raises SignatureRejected with code wire.timestamp.
    """
    if not (stamp.isascii() and stamp.isdecimal() and len(stamp) <= 13):
        raise SignatureRejected(f"{name} is not a time in epoch seconds or milliseconds", code="wire.timestamp")
    seconds = int(stamp) / 1000 if len(stamp) > 11 else int(stamp)
    if abs(now - seconds) > tolerance:
        raise SignatureRejected(f"{name} lies outside the accepted window", code="wire.timestamp")


def _bytes(secret: str | bytes) -> bytes:
    return secret if isinstance(secret, bytes) else secret.encode()
