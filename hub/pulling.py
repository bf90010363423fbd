"""Pulling a shop by windows of modification time.

A window ends in the past and never moves; it reaches back over the one before (`overlap`), because platforms write
late. Its cursor moves only in the transaction that stores the page: after a crash the same page is asked for again.
Records that the hub has already are counted and not stored again.
"""

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import structlog

from adapters.port import Capability, Envelope, Hint, Page, Window
from canonical.errors import HubError, NotAuthorised, Unavailable
from hub import clock, renewal
from hub.config import Pull
from hub.receiving import ShopFront, accepted_counts, guarded, incoming, internal
from hub.store import Connection, Store, StoreError, StoreTrouble, audit, inbox, state
from hub.store.tables import BACKFILL
from hub.wire import budget, converse

log = structlog.get_logger("hub.pulling")

TIMEOUT = 30.0
SETTLE = 2.0
"""Seconds that a window's end lies in the past, so that the platform has written all of it."""
WIDEST = 86400.0
"""Longest window (seconds); longer spans are pulled one window after the other."""
SLOWEST = 900.0
"""Longest wait (seconds) after repeated failures."""
LEASE = 45.0
"""Seconds for which a page belongs to one process: more than an answer may take. A page that takes longer yet may be
read by two, and what it brings is known the second time."""
ROUNDING = 0.001
"""Seconds by which two times may differ that mean the same."""
LONG_AGO = timedelta(hours=1)
"""A window that ended earlier is a backfill: what it brings waits behind live orders."""
RENEWED = "pull.token_renewed"
"""What a pull's error begins with when it is to try again with fresh tokens; a refusal after that is a person's."""
JUST = 60.0
"""Seconds in which a token that was renewed is too young to have ended: who is refused then needs a person."""
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
        channel = shop.channel
        talk = channel.pull(kind, window, leased["cursor"], now)
        page = await guarded(converse(http, talk, TIMEOUT, admit=budget(store, shop.name, pull.limit)))
    except NotAuthorised as error:
        just_renewed = leased["error"].startswith(RENEWED) and now.timestamp() - leased["updated_at"] < JUST
        if await renewal.renew(store, http, shop, key, channel, fetch=not just_renewed):
            again = Unavailable(error.message, retry_after=0, code=RENEWED)
            await store.run(_failed, shop.name, kind, window, leased, again, clock.now().timestamp())
            return Pulled(more=True)
        await store.run(_failed, shop.name, kind, window, leased, error, clock.now().timestamp())
        return Pulled(error=f"{error.code}: {error.message}")
    except HubError as error:
        await store.run(_failed, shop.name, kind, window, leased, error, clock.now().timestamp())
        return Pulled(error=f"{error.code}: {error.message}")
    now = clock.now()  # the answer took its time, and the clock may have been set meanwhile
    try:
        new = await store.run(_keep, shop, kind, window, leased, page, pull, now)
    except StoreTrouble:  # the page is asked for again
        raise
    except StoreError as error:  # the store is well, and does not take this page
        await asyncio.to_thread(store.prove)
        log.exception("pull.not_stored", shop=shop.name, kind=kind)
        await store.run(_failed, shop.name, kind, window, leased, internal(error), now.timestamp())
        return Pulled(error=f"the page cannot be stored: {type(error).__name__}")
    more = page.next_cursor is not None or _rest(leased, window) is not None
    return Pulled(len(page.envelopes) + len(page.hints), new, more)


def span(connection: Connection, shop: str, kind: str, start: float, end: float) -> None:
    """Ask for a past span once: the next pulls of this kind go through it, the widest window at a time."""
    state.pull_state(connection, shop, kind)
    state.keep_pull(
        connection, shop, kind, window_start=start, window_end=end, cursor=None, due_at=0.0, paused="", failures=0
    )


