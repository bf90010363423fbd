"""what is pending by destination and kind, what is old, what is unsettled, tallies of replays, and their queue"""

import json

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def _tell_that_many_are_open() -> None:
    """Statistics for SQLite's planner, which knows of none: it takes ten letters to be in a state, and reads all that
    are open rather than look up some keys. PostgreSQL counts by itself, and so does ANALYZE, whose figures these are."""
    op.execute("analyze alembic_version")  # makes the table of statistics
    op.execute("delete from sqlite_stat1 where tbl = 'dead_letters'")
    op.execute("insert into sqlite_stat1 values ('dead_letters', 'dead_letters_by_state', '1000000 100000 1')")
    op.execute("insert into sqlite_stat1 values ('dead_letters', 'dead_letters_by_group', '1000000 100000 1000 1')")
    op.execute("analyze sqlite_schema")  # reads it


def upgrade() -> None:
    pending = sa.text("state in ('waiting','held','sending','in_doubt')")
    op.create_index(
        "deliveries_pending_of_kind",
        "deliveries",
        ["destination", "kind", "state", "queue", "due_at", "id"],
        sqlite_where=pending,
        postgresql_where=pending,
    )
    body = sa.text("body is not null")
    op.create_index("messages_with_body", "messages", ["received_at"], sqlite_where=body, postgresql_where=body)
    op.create_index("documents_by_age", "documents", ["updated_at"])
    op.create_index("deliveries_by_document", "deliveries", ["document_id"])
    op.create_index("dead_letters_by_message", "dead_letters", ["message_id"])
    if op.get_bind().dialect.name == "sqlite":
        _tell_that_many_are_open()
    unsettled: sa.Column[bool] = sa.Column("unsettled", sa.Boolean(), nullable=False, server_default=sa.text("false"))
    op.add_column("deliveries", unsettled)
    op.add_column("replays", sa.Column("tally", sa.Text(), nullable=False, server_default="{}"))
    counted = "select replay_id, state, count(*) from replay_items group by replay_id, state"
    tallies: dict[int, dict[str, int]] = {}
    for number, state, count in op.get_bind().execute(sa.text(counted)):
        tallies.setdefault(number, {})[state] = count
    for number, tally in tallies.items():
        values = {"number": number, "tally": json.dumps(tally)}
        op.get_bind().execute(sa.text("update replays set tally = :tally where id = :number"), values)
    op.execute(
        "update deliveries set queue = 2 where id in"
        " (select delivery_id from dead_letters where state = 'replaying' and delivery_id is not null)"
    )
    op.execute(
        "update messages set queue = 2 where id in"
        " (select message_id from dead_letters where state = 'replaying' and message_id is not null)"
    )
