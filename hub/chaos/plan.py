"""What one seed means: traffic and faults, all drawn before anything starts. The same seed draws the same."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from hub.chaos.books import Mood

LASTS = 3.0
"""Seconds over which traffic and faults are spread."""
OVERLAP = "3m"
"""By how much pulls reach back, where clocks go wrong by a minute and pages miss records."""
MOODS = (
    Mood.ABORTS, Mood.SLOW, Mood.HANGS, Mood.RESETS, Mood.DROPS_ANSWER, Mood.ERRORS, Mood.THROTTLES, Mood.REDIRECTS,
    Mood.CUTS_ANSWER,
)  # fmt: skip
"""How a receiver over real HTTP may misbehave for a while."""
SIMULATED_MOODS = (
    *MOODS, Mood.SLOW, Mood.SLOW, Mood.REFUSED, Mood.BLACKHOLE, Mood.REJECTS, Mood.MALFORMED,
    Mood.THROTTLES_WITHOUT_A_DATE, Mood.CONFUSED,
)  # fmt: skip
"""The same for a simulated one. SLOW is drawn most: most faults hurt while a request is under way."""


@dataclass(frozen=True, slots=True)
class Push:
    """One webhook: when it is sent first (seconds from the start), and the record."""

    at: float
    record: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Spell:
    """A receiver's or platform's mood from one moment to another."""

    who: str
    mood: Mood
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class ProcessFaults:
    """What one start of a hub process suffers. Commits and requests are counted from the start, from 1."""

    kill: tuple[int, str] | None = None  # commit, before | after
    disk_full: tuple[int, int] | None = None  # first commit, how many
    clock: tuple[float, float] | None = None  # after so many seconds a jump by so many
    skew: float = 0.0  # the machine's clock is ahead by so many seconds from the start
    drift: float = 0.0  # and gains so many seconds a second
    kill_at_request: tuple[int, float] | None = None  # request, seconds after it left
    jump_at_request: tuple[int, float] | None = None  # from which request on at a slow one, by how many seconds
    stall_at_request: tuple[int, float, float] | None = None  # request, seconds after it left, for how long
    stall_at_claim: tuple[int, float] | None = None  # claim of deliveries, for how long it stops right after it

    def real(self) -> dict[str, Any]:
        """Return the part that a real process can suffer, ready for JSON."""
        found = {"kill": self.kill, "disk_full": self.disk_full, "clock": self.clock}
        return {name: list(value) for name, value in found.items() if value is not None}


class Act(StrEnum):
    """What a person does in the middle of it."""

    REPLAY = "replay"
    REPLAY_JOB = "replay job"
    EDIT = "edit"
    DISCARD = "discard"
    PAUSE = "pause"
    RESUME = "resume"
    FORCE_BREAKER = "force breaker"
    ERASE = "erase"


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a record on the imitated platform that is pulled; `record` lacks the moment, which is real."""

    at: float
    kind: str
    record: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """One seed's whole story. `processes` are the faults of each process start, in order; later starts have none.
    `outside` are faults from outside: (seconds, what, seconds that it lasts). The rest is for simulations only."""

    seed: int
    pushes: Sequence[Push]
    spells: Sequence[Spell]
    processes: Sequence[ProcessFaults]
    kills: Sequence[float]
    outside: Sequence[tuple[float, str, float]] = field(default_factory=tuple)
    restarts: Sequence[float] = ()
    acts: Sequence[tuple[float, Act]] = ()
    changes: Sequence[Change] = ()
    encrypted: bool = False
    token_life: float = 0.0  # seconds that the platform's access token lives; 0: for ever
    busy: float = 0.0  # share of transactions that find the database locked
    unheard: float = 0.0  # share of commits whose confirmation is lost
    overlap: str = OVERLAP  # by which pulls reach back over their last window: what one missed, the next one finds

    @property
    def gentle(self) -> bool:
        """Whether nothing is drawn that the hub must complain of in its log."""
        full = any(f.disk_full for f in self.processes)
        return not (self.outside or full or self.busy or self.unheard)


RECEIVERS = ("keyed", "asked", "plain")
"""keyed: honours idempotency keys, no look-up. asked: ignores keys, can be looked up. plain: neither, so a person is
asked when an answer is lost."""
PLATFORM = "market"


