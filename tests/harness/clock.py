"""A clock that the test winds."""

from datetime import UTC, datetime, timedelta

START = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MICROSECOND = timedelta(microseconds=1)


class SteppingClock:
    """ClockPort that goes on by `step` whenever it is asked. Set `at` to any time, also back."""

    def __init__(self, at: datetime = START, step: timedelta = SECOND) -> None:
        self.at = at
        self.step = step

    def now(self) -> datetime:
        now = self.at
        self.at += self.step
        return now
