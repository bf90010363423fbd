"""What the platforms send that no mapping knows. Walks along the stored messages, off the hot path: behind a cursor, a
bounded number of them a turn, in one process of many."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog

from canonical.errors import ConfigError, HubError
from canonical.parsing import parse_json
from hub import clock
from hub.desk import NotFound
from hub.host import HOST
from hub.mapping.catalog import Catalog
from hub.mapping.known import Known, path_of
from hub.mapping.observing import NEW_FIELD, NEW_WORD, VANISHED, Hit, observe
from hub.mapping.profile import GONE, SETTLED, Profile
from hub.receiving import RAW, ShopFront
from hub.store import Connection, Store, audit, drift, inbox, state
from hub.store.drift import Found
from hub.store.history import newest_message

log = structlog.get_logger("hub.drift")


EACH, BREATH = 4, 0.004
"""Messages after which the others have their turn, and seconds of it."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How much is looked at, and how soon it is told.

    `limit`: messages in one turn, 10 to 60 ms of work. `lag`: seconds behind the present, since a message that got its
    id first may be committed last. `backlog`: messages that the walk may be behind before it takes a sample of them.
    `settled`, `gone`: see hub.mapping.profile. `findings`: kept of one shop and kind.
    """

    limit: int = 60
    lag: float = 2.0
    backlog: int = 3000
    settled: int = SETTLED
    gone: int = GONE
    findings: int = 500


_Shape = tuple[str, str]
"""A shop and a kind: what has a profile of its own."""


@dataclass(slots=True)
class Learned:
    """What one turn has to write."""

    profiles: dict[_Shape, Profile] = field(default_factory=dict)
    channels: dict[_Shape, str] = field(default_factory=dict)
    found: dict[tuple[str, ...], Found] = field(default_factory=dict)
    back: set[tuple[str, ...]] = field(default_factory=set)

    def note(self, row: Mapping[str, Any], hit: Hit) -> None:
        """One more message with this in it."""
        key = (row["shop"], row["kind"], hit.what, hit.path, hit.detail)
        known = self.found.get(key)
        if known is None:
            at = row["received_at"]
            first = at if hit.since is None else hit.since
            self.found[key] = Found(
                row["shop"], row["kind"], row["channel"], hit.what, hit.path, hit.detail, hit.sample, row["id"], first,
                at, hit.count, hit.again,
            )  # fmt: skip
            return
        known.count += hit.count
        known.again |= hit.again
        known.message_id, known.last_at, known.sample = row["id"], row["received_at"], hit.sample


class Drift:
    """One process's part in it."""

    def __init__(
        self,
        store: Store,
        catalog: Catalog,
        shops: Mapping[str, ShopFront],
        lease: float,
        pace: Pace | None = None,
    ) -> None:
        self._store, self._catalog, self._shops, self._lease = store, catalog, shops, lease
        self._pace = pace or Pace()
        self._at = -1
        self._known: dict[_Shape, tuple[str, Known]] = {}

    async def turn(self) -> int:
        """Look at the next messages; returns how many it took."""
        now = clock.now().timestamp()
        taken = 0
        if await self._store.read(newest_message) != self._at:
            taken = await self._walk(now)
        await self._settle(now)
        return taken

    async def _walk(self, now: float) -> int:
        store, pace = self._store, self._pace
        cursor = await store.run(drift.lease, drift.WALK, now, self._lease, store.owner, pace.backlog)
        if cursor is None:
            return 0
        rows, at = await store.read(drift.behind, cursor, pace.limit, pace.backlog, now - pace.lag)
        shapes = sorted({(row["shop"], row["kind"]) for row in rows})
        kept = await store.read(lambda c: {shape: drift.profile(c, *shape) for shape in shapes})
        learned = await asyncio.to_thread(self._learn, rows, kept)
        for item in await store.run(self._keep, learned, at, now):
            log.warning(
                "drift.found", shop=item.shop, kind=item.kind, what=item.what, path=item.path, detail=item.detail
            )
        self._at = at
        return len(rows)

    def _learn(self, rows: Sequence[Mapping[str, Any]], kept: Mapping[_Shape, bytes | None]) -> Learned:
        learned = Learned()
        for number, row in enumerate(rows, 1):
            if number % EACH == 0:
                HOST.get().rest(BREATH)  # in a thread of its own, which must not keep the others from the interpreter
            shape = (row["shop"], row["kind"])
            thin = row["key"] and not row["subject"]
            known = None if row["body"] is None or row["kind"] == RAW or thin else self.known(*shape)
            if known is None:
                continue
            if shape not in learned.profiles:
                learned.profiles[shape] = self._profile(kept.get(shape))
                learned.channels[shape] = row["channel"]
            try:
                record = parse_json(inbox.decompress(row["body"]))
            except HubError:  # it was read more leniently when it came, or is not JSON: its mapping has told
                continue
            seen = observe(learned.profiles[shape], record, known, row["received_at"])
            for hit in seen.hits:
                learned.note(row, hit)
            learned.back.update((*shape, path) for path in seen.back)
        return learned

    def known(self, shop: str, kind: str) -> Known | None:
        """What the mappings in force know of a shop's records; None where it has none for the kind."""
        front = self._shops.get(shop)
        try:
            translator = self._catalog.channel(front.mappings, kind, front.overlay) if front else None
        except ConfigError:
            return None
        if translator is None:
            return None
        version, known = self._known.get((shop, kind), ("", None))
        if known is None or version != translator.version:
            known = Known(translator.mappings)
            self._known[shop, kind] = translator.version, known
        return known

    def _profile(self, kept: bytes | None) -> Profile:
        settled, gone = self._pace.settled, self._pace.gone
        return Profile.load(kept, settled=settled, gone=gone) if kept else Profile(settled=settled, gone=gone)

    def _keep(self, connection: Connection, learned: Learned, at: int, now: float) -> list[Found]:
        if not drift.release(connection, drift.WALK, self._store.owner, at, now):
            return []  # another process took over and has seen the same messages
        for shape, profile in learned.profiles.items():
            drift.keep_profile(connection, *shape, learned.channels[shape], profile.records, profile.dump(), now)
        news = drift.add(connection, learned.found.values(), self._pace.findings)
        drift.close(connection, _moot(connection, learned), drift.HUB, now)
        counts: dict[tuple[str, ...], float] = {}
        for item in news:
            key = ("drift", item.channel, item.shop, item.what)
            counts[key] = counts.get(key, 0) + 1
        state.count(connection, counts)
        return news

    async def _settle(self, now: float) -> None:
        """Close what the mappings know by now."""
        found = await self._store.read(drift.findings)
        done = [row["id"] for row in found if self._is_known(row)]
        if done:
            closed = await self._store.run(drift.close, done, drift.HUB, now)
            log.info("drift.closed", findings=closed)

    def _is_known(self, finding: Mapping[str, Any]) -> bool:
        known, path = self.known(finding["shop"], finding["kind"]), path_of(finding["path"])
        if known is None or path is None:
            return False
        if finding["what"] == NEW_FIELD:
            return bool(known.rows(path))
        words = (known.table(path) or frozenset()) | known.compared(path)
        return bool(finding["what"] == NEW_WORD and finding["detail"] in words)


