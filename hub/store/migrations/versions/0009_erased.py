"""whether a document's personal data was erased, so that no older record brings it back"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    erased: sa.Column[bool] = sa.Column("erased", sa.Boolean, nullable=False, server_default=sa.text("false"))
    op.add_column("documents", erased)
