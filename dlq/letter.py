"""What a dead letter is: where a message stuck, why, and what a person needs to see."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Step(StrEnum):
    """Where a message stuck; a replay re-enters there."""

    UNPACK = "unpack"
    FETCH = "fetch"
    MAP = "map"
    CHECK = "check"
    ROUTE = "route"
    SEND = "send"


class State(StrEnum):
    """The life of a letter. All but OPEN and REPLAYING are ends."""

    OPEN = "open"
    REPLAYING = "replaying"
    RESOLVED = "resolved"  # a replay went through
    SUPERSEDED = "superseded"  # a newer revision of the same document went through
    DISCARDED = "discarded"  # a person decided that it shall not go on


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One message that could not go on. `problems` and `evidence` are JSON-ready and masked.

    `cause` is an error code (mapping.unknown_word, delivery.refused ...); `subject` the order that it is about.
    A letter of the steps up to `route` belongs to a message; one of `send` also to a delivery.
    """

    tenant: str
    step: Step
    cause: str
    title: str
    shop: str
    channel: str
    kind: str
    key: str
    subject: str
    revision: str = ""
    destination: str = ""
    message_id: int | None = None
    delivery_id: int | None = None
    fingerprint: str = ""
    problems: Sequence[dict[str, str]] = field(default_factory=tuple)
    evidence: dict[str, Any] = field(default_factory=dict)
    hint: str = ""
    mapping_version: str = ""
    currency: str = ""
    stake: int = 0  # what is at stake, in ten-thousandths of the currency's unit

    @property
    def about(self) -> str:
        """What it stands for: one delivery, one message, or a whole destination."""
        if self.delivery_id is not None:
            return f"delivery/{self.delivery_id}"
        return f"message/{self.message_id}" if self.message_id is not None else f"destination/{self.destination}"


def fingerprint(step: Step, cause: str, scope: str, *details: str) -> str:
    """What letters of one group share: same step, same cause, same place (channel or destination), same details.

    Details are what a person would mend once for all of them: the rule and the unknown word, never an order's number.
    """
    text = json.dumps([step, cause, scope, *details], ensure_ascii=False)
    return hashlib.blake2s(text.encode(), digest_size=8).hexdigest()
