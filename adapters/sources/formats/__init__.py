"""The formats that registry files are written in."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Protocol

import attrs

from adapters.sources.formats.opened import Opened, parsed
from adapters.sources.formats.payload import open_json
from adapters.sources.formats.toolhive import ToolhiveFormat, is_toolhive
from adapters.sources.formats.upstream import UpstreamFormat
from domain.identifiers import EntryKind
from domain.ports.format import FormatPort, Listed, Parsed

_TOOLHIVE, _UPSTREAM = ToolhiveFormat(), UpstreamFormat()


class RegistryFormat(FormatPort, Protocol):
    """A format whose payloads can be taken apart slice by slice."""

    def open(self, registry: Any) -> Opened:
        """What lies in JSON that was opened.

        Raises:
            SourceContentError: it is not of this format at all.
        """
        ...


FORMATS: dict[str, RegistryFormat] = {"toolhive": _TOOLHIVE, "upstream": _UPSTREAM}
"""Every format that a configuration can name."""


@attrs.frozen
class DetectedFormat:
    """`FormatPort` of whichever format a payload is in. It writes the one that holds everything."""

    def parse(self, payload: bytes) -> Parsed:
        return parsed(self.open(open_json(payload)))

    def open(self, registry: Any) -> Opened:
        """What lies in JSON that was opened.

        Raises:
            SourceContentError: it is of no format.
        """
        return (_TOOLHIVE if is_toolhive(registry) else _UPSTREAM).open(registry)

    def render(
        self, entries: Mapping[EntryKind, Iterable[Listed]], last_updated: datetime
    ) -> Iterator[bytes]:
        return _UPSTREAM.render(entries, last_updated)


def format_named(name: str | None) -> RegistryFormat:
    """The format of that name; without one, whichever a payload is in."""
    return DetectedFormat() if name is None else FORMATS[name]
