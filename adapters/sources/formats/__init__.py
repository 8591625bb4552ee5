"""The formats that registry files are written in."""

from collections.abc import Sequence
from datetime import datetime

import attrs

from adapters.sources.formats.payload import read_json
from adapters.sources.formats.toolhive import ToolhiveFormat, is_toolhive
from adapters.sources.formats.upstream import UpstreamFormat
from domain.ports.format import FormatPort, Listed, Parsed

_TOOLHIVE, _UPSTREAM = ToolhiveFormat(), UpstreamFormat()

FORMATS: dict[str, FormatPort] = {"toolhive": _TOOLHIVE, "upstream": _UPSTREAM}
"""Every format that a configuration can name."""


@attrs.frozen
class DetectedFormat:
    """`FormatPort` of whichever format a payload is in. It writes the one that holds everything."""

    def parse(self, payload: bytes) -> Parsed:
        registry = read_json(payload)
        return (_TOOLHIVE if is_toolhive(registry) else _UPSTREAM).read(registry)

    def render(self, entries: Sequence[Listed], last_updated: datetime) -> bytes:
        return _UPSTREAM.render(entries, last_updated)
