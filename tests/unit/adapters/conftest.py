"""What tests of several adapters start from."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from adapters.storage.sqlite_database import SqliteDatabase
from tests.harness.git_http import GitHttpServer, serve_git
from tests.harness.git_repository import GitRepository


@pytest.fixture
def origin(tmp_path: Path) -> GitRepository:
    """A repository with one commit, below a folder that can be served."""
    repository = GitRepository(tmp_path / "root" / "catalog")
    repository.commit({"registry.json": b"{}"})
    return repository


@pytest.fixture
def server(origin: GitRepository) -> Iterator[GitHttpServer]:
    """A server of the repository for everybody."""
    with serve_git(origin.path.parent) as server:
        yield server


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a log file is going to be."""
    return tmp_path / "log.db"


@pytest.fixture
async def database(path: Path) -> AsyncIterator[SqliteDatabase]:
    """An open database at that path."""
    opened = await SqliteDatabase.open(path)
    yield opened
    await opened.close()
