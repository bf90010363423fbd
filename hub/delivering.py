"""From the outbox to a destination and back: claim, one attempt, record in batches."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import orjson

from adapters.port import Delivery, Destination, Receipt
from canonical import Problem
from canonical.documents import DOCUMENTS
from canonical.errors import HubError, InDoubt, MappingFailed, NotAuthorised, Unavailable
from dlq import DeadLetter, State, shelf
from hub import breaker, clock, letters, throttle
from hub.config import DestinationSection
from hub.masking import mask_text
from hub.retry import AskAt, GiveUp, Pause, RetryAt, decide
from hub.store import Connection, audit, documents, inbox, outbox, state
from hub.store.outbox import Outcome
from hub.store.tables import REPLAY
from hub.wire import Log, converse

LATENCY_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600)
"""Upper edges in seconds of the accepted-to-delivered histogram."""


Rendered = tuple[Any, Sequence[Problem], str, str]
"""A body, the problems that kept it from being one, the mapping's version, the name of an XML root."""


@dataclass(frozen=True, slots=True)
class Target:
    """One configured destination, ready to be spoken to. `render` is None where the canonical document goes out."""

    name: str
    section: DestinationSection
    adapter: Destination
    render: Callable[[str, Any], Rendered] | None


@dataclass(frozen=True, slots=True)
class Result:
    """An attempt's outcome with what follows from it."""

    row: Mapping[str, Any]
    outcome: Outcome
    letter: DeadLetter | None = None
    outage: bool | None = None  # what the breaker hears: an outage, a working destination, or nothing
    pause: HubError | None = None
    hold: bool = False
    assumed: bool = False


@dataclass(frozen=True, slots=True)
class Claim:
    """Deliveries taken, and those among them whose outcome must be settled first."""

    rows: list[Mapping[str, Any]] = field(default_factory=list)
    doubtful: frozenset[int] = frozenset()
    wait: float | None = None  # seconds until a budget or a breaker lets more through
    more: bool = False  # there may be more of them in the store


def claim(
    connection: Connection, name: str, section: DestinationSection, free: int, now: float, hold: inbox.Hold
) -> Claim:
    """Take what may start now: not while paused, of kinds whose breaker is closed, one of each that is to be probed,
    within the budget that all processes share."""
    shared = state.destination(connection, name, lock=True)
    if shared["paused"]:
        return Claim()
    circuits = state.circuits_of(shared)
    allowed = {kind: breaker.allows(breaker.of_kind(circuits, kind), now) for kind in DOCUMENTS}
    free_kinds = tuple(kind for kind, most in allowed.items() if most is None)
    probed = [kind for kind, most in allowed.items() if most == 1]
    if not free_kinds and not probed:
        return Claim(wait=_turns_in(circuits, now), more=True)
    granted, bucket = throttle.take(state.bucket_of(shared), section.limit, free, now)
    if granted == 0:
        return Claim(wait=throttle.ready_in(bucket, section.limit or 1.0), more=True)
    found = Claim(wait=_turns_in(circuits, now))
    doubtful: set[int] = set()

    def take(most: int, *kinds: str) -> int:
        only = () if len(kinds) == len(DOCUMENTS) else kinds
        asked = outbox.claim(connection, name, outbox.IN_DOUBT, most, now, hold, only)
        doubtful.update(row["id"] for row in asked)
        fresh = outbox.claim(connection, name, outbox.WAITING, most - len(asked), now, hold, only)
        found.rows.extend([*asked, *fresh])
        return len(asked) + len(fresh)

    turned = dict(circuits)
    for kind in probed:
        if len(found.rows) < granted and take(1, kind):
            turned[kind] = breaker.probing(circuits[kind], now, section.timeout)
    if free_kinds and len(found.rows) < granted:
        take(granted - len(found.rows), *free_kinds)
    if found.rows and section.limit:
        unused = throttle.Bucket(bucket.tokens + granted - len(found.rows), now)
        state.keep_destination(connection, name, now, bucket=unused)
    if turned != circuits:
        state.keep_destination(connection, name, now, circuits=turned)
        audit.write_all(connection, now, "hub", _turns(name, circuits, turned))
    return replace(found, doubtful=frozenset(doubtful), more=len(found.rows) == granted)


def _turns_in(circuits: breaker.Circuits, now: float) -> float | None:
    """Seconds until the next of the open circuits is probed; None where there is none, or a person forced it."""
    times = [c.until for c in circuits.values() if c.state != breaker.CLOSED and not c.forced]
    return max(min(times) - now, 0.05) if times else None


