"""The states of a group of dead letters."""

from enum import StrEnum


class Life(StrEnum):
    """The states of a group."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    ASSIGNED = "assigned"
    RESOLVED = "resolved"
    IGNORED = "ignored"


UNRESOLVED = (Life.OPEN, Life.ACKNOWLEDGED, Life.ASSIGNED)
