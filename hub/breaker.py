"""Circuit breaker as a value: one per destination and kind of document, kept in the store, shared by all workers. What
is broken is most often one operation: refunds fail, orders go on.

closed -> open when the share of outages over the window passes the limit; open -> half_open when its time is up (one
real delivery probes); half_open -> closed or open by the probe's outcome. Only outages count: a refused document is
the document's fault. A person may force a state, of one kind or of the whole destination.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from hub.config import Breaker

CLOSED, OPEN, HALF_OPEN = "closed", "open", "half_open"
_SLICES = 12


@dataclass(frozen=True, slots=True)
class Circuit:
    """`slices` are (start, good, bad) counts over the window, oldest first; times are epoch seconds."""

    state: str = CLOSED
    until: float = 0.0
    slices: tuple[tuple[float, int, int], ...] = ()
    forced: str = ""


WHOLE = "*"
"""In the place of a kind: the whole destination."""
Circuits = Mapping[str, Circuit]
"""Kind of document, or WHOLE where a person forced that, to its circuit. What is not there is closed."""


def of_kind(circuits: Circuits, kind: str) -> Circuit:
    """What holds for a kind: what a person forced, first of it and then of the whole; else what its answers led to."""
    own, whole = circuits.get(kind, Circuit()), circuits.get(WHOLE, Circuit())
    return whole if whole.forced and not own.forced else own


def overall(circuits: Circuits) -> Circuit:
    """The worst of a destination's circuits, to be shown; what a person forced of the whole comes first."""
    if WHOLE in circuits and circuits[WHOLE].forced:
        return circuits[WHOLE]
    worst = (OPEN, HALF_OPEN, CLOSED)
    return min(circuits.values(), key=lambda circuit: worst.index(circuit.forced or circuit.state), default=Circuit())


def allows(circuit: Circuit, now: float) -> int | None:
    """How many deliveries may start: None for any number, 0 for none, 1 for a probe."""
    if circuit.forced:
        return 0 if circuit.forced == OPEN else None
    if circuit.state == CLOSED:
        return None
    return 1 if now >= circuit.until else 0


def probing(circuit: Circuit, now: float, timeout: float) -> Circuit:
    """The circuit while a probe is under way; no second one starts before the first had its time."""
    return replace(circuit, state=HALF_OPEN, until=now + timeout + 1)


def probed_nothing(circuit: Circuit, now: float) -> Circuit:
    """The circuit after a probe that ended without a word from the destination: the next one need not wait."""
    return replace(circuit, until=now) if circuit.state == HALF_OPEN else circuit


def observe(circuit: Circuit, policy: Breaker, good: int, bad: int, now: float) -> Circuit:
    """The circuit after so many good answers and outages."""
    if circuit.forced or good + bad == 0:
        return circuit
    if circuit.state != CLOSED:
        if bad:
            return Circuit(OPEN, now + policy.open_for)
        return Circuit(CLOSED)
    width = policy.over / _SLICES
    kept = [s for s in circuit.slices if s[0] > now - policy.over]
    if kept and now - kept[-1][0] < width:
        kept[-1] = (kept[-1][0], kept[-1][1] + good, kept[-1][2] + bad)
    else:
        kept.append((now, good, bad))
    all_good, all_bad = sum(s[1] for s in kept), sum(s[2] for s in kept)
    if all_good + all_bad >= policy.at_least and all_bad / (all_good + all_bad) >= policy.failures:
        return Circuit(OPEN, now + policy.open_for)
    return Circuit(CLOSED, 0.0, tuple(kept))