def _window(row: Any, pull: Pull, now: float) -> Window:
    if row["window_end"] is not None:
        return _between(row["window_start"], min(row["window_end"], row["window_start"] + WIDEST))
    reached = row["reached"]
    start = now - pull.first if reached is None else reached - pull.overlap
    return _between(start, min(now - SETTLE, start + WIDEST))


def _between(start: float, end: float) -> Window:
    return Window(datetime.fromtimestamp(start, UTC), datetime.fromtimestamp(end, UTC))


def _rest(leased: Any, window: Window) -> float | None:
    """Where the span that was asked for ends, if this window is not its last."""
    end: float | None = leased["window_end"]
    return end if end is not None and end - window.end.timestamp() > ROUNDING else None


def _asked_meanwhile(leased: Any, row: Any) -> bool:
    """Whether a person asked for another span while this page was on its way."""
    return any(leased[name] != row[name] for name in ("window_start", "window_end", "cursor"))


def _keep(
    connection: Connection,
    shop: ShopFront,
    kind: str,
    window: Window,
    leased: Any,
    page: Page,
    pull: Pull,
    now: datetime,
) -> int:
    records: list[Envelope | Hint] = [*page.envelopes, *page.hints]
    items = [incoming(shop, record, "pull", now) for record in records]
    if now - window.end > LONG_AGO:
        items = [replace(item, queue=BACKFILL) for item in items]
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
    if not _asked_meanwhile(leased, row):
        values |= _next(leased, window, page, pull, stamp)
    state.keep_pull(connection, shop.name, kind, **values)
    known = {id(item) for item in repeats}
    counts = accepted_counts([item for item in items if id(item) not in known], [])
    state.count(connection, counts | {("pulled", shop.name, kind): float(len(items))})
    return len(new)


def _next(leased: Any, window: Window, page: Page, pull: Pull, now: float) -> dict[str, Any]:
    """Where the pull goes on: the window's next page, the next window of a span, or what changes from now on."""
    start, end, rest = window.start.timestamp(), window.end.timestamp(), _rest(leased, window)
    if page.next_cursor is not None:
        return {"window_start": start, "window_end": rest or end, "cursor": page.next_cursor, "due_at": now}
    reached = leased["reached"]
    if reached is None or start <= reached:  # a span beyond what was reached leaves a gap that is still to be seen
        reached = end if reached is None else max(end, reached)
    if rest is not None:
        return {"window_start": end, "window_end": rest, "cursor": None, "due_at": now, "reached": reached}
    behind = now - reached > max(pull.overlap, pull.every) + SETTLE
    due_at = now if behind else now + pull.every
    return {"window_start": None, "window_end": None, "cursor": None, "due_at": due_at, "reached": reached}


def _failed(
    connection: Connection, shop: str, kind: str, window: Window, row: Any, error: HubError, now: float
) -> None:
    failures = row["failures"] + 1
    wait = min(2.0**failures, SLOWEST)
    if isinstance(error, Unavailable) and error.retry_after is not None:
        wait = max(error.retry_after, 0.05)
    if _asked_meanwhile(row, state.pull_state(connection, shop, kind)):
        state.keep_pull(connection, shop, kind, lease_until=0.0, lease_owner="")
        return
    values: dict[str, Any] = {
        "window_start": window.start.timestamp(),
        "window_end": _rest(row, window) or window.end.timestamp(),
        "failures": failures,
        "error": f"{error.code}: {error.message}"[:500],
        "due_at": now + wait,
        "lease_until": 0.0,
        "lease_owner": "",
        "updated_at": now,
    }
    if not error.retryable and failures >= (2 if isinstance(error, NotAuthorised) else 3):
        values["paused"] = f"{error.code}: {error.message}"[:200]
        audit.write(connection, now, "hub", "pull.paused", f"{shop}/{kind}", error.message)
    state.keep_pull(connection, shop, kind, **values)
    log.warning("pull.failed", shop=shop, kind=kind, code=error.code, again_in=round(wait, 1))
