"""The only home of the clock: everything else is told what time it is.

Processes that share a PostgreSQL agree on its clock: machines may differ by a minute, leases and dates may not.
"""

from datetime import UTC, datetime, timedelta

_ahead = timedelta()


def now() -> datetime:
    """The present instant, UTC and aware."""
    return system() + _ahead


def system() -> datetime:
    """What this machine's own clock shows."""
    return datetime.now(UTC)


def agree(reference: datetime) -> timedelta:
    """Go by a clock that all processes share, which shows this now. Returns by how much the own one differs."""
    global _ahead  # noqa: PLW0603  # the process has one clock
    _ahead = reference - system()
    return _ahead
