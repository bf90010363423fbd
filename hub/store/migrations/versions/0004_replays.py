"""queues, replays as jobs, groups of dead letters with a life, and what people changed of a letter"""

import json

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_PENDING = {
    "messages": "state in ('received','fetch')",
    "deliveries": "state in ('waiting','held','sending','in_doubt')",
}


def upgrade() -> None:
    _queues()
    op.add_column("dead_letters", sa.Column("currency", sa.String(8), nullable=False, server_default=""))
    op.add_column("dead_letters", sa.Column("stake", _Id, nullable=False, server_default="0"))
    op.add_column("dead_letters", sa.Column("edition", sa.Integer(), nullable=False, server_default="0"))
    op.create_index("dead_letters_by_state", "dead_letters", ["state", "id"])
    _groups()
    _replays()
    op.create_table(
        "dead_letter_edits",
        sa.Column("letter_id", _Id, autoincrement=False, nullable=False),
        sa.Column("edition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.Column("why", sa.Text(), nullable=False, server_default=""),
        sa.Column("changes", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("letter_id", "edition"),
    )


def _queues() -> None:
    first = {"messages": [], "deliveries": ["destination"]}
    last = {"messages": ["id"], "deliveries": ["due_at", "id"]}
    for table, where in _PENDING.items():
        op.add_column(table, sa.Column("queue", sa.Integer(), nullable=False, server_default="0"))
        op.add_column(table, sa.Column("overlay", sa.LargeBinary()))
        op.drop_index(f"{table}_pending", table)
        op.create_index(
            f"{table}_pending",
            table,
            [*first[table], "state", "queue", *last[table]],
            sqlite_where=sa.text(where),
            postgresql_where=sa.text(where),
        )


def _groups() -> None:
    op.create_table(
        "dead_letter_groups",
        sa.Column("fingerprint", sa.String(32), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("owner", sa.String(64), nullable=False, server_default=""),
        sa.Column("cause", sa.String(64), nullable=False),
        sa.Column("step", sa.String(16), nullable=False),
        sa.Column("channel", sa.String(64), nullable=False),
        sa.Column("destination", sa.String(64), nullable=False),
        sa.Column("title", sa.String(300), nullable=False),
        sa.Column("hint", sa.String(300), nullable=False),
        sa.Column("sample", _Id, nullable=False),
        sa.Column("alive", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("stakes", sa.Text(), nullable=False, server_default="{}"),
        sa.Column("hours", sa.Text(), nullable=False, server_default="[]"),
        sa.Column("first_at", sa.Double(), nullable=False),
        sa.Column("last_at", sa.Double(), nullable=False),
        sa.Column("changed_at", sa.Double(), nullable=False),
        sa.Column("changed_by", sa.String(64), nullable=False, server_default="hub"),
        sa.Column("told", sa.String(16), nullable=False, server_default=""),
        sa.PrimaryKeyConstraint("fingerprint"),
    )
    op.create_index("dead_letter_groups_by_size", "dead_letter_groups", ["state", "alive", "fingerprint"])
    op.create_table(
        "dead_letter_group_notes",
        sa.Column("id", _Id, autoincrement=True, nullable=False),
        sa.Column("fingerprint", sa.String(32), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_dead_letter_group_notes_fingerprint", "dead_letter_group_notes", ["fingerprint"])
    op.execute(
        "insert into dead_letter_groups (fingerprint, state, cause, step, channel, destination, title, hint, sample,"
        " alive, total, first_at, last_at, changed_at)"
        " select l.fingerprint, 'open', l.cause, l.step, l.channel, l.destination, l.title, l.hint, l.id,"
        " g.alive, g.total, g.first_at, g.last_at, g.last_at from dead_letters l join ("
        " select fingerprint, max(id) as newest, count(*) as alive, sum(died) as total, min(created_at) as first_at,"
        " max(updated_at) as last_at from dead_letters where state in ('open','replaying') group by fingerprint) g"
        " on g.newest = l.id"
    )


def _replays() -> None:
    op.create_table(
        "replays",
        sa.Column("id", _Id, autoincrement=True, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(300), nullable=False, server_default=""),
        sa.Column("filter", sa.Text(), nullable=False),
        sa.Column("step", sa.String(16), nullable=False, server_default=""),
        sa.Column("mapping_version", sa.String(160), nullable=False, server_default=""),
        sa.Column("rate", sa.Float()),
        sa.Column("ramp", sa.Text(), nullable=False),
        sa.Column("tokens", sa.Float()),
        sa.Column("tokens_at", sa.Double()),
        sa.Column("stage", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("stop_at", sa.Float(), nullable=False),
        sa.Column("died_before", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("ended_before", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("plan", sa.Text(), nullable=False, server_default=json.dumps({})),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("created_by", sa.String(64), nullable=False),
        sa.Column("started_at", sa.Double()),
        sa.Column("ended_at", sa.Double()),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.Column("lease_until", sa.Double(), nullable=False, server_default="0"),
        sa.Column("lease_owner", sa.String(64), nullable=False, server_default=""),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_replays_state", "replays", ["state"])
    op.create_table(
        "replay_items",
        sa.Column("replay_id", _Id, autoincrement=False, nullable=False),
        sa.Column("letter_id", _Id, autoincrement=False, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("died", sa.Integer(), nullable=False),
        sa.Column("why", sa.String(300), nullable=False, server_default=""),
        sa.Column("taken_at", sa.Double()),
        sa.Column("done_at", sa.Double()),
        sa.PrimaryKeyConstraint("replay_id", "letter_id"),
    )
    op.create_index("replay_items_by_state", "replay_items", ["replay_id", "state", "letter_id"])
