"""Retry decisions: one table, and what must hold for all inputs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canonical.errors import HubError, InDoubt, InternalError, NotAuthorised, Refused, Unavailable
from hub.config import Retry
from hub.retry import AskAt, GiveUp, Pause, RetryAt, decide, waiting

POLICY = Retry(first=2, factor=2, most=60, give_up_after=3600, jitter=0)


@pytest.mark.parametrize(
    ("error", "attempt", "age", "decision"),
    [
        (Refused("no"), 1, 0, GiveUp("refused")),
        (Unavailable("down"), 1, 0, RetryAt(1002)),
        (Unavailable("down"), 3, 0, RetryAt(1008)),
        (Unavailable("down"), 30, 0, RetryAt(1060)),
        (Unavailable("down"), 30, 3600, GiveUp("expired")),
        (Unavailable("down", retry_after=300), 1, 0, RetryAt(1300)),
        (Unavailable("down", retry_after=1), 3, 0, RetryAt(1008)),
        (Unavailable("slow down", retry_after=1, throttled=True), 3, 0, RetryAt(1001)),
        (InDoubt("cut"), 1, 0, AskAt(1002)),
        (InDoubt("cut"), 9, 3600, GiveUp("expired")),
        (NotAuthorised("bad key"), 1, 0, RetryAt(1002)),
        (NotAuthorised("bad key"), 2, 0, Pause()),
        (InternalError("ours"), 1, 0, RetryAt(1002)),
        (InternalError("ours"), 3, 0, GiveUp("internal")),
    ],
)
def test_what_follows_a_failed_attempt(error: HubError, attempt: int, age: float, decision: object) -> None:
    assert decide(POLICY, attempt, 1000 - age, error, 1000) == decision


@given(attempt=st.integers(1, 500), jitter=st.floats(0, 1), factor=st.floats(1, 10))
def test_a_wait_is_never_negative_and_never_beyond_the_cap(attempt: int, jitter: float, factor: float) -> None:
    policy = Retry(first=1, factor=factor, most=60, jitter=jitter)
    assert 0 <= waiting(policy, attempt) <= 60 * (1 + jitter)


@given(
    error=st.sampled_from(
        [Unavailable("x"), Unavailable("x", retry_after=5), InDoubt("x"), Unavailable("x", throttled=True)]
    ),
    attempt=st.integers(1, 1000),
    age=st.floats(0, 10_000),
)
def test_what_is_retryable_gets_a_date_in_the_future_or_an_end(error: HubError, attempt: int, age: float) -> None:
    decision = decide(POLICY, attempt, 20_000 - age, error, 20_000)
    if isinstance(decision, RetryAt | AskAt):
        assert decision.at >= 20_000
        assert decision.at - (20_000 - age) < POLICY.give_up_after
    else:
        assert decision == GiveUp("expired")
        assert age + POLICY.most * (1 + POLICY.jitter) >= POLICY.give_up_after
