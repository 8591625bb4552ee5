"""What a process counts about itself."""

import pytest
from prometheus_client import generate_latest

from entrypoints.http.measures import Measures


async def test_a_late_event_loop_shows():
    """How much later than it was due a task was come to."""
    measures, delays = Measures(), [0.0, 0.004, 0.3]
    times = iter([0.0, 0.1, 1.0, 1.104, 2.0, 2.4, 3.0])

    async def sleep(_seconds: float) -> None:
        if not delays:
            raise TimeoutError
        delays.pop()

    with pytest.raises(TimeoutError):
        await measures.watch_loop(sleep=sleep, now=lambda: next(times))

    lines = generate_latest(measures.collectors).decode().splitlines()
    buckets = {
        line.split('"')[1]: float(line.split()[1])
        for line in lines
        if line.startswith("annals_event_loop_delay_seconds_bucket")
    }
    assert (buckets["0.001"], buckets["0.005"], buckets["0.25"], buckets["1.0"]) == (1, 2, 2, 3)


def test_applications_do_not_share_what_they_count():
    """Each has its own numbers, and the memory of the process."""
    one, other = Measures(), Measures()

    one.requested("/x", "GET", 200, 0.001)

    assert b"annals_http_requests_total{" in generate_latest(one.collectors)
    assert b"annals_http_requests_total{" not in generate_latest(other.collectors)
    assert b"process_resident_memory_bytes " in generate_latest(other.collectors)
