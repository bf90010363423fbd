"""How a request to a plain JSON service is made by settings: its parameters, secrets, token and signature."""

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, Self

import httpx
from pydantic import Field, SecretStr, model_validator

from adapters.credentials import Auth, HeaderName, HeaderValue, Section, url_with
from canonical.errors import NotAuthorised

Params = Mapping[str, str | int | bool]


class Sign(Section):
    """A digest over some of the parameters, sent as one more of them."""

    param: str = Field("sign", description="parameter that carries the signature")
    text: str = Field(description="what is signed, with {secret} and the parameters' {names}")
    secret: SecretStr = Field(description="the app's secret; never sent")
    digest: Literal["md5", "sha1", "sha256"] = Field("md5", description="md5, sha1 or sha256, as hex")
    upper: bool = Field(False, description="whether the hex is in capitals")
    time_param: str = Field("timestamp", description="parameter with the time in epoch seconds, as text; empty: none")

    @model_validator(mode="after")
    def _covers(self) -> Self:
        if "{secret}" not in self.text:
            raise ValueError("text must hold {secret}: without it anybody could sign")
        return self

    def signed(self, params: Params, now: datetime) -> dict[str, str | int | bool]:
        """The parameters with their time and signature. A name that is no parameter counts as empty."""
        sent = dict(params)
        if self.time_param:
            sent[self.time_param] = str(int(now.timestamp()))
        known = {**{name: str(value) for name, value in sent.items()}, "secret": self.secret.get_secret_value()}
        text = re.sub(r"\{([\w.]+)\}", lambda found: known.get(found[1], ""), self.text)
        value = hashlib.new(self.digest, text.encode()).hexdigest()
        return {**sent, self.param: value.upper() if self.upper else value}


class Asking(Section):
    """What every request of one kind carries."""

    method: Literal["GET", "POST"] = Field("GET", description="GET (parameters in the query) or POST (as JSON)")
    params: dict[str, str | int | bool] = Field(
        default_factory=dict, description="further parameters, always sent; in JSON a name like a.b goes into an object"
    )
    secrets: dict[str, SecretStr] = Field(
        default_factory=dict, description="further parameters that are secret; {access_token} is the shop's"
    )
    query: dict[str, SecretStr] = Field(
        default_factory=dict, description="the same, but in the address with POST too: access_token = ..."
    )
    headers: dict[HeaderName, HeaderValue] = Field(default_factory=dict, description="further headers")
    auth: Auth | None = Field(None, description="one of bearer, basic, header, hmac")
    sign: Sign | None = Field(None, description="{text, secret, param, digest, upper, time_param}: a signed request")

    def request(self, url: str, params: Params, tokens: Mapping[str, str], now: datetime) -> httpx.Request:
        """The whole request. `tokens` fill {access_token} and {refresh_token} in secrets and query.

        Raises NotAuthorised where one is asked for and empty: the hub then renews the shop's token.
        """
        sent = {**self.params, **params, **_filled(self.secrets, tokens)}
        if self.sign:
            sent = self.sign.signed(sent, now)
        headers = httpx.Headers({"Accept": "application/json"})
        headers.update({name: value.get_secret_value() for name, value in self.headers.items()})
        body = b""
        if self.method == "POST":
            body = json.dumps(nested(sent)).encode()
            headers["Content-Type"] = "application/json"
        if self.auth:
            headers.update(self.auth.headers(body))
        added = {**(sent if self.method == "GET" else {}), **_filled(self.query, tokens)}
        return httpx.Request(self.method, httpx.URL(url).copy_merge_params(added), headers=headers, content=body)


class Token(Asking):
    """How the shop's access token is renewed, for `access_token` and `refresh_token` of the shop."""

    method: Literal["GET", "POST"] = Field("POST", description="GET (parameters in the query) or POST (as JSON)")
    url: Annotated[str, url_with()] = Field(min_length=1, description="address that gives tokens")
    ok_if: str = Field("", description="rule over {status, headers, body}: a good answer; empty: any 2xx")
    access_token: str = Field("access_token", description="JMESPath over the answer: the new token")
    refresh_token: str = Field("", description="JMESPath: the new refresh token, where there is one")
    expires_in: str = Field(
        "expires_in", description="JMESPath: seconds that it lives, or the epoch (s, ms) of its end"
    )

    def ends(self, value: Any, now: datetime) -> datetime | None:
        """When a token ends: numbers beyond ten years are an instant, not a life."""
        if isinstance(value, bool) or not re.fullmatch(r"[0-9]{1,13}", str(value)):
            return None
        number = int(value)
        if number > 10**11:
            return datetime.fromtimestamp(number / 1000, now.tzinfo)
        return datetime.fromtimestamp(number, now.tzinfo) if number > 315_360_000 else now + timedelta(seconds=number)


def nested(params: Params) -> dict[str, Any]:
    """Names with dots as objects.

    >>> nested({"range.from": 1, "range.to": 2, "size": 3})
    {'range': {'from': 1, 'to': 2}, 'size': 3}
    """
    made: dict[str, Any] = {}
    for name, value in params.items():
        *outer, last = name.split(".")
        place = made
        for part in outer:
            place = place.setdefault(part, {})
        place[last] = value
    return made


def _filled(given: Mapping[str, SecretStr], tokens: Mapping[str, str]) -> dict[str, str | int | bool]:
    found: dict[str, str | int | bool] = {}
    for name, secret in given.items():
        text = secret.get_secret_value()
        for token, value in tokens.items():
            if "{" + token + "}" in text and not value:
                raise NotAuthorised(
                    f"there is no {token} yet", hint=f"Give {token} to the shop, or a `token` to make it."
                )
            text = text.replace("{" + token + "}", value)
        found[name] = text
    return found
