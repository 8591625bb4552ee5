"""Directories that Annals is served from."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.benchmarks.catalogue import documents

REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "upstream-registry.json"
"""A registry that somebody published; not everywhere."""

_FILE = "file: {path: registry.json}, format: upstream"
_CONFIGURATION = "sources: [{{name: bench, {source}, syncPolicy: {{interval: 24h}}}}]\n"


def configured(directory: Path, source: str = _FILE) -> Path:
    """The directory, with a configuration of one source."""
    (directory / "annals.yaml").write_text(_CONFIGURATION.format(source=source))
    return directory


def registry_file(file: Path, versions: int) -> None:
    """All versions, in ToolHive's newer format."""
    write_registry(file, documents(versions))


def write_registry(
    file: Path, servers: Iterable[dict[str, Any]], separators: tuple[str, str] = (",", ":")
) -> None:
    """The same of any documents. What separates values in JSON may be wider."""
    with file.open("w", encoding="utf-8") as output:
        output.write('{"version": "1.0.0", "meta": {}, "data": {"servers": [')
        for number, server in enumerate(servers):
            output.write(",\n" if number else "\n")
            output.write(json.dumps(server, ensure_ascii=False, separators=separators))
        output.write("\n]}}\n")
