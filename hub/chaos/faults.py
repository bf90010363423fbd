"""Faults inside a hub process: killed at a write point, a disk that is full, a clock that jumps."""

import os
import signal
import sqlite3
import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import Pool

from hub import clock


def install(settings: Mapping[str, Any]) -> None:
    """Arm this process. `kill`: [commit, before | after]; `disk_full`: [first commit, how many]; `clock`: [after
    seconds, jump in seconds]. Commits are counted from the process's start."""
    kill_at, when = settings.get("kill") or (0, "")
    full_from, full_for = settings.get("disk_full") or (0, 0)
    counted = {"commits": 0, "doomed": False}

    @event.listens_for(Engine, "commit")
    def _commit(_connection: Any) -> None:
        counted["commits"] += 1
        if counted["commits"] == kill_at and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        if full_from <= counted["commits"] < full_from + full_for:
            full = sqlite3.OperationalError("database or disk is full")
            raise OperationalError("commit", None, full)
        counted["doomed"] = counted["commits"] == kill_at

    @event.listens_for(Pool, "checkin")
    def _after(_dbapi: Any, _record: Any) -> None:
        if counted["doomed"] and when == "after":
            os.kill(os.getpid(), signal.SIGKILL)

    if settings.get("clock"):
        after, jump = settings["clock"]
        _jump(float(after), float(jump))


def _jump(after: float, seconds: float) -> None:
    began, own = time.monotonic(), clock.system

    def shifted() -> datetime:
        moved = timedelta(seconds=seconds if time.monotonic() - began > after else 0)
        return own() + moved

    clock.system = shifted
