"""The hot path, top to bottom: receive, fetch, translate, deliver. Each step claims a batch, works, commits once.

Nothing is answered before it is on disk; no mapping mistake, unknown word or crash can lose a message; a poisonous
item is taken out of its batch and dealt with alone.
"""

import asyncio
import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from typing import Any

import httpx
import orjson
import structlog

from adapters.port import Reply
from canonical.errors import HubError, NotAuthorised, NotUnderstood, SignatureRejected, Unavailable
from dlq import State, Step, shelf
from hub import clock, delivering, letters, renewal, translating
from hub.config import Config
from hub.dispatch import Outlet, waits
from hub.gathering import Gatherer
from hub.inforce import InForce
from hub.mapping.catalog import Catalog
from hub.pressure import Pressure
from hub.receiving import RAW, ShopFront, accepted_counts, guarded, incoming, internal, rejected, unpack
from hub.routing import Routes
from hub.store import Connection, Store, StoreError, StoreTrouble, inbox, leases, mappings, outbox, state
from hub.store.inbox import Incoming
from hub.wire import budget, converse

log = structlog.get_logger("hub.flow")

FETCH_TIMEOUT = 15.0
FETCH_ATTEMPTS = 8
TRIES = 3
"""How often what cannot be stored is tried alone, while the store works for all else, before that passes for its own
fault. What is the store's trouble never does."""
SHARE_EVERY = 0.25
"""Seconds after which the store is asked too, however much comes in: what was there before has its share."""


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
        self.outlet: Outlet = Outlet()
        self.keeps = False
        """Whether this process works: then it holds on to what it accepts, which need not be claimed from the store."""
        self._kept: list[dict[str, Any]] = []
        self._asked = 0.0
        self._intake = Gatherer(self._accept, config.hub.batch, config.hub.group_commit)
        self._outcomes = Gatherer(self._record, config.hub.batch, config.hub.group_commit)
        self._mapper = ThreadPoolExecutor(1, "hub-map")

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
        hold = self._hold() if self.keeps and len(self._kept) < self.config.hub.batch else None
        now = clock.now().timestamp()

        def work(connection: Connection) -> Mapping[int, Incoming]:
            new, repeats = inbox.accept(connection, items, hold, now)
            inbox.keep_repeats(connection, repeats)
            state.count(connection, accepted_counts(items, repeats))
            return new

        new = await self.store.run(work)
        if hold is not None:
            self._kept += [inbox.as_claimed(i, item) for i, item in new.items() if item.state == inbox.RECEIVED]
        else:
            self._asked = 0.0  # it has to be claimed
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
            channel = shop.channel
            talk = channel.fetch(first["kind"], first["key"], now)
            envelope = await guarded(
                converse(self.http, talk, FETCH_TIMEOUT, admit=budget(self.store, shop.name, self._limit(shop.name)))
            )
        except NotAuthorised as error:
            key = self.config.hub.key
            renewed = shop is not None and await renewal.renew(self.store, self.http, shop, key, channel)
            again = Unavailable(error.message) if renewed else error
            await self.store.run(self._fetch_failed, hints, again, clock.now().timestamp())
            return
        except HubError as error:
            await self.store.run(self._fetch_failed, hints, error, clock.now().timestamp())
            return
        now = clock.now()  # the answer took its time, and the clock may have been set meanwhile
        item = incoming(shop, envelope, "pull", now)
        try:
            await self.store.run(self._fetched, hints, item, now.timestamp())
        except StoreTrouble:
            raise
        except Exception as error:  # it alone cannot be stored: it is asked for again, and does not hold up the others
            await asyncio.to_thread(self.store.prove)
            log.exception("fetch.not_stored", message=first["id"])
            await self.store.run(self._fetch_failed, hints, internal(error), now.timestamp(), TRIES)
        self.arrived.set()

    def _limit(self, shop: str) -> float | None:
        pull = self.config.shops[shop].pull if shop in self.config.shops else None
        return pull.limit if pull else None

    def _fetched(self, connection: Connection, hints: Sequence[Mapping[str, Any]], item: Incoming, now: float) -> None:
        new, _ = inbox.accept(connection, [item])
        same = next(iter(new), None) or inbox.by_digest(connection, item.digest)
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
        self, connection: Connection, hints: Sequence[Mapping[str, Any]], error: HubError, now: float, tries: int = 0
    ) -> None:
        attempts = hints[0]["attempts"]
        if attempts + 1 < tries or (error.retryable and attempts < FETCH_ATTEMPTS):
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
        """One batch of messages to documents and deliveries. Returns how many it took, 0 if there are no more."""
        now, most = clock.now(), self.config.hub.batch
        rows, self._kept = self._kept[:most], self._kept[most:]
        kept = {row["id"] for row in rows}
        try:
            if not rows or clock.tick() - self._asked > SHARE_EVERY:
                self._asked, hold = clock.tick(), self._hold()
                more = await self.store.run(inbox.claim, inbox.RECEIVED, most, now.timestamp(), hold.lease, hold.owner)
                rows += [row for row in more if row["id"] not in kept]
            if not rows:
                return 0
            loop = asyncio.get_running_loop()
            mapped = await loop.run_in_executor(self._mapper, self._map_all, rows, now)
            await self._settle(mapped)
        except Exception:  # the store's trouble: they are still ours
            self._kept = rows + self._kept
            raise
        return len(rows) - len(kept) + len(self._kept)  # a last look for more costs as much as a batch

    def _hold(self, timeout: float = 0.0) -> inbox.Hold:
        return inbox.Hold(self.store.owner, leases.lasting(self.config.hub.lease, timeout))

    def _until(self, hold: inbox.Hold) -> float:
        """When leases that are about to be taken end, by clock.tick; alone, nobody takes anything over."""
        return math.inf if self.store.alone else clock.tick() + hold.lease

    def drop_kept(self) -> None:
        """Hold on to nothing any more: what this process was given and has not begun is the store's to give away."""
        self.keeps, self._kept = False, []

    async def _settle(self, batch: Sequence[translating.Mapped]) -> None:
        """Store a batch. What the store cannot take alone becomes a letter, once it is sure that the store is well."""
        if not batch:
            return
        try:
            await self._write(batch)
        except translating.LeaseLost as lost:
            await self._settle([m for m in batch if m.message["id"] not in lost.ids])
        except StoreTrouble:
            raise
        except Exception as error:  # one poisonous item must not stop its neighbours
            await asyncio.to_thread(self.store.prove)
            if len(batch) > 1:
                for mapped in batch:
                    await self._settle([mapped])
                return
            await self._settle_alone(batch[0], error)

    async def _settle_alone(self, mapped: translating.Mapped, error: Exception) -> None:
        for _ in range(TRIES - 1):
            try:
                await self._write([mapped])
                return
            except translating.LeaseLost:
                return
            except StoreTrouble:
                raise
            except Exception as again:
                error = again
            await asyncio.to_thread(self.store.prove)
        log.error("translate.failed", message=mapped.message["id"], exc_info=error)
        letter = letters.of_message(mapped.message, Step.MAP, internal(error))
        await self._write([translating.Mapped(mapped.message, letter=letter)])

    async def _write(self, batch: Sequence[translating.Mapped]) -> None:
        now, places, new = clock.now().timestamp(), self.outlet.promise(), outbox.Enqueued()
        sections = {name: self.targets[name].section for name in places}
        hold = self._hold(max((section.timeout for section in sections.values()), default=0.0))
        until = self._until(hold)

        def work(connection: Connection) -> outbox.Enqueued:
            free = delivering.unhindered(connection, sections, now) if sections else set()
            given = {name: most for name, most in places.items() if name in free}
            return translating.settle(connection, batch, self.config, self.routes, hold, now, given)

        try:
            new = await self.store.run(work)
        finally:
            self.outlet.start(places, new, until)

    def _map_all(self, rows: Sequence[Mapping[str, Any]], now: datetime) -> list[translating.Mapped]:
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

    def _map(self, row: Mapping[str, Any], now: datetime, tries: int = TRIES) -> translating.Mapped:
        try:
            return self._mapped(row, now)
        except HubError as error:
            return translating.Mapped(row, letter=letters.of_message(row, Step.UNPACK, error))
        except StoreTrouble:
            raise
        except Exception as error:  # our own mistake: the message is kept, the others go on
            if isinstance(error, StoreError) and tries > 1:
                self.store.prove()
                return self._map(row, now, tries - 1)
            log.exception("map.failed", message=row["id"])
            return translating.Mapped(row, letter=letters.of_message(row, Step.MAP, internal(error)))

    def _mapped(self, row: Mapping[str, Any], now: datetime) -> translating.Mapped:
        shop = self.shops.get(row["shop"])
        if row["kind"] == RAW:
            return self._unpack_again(row, shop, now)
        folder, overlay = (shop.mappings, shop.overlay) if shop else (row["channel"], "")
        return translating.map_message(self._catalog_for(row), row, folder, overlay, now)

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
        hold = self._hold(section.timeout)
        until = self._until(hold)
        claim = await self.store.run(delivering.claim, name, section, free, now, hold)
        if claim.rows and self.targets[name].render is not None:
            await self.take_up_mappings()
        return replace(claim, until=until)

    async def deliver(
        self, name: str, row: Mapping[str, Any], doubtful: bool, lease: delivering.Lease | None = None
    ) -> None:
        """One attempt at one delivery, and its outcome on disk."""
        target, course = self.targets[name], delivering.Course(doubtful, lease or delivering.Lease())
        try:
            result = await delivering.attempt(self.http, target, row, course)
        except delivering.TooLate:
            log.warning("deliver.too_late", delivery=row["id"], order=row["subject"], destination=name)
            return
        except Exception as error:  # an adapter's own mistake is this delivery's trouble alone
            log.exception("deliver.failed", delivery=row["id"], order=row["subject"])
            result = delivering.broken(target, row, internal(error), course)
        try:
            await self._outcomes.put(result)
        except Exception:  # a full disk, a store that restarts: what is known is not forgotten for that
            await self._record_at_last(result, target.section.timeout)
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

    async def _record_at_last(self, result: delivering.Result, timeout: float) -> None:
        """Try again to write an outcome, alone: as long as the store is away, and else while the delivery is ours.
        Raises what the last try raised."""
        until = clock.tick() + self._hold(timeout).lease
        for wait in waits():
            await asyncio.sleep(wait)
            try:
                await self._record([result])
                return
            except StoreTrouble:
                continue
            except Exception:
                if clock.tick() > until:
                    raise

    async def _record(self, results: Sequence[delivering.Result]) -> Sequence[Any]:
        sections = {name: t.section for name, t in self.targets.items()}
        now = clock.now().timestamp()
        if await self.store.run(delivering.record, results, sections, self.store.owner, now):
            self.outlet.look()
        return [None] * len(results)

    async def finish(self) -> None:
        """Write what is gathered."""
        await self._intake.close()
        await self._outcomes.close()

    async def close(self) -> None:
        """Write what is gathered and stop."""
        await self.finish()
        self._mapper.shutdown()


def shop_gone(name: str) -> NotUnderstood:
    """A message of a shop that somebody took out of the configuration."""
    hint = "Put the shop back into hub.toml and replay, or discard the letter."
    return NotUnderstood(f"the shop {name} is no longer in hub.toml", code="config.shop_gone", hint=hint)
