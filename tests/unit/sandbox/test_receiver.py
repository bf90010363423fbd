"""The receiver keeps honest books: what is in effect, what came twice, what came too late."""

import base64
import hashlib
import hmac
import json
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from adapters.sandbox.audit import audit
from adapters.sandbox.receiver import Behaviour, Receiver
from adapters.sandbox.traffic import orders
from tests.unit.sandbox.conversation import Hands

SECRET = "whsec_" + base64.b64encode(b"a receiver's key").decode()


def order(number: str = "A1", revision: str = "2026-11-01T09:00:00Z", **more: Any) -> dict[str, Any]:
    return {"schema": "order/1", "shop": "site", "order_no": number, "revision": revision, **more}


def served(**behaviour: Any) -> tuple[Receiver, Hands, httpx.AsyncClient]:
    hands = Hands()
    receiver = Receiver("erp", behaviour=Behaviour(**behaviour), clock=hands)
    app = Starlette(routes=receiver.routes())
    return receiver, hands, httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://erp")


async def send(client: httpx.AsyncClient, body: Any, key: str = "k1", **query: str) -> httpx.Response:
    return await client.post("/documents", json=body, headers={"Idempotency-Key": key}, params=query)


async def test_a_document_is_taken_once_by_its_key() -> None:
    receiver, _, client = served()
    async with client:
        first, again = await send(client, order()), await send(client, order())
        found = await client.get("/documents/k1")
        missing = await client.get("/documents/k2")
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["code"] == "DUPLICATE"
    assert found.json()["reference"] == first.json()["reference"] == "ERP-000001"
    assert missing.status_code == 404
    report = receiver.report()
    assert (report["requests"], report["taken"], report["duplicate_requests"]) == (2, 1, 1)
    assert (report["duplicates_in_effect"], report["out_of_order"]) == (0, 0)
    assert (report["by_kind"], report["by_shop"]) == ({"order": 1}, {"site": 1})


async def test_the_status_for_duplicates_can_be_chosen() -> None:
    _, _, client = served(duplicate_status=409)
    async with client:
        await send(client, order())
        assert (await send(client, order())).status_code == 409


async def test_the_same_content_under_another_key_is_twice_in_effect() -> None:
    receiver, _, client = served()
    async with client:
        await send(client, order(), "k1")
        await send(client, order(), "k2")
        await send(client, order(revision="2026-11-01T10:00:00Z"), "k3")
        await send(client, order(revision="2026-11-01T11:00:00Z", state="completed"), "k4")
    assert receiver.report()["duplicates_in_effect"] == 2


async def test_an_older_revision_after_a_newer_one_is_out_of_order() -> None:
    receiver, _, client = served()
    async with client:
        await send(client, order(revision="2026-11-01T09:00:00.500Z"), "k1")
        await send(client, order(revision="2026-11-01T09:00:01Z", state="a"), "k2")
        await send(client, order(revision="2026-11-01T09:00:00Z", state="b"), "k3")
        await send(client, order("A2", revision="2026-11-01T08:00:00Z"), "k4")
    assert receiver.report()["out_of_order"] == 1


async def test_it_fails_for_some_seconds_and_takes_nothing_meanwhile() -> None:
    receiver, hands, client = served(fail_from=2, fail_until=5, retry_after=1)
    statuses = []
    async with client:
        for second in range(7):
            hands.at += second > 0
            answered = await send(client, order(f"A{second}"), f"k{second}")
            statuses.append(answered.status_code)
    assert statuses == [201, 201, 503, 503, 503, 201, 201]
    assert receiver.report()["taken"] == 4
    assert receiver.report()["failed"] == 3


async def test_it_fails_for_some_requests() -> None:
    _, _, client = served(fail_requests=(2, 3), fail_status=500)
    async with client:
        statuses = [(await send(client, order(f"A{n}"), f"k{n}")).status_code for n in range(4)]
    assert statuses == [201, 500, 500, 201]


async def test_a_dropped_answer_has_taken_effect() -> None:
    receiver, _, client = served(drop_every=2)
    async with client:
        await send(client, order("A1"), "k1")
        with pytest.raises(httpx.RemoteProtocolError):
            await send(client, order("A2"), "k2")
        found = await client.get("/documents/k2")
        again = await send(client, order("A2"), "k2")
    assert found.json()["found"] is True
    assert again.json()["code"] == "DUPLICATE"
    assert receiver.report()["dropped"] == 1


