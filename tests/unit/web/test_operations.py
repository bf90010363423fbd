"""What the API's operations do: pages, letters and their groups, destinations, pulls, books, mappings."""

import asyncio
from typing import Any

import httpx

from hub import clock, pulling
from hub.store import outbox, state, views
from tests.rig import order
from tests.unit.web.visitor import Visitor, problem


async def pages(visitor: Visitor, path: str, role: str = "viewer", **params: Any) -> list[list[int]]:
    """Ids of all pages, by the links that each page gives."""
    found = []
    answered = await visitor.get(path, role, **params)
    while True:
        body = answered.json()
        found.append([row["id"] for row in body["items"]])
        link = answered.links.get("next")
        assert (link is None) == (body["next"] is None)
        if link is None:
            return found
        assert f"after={body['next']}" in link["url"]
        answered = await visitor.http.get(link["url"], headers=visitor.as_(role))


async def with_orders(visitor: Visitor, count: int, **changes: Any) -> None:
    for number in range(count):
        await visitor.push(order(f"W{number}", **changes))
    await visitor.rig.work()


async def test_pages_skip_and_repeat_nothing_while_the_list_grows(visitor: Visitor) -> None:
    await with_orders(visitor, 7)
    assert await pages(visitor, "/api/v1/orders", limit=3) == [[7, 6, 5], [4, 3, 2], [1]]
    assert await pages(visitor, "/api/v1/orders", limit=7) == [[7, 6, 5, 4, 3, 2, 1]]
    first = (await visitor.get("/api/v1/orders", limit=3)).json()
    await visitor.push(order("W99"))
    await visitor.rig.work()
    second = (await visitor.get("/api/v1/orders", limit=3, after=first["next"])).json()
    assert [row["id"] for row in second["items"]] == [4, 3, 2]


async def test_every_paged_list_pages(visitor: Visitor) -> None:
    await with_orders(visitor, 3)
    await with_orders(visitor, 3, status="teleported", minute=5)
    for _ in range(3):
        await visitor.push(order(), secret="another")
        await visitor.post("/api/v1/destinations/erp/pause")
    for path in ("deliveries", "dead-letters", "audit", "quarantine"):
        found = await pages(visitor, f"/api/v1/{path}", "support", limit=2)
        assert [len(p) for p in found] == [2, 1], path


async def test_lists_are_filtered(visitor: Visitor) -> None:
    await with_orders(visitor, 2)
    await visitor.push(order("W7", status="cancelled", payment_status="refunded", refunded="20.00"))
    await visitor.push(order("W8", status="teleported"))
    await visitor.rig.work()
    numbers = {
        "all": await visitor.items("/api/v1/orders"),
        "open": await visitor.items("/api/v1/orders", state="open"),
        "cancelled": await visitor.items("/api/v1/orders", state="cancelled"),
        "elsewhere": await visitor.items("/api/v1/orders", shop="other"),
        "refunds": await visitor.items("/api/v1/orders", kind="refund"),
        "review": await visitor.items("/api/v1/orders", review=True),
        "no review": await visitor.items("/api/v1/orders", review=False),
    }
    assert {name: len(rows) for name, rows in numbers.items()} == {
        "all": 3, "open": 2, "cancelled": 1, "elsewhere": 0, "refunds": 0, "review": 0, "no review": 3,
    }  # fmt: skip
    assert len(await visitor.items("/api/v1/deliveries", order="W1")) == 1
    assert await visitor.items("/api/v1/deliveries", state="waiting") == []
    assert len(await visitor.items("/api/v1/dead-letters", cause="mapping.unknown_word", order="W8")) == 1
    assert await visitor.items("/api/v1/dead-letters", state="resolved") == []
    assert len(await visitor.items("/api/v1/dead-letters", state="all", shop="site")) == 1


