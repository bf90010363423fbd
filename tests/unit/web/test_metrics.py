"""/metrics: what Prometheus reads, and who may."""

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from hub import clock
from hub.store import state
from hub.web import metrics
from tests.rig import order
from tests.unit.web.visitor import Visitor, problem


async def scraped(visitor: Visitor) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every sample of one scrape by name and labels."""
    answered = await visitor.here.get("/metrics")
    assert answered.status_code == 200
    assert answered.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answered.text)
        for sample in family.samples
    }


def key(name: str, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    return name, frozenset(labels.items())


async def test_what_happened_is_counted(visitor: Visitor) -> None:
    await visitor.push(order("W1"))
    await visitor.push(order("W1"))
    await visitor.push(order("W2", status="teleported"))
    await visitor.push(order("W3"), secret="another")
    await visitor.rig.work()
    visitor.rig.answer = lambda _: httpx.Response(422, json={})
    await visitor.push(order("W4"))
    await visitor.rig.work()
    found = await scraped(visitor)
    expected = {
        key("hub_messages_accepted_total", channel="generic", kind="order", via="push"): 4,
        key("hub_messages_translated_total", channel="generic", kind="order"): 2,
        key("hub_messages_ignored_total", channel="generic", why="duplicate"): 1,
        key("hub_deliveries_delivered_total", channel="generic", destination="erp"): 1,
        key("hub_dead_letters_total", channel="generic", destination="", cause="mapping.unknown_word"): 1,
        key("hub_dead_letters_total", channel="generic", destination="erp", cause="delivery.refused"): 1,
        key("hub_attempts_total", destination="erp", outcome="delivered"): 1,
        key("hub_attempts_total", destination="erp", outcome="refused"): 1,
        key("hub_rejected_total", shop="site", code="wire.signature"): 1,
        key("hub_open_letters", channel="generic", destination="erp", cause="delivery.refused"): 1,
        key("hub_waiting", state="dead", destination="erp", channel=""): 1,
        key("hub_waiting", state="dead", destination="", channel="generic"): 1,
        key("hub_breaker_state", destination="erp", state="closed"): 1,
        key("hub_breaker_state", destination="erp", state="open"): 0,
        key("hub_paused", destination="erp"): 0,
        key("hub_delivery_latency_seconds_count", destination="erp"): 1,
        key("hub_delivery_latency_seconds_bucket", destination="erp", le="+Inf"): 1,
        key("hub_delivery_latency_seconds_bucket", destination="erp", le="3600.0"): 1,
    }
    assert {k: found.get(k) for k in expected} == expected
    assert 0 < found[key("hub_delivery_latency_seconds_sum", destination="erp")] < 60


async def test_what_waits_is_told_with_its_age(visitor: Visitor) -> None:
    await visitor.push(order("W1"))
    found = await scraped(visitor)
    assert found[key("hub_waiting", state="received", destination="", channel="generic")] == 1
    assert 0 <= found[key("hub_oldest_seconds", state="received", destination="", channel="generic")] < 60
    await visitor.post("/api/v1/destinations/erp/pause")
    await visitor.post("/api/v1/destinations/erp/breaker", {"state": "open"})
    await visitor.push(order("W1", minute=2, note="later"))
    await visitor.rig.work()
    found = await scraped(visitor)
    assert key("hub_waiting", state="received", destination="", channel="generic") not in found
    assert found[key("hub_waiting", state="waiting", destination="erp", channel="")] == 1
    assert found[key("hub_waiting", state="held", destination="erp", channel="")] == 1
    assert 0 <= found[key("hub_oldest_seconds", state="waiting", destination="erp", channel="")] < 60
    assert found[key("hub_paused", destination="erp")] == 1
    assert found[key("hub_breaker_state", destination="erp", state="open")] == 1


async def test_pulls_are_told(visitor: Visitor) -> None:
    now = clock.now().timestamp()
    await visitor.rig.run(state.pull_state, "site", "order")
    await visitor.rig.run(state.keep_pull, "site", "order", reached=now - 90, failures=3, paused="token refused")
    found = await scraped(visitor)
    assert 90 <= found[key("hub_pull_behind_seconds", shop="site", kind="order")] < 150
    assert found[key("hub_pull_failures", shop="site", kind="order")] == 3
    assert found[key("hub_pull_paused", shop="site", kind="order")] == 1


async def test_the_histogram_is_cumulative(visitor: Visitor) -> None:
    counts = {("latency", "erp", "0.05"): 3.0, ("latency", "erp", "1"): 2.0, ("latency", "erp", "+Inf"): 1.0,
              ("latency_sum", "erp"): 4000.5}  # fmt: skip
    await visitor.rig.run(state.count, counts)
    found = await scraped(visitor)
    edges = ("0.025", "0.05", "0.5", "1.0", "3600.0", "+Inf")
    told = [found[key("hub_delivery_latency_seconds_bucket", destination="erp", le=e)] for e in edges]
    assert told == [0, 3, 3, 5, 5, 6]
    assert found[key("hub_delivery_latency_seconds_count", destination="erp")] == 6


async def test_a_label_may_hold_anything(visitor: Visitor) -> None:
    await visitor.rig.run(state.count, {("rejected", 'a "shop"\n\\', "wire.signature"): 1.0})
    assert (await scraped(visitor))[key("hub_rejected_total", shop='a "shop"\n\\', code="wire.signature")] == 1


@pytest.mark.parametrize("header", ["x-forwarded-for", "forwarded", "x-real-ip", "via"])
async def test_through_a_proxy_on_this_machine_a_token_is_needed(visitor: Visitor, header: str) -> None:
    assert (await visitor.here.get("/metrics", headers={header: "198.51.100.4"})).status_code == 401


async def test_from_elsewhere_a_token_is_needed(visitor: Visitor) -> None:
    assert problem(await visitor.http.get("/metrics"), 401)["code"] == "auth.missing"
    assert (await visitor.get("/metrics", "viewer")).status_code == 200
    wrong = await visitor.http.get("/metrics", headers={"authorization": "Bearer hub_wrong"})
    assert problem(wrong, 401)["code"] == "auth.invalid"


async def test_every_metric_has_help_and_the_agreed_names(visitor: Visitor) -> None:
    text = (await visitor.here.get("/metrics")).text
    for name in (
        "hub_messages_accepted_total",
        "hub_oldest_seconds",
        "hub_delivery_latency_seconds",
        "hub_open_letters",
    ):
        assert f"# HELP {name} " in text
    assert text.startswith("#")
    assert metrics.MEDIA_TYPE.startswith("text/plain")
