"""Tables of the mapping workbench: versions, activations, diffs, shadows, and what drift watches for."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from hub.store.tables import Id, metadata

mapping_versions = Table(
    "mapping_versions",
    metadata,
    Column("name", String(128), primary_key=True),  # channels/taobao/order
    Column("version", String(160), primary_key=True),  # taobao/order@3f2a9c1b
    Column("sources", Text, nullable=False),  # JSON: path below the folder of mappings -> text; all that it is made of
    Column("origin", String(16), nullable=False),  # file | api | mend
    Column("based_on", String(160), nullable=False, server_default=""),  # the version that its author had before them
    Column("created_at", Double, nullable=False),
    Column("created_by", String(64), nullable=False),
    Column("why", Text, nullable=False, server_default=""),
)

mapping_activations = Table(
    "mapping_activations",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("name", String(128), nullable=False),
    Column("sequence", Integer, nullable=False),  # 1, 2, 3 ... of a name; the highest is in force
    Column("version", String(160), nullable=False),  # empty: the file on disk is followed again
    Column("at", Double, nullable=False),
    Column("actor", String(64), nullable=False),
    Column("why", Text, nullable=False, server_default=""),
    Column("forced", Boolean, nullable=False, server_default=text("false")),
    UniqueConstraint("name", "sequence", name="mapping_activations_once"),  # of two at once, one wins
)

mapping_diffs = Table(
    "mapping_diffs",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("name", String(128), nullable=False),
    Column("old", String(160), nullable=False),
    Column("new", String(160), nullable=False),
    Column("at", Double, nullable=False),
    Column("actor", String(64), nullable=False),
    Column("report", Text, nullable=False),  # JSON
    Index("mapping_diffs_by_name", "name", "new"),
)

mapping_shadows = Table(
    "mapping_shadows",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("name", String(128), nullable=False, index=True),
    Column("version", String(160), nullable=False),
    Column("started_at", Double, nullable=False),
    Column("until", Double, nullable=False),
    Column("actor", String(64), nullable=False),
    Column("cursor", Id, nullable=False),  # the last message that was looked at
    Column("report", Text, nullable=False, server_default=""),  # JSON
    Column("ended_at", Double),
    Column("lease_until", Double, nullable=False, server_default="0"),
    Column("lease_owner", String(64), nullable=False, server_default=""),
)

drift_profiles = Table(
    "drift_profiles",
    metadata,
    Column("shop", String(64), primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("channel", String(64), nullable=False),
    Column("cursor", Id, nullable=False, server_default="0"),  # the last message that was looked at
    Column("records", BigInteger, nullable=False, server_default="0"),
    Column("profile", LargeBinary),  # zlib of JSON: what each path of the wire has held
    Column("lease_until", Double, nullable=False, server_default="0"),
    Column("lease_owner", String(64), nullable=False, server_default=""),
    Column("updated_at", Double, nullable=False, server_default="0"),
)

drift_findings = Table(
    "drift_findings",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("shop", String(64), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("channel", String(64), nullable=False),
    Column("what", String(16), nullable=False),  # new_field | new_word | vanished | new_type
    Column("path", String(300), nullable=False),
    Column("detail", String(200), nullable=False),  # the word, or the types
    Column("count", BigInteger, nullable=False),
    Column("first_at", Double, nullable=False),
    Column("last_at", Double, nullable=False),
    Column("message_id", Id),  # the newest sample
    Column("sample", Text, nullable=False, server_default=""),  # masked
    Column("opened_at", Double, nullable=False),  # first_at, until it is opened again
    Column("told_at", Double),  # when the alert hook took it
    Column("closed_at", Double),
    Column("closed_by", String(64), nullable=False, server_default=""),
    UniqueConstraint("shop", "kind", "what", "path", "detail", name="drift_findings_once"),
)
