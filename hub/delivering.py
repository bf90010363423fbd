"""From the outbox to a destination and back: claim, one attempt, record in batches."""

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import orjson

from adapters.port import Delivery, Destination, Receipt
from canonical import Problem
from canonical.documents import DOCUMENTS
from canonical.errors import HubError, InDoubt, InternalError, MappingFailed, NotAuthorised, Refused, Unavailable
from dlq import DeadLetter, State, shelf
from hub import breaker, clock, letters, throttle
from hub.config import DestinationSection
from hub.masking import mask_text
from hub.retry import AskAt, GiveUp, Pause, decide
from hub.store import Connection, audit, documents, doubts, inbox, outbox, state
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
    until: float = math.inf  # when the lease on them ends; see Lease


@dataclass(slots=True)
class Lease:
    """Until when, by clock.tick, a delivery is certainly this process's to send. The store's own lease ends no earlier;
    where no other process can take it over, it has no end."""

    until: float = math.inf

    def lasts(self, seconds: float) -> bool:
        """Whether it holds for so long from now."""
        return clock.tick() + seconds <= self.until


class TooLate(Exception):
    """A request was about to leave under a lease that has ended, or ends before an answer must have come: the process
    was stopped for a while, and somebody else may have asked and sent since. Nothing is recorded: the row is theirs."""


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


_ALREADY_THERE = "already there"
UNREAD = frozenset({"delivery.answer_rule", "delivery.answer_too_large", "wire.endless_talk"})
"""Codes of answers that nobody could read: what was sent may have taken effect all the same."""


@dataclass(slots=True)
class Course:
    """How far an attempt came. `doubtful`: nobody knows whether what an earlier one sent took effect; `pushed`: the
    document itself was on its way, not only the question about it."""

    doubtful: bool
    lease: Lease = field(default_factory=Lease)
    pushed: bool = False
    log: Log = field(default_factory=Log)
    problems: Sequence[Problem] = ()
    version: str = ""
    started: float = field(default_factory=lambda: clock.now().timestamp())
    tick: float = field(default_factory=clock.tick)

    @property
    def seconds(self) -> float:
        """How long it has taken so far."""
        return clock.tick() - self.tick

    def unsettled_by(self, error: HubError) -> bool:
        """Whether after this error nobody knows if the delivery took effect."""
        if self.pushed and self.log.sent:
            if isinstance(error, InDoubt | InternalError) or error.code in UNREAD:
                return True
            if isinstance(error, Refused):  # an answer to this key: it took no effect, neither now nor before
                return False
        return self.doubtful

    def over_at(self, timeout: float) -> float:
        """When a request whose answer did not come has had its time: until then it may still be worked on."""
        last = self.log.exchanges[-1] if self.log.exchanges else None
        if not self.pushed or not self.log.sent or (last is not None and last.status is not None):
            return 0.0
        return self.started + self.seconds - (last.seconds if last else 0.0) + timeout


async def attempt(http: httpx.AsyncClient, target: Target, row: Mapping[str, Any], course: Course) -> Result:
    """Try one delivery once. Never raises HubError: every ending is a Result, unless it comes TooLate.

    What is in doubt is asked about before anything else can go wrong with it, and as it was sent.
    """
    asks = course.doubtful and target.adapter.can_look_up
    as_sent = asks and row["next_key"]
    document = orjson.loads(inbox.decompress(row["body"] if as_sent else row["overlay"] or row["body"]))
    rendered: Rendered = (document, (), "", "request")
    if target.render is not None:
        rendered = target.render(row["kind"], document)
    body, course.problems, course.version, root = rendered
    try:
        delivery = _delivery(row, body, root)
        receipt = await _asked(http, target, delivery, course) if course.doubtful else None
        if receipt is None and as_sent:
            return Result(row, _outcome(row, course, outbox.WAITING, "not there", course.started), outage=False)
        if receipt is None:
            if course.problems:
                raise MappingFailed("the destination's mapping could not render the document")
            course.log, course.pushed = Log(), True
            push = target.adapter.push(delivery, clock.now())
            receipt = await converse(http, push, target.section.timeout, course.log, _in_time(target, course))
    except HubError as error:
        return _failed(target, row, error, course)
    said = _ALREADY_THERE if receipt.already_there else "delivered"
    return Result(row, _outcome(row, course, outbox.DELIVERED, said, reference=receipt.reference), outage=False)


def broken(target: Target, row: Mapping[str, Any], error: HubError, course: Course) -> Result:
    """The result of an attempt in which our own code failed."""
    return _failed(target, row, error, course)


def _in_time(target: Target, course: Course) -> Callable[[], Awaitable[None]]:
    """What is awaited before each request."""

    async def admit() -> None:
        if not course.lease.lasts(target.section.timeout):
            raise TooLate

    return admit


async def _asked(http: httpx.AsyncClient, target: Target, delivery: Delivery, course: Course) -> Receipt | None:
    """Whether a delivery in doubt arrived; None: it did not, or may be sent again unasked."""
    if target.adapter.can_look_up:
        asked = target.adapter.look_up(delivery, clock.now())
        found = await converse(http, asked, target.section.timeout, course.log, _in_time(target, course))
        course.doubtful = False
        return None if found is None else Receipt(found.reference, already_there=True)
    if target.section.in_doubt == "ask":
        course.doubtful = False  # the letter asks a person
        raise _nobody_knows()
    return None


