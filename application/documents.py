"""Documents by hash, the ones asked for lately from memory."""

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import TypeAlias

from application.event_log import EventLog
from application.projections.redactions import Redactions
from application.redactions import redactions_in_log
from domain.composition import RegistryEntry
from domain.errors import CorruptLogError, DocumentRedactedError
from domain.identifiers import DocumentHash
from domain.ports.storage import EventStorePort
from domain.redaction import Redaction

Packed: TypeAlias = bytes | Redaction
"""A document as the storage packs it, or why there is none any longer."""


_FEW = 1000  # who asks for more asks once, and takes no more at a time


class Documents:
    """Reads bodies. Keeps at most *most_bytes* of them, as they are packed.

    What *told* knows to be redacted goes at once; what has no body is looked up in the log.
    """

    def __init__(
        self,
        store: EventStorePort,
        told: Callable[[], Redactions] = dict,
        most_bytes: int = 8 * 1024 * 1024,
    ) -> None:
        self._store = store
        self._told = told
        self._redactions: Redactions = {}
        self._most_bytes = most_bytes
        self._bytes = 0
        self._kept: OrderedDict[DocumentHash, bytes] = OrderedDict()

    @property
    def redactions(self) -> Redactions:
        """At least those of all documents that were asked for."""
        self._learn(self._told())
        return self._redactions

    async def bodies(self, entries: Sequence[RegistryEntry]) -> Sequence[bytes]:
        """The documents of *entries*, in their order.

        Raises:
            DocumentRedactedError: one was redacted.
            CorruptLogError: one is missing or damaged.
        """
        return [unredacted(found) for found in await self.bodies_or_redactions(entries)]

    async def bodies_or_redactions(
        self, entries: Sequence[RegistryEntry]
    ) -> Sequence[bytes | Redaction]:
        """The same, with a redaction where there is no document any longer.

        Raises:
            CorruptLogError: one is missing or damaged.
        """
        hashes = [served.entry.document_hash for served in entries]
        packed = await self.packed(hashes)
        return self.unpacked([packed[wanted] for wanted in hashes])

    async def streamed(self, entries: Sequence[RegistryEntry]) -> Iterator[bytes | Redaction]:
        """The same for very many: all are looked for now, and unpacked as they are taken.

        Raises:
            CorruptLogError: one is missing, or, later, damaged.
        """
        hashes = [served.entry.document_hash for served in entries]
        packed = await self.packed(hashes)
        lots = (hashes[start : start + _FEW] for start in range(0, len(hashes), _FEW))
        unpacked = (self.unpacked([packed[wanted] for wanted in lot]) for lot in lots)
        return chain.from_iterable(unpacked)

    async def packed(self, hashes: Collection[DocumentHash]) -> Mapping[DocumentHash, Packed]:
        """Documents as the storage packs them, for who holds many of them in memory.

        Raises:
            CorruptLogError: one is missing or damaged.
        """
        self._learn(self._told())
        found = {known: body for known in hashes if (body := self._kept.get(known)) is not None}
        missing = [wanted for wanted in hashes if wanted not in found]
        if missing:
            loaded = await self._load(missing)
            found.update(loaded)
            if len(loaded) <= _FEW:
                self._keep(loaded)
        for known in found.keys() & self._kept.keys():
            self._kept.move_to_end(known)
        return {wanted: self._redactions.get(wanted) or found[wanted] for wanted in hashes}

    def unpacked(self, packed: Sequence[Packed]) -> Sequence[bytes | Redaction]:
        """The documents themselves, in the same order.

        Raises:
            CorruptLogError: one is damaged.
        """
        whole = [one for one in packed if type(one) is bytes]
        if len(whole) == len(packed):
            return self._store.unpack(whole)
        bodies = iter(self._store.unpack(whole))
        return [one if isinstance(one, Redaction) else next(bodies) for one in packed]

    async def _load(self, hashes: Iterable[DocumentHash]) -> Mapping[DocumentHash, bytes]:
        """Those that were not redacted."""
        wanted = set(hashes) - self._redactions.keys()
        loaded = await self._store.packed(wanted)
        if wanted - loaded.keys():
            self._learn(await redactions_in_log(EventLog(self._store)))
        if missing := wanted - loaded.keys() - self._redactions.keys():
            raise CorruptLogError(f"document {min(missing)} is not in the log: run registry verify")
        return {known: body for known, body in loaded.items() if known not in self._redactions}

    def _learn(self, redactions: Redactions) -> None:
        """Let go of what was redacted since."""
        if news := redactions.keys() - self._redactions.keys():
            self._redactions = {**self._redactions, **redactions}
            for redacted in news:
                self._bytes -= len(self._kept.pop(redacted, b""))

    def _keep(self, bodies: Mapping[DocumentHash, bytes]) -> None:
        for known, body in bodies.items():
            self._bytes += len(body) - len(self._kept.get(known, b""))
            self._kept[known] = body
        while self._bytes > self._most_bytes:
            _, dropped = self._kept.popitem(last=False)
            self._bytes -= len(dropped)


def unredacted(found: bytes | Redaction) -> bytes:
    """A document that has to be there.

    Raises:
        DocumentRedactedError
    """
    if isinstance(found, Redaction):
        raise redacted(found)
    return found


def redacted(redaction: Redaction) -> DocumentRedactedError:
    """What there is to say in the place of a document."""
    return DocumentRedactedError(
        redaction.document_hash, redaction.reason, redaction.redacted_by, redaction.recorded_at
    )
