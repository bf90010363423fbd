"""What the API answers. Times are ISO 8601 in UTC; null means that it has not happened."""

from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from hub import desk

T = TypeVar("T")


def _told(stamp: Any) -> Any:
    return desk.instant(stamp) if isinstance(stamp, int | float) and stamp else stamp or None


Time = Annotated[
    str | None,
    BeforeValidator(_told),
    Field(json_schema_extra={"format": "date-time"}, examples=["2026-11-11T08:00:00.000Z"]),
]
Kind = Literal["order", "refund", "shipment", "stock", "invoice"]
DeliveryState = Literal["waiting", "held", "sending", "in_doubt", "delivered", "dead", "superseded", "discarded"]
LetterState = Literal["open", "replaying", "resolved", "superseded", "discarded"]
LetterChoice = Literal["open", "replaying", "resolved", "superseded", "discarded", "all"]
Role = Literal["viewer", "support", "operator", "admin"]


class Answer(BaseModel):
    """Built from a row of the store; columns that are nobody's business are left out."""

    model_config = ConfigDict(extra="ignore", from_attributes=False)


class Page(Answer, Generic[T]):
    """One page, newest first. `next` is the cursor for `after`, or null at the end."""

    items: list[T]
    next: str | None = Field(None, description="give it as `after` to get the next page", examples=["1041"])


class DocumentRow(Answer):
    """A canonical document without its content: no personal data."""

    id: int
    tenant: str
    kind: str = Field(examples=["order"])
    shop: str = Field(examples=["site"])
    channel: str = Field(examples=["generic"])
    number: str = Field(description="the platform's number", examples=["4100000000000000123"])
    display_no: str = Field(description="the number that people see, where the platform has another one")
    subject: str = Field(description="the order that it belongs to", examples=["4100000000000000123"])
    state: str = Field(examples=["open"])
    version: int = Field(description="1, 2, 3 ... as taken by the hub")
    revision: str = Field(description="when the platform last changed it", examples=["2026-11-11T08:00:00.000000Z"])
    routed: Annotated[
        list[str], BeforeValidator(lambda v: [n for n in v.split(",") if n] if isinstance(v, str) else v)
    ] = Field(description="destinations that got it", examples=[["erp", "wms"]])
    review: bool = Field(description="it went on with an assumed answer: a person should look at it")
    mapping_version: str = Field(examples=["generic/order@3f2a9c1b"])
    message_id: int = Field(description="the message that it was made from")
    created_at: Time
    updated_at: Time


class Document(DocumentRow):
    """A canonical document. For viewers *** stands for every personal value."""

    body: dict[str, Any] = Field(
        description="the canonical document", examples=[{"schema": "order/1", "state": "open"}]
    )


class Documents(Answer):
    """Every document of one number: two shops may use the same."""

    items: list[Document]


class Attempt(Answer):
    """One try at delivering."""

    number: int
    at: Time
    seconds: float
    outcome: str = Field(examples=["delivered"])
    status: int | None = Field(description="HTTP status of the answer, where there was one", examples=[200])
    error: str
    answer: str = Field(description="what the destination said, shortened and masked; hidden from viewers")
    next_at: Time


class DeliveryRow(Answer):
    """A delivery without its document: no personal data."""

    id: int
    tenant: str
    destination: str = Field(examples=["erp"])
    kind: str = Field(examples=["order"])
    shop: str = Field(examples=["site"])
    channel: str = Field(examples=["generic"])
    key: str = Field(description="the document's number")
    subject: str = Field(description="the order that it belongs to")
    sequence: int = Field(description="the document's version; deliveries of one order go out in this order")
    revision: str
    document_id: int
    message_id: int
    idempotency_key: str = Field(description="the same on every attempt")
    state: str = Field(examples=["waiting"])
    held_by: str = Field(description='"lane": an earlier one of this order; else the destination that holds the order')
    due_at: Time
    attempts: int
    first_at: Time
    done_at: Time
    reference: str = Field(description="the destination's own number")
    error: str = Field(description="code of the last error", examples=["delivery.unavailable"])
    mapping_version: str
    accepted_at: Time
    created_at: Time


class Delivery(DeliveryRow):
    """A delivery with its attempts and its document as it was then."""

    error: str = Field(description="the last error in full", examples=["delivery.refused: unknown SKU"])
    document: dict[str, Any] = Field(description="the canonical document; masked for viewers")
    attempted: list[Attempt]


class TracedDelivery(DeliveryRow):
    """A delivery in an order's story."""

    error: str
    attempted: list[Attempt]
    waits_for: int | None = Field(description="the delivery that this one waits behind")