def unhindered(connection: Connection, sections: Mapping[str, DestinationSection], now: float) -> set[str]:
    """Destinations that take what is new at once: not paused, breaker closed, without a budget that is shared."""
    rows = {row["name"]: row for row in state.destinations_of(connection, list(sections))}
    return {
        name
        for name, section in sections.items()
        if name in rows
        and section.limit is None
        and not rows[name]["paused"]
        and all(breaker.allows(c, now) is None for c in state.circuits_of(rows[name]).values())
    }


async def attempt(http: httpx.AsyncClient, target: Target, row: Mapping[str, Any], doubtful: bool) -> Result:
    """Try one delivery once. Never raises HubError: every ending is a Result."""
    started, tick = clock.now().timestamp(), clock.tick()
    log = Log()
    document = orjson.loads(inbox.decompress(row["overlay"] or row["body"]))
    rendered: Rendered = (document, (), "", "request")
    if target.render is not None:
        rendered = target.render(row["kind"], document)
    body, problems, version, root = rendered
    unsettled = doubtful and target.adapter.can_look_up
    try:
        if problems:
            raise MappingFailed("the destination's mapping could not render the document")
        delivery = _delivery(row, body, root)
        receipt = await _asked(http, target, delivery, log) if doubtful else None
        unsettled = False
        if receipt is None:
            receipt = await converse(http, target.adapter.push(delivery, clock.now()), target.section.timeout, log)
    except HubError as error:
        seconds = clock.tick() - tick
        return _failed(target, row, error, problems, log, started, seconds, version, unsettled)
    outcome = Outcome(
        row["id"],
        row["lane"],
        outbox.DELIVERED,
        started,
        clock.tick() - tick,
        row["attempts"],
        "already there" if receipt.already_there else "delivered",
        log.status,
        answer=log.answer,
        reference=receipt.reference,
        mapping_version=version,
    )
    return Result(row, outcome, outage=False)


def broken(target: Target, row: Mapping[str, Any], error: HubError) -> Result:
    """The result of an attempt in which our own code failed."""
    return _failed(target, row, error, (), Log(), clock.now().timestamp(), 0.0, "")


async def _asked(http: httpx.AsyncClient, target: Target, delivery: Delivery, log: Log) -> Receipt | None:
    """Whether a delivery in doubt arrived; None: it did not, or may be sent again unasked."""
    if target.adapter.can_look_up:
        asked = target.adapter.look_up(delivery, clock.now())
        found = await converse(http, asked, target.section.timeout, log)
        return None if found is None else Receipt(found.reference, already_there=True)
    if target.section.in_doubt == "ask":
        raise MappingFailed(
            "it is not known whether the destination took it, and it cannot be asked",
            code="delivery.in_doubt",
            hint="Look in the destination for the order; then discard the letter if it is there, or replay it.",
        )
    return None


def _failed(
    target: Target,
    row: Mapping[str, Any],
    error: HubError,
    problems: Sequence[Problem],
    log: Log,
    started: float,
    seconds: float,
    version: str,
    unsettled: bool = False,
) -> Result:
    """What a failure leads to. `unsettled`: it was in doubt, the destination could not be asked, and so it still is."""
    section, now = target.section, started + seconds
    first_at = row["first_at"] or started
    decision = decide(section.retry, row["attempts"], first_at, error, now)
    outage = True if isinstance(error, InDoubt) or (isinstance(error, Unavailable) and not error.throttled) else None
    if log.status is not None and outage is None:
        outage = False

    def outcome(status: str, what: str, due_at: float = 0.0, reference: str = "") -> Outcome:
        return Outcome(
            row["id"], row["lane"], status, started, seconds, row["attempts"], what, log.status,
            error=f"{'in doubt; ' if unsettled else ''}{error.code}: {mask_text(error.message)}",
            answer=log.answer, due_at=due_at,
            reference=reference, mapping_version=version, unsettled=unsettled,
        )  # fmt: skip

    again = outbox.IN_DOUBT if unsettled else outbox.WAITING
    if isinstance(decision, GiveUp):
        letter = letters.of_delivery(row, error, problems, answer=log.answer, version=version)
        return Result(row, outcome(outbox.DEAD, decision.why), letter, outage)
    if isinstance(decision, Pause):
        pause = error if isinstance(error, NotAuthorised) else None
        return Result(row, outcome(again, "not authorised", now), None, outage, pause)
    late = max(now - first_at, 0.0) >= section.degrade.after  # two clocks may differ by a little
    if late and section.degrade.policy == "assume":
        reference = f"assumed: {section.degrade.answer}"
        return Result(row, outcome(outbox.DELIVERED, "assumed", 0.0, reference), None, outage, assumed=True)
    hold = late and section.degrade.policy == "hold"
    if isinstance(decision, AskAt):
        return Result(row, outcome(outbox.IN_DOUBT, "in doubt", decision.at), None, outage, hold=hold)
    assert isinstance(decision, RetryAt)  # noqa: S101  # the only one left
    return Result(row, outcome(again, "failed", decision.at), None, outage, hold=hold)


