"""What the API answers about versions of mappings, and what it takes to change them."""

from typing import Any, Literal

from pydantic import Field, StrictBool

from hub.web.models import Answer, Time
from hub.web.parts import Body, Word

WANTED = "a hash or the beginning of one, `file`, `active` or `previous`"


class Kept(Answer):
    """A version that was kept."""

    version: str = Field(examples=["generic/order@3f2a9c1b"])
    state: Literal["in force", "was in force", "kept"]
    origin: str = Field(description="file, draft, api or mend")
    based_on: str = Field(description="the version that its author had before them")
    created_at: Time
    created_by: str
    why: str
    activated_at: Time = Field(description="when it was put in force last")


class Put(Answer):
    """Something that was put in force."""

    version: str = Field(description="empty: the file is followed again", examples=["generic/order@3f2a9c1b"])
    at: Time
    actor: str
    why: str
    forced: bool


class Versions(Answer):
    """What there is of a mapping."""

    name: str = Field(examples=["channels/generic/order"])
    in_force: str = Field(examples=["generic/order@3f2a9c1b"])
    follows_file: bool = Field(description="nobody activated a version: what lies on disk is in force")
    file: str = Field(description="the version on disk; empty: it does not load, or is gone")
    differs: bool = Field(description="a version is in force, and the file on disk says something else")
    problems: list[str] = Field(description="why the file on disk does not load")
    versions: list[Kept]
    activations: list[Put]


class Texts(Answer):
    """A version, complete: all texts that it is made of."""

    name: str = Field(examples=["channels/generic/order"])
    version: str = Field(examples=["generic/order@3f2a9c1b"])
    sources: dict[str, str] = Field(description="path below the folder of mappings -> text")


class Row(Answer):
    """A row as it holds once overlays are laid on what they extend."""

    key: str = Field(examples=["order.state"])
    value: Any
    file: str = Field(examples=["mappings/channels/generic/order.toml"])
    line: int


class Resolved(Texts):
    """A version with its rows."""

    rows: list[Row]


class Draft(Body):
    """A version to be kept."""

    sources: dict[str, str] = Field(
        description="texts that change, by their path; the others stay as they are in `based_on`",
        examples=[{"channels/generic/order.toml": 'kind = "order"\n...'}],
    )
    based_on: Word = Field(description="the version that these texts were made from; 409 if another is in force now")
    why: str = Field("", max_length=2000)


class Try(Body):
    """Texts to be looked at."""

    sources: dict[str, str] = Field(
        description="as for a new version", examples=[{"channels/generic/order.toml": 'kind = "order"\n...'}]
    )


class Choice(Body):
    """Which version."""

    version: Word = Field("file", description=WANTED, examples=["file"])


class Going(Body):
    """How to put something in force."""

    why: str = Field(
        "", max_length=2000, description="kept in the audit log; `force` demands it", examples=["a new refund word"]
    )
    force: StrictBool = Field(False, description="though cases fail, or nobody has seen the diff")


class Activate(Going):
    """Which version to put in force."""

    version: Word = Field(description=WANTED, examples=["3f2a9c1b"])
    based_on: Word = Field("", description="409 if another version is in force now; empty: whichever is")


class Compare(Body):
    """What to compare, and on how much."""

    old: Word = Field("active", description=WANTED, examples=["active"])
    new: Word = Field("file", description=WANTED)
    last: int = Field(1000, ge=1, le=10_000, description="so many stored messages, the newest")


class Asked(Body):
    """A field of a record's document."""

    record: dict[str, Any] = Field(description="one record, as the platform sends it")
    field: Word = Field(examples=["lines[0].amount"])
    version: Word = Field("active", description=WANTED)


class Checked(Answer):
    """Whether texts make a mapping."""

    version: str = Field(description="empty: they do not", examples=["generic/order@9d04e7aa"])
    problems: list[str] = Field(description="each with file, line and what is wrong")


class Tested(Answer):
    """How the cases ended."""

    version: str = Field(examples=["generic/order@9d04e7aa"])
    passed: int
    failed: list[dict[str, Any]] = Field(description="each with its first differences and the rule behind them")


class InForce(Answer):
    """What is in force now."""

    in_force: str = Field(examples=["generic/order@3f2a9c1b"])
    was: str
    changed: bool = Field(description="false: it was in force already")
    forced: bool = False
