"""What the receiver counts, and how far the store is behind, in Prometheus' words."""

from __future__ import annotations

import time
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from analysis.sources.spool import Spool

_COMMIT = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Measures:
    """The counts of one receiver; none of them names a line, a person or an event."""

    def __init__(self, spool: Spool) -> None:
        self.registry = CollectorRegistry()
        own = self.registry
        self.received = Counter("linehealth_deliveries_received", "Requests at the webhook's path.", registry=own)
        self.verified = Counter(
            "linehealth_deliveries_verified", "Deliveries that the vendor signed, by scheme.", ["scheme"], registry=own
        )
        self.acknowledged = Counter(
            "linehealth_deliveries_acknowledged",
            "Answered 2xx: used, ignored (a kind not needed), quarantined (signed, but unusable), duplicate (acknowledged before).",
            ["outcome"],
            registry=own,
        )
        self.refused = Counter(
            "linehealth_deliveries_refused", "Answered 4xx or 5xx, by reason.", ["reason"], registry=own
        )
        self.commit = Histogram(
            "linehealth_commit_seconds", "Time of one append and sync.", buckets=_COMMIT, registry=own
        )
        for outcome in ("used", "ignored", "quarantined", "duplicate"):
            self.acknowledged.labels(outcome)
        own.register(_Behind(spool))

    def text(self) -> bytes:
        """Return all of them as Prometheus reads them."""
        return generate_latest(self.registry)


class _Behind(Collector):
    """Looks at the spool when asked: what is acknowledged and not in the store yet."""

    def __init__(self, spool: Spool) -> None:
        self.spool = spool

    def collect(self) -> Iterator[Metric]:
        """Yield the gauges."""
        state = behind(self.spool)
        for name, text in (
            ("store_lag_seconds", "Age of the oldest acknowledged delivery that is not in the store yet; 0: none."),
            ("spool_bytes", "Size of what is not in the store yet."),
            ("spool_segments", "Files of it."),
            ("last_fold_timestamp_seconds", "When facts last went into the store; 0: not yet."),
            ("last_refresh_timestamp_seconds", "When signals and reasons were last worked out anew; 0: not yet."),
        ):
            yield GaugeMetricFamily(f"linehealth_{name}", text, value=state[name])


def behind(spool: Spool) -> dict[str, float]:
    """Return how far the store is behind the spool."""
    segments, size, oldest = spool.waiting()
    told = spool.told()
    return {
        "store_lag_seconds": 0.0 if oldest is None else max(0.0, time.time() - oldest / 1000),
        "spool_bytes": float(size),
        "spool_segments": float(segments),
        "last_fold_timestamp_seconds": told.get("folded_at", 0) / 1000,
        "last_refresh_timestamp_seconds": told.get("refreshed_at", 0) / 1000,
    }
