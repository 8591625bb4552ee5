"""How long the event loop of a server was held, by what it tells at /metrics."""

import re
from collections.abc import Iterator

from tests.benchmarks.http_targets import searches
from tests.benchmarks.programs import Program
from tests.benchmarks.report import Row
from tests.benchmarks.stage import Stage
from tests.benchmarks.wrk import Load

_BUCKET = re.compile(
    r'^annals_event_loop_delay_seconds_bucket\{(?:[^}]*,)?le="([^"]+)"\} (\S+)$', re.MULTILINE
)
_SECONDS = 2
_MOST_MS = 5


def during_searches(stage: Stage) -> Iterator[Row]:
    """The bound of the longest delay while searches of each kind were all that was asked.

    Of two clients at a time: what many wait for each other is no hold of the event loop.
    """
    program = stage.annals()
    for what, asked in searches().items():
        load = Load(program.url, asked[::-1], stage.directory, connections=2)
        before = _delays(program)
        load.press(_SECONDS)
        after = _delays(program)
        longest = [bound for bound in after if after[bound] > before.get(bound, 0)]
        yield Row(
            part="search",
            what=f"event loop delay, search, {what}",
            unit="ms",
            at_most=_MOST_MS,
            measured=[max(longest) * 1000] if longest else (),
            note="" if after else "not measured: /metrics does not tell",
        )


def _delays(program: Program) -> dict[float, float]:
    """How many delays were within each bound and above the next smaller one."""
    told = program.get("/metrics")[2].decode()
    within = sorted((float(bound), float(count)) for bound, count in _BUCKET.findall(told))
    smaller = [0.0, *(count for _, count in within)]
    return {bound: count - less for (bound, count), less in zip(within, smaller, strict=False)}
