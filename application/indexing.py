"""From the views to the index that a registry is served from."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing
from itertools import accumulate, islice, pairwise, repeat
from typing import Any, TypeAlias

import anyio.to_thread
import attrs

from application.documents import Documents
from application.past_walk import PastSources
from application.past_whole import portions
from application.registry_index import RegistryIndex, ServedName, ServedVersion, build_index
from application.rendering import search_text, server_response
from application.responses import SEPARATOR, HeldResponses
from domain.composition import NamedComposition, RegistryEntry, hidden_digest
from domain.entry import Status
from domain.identifiers import EntryName
from domain.ports.scratch import Readable, ScratchFile, Span
from domain.redaction import Redaction
from domain.timestamps import to_micros

_Shared: TypeAlias = dict[Any, Any]
"""Equal values by themselves: many versions came with the same commits, and say the same."""

_Body: TypeAlias = bytes | Redaction

_NOWHERE: Span = (0, 0)


async def outline_of(sources: PastSources, responses: ScratchFile) -> RegistryIndex:
    """All that a registry serves, without what it is shown as and searched for."""
    names: list[ServedName] = []
    shared: _Shared = {}
    async with aclosing(portions(sources)) as read:
        async for portion in read:
            names += await anyio.to_thread.run_sync(_outlined, dict(portion), shared)
    return await anyio.to_thread.run_sync(build_index, names, responses)


async def index_of(
    sources: PastSources, documents: Documents, responses: ScratchFile
) -> RegistryIndex:
    """All that a registry serves. What it is shown as goes into a file."""
    names: list[ServedName] = []
    shared: _Shared = {}
    async with aclosing(portions(sources)) as read:
        async for portion in read:
            names += await _served_names(dict(portion), documents, responses, shared)
    return await anyio.to_thread.run_sync(build_index, names, responses)


async def with_changes(
    index: RegistryIndex, changed: Mapping[EntryName, NamedComposition], documents: Documents
) -> RegistryIndex:
    """The same registry with some names as they are by now."""
    names = await _served_names(changed, documents, index.responses, {})
    return await anyio.to_thread.run_sync(index.replaced, {served.name: served for served in names})


async def served_versions(
    entries: Sequence[RegistryEntry], documents: Documents
) -> tuple[Sequence[ServedVersion], Readable]:
    """A few versions, and where they have their places."""
    bodies = await documents.bodies_or_redactions(entries)
    shown = _shown(entries, bodies)
    return _placed(entries, bodies, _places(shown, 0), {}), HeldResponses(b"".join(shown))


async def _served_names(
    changed: Mapping[EntryName, NamedComposition],
    documents: Documents,
    responses: ScratchFile,
    shared: _Shared,
) -> Sequence[ServedName]:
    entries = _entries(changed)
    packed = await documents.packed({served.entry.document_hash for served in entries})

    def laid_down() -> Sequence[ServedName]:
        bodies = documents.unpacked([packed[served.entry.document_hash] for served in entries])
        shown = _shown(entries, bodies)
        versions, latest = _laid_down(entries, bodies, shown, responses, shared)
        texts = list(map(_text, versions, shown))
        return list(_named(changed, iter(versions), iter(latest), iter(texts)))

    return await anyio.to_thread.run_sync(laid_down)


def _outlined(
    changed: Mapping[EntryName, NamedComposition], shared: _Shared
) -> Sequence[ServedName]:
    versions = [_served_version(entry, None, _NOWHERE, shared) for entry in _entries(changed)]
    latest = [served for served in versions if served.is_latest]
    return list(_named(changed, iter(versions), iter(latest), repeat("")))


def _entries(changed: Mapping[EntryName, NamedComposition]) -> Sequence[RegistryEntry]:
    return [entry for composition in changed.values() for entry in composition.entries]


def _laid_down(
    entries: Sequence[RegistryEntry],
    bodies: Sequence[_Body],
    shown: Sequence[bytes],
    responses: ScratchFile,
    shared: _Shared,
) -> tuple[Sequence[ServedVersion], Sequence[ServedVersion]]:
    """All versions, and the latest ones once more in a place of their own.

    So a page of either kind lies in one piece.
    """
    latest = [text for served, text in zip(entries, shown, strict=True) if served.entry.is_latest]
    start = responses.append(b"".join((*shown, *latest)))
    versions = _placed(entries, bodies, _places(shown, start), shared)
    places = _places(latest, versions[-1].end if versions else start)
    moved = zip((served for served in versions if served.is_latest), places, strict=True)
    return versions, [attrs.evolve(served, start=at, end=end) for served, (at, end) in moved]


def _shown(entries: Iterable[RegistryEntry], bodies: Iterable[_Body]) -> Sequence[bytes]:
    pairs = zip(entries, bodies, strict=True)
    return [server_response(served, body) + SEPARATOR for served, body in pairs]


def _places(shown: Iterable[bytes], start: int) -> Iterator[Span]:
    return pairwise(accumulate(map(len, shown), initial=start))


def _placed(
    entries: Iterable[RegistryEntry],
    bodies: Iterable[_Body],
    places: Iterable[Span],
    shared: _Shared,
) -> Sequence[ServedVersion]:
    return [
        _served_version(served, body if isinstance(body, Redaction) else None, place, shared)
        for served, body, place in zip(entries, bodies, places, strict=True)
    ]


def _served_version(
    served: RegistryEntry, redaction: Redaction | None, place: Span, shared: _Shared
) -> ServedVersion:
    """What is in *shared* already is taken from there."""
    entry = served.entry
    updated_us, published_us = to_micros(served.updated_at), to_micros(entry.published_at)
    return ServedVersion(
        name=entry.key.name,
        version=entry.key.version,
        document_hash=bytes.fromhex(entry.document_hash),
        start=place[0],
        end=place[1],
        redaction=redaction,
        updated_us=shared.setdefault(updated_us, updated_us),
        published_us=shared.setdefault(published_us, published_us),
        is_latest=entry.is_latest,
        is_deleted=entry.status is Status.DELETED,
    )


def _named(
    changed: Mapping[EntryName, NamedComposition],
    versions: Iterator[ServedVersion],
    latest: Iterator[ServedVersion],
    texts: Iterator[str],
) -> Iterator[ServedName]:
    for name, composition in changed.items():
        served = tuple(next(versions) for _ in composition.entries)
        yield ServedName(
            name=name,
            versions=served,
            latest=next(latest) if any(version.is_latest for version in served) else None,
            texts=tuple(islice(texts, len(served))),
            updated_us=max([version.updated_us for version in served], default=0),
            changed_us=to_micros(composition.changed_at),
            left_us=to_micros(composition.left_at) if composition.left_at else 0,
            hidden=hidden_digest(composition.hidden),
        )


def _text(version: ServedVersion, response: bytes) -> str:
    """What searches look into. Of what was redacted only the name is left."""
    if version.redaction:
        return search_text(version.name, ())
    document = json.loads(response[: -len(SEPARATOR)])["server"]
    return search_text(version.name, (document.get("title"), document.get("description")))
