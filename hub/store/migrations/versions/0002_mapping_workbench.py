"""versions of mappings, what was compared, and what the platforms send that no mapping knows"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "mapping_versions",
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("version", sa.String(160), nullable=False),
        sa.Column("sources", sa.Text(), nullable=False),
        sa.Column("origin", sa.String(16), nullable=False),
        sa.Column("based_on", sa.String(160), nullable=False, server_default=""),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("created_by", sa.String(64), nullable=False),
        sa.Column("why", sa.Text(), nullable=False, server_default=""),
        sa.PrimaryKeyConstraint("name", "version"),
    )

    op.create_table(
        "mapping_activations",
        sa.Column("id", _Id, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("version", sa.String(160), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.Column("why", sa.Text(), nullable=False, server_default=""),
        sa.Column("forced", sa.Boolean(), nullable=False, server_default=sa.text("false")),
        sa.UniqueConstraint("name", "sequence", name="mapping_activations_once"),
        sa.PrimaryKeyConstraint("id"),
    )

    op.create_table(
        "mapping_diffs",
        sa.Column("id", _Id, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("old", sa.String(160), nullable=False),
        sa.Column("new", sa.String(160), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.Column("report", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("mapping_diffs", schema=None) as batch_op:
        batch_op.create_index("mapping_diffs_by_name", ["name", "new"], unique=False)

    op.create_table(
        "mapping_shadows",
        sa.Column("id", _Id, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("version", sa.String(160), nullable=False),
        sa.Column("started_at", sa.Double(), nullable=False),
        sa.Column("until", sa.Double(), nullable=False),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.Column("cursor", _Id, nullable=False),
        sa.Column("report", sa.Text(), nullable=False, server_default=""),
        sa.Column("ended_at", sa.Double(), nullable=True),
        sa.Column("lease_until", sa.Double(), nullable=False, server_default="0"),
        sa.Column("lease_owner", sa.String(64), nullable=False, server_default=""),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("mapping_shadows", schema=None) as batch_op:
        batch_op.create_index("ix_mapping_shadows_name", ["name"], unique=False)

    op.create_table(
        "drift_profiles",
        sa.Column("shop", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("channel", sa.String(64), nullable=False),
        sa.Column("cursor", _Id, nullable=False, server_default="0"),
        sa.Column("records", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("profile", sa.LargeBinary(), nullable=True),
        sa.Column("lease_until", sa.Double(), nullable=False, server_default="0"),
        sa.Column("lease_owner", sa.String(64), nullable=False, server_default=""),
        sa.Column("updated_at", sa.Double(), nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("shop", "kind"),
    )

    op.create_table(
        "drift_findings",
        sa.Column("id", _Id, autoincrement=True, nullable=False),
        sa.Column("shop", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("channel", sa.String(64), nullable=False),
        sa.Column("what", sa.String(16), nullable=False),
        sa.Column("path", sa.String(300), nullable=False),
        sa.Column("detail", sa.String(200), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("first_at", sa.Double(), nullable=False),
        sa.Column("last_at", sa.Double(), nullable=False),
        sa.Column("message_id", _Id, nullable=True),
        sa.Column("sample", sa.Text(), nullable=False, server_default=""),
        sa.Column("opened_at", sa.Double(), nullable=False),
        sa.Column("told_at", sa.Double(), nullable=True),
        sa.Column("closed_at", sa.Double(), nullable=True),
        sa.Column("closed_by", sa.String(64), nullable=False, server_default=""),
        sa.UniqueConstraint("shop", "kind", "what", "path", "detail", name="drift_findings_once"),
        sa.PrimaryKeyConstraint("id"),
    )
