"""What a process counts about itself: requests, how late its event loop is, its memory."""

from collections.abc import Awaitable, Callable
from time import perf_counter

import anyio
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)

# When each series began would be told as one more series.
disable_created_metrics()  # type: ignore[no-untyped-call]

_LABELS = ("endpoint", "method", "status")
_METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
_OTHER = "other"  # methods are the client's to invent
_REQUEST_SECONDS = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1, 2.5, 10),
)
_DELAY_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1)
_LOOK_SECONDS = 0.1


class Measures:
    """The metrics of one application: `collectors` is where they are collected."""

    def __init__(self) -> None:
        self.collectors = CollectorRegistry()
        ProcessCollector(registry=self.collectors)
        self._requests = Counter(
            "annals_http_requests",
            "Requests by path template, method and status.",
            _LABELS,
            registry=self.collectors,
        )
        self._durations = Histogram(
            "annals_http_request_duration_seconds",
            "How long it took to make an answer, without sending it.",
            _LABELS,
            buckets=_REQUEST_SECONDS,
            registry=self.collectors,
        )
        self._delays = Histogram(
            "annals_event_loop_delay_seconds",
            "How late the event loop came to a task that was due.",
            buckets=_DELAY_SECONDS,
            registry=self.collectors,
        )
        self._children: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def requested(self, endpoint: str, method: str, status: int, seconds: float) -> None:
        """Count a request that is about to be answered."""
        key = endpoint, method, status
        if (children := self._children.get(key)) is None:
            children = self._labelled(endpoint, method, status)
        count, duration = children
        count.inc()
        duration.observe(seconds)

    def _labelled(self, endpoint: str, method: str, status: int) -> tuple[Counter, Histogram]:
        labels = endpoint, method if method in _METHODS else _OTHER, str(status)
        children = self._requests.labels(*labels), self._durations.labels(*labels)
        if method in _METHODS:
            self._children[endpoint, method, status] = children
        return children

    async def watch_loop(
        self,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
        now: Callable[[], float] = perf_counter,
    ) -> None:
        """Observe how late the event loop is, until cancelled."""
        while True:
            due = now() + _LOOK_SECONDS
            await sleep(_LOOK_SECONDS)
            self._delays.observe(max(0.0, now() - due))
