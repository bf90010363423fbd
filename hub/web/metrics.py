"""/metrics for Prometheus, from the store alone: several processes on one PostgreSQL tell the same numbers.

Counters only ever grow; they are kept in the store's counters table. Gauges are asked for at each scrape, over what
has not ended.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from hub import breaker
from hub.delivering import LATENCY_BUCKETS
from hub.store import Connection, gauges, state, views

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_COUNTERS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "accepted": ("hub_messages_accepted", "Messages on disk, repeated ones included", ("channel", "kind", "via")),
    "translated": ("hub_messages_translated", "Messages that became documents", ("channel", "kind")),
    "ignored": ("hub_messages_ignored", "Messages ignored by a named rule", ("channel", "why")),
    "delivered": ("hub_deliveries_delivered", "Documents that a destination has", ("channel", "destination")),
    "dead": ("hub_dead_letters", "Dead letters written, repeated deaths included", ("channel", "destination", "cause")),
    "attempts": ("hub_attempts", "Attempts at delivering", ("destination", "outcome")),
    "rejected": ("hub_rejected", "Requests whose sender could not be proven", ("shop", "code")),
    "drift": (
        "hub_drift_findings",
        "What platforms began to send that no mapping knows",
        ("channel", "shop", "what"),
    ),
    "pulled": ("hub_pulled_records", "Records in pages that platforms answered", ("shop", "kind")),
}
"""Counter in the store -> metric, its help, its labels."""
_STATES = (breaker.CLOSED, breaker.OPEN, breaker.HALF_OPEN)


def render(connection: Connection, destinations: Sequence[str], now: float) -> bytes:
    """The text of one scrape. `destinations` are those of hub.toml, `now` is epoch seconds."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Scrape(connection, destinations, now))
    return generate_latest(registry)


class _Scrape(Collector):
    """Everything that the store knows, at one moment."""

    def __init__(self, connection: Connection, destinations: Sequence[str], now: float) -> None:
        self._connection, self._destinations, self._now = connection, destinations, now

    def describe(self) -> Iterable[Metric]:
        """Nothing in advance."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Every metric."""
        counted = views.all_counters(self._connection)
        yield from _counters(counted)
        yield _latency(counted)
        yield from self._waiting()
        yield from self._circuits()
        yield from self._pulls()

    def _waiting(self) -> Iterator[Metric]:
        labels = ("state", "destination", "channel")
        waiting = GaugeMetricFamily("hub_waiting", "What waits, by state", labels=labels)
        oldest = GaugeMetricFamily("hub_oldest_seconds", "Age of the oldest in each waiting state", labels=labels)
        letters = GaugeMetricFamily(
            "hub_open_letters", "Dead letters that wait for a person", labels=("channel", "destination", "cause")
        )
        for row in gauges.waiting_messages(self._connection):
            self._add(waiting, oldest, row, (row["state"], "", row["channel"]))
        for row in gauges.waiting_deliveries(self._connection):
            self._add(waiting, oldest, row, (row["state"], row["destination"], ""))
        dead: dict[tuple[str, ...], dict[str, Any]] = {}
        for row in gauges.open_letters(self._connection):
            letters.add_metric((row["channel"], row["destination"], row["cause"]), row["n"])
            place = ("dead", row["destination"], "" if row["destination"] else row["channel"])
            known = dead.setdefault(place, {"n": 0, "oldest": row["oldest"]})
            known["n"] += row["n"]
            known["oldest"] = min(known["oldest"], row["oldest"])
        for where, total in dead.items():
            self._add(waiting, oldest, total, where)
        yield from (waiting, oldest, letters)

    def _add(self, count: GaugeMetricFamily, age: GaugeMetricFamily, row: Any, labels: Sequence[str]) -> None:
        count.add_metric(labels, row["n"])
        age.add_metric(labels, max(self._now - row["oldest"], 0.0))

    def _circuits(self) -> Iterator[Metric]:
        circuits = GaugeMetricFamily("hub_breaker_state", "1 for the state it is in", labels=("destination", "state"))
        paused = GaugeMetricFamily("hub_paused", "1 while nothing is sent there", labels=("destination",))
        for name in self._destinations:
            row = state.look_at(self._connection, name)
            circuit = breaker.overall(state.circuits_of(row)) if row else breaker.Circuit()
            for what in _STATES:
                circuits.add_metric((name, what), float((circuit.forced or circuit.state) == what))
            paused.add_metric((name,), float(bool(row and row["paused"])))
        yield from (circuits, paused)

    def _pulls(self) -> Iterator[Metric]:
        labels = ("shop", "kind")
        behind = GaugeMetricFamily("hub_pull_behind_seconds", "Time since all changes were last seen", labels=labels)
        failures = GaugeMetricFamily("hub_pull_failures", "Failures in a row", labels=labels)
        paused = GaugeMetricFamily("hub_pull_paused", "1 while a person is needed", labels=labels)
        for row in views.pull_states(self._connection):
            place = (row["shop"], row["kind"])
            if row["reached"] is not None:
                behind.add_metric(place, max(self._now - row["reached"], 0.0))
            failures.add_metric(place, row["failures"])
            paused.add_metric(place, float(bool(row["paused"])))
        yield from (behind, failures, paused)


def _counters(counted: Sequence[tuple[str, list[str], float]]) -> Iterator[Metric]:
    for name, (metric, told, labels) in _COUNTERS.items():
        family = CounterMetricFamily(metric, told, labels=labels)
        for found, values, value in counted:
            if found == name and len(values) == len(labels):
                family.add_metric(values, value)
        yield family


def _latency(counted: Sequence[tuple[str, list[str], float]]) -> Metric:
    family = HistogramMetricFamily(
        "hub_delivery_latency_seconds", "From accepted to delivered", labels=("destination",)
    )
    sums = {values[0]: value for name, values, value in counted if name == "latency_sum"}
    edges = [*(str(b) for b in LATENCY_BUCKETS), "+Inf"]
    told = [*(str(float(b)) for b in LATENCY_BUCKETS), "+Inf"]
    for destination, total in sorted(sums.items()):
        found = {v[1]: n for name, v, n in counted if name == "latency" and v[0] == destination}
        buckets = list(zip(told, accumulate(found.get(e, 0.0) for e in edges), strict=True))
        family.add_metric((destination,), buckets, total)
    return family
