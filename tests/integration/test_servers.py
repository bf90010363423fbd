"""The servers that other tests lean on do what they say."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from hub.chaos import postgres as servers
from tests.acceptance.deployment import eventually
from tests.postgres import Shared


@pytest.fixture
def own_server(postgres: servers.Postgres) -> Iterator[servers.Postgres]:
    """A server that a test may kill: the one of the whole run stays up."""
    server = servers.Postgres(postgres.programs)
    try:
        server.start()
        yield server
    finally:
        server.stop()


def connect(url: str) -> psycopg.Connection:
    return psycopg.connect(url.replace("+psycopg", ""), autocommit=True)


def test_what_was_committed_survives_a_killed_server(own_server: servers.Postgres) -> None:
    url = own_server.url(own_server.create())
    with connect(url) as connection:
        connection.execute("create table kept as select generate_series(1, 1000) as n")
        own_server.kill()
        with pytest.raises(psycopg.OperationalError):
            connection.execute("select 1")
    own_server.start()
    with connect(url) as connection:
        assert connection.execute("select count(*) from kept").fetchone() == (1000,)


def test_a_template_is_filled_once_and_copied(postgres: servers.Postgres) -> None:
    filled = []

    def fill(url: str) -> None:
        filled.append(url)
        with connect(url) as connection:
            connection.execute("create table shelf as select 7 as n")

    for _ in range(2):
        name = postgres.create(postgres.template("shelf_template", fill))
        with connect(postgres.url(name)) as connection:
            assert connection.execute("select n from shelf").fetchone() == (7,)
        postgres.drop(name)
    assert len(filled) == 1


def test_every_test_has_a_database_of_its_own(postgres: servers.Postgres, postgres_url: str) -> None:
    with connect(postgres_url) as connection:
        assert connection.execute("select count(*) from pg_tables where schemaname = 'public'").fetchone() == (0,)
    assert postgres.url(postgres.create()) != postgres_url


def test_a_store_is_one_of_both_kinds(store_url: str) -> None:
    assert store_url.startswith(("sqlite:///", "postgresql+psycopg://hub@127.0.0.1:"))


RUN = """
import sys
from tests.postgres import Shared
from hub.chaos.postgres import postgres_programs
server = Shared(postgres_programs())
print(*server.reserve().values(), flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("killed", [False, True])
@pytest.mark.usefixtures("postgres")
def test_the_server_of_a_run_is_shared_and_ends_with_it(killed: bool) -> None:
    run = subprocess.Popen([sys.executable, "-c", RUN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert run.stdin is not None
    assert run.stdout is not None
    programs, port, folder = run.stdout.readline().split()
    workers = [Shared.joined(programs, int(port), folder) for _ in range(2)]
    with connect(workers[0].url("postgres")), connect(workers[1].url("postgres")) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
    if killed:
        run.kill()
    else:
        run.stdin.close()
    run.wait()
    eventually(lambda: not Path(folder).exists())
    with pytest.raises(psycopg.OperationalError):
        connect(workers[0].url("postgres"))
    for pipe in (run.stdin, run.stdout):
        pipe.close()
