"""Destination `http`: any system that takes a document over HTTP, as JSON or XML, by settings alone.

A push is signed by Standard Webhooks where there is a `secret`, and always carries the delivery's idempotency key,
the same on every attempt. What an answer means is told by its status, or by rules over the whole answer.
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

import httpx
import orjson
import xmltodict
from pydantic import AfterValidator, Field, SecretStr

from adapters import signing
from adapters.answers import Answers, Search, retry_after, seconds
from adapters.credentials import (
    Auth,
    HeaderName,
    HeaderValue,
    Section,
    check_key,
    fill,
    fill_all,
    header_text,
    secrets_in,
    url_with,
)
from adapters.port import Delivery, Receipt, Talk
from canonical.errors import HubError, InDoubt, NotAuthorised, Refused, Unavailable

_URLS_KEPT = 100
_NAMES = ("kind", "key", "subject", "shop", "tenant", "idempotency_key")
Url = Annotated[str, url_with(*_NAMES)]
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _whsec(secret: SecretStr | None) -> SecretStr | None:
    if secret:
        check_key(secret.get_secret_value())
    return secret


class LookUp(Section):
    """The request that asks whether a document has arrived."""

    url: Url = Field(
        min_length=1, description="address; may hold {key} {subject} {kind} {shop} {tenant} {idempotency_key}"
    )
    method: Literal["GET", "POST"] = Field("GET", description="GET or POST")
    body: dict[str, Any] | None = Field(None, description="JSON body of a POST; its texts may hold the same {names}")
    found_if: str = Field("", description="JMESPath over the answer: it is there; empty: any 2xx says so, 404 says no")
    reference: str = Field("", description="JMESPath over the answer: the destination's own number")


class HttpSettings(Section):
    """A destination over HTTP. Rules are JMESPath over {status, headers, body}."""

    url: Url = Field(
        min_length=1, description="address; may hold {kind} {key} {subject} {shop} {tenant} {idempotency_key}"
    )
    urls: dict[str, Url] = Field(default_factory=dict, description="addresses of single kinds, such as refund = ...")
    method: Literal["POST", "PUT", "PATCH"] = Field("POST", description="POST, PUT or PATCH")
    format: Literal["json", "xml"] = Field("json", description="how the body is written")
    secret: Annotated[SecretStr | None, AfterValidator(_whsec)] = Field(
        None, description="signs each push by Standard Webhooks (whsec_...); webhook-id is the idempotency key"
    )
    idempotency_header: HeaderName | Literal[""] = Field(
        "Idempotency-Key", description="header that carries the idempotency key; empty: none"
    )
    auth: Auth | None = Field(None, description="one of bearer, basic, header, hmac")
    headers: dict[HeaderName, HeaderValue] = Field(default_factory=dict, description="further headers of every request")
    auth_if: str = Field("", description="rule: our credentials are not accepted (the destination is paused)")
    retry_if: str = Field("", description="rule: an outage or a limit; the delivery is tried again")
    duplicate_if: str = Field("", description="rule: it was there already, which is success")
    ok_if: str = Field("", description="rule: it is accepted; empty: any 2xx. An answer that no rule takes is refused")
    retry_after: str = Field("", description="JMESPath: seconds to wait, where the answer says so in its body")
    reference: str = Field("", description="JMESPath: the destination's own number of the document")
    reason: str = Field("", description="JMESPath: its own word for why not; a code is best, letters group by it")
    look_up: LookUp | None = Field(None, description="the request that asks whether a document has arrived")


class Http:
    """One configured destination. `search` evaluates a JMESPath text over data."""

    title: ClassVar[str] = "HTTP (JSON or XML)"
    Settings: ClassVar[type[HttpSettings]] = HttpSettings
    uses_expressions: ClassVar[bool] = True
    can_look_up: bool = True

    def __init__(self, settings: HttpSettings, search: Search) -> None:
        self._settings = settings
        self._answers = Answers(search, secrets_in(settings))
        self.can_look_up = settings.look_up is not None
        self._headers = {name: value.get_secret_value() for name, value in settings.headers.items()}
        self._typed = any(name.lower() == "content-type" for name in self._headers)
        self._urls: dict[str, httpx.URL] = {}

    @property
    def expressions(self) -> dict[str, str]:
        """Every JMESPath text in the settings by its key, for the check at start-up."""
        names = ("auth_if", "retry_if", "duplicate_if", "ok_if", "retry_after", "reference", "reason")
        found = {n: getattr(self._settings, n) for n in names}
        if self._settings.look_up:
            found |= {f"look_up.{n}": getattr(self._settings.look_up, n) for n in ("found_if", "reference")}
        return {n: text for n, text in found.items() if text}

    def push(self, delivery: Delivery, now: datetime) -> Talk[Receipt]:
        """Send one document."""
        settings, answers = self._settings, self._answers
        url = fill(settings.urls.get(delivery.kind, settings.url), _values(delivery))
        media_type = "application/json" if settings.format == "json" else "application/xml; charset=utf-8"
        body = _encode(delivery, settings.format)
        view = answers.view((yield self._request(settings.method, url, body, media_type, delivery, now)))
        with self._status_first(view, now):
            self._stop_if_told(view, now)
            duplicate = answers.holds("duplicate_if", settings.duplicate_if, view)
            accepted = duplicate or self._accepted(view)
        if accepted:
            return Receipt(answers.text("reference", settings.reference, view), already_there=duplicate)
        raise self._failure(view, now)

    def look_up(self, delivery: Delivery, now: datetime) -> Talk[Receipt | None]:
        """Ask whether the destination has the document."""
        asked, answers = self._settings.look_up, self._answers
        if asked is None:
            return None
        values = _values(delivery)
        body = b"" if asked.body is None else orjson.dumps(fill_all(asked.body, values))
        url = fill(asked.url, values)
        view = answers.view((yield self._request(asked.method, url, body, "application/json", delivery, now)))
        error = answers.failure(view, now)
        if not _ok(view) and not isinstance(error, Refused):
            raise error
        with self._status_first(view, now):
            self._stop_if_told(view, now)
            found = _ok(view) if not asked.found_if else answers.holds("look_up.found_if", asked.found_if, view)
        if found:
            return Receipt(answers.text("look_up.reference", asked.reference, view), already_there=True)
        if _ok(view) or view["status"] == 404:
            return None
        raise error

    def _request(
        self, method: str, url: str, body: bytes, media_type: str, delivery: Delivery, now: datetime
    ) -> httpx.Request:
        settings = self._settings
        key = header_text(delivery.idempotency_key)
        headers = dict(self._headers)
        if body and not self._typed:
            headers["Content-Type"] = media_type
        if settings.idempotency_header:
            headers[settings.idempotency_header] = key
        if settings.auth:
            headers.update(settings.auth.headers(body))
        if settings.secret:
            stamp = int(now.timestamp())
            signature = signing.standard_webhooks(settings.secret.get_secret_value(), key, stamp, body)
            headers.update({"webhook-id": key, "webhook-timestamp": str(stamp), "webhook-signature": signature})
        return _whole(method, self._parsed(url), headers, body)

    def _parsed(self, url: str) -> httpx.URL:
        """Parsing an address costs as much as sending a small request; one that is always the same is parsed once."""
        if url not in self._urls:
            if len(self._urls) >= _URLS_KEPT:
                self._urls.clear()
            self._urls[url] = httpx.URL(url)
        return self._urls[url]

    def _accepted(self, view: Mapping[str, Any]) -> bool:
        rule = self._settings.ok_if
        return self._answers.holds("ok_if", rule, view) if rule else _ok(view)

    def _stop_if_told(self, view: Mapping[str, Any], now: datetime) -> None:
        settings, answers = self._settings, self._answers
        reason = answers.text("reason", settings.reason, view)
        if answers.holds("auth_if", settings.auth_if, view):
            raise NotAuthorised(f"the answer says so (auth_if) {reason}".strip(), evidence=answers.evidence(view))
        if answers.holds("retry_if", settings.retry_if, view):
            told = answers.value("retry_after", settings.retry_after, view) if settings.retry_after else None
            raise Unavailable(
                f"the answer says so (retry_if) {reason}".strip(),
                retry_after=retry_after(view["headers"], now) if told is None else seconds(told),
                evidence=answers.evidence(view),
            )

    def _failure(self, view: Mapping[str, Any], now: datetime) -> HubError:
        if view["status"] == 504 and self.can_look_up:
            # A gateway gave up waiting; the system behind it may still have taken the document.
            return InDoubt("HTTP 504: the answer came too late for a gateway", evidence=self._answers.evidence(view))
        return self._answers.failure(view, now, self._answers.text("reason", self._settings.reason, view))

    @contextmanager
    def _status_first(self, view: Mapping[str, Any], now: datetime) -> Iterator[None]:
        """A gateway's error page breaks rules written for the system behind it: then its status decides."""
        try:
            yield
        except Refused as broken_rule:
            error = self._failure(view, now)
            raise (broken_rule if isinstance(error, Refused) else error) from broken_rule


