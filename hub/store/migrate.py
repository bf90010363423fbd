"""Bringing a database to the current schema with Alembic, from inside the process."""

from pathlib import Path

from sqlalchemy import Connection, inspect, text

_ADVISORY_LOCK = 7_305_401
_MIGRATIONS = Path(__file__).parent / "migrations"


def upgrade(connection: Connection) -> None:
    """Run all migrations that the database lacks. Several processes may start at once."""
    if _is_current(connection):  # as at nearly every start; Alembic takes a third of a command's time to load
        connection.rollback()
        return
    from alembic import command  # commands without a store do not wait for it to load
    from alembic.config import Config

    if connection.dialect.name == "postgresql":
        connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    connection.commit()


def head() -> str:
    """The newest revision, as the names of the migrations tell it."""
    newest = max(path.name for path in (_MIGRATIONS / "versions").glob("0*.py"))
    return newest.partition("_")[0]


def _is_current(connection: Connection) -> bool:
    if not inspect(connection).has_table("alembic_version"):
        return False
    return [head()] == list(connection.execute(text("select version_num from alembic_version")).scalars())
