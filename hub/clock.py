"""The only home of the clock: everything else is told what time it is.

Processes that share a PostgreSQL agree on its clock: machines may differ by a minute, leases and dates may not.
"""

import time
from datetime import UTC, datetime, timedelta

SET_BACK = 1.0
"""Seconds by which a clock must have gone back at once: less is a correction that nobody notices."""

_agreed: tuple[datetime, float] | None = None


def now() -> datetime:
    """The present instant, UTC and aware."""
    if _agreed is None:
        return system()
    reference, then = _agreed
    return reference + timedelta(seconds=time.monotonic() - then)


def system() -> datetime:
    """What this machine's own clock shows."""
    return datetime.now(UTC)


def agree(reference: datetime) -> None:
    """Go by a clock that all processes share, which shows this now. From here on time is counted by a clock that nobody
    sets: if this machine's own one jumps, nothing that is written comes to wait for it."""
    global _agreed  # noqa: PLW0603  # the process has one clock
    _agreed = (reference, time.monotonic())


def went_back() -> float:
    """Seconds by which this process's clock was set back since the last call, or since it started; mostly 0.0."""
    global _lead
    before, _lead = _lead, _leads_by()
    return before - _lead if before - _lead > SET_BACK else 0.0


def _leads_by() -> float:
    """By how much the clock is ahead of one that nobody sets."""
    return now().timestamp() - time.monotonic()


_lead = _leads_by()
