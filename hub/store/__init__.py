"""The hub's memory: SQLite (one process) or PostgreSQL (many), through SQLAlchemy Core."""

from sqlalchemy import Connection, exc
from sqlalchemy.exc import SQLAlchemyError as StoreError

from hub.store.engine import Store

__all__ = ["STORE_TROUBLE", "Connection", "Store", "StoreError"]

STORE_TROUBLE = (exc.OperationalError, exc.InternalError, exc.TimeoutError)
"""The store's own trouble: full, locked, away, restarted. It passes, and is never the fault of what is written."""
