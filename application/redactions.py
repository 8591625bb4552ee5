"""Takes the bodies of documents away, and leaves a record of it."""

import uuid
from contextlib import suppress

import attrs

from application.event_log import REDACTIONS, REDACTIONS_STREAM, EventLog, Write
from application.projections.redactions import Redactions, fold_redactions
from domain.errors import DocumentNotFoundError, WrongExpectedVersionError
from domain.events import DocumentRedacted
from domain.identifiers import CommitId, DocumentHash
from domain.log import Exactly
from domain.ports.storage import EventStorePort
from domain.redaction import Redaction

_DECISIONS = 3


@attrs.frozen(kw_only=True)
class Redacted:
    """A redaction that is in the log. `repeated` tells that it was there before.

    `scrubbed` tells whether nothing of the body is left in the files of the log. Else somebody
    reads what was there before it: to redact it again finishes that.
    """

    redaction: Redaction
    repeated: bool
    scrubbed: bool


class RedactionBook:
    """What was redacted, and what is from now on."""

    def __init__(self, store: EventStorePort, log: EventLog) -> None:
        self._store = store
        self._log = log

    async def find(self, document_hash: DocumentHash) -> Redaction | bytes:
        """The document of that hash, or why it is not there any longer.

        Raises:
            DocumentNotFoundError
        """
        if redaction := (await redactions_in_log(self._log)).get(document_hash):
            return redaction
        found = await self._store.documents([document_hash])
        if document_hash not in found:
            raise DocumentNotFoundError(document_hash)
        return found[document_hash]

    async def redact(self, event: DocumentRedacted) -> Redacted:
        """Take the body of a document away for good. What is redacted already stays so.

        Raises:
            DocumentNotFoundError, StorageError
        """
        repeated = await self._decided(event)
        redactions = await redactions_in_log(self._log)
        return Redacted(
            redaction=redactions[event.document_hash],
            repeated=repeated,
            scrubbed=await self._store.scrub(),
        )

    async def _decided(self, event: DocumentRedacted) -> bool:
        for _ in range(_DECISIONS - 1):
            with suppress(WrongExpectedVersionError):
                return await self._redact(event)
        return await self._redact(event)

    async def _redact(self, event: DocumentRedacted) -> bool:
        """Returns whether it is in the log already."""
        version = await self._store.stream_version(REDACTIONS_STREAM)
        if isinstance(await self.find(event.document_hash), Redaction):
            return True
        await self._log.append(
            CommitId(f"redaction-{uuid.uuid4().hex}"),
            [Write(REDACTIONS_STREAM, Exactly(version), [event])],
            erased=[event.document_hash],
        )
        return False


async def redactions_in_log(log: EventLog) -> Redactions:
    """All that was ever redacted, without a look at any view."""
    redactions: Redactions = {}
    async for batch in log.read(categories=(REDACTIONS,)):
        redactions = fold_redactions(redactions, batch)
    return redactions
