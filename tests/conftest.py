"""What every test may ask for."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import structlog
from hypothesis import HealthCheck, settings

from hub import processes
from hub.chaos import postgres as servers
from hub.store import Store
from tests.postgres import Shared
from tests.rig import CLOCK
from tests.timing import Times

CI = os.environ.get("CI") == "true"

# What the hub logs in this process is shown with plain tracebacks: rich's, structlog's default, take seconds each.
PLAIN_LOGS = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
structlog.configure(processors=[structlog.processors.add_log_level, PLAIN_LOGS])

# A busy machine is no finding: no deadline for one example. The same examples are looked at every time, so that a run
# judges the change and not its luck; `make fuzz` looks for others, and at many more.
TOO_SLOW = [HealthCheck.too_slow]
settings.register_profile("hub", deadline=None, derandomize=True, max_examples=50, suppress_health_check=TOO_SLOW)
settings.register_profile("fuzz", parent=settings.get_profile("hub"), derandomize=False, max_examples=5000)
settings.load_profile("hub")

_TESTS = Path(__file__).parent
_ORDER = ("acceptance", "docs", "integration", "contract", "unit")


def pytest_configure(config: pytest.Config) -> None:
    """Let every run tell where its time goes."""
    config.pluginmanager.register(Times())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Set the markers that follow from where a test lies and from what it asks for; what takes longest goes first."""
    items.sort(key=lambda item: _place(item.path))
    for item in items:
        if item.path.is_relative_to(_TESTS / "acceptance"):
            item.add_marker("acceptance")
        if {"postgres", "postgres_url"} & set(getattr(item, "fixturenames", ())):
            item.add_marker("postgres")


def _place(path: Path) -> int:
    """Real processes before servers before the rest: with several workers, none is left alone with a long file."""
    folder = path.relative_to(_TESTS).parts[0] if path.is_relative_to(_TESTS) else ""
    return _ORDER.index(folder) if folder in _ORDER else len(_ORDER)


_SERVER = pytest.StashKey[Shared]()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell each worker of pytest-xdist which PostgreSQL server is that of this run."""
    programs = servers.postgres_programs()
    if programs is None:
        return
    if _SERVER not in node.config.stash:
        node.config.stash[_SERVER] = Shared(programs)
        node.config.stash[_ADDRESS] = node.config.stash[_SERVER].reserve()
    node.workerinput["postgres"] = node.config.stash[_ADDRESS]


_ADDRESS = pytest.StashKey[dict[str, Any]]()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the server of the run, where this process is the one that began it."""
    if _SERVER in config.stash:
        config.stash[_SERVER].end()


@pytest.fixture(scope="session")
def postgres(pytestconfig: pytest.Config) -> servers.Postgres:
    """The PostgreSQL server of this run. Missing programs skip the test, but fail it where CI=true."""
    programs = servers.postgres_programs()
    if programs is None:
        if CI:
            pytest.fail(servers.HOW_TO_INSTALL, pytrace=False)
        pytest.skip(servers.HOW_TO_INSTALL)
    given: dict[str, Any] | None = getattr(pytestconfig, "workerinput", {}).get("postgres")
    if given is not None:
        return Shared.joined(**given)
    server = pytestconfig.stash[_SERVER] = Shared(programs)
    server.reserve()
    server.join()
    return server


@pytest.fixture
def postgres_url(postgres: servers.Postgres) -> Iterator[str]:
    """The address of an empty database of this test's own."""
    database = postgres.create()
    yield postgres.url(database)
    postgres.drop(database)


@pytest.fixture(scope="session")
def _fresh_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store on SQLite to copy from: with its tables, and nothing in them."""
    file = tmp_path_factory.mktemp("fresh") / "hub.db"
    _prepare(f"sqlite:///{file}")
    return file


def _prepare(url: str) -> None:
    store = Store(url)
    try:
        store.prepare()
    finally:
        store.close()


def _prepare_postgresql(url: str) -> None:
    """The same, with a clock that a rig can set."""
    _prepare(url)
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        connection.execute(CLOCK.format(0.0))


@pytest.fixture
def sqlite_url(_fresh_store: Path, tmp_path: Path) -> str:
    """The address of a store on SQLite, ready and without content."""
    file = tmp_path / "hub.db"
    shutil.copy(_fresh_store, file)
    return f"sqlite:///{file}"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def store_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a store, ready and without content: the test runs once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        yield request.getfixturevalue("sqlite_url")
        return
    server: servers.Postgres = request.getfixturevalue("postgres")
    database = server.create(server.template("hub_fresh", _prepare_postgresql))
    yield server.url(database)
    server.drop(database)


@pytest.fixture
def free_port() -> Iterator[int]:
    """A TCP port for a server of this test's own, or for none: reserved until the test ends."""
    port = processes.free_port()
    yield port
    processes.release_port(port)


@pytest.fixture(scope="session")
def thorough(pytestconfig: pytest.Config) -> bool:
    """Whether this is `make fuzz`: a test marked `search` then looks at all cases, not at some."""
    return bool(pytestconfig.getoption("hypothesis_profile") == "fuzz")


@pytest.fixture(scope="session")
def shared_fixtures() -> Path:
    """The folder of real payloads beside the project. They are other people's data: present on some machines only."""
    folder = _TESTS.parent.parent / "shared" / "fixtures"
    if not folder.is_dir():
        pytest.skip("no folder shared/fixtures beside the project")
    return folder
