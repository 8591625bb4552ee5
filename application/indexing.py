"""From the views to the index that a registry is served from."""

import json
from collections.abc import Collection, Iterable, Mapping
from contextlib import aclosing

import anyio.to_thread

from application.documents import Documents, Packed
from application.past_walk import PastSources
from application.registry_index import RegistryIndex, ServedName, ServedVersion, build_index
from application.rendering import official_meta, search_text
from domain.composition import NamedComposition, RegistryEntry, hidden_digest
from domain.entry import Status
from domain.identifiers import DocumentHash, EntryName
from domain.redaction import Redaction
from domain.timestamps import to_micros

_NAMES = 500  # that are read between two turns of the event loop
EMPTY = build_index(())


async def index_of(
    sources: PastSources, documents: Documents, near: RegistryIndex = EMPTY
) -> RegistryIndex:
    """All that a registry serves. Documents that the index *near* it has are taken from there."""
    index = EMPTY
    batch: dict[EntryName, NamedComposition] = {}
    async with aclosing(sources.compositions()) as compositions:
        async for name, composition in compositions:
            batch[name] = composition
            if len(batch) == _NAMES:
                index = await with_changes(index, batch, documents, near)
                batch = {}
    return await with_changes(index, batch, documents, near)


async def with_changes(
    index: RegistryIndex,
    changed: Mapping[EntryName, NamedComposition],
    documents: Documents,
    near: RegistryIndex,
) -> RegistryIndex:
    """The same registry with some names as they are by now."""
    entries = [entry for composition in changed.values() for entry in composition.entries]
    packed = _known(changed, near)
    missing = {served.entry.document_hash for served in entries} - packed.keys()
    packed.update(await documents.packed(missing))
    redactions = documents.redactions
    packed.update((known, redactions[known]) for known in packed.keys() & redactions.keys())
    return await anyio.to_thread.run_sync(_replaced, index, changed, packed, documents)


def _known(names: Iterable[EntryName], near: RegistryIndex) -> dict[DocumentHash, Packed]:
    found = (near.named(name) for name in names)
    return {
        DocumentHash(version.document_hash.hex()): version.packed
        for name in found
        if name
        for version in name.versions
        if not isinstance(version.packed, Redaction)
    }


def _replaced(
    index: RegistryIndex,
    changed: Mapping[EntryName, NamedComposition],
    packed: Mapping[DocumentHash, Packed],
    documents: Documents,
) -> RegistryIndex:
    return index.replaced(
        {
            name: _served_name(name, composition, packed, documents)
            for name, composition in changed.items()
        }
    )


def _served_name(
    name: EntryName,
    composition: NamedComposition,
    packed: Mapping[DocumentHash, Packed],
    documents: Documents,
) -> ServedName:
    versions = tuple(
        served_version(served, packed[served.entry.document_hash]) for served in composition.entries
    )
    return ServedName(
        name=name,
        versions=versions,
        texts=_texts(name.name, documents.unpacked(versions)),
        changed_us=to_micros(composition.changed_at),
        left_us=to_micros(composition.left_at) if composition.left_at else 0,
        hidden=hidden_digest(composition.hidden),
    )


def served_version(served: RegistryEntry, packed: Packed) -> ServedVersion:
    """A version as answers are made of it."""
    entry = served.entry
    return ServedVersion(
        name=entry.key.name,
        version=entry.key.version,
        document_hash=bytes.fromhex(entry.document_hash),
        packed=packed,
        official=official_meta(served),
        updated_us=to_micros(served.updated_at),
        published_us=to_micros(entry.published_at),
        is_latest=entry.is_latest,
        is_deleted=entry.status is Status.DELETED,
    )


def _texts(name: str, documents: Collection[bytes | Redaction]) -> tuple[str, ...]:
    """What searches look into. Of what was redacted only the name is left."""
    return tuple(
        search_text(name, () if isinstance(document, Redaction) else _told(document))
        for document in documents
    )


def _told(document: bytes) -> tuple[object, object]:
    members = json.loads(document)
    return members.get("title"), members.get("description")