def record(
    connection: Connection,
    results: Sequence[Result],
    sections: Mapping[str, DestinationSection],
    owner: str,
    now: float,
) -> bool:
    """Write a batch of attempts: outcomes, letters, breakers, pauses, counters. Returns whether other deliveries may
    go now that could not before."""
    recorded, freed = outbox.record(connection, [r.outcome for r in results], owner)
    mine = {o.id for o in recorded}
    kept = [r for r in results if r.outcome.id in mine]
    shelf.put(connection, [r.letter for r in kept if r.letter], now)
    delivered = [r for r in kept if r.outcome.state == outbox.DELIVERED]
    again = (f"delivery/{r.outcome.id}" for r in delivered if r.row["queue"] == REPLAY)  # no others have a letter
    shelf.close(connection, again, State.RESOLVED, now, why="delivered")
    assumed = [r.row["document_id"] for r in kept if r.assumed]
    if assumed:
        documents.mark_for_review(connection, assumed)
    by_destination: dict[str, list[Result]] = {}
    for result in kept:
        by_destination.setdefault(result.row["destination"], []).append(result)
    counts: dict[tuple[str, ...], float] = {}
    acts: list[tuple[str, str, str]] = []
    for name, group in sorted(by_destination.items()):
        acts += _after(connection, name, sections[name], group, now)
        _count(name, group, counts)
    audit.write_all(connection, now, "hub", acts)
    state.count(connection, counts)
    return bool(freed) or any(sections[name].degrade.policy == "hold" for name in by_destination)


def _after(
    connection: Connection, name: str, section: DestinationSection, group: Sequence[Result], now: float
) -> list[tuple[str, str, str]]:
    """What a batch means to its destination as a whole; returns what the audit log must hear of it."""
    acts: list[tuple[str, str, str]] = []
    shared = state.destination(connection, name, lock=True)
    circuits = state.circuits_of(shared)
    turned = dict(circuits)
    for kind in sorted({result.row["kind"] for result in group}):
        bad = sum(r.outage is True for r in group if r.row["kind"] == kind)
        good = sum(r.outage is False for r in group if r.row["kind"] == kind)
        turned[kind] = breaker.observe(circuits.get(kind, breaker.Circuit()), section.breaker, good, bad, now)
    if turned != circuits:
        state.keep_destination(connection, name, now, circuits=turned)
        acts += _turns(name, circuits, turned)
    refused = next((r.pause for r in group if r.pause), None)
    if refused is not None and not shared["paused"]:
        state.keep_destination(connection, name, now, paused=f"credentials refused: {refused.message}")
        acts.append(("destination.paused", name, refused.message))
        shelf.put(connection, [letters.of_destination(name, group[0].row["tenant"], refused)], now)
    if section.degrade.policy == "hold":
        for result in group:
            if result.hold:
                outbox.hold_others(connection, result.row["tenant"], result.row["subject"], name)
        through = [r.row for r in group if r.outcome.state == outbox.DELIVERED]
        for row in through:
            outbox.release_others(connection, row["tenant"], [row["subject"]], name)
    return acts


def _turns(name: str, before: breaker.Circuits, after: breaker.Circuits) -> list[tuple[str, str, str]]:
    """What the audit log must hear of circuits that opened, are probed, or closed."""
    was = {kind: before.get(kind, breaker.Circuit()).state for kind in after}
    return [
        (f"breaker.{circuit.state}", name, f"{kind}: was {was[kind]}")
        for kind, circuit in after.items()
        if was[kind] != circuit.state
    ]


def _count(name: str, group: Sequence[Result], counts: dict[tuple[str, ...], float]) -> None:
    def add(*key: str, by: float = 1) -> None:
        counts[key] = counts.get(key, 0) + by

    for result in group:
        outcome, channel = result.outcome, result.row["channel"]
        add("attempts", name, outcome.outcome)
        if outcome.state == outbox.DELIVERED:
            latency = outcome.at + outcome.seconds - result.row["accepted_at"]
            edge = next((str(b) for b in LATENCY_BUCKETS if latency <= b), "+Inf")
            add("delivered", channel, name)
            add("latency", name, edge)
            add("latency_sum", name, by=max(latency, 0.0))
        elif result.letter is not None:
            add("dead", channel, name, result.letter.cause)


def _delivery(row: Mapping[str, Any], body: Any, root: str) -> Delivery:
    return Delivery(
        id=str(row["id"]),
        tenant=row["tenant"],
        destination=row["destination"],
        kind=row["kind"],
        shop=row["shop"],
        key=row["key"],
        subject=row["subject"],
        revision=row["revision"],
        sequence=row["sequence"],
        idempotency_key=row["idempotency_key"],
        body=body,
        attempt=row["attempts"],
        root=root,
    )
