"""The store's own trouble: full, locked, away, restarted, broken. It passes, and is never the fault of what is written.

Every transaction of a Store that such trouble ends raises StoreTrouble and has changed nothing that its caller could
rely on: whoever wanted it waits and tries again. All other errors of a transaction are looked at by who wanted it.
"""

import structlog
from sqlalchemy import exc

from hub import clock

log = structlog.get_logger("hub.store")

LASTS = 10.0
"""Seconds without a failure after which the store counts as well again: who failed has tried again by then."""
SEVERAL = 3
"""Failures in a row from which on it is told to others: one alone may have been a lock that two waited for."""
TOLD_EVERY = 60.0
"""Seconds between two lines of the log about the same trouble."""

_TROUBLE = (
    exc.OperationalError,
    exc.InternalError,
    exc.InterfaceError,
    exc.TimeoutError,
    exc.DisconnectionError,
    exc.PendingRollbackError,
)


class StoreTrouble(exc.SQLAlchemyError):
    """The store cannot do its work now. Nothing was changed; trying again later helps."""


def is_trouble(error: Exception) -> bool:
    """Whether an error is the store's own. A driver that finds no closer class (SQLite: "malformed", "not a database")
    says DatabaseError itself."""
    lost = isinstance(error, exc.DBAPIError) and error.connection_invalidated
    return lost or isinstance(error, _TROUBLE) or type(error) is exc.DatabaseError


class Health:
    """What this process found when it used the store lately."""

    def __init__(self) -> None:
        self._why, self._count = "", 0
        self._first = self._last = self._told = float("-inf")

    @property
    def trouble(self) -> str:
        """Why the store failed several times a moment ago; "" while it works."""
        return self._why if self._count >= SEVERAL and clock.tick() - self._last < LASTS else ""

    def failed(self, error: Exception) -> StoreTrouble:
        """Note a failure, tell of it now and then; returns what is to be raised."""
        now, origin = clock.tick(), getattr(error, "orig", None) or error
        why = next(iter(str(origin).strip().splitlines()), "") or type(origin).__name__
        if now - self._last >= LASTS:
            self._first, self._count = now, 0
        if not self._count or now - self._told > TOLD_EVERY:
            self._told = now
            log.warning("store.trouble", why=why, error=type(origin).__name__, since=round(now - self._first, 1))
        self._why, self._last, self._count = why, now, self._count + 1
        return StoreTrouble(f"the store cannot do it now: {why}")

    def worked(self) -> None:
        """Note a transaction that went through."""
        if self._count and clock.tick() - self._last >= LASTS:
            log.info("store.works_again", after=round(self._last - self._first, 1))
            self._count = 0
