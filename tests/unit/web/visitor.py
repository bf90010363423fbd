"""A client of the hub's application, with a token for each role."""

import hashlib
import hmac
import json
from typing import Any

import httpx

from hub import clock, desk
from hub.store import state
from hub.web.app import create_app
from hub.web.auth import digest_of, fresh_token
from tests.rig import SECRET, Rig

ANYWHERE = ("203.0.113.9", 41000)


class Visitor:
    """`as_(role)` gives the headers of a role. Requests come from elsewhere unless `here` is asked."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.app = create_app(rig.hub, rig.flow)
        self.tokens = {role: fresh_token() for role in desk.ROLES}
        self.http = self._client(ANYWHERE)
        self.here = self._client(("127.0.0.1", 41000))

    def _client(self, address: tuple[str, int]) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.app, client=address)
        return httpx.AsyncClient(transport=transport, base_url="http://hub.example.com")

    async def arrive(self) -> None:
        for role, token in self.tokens.items():
            await self.rig.run(state.add_token, f"{role}-lin", role, digest_of(token), clock.now().timestamp())

    def as_(self, role: str) -> dict[str, str]:
        return {"authorization": f"Bearer {self.tokens[role]}"}

    async def get(self, path: str, role: str = "viewer", **params: Any) -> httpx.Response:
        return await self.http.get(path, headers=self.as_(role), params=params)

    async def post(self, path: str, body: Any = None, role: str = "admin") -> httpx.Response:
        return await self.http.post(path, headers=self.as_(role), json=body)

    async def items(self, path: str, role: str = "viewer", **params: Any) -> list[dict[str, Any]]:
        answered = await self.get(path, role, **params)
        assert answered.status_code == 200, answered.text
        found: list[dict[str, Any]] = answered.json()["items"]
        return found

    async def push(self, record: Any, *, shop: str = "site", secret: str = SECRET) -> httpx.Response:
        """A signed push, over HTTP."""
        raw = record if isinstance(record, bytes) else json.dumps(record, ensure_ascii=False).encode()
        signature = hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()
        return await self.http.post(f"/hooks/{shop}", content=raw, headers={"x-signature": signature})

    async def leave(self) -> None:
        await self.http.aclose()
        await self.here.aclose()


def problem(answered: httpx.Response, status: int) -> dict[str, Any]:
    """The problem in an answer, which must be one."""
    assert answered.status_code == status, answered.text
    assert answered.headers["content-type"] == "application/problem+json"
    told: dict[str, Any] = answered.json()
    assert told["status"] == status
    assert told["type"] == "about:blank"
    assert told["title"]
    assert told["code"]
    assert "Traceback" not in answered.text
    return told
