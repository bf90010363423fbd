"""Faults inside a hub process: killed at a write point, a disk that is full, a clock that jumps."""

import itertools
import os
import signal
import sqlite3
import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.exc import OperationalError

from hub import clock


def install(settings: Mapping[str, Any]) -> None:
    """Arm this process. `kill`: [commit, before | after]; `disk_full`: [first commit, how many]; `clock`: [after
    seconds, jump in seconds]. Commits are counted from the process's start."""
    kill_at, when = settings.get("kill") or (0, "")
    full_from, full_for = settings.get("disk_full") or (0, 0)
    count, commit = itertools.count(1), DefaultDialect.do_commit

    def faulty(dialect: DefaultDialect, connection: Any) -> None:
        number = next(count)
        if number == kill_at and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        if full_from <= number < full_from + full_for:
            full = sqlite3.OperationalError("database or disk is full")
            raise OperationalError("commit", None, full)
        commit(dialect, connection)  # type: ignore[no-untyped-call]
        if number == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    DefaultDialect.do_commit = faulty  # type: ignore[method-assign]  # there is an event before a commit, none after it

    if settings.get("clock"):
        after, jump = settings["clock"]
        _jump(float(after), float(jump))


def _jump(after: float, seconds: float) -> None:
    began, own = time.monotonic(), clock.system

    def shifted() -> datetime:
        moved = timedelta(seconds=seconds if time.monotonic() - began > after else 0)
        return own() + moved

    clock.system = shifted
