"""Bringing a database to the current schema with Alembic, from inside the process."""

from pathlib import Path

from sqlalchemy import Connection, text

_ADVISORY_LOCK = 7_305_401


def upgrade(connection: Connection) -> None:
    """Run all migrations that the database lacks. Several processes may start at once."""
    from alembic import command  # commands without a store do not wait for it to load
    from alembic.config import Config

    if connection.dialect.name == "postgresql":
        connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    connection.commit()