async def test_an_order_is_told_with_its_document_times_and_destinations(visitor: Visitor) -> None:
    await with_orders(visitor, 1)
    shown = (await visitor.get("/api/v1/orders/W0", "support")).json()["items"]
    assert [(d["number"], d["state"], d["routed"], d["version"]) for d in shown] == [("W0", "open", ["erp"], 1)]
    assert shown[0]["body"]["totals"]["paid"] == "20.00"
    assert shown[0]["created_at"].endswith("Z")
    assert "T" in shown[0]["created_at"]


async def test_a_trace_tells_the_whole_story(visitor: Visitor) -> None:
    await visitor.push(order(minute=1))
    await visitor.rig.work()
    visitor.rig.answer = lambda _: httpx.Response(422, json={"error": "unknown SKU"})
    await visitor.push(order(minute=2, note="changed"))
    await visitor.push(order(minute=1))
    await visitor.rig.work()
    await visitor.push(order(minute=3, note="again"))
    await visitor.rig.work()
    story = (await visitor.get("/api/v1/trace/W1001", "support")).json()
    assert [m["state"] for m in story["messages"]] == ["translated", "translated", "ignored", "translated"]
    assert [m["reason"] for m in story["messages"]][2] == "duplicate"
    sent = story["deliveries"]
    assert [d["state"] for d in sent] == ["delivered", "dead", "held"]
    assert sent[2]["waits_for"] == sent[1]["id"]
    assert [a["status"] for a in sent[1]["attempted"]] == [422]
    assert [(x["step"], x["state"]) for x in story["dead_letters"]] == [("send", "open")]
    assert sent[0]["done_at"] >= sent[0]["accepted_at"]


async def test_a_letter_is_explained_noted_assigned_and_replayed(visitor: Visitor) -> None:
    visitor.rig.answer = lambda _: httpx.Response(422, json={"error": "unknown SKU"})
    await with_orders(visitor, 1)
    letter = (await visitor.get("/api/v1/dead-letters/1", "support")).json()
    assert (letter["cause"], letter["subject"], letter["attempted"][0]["status"]) == ("delivery.refused", "W0", 422)
    assert letter["document"]["order_no"] == "W0"
    noted = await visitor.post("/api/v1/dead-letters/1/notes", {"text": "asked the ERP"}, "support")
    assert noted.status_code == 201
    assert [(n["by"], n["text"]) for n in noted.json()["notes"]] == [("support-lin", "asked the ERP")]
    assert (await visitor.post("/api/v1/dead-letters/1/assign", {"owner": "li.lei"})).json() == {"letters": 1}
    assert [r["owner"] for r in await visitor.items("/api/v1/dead-letters", owner="li.lei")] == ["li.lei"]
    tried = (await visitor.post("/api/v1/dead-letters/1/replay", {"dry_run": True}, "support")).json()
    assert tried == {"dry_run": True, "letters": [1], "messages": 0, "deliveries": 1, "skipped": 0}
    visitor.rig.answer = lambda _: httpx.Response(200, json={})
    assert (await visitor.post("/api/v1/dead-letters/1/replay", role="support")).json()["deliveries"] == 1
    await visitor.rig.work()
    assert await visitor.rig.states() == ["delivered"]
    told = problem(await visitor.post("/api/v1/dead-letters/1/replay"), 409)
    assert told["detail"] == "dead letter 1 is resolved, not open"
    assert (
        problem(await visitor.post("/api/v1/dead-letters/1/discard", {"reason": "x"}), 409)["code"] == "desk.conflict"
    )


async def test_two_people_replay_one_letter_once(visitor: Visitor) -> None:
    visitor.rig.answer = lambda _: httpx.Response(422, json={})
    await with_orders(visitor, 1)
    answers = await asyncio.gather(*(visitor.post("/api/v1/dead-letters/1/replay", role="support") for _ in range(8)))
    assert sorted(a.status_code for a in answers) == [200] + [409] * 7


