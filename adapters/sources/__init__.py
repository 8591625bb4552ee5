"""Where entries come from. A new kind of source is one file here and one line in SOURCES."""

import logging

from adapters.sources.api import API
from adapters.sources.configmap import CONFIGMAP
from adapters.sources.file import FILE
from adapters.sources.git import GIT
from adapters.sources.source_type import SourceType

# It warns of each retry, and not of whose; what ends a sync is told by the sync.
logging.getLogger("stamina").setLevel(logging.ERROR)

SOURCES: tuple[SourceType, ...] = (FILE, GIT, CONFIGMAP, API)
"""Every kind of source that a configuration can name."""
