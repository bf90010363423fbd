"""keys of tenants, and hashes by which people are found"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "tenant_keys",
        sa.Column("id", sa.String(16), nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("retired_at", sa.Double()),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "people",
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("document_id", _Id, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("hash", "document_id"),
    )
    op.create_index("people_by_document", "people", ["document_id"])