async def test_a_group_is_replayed_or_discarded_as_a_whole(visitor: Visitor) -> None:
    await with_orders(visitor, 3, status="teleported")
    await visitor.push(order("W9", currency="doubloons"))
    await visitor.rig.work()
    groups = await visitor.items("/api/v1/dead-letter-groups", "support")
    assert [g["count"] for g in groups] == [3, 1]
    first, second = (f"/api/v1/dead-letter-groups/{g['fingerprint']}" for g in groups)
    assert (await visitor.post(f"{first}/assign", {"owner": "li.lei"})).json() == {"letters": 3}
    tried = (await visitor.post(f"{first}/replay", {"dry_run": True})).json()
    assert (len(tried["letters"]), tried["messages"], tried["dry_run"]) == (3, 3, True)
    assert len((await visitor.post(f"{first}/replay")).json()["letters"]) == 3
    assert problem(await visitor.post(f"{first}/replay"), 404)["code"] == "desk.not_found"
    await visitor.rig.work()
    assert [g["count"] for g in await visitor.items("/api/v1/dead-letter-groups")] == [3, 1]
    assert (await visitor.post(f"{second}/discard", {"reason": "a test of the shop"})).json() == {"letters": 1}
    closed = (await visitor.items("/api/v1/dead-letters", state="discarded"))[0]
    assert (closed["closed_by"], "a test of the shop" in closed["closed_why"]) == ("admin-lin", True)
    assert [a["act"] for a in await visitor.items("/api/v1/audit", "support")][:1] == ["letter.discarded"]
    assert all(row["holds"] for row in await visitor.items("/api/v1/balance"))


async def test_a_signed_push_that_nobody_understands_shows_its_bytes_to_support_only(visitor: Visitor) -> None:
    await visitor.push(b'{"a": "Rosa Lind", "a": 1}')
    await visitor.rig.work()
    clear, seen = [await visitor.get("/api/v1/dead-letters/1", role) for role in ("support", "viewer")]
    assert clear.json()["undecoded"] is True
    assert "Rosa Lind" in clear.json()["raw"]
    assert seen.json()["raw"] is None
    assert "Rosa" not in seen.text


async def test_a_destination_is_paused_and_resumed(visitor: Visitor) -> None:
    paused = await visitor.post("/api/v1/destinations/erp/pause", {"reason": "stock count"}, "operator")
    assert paused.json()["paused"] == "stock count"
    await with_orders(visitor, 2)
    shown = (await visitor.items("/api/v1/destinations"))[0]
    assert (shown["name"], shown["kind"], shown["counts"]) == ("erp", "http", {"waiting": 2})
    assert shown["oldest_waiting"].endswith("Z")
    assert (await visitor.post("/api/v1/destinations/erp/resume", role="operator")).json()["paused"] == ""
    await visitor.rig.work()
    assert (await visitor.items("/api/v1/destinations"))[0]["counts"] == {"delivered": 2}


async def test_a_breaker_is_forced_and_given_back(visitor: Visitor) -> None:
    path = "/api/v1/destinations/erp/breaker"
    opened = (await visitor.post(path, {"state": "open"}, "operator")).json()
    assert (opened["breaker"], opened["forced"]) == ("open", True)
    await with_orders(visitor, 1)
    assert await visitor.rig.states() == [outbox.WAITING]
    closed = (await visitor.post(path, {"state": "auto"}, "operator")).json()
    assert (closed["breaker"], closed["forced"]) == ("closed", False)
    await visitor.rig.work()
    assert await visitor.rig.states() == [outbox.DELIVERED]


async def test_a_breaker_is_forced_for_one_kind_of_document(visitor: Visitor) -> None:
    path = "/api/v1/destinations/erp/breaker"
    opened = (await visitor.post(path, {"state": "open", "kind": "order"}, "operator")).json()
    assert (opened["breaker"], opened["operations"]) == ("open", {"order": "open"})
    await with_orders(visitor, 1)
    assert await visitor.rig.states() == [outbox.WAITING]
    closed = (await visitor.post(path, {"state": "auto", "kind": "order"}, "operator")).json()
    assert (closed["breaker"], closed["operations"]) == ("closed", {})
    problem(await visitor.post(path, {"state": "open", "kind": "letter"}, "operator"), 422)


