"""Syncs a file that changes all the time, and tells what is acknowledged: a process to be killed.

Run it as `python -m tests.crash.syncing DIRECTORY SEED`. Once a sync has returned it writes a line
with the sync's position.
"""

import json
import sys
from pathlib import Path
from random import Random
from typing import Any

import anyio

from adapters.sources import SOURCES
from application.sync import SyncOutcome
from domain.identifiers import RegistryName, SourceName
from entrypoints.config import Config, RegistryConfig, SourceConfig
from entrypoints.container import Container, opened, synced_sources
from entrypoints.running import prepare
from entrypoints.settings import Settings

_SERVERS = 12


def settings_in(directory: Path) -> Settings:
    """One file as the only source, with the log beside it."""
    kind = next(kind for kind in SOURCES if kind.name == "file")
    name = SourceName("changing")
    source = SourceConfig(
        name=name,
        type=kind.name,
        settings=kind.settings(path=str(directory / "offered.json")),
        max_removal=1.0,
    )
    registry = RegistryConfig(name=RegistryName("default"), sources=(name,))
    config = Config(sources=(source,), registries=(registry,))
    return Settings(config=config, config_file=None, data_dir=directory)


def offered(chance: Random) -> bytes:
    """A registry file, sometimes with entries that are rejected."""
    numbers = (number for number in range(_SERVERS) if chance.random() < 0.8)
    return json.dumps([_server(number, chance) for number in numbers]).encode()


def _server(number: int, chance: Random) -> dict[str, Any]:
    server = {"name": f"io.example/server-{number}", "version": f"1.{chance.randrange(2)}.0"}
    if chance.random() < 0.05:
        return server  # rejected: it has no description
    return {**server, "description": f"Does {chance.randrange(3)} things."}


async def sync_file(container: Container, settings: Settings, content: bytes) -> SyncOutcome:
    """Let the file hold *content*, and sync it."""
    (settings.data_dir / "offered.json").write_bytes(content)
    (source,) = synced_sources(settings.config, settings.data_dir)
    return await container.syncer().sync(source)


async def keep_syncing(directory: Path, chance: Random) -> None:
    """Sync until killed."""
    settings = settings_in(directory)
    async with opened(settings.config, settings.data_dir) as container:
        await prepare(container, settings)
        while True:
            content = b"<html>" if chance.random() < 0.1 else offered(chance)
            outcome = await sync_file(container, settings, content)
            sys.stdout.write(f"{outcome.position}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    anyio.run(keep_syncing, Path(sys.argv[1]), Random(int(sys.argv[2])))