def _whole(method: str, url: httpx.URL, headers: Mapping[str, str], body: bytes) -> httpx.Request:
    """A request with all its headers: httpx adds missing ones one by one, which is half of what making one costs."""
    length = {"Content-Length": str(len(body))} if body or method in ("POST", "PUT", "PATCH") else {}
    host = {} if any(name.lower() == "host" for name in headers) else {"Host": url.netloc.decode("ascii")}
    request = httpx.Request(method, url, headers={**host, **headers, **length}, stream=httpx.ByteStream(body))
    request.read()
    return request


def _ok(view: Mapping[str, Any]) -> bool:
    return 200 <= int(view["status"]) < 300


def _values(delivery: Delivery) -> dict[str, str]:
    return {name: getattr(delivery, name) for name in _NAMES}


def _encode(delivery: Delivery, form: str) -> bytes:
    """The body's bytes. Raises Refused where a mapping made something that the format cannot hold."""
    try:
        if form == "xml":
            return xmltodict.unparse({delivery.root: _xml(delivery.body)}).encode()
        try:
            return orjson.dumps(delivery.body)
        except TypeError:  # integers beyond 64 bits and lone surrogates: slower, and exact
            return json.dumps(delivery.body, separators=(",", ":"), allow_nan=False).encode()
    except (ValueError, TypeError, RecursionError) as error:
        raise Refused(
            f"the body cannot be written as {form}: {error}",
            code="delivery.body",
            hint="Mend the destination's mapping so that it gives plain data (and one root element), then replay.",
        ) from error


def _xml(value: Any) -> Any:
    """Data as xmltodict writes it well: text without what XML forbids, booleans as words, null as an empty element."""
    if isinstance(value, dict):
        return {k: _xml(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_xml(v) for v in value]
    if isinstance(value, bool):
        return "true" if value else "false"
    return None if value is None else _NOT_XML.sub("\ufffd", str(value))


ADAPTER = Http
