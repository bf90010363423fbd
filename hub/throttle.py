"""Token buckets that are budgets, kept in the store so that all processes share one."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bucket:
    """`tokens` left at the time `at` (epoch seconds)."""

    tokens: float
    at: float


def take(bucket: Bucket | None, rate: float | None, wanted: int, now: float) -> tuple[int, Bucket]:
    """How many of `wanted` may start now, and the bucket after. A bucket holds one second's worth, at least one."""
    if rate is None:
        return wanted, Bucket(0.0, now)
    size = max(rate, 1.0)
    tokens = size if bucket is None else min(size, bucket.tokens + max(0.0, now - bucket.at) * rate)
    granted = min(wanted, int(tokens + 1e-9))
    return granted, Bucket(tokens - granted, now)


def ready_in(bucket: Bucket, rate: float) -> float:
    """Seconds until one token is there."""
    return max(0.0, (1.0 - bucket.tokens) / rate)
