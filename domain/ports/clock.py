"""The time of day."""

from datetime import datetime
from typing import Protocol


class ClockPort(Protocol):
    """Tells the time. It may jump: the log orders by position, never by time."""

    def now(self) -> datetime:
        """The current time, aware, in UTC."""
        ...
