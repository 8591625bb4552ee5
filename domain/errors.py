"""Every error that Annals raises on purpose.

AnnalsError
├── InvalidInputError               what a caller sent cannot be used as it is
│   ├── InvalidNameError
│   ├── InvalidFilterError
│   ├── InvalidAsOfError
│   ├── InvalidCursorError
│   ├── InvalidQueryError           a query parameter has a value that it cannot have
│   │   └── MalformedQueryError     ... or cannot be read, or contradicts another
│   ├── BodyTooLargeError           a request carries more than is read
│   ├── InvalidDurationError
│   ├── InvalidDocumentError        a document has no canonical form
│   ├── InvalidNoteError            a signed note, a checkpoint or a key is none, or not signed
│   └── ConfigError                 everything that is wrong with a configuration file
├── NotFoundError
│   ├── ServerNotFoundError
│   ├── RegistryNotFoundError
│   ├── SourceNotFoundError
│   ├── PinNotFoundError
│   ├── DocumentNotFoundError       the log has no document of that hash
│   ├── TileNotFoundError           the Merkle tree has not grown that far
│   ├── NothingRecordedError        the log has nothing at or before that moment
│   └── NothingInEffectError        no source is known to have offered anything by then
├── DocumentRedactedError           a document was taken away, on purpose and for good
├── NotSupportedError               known to the standard, not offered here
├── SourceError                     a source could not be read
│   ├── SourceUnreachableError      nothing answered: worth another try
│   ├── SourceAccessError           it answered, and refused
│   ├── SourceContentError          it answered with something else than a registry
│   ├── SourceLimitError            it answered with more than this registry takes
│   └── HistoryRewrittenError       its history no longer has the revision to go on from
├── WitnessError                    a witness did not cosign
├── DeliveryError                   the receiver of a webhook did not take what it was sent
│   └── ReceiverGoneError           it said that nothing shall be sent to it any more
├── RemoteLogError                  the log of another registry could not be read
│   └── UntrustedLogError           it was read, and does not prove what it says
├── SyncedElsewhereError            another process over the log is at it
├── CannotListenError               the server's address is taken, or not of this machine
├── PinExistsError                  a pin stands for another moment, and was not to be moved
├── RemovalRefusedError             a sync would have emptied or gutted a source's catalog
├── StorageError
│   ├── StorageUnavailableError     the storage cannot be opened, read or written
│   ├── WrongExpectedVersionError   a stream has moved on since it was read
│   └── CommitIdReusedError         a commit id came back with other content
└── CorruptLogError                 what the log holds is not what was appended
    └── UnknownEventTypeError       an event this release cannot read
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

import attrs

from domain.timestamps import to_rfc_3339


class AnnalsError(Exception):
    """Base of the tree. Never raised itself."""


class InvalidInputError(AnnalsError):
    """What a caller sent cannot be used as it is."""


class InvalidNameError(InvalidInputError):
    """A source or registry name is not a DNS label, or a server name not one in a cluster."""


class InvalidFilterError(InvalidInputError):
    """A name pattern cannot be parsed."""


class InvalidAsOfError(InvalidInputError):
    """A moment is not written as this registry reads moments, or lies in the future."""


class InvalidCursorError(InvalidInputError):
    """A cursor was not made by this registry, or disagrees with the query beside it."""


class InvalidQueryError(InvalidInputError):
    """A query parameter has a value that it cannot have."""

    def __init__(self, parameter: str, value: str, message: str) -> None:
        super().__init__(message)
        self.parameter = parameter
        self.value = value


class MalformedQueryError(InvalidQueryError):
    """A query parameter cannot be read, or contradicts another."""


class BodyTooLargeError(InvalidInputError):
    """A request carries more than this registry reads."""


class InvalidDurationError(InvalidInputError):
    """A duration is not written as Go writes durations."""


class InvalidDocumentError(InvalidInputError):
    """A document has no canonical form: a number beyond IEEE 754, or a lone surrogate."""


class InvalidNoteError(InvalidInputError):
    """A signed note, a checkpoint or a key is none, or is not signed by whom it should be."""


@attrs.frozen(kw_only=True)
class ConfigProblem:
    """One thing that is wrong with a configuration file, and where."""

    file: str
    line: int | None
    column: int | None
    key: str
    message: str

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part)
        return f"{place}: {self.key or '(top level)'}: {self.message}"


class ConfigError(InvalidInputError):
    """Everything that is wrong with a configuration file, told at once."""

    def __init__(self, problems: Sequence[ConfigProblem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


class NotFoundError(AnnalsError):
    """What was asked for does not exist."""


class ServerNotFoundError(NotFoundError):
    """No such server, or no such version of it."""


class RegistryNotFoundError(NotFoundError):
    """No registry of that name."""


class SourceNotFoundError(NotFoundError):
    """No source of that name."""


class PinNotFoundError(NotFoundError):
    """No moment has that name."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        pins = ", ".join(sorted(known)) or "none"
        super().__init__(
            f"No pin {name!r}: the pins are {pins}. A moment can also be a time with an offset"
            " (2026-11-22T09:30:00Z), a date (2026-11-22) or a position (@4711)"
        )


