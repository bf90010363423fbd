"""the key of a document that was edited while its delivery was in doubt, for when the doubt is settled"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    next_key: sa.Column[str] = sa.Column("next_key", sa.String(64), nullable=False, server_default="")
    op.add_column("deliveries", next_key)
