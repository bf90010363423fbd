"""What the API answers about what platforms send, and about versions in the shadow."""

from typing import Any, Literal

from pydantic import Field

from hub.web.models import Answer, Time


class Finding(Answer):
    """Something that a platform sends and no mapping knows."""

    id: int
    shop: str = Field(examples=["site"])
    channel: str = Field(examples=["generic"])
    kind: str = Field(examples=["order"])
    what: Literal["new_field", "new_word", "vanished", "new_type"]
    path: str = Field(description="where in the record, as JMESPath writes it", examples=["items[].gift_wrap"])
    detail: str = Field(description="the word, or the types", examples=["text -> number"])
    count: int = Field(description="messages that it was seen in, of those looked at")
    first_at: Time
    last_at: Time
    message_id: int | None = Field(description="the newest message that it was seen in")
    sample: str = Field(description="a value, masked", examples=['"red"'])
    rules: list[str] = Field(description="rows of the mappings in force that read it", examples=[["order.state"]])
    closed_at: Time
    closed_by: str = Field(description="who closed it; hub: a mapping knows it by now, or it is as it was")


class Findings(Answer):
    """Findings, the newest first."""

    items: list[Finding]


class Shadow(Answer):
    """A version of a mapping on live traffic, beside the one in force."""

    id: int
    name: str = Field(examples=["channels/generic/order"])
    version: str = Field(examples=["generic/order@3f2a9c1b"])
    actor: str
    started_at: Time
    until: Time
    ended_at: Time
    report: dict[str, Any] | None = Field(description="counts, and masked samples of each field and problem")


class Shadows(Answer):
    """Shadows, the newest first."""

    items: list[Shadow]
