"""A version of a mapping in the shadow of the one in force: what live traffic would have become, counted.

Nothing of it touches the hot path: a loop walks behind a cursor along what has arrived, maps it with both and adds to
the report in the shadow's row, so that a restart goes on where it was. One process of many does it.
"""

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import Any

import structlog

from hub import clock
from hub.config import Config
from hub.desk import NotFound, NotNow
from hub.mapping.catalog import Catalog
from hub.mapping.difference import Report
from hub.receiving import ShopFront
from hub.store import Connection, Store, audit, history, mappings
from hub.store.history import Page
from hub.workbench.history import Scope, compare, keep, scope_of
from hub.workbench.versions import Version

log = structlog.get_logger("hub.shadow")

LIMIT = 100
"""Inputs that are mapped in one turn."""
BACKLOG = 5000
"""Inputs that it may be behind; of what is more, the oldest are passed over."""


def start(connection: Connection, catalog: Catalog, name: str, version: Version, seconds: float, actor: str) -> int:
    """Begin. The version must be stored (versions.propose). Raises NotNow where one of this mapping is running."""
    if catalog.mapping(name).version == version.version:
        raise NotNow(f"{version.version} is in force: there is nothing to compare", hint="hub mapping list")
    running = history.shadows(connection, name, running=True)
    if running:
        short = name.removeprefix("channels/")
        raise NotNow(f"{running[0]['version']} is in the shadow already", hint=f"hub mapping shadow {short} --stop")
    now = clock.now().timestamp()
    outward = name.startswith("destinations/")
    cursor = history.newest_delivery(connection) if outward else history.newest_message(connection)
    audit.write(connection, now, actor, "mapping.shadowed", name, version.version)
    return history.add_shadow(connection, name, version.version, cursor, now + seconds, actor, now)


def stop(connection: Connection, name: str, actor: str) -> dict[str, Any]:
    """End the running shadow of a mapping before its time; it does not count as seen. Raises NotFound."""
    running = history.shadows(connection, name, running=True)
    now = clock.now().timestamp()
    if not running or not history.end_shadow(connection, running[0]["id"], now):
        raise NotFound(f"no version of {name} is in the shadow", hint="hub mapping shadow NAME VERSION --for 24h")
    audit.write(connection, now, actor, "mapping.shadow_stopped", name, running[0]["version"])
    return {**running[0], "ended_at": now}


def status(connection: Connection, name: str) -> dict[str, Any]:
    """The newest shadow of a mapping with its report so far. Raises NotFound."""
    found = history.shadows(connection, name)
    if not found:
        raise NotFound(f"no version of {name} was ever in the shadow", hint="hub mapping shadow NAME VERSION --for 24h")
    return found[0]


class Shadows:
    """One process's part. `lag`: seconds behind the present: what got its id first may be committed last."""

    def __init__(
        self, store: Store, catalog: Catalog, shops: Mapping[str, ShopFront], config: Config, *, lag: float = 2.0
    ) -> None:
        self._store, self._catalog, self._shops, self._config, self._lag = store, catalog, shops, config, lag
        self._newest: deque[tuple[float, int, int]] = deque()
        self._made: tuple[tuple[str, ...], Catalog] | None = None

    async def turn(self) -> int:
        """Map the next inputs of one shadow with both; returns how many it took."""
        store, now = self._store, clock.now().timestamp()
        if not await store.read(history.shadows, running=True):
            self._newest.clear()
            return 0
        edge = await self._settled(now)
        row = await store.run(history.lease_shadow, now, self._config.hub.lease, store.owner) if edge else None
        if row is None or edge is None:
            return 0
        seen_at, message, delivery = edge
        scope = scope_of(self._catalog, row["name"], self._shops, self._config)
        upto = delivery if scope.outward else message
        after = max(row["cursor"], upto - BACKLOG)
        rows, more = await store.read(_page, scope, after, upto)
        version = await store.read(mappings.version, row["name"], row["version"])
        live = [r for r in rows if r["received_at"] <= row["until"]]
        report, over = await asyncio.to_thread(self._compared, row, version["sources"] if version else {}, live)
        report.skipped += after - row["cursor"]
        over = over or (not more and seen_at > row["until"]) or len(live) < len(rows)
        cursor = rows[-1]["id"] if more else max(upto, row["cursor"])
        await store.run(self._keep, row, report, cursor, now, over)
        return len(rows)

    async def _settled(self, now: float) -> tuple[float, int, int] | None:
        """When and how far everything had arrived that is committed by now."""
        newest = await self._store.read(lambda c: (history.newest_message(c), history.newest_delivery(c)))
        self._newest.append((now, *newest))
        found = None
        while self._newest and self._newest[0][0] <= now - self._lag:
            found = self._newest.popleft()
        if found is not None:
            self._newest.appendleft(found)
        return found

    def _compared(
        self, row: Mapping[str, Any], sources: Mapping[str, str], inputs: list[dict[str, Any]]
    ) -> tuple[Report, bool]:
        """The report so far with these inputs, and whether there is nothing more to compare."""
        name, catalog = row["name"], self._catalog
        old = catalog.mapping(name).version
        report = Report.from_dict(row["report"]) if row["report"] else Report(name, old, row["version"])
        if report.old != old:  # another version went into force: what was counted against the one before is moot
            report = Report(name, old, row["version"])
        if old == row["version"]:
            return report, True
        key = (name, row["version"], *(catalog.mapping(n).version for n in catalog.names()))
        if self._made is None or self._made[0] != key:
            self._made = (key, catalog.with_(name, sources))
        compare(catalog, self._made[1], name, inputs, shops=self._shops, report=report)
        return report, False

    def _keep(
        self, connection: Connection, row: Mapping[str, Any], report: Report, cursor: int, now: float, over: bool
    ) -> None:
        values: dict[str, Any] = {"cursor": cursor, "report": report.as_dict(), "lease_until": now}
        if over:
            values["ended_at"] = now
        ours = history.keep_shadow(connection, row["id"], self._store.owner, **values)
        if ours and over:
            keep(connection, report, row["actor"])
            log.info(
                "shadow.ended",
                mapping=row["name"],
                version=row["version"],
                compared=report.compared,
                changed=report.changed,
                failing=report.failing,
            )


def _page(connection: Connection, scope: Scope, after: int, upto: int) -> Page:
    if not scope.outward:
        return history.message_page(connection, scope.kind, list(scope.shops), after, LIMIT, upto=upto)
    rows, more = history.delivery_page(connection, scope.kind, scope.destinations, after, LIMIT, upto)
    return Page([{**row, "of": "delivery"} for row in rows], more)
