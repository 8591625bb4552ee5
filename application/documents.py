"""Documents by hash, the ones asked for lately from memory."""

import json
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence

import anyio.to_thread

from application.event_log import EventLog
from application.projections.redactions import Redactions
from application.redactions import redactions_in_log
from application.registry_version import RegistryVersion
from application.rendering import search_text
from domain.composition import RegistryEntry
from domain.errors import CorruptLogError, DocumentRedactedError
from domain.identifiers import DocumentHash, RegistryName
from domain.ports.storage import EventStorePort
from domain.redaction import Redaction

_BATCH = 1000


class Documents:
    """Reads bodies. Keeps at most *most_bytes* of them, and the search texts of all asked for.

    What *told* knows to be redacted goes at once; what has no body is looked up in the log.
    """

    def __init__(
        self,
        store: EventStorePort,
        told: Callable[[], Redactions] = dict,
        most_bytes: int = 64 * 1024 * 1024,
    ) -> None:
        self._store = store
        self._told = told
        self._redactions: Redactions = {}
        self._most_bytes = most_bytes
        self._bytes = 0
        self._kept: OrderedDict[DocumentHash, bytes] = OrderedDict()
        self._texts: dict[DocumentHash, str] = {}
        self._searched: dict[RegistryName, RegistryVersion] = {}

    @property
    def redactions(self) -> Redactions:
        """At least those of all documents that were asked for."""
        return self._redactions

    async def bodies(self, entries: Sequence[RegistryEntry]) -> Sequence[bytes]:
        """The documents of *entries*, in their order.

        Raises:
            DocumentRedactedError: one was redacted.
            CorruptLogError: one is missing or damaged.
        """
        return [_body(found) for found in await self.bodies_or_redactions(entries)]

    async def bodies_or_redactions(
        self, entries: Sequence[RegistryEntry]
    ) -> Sequence[bytes | Redaction]:
        """The same, with a redaction where there is no document any longer.

        Raises:
            CorruptLogError: one is missing or damaged.
        """
        self._learn(self._told())
        hashes = [served.entry.document_hash for served in entries]
        found = {known: body for known in hashes if (body := self._kept.get(known)) is not None}
        missing = [wanted for wanted in hashes if wanted not in found]
        if missing:
            loaded = await self._load(missing)
            found.update(loaded)
            self._keep(loaded)
        for known in found.keys() & self._kept.keys():
            self._kept.move_to_end(known)
        return [self._redactions.get(wanted) or found[wanted] for wanted in hashes]

    async def texts(self, registry: RegistryVersion) -> Mapping[DocumentHash, str]:
        """The search texts of all servers. The first call for a document reads it.

        Of what was redacted only the name is left.
        """
        self._learn(self._told())
        if self._searched.get(registry.definition.name) is not registry:
            wanted = {served.entry.document_hash: served.entry.key for served in registry.servers}
            await self._read_texts([known for known in wanted if known not in self._texts])
            for redacted in self._redactions.keys() & wanted.keys():
                self._texts[redacted] = search_text(wanted[redacted].name, ())
            self._searched[registry.definition.name] = registry
        return self._texts

    async def _read_texts(self, wanted: Sequence[DocumentHash]) -> None:
        for start in range(0, len(wanted), _BATCH):
            bodies = await self._load(wanted[start : start + _BATCH])
            self._texts.update(await anyio.to_thread.run_sync(_texts_of, bodies))

    async def _load(self, hashes: Iterable[DocumentHash]) -> Mapping[DocumentHash, bytes]:
        """The bodies of those that were not redacted."""
        wanted = set(hashes) - self._redactions.keys()
        loaded = await self._store.documents(wanted)
        if wanted - loaded.keys():
            self._learn(await redactions_in_log(EventLog(self._store)))
        if missing := wanted - loaded.keys() - self._redactions.keys():
            raise CorruptLogError(f"document {min(missing)} is not in the log: run registry verify")
        return {known: body for known, body in loaded.items() if known not in self._redactions}

    def _learn(self, redactions: Redactions) -> None:
        """Let go of what was redacted since. A search text begins with the name."""
        if news := redactions.keys() - self._redactions.keys():
            self._redactions = {**self._redactions, **redactions}
            for redacted in news:
                self._bytes -= len(self._kept.pop(redacted, b""))
            for redacted in news & self._texts.keys():
                self._texts[redacted] = self._texts[redacted].partition("\n")[0]

    def _keep(self, bodies: Mapping[DocumentHash, bytes]) -> None:
        for known, body in bodies.items():
            self._bytes += len(body) - len(self._kept.get(known, b""))
            self._kept[known] = body
        while self._bytes > self._most_bytes:
            _, dropped = self._kept.popitem(last=False)
            self._bytes -= len(dropped)


def _body(found: bytes | Redaction) -> bytes:
    if isinstance(found, Redaction):
        raise DocumentRedactedError(
            found.document_hash, found.reason, found.redacted_by, found.recorded_at
        )
    return found


def _texts_of(bodies: Mapping[DocumentHash, bytes]) -> dict[DocumentHash, str]:
    documents = {known: json.loads(body) for known, body in bodies.items()}
    return {
        known: search_text(document["name"], (document.get("title"), document.get("description")))
        for known, document in documents.items()
    }