async def test_a_shop_that_cannot_pull_says_so(visitor: Visitor) -> None:
    told = problem(await visitor.post("/api/v1/pulls/site", {"kind": "order"}, "operator"), 409)
    assert "cannot pull order" in told["detail"]
    assert await visitor.items("/api/v1/pulls") == []


async def test_mappings_are_told_with_their_versions(visitor: Visitor) -> None:
    named = {m["name"]: m for m in await visitor.items("/api/v1/mappings")}
    mapping = named["channels/generic/order"]
    assert mapping["kind"] == "order"
    assert mapping["version"].startswith("generic/order@")
    assert mapping["file"].endswith("generic/order.toml")


async def test_a_mapping_is_tried_without_leaving_a_trace(visitor: Visitor) -> None:
    tried = (await visitor.post("/api/v1/map/generic", order(), "support")).json()
    assert [d["order_no"] for d in tried["documents"]] == ["W1001"]
    assert tried["documents"][0]["receiver"]["name"] == "Rosa Lind"
    wrong = (
        await visitor.post("/api/v1/map/generic/order?shop=site", [order(), order("W2", status="x")], "support")
    ).json()
    assert [d["shop"] for d in wrong["documents"]] == ["site"]
    assert [(p["key"], p["code"]) for p in wrong["problems"]] == [("W2", "mapping.unknown_word")]
    assert await visitor.rig.read(views.message_states) == []


async def test_a_mapping_tried_on_nonsense_tells_what_is_wrong(visitor: Visitor) -> None:
    for raw, code in (
        (b"", "wire.not_understood"),
        (b"\xff{", "wire.not_understood"),
        (b'{"a":NaN}', "wire.not_understood"),
    ):
        answered = await visitor.http.post("/api/v1/map/generic", content=raw, headers=visitor.as_("support"))
        assert problem(answered, 422)["code"] == code
    other = await visitor.post("/api/v1/map/taobao?shop=site", {}, "support")
    assert problem(other, 404)["detail"] == "there is no shop 'site' of channel 'taobao' in hub.toml"
    assert problem(await visitor.post("/api/v1/map/generic/stock", order(), "support"), 422)["detail"]


async def test_probes(visitor: Visitor) -> None:
    assert (await visitor.http.get("/healthz")).json() == {"status": "alive"}
    ready = await visitor.http.get("/readyz")
    assert (ready.status_code, ready.json()["status"]) == (200, "ready")
    assert ready.json()["mappings"] > 0
    await visitor.rig.run(lambda connection: connection.exec_driver_sql("drop table pulls"))
    assert problem(await visitor.http.get("/readyz"), 503)["detail"] == "the store cannot be reached"
    assert (await visitor.http.get("/healthz")).status_code == 200


async def test_a_hub_whose_store_failed_a_moment_ago_is_not_ready(visitor: Visitor) -> None:
    for ready in (200, 200, 503):
        visitor.rig.hub.store.health.failed(OSError("database or disk is full"))
        assert (await visitor.http.get("/readyz")).status_code == ready, "one failure alone may have been a lock"
    assert (
        problem(await visitor.http.get("/readyz"), 503)["detail"] == "the store failed a moment ago; the log says why"
    )


async def test_a_paused_pull_is_asked_for_again(visitor: Visitor) -> None:
    now = clock.now().timestamp()
    await visitor.rig.run(state.pull_state, "site", "order")
    await visitor.rig.run(state.keep_pull, "site", "order", paused="token of 13912345678 refused", failures=2)
    row = (await visitor.items("/api/v1/pulls"))[0]
    assert (row["paused"], row["failures"]) == ("token of *** refused", 2)
    await visitor.rig.run(pulling.span, "site", "order", now - 60, now)
    row = (await visitor.items("/api/v1/pulls"))[0]
    assert (row["paused"], row["failures"]) == ("", 0)
    assert row["window_start"] < row["window_end"]
