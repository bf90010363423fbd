"""The hub's memory: SQLite (one process) or PostgreSQL (many), through SQLAlchemy Core."""

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError as StoreError

from hub.store.engine import Store
from hub.store.trouble import StoreTrouble

__all__ = ["Connection", "Store", "StoreError", "StoreTrouble"]
