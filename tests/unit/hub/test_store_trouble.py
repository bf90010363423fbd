"""Which errors are the store's own."""

import sqlite3

import psycopg
import pytest
from sqlalchemy import exc
from structlog.testing import capture_logs

from hub.store.trouble import Health, StoreTrouble, is_trouble


def wrapped(error: Exception, base: type[Exception]) -> Exception:
    """As SQLAlchemy gives on what a driver raised."""
    made = exc.DBAPIError.instance("commit", None, error, base)
    assert isinstance(made, Exception)
    return made


TROUBLE = [
    wrapped(sqlite3.OperationalError("disk I/O error"), sqlite3.Error),
    wrapped(sqlite3.OperationalError("database is locked"), sqlite3.Error),
    wrapped(sqlite3.OperationalError("attempt to write a readonly database"), sqlite3.Error),
    wrapped(sqlite3.DatabaseError("database disk image is malformed"), sqlite3.Error),
    wrapped(psycopg.errors.AdminShutdown("terminating connection"), psycopg.Error),
    wrapped(psycopg.errors.DiskFull("no space left on device"), psycopg.Error),
    wrapped(psycopg.errors.ReadOnlySqlTransaction("a standby"), psycopg.Error),
    wrapped(psycopg.errors.DeadlockDetected("deadlock"), psycopg.Error),
    wrapped(psycopg.InterfaceError("the connection is closed"), psycopg.Error),
    exc.DBAPIError("commit", None, Exception("?"), connection_invalidated=True),
    exc.TimeoutError("QueuePool limit"),
    exc.DisconnectionError("lost"),
    exc.PendingRollbackError("roll back first"),
]
NOT = [
    wrapped(sqlite3.IntegrityError("UNIQUE constraint failed"), sqlite3.Error),
    wrapped(sqlite3.ProgrammingError("type 'object' is not supported"), sqlite3.Error),
    wrapped(psycopg.errors.StringDataRightTruncation("too long"), psycopg.Error),
    wrapped(psycopg.errors.UniqueViolation("not unique"), psycopg.Error),
    OverflowError("Python int too large to convert to SQLite INTEGER"),
    OSError("whose?"),
    StoreTrouble("was told already"),
]


@pytest.mark.parametrize("error", TROUBLE, ids=str)
def test_it_is_the_store_s(error: Exception) -> None:
    assert is_trouble(error)


@pytest.mark.parametrize("error", NOT, ids=str)
def test_it_may_be_an_item_s(error: Exception) -> None:
    assert not is_trouble(error)


def test_it_is_told_once_in_one_line_without_what_was_written() -> None:
    health = Health()
    assert health.trouble == ""
    with capture_logs() as logged:
        for _ in range(3):
            told = health.failed(wrapped(psycopg.errors.DiskFull("no space\nDETAIL: 13912345678"), psycopg.Error))
        health.worked()
    assert str(told) == "the store cannot do it now: no space"
    assert [(entry["event"], entry["why"], entry["error"]) for entry in logged] == [
        ("store.trouble", "no space", "DiskFull")
    ]
    assert health.trouble == "no space", "another transaction may be smaller: it counts as well a while later"
