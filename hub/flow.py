"""The hot path, top to bottom: receive, fetch, translate, deliver. Each step claims a batch, works, commits once.

Nothing is answered before it is on disk; no mapping mistake, unknown word or crash can lose a message; a poisonous
item is taken out of its batch and dealt with alone.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import httpx
import orjson
import structlog

from adapters.port import Reply
from canonical.errors import HubError, InternalError, NotAuthorised, NotUnderstood, SignatureRejected, Unavailable
from dlq import State, Step, shelf
from hub import clock, delivering, letters, renewal, translating
from hub.config import Config
from hub.inforce import InForce
from hub.mapping.catalog import Catalog
from hub.pressure import Pressure
from hub.receiving import RAW, ShopFront, accepted_counts, incoming, rejected, unpack
from hub.routing import Routes
from hub.store import Connection, Store, inbox, mappings, state
from hub.store.inbox import Incoming
from hub.wire import budget, converse

log = structlog.get_logger("hub.flow")

FETCH_TIMEOUT = 15.0
FETCH_ATTEMPTS = 8


class Flow:
    """What happens to a message. Holds no state of its own but the batch that is being gathered."""

    def __init__(
        self,
        config: Config,
        store: Store,
        catalog: Catalog,
        routes: Routes,
        shops: Mapping[str, ShopFront],
        targets: Mapping[str, delivering.Target],
        http: httpx.AsyncClient,
    ) -> None:
        self.config, self.store, self.catalog, self.routes = config, store, catalog, routes
        self.shops, self.targets, self.http = shops, targets, http
        self._in_force = InForce(catalog, store)
        self._versions: dict[str, Catalog] = {}
        self.pressure = Pressure(config, store)
        self.arrived = asyncio.Event()
        self._listeners: list[asyncio.Event] = []
        self._intake = Gatherer(self._accept, config.hub.batch, config.hub.group_commit)
        self._outcomes = Gatherer(self._record, config.hub.batch, config.hub.group_commit)
        self._mapper = ThreadPoolExecutor(1, "hub-map")

    def listen(self, wake: asyncio.Event) -> None:
        """Set this event whenever there may be something to deliver."""
        self._listeners.append(wake)

    def _tell(self) -> None:
        for wake in self._listeners:
            wake.set()

    # -- receive -------------------------------------------------------------------------------------------------

    async def receive(self, shop: ShopFront, headers: Mapping[str, str], raw: bytes, sender: str = "") -> Reply:
        """A push: prove its sender, put it on disk, answer in the platform's words. Header names are lower-case."""
        now = clock.now()
        try:
            shop.channel.verify(headers, raw, now)
        except SignatureRejected as error:
            await self.store.run(state.reject, [rejected(shop, raw, error, sender, now)])
            log.warning("push.rejected", shop=shop.name, code=error.code)
            return shop.channel.acknowledge(error)
        found = unpack(shop, headers, raw, now)
        if found:
            await asyncio.gather(*(self._intake.put(item) for item in found))
        return shop.channel.acknowledge(None)

    async def _accept(self, items: Sequence[Incoming]) -> Sequence[Any]:
        def work(connection: Connection) -> int:
            new, repeats = inbox.accept(connection, items)
            inbox.keep_repeats(connection, repeats)
            state.count(connection, accepted_counts(items, repeats))
            return len(new)

        await self.store.run(work)
        self.arrived.set()
        return [None] * len(items)

    # -- fetch ---------------------------------------------------------------------------------------------------

    async def fetch(self) -> int:
        """Turn thin events into records: ask the platform once for all events about one order."""
        now = clock.now().timestamp()
        hints = await self.store.run(
            inbox.claim, inbox.FETCH, self.config.hub.batch, now, self.config.hub.lease, self.store.owner
        )
        together: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
        for hint in hints:
            together.setdefault((hint["shop"], hint["kind"], hint["key"]), []).append(hint)
        await asyncio.gather(*(self._fetch_one(group) for group in together.values()))
        return len(hints)

    async def _fetch_one(self, hints: Sequence[Mapping[str, Any]]) -> None:
        first, now = hints[0], clock.now()
        shop = self.shops.get(first["shop"])
        try:
            if shop is None:
                raise shop_gone(first["shop"])
            talk = shop.channel.fetch(first["kind"], first["key"], now)
            envelope = await guarded(
                converse(self.http, talk, FETCH_TIMEOUT, admit=budget(self.store, shop.name, self._limit(shop.name)))
            )
        except NotAuthorised as error:
            renewed = shop is not None and await renewal.renew(self.store, self.http, shop, self.config.hub.key)
            await self.store.run(
                self._fetch_failed, hints, Unavailable(error.message) if renewed else error, now.timestamp()
            )
            return
        except HubError as error:
            await self.store.run(self._fetch_failed, hints, error, now.timestamp())
            return
        item = incoming(shop, envelope, "pull", now)
        await self.store.run(self._fetched, hints, item, now.timestamp())
        self.arrived.set()

    def _limit(self, shop: str) -> float | None:
        pull = self.config.shops[shop].pull if shop in self.config.shops else None
        return pull.limit if pull else None

    def _fetched(self, connection: Connection, hints: Sequence[Mapping[str, Any]], item: Incoming, now: float) -> None:
        new, _ = inbox.accept(connection, [item])
        same = new[0] if new else inbox.by_digest(connection, item.digest)
        if same is not None and same in {
            h["id"] for h in hints
        }:  # a replay asked for a record anew, and it is as it was
            inbox.map_as_it_is(connection, same, self.store.owner)
            hints = [h for h in hints if h["id"] != same]
        why = f"thin event: fetched as message {same}"
        inbox.finish(
            connection, [inbox.Done(h["id"], inbox.IGNORED, why, same_as=same) for h in hints], self.store.owner, now
        )
        shelf.close(connection, (f"message/{h['id']}" for h in hints), State.RESOLVED, now, why="fetched")
        if new:
            state.count(connection, accepted_counts([item], []))

    def _fetch_failed(
        self, connection: Connection, hints: Sequence[Mapping[str, Any]], error: HubError, now: float
    ) -> None:
        if error.retryable and hints[0]["attempts"] < FETCH_ATTEMPTS:
            wait = error.retry_after if isinstance(error, Unavailable) and error.retry_after else 0
            for hint in hints:
                delay = max(wait, min(2.0 ** hint["attempts"], 300.0))
                inbox.postpone(connection, hint["id"], self.store.owner, now + delay)
            return
        done = [inbox.Done(h["id"], inbox.DEAD, error.code) for h in hints]
        inbox.finish(connection, done, self.store.owner, now)
        shelf.put(connection, [letters.of_message(h, Step.FETCH, error) for h in hints], now)

    # -- translate -----------------------------------------------------------------------------------------------

    async def translate(self) -> int:
        """One batch of messages to documents and deliveries. Returns how many it took."""
        now = clock.now()
        rows = await self.store.run(
            inbox.claim,
            inbox.RECEIVED,
            self.config.hub.batch,
            now.timestamp(),
            self.config.hub.lease,
            self.store.owner,
        )
        if not rows:
            return 0
        loop = asyncio.get_running_loop()
        mapped = await loop.run_in_executor(self._mapper, self._map_all, rows, now)
        await self._settle([m for m in mapped if m is not None])
        self._tell()
        return len(rows)

    async def _settle(self, batch: Sequence[translating.Mapped]) -> None:
        if not batch:
            return
        now = clock.now().timestamp()
        try:
            await self.store.run(translating.settle, batch, self.config, self.routes, self.store.owner, now)
        except translating.LeaseLost as lost:
            await self._settle([m for m in batch if m.message["id"] not in lost.ids])
        except Exception as error:  # one poisonous item must not stop its neighbours
            if len(batch) > 1:
                for mapped in batch:
                    await self._settle([mapped])
                return
            log.exception("translate.failed", message=batch[0].message["id"])
            letter = letters.of_message(batch[0].message, Step.MAP, internal(error))
            await self.store.run(
                translating.settle,
                [translating.Mapped(batch[0].message, letter=letter)],
                self.config,
                self.routes,
                self.store.owner,
                now,
            )

    def _map_all(self, rows: Sequence[Mapping[str, Any]], now: datetime) -> list[translating.Mapped | None]:
        self.refresh_mappings()
        return [self._map(row, now) for row in rows]

    def refresh_mappings(self) -> None:
        """Take up files that changed on disk and versions that were activated; a broken one is told and the good one
        stays in force."""
        for problem in self._in_force.refresh():
            log.error("mapping.not_taken", problem=problem)

    async def take_up_mappings(self) -> None:
        """The same for those who wait: in turn with the mapping of messages, so that no batch sees two versions."""
        await asyncio.get_running_loop().run_in_executor(self._mapper, self.refresh_mappings)

    def _map(self, row: Mapping[str, Any], now: datetime) -> translating.Mapped | None:
        shop = self.shops.get(row["shop"])
        try:
            if row["kind"] == RAW:
                return self._unpack_again(row, shop, now)
            folder, overlay = (shop.mappings, shop.overlay) if shop else (row["channel"], "")
            return translating.map_message(self._catalog_for(row), row, folder, overlay, now)
        except HubError as error:
            return translating.Mapped(row, letter=letters.of_message(row, Step.UNPACK, error))
        except Exception as error:  # our own mistake: the message is kept, the others go on
            log.exception("map.failed", message=row["id"])
            return translating.Mapped(row, letter=letters.of_message(row, Step.MAP, internal(error)))

    def _catalog_for(self, row: Mapping[str, Any]) -> Catalog:
        """The mappings in force; for a message that a replay maps by another version, those with that one."""
        wanted = row["mapping_version"]
        if not wanted:
            return self.catalog
        if wanted not in self._versions:
            with self.store.look() as connection:
                found = mappings.by_version(connection, wanted)
            if found is None:
                raise NotUnderstood(f"the mapping's version {wanted} is not kept any more", code="config.no_version")
            self._versions = {wanted: self.catalog.with_(found["name"], found["sources"])}
        return self._versions[wanted]

    def _unpack_again(self, row: Mapping[str, Any], shop: ShopFront | None, now: datetime) -> translating.Mapped:
        """A raw push whose unpacking failed before: the adapter may know it now."""
        if shop is None:
            raise shop_gone(row["shop"])
        headers = orjson.loads(row["headers"] or b"{}")
        found = list(shop.channel.unpack(headers, inbox.decompress(row["body"]), now))
        items = [incoming(shop, record, "push", now) for record in found]
        with self.store.begin() as connection:
            new, repeats = inbox.accept(connection, items)
            state.count(connection, accepted_counts(items, repeats))
        return translating.Mapped(row, ignored=f"unpacked into {len(new)} messages")

    # -- deliver -------------------------------------------------------------------------------------------------

    async def claim(self, name: str, free: int) -> delivering.Claim:
        """Take up to `free` deliveries of one destination that may start now."""
        section, now = self.targets[name].section, clock.now().timestamp()
        lease = max(self.config.hub.lease, 3 * section.timeout)
        claim = await self.store.run(delivering.claim, name, section, free, now, lease, self.store.owner)
        if claim.rows and self.targets[name].render is not None:
            await self.take_up_mappings()
        return claim

    async def deliver(self, name: str, row: Mapping[str, Any], doubtful: bool) -> None:
        """One attempt at one delivery, and its outcome on disk."""
        target = self.targets[name]
        try:
            result = await delivering.attempt(self.http, target, row, doubtful)
        except Exception as error:  # an adapter's own mistake is this delivery's trouble alone
            log.exception("deliver.failed", delivery=row["id"], order=row["subject"])
            result = delivering.broken(target, row, internal(error))
        await self._outcomes.put(result)
        outcome = result.outcome
        log.info(
            "delivery.attempted",
            order=row["subject"],
            shop=row["shop"],
            destination=name,
            delivery=row["id"],
            attempt=row["attempts"],
            outcome=outcome.outcome,
            status=outcome.status,
            seconds=round(outcome.seconds, 4),
        )

    async def _record(self, results: Sequence[delivering.Result]) -> Sequence[Any]:
        sections = {name: t.section for name, t in self.targets.items()}
        now = clock.now().timestamp()
        await self.store.run(delivering.record, results, sections, self.store.owner, now)
        self._tell()
        return [None] * len(results)

    async def finish(self) -> None:
        """Write what is gathered."""
        await self._intake.close()
        await self._outcomes.close()

    async def close(self) -> None:
        """Write what is gathered and stop."""
        await self.finish()
        self._mapper.shutdown()


