"""How two systems prove to each other who they are over plain HTTP, as settings: logins, signatures, addresses."""

import re
import string
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any, Literal
from urllib.parse import quote

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator

from adapters import signing
from canonical.errors import SignatureRejected


def fill(template: str, values: Mapping[str, str]) -> str:
    """A URL from its template. Values are quoted, so that a key with a slash cannot leave its place."""
    if "{" not in template:
        return template
    return template.format_map({k: quote(v, safe="") for k, v in values.items()})


def fill_all(template: Any, values: Mapping[str, str]) -> Any:
    """The same for a whole body: every text in it is a template, values go in as they are."""
    if isinstance(template, str):
        return template.format_map(values)
    if isinstance(template, dict):
        return {k: fill_all(v, values) for k, v in template.items()}
    if isinstance(template, list):
        return [fill_all(v, values) for v in template]
    return template


def url_with(*names: str) -> AfterValidator:
    """A validator for http(s) addresses that may hold these {names}."""

    def check(text: str) -> str:
        if text and not re.match(r"https?://[^/\s]", text):
            raise ValueError(f"{text!r} is not an http(s) address")
        found = {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}
        unknown = sorted(found - set(names))
        if unknown:
            known = ", ".join(f"{{{n}}}" for n in names) or "none"
            raise ValueError(f"unknown {{{unknown[0]}}} in the address; known: {known}")
        return text

    return AfterValidator(check)


def _header_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name):
        raise ValueError(f"{name!r} is not a header name")
    return name


def _header_value(value: SecretStr) -> SecretStr:
    if not re.fullmatch(r"[\x20-\x7e]*", value.get_secret_value()):
        raise ValueError("a header's value takes printable ASCII only")
    return value


HeaderName = Annotated[str, AfterValidator(_header_name)]
HeaderValue = Annotated[SecretStr, AfterValidator(_header_value)]


def header_text(text: str) -> str:
    """Any text as a header's value: what HTTP cannot carry is percent-encoded."""
    return quote(text, safe=" !\"#$&'()*+,/:;<=>?@[\\]^`{|}")


