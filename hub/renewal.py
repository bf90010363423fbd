"""Fresh tokens for a shop: fetched by its adapter, kept encrypted, put to use at once."""

import json

import httpx
import structlog
from cryptography.fernet import InvalidToken, MultiFernet

from adapters.port import Channel
from canonical.errors import ConfigError, HubError
from hub import clock
from hub.receiving import ShopFront
from hub.store import Connection, Store, audit, state
from hub.store.vault import master_key
from hub.wire import converse

log = structlog.get_logger("hub.renewal")

TIMEOUT = 15.0
EARLY = 86400.0
"""Most seconds before its end at which a token is renewed: JD demands the last day, others do not mind."""
EARLY_SHARE = 0.2
"""Of a token that lives shorter: the last part of its life in which it is renewed (Shopify's live an hour)."""


async def renew(
    store: Store, http: httpx.AsyncClient, shop: ShopFront, key: str, used: Channel, *, fetch: bool = True
) -> bool:
    """Put fresh tokens to use in place of those of `used`, the adapter whose call was refused. False where the platform
    has none to give (or, without `fetch`, where nobody else has fetched any); the shop then needs a person.

    Platforms let a token end when its successor is made, so whoever comes second takes over what the first one fetched.
    """
    master = master_key(key)
    if shop.rebuild is None or master is None:
        return False
    async with shop.renewing:
        if shop.channel is not used or await _taken_over(store, shop, key):
            return True
        return fetch and await _fetch(store, http, shop, master)


async def _taken_over(store: Store, shop: ShopFront, key: str) -> bool:
    """Whether another process has fetched tokens since this one took up its own."""
    row = await store.read(state.credentials_of, shop.name)
    if row is None or row["updated_at"] <= shop.tokens_at:
        return False
    await store.read(restore, shop, key)
    return True


async def _fetch(store: Store, http: httpx.AsyncClient, shop: ShopFront, master: MultiFernet) -> bool:
    assert shop.rebuild is not None  # noqa: S101  # asked before
    now = clock.now()
    try:
        fresh = await converse(http, shop.channel.refresh(now), TIMEOUT)
    except HubError as error:
        log.warning("token.refresh_failed", shop=shop.name, code=error.code)
        return False
    if fresh is None:
        return False
    sealed = master.encrypt(json.dumps(dict(fresh.settings)).encode())
    expires = fresh.expires_at.timestamp() if fresh.expires_at else None

    def keep(connection: Connection) -> None:
        state.keep_credentials(connection, shop.name, sealed, expires, now.timestamp())
        audit.write(connection, now.timestamp(), "hub", "token.refreshed", shop.name)

    await store.run(keep)
    shop.channel, shop.tokens_at = shop.rebuild(fresh.settings), now.timestamp()
    return True


def expires_soon(connection: Connection, shop: str, now: float) -> bool:
    """Whether the kept tokens of a shop are in the last part of their life."""
    row = state.credentials_of(connection, shop)
    if row is None or row["expires_at"] is None:
        return False
    early = min(EARLY, EARLY_SHARE * (row["expires_at"] - row["updated_at"]))
    return bool(row["expires_at"] - now < early)


def restore(connection: Connection, shop: ShopFront, key: str) -> None:
    """Use the tokens that an earlier run has refreshed. Raises ConfigError if the key does not open them."""
    row = state.credentials_of(connection, shop.name)
    if row is None or shop.rebuild is None:
        return
    try:
        master = master_key(key)
        settings = json.loads(master.decrypt(row["sealed"])) if master is not None else None
    except (InvalidToken, ValueError) as error:
        raise ConfigError([f"hub.key does not open the stored tokens of shop {shop.name}"]) from error
    if settings is None:
        raise ConfigError([f"hub.key is not set, and shop {shop.name} has stored tokens that it sealed"])
    shop.channel, shop.tokens_at = shop.rebuild(settings), row["updated_at"]