def _moot(connection: Connection, learned: Learned) -> list[int]:
    """Open findings of fields that are back, or whose names turned out to be data."""
    merged = [(*shape, f"{path}.") for shape, profile in learned.profiles.items() for path in profile.merged]
    if not merged and not learned.back:
        return []
    moot = []
    for row in drift.findings(connection):
        shop, kind, path = row["shop"], row["kind"], row["path"]
        back = row["what"] == VANISHED and (shop, kind, path) in learned.back
        if back or any((shop, kind) == m[:2] and path.startswith(m[2].lstrip(".")) for m in merged):
            moot.append(row["id"])
    return moot


def listing(
    connection: Connection, look: Drift, *, shop: str = "", channel: str = "", closed: bool = False
) -> list[dict[str, Any]]:
    """Findings, newest first, each with the `rules` that read the field in the mappings in force."""
    found = []
    for row in drift.findings(connection, shop=shop, channel=channel, closed=closed):
        known, path = look.known(row["shop"], row["kind"]), path_of(row["path"])
        rules = known.rows(path) if known is not None and path is not None else ()
        found.append({**row, "rules": [rule for rule in rules if not rule.endswith("?")] or list(rules)})
    return found


def close(connection: Connection, ids: Sequence[int], actor: str) -> int:
    """A person has seen these; they open again when what they tell comes back after it had stayed away."""
    rows = {row["id"]: row for row in drift.findings(connection, closed=True, ids=ids)}
    missing = [i for i in ids if i not in rows]
    if missing:
        hint = "hub mapping drift lists the open ones, --all the others too"
        raise NotFound(f"there is no finding {', '.join(map(str, missing))}", hint=hint)
    now = clock.now().timestamp()
    for row in rows.values():
        about = f"{row['shop']}/{row['kind']} {row['what']} {row['path']} {row['detail']}".strip()
        audit.write(connection, now, actor, "drift.closed", f"finding {row['id']}", about)
    return drift.close(connection, ids, actor, now)