class Section(BaseModel):
    """A table of settings: unknown keys are refused, nothing changes after the start."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Basic(Section):
    """User and password."""

    user: str = Field(description="user name")
    password: SecretStr = Field(description="password")


class Header(Section):
    """A key in a header of its own."""

    name: HeaderName = Field(description="header, such as X-Api-Key")
    value: HeaderValue = Field(description="the key")


class Hmac(Section):
    """HMAC-SHA256 over the body."""

    secret: SecretStr = Field(description="shared secret")
    header: HeaderName = Field("X-Signature", description="header that carries it")
    encoding: Literal["hex", "base64"] = Field("hex", description="hex (lower case) or base64")
    prefix: str = Field("", description='text before the value, such as "sha256="')


class Auth(Section):
    """How requests prove who sends them: exactly one of these."""

    bearer: HeaderValue | None = Field(None, description="token of `Authorization: Bearer`")
    basic: Basic | None = Field(None, description="{user, password}")
    header: Header | None = Field(None, description="{name, value}: a key in a header")
    hmac: Hmac | None = Field(None, description="{secret, header, encoding, prefix}: HMAC-SHA256 over the body")

    @model_validator(mode="after")
    def _one(self) -> "Auth":
        if len([v for v in (self.bearer, self.basic, self.header, self.hmac) if v]) != 1:
            raise ValueError("give exactly one of bearer, basic, header, hmac")
        return self

    def headers(self, body: bytes) -> dict[str, str]:
        """The headers that this login adds to a request."""
        if self.bearer:
            return {"Authorization": f"Bearer {self.bearer.get_secret_value()}"}
        if self.basic:
            pair = f"{self.basic.user}:{self.basic.password.get_secret_value()}".encode()
            return {"Authorization": f"Basic {signing.base64_text(pair)}"}
        if self.header:
            return {self.header.name: self.header.value.get_secret_value()}
        assert self.hmac  # noqa: S101  # _one says so
        make = signing.hmac_hex if self.hmac.encoding == "hex" else signing.hmac_base64
        return {self.hmac.header: self.hmac.prefix + make(self.hmac.secret.get_secret_value(), body)}


_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def _seconds(value: object) -> object:
    """ "5m" as seconds; numbers stay."""
    match = re.fullmatch(r"(\d+)\s*([smhd])", str(value).strip())
    return int(match[1]) * _UNITS[match[2]] if match else value


Span = Annotated[float, BeforeValidator(_seconds)]
"""Seconds, or a number with its unit: 30m, 24h, 7d."""


def check_key(secret: str) -> None:
    """A Standard Webhooks secret as it should be. Raises ValueError that does not show it."""
    try:
        signing.standard_webhooks_key(secret)
    except ValueError:
        raise ValueError("not a Standard Webhooks secret: whsec_ and base64 (openssl rand -base64 32)") from None


class Signature(Section):
    """How a push proves its sender."""

    scheme: Literal["standard-webhooks", "hmac-sha256-hex", "hmac-sha256-base64", "token"] = Field(
        description="standard-webhooks, hmac-sha256-hex, hmac-sha256-base64, or token (a fixed text in a header)"
    )
    secret: SecretStr | None = Field(None, description="shared secret; whsec_... for standard-webhooks")
    secrets: tuple[SecretStr, ...] = Field((), description="several, all accepted: while one replaces another")
    header: HeaderName = Field("X-Signature", description="hmac and token: the header that carries it")
    prefix: str = Field("", description='text before the value in that header, such as "sha256=" or "Bearer "')
    timestamp_header: HeaderName | Literal[""] = Field("", description="hmac: header with the time, epoch s or ms")
    tolerance: Span = Field(300, gt=0, description="how far the time may lie from now, such as 5m")
    signed: str = Field(
        "", description="hmac: what is signed; empty: {body}, or {timestamp}.{body} where there is a timestamp_header"
    )

    @model_validator(mode="after")
    def _complete(self) -> "Signature":
        if not self.accepted:
            raise ValueError("a signature needs secret or secrets, not empty")
        if self.scheme == "standard-webhooks":
            for secret in self.accepted:
                check_key(secret)
        if self.signed and "{body}" not in self.signed:
            raise ValueError("signed must hold {body}")
        if self.signed and self.timestamp_header and "{timestamp}" not in self.signed:
            raise ValueError("signed must hold {timestamp}: a time that is not signed proves nothing")
        return self

    @property
    def accepted(self) -> list[str]:
        """Every secret that is accepted now."""
        given = [*([self.secret] if self.secret else []), *self.secrets]
        return [s.get_secret_value() for s in given if s.get_secret_value()]

    def check(self, headers: Mapping[str, str], raw: bytes, now: datetime) -> None:
        """Prove the sender over the raw bytes; header names are lower-case. Raises SignatureRejected."""
        if self.scheme == "standard-webhooks":
            signing.verify_standard_webhooks(self.accepted, headers, raw, now.timestamp(), self.tolerance)
            return
        name, prefix = self.header.lower(), self.prefix.strip()
        given = headers.get(name, "").strip()
        if not given or not given.startswith(prefix):
            raise SignatureRejected(f"{name} is missing, or does not begin as configured")
        given = given.removeprefix(prefix).strip()
        expected = self._expected(headers, raw, now)
        given = given.lower() if self.scheme == "hmac-sha256-hex" else given
        if not any(signing.same(given, e) for e in expected):
            raise SignatureRejected(f"{name} does not match")

    def _expected(self, headers: Mapping[str, str], raw: bytes, now: datetime) -> list[str]:
        if self.scheme == "token":
            return self.accepted
        stamp = ""
        if self.timestamp_header:
            name = self.timestamp_header.lower()
            stamp = headers.get(name, "").strip()
            signing.check_time(stamp, now.timestamp(), self.tolerance, name)
        template = self.signed or ("{timestamp}.{body}" if self.timestamp_header else "{body}")
        before, _, after = template.replace("{timestamp}", stamp).partition("{body}")
        message = before.encode() + raw + after.encode()
        make = signing.hmac_hex if self.scheme == "hmac-sha256-hex" else signing.hmac_base64
        return [make(secret, message) for secret in self.accepted]


def secrets_in(settings: Any) -> Iterator[str]:
    """Every secret in a tree of settings, as plain text: what must never be shown."""
    if isinstance(settings, SecretStr):
        yield settings.get_secret_value()
    elif isinstance(settings, BaseModel):
        for name in type(settings).model_fields:
            yield from secrets_in(getattr(settings, name))
    elif isinstance(settings, Mapping):
        for value in settings.values():
            yield from secrets_in(value)
    elif isinstance(settings, list | tuple):
        for value in settings:
            yield from secrets_in(value)
