"""Whatever is changed in the tables of a log, `registry verify` names it."""

import json
import shutil
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from random import Random
from typing import Any

import anyio
import attrs
import pytest

from adapters.storage.sqlite import SqliteStorage
from application.verify import verify
from domain.errors import AnnalsError
from domain.ports.storage import Damage
from entrypoints.config import Config, load
from entrypoints.container import opened, synced_sources
from entrypoints.running import prepare
from entrypoints.settings import Settings
from tests.harness.clock import SteppingClock
from tests.harness.sqlite_files import run_script, tamper

TABLES = ("commits", "events", "documents", "frontier")
CONFIGURATION = """
sources:
  - {name: one, file: {path: one.json}}
  - {name: two, file: {path: two.json}}
"""


def server(name: str, **members: Any) -> dict[str, Any]:
    return {"name": f"io.example/{name}", "version": "1", "description": "Does things.", **members}


UNDESCRIBED = {"name": "io.example/undescribed", "version": "1"}
DEPRECATED = {
    "server": server("c"),
    "_meta": {"io.modelcontextprotocol.registry/official": {"status": "deprecated"}},
}
SYNCS: Sequence[tuple[Any, Any]] = (
    ([server("a"), server("b"), UNDESCRIBED], [server("c")]),
    ([server("a", description="Does more.")], "<html>"),
    ([server("a", description="Does more.")], [DEPRECATED]),
)
"""What the two sources offer: listed and rejected; revised, delisted, failed; status changed."""


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a small log in which everything happens once."""
    directory = tmp_path_factory.mktemp("small")
    file = directory / "annals.yaml"
    file.write_text(CONFIGURATION)
    settings = Settings(config=load(file), config_file=file, data_dir=directory)

    async def work() -> None:
        async with opened(settings.config, directory) as container:
            await prepare(container, settings)
            for offers in SYNCS:
                for source, offer in zip(synced_sources(settings.config, directory), offers):
                    (directory / f"{source.name}.json").write_text(json.dumps(offer))
                    await container.syncer().sync(source)

    anyio.run(work)
    return directory / "annals.db"
