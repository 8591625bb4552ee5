"""What an API source knows after a sync, in the text that the log keeps as its revision."""

import hashlib
import re
from datetime import datetime
from typing import ClassVar, TypeAlias

import attrs

from adapters.sources.api_memory import Dialect, Spoken
from domain.timestamps import from_micros, from_rfc_3339, to_micros, to_rfc_3339

_IGNORED = "ignored"
_TOKEN = re.compile("[!-~]{1,64}")


@attrs.frozen(kw_only=True)
class OfficialRevision:
    """Where a walk through the official API has come to.

    `prefix` is that of its paths. `since` is the time to ask for later updates of, in
    microseconds; None when there is none to ask for. `full_at` is when everything was read last.
    `withdrawals` is how the server marks that entries have left it, `answer` the digest of what
    it answered to the question for updates, where the next question is the same.
    """

    DIALECT: ClassVar[Dialect] = Dialect.OFFICIAL

    prefix: str
    full_at: datetime
    since: int | None = None
    ignores_since: bool = False
    withdrawals: str | None = None
    answer: str | None = None

    @property
    def spoken(self) -> Spoken:
        """What is spoken there."""
        return Spoken(self.DIALECT, self.prefix)

    def __str__(self) -> str:
        since = None if self.since is None else to_rfc_3339(from_micros(self.since))
        return _written(
            self.spoken,
            since=_IGNORED if self.ignores_since else since,
            full=to_rfc_3339(self.full_at),
            withdrawals=self.withdrawals,
            answer=self.answer,
        )


@attrs.frozen(kw_only=True)
class ToolhiveRevision:
    """What ToolHive's API said about itself before it was read."""

    DIALECT: ClassVar[Dialect] = Dialect.TOOLHIVE

    prefix: str
    updated: str | None
    total: int | None

    @property
    def spoken(self) -> Spoken:
        """What is spoken there."""
        return Spoken(self.DIALECT, self.prefix)

    def __str__(self) -> str:
        total = None if self.total is None else str(self.total)
        return _written(self.spoken, updated=self.updated, total=total)


Revision: TypeAlias = OfficialRevision | ToolhiveRevision


def token(text: str | None) -> str | None:
    """What a server said, as one word that can stand in a revision: itself, else its digest."""
    if text is None or _TOKEN.fullmatch(text):
        return text
    return digest(text.encode(errors="replace"))


def digest(content: bytes) -> str:
    """Enough of the SHA-256 of *content* to tell it from another."""
    return hashlib.sha256(content).hexdigest()[:16]


def read_revision(text: str | None) -> Revision | None:
    """The inverse of `str`; None for everything else."""
    try:
        dialect, prefix, *words = (text or "").split(" ")
        said = dict(zip(words[::2], words[1::2], strict=True))
        is_official = Dialect(dialect) is Dialect.OFFICIAL
        revision = _official(prefix, said) if is_official else _toolhive(prefix, said)
    except (KeyError, ValueError):
        return None
    return revision if str(revision) == text else None


def _official(prefix: str, said: dict[str, str]) -> OfficialRevision:
    since = said.get("since")
    return OfficialRevision(
        prefix=prefix,
        full_at=from_rfc_3339(said["full"]),
        since=None if since in (None, _IGNORED) else to_micros(from_rfc_3339(since)),
        ignores_since=since == _IGNORED,
        withdrawals=said.get("withdrawals"),
        answer=said.get("answer"),
    )


def _toolhive(prefix: str, said: dict[str, str]) -> ToolhiveRevision:
    total = said.get("total")
    return ToolhiveRevision(
        prefix=prefix, updated=said.get("updated"), total=None if total is None else int(total)
    )


def _written(spoken: Spoken, **said: str | None) -> str:
    pairs = (f" {name} {value}" for name, value in said.items() if value is not None)
    return f"{spoken.dialect} {spoken.prefix}{''.join(pairs)}"
