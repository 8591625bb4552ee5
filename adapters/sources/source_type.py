"""What the composition root and the configuration need to know of a kind of source."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs

from domain.ports.source import SourcePort


@attrs.frozen(kw_only=True)
class SourceType:
    """A kind of source.

    `name` is its key in a configuration. `settings` is the attrs class of what stands under
    that key. `open` makes a source of settings and a directory it may keep a cache in.
    `location` tells people where the source is, without secrets.
    """

    name: str
    settings: type
    open: Callable[[Any, Path], SourcePort]
    location: Callable[[Any], str]
