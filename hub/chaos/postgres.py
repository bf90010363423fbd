"""A PostgreSQL server of our own, started from the programs on this machine, to be killed and started again.

It is a direct child of this process (not `pg_ctl`'s daemon), so that it can be killed and waited for. It runs as
root too: PostgreSQL itself refuses to, hence the account `postgres` that Debian's package makes.
"""

import fcntl
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from hub.processes import free_port, release_port

HOW_TO_INSTALL = (
    "PostgreSQL's server programs are not on this machine: run `make test`, or `apt-get install postgresql`"
)


def postgres_programs() -> Path | None:
    """The folder that holds initdb and postgres, the newest version first; None where there is none."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: float(p.parent.name), reverse=True)
    on_path = shutil.which("initdb")
    folders = [*debian, *([Path(on_path).resolve().parent] if on_path else [])]
    return next((f for f in folders if (f / "initdb").exists() and (f / "postgres").exists()), None)


class Postgres:
    """One PostgreSQL server on 127.0.0.1 with its data in a temporary folder. `start` and `stop` frame its life.

    fsync is off: what was committed survives a killed server, not a power cut.
    """

    def __init__(self, programs: Path, *, port: int = 0, folder: Path | None = None) -> None:
        """`port` and `folder` are given where another process reserved them."""
        self.programs = programs
        self.port = port or free_port()
        self.folder = folder or Path(tempfile.mkdtemp(prefix="hub-postgres-"))
        self.data = self.folder / "data"
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = count(1)
        self._templates: set[str] = set()
        account = _account()
        self._as_account: dict[str, Any] = {"cwd": self.folder}
        if account:
            os.chown(self.folder, account.pw_uid, account.pw_gid)
            self._as_account |= {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}

    def start(self) -> None:
        """Start the server (a new one, or the same data after `kill`); returns when it accepts connections."""
        self._make_data()
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603  # our own
                [self.programs / "postgres", "-D", self.data, *self._options()],
                stdout=log,
                stderr=log,
                start_new_session=True,
                **self._as_account,
            )
        self._wait_until_ready(self._process)

    def _make_data(self) -> None:
        if not self.data.exists():
            options = ("-U", "hub", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
            self._run("initdb", "-D", self.data, *options)

    def _options(self) -> list[str]:
        settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": self.folder, "fsync": "off"}
        return ["-p", str(self.port), *(f"-c{name}={value}" for name, value in settings.items())]

    def stop(self) -> None:
        """Stop it at once and remove its data."""
        if self._process:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
        release_port(self.port)

    def kill(self) -> None:
        """End it as `kill -9` does, backends included. `start` brings it back with what was committed."""
        process, self._process = self._process, None
        if not process:
            return
        backends = _children(process.pid)
        process.kill()
        process.wait()
        for pid in backends:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue

    def url(self, database: str) -> str:
        """The address of a database, as hub.toml writes it."""
        return f"postgresql+psycopg://hub@127.0.0.1:{self.port}/{database}"

    def create(self, template: str = "template1") -> str:
        """A fresh database, a copy of `template`; its name."""
        name = f"hub_{os.getpid()}_{next(self._numbers)}"
        self._sql("create database {} template {}", name, template)
        return name

    def drop(self, database: str) -> None:
        """Remove a database, and whoever is still connected to it."""
        self._sql("drop database if exists {} with (force)", database)

    def template(self, name: str, fill: Callable[[str], None]) -> str:
        """A database to copy from: made once by `fill(url)`, then `create(name)` takes a tenth of a second. It is there
        for all processes that share this server."""
        if name not in self._templates:
            with self._alone():
                if not self._has(name):
                    filling = self.create()
                    fill(self.url(filling))
                    self._sql("alter database {} rename to {}", filling, name)
            self._templates.add(name)
        return name

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """No other process that shares this server is in here."""
        with (self.folder / "lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _has(self, database: str) -> bool:
        with self._connected() as connection:
            found = connection.execute("select 1 from pg_database where datname = %s", (database,))
            return found.fetchone() is not None

    def _sql(self, statement: str, *names: str) -> None:
        with self._connected() as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))

    def _connected(self) -> psycopg.Connection:
        return psycopg.connect(f"host=127.0.0.1 port={self.port} user=hub dbname=postgres", autocommit=True)

    def _run(self, program: str, *arguments: object) -> None:
        command = [str(self.programs / program), *map(str, arguments)]
        done = subprocess.run(  # noqa: S603  # our own
            command, capture_output=True, text=True, timeout=120, check=False, **self._as_account
        )
        if done.returncode:
            raise RuntimeError(f"{program} failed: {done.stderr or done.stdout}")

    def _wait_until_ready(self, process: subprocess.Popen[bytes], seconds: int = 60) -> None:
        for _ in range(seconds * 20):
            if process.poll() is not None:
                break
            try:
                self._sql("select 1")
            except psycopg.OperationalError:
                time.sleep(0.05)
            else:
                return
        log = (self.folder / "log").read_text(errors="replace")
        raise RuntimeError(f"PostgreSQL on port {self.port} did not start:\n{log[-2000:]}")


def _account() -> pwd.struct_passwd | None:
    """The account that runs the server: None means our own, which will do unless we are root."""
    return pwd.getpwnam("postgres") if os.getuid() == 0 else None


def _children(pid: int) -> list[int]:
    """Processes that `pid` started; read before it dies, as each backend leads a session of its own."""
    listings = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for listing in listings for child in listing.read_text().split()]
