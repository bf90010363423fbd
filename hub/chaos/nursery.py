"""Starting hub processes in a tenth of a second: a process that has everything loaded, and forks.

`python -m hub.chaos.nursery` reads one JSON object a line (config, role, log, faults) and answers with a pid.
"""

import ctypes
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

DIES_WITH_ITS_PARENT = 1
"""PR_SET_PDEATHSIG of prctl(2)."""
ROLES = {"run": (True, True), "serve": (True, False), "work": (False, True)}


class Nursery:
    """The parent of all hub processes of a run."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "hub.chaos.nursery"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def start(self, config: Path, role: str, log: Path, faults: Mapping[str, Any]) -> int:
        """A new hub process; its pid."""
        assert self._process.stdin is not None  # noqa: S101  # they are pipes
        assert self._process.stdout is not None  # noqa: S101
        line = json.dumps({"config": str(config), "role": role, "log": str(log), "faults": dict(faults)})
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def close(self) -> None:
        """End it."""
        self._process.stdin.close()  # type: ignore[union-attr]  # it is a pipe
        self._process.wait(10)
        self._process.stdout.close()  # type: ignore[union-attr]


def alive(pid: int) -> bool:
    """Whether a process of the nursery still runs."""
    return Path(f"/proc/{pid}").exists()


def _serve() -> None:
    from hub import process
    from hub.web import app, server  # noqa: F401  # loaded once, for every child

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel buries the children
    for line in sys.stdin.buffer:
        wanted = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _child(process, wanted)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()


def _child(process: Any, wanted: Mapping[str, Any]) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    ctypes.CDLL(None).prctl(DIES_WITH_ITS_PARENT, signal.SIGKILL)  # no run that was killed leaves hubs behind
    sink = os.open(wanted["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for number in (1, 2):
        os.dup2(sink, number)
    code = 1
    try:
        from hub.chaos import faults

        faults.install(wanted["faults"])
        web, work = ROLES[wanted["role"]]
        process.start(Path(wanted["config"]), "", "warning", web=web, work=work)
        code = 0
    finally:
        sys.stdout.flush()
        os._exit(code)


if __name__ == "__main__":
    _serve()
