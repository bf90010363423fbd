"""Opening the store and running transactions on it.

SQLite: WAL, synchronous=FULL, one writer thread, BEGIN IMMEDIATE; a lock beside the file keeps a second working
process out. PostgreSQL: a pool; rows are claimed with FOR UPDATE SKIP LOCKED and lanes are locked by advisory locks.
Functions that take a `Connection` never commit: the transaction belongs to the caller of `Store`.
"""

import asyncio
import fcntl
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Concatenate, NamedTuple, ParamSpec, TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    CursorResult,
    Double,
    Engine,
    bindparam,
    create_engine,
    event,
    func,
    text,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import PoolProxiedConnection, QueuePool

from canonical.errors import ConfigError
from hub import clock
from hub.host import HOST
from hub.store import keys
from hub.store.migrate import upgrade
from hub.store.trouble import Health, is_trouble
from hub.store.vault import ACTIVE, Vault

P = ParamSpec("P")
R = TypeVar("R")

WRITERS_ON_POSTGRESQL = 4
READERS = 2


SHARED_CLOCK = "shared_clock"
"""Execution option of an engine: a function that tells epoch seconds by the clock of the database. PostgreSQL has one
of its own; an SQLite store that several processes share, as in a simulation, is given one."""


class Engines(NamedTuple):
    """The ways into one database: for writing, and for reading (on PostgreSQL the same)."""

    writer: Engine
    reader: Engine


