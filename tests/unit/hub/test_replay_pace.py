"""A replay without a rate takes what the process has idle."""

from collections.abc import Iterator

from hub.replaying import WINDOW, Pace


def used(part: float) -> Iterator[tuple[float, float]]:
    """A process that uses this part of a processor: (its time, time) at each look, a second apart."""
    second = 0
    while True:
        yield part * second, float(second)
        second += 1


def test_an_idle_process_takes_more_and_more_up_to_the_window() -> None:
    clock = used(0.1)
    pace = Pace(lambda: next(clock))
    taken = [pace.next() for _ in range(500)]
    assert taken[0] == 1
    assert taken == sorted(taken)
    assert taken[-1] == WINDOW


def test_a_busy_one_slows_down_and_never_stops() -> None:
    idle, busy = used(0.1), used(0.9)
    looks = iter([next(idle) for _ in range(40)])
    pace = Pace(lambda: next(looks, None) or next(busy))
    high = max(pace.next() for _ in range(39))
    assert high > 10
    for _ in range(3):
        next(busy)
    assert [pace.next() for _ in range(100)][-1] == 1
