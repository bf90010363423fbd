"""Pulling a shop by windows of modification time.

A window ends in the past and never moves; it reaches back over the one before (`overlap`), because platforms write
late. Its cursor moves only in the transaction that stores the page: after a crash the same page is asked for again.
Records that the hub has already are counted and not stored again.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import structlog

from adapters.port import Capability, Envelope, Hint, Page, Window
from canonical.errors import HubError, NotAuthorised, Unavailable
from hub import clock, renewal
from hub.config import Pull
from hub.receiving import ShopFront, accepted_counts, incoming
from hub.store import Connection, Store, inbox, state
from hub.wire import converse

log = structlog.get_logger("hub.pulling")

TIMEOUT = 30.0
SETTLE = 2.0
"""Seconds that a window's end lies in the past, so that the platform has written all of it."""
WIDEST = 86400.0
"""Longest window (seconds); longer spans are pulled one window after the other."""
SLOWEST = 900.0
"""Longest wait (seconds) after repeated failures."""
LEASE = 120.0
KINDS = {"order": Capability.PULL_ORDERS, "refund": Capability.PULL_REFUNDS}


@dataclass(frozen=True, slots=True)
class Pulled:
    """What one page brought. `more` tells that the window is not done."""

    records: int = 0
    new: int = 0
    more: bool = False
    error: str = ""


def kinds(shop: ShopFront, pull: Pull) -> list[str]:
    """Which kinds of this shop are pulled."""
    able = [kind for kind, capability in KINDS.items() if capability in shop.channel.capabilities]
    return [kind for kind in able if not pull.kinds or kind in pull.kinds]


async def pull_page(
    store: Store, http: httpx.AsyncClient, shop: ShopFront, kind: str, pull: Pull, key: str
) -> Pulled | None:
    """Take one page if it is due; None if it is not, or another process has it."""
    now = clock.now()
    leased = await store.run(state.lease_pull, shop.name, kind, now.timestamp(), LEASE, store.owner)
    if leased is None:
        return None
    window = _window(leased, pull, now.timestamp())
    try:
        talk = shop.channel.pull(kind, window, leased["cursor"], now)
        page = await converse(http, talk, TIMEOUT)
    except NotAuthorised as error:
        if leased["failures"] == 0 and await renewal.renew(store, http, shop, key):
            await store.run(
                _failed, shop.name, kind, window, leased, Unavailable(error.message, retry_after=0), now.timestamp()
            )
            return Pulled(more=True)
        await store.run(_failed, shop.name, kind, window, leased, error, now.timestamp())
        return Pulled(error=f"{error.code}: {error.message}")
    except HubError as error:
        await store.run(_failed, shop.name, kind, window, leased, error, now.timestamp())
        return Pulled(error=f"{error.code}: {error.message}")
    new = await store.run(_keep, shop, kind, window, page, pull, now)
    return Pulled(len(page.envelopes) + len(page.hints), new, page.next_cursor is not None)


def span(connection: Connection, shop: str, kind: str, start: float, end: float) -> None:
    """Ask for a past span once: the next pull of this kind begins there."""
    state.pull_state(connection, shop, kind)
    state.keep_pull(
        connection, shop, kind, window_start=start, window_end=min(end, start + WIDEST), cursor=None, due_at=0.0,
        paused="", failures=0,
    )  # fmt: skip


def _window(row: Any, pull: Pull, now: float) -> Window:
    if row["window_end"] is not None:
        return _between(row["window_start"], row["window_end"])
    reached = row["reached"]
    start = now - pull.first if reached is None else reached - pull.overlap
    return _between(start, min(now - SETTLE, start + WIDEST))


def _between(start: float, end: float) -> Window:
    return Window(datetime.fromtimestamp(start, UTC), datetime.fromtimestamp(end, UTC))


def _keep(
    connection: Connection, shop: ShopFront, kind: str, window: Window, page: Page, pull: Pull, now: datetime
) -> int:
    records: list[Envelope | Hint] = [*page.envelopes, *page.hints]
    items = [incoming(shop, record, "pull", now) for record in records]
    new, repeats = inbox.accept(connection, items)
    row = state.pull_state(connection, shop.name, kind)
    stamp = now.timestamp()
    values: dict[str, Any] = {
        "pages": row["pages"] + 1,
        "records": row["records"] + len(items),
        "repeats": row["repeats"] + len(repeats),
        "failures": 0,
        "error": "",
        "lease_until": 0.0,
        "lease_owner": "",
        "updated_at": stamp,
    }
    end = window.end.timestamp()
    if page.next_cursor is not None:
        values |= {
            "window_start": window.start.timestamp(),
            "window_end": end,
            "cursor": page.next_cursor,
            "due_at": stamp + (1 / pull.limit if pull.limit else 0),
        }
    else:
        reached = max(end, row["reached"] or 0.0)
        behind = stamp - reached > max(pull.overlap, pull.every) + SETTLE
        values |= {"window_start": None, "window_end": None, "cursor": None, "reached": reached}
        values["due_at"] = stamp if behind else stamp + pull.every
    state.keep_pull(connection, shop.name, kind, **values)
    known = {id(item) for item in repeats}
    counts = accepted_counts([item for item in items if id(item) not in known], [])
    state.count(connection, counts | {("pulled", shop.name, kind): float(len(items))})
    return len(new)


def _failed(
    connection: Connection, shop: str, kind: str, window: Window, row: Any, error: HubError, now: float
) -> None:
    failures = row["failures"] + 1
    wait = min(2.0**failures, SLOWEST)
    if isinstance(error, Unavailable) and error.retry_after is not None:
        wait = max(error.retry_after, 0.05)
    values: dict[str, Any] = {
        "window_start": window.start.timestamp(),
        "window_end": window.end.timestamp(),
        "failures": failures,
        "error": f"{error.code}: {error.message}"[:500],
        "due_at": now + wait,
        "lease_until": 0.0,
        "lease_owner": "",
        "updated_at": now,
    }
    if not error.retryable and failures >= (2 if isinstance(error, NotAuthorised) else 3):
        values["paused"] = f"{error.code}: {error.message}"[:200]
        state.write_audit(connection, now, "hub", "pull.paused", f"{shop}/{kind}", error.message)
    state.keep_pull(connection, shop, kind, **values)
    log.warning("pull.failed", shop=shop, kind=kind, code=error.code, again_in=round(wait, 1))
