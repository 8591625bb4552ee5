"""What a process counts about itself: requests, how late its event loop is, its memory."""

from collections.abc import Awaitable, Callable
from time import perf_counter

import anyio
from prometheus_client import (
    CollectorRegistry,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)

from entrypoints.http.request_counts import RequestCounts

# When each series began would be told as one more series.
disable_created_metrics()  # type: ignore[no-untyped-call]

_DELAY_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1)
_LOOK_SECONDS = 0.1


class Measures:
    """The metrics of one application: `collectors` is where they are collected."""

    def __init__(self) -> None:
        self.collectors = CollectorRegistry()
        ProcessCollector(registry=self.collectors)
        self._requests = RequestCounts()
        self.collectors.register(self._requests)
        self._delays = Histogram(
            "annals_event_loop_delay_seconds",
            "How late the event loop came to a task that was due.",
            buckets=_DELAY_SECONDS,
            registry=self.collectors,
        )

    def requested(self, endpoint: str, method: str, status: int, seconds: float) -> None:
        """Count a request that is about to be answered."""
        self._requests.count(endpoint, method, status, seconds)

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