class DocumentNotFoundError(NotFoundError):
    """The log has no document of that hash."""

    def __init__(self, document_hash: str) -> None:
        super().__init__(
            f"The log has no document {document_hash!r}: expected 64 of 0-9 a-f, as `registry log"
            " --json` has them in `document_hash`"
        )


class TileNotFoundError(NotFoundError):
    """The Merkle tree has no such tile, or has not grown that far."""


class NothingRecordedError(NotFoundError):
    """The log has nothing at or before the moment asked for."""

    def __init__(self, asked: str, first_recorded_at: datetime | None) -> None:
        when = (
            f"the first commit was recorded at {to_rfc_3339(first_recorded_at)}"
            if first_recorded_at
            else "the log is empty: run a sync first"
        )
        super().__init__(f"Nothing was recorded by {asked}: {when}")
        self.first_recorded_at = first_recorded_at


class NothingInEffectError(NotFoundError):
    """No source of a registry is known to have offered anything at or before a time."""

    def __init__(self, asked: datetime, first_effective_at: datetime | None) -> None:
        when = (
            f"the first that is known took effect at {to_rfc_3339(first_effective_at)}"
            if first_effective_at
            else "its sources have not offered anything yet"
        )
        super().__init__(
            f"No source of this registry offered anything by {to_rfc_3339(asked)}: {when}"
        )
        self.first_effective_at = first_effective_at


class DocumentRedactedError(AnnalsError):
    """A document was taken away, on purpose and for good."""

    def __init__(
        self, document_hash: str, reason: str, redacted_by: str, recorded_at: datetime
    ) -> None:
        super().__init__(
            f"This document was redacted at {to_rfc_3339(recorded_at)} by {redacted_by}: {reason}."
            f" Its hash {document_hash} and its place in the log stay"
        )


class NotSupportedError(AnnalsError):
    """Known to the standard, not offered by this registry."""


class SourceError(AnnalsError):
    """A source could not be read. The message says what to do about it."""


class SourceUnreachableError(SourceError):
    """Nothing answered, or too late: worth another try."""


class SourceAccessError(SourceError):
    """The source answered, and refused."""


class SourceContentError(SourceError):
    """The source answered with something else than a registry."""


class SourceLimitError(SourceError):
    """The source answered with more than this registry takes."""


class HistoryRewrittenError(SourceError):
    """The history of a source no longer has the revision to go on from."""


class WitnessError(AnnalsError):
    """A witness did not cosign a checkpoint. The message says what it answered."""


class DeliveryError(AnnalsError):
    """The receiver of a webhook did not take what it was sent. The message says what it answered.

    `retry_after_seconds` is how long it wants to be left alone, None where it did not say.
    """

    def __init__(self, message: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class ReceiverGoneError(DeliveryError):
    """The receiver of a webhook said that nothing shall be sent to it any more."""


class RemoteLogError(AnnalsError):
    """The log of another registry could not be read."""


class UntrustedLogError(RemoteLogError):
    """The log of another registry does not prove what it says.

    `evidence` are the signed notes that show it to others, if there are any.
    """

    def __init__(self, message: str, evidence: Sequence[str] = ()) -> None:
        super().__init__("\n\n".join([message, *evidence]))
        self.evidence = tuple(evidence)


class SyncedElsewhereError(AnnalsError):
    """Another process over the same log is about to sync a source for the first time."""


class CannotListenError(AnnalsError):
    """The address that the server should listen on is taken, or not of this machine."""


class PinExistsError(AnnalsError):
    """A pin stands for another moment, and was not to be moved."""

    def __init__(self, name: str, position: int, effective_at: datetime | None) -> None:
        effective = f", effective at {to_rfc_3339(effective_at)}" if effective_at else ""
        super().__init__(
            f"The pin {name!r} stands for @{position}{effective}, and whoever uses it relies on"
            " that: choose another name, or move it with --move"
        )


class RemovalRefusedError(AnnalsError):
    """A sync would have emptied or gutted the catalog of its source."""


class StorageError(AnnalsError):
    """Base of what a storage reports."""


class StorageUnavailableError(StorageError):
    """The storage cannot be opened, read or written."""


class WrongExpectedVersionError(StorageError):
    """A stream has moved on since it was read: read it again, and decide again."""


class CommitIdReusedError(StorageError):
    """A commit id came back with other content than it was first used for."""


class CorruptLogError(AnnalsError):
    """What the log holds is not what was appended."""


class UnknownEventTypeError(CorruptLogError):
    """An event type or schema version that this release does not know."""
