"""What the hub takes from the machine under it: time, chance, its own name, room on a disk.

The code that runs finds it in a context variable, so that a simulation can put another one under each of its processes.
"""

import os
import secrets
import shutil
import time
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path


class Host:
    """The machine and the process as they are."""

    def __init__(self) -> None:
        self.agreed: tuple[datetime, float] | None = None
        """A moment by a clock that processes share, and `monotonic` at that moment; see hub.clock."""
        self.lead: float | None = None
        """By how much the time of day was ahead of `monotonic` when hub.clock looked last."""

    def wall(self) -> datetime:
        """Return the time of day as the machine's own clock shows it: UTC, aware."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds by a clock that nobody sets."""
        return time.monotonic()

    def processor_time(self) -> float:
        """Return the seconds of processor time that this process has used."""
        return time.process_time()

    def rest(self, seconds: float) -> None:
        """Let this thread, which is not the event loop's, leave the interpreter to the others for a moment."""
        time.sleep(seconds)

    def random_bytes(self, count: int) -> bytes:
        """Return bytes that nobody can guess."""
        return secrets.token_bytes(count)

    def process_name(self) -> str:
        """Return a name for this process that no other one has or will have."""
        return f"{os.getpid()}-{self.random_bytes(4).hex()}"

    def free_disk(self, folder: Path) -> int:
        """Return the bytes that are free on the disk of a folder."""
        return shutil.disk_usage(folder).free


HOST: ContextVar[Host] = ContextVar("host", default=Host())  # noqa: B039  # one process has one host
