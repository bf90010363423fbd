"""Who asks, and what they may do: bearer tokens, kept as SHA-256 in the store, each with one of four roles."""

import hashlib
import hmac
import ipaddress
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from hub import clock, desk
from hub.store import Store, state
from hub.web.problems import Refusal

PREFIX = "hub_"
REMEMBERED = 3.0
"""Seconds for which a token is not looked up again: a revoked one works so much longer."""
_MOST = 1000

_bearer = HTTPBearer(
    auto_error=False,
    scheme_name="bearer",
    bearerFormat="hub_...",
    description="A token made by `hub token create NAME --role ROLE`, or by POST /api/v1/tokens.",
)


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody with a token. `name` goes into the audit log."""

    name: str
    role: str

    def may(self, role: str) -> bool:
        """Whether this role, or one below the caller's own, is enough."""
        return desk.ROLES.index(self.role) >= desk.ROLES.index(role)


class Gate:
    """Knows tokens by their hash."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, tuple[float, Caller]] = {}

    async def caller(self, token: str) -> Caller | None:
        """Whose token this is; None if it is nobody's, or revoked."""
        if not token.startswith(PREFIX) or len(token) > 128:
            return None
        digest = digest_of(token)
        now = clock.tick()
        seen = self._known.get(digest)
        if seen is not None and now - seen[0] < REMEMBERED:
            return seen[1]
        row = await self._store.read(state.token_by_hash, digest)
        if row is None or not hmac.compare_digest(str(row["hash"]), digest) or row["role"] not in desk.ROLES:
            self._known.pop(digest, None)
            return None
        if len(self._known) >= _MOST:
            self._known.clear()
        found = Caller(row["name"], row["role"])
        self._known[digest] = (now, found)
        return found

    def forget(self) -> None:
        """Look every token up again: one was revoked here."""
        self._known.clear()


def fresh_token() -> str:
    """A token of 256 random bits. It is shown once; the store gets `digest_of` it."""
    return PREFIX + secrets.token_urlsafe(32)


def digest_of(token: str) -> str:
    """What the store keeps of a token."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def needs(role: str) -> Callable[..., Awaitable[Caller]]:
    """A dependency that lets callers with this role or a higher one through."""

    async def check(
        request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
    ) -> Caller:
        return await admit(request, given.credentials if given else "", role)

    return check


async def admit(request: Request, token: str, role: str) -> Caller:
    """The caller with this token. Raises Refusal: 401 without a valid one, 403 where its role is not enough."""
    if not token:
        raise Refusal(
            401, "auth.missing", "this needs a bearer token",
            hint="Authorization: Bearer hub_...; hub token create makes one.",
            headers={"WWW-Authenticate": 'Bearer realm="hub"'},
        )  # fmt: skip
    gate: Gate = request.app.state.gate
    caller = await gate.caller(token)
    if caller is None:
        raise Refusal(
            401, "auth.invalid", "the token is not valid, or was revoked", hint="hub token list",
            headers={"WWW-Authenticate": 'Bearer realm="hub", error="invalid_token"'},
        )  # fmt: skip
    if not caller.may(role):
        raise Refusal(
            403, "auth.role", f"this needs the role {role}; the token {caller.name!r} has {caller.role}",
            headers={"WWW-Authenticate": f'Bearer realm="hub", error="insufficient_scope", scope="{role}"'},
        )  # fmt: skip
    return caller


def on_this_machine(request: Request) -> bool:
    """Whether the request came straight from this machine: over loopback, and through no proxy."""
    forwarded = {"forwarded", "x-forwarded-for", "x-real-ip", "via"}
    if request.client is None or forwarded & set(request.headers):
        return False
    try:
        return ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False


Viewer = Annotated[Caller, Depends(needs("viewer"))]
Support = Annotated[Caller, Depends(needs("support"))]
Operator = Annotated[Caller, Depends(needs("operator"))]
Admin = Annotated[Caller, Depends(needs("admin"))]
