"""The circuit breaker and the token bucket as values."""

from hypothesis import given
from hypothesis import strategies as st

from hub import breaker, throttle
from hub.breaker import CLOSED, HALF_OPEN, OPEN, Circuit
from hub.config import Breaker

POLICY = Breaker(failures=0.5, over=60, at_least=10, open_for=30)


def test_it_opens_at_the_share_and_not_before_enough_calls() -> None:
    few = breaker.observe(Circuit(), POLICY, 0, 9, 1000)
    assert few.state == CLOSED
    assert breaker.observe(few, POLICY, 0, 1, 1001).state == OPEN
    mostly_good = breaker.observe(Circuit(), POLICY, 11, 10, 1000)
    assert mostly_good.state == CLOSED


def test_outages_outside_the_window_are_forgotten() -> None:
    old = breaker.observe(Circuit(), POLICY, 0, 9, 1000)
    assert breaker.observe(old, POLICY, 1, 1, 1070).state == CLOSED


def test_open_waits_then_lets_one_probe_through() -> None:
    circuit = breaker.observe(Circuit(), POLICY, 0, 10, 1000)
    assert breaker.allows(circuit, 1029) == 0
    assert breaker.allows(circuit, 1030) == 1
    probing = breaker.probing(circuit, 1030, timeout=10)
    assert probing.state == HALF_OPEN
    assert breaker.allows(probing, 1035) == 0
    assert breaker.observe(probing, POLICY, 1, 0, 1036).state == CLOSED
    again = breaker.observe(probing, POLICY, 0, 1, 1036)
    assert (again.state, again.until) == (OPEN, 1066)


def test_after_a_probe_that_asked_nothing_the_next_one_need_not_wait() -> None:
    probing = breaker.probing(Circuit(OPEN, 1000), 1000, timeout=10)
    assert breaker.allows(breaker.probed_nothing(probing, 1000.5), 1000.5) == 1
    waiting = Circuit(OPEN, 1030)
    assert breaker.probed_nothing(waiting, 1001) == waiting


def test_a_probe_that_never_came_back_is_tried_again() -> None:
    probing = breaker.probing(Circuit(OPEN, 1000), 1000, timeout=10)
    assert breaker.allows(probing, 1012) == 1


def test_a_forced_state_holds_whatever_happens() -> None:
    forced = Circuit(forced=OPEN)
    assert breaker.allows(forced, 9e9) == 0
    assert breaker.observe(forced, POLICY, 100, 0, 1000) is forced
    assert breaker.allows(Circuit(forced=CLOSED), 0) is None


@given(rate=st.floats(0.1, 1000), asks=st.lists(st.tuples(st.integers(0, 50), st.floats(0, 5)), max_size=30))
def test_a_bucket_never_grants_more_than_its_rate_allows(rate: float, asks: list[tuple[int, float]]) -> None:
    bucket: throttle.Bucket | None = None
    now = granted = 0.0
    for wanted, pause in asks:
        now += pause
        given_, bucket = throttle.take(bucket, rate, wanted, now)
        assert 0 <= given_ <= wanted
        granted += given_
    assert granted <= max(rate, 1) + rate * now + 1e-6


def test_without_a_limit_everything_is_granted() -> None:
    assert throttle.take(None, None, 7, 0)[0] == 7


def test_the_wait_for_a_token_is_told() -> None:
    _, bucket = throttle.take(None, 2.0, 5, 100.0)
    assert throttle.ready_in(bucket, 2.0) == 0.5
