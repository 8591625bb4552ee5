"""From the views to the index that a registry is served from."""

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import aclosing
from typing import Any, TypeAlias

import anyio.to_thread
import attrs

from application.documents import Documents, Packed
from application.past_walk import PastSources
from application.past_whole import portions
from application.registry_index import RegistryIndex, ServedName, ServedVersion, build_index
from application.rendering import official_meta, search_text
from domain.composition import NamedComposition, RegistryEntry, hidden_digest
from domain.entry import Status
from domain.identifiers import DocumentHash, EntryName
from domain.redaction import Redaction
from domain.timestamps import to_micros

EMPTY = build_index(())

_Shared: TypeAlias = dict[Any, Any]
"""Equal values by themselves: many versions came with the same commits, and say the same."""


async def index_of(
    sources: PastSources, documents: Documents, near: RegistryIndex = EMPTY
) -> RegistryIndex:
    """All that a registry serves, not to be searched yet.

    Documents that the index *near* it has are taken from there.
    """
    names: list[ServedName] = []
    shared: _Shared = {}
    async with aclosing(portions(sources)) as read:
        async for portion in read:
            names += await _served_names(dict(portion), documents, near, shared)
    return await anyio.to_thread.run_sync(build_index, names)


async def with_changes(
    index: RegistryIndex, changed: Mapping[EntryName, NamedComposition], documents: Documents
) -> RegistryIndex:
    """The same registry with some names as they are by now, to be searched."""
    names = await _served_names(changed, documents, index, {})
    return await anyio.to_thread.run_sync(_replaced, index, names, documents)


async def searchable(index: RegistryIndex, documents: Documents) -> RegistryIndex:
    """The same with what searches look into."""
    return await anyio.to_thread.run_sync(_with_texts, index, documents)


async def _served_names(
    changed: Mapping[EntryName, NamedComposition],
    documents: Documents,
    near: RegistryIndex,
    shared: _Shared,
) -> Sequence[ServedName]:
    entries = [entry for composition in changed.values() for entry in composition.entries]
    packed = _known(changed, near)
    missing = {served.entry.document_hash for served in entries} - packed.keys()
    packed.update(await documents.packed(missing))
    redactions = documents.redactions
    packed.update((known, redactions[known]) for known in packed.keys() & redactions.keys())
    return await anyio.to_thread.run_sync(_made, changed, packed, shared)


def _known(names: Iterable[EntryName], near: RegistryIndex) -> dict[DocumentHash, Packed]:
    found = (near.named(name) for name in names)
    return {
        DocumentHash(version.document_hash.hex()): version.packed
        for name in found
        if name
        for version in name.versions
        if not isinstance(version.packed, Redaction)
    }


def _made(
    changed: Mapping[EntryName, NamedComposition],
    packed: Mapping[DocumentHash, Packed],
    shared: _Shared,
) -> Sequence[ServedName]:
    return [
        _served_name(name, composition, packed, shared) for name, composition in changed.items()
    ]


def _served_name(
    name: EntryName,
    composition: NamedComposition,
    packed: Mapping[DocumentHash, Packed],
    shared: _Shared,
) -> ServedName:
    versions = tuple(
        served_version(served, packed[served.entry.document_hash], shared)
        for served in composition.entries
    )
    return ServedName(
        name=name,
        versions=versions,
        texts=("",) * len(versions),
        changed_us=to_micros(composition.changed_at),
        left_us=to_micros(composition.left_at) if composition.left_at else 0,
        hidden=hidden_digest(composition.hidden),
    )


def _replaced(
    index: RegistryIndex, names: Iterable[ServedName], documents: Documents
) -> RegistryIndex:
    return index.replaced({served.name: _told(served, documents) for served in names})


def _with_texts(index: RegistryIndex, documents: Documents) -> RegistryIndex:
    return build_index(_told(served, documents) for served in index.names())


def _told(served: ServedName, documents: Documents) -> ServedName:
    """With the text of each version. Of what was redacted only the name is left."""
    name = served.name.name
    texts = tuple(
        search_text(name, () if isinstance(document, Redaction) else _members(document))
        for document in documents.unpacked(served.versions)
    )
    return attrs.evolve(served, texts=texts)


def served_version(
    served: RegistryEntry, packed: Packed, shared: _Shared | None = None
) -> ServedVersion:
    """A version as answers are made of it. What is in *shared* already is taken from there."""
    entry, share = served.entry, ({} if shared is None else shared).setdefault
    official = official_meta(served)
    updated_us, published_us = to_micros(served.updated_at), to_micros(entry.published_at)
    return ServedVersion(
        name=entry.key.name,
        version=entry.key.version,
        document_hash=bytes.fromhex(entry.document_hash),
        packed=packed,
        official=share(official, official),
        updated_us=share(updated_us, updated_us),
        published_us=share(published_us, published_us),
        is_latest=entry.is_latest,
        is_deleted=entry.status is Status.DELETED,
    )


def _members(document: bytes) -> tuple[object, object]:
    members = json.loads(document)
    return members.get("title"), members.get("description")
