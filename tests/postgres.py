"""One PostgreSQL server for all workers of a run."""

import subprocess
from pathlib import Path
from typing import Any

from hub.chaos.postgres import Postgres
from tests.guards import HANGS

_KEEPER = 'read _; "$0/pg_ctl" stop -D "$1/data" -m immediate; rm -rf "$1"'
"""Waits for the end of its input, and that comes with the end of the process that holds the other end of it."""


class Shared(Postgres):
    """A server that the first process which needs it starts, and that stops when the one that reserved it ends: by
    itself, by Ctrl-C, or killed."""

    _keeper: subprocess.Popen[bytes] | None = None

    def reserve(self) -> dict[str, Any]:
        """See to its end. What other processes need to join in: the arguments of this class."""
        command = ["sh", "-c", _KEEPER, str(self.programs), str(self.folder)]
        self._keeper = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True, **self._as_account,
        )  # fmt: skip
        return {"programs": str(self.programs), "port": self.port, "folder": str(self.folder)}

    @classmethod
    def joined(cls, programs: str, port: int, folder: str) -> "Shared":
        """The server that another process reserved, started if nobody did yet."""
        server = cls(Path(programs), port=port, folder=Path(folder))
        server.join()
        return server

    def join(self) -> None:
        """Start it as a daemon, if nobody did yet."""
        with self._alone():
            if (self.data / "postmaster.pid").exists():
                return
            self._make_data()
            options = " ".join(self._options())
            self._run("pg_ctl", "start", "-w", "-t", 60, "-D", self.data, "-l", self.folder / "log", "-o", options)

    def _options(self) -> list[str]:
        # a database of a test may have a clock of its own: what lies in public comes before what PostgreSQL has
        return [*super()._options(), "-csearch_path=public,pg_catalog"]

    def end(self) -> None:
        """Stop it, and remove its data."""
        if self._keeper is not None:
            self._keeper.communicate(timeout=HANGS)
