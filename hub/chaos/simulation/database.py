"""The one database of a run, through which every simulated process feels the faults of its own transactions.

Its engines live as long as the run, and with them the compiled statements; each seed has a store of its own under them.
"""

import contextvars
import random
import shutil
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import event, text

from hub.chaos.simulation.process import EPOCH, Process
from hub.host import HOST, Host
from hub.store import Store
from hub.store.engine import SHARED_CLOCK, Engines, open_engines

if TYPE_CHECKING:
    from hub.chaos.postgres import Postgres
    from hub.chaos.simulation.world import World


class Beginning(Host):
    """The host on which the empty store is made: the same keys each time."""

    def __init__(self) -> None:
        super().__init__()
        self._chance = random.Random("beginning")  # noqa: S311  # repeatable, not secret

    def wall(self) -> datetime:
        """Return the moment at which every seed begins."""
        return datetime.fromtimestamp(EPOCH, UTC)

    def random_bytes(self, count: int) -> bytes:
        """Return the same bytes in each run."""
        return self._chance.randbytes(count)


def _as_the_beginning(work: Callable[[], None]) -> None:
    context = contextvars.copy_context()
    context.run(HOST.set, Beginning())
    context.run(work)


class Database(ABC):
    """Gives each seed a fresh copy of an empty store, and its own errors to those who deserve them."""

    shared = False
    """Whether it is a server's, not a file of the seed's own."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.engines = open_engines(url)
        self.world: World | None = None
        for engine in dict.fromkeys(self.engines):
            event.listen(engine, "do_connect", self._lead)
            dialect = engine.dialect
            begin, commit = dialect.do_begin, dialect.do_commit
            dialect.do_begin = self._begins(begin)  # type: ignore[method-assign, assignment]
            dialect.do_commit = self._commits(commit)  # type: ignore[method-assign, assignment]

    def _begins(self, begin: Callable[[Any], None]) -> Callable[[Any], None]:
        def do_begin(connection: Any) -> None:
            host = HOST.get()
            if isinstance(host, Process):
                host.at_begin()
            begin(connection)
            self._tell_time(connection)

        return do_begin

    def _commits(self, commit: Callable[[Any], None]) -> Callable[[Any], None]:
        def do_commit(connection: Any) -> None:
            host = HOST.get()
            if isinstance(host, Process):
                host.at_commit(lambda: commit(connection), lambda: _sending(connection, host.name))
            else:
                commit(connection)

        return do_commit

    def open(self, world: "World | None", **settings: Any) -> Store:
        """Return a process's own store on the present seed's database."""
        shared = {SHARED_CLOCK: world.true_time} if world is not None and world.several else {}
        writer, reader = (engine.execution_options(**shared) for engine in self.engines)
        return Store(self.url, engines=Engines(writer, reader), **settings)

    def _statement(self, words: str) -> None:
        host = HOST.get()
        if self.world is not None and isinstance(host, Process) and not _sealed(words):
            self.world.journal.statement(host.name, words)

    @abstractmethod
    def fresh(self, world: "World", folder: Path) -> None:
        """Put an empty store under the engines."""

    @abstractmethod
    def content(self) -> Iterator[str]:
        """Yield every row of the present store, in an order of its own. Keys are left out: real chance seals them."""

    @abstractmethod
    def _lead(self, dialect: Any, record: Any, args: list[Any], named: dict[str, Any]) -> None:
        """Let a connection lead to the present store."""

    def _tell_time(self, connection: Any) -> None:  # noqa: B027  # SQLite asks the process
        """Tell the database what time it is."""

    def let_go(self) -> None:
        """Close what the present seed has opened."""
        self.world = None
        for engine in self.engines:
            engine.dispose()

    @abstractmethod
    def close(self) -> None:
        """End it."""

    @abstractmethod
    def full(self) -> Exception:
        """Make the error of a full disk."""

    @abstractmethod
    def locked(self) -> Exception:
        """Make the error of a lock that was waited for too long."""

    @abstractmethod
    def refused(self) -> Exception:
        """Make the error of a database that is away."""

    @abstractmethod
    def gone(self) -> Exception:
        """Make the error of a connection that broke."""


class Sqlite(Database):
    """A file for each seed."""

    def __init__(self, folder: Path) -> None:
        self._path = self._template = folder / "empty.db"
        super().__init__(f"sqlite:///{folder}/hub.db")
        _as_the_beginning(self._prepare)
        with sqlite3.connect(self._template) as raw:
            raw.execute("pragma wal_checkpoint(truncate)")
        raw.close()
        for engine in self.engines:
            event.listen(engine, "connect", self._listen)

    def _prepare(self) -> None:
        store = self.open(None)
        store.prepare()
        store.close()

    def fresh(self, world: "World", folder: Path) -> None:
        """Copy the empty file."""
        self._path, self.world = folder / "hub.db", world
        shutil.copy(self._template, self._path)

    def _lead(self, dialect: Any, record: Any, args: list[Any], named: dict[str, Any]) -> None:
        args[0] = str(self._path)

    def _listen(self, connection: Any, record: Any) -> None:
        connection.set_trace_callback(self._statement)  # with the values written in

    def content(self) -> Iterator[str]:
        """Yield the rows."""
        raw = sqlite3.connect(self._path)
        try:
            yield from (line for line in raw.iterdump() if not _sealed(line))
        finally:
            raw.close()

    def close(self) -> None:
        """Let go of the engines."""
        self.let_go()

    def full(self) -> Exception:
        """Make the error of a full disk."""
        return sqlite3.OperationalError("database or disk is full")

    def locked(self) -> Exception:
        """Make the error of a lock that was waited for too long."""
        return sqlite3.OperationalError("database is locked")

    def refused(self) -> Exception:
        """Make the error of a file that cannot be opened."""
        return sqlite3.OperationalError("unable to open database file")

    def gone(self) -> Exception:
        """Make the error of a disk that breaks."""
        return sqlite3.OperationalError("disk I/O error")


class Postgresql(Database):
    """A real server, and in it a database for each seed. Its `clock_timestamp()` is the world's."""

    shared = True

    def __init__(self, server: "Postgres") -> None:
        self._server, self._name = server, "simulation_empty"
        server.template(self._name, lambda url: _as_the_beginning(lambda: self._fill(url)))
        super().__init__(server.url(self._name))
        event.listen(self.engines.writer, "before_cursor_execute", self._executed)

    def _fill(self, url: str) -> None:
        store = Store(url)
        store.prepare()
        with store.begin() as connection:
            connection.execute(text("create schema simulation"))
            connection.execute(
                text(
                    "create function simulation.clock_timestamp() returns timestamptz language sql stable as "
                    "$$ select to_timestamp(current_setting('simulation.now')::float8) $$"
                )
            )
            connection.execute(text("alter role current_user set search_path = simulation, public, pg_catalog"))
        store.close()

    def fresh(self, world: "World", folder: Path) -> None:
        """Copy the empty database."""
        self._name, self.world = self._server.create("simulation_empty"), world

    def _lead(self, dialect: Any, record: Any, args: list[Any], named: dict[str, Any]) -> None:
        named["dbname"] = self._name

    def _tell_time(self, connection: Any) -> None:
        now = self.world.true_time() if self.world is not None else EPOCH
        connection.cursor().execute(f"select set_config('simulation.now', '{now!r}', true)")

    def _executed(self, connection: Any, cursor: Any, words: str, values: Any, context: Any, many: bool) -> None:
        self._statement(f"{words} {plain(values)}")

    def content(self) -> Iterator[str]:
        """Yield the rows."""
        with self.engines.reader.connect() as connection:
            tables = connection.exec_driver_sql(
                "select tablename from pg_tables where schemaname = 'public' order by 1"
            )
            for name in [name for name in tables.scalars() if not _sealed(name)]:
                rows = connection.exec_driver_sql(f'select t::text as row from "{name}" t order by t::text collate "C"')  # noqa: S608
                yield from rows.scalars()

    def let_go(self) -> None:
        """Close and drop the present seed's database."""
        super().let_go()
        if self._name != "simulation_empty":
            self._server.drop(self._name)
            self._name = "simulation_empty"

    def close(self) -> None:
        """Stop the server."""
        self.let_go()
        self._server.stop()

    def full(self) -> Exception:
        """Make the error of a full disk."""
        return _psycopg().OperationalError("could not extend file: No space left on device")  # type: ignore[no-any-return]

    def locked(self) -> Exception:
        """Make the error of a lock that was waited for too long."""
        return _psycopg().errors.LockNotAvailable("canceling statement due to lock timeout")  # type: ignore[no-any-return]

    def refused(self) -> Exception:
        """Make the error of a server that is away."""
        return _psycopg().OperationalError("connection failed: Connection refused")  # type: ignore[no-any-return]

    def gone(self) -> Exception:
        """Make the error of a connection that broke."""
        return _psycopg().OperationalError("server closed the connection unexpectedly")  # type: ignore[no-any-return]


def _sending(connection: Any, owner: str) -> int:
    """How many deliveries a process holds, in its present transaction."""
    cursor = connection.cursor()
    cursor.execute(f"select count(*) from deliveries where state = 'sending' and lease_owner = '{owner}'")  # noqa: S608
    return int(cursor.fetchone()[0])


def _sealed(words: str) -> bool:
    """Whether a statement or table is about what hub.key seals: real chance goes into that."""
    return "tenant_keys" in words or "credentials" in words


def _psycopg() -> Any:
    import psycopg  # only where it is used

    return psycopg


def plain(value: Any) -> Any:
    """Return values of a statement without addresses of objects."""
    if isinstance(value, memoryview | bytes):
        return bytes(value).hex()
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    return {k: plain(value[k]) for k in sorted(value)} if isinstance(value, dict) else value
