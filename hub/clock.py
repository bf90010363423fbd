"""The only home of the clock: everything else is told what time it is.

Processes that share a PostgreSQL agree on its clock: machines may differ by a minute, leases and dates may not.
"""

from datetime import datetime, timedelta

from hub.host import HOST

SET_BACK = 1.0
"""Seconds by which a clock must have gone back at once: less is a correction that nobody notices."""


def now() -> datetime:
    """The present instant, UTC and aware."""
    host = HOST.get()
    if host.agreed is None:
        return system()
    reference, then = host.agreed
    return reference + timedelta(seconds=host.monotonic() - then)


def system() -> datetime:
    """What this machine's own clock shows."""
    return HOST.get().wall()


def tick() -> float:
    """Seconds by a clock that nobody sets: for how long something takes, never for when it was."""
    return HOST.get().monotonic()


def agree(reference: datetime) -> None:
    """Go by a clock that all processes share, which shows this now. From here on time is counted by a clock that nobody
    sets: if this machine's own one jumps, nothing that is written comes to wait for it."""
    host = HOST.get()
    host.agreed = (reference, host.monotonic())


def went_back() -> float:
    """Seconds by which this process's clock was set back since the last call; 0.0 at the first one, and mostly."""
    host = HOST.get()
    before, host.lead = host.lead, now().timestamp() - host.monotonic()
    back = 0.0 if before is None else before - host.lead
    return back if back > SET_BACK else 0.0