def _nobody_knows() -> MappingFailed:
    return MappingFailed(
        "it is not known whether the destination took it, and it cannot be asked",
        code="delivery.in_doubt",
        hint="Look in the destination for the order; then discard the letter if it is there, or replay it.",
    )


def _outcome(
    row: Mapping[str, Any], course: Course, status: str, what: str, due_at: float = 0.0, **more: Any
) -> Outcome:
    return Outcome(
        row["id"], row["lane"], status, course.started, course.seconds, row["attempts"], what, course.log.status,
        answer=course.log.answer, due_at=due_at, mapping_version=course.version, **more,
    )  # fmt: skip


def _failed(target: Target, row: Mapping[str, Any], error: HubError, course: Course) -> Result:
    """What a failure leads to. What nobody knows the outcome of stays in doubt, dead or alive."""
    section, unsettled = target.section, course.unsettled_by(error)
    now = course.started + course.seconds
    first_at = row["first_at"] or course.started
    decision = decide(section.retry, row["attempts"], first_at, error, now)
    outage = True if isinstance(error, InDoubt) or (isinstance(error, Unavailable) and not error.throttled) else None
    if course.log.status is not None and outage is None:
        outage = False
    if isinstance(decision, GiveUp) and isinstance(error, InDoubt) and _a_person_decides(target):
        error, unsettled = _nobody_knows(), False

    def outcome(status: str, what: str, due_at: float = 0.0, reference: str = "") -> Outcome:
        doubt = "in doubt; " if unsettled and not isinstance(error, InDoubt) else ""
        told = f"{doubt}{error.code}: {mask_text(error.message)}"
        return _outcome(row, course, status, what, due_at, error=told, reference=reference, unsettled=unsettled)

    over = course.over_at(section.timeout) if unsettled else 0.0
    again = outbox.IN_DOUBT if unsettled else outbox.WAITING
    if isinstance(decision, GiveUp):
        letter = letters.of_delivery(row, error, course.problems, answer=course.log.answer, version=course.version)
        return Result(row, outcome(outbox.DEAD, decision.why, over), letter, outage)
    if isinstance(decision, Pause):
        pause = error if isinstance(error, NotAuthorised) else None
        return Result(row, outcome(again, "not authorised", now), None, outage, pause)
    late = max(now - first_at, 0.0) >= section.degrade.after  # two clocks may differ by a little
    if late and section.degrade.policy == "assume":
        reference = f"assumed: {section.degrade.answer}"
        return Result(row, outcome(outbox.DELIVERED, "assumed", 0.0, reference), None, outage, assumed=True)
    hold = late and section.degrade.policy == "hold"
    what = "in doubt" if isinstance(decision, AskAt) else "failed"
    return Result(row, outcome(again, what, max(decision.at, over)), None, outage, hold=hold)


def _a_person_decides(target: Target) -> bool:
    return target.section.in_doubt == "ask" and not target.adapter.can_look_up


def record(
    connection: Connection,
    results: Sequence[Result],
    sections: Mapping[str, DestinationSection],
    owner: str,
    now: float,
) -> bool:
    """Write a batch of attempts: outcomes, letters, breakers, pauses, counters. Returns whether other deliveries may
    go now that could not before."""
    recorded, freed = outbox.record(connection, [_by_this_clock(r.outcome, now) for r in results], owner)
    mine = {o.id for o in recorded}
    kept = [r for r in results if r.outcome.id in mine]
    shelf.put(connection, [r.letter for r in kept if r.letter], now)
    delivered = [r for r in kept if r.outcome.state == outbox.DELIVERED]
    _settle_edited(connection, kept, now)
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


def _by_this_clock(outcome: Outcome, now: float) -> Outcome:
    """An outcome whose date is to come, though the clock was set back since it was decided."""
    back = outcome.at + outcome.seconds - now
    return replace(outcome, due_at=outcome.due_at - back) if outcome.due_at and back > clock.SET_BACK else outcome


_UNDONE = "it had arrived before it was edited: the edited document was not sent"


def _settle_edited(connection: Connection, kept: Sequence[Result], now: float) -> None:
    """Those that were edited while in doubt, and are in doubt no more."""
    edited = [r for r in kept if r.row["next_key"]]
    if edited:
        arrived = [r.outcome.id for r in edited if r.outcome.outcome == _ALREADY_THERE]
        doubts.settle(connection, [r.outcome for r in edited], arrived)
        shelf.close(connection, (f"delivery/{i}" for i in arrived), State.RESOLVED, now, why=_UNDONE)
        audit.write_all(connection, now, "hub", [("edit.undone", f"delivery {i}", _UNDONE) for i in arrived])


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
        circuit = circuits.get(kind, breaker.Circuit())
        turned[kind] = (
            breaker.observe(circuit, section.breaker, good, bad, now)
            if good or bad
            else breaker.probed_nothing(circuit, now)
        )
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
