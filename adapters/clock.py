"""The system's clock."""

from datetime import UTC, datetime


class SystemClock:
    """ClockPort by the operating system."""

    def now(self) -> datetime:
        return datetime.now(UTC)
