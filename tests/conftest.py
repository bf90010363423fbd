"""What every test may ask for."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from hub.chaos import postgres as servers
from hub.processes import free_port as a_free_port
from tests.timing import Times

CI = os.environ.get("CI") == "true"

# A busy machine is no finding: no deadline for one example. CI looks at the same examples every time, so that it judges
# the change and not its luck; `make fuzz` looks at many more.
settings.register_profile("hub", deadline=None, derandomize=CI, suppress_health_check=[HealthCheck.too_slow])
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


@pytest.fixture(scope="session")
def postgres() -> Iterator[servers.Postgres]:
    """The PostgreSQL server of this run. Missing programs skip the test, but fail it where CI=true."""
    programs = servers.postgres_programs()
    if programs is None:
        if CI:
            pytest.fail(servers.HOW_TO_INSTALL, pytrace=False)
        pytest.skip(servers.HOW_TO_INSTALL)
    server = servers.Postgres(programs)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def postgres_url(postgres: servers.Postgres) -> Iterator[str]:
    """The address of an empty database of this test's own."""
    database = postgres.create()
    yield postgres.url(database)
    postgres.drop(database)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty store: the test runs once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'hub.db'}"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def free_port() -> int:
    """A TCP port on 127.0.0.1 for a server of this test's own."""
    return a_free_port()


@pytest.fixture(scope="session")
def shared_fixtures() -> Path:
    """The folder of real payloads beside the project. They are other people's data: present on some machines only."""
    folder = _TESTS.parent.parent / "shared" / "fixtures"
    if not folder.is_dir():
        pytest.skip("no folder shared/fixtures beside the project")
    return folder
