"""Drift and shadows over the API."""

from hub.store import audit, drift, history
from hub.store.drift import Found
from tests.unit.web.visitor import Visitor, problem

AT = 1_790_000_000.0


async def test_findings_are_listed_with_their_rules_and_closed(visitor: Visitor) -> None:
    news = [Found("site", "order", "generic", "new_word", "status", "odd", '"odd"', 1, AT, AT)]
    await visitor.rig.run(drift.add, news, 10)
    (row,) = await visitor.items("/api/v1/drift", shop="site", channel="generic")
    assert (row["what"], row["detail"], row["count"], row["closed_at"]) == ("new_word", "odd", 1, None)
    assert "order.state" in row["rules"]
    assert await visitor.items("/api/v1/drift", shop="other") == []
    closed = await visitor.post(f"/api/v1/drift/{row['id']}/close", None, "support")
    assert closed.status_code == 204
    assert await visitor.items("/api/v1/drift") == []
    (row,) = await visitor.items("/api/v1/drift", closed=True)
    assert row["closed_by"] == "support-lin"
    acts = [a["act"] for a in await visitor.rig.read(audit.entries)]
    assert acts[0] == "drift.closed"
    missing = await visitor.post("/api/v1/drift/77/close", None, "support")
    assert problem(missing, 404)["detail"] == "there is no finding 77"


async def test_shadows_are_listed_with_their_report(visitor: Visitor) -> None:
    name = "channels/generic/order"
    await visitor.rig.run(history.add_shadow, name, "generic/order@00000000", 0, AT + 60, "ann", AT)
    (row,) = await visitor.items("/api/v1/shadows", running=True)
    assert (row["version"], row["report"], row["ended_at"]) == ("generic/order@00000000", None, None)
    assert await visitor.items("/api/v1/shadows", mapping="channels/taobao/order") == []
