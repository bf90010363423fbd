"""When to try again. Waiting times are tenacity strategies built from hub.toml; the decision is a value."""

from dataclasses import dataclass

from tenacity import RetryCallState, stop_after_delay, wait_exponential, wait_random

from canonical.errors import HubError, InDoubt, InternalError, NotAuthorised, Unavailable
from hub.config import Retry

UNKNOWN_ERROR_ATTEMPTS = 3
"""How often an error that the hub itself made is tried before it becomes a dead letter."""


@dataclass(frozen=True, slots=True)
class RetryAt:
    """Try again at this time (epoch seconds)."""

    at: float


@dataclass(frozen=True, slots=True)
class AskAt:
    """The outcome is in doubt: settle it at this time, before anything is sent again."""

    at: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """It becomes a dead letter; `why` is one of refused, expired, internal."""

    why: str


@dataclass(frozen=True, slots=True)
class Pause:
    """The credentials are at fault: the whole destination pauses, with one ticket; the delivery waits."""


Decision = RetryAt | AskAt | GiveUp | Pause


def decide(policy: Retry, attempt: int, first_at: float, error: HubError, now: float) -> Decision:
    """What follows a failed attempt. `attempt` counts from 1; times are epoch seconds. Pure but for jitter."""
    if isinstance(error, NotAuthorised):
        return RetryAt(now + policy.first) if attempt <= 1 else Pause()
    if isinstance(error, InternalError):
        return GiveUp("internal") if attempt >= UNKNOWN_ERROR_ATTEMPTS else RetryAt(now + waiting(policy, attempt))
    if not error.retryable:
        return GiveUp("refused")
    wait = waiting(policy, attempt)
    if isinstance(error, Unavailable) and error.retry_after is not None:
        wait = max(error.retry_after, 0.0) if error.throttled else max(error.retry_after, wait)
    state = _state(attempt, first_at, now + wait)
    if stop_after_delay(policy.give_up_after)(state):
        return GiveUp("expired")
    return AskAt(now + wait) if isinstance(error, InDoubt) else RetryAt(now + wait)


def waiting(policy: Retry, attempt: int) -> float:
    """Seconds to wait after that many attempts: exponential, capped, with a random share on top."""
    exponential = wait_exponential(multiplier=policy.first, exp_base=policy.factor, max=policy.most)
    seconds = float(exponential(_state(attempt, 0.0, 0.0)))
    return seconds + float(wait_random(0, policy.jitter * seconds)(_state(attempt, 0.0, 0.0)))


def _state(attempt: int, started: float, ended: float) -> RetryCallState:
    state = RetryCallState(retry_object=None, fn=None, args=(), kwargs={})  # type: ignore[arg-type]
    state.attempt_number = attempt
    state.start_time = started
    state.outcome_timestamp = ended
    return state
