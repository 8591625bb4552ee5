"""Where entries come from. A new kind of source is one file here and one line in SOURCES."""

from adapters.sources.api import API
from adapters.sources.configmap import CONFIGMAP
from adapters.sources.file import FILE
from adapters.sources.git import GIT
from adapters.sources.source_type import SourceType

SOURCES: tuple[SourceType, ...] = (FILE, GIT, CONFIGMAP, API)
"""Every kind of source that a configuration can name."""
