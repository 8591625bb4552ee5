"""Records the history of a repository, and tells how far it came: a process to be killed.

Run it as `python -m tests.crash.backfilling DIRECTORY REPOSITORY`. It writes the number of each
revision that was recorded, a line each, and `done` when the sync has ended.
"""

import sys
from pathlib import Path

import anyio

from adapters.sources.git import GIT, History
from application.sync import SyncOutcome
from domain.identifiers import RegistryName, SourceName
from entrypoints.config import Config, RegistryConfig, SourceConfig
from entrypoints.container import opened, synced_sources
from entrypoints.running import prepare
from entrypoints.settings import Settings

NAME = SourceName("reviewed")


def settings_in(directory: Path, repository: Path) -> Settings:
    """A repository with its history as the only source, with the log in a directory."""
    source = SourceConfig(
        name=NAME,
        type=GIT.name,
        settings=GIT.settings(repository=str(repository), history=History()),
        max_removal=1.0,
    )
    registry = RegistryConfig(name=RegistryName("default"), sources=(NAME,))
    config = Config(sources=(source,), registries=(registry,))
    return Settings(config=config, config_file=None, data_dir=directory)


async def backfill(settings: Settings) -> SyncOutcome:
    """Sync once, and tell of every revision."""
    async with opened(settings.config, settings.data_dir) as container:
        await prepare(container, settings)
        (source,) = synced_sources(settings.config, settings.data_dir)
        return await container.syncer().sync(source, lambda number, _: _tell(number))


def _tell(what: object) -> None:
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    anyio.run(backfill, settings_in(Path(sys.argv[1]), Path(sys.argv[2])))
    _tell("done")
