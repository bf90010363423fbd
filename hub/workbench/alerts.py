"""Tells a hook of the merchant's what drift found: a JSON POST in batches, signed by Standard Webhooks.

What it did not take stays untold and goes out with a later turn: nothing is lost, and nothing waits for it. One process
of many does it; a batch that was taken but whose answer was lost is sent again with the same webhook-id.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

import httpx
import orjson
import structlog

from adapters import signing
from adapters.port import Talk
from canonical.errors import HubError, Unavailable
from hub import clock
from hub.config import HubSection
from hub.desk import instant
from hub.store import Store, drift
from hub.wire import converse

log = structlog.get_logger("hub.drift")

BATCH = 50
TIMEOUT = 10.0
_TOLD = ("id", "shop", "channel", "kind", "what", "path", "detail", "count", "message_id", "sample")


async def tell(store: Store, http: httpx.AsyncClient, section: HubSection) -> int:
    """Tell the hook of findings that it has not taken; returns how many it took."""
    if not section.drift_hook or not await store.read(drift.untold, 1):
        return 0
    now = clock.now()
    if await store.run(drift.lease, drift.HOOK, now.timestamp(), section.lease, store.owner) is None:
        return 0
    taken: list[int] = []
    try:
        rows = await store.read(drift.untold, BATCH)
        if rows:
            await converse(http, _post(section, rows, now.timestamp()), TIMEOUT)
            taken = [row["id"] for row in rows]
    except HubError as error:
        log.warning("drift.hook_failed", code=error.code, why=error.message)
    await store.run(drift.told, taken, clock.now().timestamp(), store.owner)
    return len(taken)


def _post(section: HubSection, rows: Sequence[dict[str, Any]], now: float) -> Talk[None]:
    """The request, and what its answer means: any 2xx is a receipt, all else is tried again."""
    findings = [
        {
            **{name: row[name] for name in _TOLD},
            "first_at": instant(row["first_at"]),
            "last_at": instant(row["last_at"]),
        }
        for row in rows
    ]
    body = orjson.dumps({"type": "drift.found", "timestamp": instant(now), "data": {"findings": findings}})
    opened = orjson.dumps([[row["id"], row["opened_at"]] for row in rows])
    number = f"drift_{hashlib.blake2s(opened, digest_size=12).hexdigest()}"
    headers = {"content-type": "application/json", "webhook-id": number, "webhook-timestamp": str(int(now))}
    if secret := section.drift_hook_secret.get_secret_value():
        headers["webhook-signature"] = signing.standard_webhooks(secret, number, int(now), body)
    response = yield httpx.Request("POST", section.drift_hook, headers=headers, content=body)
    if not response.is_success:
        raise Unavailable(f"the drift hook answered {response.status_code}", code="drift.hook_refused")
