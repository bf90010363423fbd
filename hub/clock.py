"""The only home of the clock: everything else is told what time it is."""

from datetime import UTC, datetime


def now() -> datetime:
    """The present instant, UTC and aware."""
    return datetime.now(UTC)