class Message(Answer):
    """How something arrived, and what became of it."""

    id: int
    tenant: str
    shop: str
    channel: str
    kind: str
    key: str
    subject: str
    revision: str
    via: str = Field(description="push, pull or file", examples=["push"])
    state: str = Field(examples=["translated"])
    reason: str = Field(description="why it was ignored, or is dead", examples=["duplicate"])
    same_as: int | None = Field(description="the message that holds the same content")
    document_id: int | None
    mapping_version: str
    received_at: Time
    due_at: Time
    attempts: int
    done_at: Time


class LetterRow(Answer):
    """A dead letter without its evidence."""

    id: int
    tenant: str
    step: str = Field(description="where it stuck: unpack, fetch, map, check, route or send", examples=["map"])
    cause: str = Field(examples=["mapping.unknown_word"])
    title: str = Field(examples=["generic/order: order.state: found 'TELEPORTED', expected a word of the table state"])
    hint: str = Field(description="what to do")
    fingerprint: str = Field(description="its group: letters with one cause", examples=["9c0f1b7a3d5e2468"])
    shop: str
    channel: str
    destination: str
    kind: str
    key: str
    subject: str
    revision: str
    message_id: int | None
    delivery_id: int | None
    mapping_version: str
    state: str = Field(examples=["open"])
    owner: str
    died: int = Field(description="how often it died, replays included")
    created_at: Time
    updated_at: Time
    closed_at: Time
    closed_by: str
    closed_why: str


class Found(Answer):
    """One finding: which rule, which path, what was found, what was expected, what to do."""

    code: str
    rule: str = ""
    path: str = ""
    found: str = ""
    expected: str = ""
    hint: str = ""


class Note(Answer):
    """What a person found out."""

    at: Time
    by: str
    text: str


class TracedLetter(LetterRow):
    """A dead letter in an order's story."""

    problems: list[Found]
    evidence: dict[str, Any] = Field(description="what else is known; hidden from viewers")


class Edit(Answer):
    """What a person changed of a letter's content, against the original."""

    edition: int
    at: Time
    actor: str
    why: str
    changes: list[tuple[str, Any, Any]] = Field(description="path, before, after; values are hidden from viewers")


class Letter(TracedLetter):
    """A dead letter with all that a person needs to mend it."""

    notes: list[Note]
    received_at: Time = None
    via: str = ""
    undecoded: bool = Field(False, description="signed, but not understood: not even split into records")
    raw: str | None = Field(None, description="the message as it came; not for viewers")
    document: dict[str, Any] | None = Field(None, description="what was to be delivered; masked for viewers")
    attempted: list[Attempt] = Field(default_factory=list)
    edition: int = Field(0, description="how often a person changed its content")
    edits: list[Edit] = Field(default_factory=list)


class Content(Answer):
    """What a dead letter carries."""

    edition: int = Field(examples=[0])
    original: Any = Field(description="as it came")
    content: Any = Field(description="as it will go on")


class Trace(Answer):
    """One order's whole story."""

    order: str
    messages: list[Message]
    documents: list[Document]
    deliveries: list[TracedDelivery]
    dead_letters: list[TracedLetter]


class Group(Answer):
    """Open letters with one cause: mend it once, replay them all."""

    fingerprint: str = Field(examples=["9c0f1b7a3d5e2468"])
    state: Literal["open", "acknowledged", "assigned", "resolved", "ignored"]
    count: int = Field(description="letters that are open, or on their way again")
    total: int = Field(description="deaths since the beginning")
    money: dict[str, str] = Field(description="at stake, by currency", examples=[{"CNY": "1204.50"}])
    trend: list[int] = Field(description="deaths per hour that had any, of the last day", examples=[[1, 4, 9]])
    title: str
    hint: str
    cause: str = Field(examples=["mapping.unknown_word"])
    step: str
    channel: str
    destination: str
    owner: str
    sample: int = Field(description="the newest letter of the group")
    first_at: Time
    last_at: Time
    changed_at: Time
    changed_by: str


class GroupWithNotes(Group):
    """A group with what people found out about its cause."""

    notes: list[Note]


class Groups(Answer):
    """Causes, the most frequent first."""

    items: list[Group]
    next: str | None = Field(None, description="give it as `after` to get the next page", examples=["12-9c0f1b7a"])


class Replayed(Answer):
    """What a replay took up, or would."""

    dry_run: bool
    letters: list[int] = Field(description="their ids", examples=[[17, 18]])
    messages: int = Field(description="to be mapped again")
    deliveries: int = Field(description="to be sent again")
    skipped: int = Field(description="left out: no longer open")


class Changed(Answer):
    """How many letters were changed."""

    letters: int = Field(examples=[1])
