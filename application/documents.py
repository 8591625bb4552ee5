"""Documents by hash, the ones asked for lately from memory."""

import json
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence

import anyio.to_thread

from application.registry_version import RegistryVersion
from application.rendering import search_text
from domain.composition import RegistryEntry
from domain.errors import CorruptLogError
from domain.identifiers import DocumentHash, RegistryName
from domain.ports.storage import EventStorePort

_BATCH = 1000


class Documents:
    """Reads bodies. Keeps at most *most_bytes* of them, and the search texts of all asked for."""

    def __init__(self, store: EventStorePort, most_bytes: int = 64 * 1024 * 1024) -> None:
        self._store = store
        self._most_bytes = most_bytes
        self._bytes = 0
        self._kept: OrderedDict[DocumentHash, bytes] = OrderedDict()
        self._texts: dict[DocumentHash, str] = {}
        self._searched: dict[RegistryName, RegistryVersion] = {}

    async def bodies(self, entries: Sequence[RegistryEntry]) -> Sequence[bytes]:
        """The documents of *entries*, in their order.

        Raises:
            CorruptLogError: one is missing or damaged.
        """
        hashes = [served.entry.document_hash for served in entries]
        found = {known: body for known in hashes if (body := self._kept.get(known)) is not None}
        missing = [wanted for wanted in hashes if wanted not in found]
        if missing:
            loaded = await self._load(missing)
            found.update(loaded)
            self._keep(loaded)
        for known in found.keys() & self._kept.keys():
            self._kept.move_to_end(known)
        return [found[wanted] for wanted in hashes]

    async def texts(self, registry: RegistryVersion) -> Mapping[DocumentHash, str]:
        """The search texts of all servers. The first call for a document reads it."""
        if self._searched.get(registry.definition.name) is not registry:
            wanted = {served.entry.document_hash for served in registry.servers}
            await self._read_texts(list(wanted - self._texts.keys()))
            self._searched[registry.definition.name] = registry
        return self._texts

    async def _read_texts(self, wanted: Sequence[DocumentHash]) -> None:
        for start in range(0, len(wanted), _BATCH):
            bodies = await self._load(wanted[start : start + _BATCH])
            self._texts.update(await anyio.to_thread.run_sync(_texts_of, bodies))

    async def _load(self, hashes: Iterable[DocumentHash]) -> Mapping[DocumentHash, bytes]:
        wanted = set(hashes)
        loaded = await self._store.documents(wanted)
        if missing := wanted - loaded.keys():
            raise CorruptLogError(f"document {min(missing)} is not in the log: run registry verify")
        return loaded

    def _keep(self, bodies: Mapping[DocumentHash, bytes]) -> None:
        for known, body in bodies.items():
            self._bytes += len(body) - len(self._kept.get(known, b""))
            self._kept[known] = body
        while self._bytes > self._most_bytes:
            _, dropped = self._kept.popitem(last=False)
            self._bytes -= len(dropped)


def _texts_of(bodies: Mapping[DocumentHash, bytes]) -> dict[DocumentHash, str]:
    documents = {known: json.loads(body) for known, body in bodies.items()}
    return {
        known: search_text(document["name"], (document.get("title"), document.get("description")))
        for known, document in documents.items()
    }
