"""alerts on their way to people, and budgets of calls to platforms"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "alerts",
        sa.Column("id", _Id, autoincrement=True, nullable=False),
        sa.Column("notifier", sa.String(64), nullable=False),
        sa.Column("about", sa.String(160), nullable=False),
        sa.Column("title", sa.String(300), nullable=False),
        sa.Column("line", sa.Text(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("due_at", sa.Double(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("error", sa.Text(), nullable=False, server_default=""),
        sa.Column("told_at", sa.Double()),
        sa.PrimaryKeyConstraint("id"),
    )
    untold = sa.text("told_at is null")
    op.create_index("alerts_untold", "alerts", ["notifier", "due_at"], sqlite_where=untold, postgresql_where=untold)
    op.create_table(
        "alert_marks",
        sa.Column("about", sa.String(160), nullable=False),
        sa.Column("since", sa.Double(), nullable=False),
        sa.Column("lease_until", sa.Double(), nullable=False, server_default="0"),
        sa.Column("lease_owner", sa.String(64), nullable=False, server_default=""),
        sa.PrimaryKeyConstraint("about"),
    )
    op.create_table(
        "budgets",
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("tokens", sa.Double(), nullable=False),
        sa.Column("tokens_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