class Store:
    """An open database. `run` and `read` are for asyncio code, `begin` and `look` for the rest."""

    def __init__(
        self,
        url: str,
        *,
        folder: Path = Path(),
        key: str = "",
        tenants: Iterable[str] = (),
        engines: Engines | None = None,
    ) -> None:
        self.url = _absolute(url, folder)
        self.sqlite = self.url.startswith("sqlite")
        self.folder = Path(make_url(self.url).database or ".").parent if self.sqlite else None
        self.owner = HOST.get().process_name()
        self._writer, self._reader = engines or open_engines(self.url)
        self.alone = self.sqlite and SHARED_CLOCK not in self._writer.get_execution_options()
        """Whether one working process has the store to itself, and its clock is the machine's."""
        self._writing = ThreadPoolExecutor(1 if self.sqlite else WRITERS_ON_POSTGRESQL, "hub-store")
        self._reading = ThreadPoolExecutor(READERS, "hub-read")
        self._kept: Connection | None = None
        self._lock: IO[bytes] | None = None
        self.health = Health()
        self.vault = Vault(key)
        self.vault.reload = self.take_up_keys
        self._tenants = tuple(tenants)

    def prepare(self) -> None:
        """Create or migrate the tables. Raises ConfigError if the database cannot be reached."""
        try:
            with self._writer.connect() as connection:
                upgrade(connection)
                if not self.alone:
                    clock.agree(_time_of(connection))
            self._make_keys()
        except (SQLAlchemyError, OSError) as error:
            raise ConfigError([f"hub.store: cannot open {self._shown()}: {_first_line(error)}"]) from error

    def own(self) -> bool:
        """Become the one working process of an SQLite store. False if another one is. Always true on PostgreSQL."""
        if not self.alone or self._lock is not None:
            return True
        path = make_url(self.url).database or ""
        handle = Path(f"{path}.lock").open("wb")  # noqa: SIM115  # held for as long as the process works
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            handle.close()
            return False
        self._lock = handle
        return True

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """A writing transaction: committed at the end, rolled back on an exception."""
        with self._watched(), self._writer.begin() as connection, self._unlocked():
            yield connection

    @contextmanager
    def look(self) -> Iterator[Connection]:
        """A reading transaction."""
        with self._watched(), self._reader.connect() as connection, self._unlocked():
            yield connection

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """The store's own trouble comes out as StoreTrouble, and is remembered; other errors as they are."""
        try:
            yield
        except SQLAlchemyError as error:
            if not is_trouble(error):
                raise
            raise self.health.failed(error) from error
        self.health.worked()

    def prove(self) -> None:
        """Write something. Raises StoreTrouble where the store cannot: then no error before was its item's fault."""
        with self.begin() as connection:
            connection.execute(_PROOF)

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        """A connection for a writing thread. That of SQLite's is kept: the pool costs as much as a statement. After any
        trouble it goes back there, where what it left open is rolled back."""
        connection, self._kept = self._kept or self._writer.connect(), None
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        if self.sqlite:
            self._kept = connection
        else:
            connection.close()

    @contextmanager
    def _unlocked(self) -> Iterator[None]:
        """Sealed columns are written and read with this store's keys meanwhile."""
        before = ACTIVE.set(self.vault)
        try:
            yield
        finally:
            ACTIVE.reset(before)

    def take_up_keys(self) -> None:
        """Read the tenants' keys again: another process may have made new ones."""
        with self._watched(), self._reader.connect() as connection:
            self.vault.load(keys.all_of(connection))

    def _make_keys(self) -> None:
        with self._writer.begin() as connection:
            keys.prepare(connection, self.vault, self._tenants, clock.now().timestamp())

    async def run(self, work: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run work(connection, ...) in a writing transaction, off the event loop."""

        def job() -> R:
            with self._watched(), self._connected() as connection, connection.begin(), self._unlocked():
                return work(connection, *args, **kwargs)

        return await asyncio.get_running_loop().run_in_executor(self._writing, job)

    async def read(self, work: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run work(connection, ...) in a reading transaction, off the event loop."""

        def job() -> R:
            with self.look() as connection:
                return work(connection, *args, **kwargs)

        return await asyncio.get_running_loop().run_in_executor(self._reading, job)

    async def agree_on_time(self) -> None:
        """Go by PostgreSQL's clock, as every process that shares it does. On SQLite there is only one process."""
        if not self.alone:
            clock.agree(await self.read(_time_of))

    def close(self) -> None:
        """Finish what runs and let go of the database."""
        self._writing.shutdown()
        self._reading.shutdown()
        if self._kept is not None:
            self._kept.close()
        self._writer.dispose()
        if self._reader is not self._writer:
            self._reader.dispose()
        if self._lock is not None:
            self._lock.close()

    def _shown(self) -> str:
        return make_url(self.url).render_as_string(hide_password=True)


def lock_lanes(connection: Connection, names: Iterable[str]) -> None:
    """On PostgreSQL, let no other transaction touch these lanes until the end of this one. In order: no deadlock."""
    if connection.dialect.name != "postgresql":
        return
    connection.execute(_LOCK, {"names": sorted(set(names))})


def _time_of(connection: Connection) -> datetime:
    return datetime.fromtimestamp(moment(connection, 0.0), UTC)


_PROOF = text("update alembic_version set version_num = version_num")
_LOCK = text(
    "select pg_advisory_xact_lock(hashtextextended(name, 0)) from unnest(cast(:names as text[])) as lane(name)"
)


def this_instant(shared: bool) -> ColumnElement[float]:
    """Now as epoch seconds, for leases: PostgreSQL's own clock where processes share it, else the parameter `b_now`."""
    if shared:
        return func.extract("epoch", func.clock_timestamp()).cast(Double)
    return bindparam("b_now", type_=Double)


def instant_values(connection: Connection, now: float) -> dict[str, float]:
    """The parameters that `this_instant` needs on this connection."""
    return {} if connection.dialect.name == "postgresql" else {"b_now": moment(connection, now)}


def moment(connection: Connection, now: float) -> float:
    """Now by the clock that leases go by: the database's where it has one, else `now`. No other place asks for it."""
    if connection.dialect.name == "postgresql":
        return float(connection.execute(_EPOCH).scalar_one())
    shared = connection.get_execution_options().get(SHARED_CLOCK)
    return now if shared is None else float(shared())


_EPOCH = text("select extract(epoch from clock_timestamp())::float8")


def as_dicts(result: CursorResult[Any]) -> list[dict[str, Any]]:
    """Its rows. To make a dict of each of `mappings()` takes more than twice as long."""
    names = tuple(result.keys())
    return [dict(zip(names, row, strict=True)) for row in result]


def skip_locked(connection: Connection) -> dict[str, Any]:
    """Arguments for `with_for_update` where rows are claimed; nothing on SQLite, whose writers never overlap."""
    return {"skip_locked": True} if connection.dialect.name == "postgresql" else {}


def _absolute(url: str, folder: Path) -> str:
    parsed = make_url(url)
    if not parsed.drivername.startswith("sqlite"):
        if parsed.drivername in ("postgresql", "postgres"):
            parsed = parsed.set(drivername="postgresql+psycopg")
        return parsed.render_as_string(hide_password=False)
    if not parsed.database or parsed.database == ":memory:":
        raise ConfigError(["hub.store: SQLite needs a file, such as sqlite:///var/hub.db"])
    path = folder / parsed.database
    path.parent.mkdir(parents=True, exist_ok=True)
    return parsed.set(database=str(path)).render_as_string(hide_password=False)


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


def _open_postgresql(url: str) -> Engine:
    from psycopg.types.string import StrDumperUnknown

    class Text(StrDumperUnknown):
        """PostgreSQL keeps no NUL in a text, and platforms and destinations send what they like."""

        def dump(self, obj: str) -> Any:
            return super().dump(obj.replace("\0", "\N{REPLACEMENT CHARACTER}"))

    size = WRITERS_ON_POSTGRESQL + READERS + 1
    engine = create_engine(url, pool_size=size, max_overflow=4, pool_pre_ping=True, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def _connect(dbapi: Any, _record: Any) -> None:
        dbapi.adapters.register_dumper(str, Text)

    return engine


def open_engines(url: str) -> Engines:
    """The engines of a database; nothing is connected yet."""
    if not url.startswith("sqlite"):
        both = _open_postgresql(url)
        return Engines(both, both)
    return Engines(_open_sqlite(url, immediate=True), _open_sqlite(url, immediate=False))


def _open_sqlite(url: str, *, immediate: bool) -> Engine:
    once = {"check_same_thread": False}
    # hide_parameters: an error's text goes into logs and letters, and parameters are people's data.
    engine = create_engine(url, poolclass=QueuePool, pool_size=READERS + 1, connect_args=once, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def _connect(dbapi: Any, _record: Any) -> None:
        dbapi.isolation_level = None  # we say BEGIN ourselves
        dbapi.execute("pragma busy_timeout = 30000")
        dbapi.execute("pragma journal_mode = wal")
        dbapi.execute("pragma synchronous = full")

    begin = "begin immediate" if immediate else "begin"

    def do_begin(dbapi_connection: PoolProxiedConnection) -> None:
        dbapi_connection.cursor().execute(begin)

    # Not by an event: an engine with one looks for listeners at each statement, a twelfth of what a statement costs.
    engine.dialect.do_begin = do_begin  # type: ignore[method-assign]
    return engine
