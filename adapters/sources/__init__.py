"""Where entries come from. A new kind of source is one file here and one line in SOURCES."""

from adapters.sources.file import FILE
from adapters.sources.git import GIT
from adapters.sources.source_type import SourceType

SOURCES: tuple[SourceType, ...] = (FILE, GIT)
"""Every kind of source that a configuration can name."""
