"""Replays, groups and a letter's content over the API."""

import httpx

from tests.rig import order
from tests.unit.web.visitor import Visitor, problem


async def refused(visitor: Visitor, count: int) -> None:
    visitor.rig.answer = lambda _request: httpx.Response(422, json={"error": "unknown SKU"})
    for number in range(count):
        await visitor.push(order(f"W{number}"))
    await visitor.rig.work()


async def test_a_replay_is_planned_started_and_reported(visitor: Visitor) -> None:
    await refused(visitor, 3)
    planned = await visitor.post("/api/v1/replays", {"destination": "erp", "rate": 20}, "support")
    assert planned.status_code == 201
    job = planned.json()
    assert (job["state"], job["total"], job["plan"]["money"]) == ("planned", 3, {"CNY": "60.00"})
    assert problem(await visitor.post("/api/v1/replays", {"shop": "nowhere"}), 404)
    assert (await visitor.post("/api/v1/replays", {}, "viewer")).status_code == 403
    base = f"/api/v1/replays/{job['id']}"
    assert (await visitor.post(f"{base}/start", role="support")).json()["state"] == "running"
    assert (await visitor.post(f"{base}/pause", role="support")).json()["state"] == "paused"
    assert problem(await visitor.post(f"{base}/pause", role="support"), 409)
    first = (await visitor.get(f"{base}/items", limit=2)).json()
    assert [item["state"] for item in first["items"]] == ["waiting", "waiting"]
    rest = (await visitor.get(f"{base}/items", limit=2, after=first["next"])).json()
    assert (len(rest["items"]), rest["next"]) == (1, None)
    assert (await visitor.post(f"{base}/cancel", role="support")).json()["state"] == "cancelled"
    assert [row["id"] for row in await visitor.items("/api/v1/replays")] == [job["id"]]
    assert problem(await visitor.post(f"{base}/again", role="support"), 404)


async def test_a_group_is_shown_noted_and_ignored(visitor: Visitor) -> None:
    await refused(visitor, 2)
    (group,) = await visitor.items("/api/v1/dead-letter-groups")
    assert (group["count"], group["money"], group["state"]) == (2, {"CNY": "40.00"}, "open")
    base = f"/api/v1/dead-letter-groups/{group['fingerprint'][:6]}"
    noted = await visitor.post(f"{base}/notes", {"text": "asked the ERP's people"}, "support")
    assert (noted.status_code, noted.json()["notes"][0]["by"]) == (201, "support-lin")
    assert (await visitor.post(f"{base}/state", {"state": "ignored"}, "support")).json()["state"] == "ignored"
    assert await visitor.items("/api/v1/dead-letter-groups") == []
    assert len(await visitor.items("/api/v1/dead-letter-groups", state="ignored")) == 1
    assert (await visitor.get(base)).json()["state"] == "ignored"
    assert problem(await visitor.get("/api/v1/dead-letter-groups/ffff"), 404)


async def test_the_slower_of_two_editors_is_told(visitor: Visitor) -> None:
    await refused(visitor, 1)
    carried = (await visitor.get("/api/v1/dead-letters/1/content", "support")).json()
    assert (await visitor.get("/api/v1/dead-letters/1/content", "viewer")).status_code == 403
    content = carried["content"]
    content["lines"][0]["sku"] = "CUP-2"
    headers = visitor.as_("support")
    where = "/api/v1/dead-letters/1/content"
    changed = await visitor.http.put(where, headers=headers, json={"content": content, "edition": 0, "why": "renamed"})
    assert changed.json()["edits"][0]["changes"] == [["lines[].sku", "CUP-1", "CUP-2"]]
    late = await visitor.http.put(where, headers=headers, json={"content": carried["original"], "edition": 0})
    assert "support-lin changed it before you" in problem(late, 409)["detail"]
    seen = (await visitor.get("/api/v1/dead-letters/1", "viewer")).json()
    assert seen["edits"][0]["changes"] == [["lines[].sku", "***", "***"]]


async def test_the_audit_log_is_verified(visitor: Visitor) -> None:
    await visitor.post("/api/v1/destinations/erp/pause", {"reason": "stock count"}, "operator")
    found = (await visitor.get("/api/v1/audit/verify", "support")).json()
    assert (found["whole"], found["entries"]) == (True, 1)
    other = (await visitor.get("/api/v1/audit/verify", "support", head="0" * 64)).json()
    assert (other["whole"], other["missing"]) == (False, "0" * 64)


async def test_senders_are_slowed_when_the_hub_is_full(visitor: Visitor) -> None:
    visitor.rig.hub.config.hub.__dict__["backlog"] = 1
    for number in range(3):
        await visitor.push(order(f"W{number}"))
    visitor.rig.flow.pressure._looked = 0.0  # noqa: SLF001  # the next look comes in two seconds otherwise
    slowed = await visitor.push(order("W9"))
    assert problem(slowed, 429)["code"] == "push.slow_down"
    assert slowed.headers["retry-after"] == "30"
    await visitor.rig.work()
    visitor.rig.flow.pressure._looked = 0.0  # noqa: SLF001
    assert (await visitor.push(order("W9"))).status_code == 200
