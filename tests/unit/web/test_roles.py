"""Who may do what. The needed role of each operation is read from its own description."""

import re
from typing import Any

import httpx
import pytest

from hub import clock, desk
from hub.store import state
from hub.web import auth
from hub.web.auth import Gate, digest_of, fresh_token
from tests.rig import order
from tests.unit.web.visitor import Visitor, problem

METHODS = ("get", "post", "put", "delete", "patch")
EXAMPLES = {"id": "1", "number": "W1", "order": "W1", "name": "erp", "shop": "site", "fingerprint": "abcdef",
            "channel": "generic", "kind": "order", "way": "channels", "folder": "generic", "file": "order",
            "version": "active"}  # fmt: skip


def operations(visitor: Visitor) -> list[tuple[str, str, str, dict[str, Any]]]:
    """(method, path, needed role, description) of every operation that needs a token."""
    found = []
    for path, item in visitor.app.openapi()["paths"].items():
        for method, operation in item.items():
            if path.startswith("/api/") and method in METHODS:
                named = re.search(r"Role: (\w+)", operation["description"])
                assert named, f"{method} {path} does not say which role it needs"
                found.append((method, path, named[1], operation))
    return found


async def ask(visitor: Visitor, method: str, path: str, headers: dict[str, str]) -> httpx.Response:
    return await visitor.http.request(method, path.format(**EXAMPLES), headers=headers)


async def test_nothing_under_the_api_answers_without_a_token(visitor: Visitor) -> None:
    asked = operations(visitor)
    assert len(asked) > 25
    for method, path, _, _ in asked:
        for headers in ({}, {"authorization": "Bearer hub_wrong"}, {"authorization": "Basic aHViOmh1Yg=="}):
            answered = await ask(visitor, method, path, headers)
            assert problem(answered, 401)["code"].startswith("auth."), f"{method} {path}"
            assert answered.headers["www-authenticate"].startswith("Bearer")


async def test_each_operation_takes_the_role_that_it_names_and_no_lower_one(visitor: Visitor) -> None:
    for method, path, needed, _ in operations(visitor):
        for role in desk.ROLES:
            answered = await ask(visitor, method, path, visitor.as_(role))
            if desk.ROLES.index(role) < desk.ROLES.index(needed):
                told = problem(answered, 403)
                assert needed in told["detail"], f"{method} {path}: {told}"
                assert f'scope="{needed}"' in answered.headers["www-authenticate"]
            else:
                assert answered.status_code not in (401, 403), f"{method} {path} refuses {role}"
                assert answered.status_code < 500, f"{method} {path}: {answered.text}"


async def test_what_changes_something_is_not_for_viewers(visitor: Visitor) -> None:
    for method, path, needed, _ in operations(visitor):
        if method != "get":
            assert needed != "viewer", f"{method} {path}"


def test_a_token_has_256_random_bits_and_only_its_hash_is_kept() -> None:
    first, second = fresh_token(), fresh_token()
    assert first != second
    assert re.fullmatch(r"hub_[\w-]{43}", first)
    assert re.fullmatch(r"[0-9a-f]{64}", digest_of(first))


async def test_a_new_token_works_and_a_revoked_one_stops(visitor: Visitor) -> None:
    made = await visitor.post("/api/v1/tokens", {"name": "console-li", "role": "support"})
    assert made.status_code == 201
    bearer = {"authorization": f"Bearer {made.json()['token']}"}
    assert (await visitor.http.get("/api/v1/orders", headers=bearer)).status_code == 200
    listed = (await visitor.get("/api/v1/tokens", "admin")).text
    assert made.json()["token"] not in listed
    assert "hash" not in listed
    assert digest_of(made.json()["token"]) not in listed
    ended = await visitor.http.delete("/api/v1/tokens/console-li", headers=visitor.as_("admin"))
    assert (ended.status_code, ended.content) == (204, b"")
    assert (await visitor.http.get("/api/v1/orders", headers=bearer)).status_code == 401
    acts = [(a["act"], a["actor"], a["subject"]) for a in await visitor.items("/api/v1/audit", "support")]
    assert acts == [("token.revoked", "admin-lin", "console-li"), ("token.created", "admin-lin", "console-li")]


async def test_names_of_tokens_are_taken_once(visitor: Visitor) -> None:
    wanted = {"name": "viewer-lin", "role": "admin"}
    assert problem(await visitor.post("/api/v1/tokens", wanted), 409)["code"] == "desk.conflict"
    gone = await visitor.http.delete("/api/v1/tokens/nobody", headers=visitor.as_("admin"))
    assert problem(gone, 404)["code"] == "desk.not_found"


async def test_a_revoked_token_is_remembered_for_a_moment_only(visitor: Visitor) -> None:
    gate = Gate(visitor.rig.hub.store)
    token = visitor.tokens["viewer"]
    known = await gate.caller(token)
    assert known is not None
    assert (known.name, known.role) == ("viewer-lin", "viewer")
    await visitor.rig.run(state.revoke_token, "viewer-lin", clock.now().timestamp())
    assert await gate.caller(token) == known
    gate.forget()
    assert await gate.caller(token) is None
    assert auth.REMEMBERED <= 5


@pytest.mark.parametrize("token", ["", "hub_", "hub_\ud800", "x" * 43, "hub_" + "a" * 200, "hub_' or 1=1 --"])
async def test_what_is_no_token_is_nobody_s(visitor: Visitor, token: str) -> None:
    assert await Gate(visitor.rig.hub.store).caller(token) is None


async def test_viewers_see_masked_documents_and_support_sees_them_clear(visitor: Visitor) -> None:
    await visitor.push(order())
    await visitor.rig.work()
    for path in ("/api/v1/orders/W1001", "/api/v1/trace/W1001", "/api/v1/deliveries/1"):
        seen, clear = await visitor.get(path, "viewer"), await visitor.get(path, "support")
        for datum in ("Rosa Lind", "13912345678", "平江路"):
            assert datum not in seen.text, path
            assert datum in clear.text, path
        assert "***" in seen.text


async def test_no_list_holds_personal_data(visitor: Visitor) -> None:
    visitor.rig.answer = lambda _: httpx.Response(422, json={"error": "Rosa Lind at 13912345678 is not known to us"})
    await visitor.push(order())
    await visitor.push(order("W2", address={"name": ["Rosa Lind"], "phone": {"n": "13912345678"}}))
    await visitor.rig.work()
    lists = [p for m, p, _, _ in operations(visitor) if m == "get" and "{" not in p]
    assert len(lists) > 8
    for path in lists:
        answered = await visitor.get(path, "admin" if path.endswith("tokens") else "support")
        assert "13912345678" not in answered.text, path
        if path in ("/api/v1/audit", "/api/v1/quarantine", "/api/v1/tokens"):
            continue
        seen = await visitor.get(path, "viewer")
        assert "Rosa" not in seen.text, f"{path}: {seen.text}"


async def test_what_a_destination_said_is_for_support(visitor: Visitor) -> None:
    visitor.rig.answer = lambda _: httpx.Response(422, json={"error": "Rosa Lind is not known to us"})
    await visitor.push(order())
    await visitor.rig.work()
    for path in ("/api/v1/dead-letters/1", "/api/v1/deliveries/1", "/api/v1/trace/W1001"):
        assert "Rosa" not in (await visitor.get(path, "viewer")).text, path
        assert "Rosa Lind is not known" in (await visitor.get(path, "support")).text, path
