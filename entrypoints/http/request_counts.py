"""How many requests there were, and how long their answers took to make."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate

import attrs
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

_LABELS = ("endpoint", "method", "status")
_METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
_OTHER = "other"  # methods are the client's to invent
_BOUNDS = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1, 2.5, 10, float("inf")),
)
_BOUND_NAMES = [floatToGoString(bound) for bound in _BOUNDS]  # type: ignore[no-untyped-call]

_Series = tuple[str, str, int]


@attrs.define
class _Durations:
    """Those of one series: how many lie below each bound and above the one before."""

    counts: list[int] = attrs.field(factory=lambda: [0] * len(_BOUNDS))
    seconds: float = 0.0


class RequestCounts(Collector):
    """By path template, method and status.

    Written out, because the instruments of the client library take a lock for every number.
    Requests are counted on the event loop alone.
    """

    def __init__(self) -> None:
        self._series: dict[_Series, _Durations] = {}

    def count(self, endpoint: str, method: str, status: int, seconds: float) -> None:
        """Count a request that is about to be answered."""
        key = endpoint, method, status
        if (durations := self._series.get(key)) is None:
            durations = self._durations(endpoint, method, status)
        durations.counts[bisect_left(_BOUNDS, seconds)] += 1
        durations.seconds += seconds

    def _durations(self, endpoint: str, method: str, status: int) -> _Durations:
        known = method if method in _METHODS else _OTHER
        return self._series.setdefault((endpoint, known, status), _Durations())

    def collect(self) -> Iterator[Metric]:
        requests = CounterMetricFamily(
            "annals_http_requests", "Requests by path template, method and status.", labels=_LABELS
        )
        durations = HistogramMetricFamily(
            "annals_http_request_duration_seconds",
            "How long it took to make an answer, without sending it.",
            labels=_LABELS,
        )
        for (endpoint, method, status), taken in list(self._series.items()):
            labels = endpoint, method, str(status)
            buckets = _cumulative(taken.counts)
            requests.add_metric(labels, buckets[-1][1])
            durations.add_metric(labels, buckets, taken.seconds)
        yield requests
        yield durations


def _cumulative(counts: Sequence[int]) -> list[tuple[str, float]]:
    """How many lie below each bound, as Prometheus has them."""
    totals = accumulate(counts)
    return list(zip(_BOUND_NAMES, totals, strict=True))
