"""A reader of changes that knows nothing else: what docs/http-api.md tells such a reader to do."""

import attrs
import msgspec

from domain.identifiers import Position

Key = tuple[str, str, str]
"""Kind, name and version."""


class ToldVersion(msgspec.Struct):
    """What became of a version; its entry as it came, byte for byte."""

    version: str
    change: str
    entry: msgspec.Raw


class ToldChange(msgspec.Struct):
    """A change as the feed sends it."""

    id: str
    kind: str
    name: str
    position: Position
    versions: list[ToldVersion]


@attrs.define
class Reader:
    """The entries of a registry, put together out of its changes."""

    entries: dict[Key, bytes] = attrs.field(factory=dict)

    def take(self, told: bytes) -> ToldChange:
        """Apply a change. It has to fit to what came before."""
        change = msgspec.json.decode(told, type=ToldChange)
        for version in change.versions:
            key = (change.kind, change.name, version.version)
            assert (key in self.entries) == (version.change != "added"), told
            if version.change == "removed":
                assert bytes(version.entry) == b"null", told
                del self.entries[key]
            else:
                self.entries[key] = bytes(version.entry)
        return change
