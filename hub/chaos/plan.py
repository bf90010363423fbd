"""What one seed means: traffic and faults, all drawn before anything starts. The same seed draws the same."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

LASTS = 3.0
"""Seconds over which traffic and faults are spread."""
MOODS = ("refuse_all", "slow", "hang", "reset", "drop_answer", "storm_500", "storm_429", "redirect", "cut")
"""How a receiver may misbehave for a while. `drop_answer` and `reset` take effect first, half of the time."""


@dataclass(frozen=True, slots=True)
class Push:
    """One webhook: when it is sent first (seconds from the start), and the record."""

    at: float
    record: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Mood:
    """A receiver's behaviour from one moment to another."""

    who: str
    what: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Plan:
    """One seed's whole story. `processes` are the fault settings of each process start, in order; later starts have
    none. `outside` are faults from outside: (seconds, what, seconds that it lasts)."""

    seed: int
    pushes: Sequence[Push]
    moods: Sequence[Mood]
    processes: Sequence[Mapping[str, Any]]
    kills: Sequence[float]
    outside: Sequence[tuple[float, str, float]] = field(default_factory=tuple)


RECEIVERS = ("keyed", "asked", "plain")
"""keyed: honours idempotency keys, no look-up. asked: ignores keys, can be looked up. plain: neither, so a person is
asked when an answer is lost."""


def draw(seed: int, *, postgresql: bool) -> Plan:
    """The plan of a seed."""
    dice = random.Random(seed)  # noqa: S311  # repeatable, not secret
    processes = 3 if postgresql else 1
    outside = [(dice.uniform(0.2, LASTS), "lock", dice.uniform(0.5, 2.0))] if dice.random() < 0.4 else []
    if postgresql and dice.random() < 0.4:
        outside.append((dice.uniform(0.3, LASTS), "database", dice.uniform(0.1, 0.6)))
    return Plan(
        seed,
        _traffic(dice),
        _moods(dice),
        [_faults(dice) for _ in range(processes + dice.randint(0, 3))],
        sorted(dice.uniform(0.3, LASTS) for _ in range(dice.randint(0, 2))),
        outside,
    )


def _faults(dice: random.Random) -> dict[str, Any]:
    """One process start: killed at a write, a full disk for some commits, a clock that jumps by up to a minute."""
    found: dict[str, Any] = {}
    if dice.random() < 0.6:
        found["kill"] = [dice.randint(1, 60), dice.choice(["before", "after"])]
    if dice.random() < 0.3:
        found["disk_full"] = [dice.randint(1, 40), dice.randint(1, 12)]
    if dice.random() < 0.3:
        found["clock"] = [dice.uniform(0.0, 2.0), dice.uniform(-60.0, 60.0)]
    return found


def _moods(dice: random.Random) -> list[Mood]:
    moods = []
    for who in RECEIVERS:
        at = dice.uniform(0.0, 1.0)
        while at < LASTS:
            end = min(at + dice.uniform(0.2, 1.2), LASTS)
            moods.append(Mood(who, dice.choice(MOODS), at, end))
            at = end + dice.uniform(0.1, 1.5)
    return moods


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
        if dice.random() < 0.4:
            pushes.append(Push(at, _refund(name, dice.randint(0, 50))))
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
