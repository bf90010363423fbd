"""Alembic's entry: migrates over the connection that hub.store.migrate hands in."""

from alembic import context

from dlq.groups import metadata as letters
from hub.store.workbench import mapping_versions

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=[mapping_versions.metadata, letters],
    render_as_batch=True,
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
