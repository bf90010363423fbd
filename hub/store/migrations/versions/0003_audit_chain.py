"""the audit log is chained by hash and refuses to be changed"""

import hashlib
import json

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_SQLITE = """
create trigger audit_no_{act} before {act} on audit begin
    select raise(abort, 'the audit log is append-only');
end
"""
_FUNCTION = """
create function audit_append_only() returns trigger language plpgsql as $$
begin raise exception 'the audit log is append-only'; end $$
"""
_POSTGRESQL = "create trigger audit_no_{act} before {act} on audit {each} execute function audit_append_only()"


def upgrade() -> None:
    op.add_column("audit", sa.Column("hash", sa.String(64), nullable=False, server_default=""))
    connection, before = op.get_bind(), "0" * 64
    columns = "id, at, actor, act, subject, detail"
    for row in connection.execute(sa.text(f"select {columns} from audit order by id")).all():  # noqa: S608  # fixed
        text = json.dumps([before, *row[1:]], ensure_ascii=False)
        before = hashlib.sha256(text.encode()).hexdigest()
        connection.execute(sa.text("update audit set hash = :hash where id = :id"), {"hash": before, "id": row[0]})
    if connection.dialect.name != "postgresql":
        for act in ("update", "delete"):
            op.execute(_SQLITE.format(act=act))
        return
    op.execute(_FUNCTION)
    for act, each in (("update", "for each row"), ("delete", "for each row"), ("truncate", "for each statement")):
        op.execute(_POSTGRESQL.format(act=act, each=each))