def draw(seed: int, *, postgresql: bool) -> Plan:
    """Draw the plan of a seed against real processes."""
    dice = random.Random(seed)  # noqa: S311  # repeatable, not secret
    processes = 3 if postgresql else 1
    outside = [(dice.uniform(0.2, LASTS), "lock", dice.uniform(0.5, 2.0))] if dice.random() < 0.4 else []
    if postgresql and dice.random() < 0.4:
        outside.append((dice.uniform(0.3, LASTS), "database", dice.uniform(0.1, 0.6)))
    return Plan(
        seed,
        _traffic(dice),
        _spells(dice, RECEIVERS, MOODS),
        [_faults(dice) for _ in range(processes + dice.randint(0, 3))],
        sorted(dice.uniform(0.3, LASTS) for _ in range(dice.randint(0, 2))),
        outside,
    )


def draw_simulated(seed: int, *, processes: int, late: bool = False) -> Plan:
    """Draw the plan of a seed for a simulation with so many processes. `late`: receivers may also take effect after the
    caller's patience has ended, which no sender can tell from a lost request."""
    dice = random.Random(f"simulated/{seed}")  # noqa: S311
    several = processes > 1
    outside = [(dice.uniform(0.2, LASTS), "lock", dice.uniform(0.5, 2.0))] if dice.random() < 0.3 else []
    if several and dice.random() < 0.3:
        outside.append((dice.uniform(0.3, LASTS), "database", dice.uniform(0.1, 2.0)))
    if dice.random() < 0.2:
        outside.append((dice.uniform(0.0, LASTS), "disk low", dice.uniform(0.5, 3.0)))
    faults = [_simulated_faults(dice, several) for _ in range(processes + dice.randint(0, 3))]
    clocks_go_right = dice.random() < 0.3  # then pulls need not reach back far, and nothing hides what one of them lost
    if clocks_go_right:
        faults = [replace(f, clock=None, skew=0.0, drift=0.0, jump_at_request=None) for f in faults]
    moods = (*SIMULATED_MOODS, Mood.LATE, Mood.LATE) if late else SIMULATED_MOODS
    return Plan(
        seed,
        _traffic(dice),
        [*_spells(dice, RECEIVERS, moods), *_spells(dice, (PLATFORM,), (*MOODS, Mood.REFUSED, Mood.MALFORMED))],
        faults,
        sorted(dice.uniform(0.3, LASTS) for _ in range(dice.choice([0, 0, 1, 2]))),
        outside,
        restarts=sorted(dice.uniform(0.3, LASTS) for _ in range(dice.choice([0, 0, 1, 2]))),
        acts=sorted((dice.uniform(0.5, LASTS + 2.0), act) for act in dice.choices(list(Act), k=dice.randint(0, 6))),
        changes=_changes(dice) if dice.random() < 0.6 else (),
        encrypted=dice.random() < 0.4,
        token_life=dice.choice([0.0, 0.7, 2.0]),
        busy=dice.choice([0.0, 0.0, 0.0, 0.02, 0.1]),
        unheard=dice.choice([0.0, 0.0, 0.01, 0.05]) if several else 0.0,
        overlap="1s" if clocks_go_right else OVERLAP,
    )


def _faults(dice: random.Random) -> ProcessFaults:
    """One process start: killed at a write, a full disk for some commits, a clock that jumps by up to a minute."""
    return ProcessFaults(
        kill=(dice.randint(1, 60), dice.choice(["before", "after"])) if dice.random() < 0.6 else None,
        disk_full=(dice.randint(1, 40), dice.randint(1, 12)) if dice.random() < 0.3 else None,
        clock=(dice.uniform(0.0, 2.0), dice.uniform(-60.0, 60.0)) if dice.random() < 0.3 else None,
    )


