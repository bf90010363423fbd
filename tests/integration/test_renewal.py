"""Tokens that end are renewed: after an outage too, once at a time, and not for ever."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from cryptography.fernet import Fernet

from hub import pulling, renewal
from hub.store import views
from tests.rig import ONE, Rig

MARKET = (
    ONE
    + """
[shops.market]
channel = "generic"
mapping = "generic"
access_token = "first"
pull = { every = "1s" }
[shops.market.token]
url = "https://market.example.com/token"
[shops.market.source.order]
url = "https://market.example.com/orders"
query = { token = "{access_token}" }
"""
)


class Market:
    """A platform that takes one token, and gives another one for it; `down` is an outage."""

    def __init__(self) -> None:
        self.token, self.gives, self.down, self.renewed = "first", iter(["second", "third", "fourth"]), False, 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.down:
            return httpx.Response(503)
        if request.url.path == "/token":
            self.renewed += 1
            self.token = next(self.gives)
            return httpx.Response(200, json={"access_token": self.token, "expires_in": 3600})
        if request.url.params["token"] != self.token:
            return httpx.Response(401)
        return httpx.Response(200, json={"items": [], "next_cursor": None})


@pytest.fixture
async def rig(tmp_path: Path, sqlite_url: str) -> AsyncIterator[Rig]:
    made = Rig(tmp_path, sqlite_url, MARKET, key=Fernet.generate_key().decode())
    yield made
    await made.close()


async def pull(rig: Rig) -> dict[str, object]:
    """Pull a page when it is due; the pull's state."""
    await rig.later(10)
    shop, settings = rig.hub.shops["market"], rig.hub.config.shops["market"].pull
    assert settings
    await pulling.pull_page(rig.hub.store, rig.http, shop, "order", settings, rig.hub.config.hub.key)
    (state,) = await rig.read(views.pull_states)
    found: dict[str, object] = state
    return found


async def test_a_token_that_ended_during_an_outage_is_renewed(rig: Rig) -> None:
    market = rig.answer = Market()
    market.down = True
    assert str((await pull(rig))["error"]).startswith("delivery.unavailable")
    market.down, market.token = False, "another"
    await pull(rig)
    state = await pull(rig)
    assert (state["error"], state["paused"], market.renewed) == ("", "", 1)


async def test_one_that_is_refused_just_after_it_was_renewed_is_a_persons(rig: Rig) -> None:
    market = rig.answer = Market()
    for token in ("another", "yet another"):
        market.token = token
        state = await pull(rig)
    assert (market.renewed, str(state["paused"]).partition(":")[0]) == (1, "delivery.not_authorised")


async def test_one_that_ended_before_its_first_use_is_renewed_again(rig: Rig) -> None:
    market = rig.answer = Market()
    market.token = "another"
    await pull(rig)
    await rig.later(3600)  # nobody pulled: the hub was not running
    market.token = "yet another"
    await pull(rig)
    state = await pull(rig)
    assert (state["error"], state["paused"], market.renewed) == ("", "", 2)


async def test_who_holds_an_older_one_takes_over_what_another_process_fetched(rig: Rig) -> None:
    market = rig.answer = Market()
    shop, key = rig.hub.shops["market"], rig.hub.config.hub.key
    older, since = shop.channel, shop.tokens_at
    assert await renewal.renew(rig.hub.store, rig.http, shop, key, older)
    shop.channel, shop.tokens_at = older, since  # as in a process that knows nothing of it
    assert await renewal.renew(rig.hub.store, rig.http, shop, key, older, fetch=False)
    assert (market.renewed, shop.channel is older) == (1, False)
    assert (await pull(rig))["error"] == ""


async def test_two_that_were_refused_at_once_fetch_one(rig: Rig) -> None:
    market = rig.answer = Market()
    shop, key = rig.hub.shops["market"], rig.hub.config.hub.key
    refused = shop.channel
    assert await renewal.renew(rig.hub.store, rig.http, shop, key, refused)
    assert await renewal.renew(rig.hub.store, rig.http, shop, key, refused)
    assert market.renewed == 1
