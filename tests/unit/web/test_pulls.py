"""Asking for pulls over the API."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from hub import clock
from hub.store import state
from tests.rig import ONE, Rig
from tests.unit.web.visitor import Visitor, problem

PULLER = """
[shops.puller]
channel = "generic"
[shops.puller.source.order]
url = "https://site.example.com/orders"
[shops.quiet]
channel = "generic"
pull = false
"""


@pytest.fixture
async def puller(tmp_path: Path, sqlite_url: str) -> AsyncIterator[Visitor]:
    """A hub with a shop that can be pulled, and one where pulling is off."""
    rig = Rig(tmp_path, sqlite_url, PULLER + ONE)
    made = Visitor(rig)
    await made.arrive()
    yield made
    await made.leave()
    await rig.close()


def moment(hours: float) -> str:
    return (clock.now() - timedelta(hours=hours)).isoformat()


async def test_a_span_is_asked_for(puller: Visitor) -> None:
    asked = await puller.post("/api/v1/pulls/puller", {"from": moment(30), "to": moment(28)}, "operator")
    assert asked.status_code == 202
    rows = asked.json()["items"]
    assert [(r["shop"], r["kind"]) for r in rows] == [("puller", "order")]
    assert rows[0]["window_start"] < rows[0]["window_end"]
    kept = await puller.rig.read(state.pull_state, "puller", "order")
    assert 7199 < kept["window_end"] - kept["window_start"] < 7201
    assert [(a["act"], a["actor"], a["subject"]) for a in await puller.items("/api/v1/audit", "support")] == [
        ("pull.asked", "operator-lin", "puller/order")
    ]


async def test_a_span_without_an_end_is_until_now(puller: Visitor) -> None:
    await puller.post("/api/v1/pulls/puller", {"from": moment(1)}, "operator")
    kept = await puller.rig.read(state.pull_state, "puller", "order")
    assert 3500 < kept["window_end"] - kept["window_start"] < 3601
    await puller.post("/api/v1/pulls/puller", {"from": "2026-01-31T08:00:00"}, "operator")
    kept = await puller.rig.read(state.pull_state, "puller", "order")
    assert kept["window_end"] > clock.now().timestamp() - 60
    assert kept["window_start"] == 1769817600  # 08:00 in Asia/Shanghai, the hub's zone


async def test_without_a_span_the_next_pull_is_now(puller: Visitor) -> None:
    await puller.rig.run(state.pull_state, "puller", "order")
    later = clock.now().timestamp() + 600
    await puller.rig.run(state.keep_pull, "puller", "order", due_at=later, paused="token refused", failures=4)
    asked = await puller.post("/api/v1/pulls/puller", {"kind": "order"}, "operator")
    assert [(r["paused"], r["failures"], r["due_at"]) for r in asked.json()["items"]] == [("", 0, None)]


@pytest.mark.parametrize(
    ("span", "field"),
    [
        ({"to": 1}, "body.from"),
        ({"from": -1}, "body.from"),
        ({"from": "1970-01-01T00:00:00Z"}, "body.from"),
        ({"from": 5, "to": 6}, "body.to"),
        ({"from": "0001-01-01T00:00:00+14:00"}, "body.from"),
    ],
)
async def test_spans_that_cannot_be_pulled_are_refused(puller: Visitor, span: dict[str, int | str], field: str) -> None:
    body = {name: moment(hours) if isinstance(hours, int) else hours for name, hours in span.items()}
    told = problem(await puller.post("/api/v1/pulls/puller", body, "operator"), 422)
    assert [e["field"] for e in told["errors"]] == [field]


async def test_what_cannot_be_pulled_says_why(puller: Visitor) -> None:
    assert "switched off" in problem(await puller.post("/api/v1/pulls/quiet"), 409)["detail"]
    told = problem(await puller.post("/api/v1/pulls/puller", {"kind": "refund"}), 409)
    assert told["detail"] == "the channel of puller cannot pull refund"
    assert problem(await puller.post("/api/v1/pulls/moon"), 404)["hint"] == "There are: site, puller, quiet"
