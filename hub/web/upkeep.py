"""What the API answers about running the hub: destinations, pulls, books, tokens, mappings."""

from typing import Any, Literal

from pydantic import Field

from hub.web.models import Answer, Found, Role, Time


class Destination(Answer):
    """A destination's health."""

    name: str = Field(examples=["erp"])
    kind: str = Field(description="its adapter", examples=["http"])
    breaker: Literal["closed", "open", "half_open"] = Field(description="the worst of its operations")
    forced: bool = Field(description="a person forced the breaker")
    operations: dict[str, str] = Field(description="breakers by kind of document", examples=[{"refund": "open"}])
    paused: str = Field(description="why it is paused; empty: it is not")
    counts: dict[str, int] = Field(description="deliveries by state", examples=[{"delivered": 812, "waiting": 3}])
    oldest_waiting: Time = Field(description="when the oldest delivery that is not through was accepted")


class Destinations(Answer):
    """Every destination of hub.toml."""

    items: list[Destination]


class PullRow(Answer):
    """Where a shop's pull of one kind stands."""

    shop: str
    kind: str
    reached: Time = Field(description="everything modified before this has been seen")
    window_start: Time
    window_end: Time
    due_at: Time
    failures: int
    error: str
    paused: str = Field(description="why it is paused; empty: it is not")
    pages: int
    records: int
    repeats: int = Field(description="records that the hub had already")
    updated_at: Time


class Pulls(Answer):
    """Pulls of all shops."""

    items: list[PullRow]


class Balance(Answer):
    """The books of one channel and destination: accepted = delivered + waiting + held + ignored + dead."""

    channel: str = Field(examples=["generic"])
    destination: str = Field(examples=["erp"])
    accepted: int
    delivered: int
    waiting: int
    held: int
    ignored: int
    dead: int
    holds: bool = Field(description="whether the books balance")


class Balances(Answer):
    """The books of all channels and destinations."""

    items: list[Balance]


class Act(Answer):
    """One entry of the audit log."""

    id: int
    at: Time
    actor: str
    act: str = Field(examples=["letter.replayed"])
    subject: str
    detail: str
    hash: str = Field(description="SHA-256 over this entry and the hash of the one before")


ItemChoice = Literal["", "waiting", "going", "went_through", "died_again", "skipped"]


class Replay(Answer):
    """A replay: a frozen list of letters, and how far it is."""

    id: int = Field(examples=[3])
    state: Literal["planned", "running", "paused", "done", "cancelled"]
    reason: str = Field(description="why it is paused")
    filter: dict[str, Any] = Field(description="as it was asked for")
    step: str = Field(description="where letters go on; empty: where each one stuck")
    mapping_version: str
    rate: float | None = Field(description="letters a second")
    ramp: list[int]
    stage: int = Field(description="which per cent of the ramp it is at, from 0")
    stop_at: float
    total: int
    counts: dict[str, int] = Field(description="letters by what became of them", examples=[{"went_through": 12}])
    plan: dict[str, Any] = Field(description="letters by step, destination, shop and cause; money; in doubt")
    created_at: Time
    created_by: str
    started_at: Time
    ended_at: Time
    updated_at: Time


class ReplayItem(Answer):
    """What became of one letter."""

    letter_id: int = Field(examples=[17])
    state: str = Field(examples=["went_through"])
    why: str
    subject: str = Field(description="the order")
    shop: str
    destination: str
    cause: str
    taken_at: Time
    done_at: Time


class ReplayItems(Answer):
    """A page of a replay's letters."""

    items: list[ReplayItem]
    next: int | None = Field(None, description="give it as `after`")


class Chain(Answer):
    """What reading the whole audit log showed."""

    whole: bool = Field(examples=[True])
    entries: int = Field(examples=[412])
    head: str = Field(description="hash of the newest entry that fits; note it elsewhere to notice a cut-off end")
    broken: int | None = Field(description="id of the first entry that does not fit")
    why: str
    missing: str = Field(description="the head that was asked for and is not in the chain")


class Rejected(Answer):
    """A request whose sender could not be proven: enough to find the cause, nothing of its body."""

    id: int
    shop: str
    at: Time
    code: str = Field(examples=["wire.signature"])
    why: str
    size: int = Field(description="bytes of the body")
    digest: str = Field(description="SHA-256 of the body")
    sender: str = Field(description="address that it came from")


class Token(Answer):
    """An API token, without its secret."""

    id: int
    name: str
    role: Role
    created_at: Time
    revoked_at: Time


class Tokens(Answer):
    """Every API token."""

    items: list[Token]


class NewToken(Answer):
    """A token that was just made. It is shown this once."""

    name: str
    role: Role
    token: str = Field(examples=["hub_3q2-7w..."])


class Mapping(Answer):
    """A mapping in force."""

    name: str = Field(examples=["channels/generic/order"])
    kind: str = Field(examples=["order"])
    version: str = Field(examples=["generic/order@3f2a9c1b"])
    file: str = Field(examples=["mappings/channels/generic/order.toml"])


class Mappings(Answer):
    """Every mapping in force."""

    items: list[Mapping]


class TriedRecord(Answer):
    """A record that would be fetched, or ignored."""

    kind: str
    key: str
    why: str = ""


class TriedProblem(Found):
    """A finding with the record that it is about."""

    kind: str
    key: str


class Tried(Answer):
    """What a platform's answer or push would become."""

    documents: list[dict[str, Any]] = Field(description="canonical documents", examples=[[{"schema": "order/1"}]])
    problems: list[TriedProblem]
    hints: list[TriedRecord] = Field(description="thin events: the hub would fetch the record")
    ignored: list[TriedRecord] = Field(default_factory=list)
