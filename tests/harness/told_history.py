"""A source that tells its past, in the hands of a test."""

import json
from collections.abc import AsyncGenerator, Sequence
from datetime import datetime, timedelta
from typing import Any

from domain.errors import HistoryRewrittenError
from domain.ports.source import PastRevision
from tests.harness.clock import START
from tests.harness.sync_world import HeldSource

FIRST_AT = START - timedelta(days=1000)


class ToldHistory(HeldSource):
    """HistoryPort over states of the test's choice, a day apart; the last one is the present.

    A state is what was offered, or bytes that were sent as they are, or None where there was
    nothing. Its revision is `r1`, `r2` and so on. `breaks_after` revisions `break_with` is raised.
    """

    def __init__(self, *states: Any) -> None:
        super().__init__()
        self.keeps_history = True
        self.breaks_after: int | None = None
        self.break_with: Exception | None = None
        self.walked: list[str | None] = []
        self.tell(*states)

    def tell(self, *states: Any) -> None:
        """Let this be the past from now on."""
        self.states: Sequence[Any] = states
        self.payloads = [encoded(states[-1]) or b""]

    async def history(self, after: str | None) -> AsyncGenerator[PastRevision, None]:
        self.walked.append(after)
        revisions = [revision_of(number) for number in range(1, len(self.states) + 1)]
        if after is not None and after not in revisions:
            raise HistoryRewrittenError(f"{after} is gone")
        for number, state in enumerate(self.states, 1):
            if self.breaks_after is not None and number > self.breaks_after:
                raise self.break_with or AssertionError
            if after is None or number > revisions.index(after) + 1:
                yield self._revision(number, encoded(state))

    def _revision(self, number: int, payload: bytes | None) -> PastRevision:
        return PastRevision(
            revision=revision_of(number),
            payload=payload,
            problem=None if payload is not None else "there was no file",
            effective_at=told_at(number),
            number=number,
            total=len(self.states),
        )


def revision_of(number: int) -> str:
    """The mark of a state, counted from 1."""
    return f"r{number}"


def told_at(number: int) -> datetime:
    """Since when a state held."""
    return FIRST_AT + timedelta(days=number)


def encoded(state: Any) -> bytes | None:
    """What the source sent in a state."""
    return state if state is None or isinstance(state, bytes) else json.dumps(state).encode()