async def test_it_refuses_the_same_orders_whatever_their_revision() -> None:
    receiver, _, client = served(refuse_every=3, refuse_kinds=("order",))
    async with client:
        first = [(await send(client, order(f"A{n}"), f"k{n}")).status_code for n in range(30)]
        later = [
            (await send(client, order(f"A{n}", "2026-11-02T00:00:00Z", x=1), f"l{n}")).status_code for n in range(30)
        ]
    assert first == later
    assert set(first) == {201, 422}
    assert receiver.report()["refused"] == 2 * first.count(422)


async def test_a_refusal_names_the_field() -> None:
    _, _, client = served(needs_sku=True)
    async with client:
        missing = await send(client, order(lines=[{"sku": "SHELF-3L"}, {"sku": None}]))
        unknown = await send(client, order(lines=[{"sku": "CUP"}]))
        good = await send(client, order(lines=[{"sku": "SHELF-3L"}]))
    assert (missing.status_code, missing.json()["field"]) == (422, "lines[1].sku")
    assert (unknown.json()["field"], unknown.json()["code"]) == ("lines[0].sku", "UNKNOWN_SKU")
    assert good.status_code == 201


async def test_some_systems_say_no_with_a_200() -> None:
    _, _, client = served(style="body", refuse_every=1, refuse_code="TAX_1")
    async with client:
        answered = await send(client, order())
    assert answered.status_code == 200
    assert (answered.json()["success"], answered.json()["code"]) == (False, "TAX_1")


async def test_a_signature_is_checked_where_there_is_a_secret() -> None:
    hands = Hands()
    receiver = Receiver("wms", secret=SECRET, clock=hands)
    body = json.dumps(order()).encode()
    key, stamp = base64.b64decode(SECRET.removeprefix("whsec_")), str(int(hands.at))
    mac = base64.b64encode(hmac.new(key, b"k1." + stamp.encode() + b"." + body, hashlib.sha256).digest()).decode()
    signed = {"webhook-id": "k1", "webhook-timestamp": stamp, "webhook-signature": f"v1,other v1,{mac}"}
    app = Starlette(routes=receiver.routes())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://wms") as client:
        good = await client.post("/documents", content=body, headers=signed)
        changed = await client.post("/documents", content=body + b" ", headers=signed)
        hands.at += 400
        old = await client.post("/documents", content=body, headers=signed)
    assert [r.status_code for r in (good, changed, old)] == [201, 401, 401]
    assert receiver.report()["signature_refused"] == 2


async def test_a_mapped_document_is_named_by_its_address() -> None:
    receiver, _, client = served()
    headers = {"Idempotency-Key": "k9", "Content-Type": "application/xml"}
    async with client:
        await client.post(
            "/documents?kind=order&shop=tb&key=77&subject=77", content=b"<request><a>1</a></request>", headers=headers
        )
        listed = (await client.get("/documents")).json()
        broken = await client.post("/documents", content=b"<request>", headers=headers | {"Idempotency-Key": "k10"})
    assert [(t["kind"], t["shop"], t["key"]) for t in listed] == [("order", "tb", "77")]
    assert broken.status_code == 422
    assert receiver.report()["by_shop"] == {"tb": 1}


async def test_an_audit_names_what_is_missing_unexpected_and_different() -> None:
    receiver, _, client = served()
    stories = orders("site", 7, 80, Hands().at)
    good, lost, other = [s for s in stories if s.label == "normal"][:3]
    broken = next(s for s in stories if s.label == "unknown_word")
    paid: dict[str, Any] = {"state": "open", "payment": "paid", "fulfilment": "unshipped", "shippable": True}
    async with client:
        for number, (story, state) in enumerate(((good, paid), (other, paid | {"payment": "unpaid"}), (broken, {}))):
            totals = {name.partition(".")[2]: value for name, value in story.final.items() if "." in name}
            await send(client, order(story.subject, **state, totals=totals), f"k{number}")
    found = audit(receiver, [good, lost, other, broken], {})
    assert (found["wanted"], found["held"]) == (3, 3)
    assert found["missing"] == [["site", "order", lost.subject]]
    assert found["unexpected"] == [["site", "order", broken.subject]]
    assert audit(receiver, [good, lost, other, broken], {}, ["site/unknown_word"])["unexpected"] == []
    assert [(d["order_no"], d["field"], d["found"]) for d in found["differing"]] == [
        (other.subject, "payment", "unpaid")
    ]


async def test_a_request_without_a_key_is_refused() -> None:
    _, _, client = served()
    async with client:
        answered = await client.post("/documents", json=order())
    assert (answered.status_code, answered.json()["code"]) == (422, "NO_KEY")
