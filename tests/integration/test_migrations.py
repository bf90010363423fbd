"""The tables that the migrations make are the tables that the code expects."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from dlq.groups import metadata as letters
from hub.store import Store
from hub.store.tables import metadata


def test_migrations_and_tables_agree(store_url: str) -> None:
    store = Store(store_url)
    try:
        store.prepare()
        store.prepare()
        with store.look() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            found = compare_metadata(context, [metadata, letters])  # type: ignore[arg-type]  # takes a list as well
    finally:
        store.close()
    assert found == []
