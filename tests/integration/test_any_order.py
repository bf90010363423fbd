"""Pushed, pulled, refused, replayed, in any order: in the end there is one document, and the ERP saw it go forward."""

import itertools
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.sandbox.story import Step
from dlq import shelf
from hub import desk
from hub.store import views
from tests.integration.market import Market
from tests.rig import order

STATUS = ["teleported", "pending", "paid", "processing", "shipped", "completed"]
"""The states of six revisions. The mapping does not know the first one: it dies, until a newer one is read."""
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["push", "pull"]), st.integers(0, 5)),
        st.tuples(st.sampled_from(["work", "replay", "refuse", "take"]), st.just(0)),
    ),
    max_size=14,
)
AT_LAST = [("take", 0), ("work", 0), ("push", 5), ("work", 0), ("replay", 0), ("work", 0)]
_numbers = itertools.count(1)


class ERP:
    """Takes or refuses, as it is told, and keeps what it took."""

    def __init__(self) -> None:
        self.refuses = False
        self.taken: list[dict[str, Any]] = []
        self._keys: set[str] = set()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.refuses:
            return httpx.Response(422, json={"error": "closed for stock-taking"})
        if request.headers["Idempotency-Key"] not in self._keys:
            self._keys.add(request.headers["Idempotency-Key"])
            self.taken.append(json.loads(request.content))
        return httpx.Response(200)


@pytest.fixture
async def market(tmp_path: Path, sqlite_url: str) -> AsyncIterator[Market]:
    made = Market(tmp_path, sqlite_url)
    yield made
    await made.close()


def revision(market: Market, number: str, minute: int) -> Step:
    """The order as its own site shows it after so many minutes."""
    book, payment = market.book("own"), "paid" if minute > 1 else "unpaid"
    body = order(number, minute=minute, status=STATUS[minute], payment_status=payment, note=f"note {minute}")
    return Step(0, "both", "order", number, body, book.when(minute), book.when(), number)


async def happen(market: Market, erp: ERP, number: str, what: str, minute: int) -> None:
    step = revision(market, number, minute)
    if what == "push":
        assert (await market.tell("own", step)).status == 200
    elif what == "pull":
        market.show("own", step)
        await market.pull("own", "order")
    elif what == "replay":
        await market.run(desk.replay, [letter["id"] for letter in await market.read(shelf.find)], "lin")
    elif what == "work":
        await market.work()
    else:
        erp.refuses = what == "refuse"


@given(events=EVENTS)
@settings(max_examples=settings().max_examples // 2, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_revisions_in_any_order_end_in_one_document(market: Market, events: list[tuple[str, int]]) -> None:
    market.answer = erp = ERP()
    number = f"P{next(_numbers)}"
    for what, minute in [*events, *AT_LAST]:
        await happen(market, erp, number, what, minute)
    assert (await market.document(number))["buyer_note"] == "note 5"
    seen = [document["revision"] for document in erp.taken]
    assert seen == sorted(set(seen)), "it only goes forward, and nothing comes twice"
    assert erp.taken[-1]["buyer_note"] == "note 5"
    deliveries = await market.read(views.deliveries_list, subject=number, limit=1000)
    assert {delivery["state"] for delivery in deliveries} == {"delivered"}
    assert await market.read(shelf.find) == []
    assert await market.balances()


@pytest.mark.parametrize(
    ("revision", "other", "holds"),
    [
        ("2026-11-22T15:00:00Z", "2026-11-22T10:00:00-05:00", True),  # Shopify's GraphQL beside its webhooks
        ("2026-11-22T14:59:59Z", "2026-11-22T10:00:00-05:00", False),
        ("2026-11-22T10:00:01-05:00", "2026-11-22T15:00:00Z", True),
        ("2026-11-22 16:20:00", "2026-11-22 16:19:59", True),
        ("1763798401", "1763798400", True),
        ("999", "1763798400", False),
        ("1763798400123", "1763798400124", False),
        ("rev-7", "rev-7", True),
        ("2026-11-22T15:00:00Z", "", True),
        ("", "2026-11-22T15:00:00Z", False),
        ("2026-11-22T15:00:00", "2026-11-22T15:00:00Z", False),
    ],
)
def test_a_letter_is_beaten_by_what_is_at_least_as_new(revision: str, other: str, holds: bool) -> None:
    assert shelf.not_older(revision, other) is holds
