"""What tests of several adapters start from."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from adapters.storage.sqlite_database import SqliteDatabase
from tests.harness.asking import serve_json
from tests.harness.certificates import Certificate, make_certificate
from tests.harness.git_http import GitHttpServer, serve_git
from tests.harness.git_repository import GitRepository
from tests.harness.hostile_server import HostileServer, hostile_server


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


@pytest.fixture
async def web() -> AsyncIterator[HostileServer]:
    """A server that answers with JSON, until it is told otherwise."""
    async with hostile_server() as server:
        server.answer = serve_json
        yield server


@pytest.fixture
async def other_web() -> AsyncIterator[HostileServer]:
    """Another one, which is another origin by its port."""
    async with hostile_server() as server:
        server.answer = serve_json
        yield server


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """One that nobody trusts who was not told to."""
    return make_certificate(tmp_path_factory.mktemp("certificates"), "ours")


@pytest.fixture
async def tls_web(certificate: Certificate) -> AsyncIterator[HostileServer]:
    """One over https."""
    async with hostile_server(certificate) as server:
        server.answer = serve_json
        yield server


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    """A file with a token in it."""
    file = tmp_path / "token"
    file.write_text("s3cret\n")
    return file