class Gatherer:
    """Group commit: items that come while a commit is under way, or within `pause` seconds, go into the next one."""

    def __init__(self, commit: Callable[[list[Any]], Awaitable[Sequence[Any]]], most: int, pause: float) -> None:
        self._commit, self._most, self._pause = commit, most, pause
        self._items: list[tuple[Any, asyncio.Future[Any]]] = []
        self._task: asyncio.Task[None] | None = None

    async def put(self, item: Any) -> Any:
        """Returns when the item is committed; raises what its commit raised."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._items.append((item, future))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        return await future

    async def _run(self) -> None:
        while self._items:
            if self._pause and len(self._items) < self._most:
                await asyncio.sleep(self._pause)
            batch, self._items = self._items[: self._most], self._items[self._most :]
            try:
                results = await self._commit([item for item, _ in batch])
            except Exception as error:  # every waiter learns that its item is not on disk
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
                continue
            for (_, future), value in zip(batch, results, strict=True):
                if not future.done():
                    future.set_result(value)

    async def close(self) -> None:
        """Wait until all that was put is committed."""
        if self._task is not None:
            await self._task


def shop_gone(name: str) -> NotUnderstood:
    """A message of a shop that somebody took out of the configuration."""
    hint = "Put the shop back into hub.toml and replay, or discard the letter."
    return NotUnderstood(f"the shop {name} is no longer in hub.toml", code="config.shop_gone", hint=hint)


async def guarded(work: Any) -> Any:
    """Await an adapter's work; its own mistakes come out as InternalError."""
    try:
        return await work
    except HubError:
        raise
    except Exception as error:
        log.exception("adapter.failed")
        raise internal(error) from error


def internal(error: Exception) -> InternalError:
    """Our own mistake as an error that goes with the message."""
    return InternalError(f"{type(error).__name__}: {error}", evidence={"type": type(error).__name__})
