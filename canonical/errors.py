"""What can go wrong with a message, and the one question each error answers: will trying again help?

    HubError                     code, retryable, hint, evidence
    |-- WireError                the bytes themselves
    |   |-- SignatureRejected    the sender could not be proven
    |   |-- NotUnderstood        signed, but not what the platform documents
    |   `-- Refusal              an answer of a remote system
    |       |-- Refused          permanent: the document is at fault
    |       |-- NotAuthorised    credentials are at fault; stop and tell a person
    |       `-- Unavailable      an outage or a limit; retryable, may carry retry_after
    |-- InDoubt                  sent, answer lost: ask before sending again
    |-- MappingFailed            a mapping could not translate the record
    |-- CheckFailed              translated, but the document contradicts itself
    |-- Unroutable               no destination can take the document
    `-- InternalError            our own mistake, kept with the message

ConfigError stands apart: a misconfiguration is never a message's fault.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar


class HubError(Exception):
    """Something went wrong with one message."""

    code: ClassVar[str] = "hub.error"
    retryable: ClassVar[bool] = False
    hint: str = ""

    def __init__(
        self, message: str = "", *, code: str = "", hint: str = "", evidence: Mapping[str, Any] | None = None
    ) -> None:
        self.message = message or (self.__doc__ or "").strip()
        super().__init__(self.message)
        if code:
            self.code = code  # type: ignore[misc]  # one answer may be named more exactly than its class
        if hint:
            self.hint = hint
        self.evidence: dict[str, Any] = dict(evidence or {})


class WireError(HubError):
    """The bytes on the wire are not what was agreed."""

    code = "wire.error"


class SignatureRejected(WireError):
    """The signature does not match, is missing, or its time lies outside the accepted window."""

    code = "wire.signature"
    hint = "Check the shop's secret in hub.toml against the platform's console, and the clock of this machine."


class NotUnderstood(WireError):
    """The message is signed, but its shape is not one that the platform documents."""

    code = "wire.not_understood"
    hint = "Look at the raw body (hub dlq show ID). If the platform changed its format, update the adapter or mapping."


class Refusal(WireError):
    """A remote system answered, and the answer was not yes."""

    code = "wire.refusal"


class Refused(Refusal):
    """The remote system refuses this document for good; sending it again unchanged cannot help."""

    code = "delivery.refused"
    hint = "Read the destination's own words in the evidence, mend the data or the mapping, then replay."


class NotAuthorised(Refusal):
    """The remote system does not accept our credentials."""

    code = "delivery.not_authorised"
    hint = "Renew the credentials in hub.toml, then run `hub destinations resume NAME` or `hub pull SHOP`."


class Unavailable(Refusal):
    """The remote system cannot take this now: an outage or a limit. `retry_after` is in seconds."""

    code = "delivery.unavailable"
    retryable = True
    hint = "Nothing to do: the hub tries again by itself."

    def __init__(
        self,
        message: str = "",
        *,
        retry_after: float | None = None,
        throttled: bool = False,
        code: str = "",
        hint: str = "",
        evidence: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message, code=code, hint=hint, evidence=evidence)
        self.retry_after = retry_after
        self.throttled = throttled


class InDoubt(HubError):
    """The request was sent and its answer was lost; it may have taken effect."""

    code = "delivery.in_doubt"
    retryable = True
    hint = "The hub asks the destination before it sends again; without look_up it follows the in_doubt policy."


class MappingFailed(HubError):
    """A mapping could not translate the record; its problems say where."""

    code = "mapping.failed"
    hint = "Open the problems, mend the mapping or its table, run `hub mapping test`, then replay the group."


class CheckFailed(HubError):
    """The document was translated, but contradicts itself."""

    code = "check.failed"
    hint = (
        "Compare the figures with the platform's console; mend the mapping, or replay once the platform corrected it."
    )


class Unroutable(HubError):
    """No configured destination accepts this document."""

    code = "routing.none"
    hint = "Add a [[routes]] entry for this kind in hub.toml, then replay."


class InternalError(HubError):
    """The hub itself failed on this message; the message is kept."""

    code = "hub.internal"
    hint = "This is a defect of the hub. Keep the letter, report its evidence, replay after the update."


class ConfigError(Exception):
    """hub.toml, a mapping or the environment is wrong. `problems` lists everything at once, one line each."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(self.problems))
