"""The tables that the migrations make are the tables that the code expects."""

from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from dlq.groups import metadata as letters
from hub.store import Store, migrate
from hub.store.workbench import mapping_versions


def differences(store: Store) -> list[object]:
    """What the tables in the database lack, or have beyond those that the code expects."""
    with store.look() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        tables = [mapping_versions.metadata, letters]
        return list(compare_metadata(context, tables))  # type: ignore[arg-type]  # takes a list as well


def test_migrations_and_tables_agree(store_url: str) -> None:
    store = Store(store_url)
    try:
        store.prepare()
        store.prepare()
        assert differences(store) == []
    finally:
        store.close()


def test_the_newest_revision_is_alembic_s_head() -> None:
    scripts = ScriptDirectory(str(Path(migrate.__file__).parent / "migrations"))
    assert [migrate.head()] == scripts.get_heads()


def test_partial_indexes_are_partial_in_the_database(store_url: str) -> None:
    partial = {
        index.name
        for metadata in (mapping_versions.metadata, letters)
        for table in metadata.tables.values()
        for index in table.indexes
        if index.info.get("where")
    }
    store = Store(store_url)
    try:
        store.prepare()
        listed = "select name, sql from sqlite_master" if store.sqlite else "select indexname, indexdef from pg_indexes"
        with store.look() as connection:
            found = {name for name, sql in connection.execute(text(listed)) if " where " in (sql or "").lower()}
    finally:
        store.close()
    assert partial
    assert partial <= found


def test_a_store_of_an_older_hub_is_brought_up_to_date(store_url: str) -> None:
    store = Store(store_url)
    newer = (
        "deliveries_by_document",
        "documents_by_age",
        "messages_with_body",
        "deliveries_pending_of_kind",
        "dead_letters_by_message",
    )
    try:
        store.prepare()
        with store.begin() as connection:
            for name in newer:
                connection.execute(text(f"drop index {name}"))
            connection.execute(text("alter table replays drop column tally"))
            connection.execute(text("alter table deliveries drop column unsettled"))
            connection.execute(text("alter table deliveries drop column next_key"))
            connection.execute(text("alter table documents drop column erased"))
            connection.execute(text("update alembic_version set version_num = '0006'"))
        store.prepare()
        assert differences(store) == []
    finally:
        store.close()
