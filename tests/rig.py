"""A hub in one process that a test drives step by step, against a destination that the test plays itself."""

import hashlib
import hmac
import json
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from sqlalchemy import text

from adapters.port import Reply
from dlq import shelf
from hub import clock, wiring
from hub.store import views
from hub.workers import Held, sweep

if TYPE_CHECKING:
    from hub.flow import Flow
    from hub.wiring import Hub

SECRET = "rig-secret"
Answer = Callable[[httpx.Request], httpx.Response]

HUB = """
[hub]
store = "{store}"
lease = "30s"
{own}

[shops.site]
channel = "generic"
signature = {{ scheme = "hmac-sha256-hex", header = "x-signature", secret = "{secret}" }}
mapping = "{mapping}"
"""
ONE = """
[destinations.erp]
kind = "http"
url = "https://erp.example.com/documents"
retry = { first = "1s", factor = 2, jitter = 0 }
[[routes]]
on = "order"
to = ["erp"]
[[routes]]
on = "refund"
to = ["erp"]
"""


def order(number: str = "W1001", *, minute: int = 0, **changes: Any) -> dict[str, Any]:
    """One paid order of the own site, last changed at that minute."""
    return {
        "order_no": number,
        "status": "paid",
        "payment_status": "paid",
        "shipping_status": "none",
        "currency": "CNY",
        "created_at": "2026-11-01T08:00:00Z",
        "updated_at": f"2026-11-01T09:{minute:02d}:00Z",
        "paid_at": "2026-11-01T08:01:00Z",
        "goods": "20.00",
        "total": "20.00",
        "paid": "20.00",
        "address": {
            "name": "Rosa Lind",
            "phone": "13912345678",
            "country": "CN",
            "city": "苏州市",
            "street": "平江路 9 号",
        },
        "items": [{"id": "1", "sku": "CUP-1", "title": "杯", "quantity": 2, "price": "10.00", "total": "20.00"}],
        **changes,
    }


CLOCK = """
create or replace function public.clock_timestamp() returns timestamptz language sql volatile
as $$ select interval '{} seconds'
    + coalesce(to_timestamp(nullif(current_setting('tests.now', true), '')::float8), pg_catalog.clock_timestamp()) $$
"""
"""The clock of a database on the tests' server, so many seconds ahead: of the machine, or of a test's virtual time."""


class Rig:
    """Pushes go in through `push`; `work` runs every step until nothing moves. `seen` are the requests sent out."""

    def __init__(
        self, folder: Path, store_url: str, toml: str = ONE, *, mapping: str = "", mappings: str = "", key: str = ""
    ) -> None:
        folder.mkdir(exist_ok=True)
        self.path = folder / "hub.toml"
        own = f'mappings = "{mappings}"' if mappings else ""
        own += f'\nkey = "{key}"' if key else ""
        text = HUB.format(store=store_url, secret=SECRET, mapping=mapping, own=own)
        self.path.write_text(text + toml, encoding="utf-8")
        self.seen: list[httpx.Request] = []
        self._ahead = 0.0
        self.answer: Answer = lambda _request: httpx.Response(200, json={"ok": True})
        self.hub: Hub = wiring.build(self.path)
        wiring.start(self.hub)
        self.http = httpx.AsyncClient(transport=httpx.MockTransport(self._answer))
        self.flow: Flow = wiring.connect(self.hub, self.http)[0]

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request)
        return self.answer(request)

    async def push(self, record: Any, *, shop: str = "site", signature: str | None = None) -> Reply:
        """Send a signed push through the front door."""
        raw = record if isinstance(record, bytes) else json.dumps(record, ensure_ascii=False).encode()
        signed = signature or hmac.new(SECRET.encode(), raw, hashlib.sha256).hexdigest()
        return await self.flow.receive(self.hub.shops[shop], {"x-signature": signed}, raw, "203.0.113.7")

    async def work(self) -> None:
        """Translate and deliver until nothing moves that is due now."""
        moved = True
        while moved:
            moved = bool(await self.flow.fetch()) | bool(await self.flow.translate())
            for name in self.hub.targets:
                moved |= bool(await self.deliver(name))

    async def deliver(self, name: str = "erp") -> int:
        """Claim once and attempt what was claimed, one after the other."""
        claim = await self.flow.claim(name, 100)
        for row in claim.rows:
            await self.flow.deliver(name, row, row["id"] in claim.doubtful)
        return len(claim.rows)

    async def sweep(self) -> int:
        """What the sweeper does."""
        swept = await self.hub.store.run(sweep, clock.now().timestamp(), self.hub.config.timeouts, Held())
        return swept.mended

    def bodies(self) -> list[Any]:
        """Bodies of all requests sent out."""
        return [json.loads(request.content) for request in self.seen]

    async def later(self, seconds: float) -> None:
        """So much time passes, by this process's clock and by its store's."""
        self._ahead += seconds
        clock.agree(clock.now() + timedelta(seconds=seconds))
        if not self.hub.store.sqlite:
            await self.run(lambda connection: connection.execute(text(CLOCK.format(self._ahead))))
            await self.hub.store.agree_on_time()

    async def read(self, work: Any, *args: Any, **kwargs: Any) -> Any:
        """Ask the store."""
        return await self.hub.store.read(work, *args, **kwargs)

    async def run(self, work: Any, *args: Any, **kwargs: Any) -> Any:
        """Change the store."""
        return await self.hub.store.run(work, *args, **kwargs)

    async def states(self) -> list[str]:
        """States of all deliveries, oldest first."""
        return [d["state"] for d in reversed(await self.read(views.deliveries_list, limit=1000))]

    async def open_letters(self) -> list[dict[str, Any]]:
        """Dead letters that wait for a person, newest first."""
        found: list[dict[str, Any]] = await self.read(shelf.find)
        return found

    async def balances(self) -> bool:
        """Whether the books hold for every channel and destination."""
        rows = await self.read(views.balance, list(self.hub.targets))
        return bool(rows) and all(row["holds"] for row in rows)

    async def close(self) -> None:
        """Let go of everything; the clock is the machine's again."""
        if self._ahead:
            clock.agree(clock.system())
            clock.went_back()
        with suppress(RuntimeError):
            await self.flow.close()
        await self.http.aclose()
        self.hub.store.close()
