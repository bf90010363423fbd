"""The sandbox as one application and as a process: its steering, its reports, a quiet end."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapters import load
from adapters.port import Delivery
from adapters.sandbox import configuration
from adapters.sandbox.receiver import Behaviour
from canonical.errors import Refused
from hub.mapping import expression
from tests.guards import HANGS
from tests.unit.sandbox.conversation import Hands, client_of, sandbox, talk_through

ROOT = Path(__file__).resolve().parents[3]


async def test_a_receiver_is_told_how_to_behave() -> None:
    async with client_of(sandbox(Hands())) as client:
        told = await client.post("/control/receiver/wms", json={"drop_every": 5})
        more = await client.post("/control/receiver/wms", json={"refuse_every": 3})
        unknown = await client.post("/control/receiver/crm", json={})
        wrong = await client.post("/control/receiver/wms", json={"drop_evry": 5})
    assert told.json()["drop_every"] == 5
    assert (more.json()["drop_every"], more.json()["refuse_every"]) == (5, 3)
    assert (unknown.status_code, wrong.status_code) == (404, 400)
    assert "drop_evry" in wrong.json()["error"]


async def test_a_platform_has_bad_days_on_demand() -> None:
    async with client_of(sandbox(Hands())) as client:
        token = configuration("http://sandbox")["shops"]["site"]["source"]["order"]["auth"]["bearer"]
        headers = {"Authorization": f"Bearer {token}"}
        before = await client.get("/site/api/orders", headers=headers)
        await client.post("/control/platform/site", json={"days": [{"what": "error", "status": 502}]})
        during = await client.get("/site/api/orders", headers=headers)
        await client.post("/control/platform/site", json={"days": []})
        after = await client.get("/site/api/orders", headers=headers)
        wrong = await client.post("/control/platform/site", json={"days": [{"wat": 1}]})
    assert [r.status_code for r in (before, during, after, wrong)] == [200, 502, 200, 400]


async def test_start_wants_to_know_where_the_hub_is() -> None:
    async with client_of(sandbox(Hands())) as client:
        answered = await client.post("/control/start", json={})
        report = await client.get("/control/report")
    assert answered.status_code == 400
    assert report.json()["started"] is False
    assert set(report.json()["receivers"]) == {"erp", "wms", "tax"}


@pytest.mark.parametrize("name", ["erp", "wms", "tax"])
async def test_the_real_destination_delivers_and_asks(name: str) -> None:
    """A new document, the same key once more, a lost answer that is asked after, and a refusal with its reason."""
    hands = Hands()
    box = sandbox(hands)
    destination = http_destination(configuration("http://sandbox")["destinations"][name])
    async with client_of(box) as client:
        first = await talk_through(destination.push(delivery("A1"), hands.utc), client)
        again = await talk_through(destination.push(delivery("A1"), hands.utc), client)
        box.receivers[name].behave(Behaviour(drop_every=1, style=box.receivers[name].behaviour.style))
        with pytest.raises(httpx.RemoteProtocolError):
            await talk_through(destination.push(delivery("A2"), hands.utc), client)
        found = await talk_through(destination.look_up(delivery("A2"), hands.utc), client)
        nothing = await talk_through(destination.look_up(delivery("A3"), hands.utc), client)
        box.receivers[name].behave(Behaviour(refuse_every=1, style=box.receivers[name].behaviour.style))
        with pytest.raises(Refused, match="TAX_4031"):
            await talk_through(destination.push(delivery("A4"), hands.utc), client)
    assert first.reference == again.reference == f"{name.upper()}-000001"
    assert again.already_there is (name == "tax")
    assert found is not None
    assert nothing is None
    report = box.receivers[name].report()
    assert (report["taken"], report["signature_refused"], report["by_shop"]) == (2, 0, {"site": 2})


def http_destination(settings: dict[str, Any]) -> Any:
    cls = load("destinations", "http")
    plain = {k: v for k, v in settings.items() if k != "kind"}
    return cls(cls.Settings(**plain), lambda text, data: expression.compile(text).search(data))


def delivery(number: str) -> Delivery:
    body = {"schema": "order/1", "shop": "site", "order_no": number, "revision": "2026-11-01T09:00:00Z"}
    return Delivery(
        id=number,
        tenant="default",
        destination="erp",
        kind="order",
        shop="site",
        key=number,
        subject=number,
        revision="2026-11-01T09:00:00Z",
        sequence=1,
        idempotency_key=f"key-{number}",
        body=body,
    )


def test_the_process_serves_plays_cuts_connections_and_ends_quietly() -> None:
    command = [sys.executable, "-m", "adapters.sandbox", "--port", "0", "--orders", "10", "--spread", "1"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        base = json.loads(process.stdout.readline())["listening"]
        try:
            with httpx.Client(base_url=base, timeout=HANGS) as client:
                started = client.post("/control/start", json={"hub_url": "http://127.0.0.1:9"}).json()
                again = client.post("/control/start", json={"hub_url": "http://127.0.0.1:9"}).json()
                stories = client.get("/control/stories").json()
                client.post("/control/platform/site", json={"days": [{"what": "cut"}]})
                cut = ""
                try:
                    client.get("/site/api/orders")
                except httpx.RemoteProtocolError as error:
                    cut = str(error)
        finally:
            process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=HANGS)
    assert started == again
    assert len(stories) == 10
    assert "disconnected" in cut
    assert (process.returncode, errors) == (0, "")
