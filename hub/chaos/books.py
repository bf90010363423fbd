"""How receivers misbehave, and the book in which each keeps what took effect; shared by real and simulated ones."""

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

SLOW = 0.4
HANGS = 3.0
"""Seconds; longer than the timeout of every destination under test."""


class Mood(StrEnum):
    """What a receiver does for a while. Only those from REFUSED on need a network of our own."""

    WELL = ""
    ABORTS = "refuse_all"
    SLOW = "slow"
    HANGS = "hang"
    RESETS = "reset"
    DROPS_ANSWER = "drop_answer"
    CUTS_ANSWER = "cut"
    ERRORS = "storm_500"
    THROTTLES = "storm_429"
    THROTTLES_WITHOUT_A_DATE = "storm_429_bare"
    REDIRECTS = "redirect"
    REJECTS = "reject"
    MALFORMED = "malformed"
    REFUSED = "refused"
    BLACKHOLE = "blackhole"
    LATE = "late"
    CONFUSED = "confused"


LOSES_ANSWER = frozenset({Mood.RESETS, Mood.DROPS_ANSWER, Mood.CUTS_ANSWER, Mood.HANGS})
NOT_NOW: Mapping[Mood, tuple[int, Mapping[str, str], bytes]] = {
    Mood.ERRORS: (500, {}, b"not now"),
    Mood.THROTTLES: (429, {"Retry-After": "1"}, b"not now"),
    Mood.THROTTLES_WITHOUT_A_DATE: (429, {}, b"not now"),
    Mood.REDIRECTS: (302, {"Location": "/elsewhere"}, b"not now"),
    Mood.REJECTS: (422, {}, b'{"error": "unknown SKU"}'),
    Mood.MALFORMED: (502, {"Content-Type": "application/json"}, b'{"ok": <html>\xff\x00 bad gateway'),
}
"""Answers after which nothing took effect."""
NO_LOOK_UP: Mapping[Mood, int] = {
    **dict.fromkeys((Mood.ERRORS, Mood.ABORTS, Mood.HANGS, Mood.THROTTLES, Mood.MALFORMED), 503),
    Mood.REJECTS: 422,
    Mood.CONFUSED: 422,
}
"""Moods in which a receiver cannot be asked either, and the status that it answers. 422 says that asking again is no
use: what is in doubt dies of it, still in doubt."""


@dataclass(frozen=True, slots=True)
class Reaction:
    """What becomes of one document that is sent: waits, an effect or none, and an answer or none."""

    waits: float = 0.0
    effect: bool = True
    holds_answer: float = 0.0
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b'{"ok": true}'
    lost: bool = False  # the connection breaks in place of the answer
    cut: bool = False  # it breaks in the middle of the answer


def reaction(mood: Mood, dice: random.Random) -> Reaction:
    """Draw what a receiver in this mood does with one document."""
    if mood in NOT_NOW:
        status, headers, body = NOT_NOW[mood]
        return Reaction(effect=False, status=status, headers=headers, body=body)
    if mood is Mood.ABORTS:
        return Reaction(effect=False, lost=True)
    if mood is Mood.SLOW:
        return Reaction(waits=SLOW)
    if mood is Mood.LATE:
        return Reaction(waits=dice.uniform(0.0, 2 * HANGS))
    if mood is Mood.CONFUSED:
        return Reaction(lost=True)
    if mood in LOSES_ANSWER:
        held = HANGS if mood is Mood.HANGS else 0.0
        return Reaction(effect=dice.random() < 0.5, holds_answer=held, lost=True, cut=mood is Mood.CUTS_ANSWER)
    return Reaction()


@dataclass(slots=True)
class Book:
    """One receiver's own record. `effects` are (document, revision, content) in the order in which they took effect."""

    honours_keys: bool = False
    requests: int = 0
    repeats: int = 0
    effects: list[tuple[str, str, str]] = field(default_factory=list)
    known: dict[str, str] = field(default_factory=dict)  # idempotency key -> document

    def take(self, key: str, body: Mapping[str, Any]) -> bool:
        """Let a document take effect; False where its key has done so and is honoured."""
        if self.honours_keys and key in self.known:
            self.repeats += 1
            return False
        document = str(body.get("refund_no") or body["order_no"])
        self.known[key] = document
        self.effects.append((document, str(body["revision"]), json.dumps(body, sort_keys=True)))
        return True

    def has(self, document: str, revision: str) -> bool:
        """Whether this version of a document took effect; to the second, as platforms and documents write it."""
        return any(d == document and r[:19] == revision[:19] for d, r, _ in self.effects)


def books(names: tuple[str, ...]) -> dict[str, Book]:
    """An empty book for each receiver; only the one called `keyed` honours idempotency keys."""
    return {name: Book(honours_keys=name == "keyed") for name in names}
