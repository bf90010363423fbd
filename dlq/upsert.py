"""INSERT ... ON CONFLICT, of which each database has its own."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import Table
    from sqlalchemy.dialects import postgresql, sqlite


def insert_into(dialect: str, table: "Table") -> "postgresql.Insert | sqlite.Insert":
    """An insert with `on_conflict_do_nothing` and the like. Loads the dialect that is spoken, and no other."""
    if dialect == "postgresql":
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table)
    from sqlalchemy.dialects import sqlite

    return sqlite.insert(table)
