"""PLACEHOLDER by the lead until helper R lands."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
import attrs
from application.cursor import ListFilters
from application.registry_version import ServerKey
from domain.identifiers import EntryKind, EntryName
from domain.redaction import Redaction
from domain.timestamps import to_micros


@attrs.frozen(kw_only=True)
class ServedVersion:
    name: str
    version: str
    document_hash: bytes
    packed: bytes | Redaction
    official: bytes
    updated_us: int
    published_us: int
    is_latest: bool
    is_deleted: bool


@attrs.frozen(kw_only=True)
class ServedName:
    name: EntryName
    versions: tuple[ServedVersion, ...]
    texts: tuple[str, ...]
    changed_us: int
    left_us: int
    hidden: int


@attrs.frozen
class RegistryIndex:
    names: Mapping[EntryName, ServedName]

    def replaced(self, names: Mapping[EntryName, ServedName | None]) -> "RegistryIndex":
        merged = {**self.names, **names}
        kept = {n: s for n, s in merged.items() if s}
        return RegistryIndex(dict(sorted(kept.items(), key=lambda i: (i[0].kind, i[0].name))))

    def named(self, name: EntryName) -> ServedName | None:
        return self.names.get(name)

    def walk(self, filters: ListFilters, after: ServerKey | None) -> Iterator[ServedVersion]:
        needle = (filters.search or "").lower()
        for name, served in self.names.items():
            if name.kind is not EntryKind.SERVER:
                continue
            for v, text in zip(served.versions, served.texts, strict=True):
                if after is not None and (v.name, v.version) <= after:
                    continue
                if needle and needle not in text:
                    continue
                if v.is_deleted and not filters.shows_deleted:
                    continue
                if filters.updated_since and v.updated_us <= to_micros(filters.updated_since):
                    continue
                if filters.version == "latest":
                    if v.is_latest:
                        yield v
                elif not filters.version or v.version == filters.version:
                    yield v

    def is_far(self, filters: ListFilters) -> bool:
        return False

    def entries(self) -> Iterator[ServedVersion]:
        for s in self.names.values():
            yield from s.versions

    def names_with(self, document_hashes: Collection[bytes]) -> Sequence[EntryName]:
        w = set(document_hashes)
        return [n for n, s in self.names.items() if any(v.document_hash in w for v in s.versions)]

    @property
    def server_names(self) -> int:
        return sum(1 for n, s in self.names.items() if s.versions and n.kind is EntryKind.SERVER)

    @property
    def server_versions(self) -> int:
        return sum(len(s.versions) for n, s in self.names.items() if n.kind is EntryKind.SERVER)

    @property
    def changed_us(self) -> int:
        return max((s.changed_us for s in self.names.values()), default=0)

    @property
    def left_us(self) -> int:
        return max((s.left_us for s in self.names.values()), default=0)

    @property
    def hidden(self) -> int:
        h = 0
        for s in self.names.values():
            h ^= s.hidden
        return h


def build_index(names: Iterable[ServedName]) -> RegistryIndex:
    return RegistryIndex({s.name: s for s in names})