def _simulated_faults(dice: random.Random, several: bool) -> ProcessFaults:
    """The same with what only a simulation can aim: a kill, a jump of the clock or a stall while a request is under
    way. Where processes are several, each has a clock of its own."""
    kill = dice.random()
    at_request = dice.random()
    request = dice.randint(1, 40)
    stall = dice.choice([dice.uniform(0.5, 3.0), dice.uniform(3.0, 7.0)])  # shorter or longer than a lease
    return ProcessFaults(
        kill=(dice.randint(1, 120), dice.choice(["before", "after"])) if kill < 0.3 else None,
        disk_full=(dice.randint(1, 40), dice.randint(1, 12)) if dice.random() < 0.2 else None,
        clock=(dice.uniform(0.0, 2.0), dice.uniform(-60.0, 60.0)) if dice.random() < 0.2 else None,
        skew=dice.uniform(-60.0, 60.0) if several and dice.random() < 0.5 else 0.0,
        drift=dice.uniform(-0.01, 0.01) if dice.random() < 0.3 else 0.0,
        kill_at_request=(request, dice.choice([0.0, dice.uniform(0.0, 0.5)])) if 0.3 < kill < 0.6 else None,
        jump_at_request=(1 + request // 3, dice.uniform(-60.0, 60.0)) if at_request < 0.25 else None,
        stall_at_request=(request, dice.choice([0.0, dice.uniform(0.0, 0.3)]), stall) if at_request > 0.7 else None,
        stall_at_claim=(dice.randint(1, 12), stall) if several and 0.25 < at_request < 0.55 else None,
    )


def _spells(dice: random.Random, who: Sequence[str], moods: Sequence[Mood]) -> list[Spell]:
    spells = []
    for name in who:
        at = dice.uniform(0.0, 1.0)
        while at < LASTS:
            mood = dice.choice(moods)
            length = dice.uniform(0.2, 1.2) + (1.0 if mood is Mood.CONFUSED else 0.0)  # until it is asked about
            end = min(at + length, LASTS)
            spells.append(Spell(name, mood, at, end))
            at = end + dice.uniform(0.1, 1.5)
    return spells


def _changes(dice: random.Random) -> list[Change]:
    """Orders and refunds of the platform that is pulled: some change while its pages are read."""
    changes = []
    for number in range(dice.randint(2, 8)):
        name, at = f"M{number:02d}", dice.uniform(0.0, 1.0)
        for version in range(dice.randint(1, 3)):
            changes.append(Change(at, "order", _order(name, version)))
            at += dice.uniform(1.05, 1.5)
        if dice.random() < 0.4:
            changes.append(Change(dice.uniform(0.0, LASTS), "refund", _refund(name, 0)))
    return sorted(changes, key=lambda change: change.at)


def _traffic(dice: random.Random) -> list[Push]:
    """Orders with updates and refunds; some twice, some out of order, some in a burst."""
    pushes: list[Push] = []
    for number in range(dice.randint(6, 16)):
        name = f"S{number:02d}"
        at = 0.1 if dice.random() < 0.3 else dice.uniform(0.0, LASTS * 0.8)
        versions = [_order(name, minute) for minute in sorted(dice.sample(range(50), dice.randint(1, 4)))]
        if dice.random() < 0.3:
            dice.shuffle(versions)
        for version in versions:
            pushes.append(Push(at, version))
            at = min(at + dice.uniform(0.0, 0.4), LASTS)
        if dice.random() < 0.4:  # now and then before its order
            pushes.append(Push(dice.choice([at, at, max(at - 1.0, 0.0)]), _refund(name, dice.randint(0, 50))))
        if dice.random() < 0.4:
            pushes.append(Push(at, dice.choice(versions)))
    return sorted(pushes, key=lambda push: push.at)


def _order(name: str, minute: int) -> dict[str, Any]:
    return {
        "order_no": name, "status": "paid", "payment_status": "paid", "shipping_status": "none", "currency": "CNY",
        "created_at": "2026-11-01T08:00:00Z", "paid_at": "2026-11-01T08:01:00Z",
        "updated_at": f"2026-11-01T09:{minute:02d}:00Z", "goods": "20.00", "total": "20.00", "paid": "20.00",
        "note": f"as of minute {minute}",
        "items": [{"id": "1", "sku": "CUP", "title": "cup", "quantity": 2, "price": "10.00", "total": "20.00"}],
        "address": {"name": "Rosa Lind", "phone": "13912345678", "country": "CN", "city": "苏州市", "street": "9 号"},
    }  # fmt: skip


def _refund(name: str, minute: int) -> dict[str, Any]:
    return {
        "refund_no": f"R{name}", "order_no": name, "type": "refund_only", "status": "requested",
        "phase": "before_shipping", "amount": "10.00", "currency": "CNY", "reason": "too large",
        "created_at": "2026-11-01T09:00:00Z", "updated_at": f"2026-11-01T10:{minute:02d}:00Z",
        "items": [{"order_item_id": "1", "sku": "CUP", "quantity": 1, "amount": "10.00"}],
    }  # fmt: skip
