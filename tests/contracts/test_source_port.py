"""What every source promises to whoever syncs it, shown on each with a world of its own."""

import hashlib
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from copy import deepcopy
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import attrs
import pytest
from anyio import create_task_group

from adapters.sources import SOURCES
from adapters.sources.api import API, ApiSettings
from adapters.sources.configmap import CONFIGMAP, ConfigMapSettings
from adapters.sources.file import FILE, FileSettings
from adapters.sources.git import GIT, GitSettings
from adapters.sources.source_type import SourceType
from domain.errors import SourceError
from domain.ports.source import Fetched, SourcePort, Unchanged
from tests.harness.git_repository import GitRepository
from tests.harness.hostile_server import Answer, HostileServer, Request, answers, hostile_server
from tests.harness.kubernetes_server import KubernetesServer, serve_kubernetes
from tests.harness.paging_server import PagingRegistry

NAMES = [f"s{number:02}" for number in range(100)]
OLD = b'{"servers": {}}'
NEW = b'\xef\xbb\xbf{"servers":\r\n {"a\x00b": 1}}'


class World(Protocol):
    """Where a source reads from, in the hands of a test."""

    settings: Any
    place: str

    def write(self, content: bytes) -> None:
        """Let the source have *content* and nothing else."""

    def sent(self, content: bytes) -> list[bytes]:
        """The payloads that the source makes of *content*."""

    def hide(self) -> None:
        """Let the source be gone."""

    def show(self) -> None:
        """Let the source be back."""


class FileWorld:
    """One file."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "registry.json"
        self.place = str(self._file)
        self.settings = FileSettings(path=self.place)

    def write(self, content: bytes) -> None:
        self._file.write_bytes(content)

    def sent(self, content: bytes) -> list[bytes]:
        return [content]

    def hide(self) -> None:
        self._file.rename(self._file.with_name("elsewhere"))

    def show(self) -> None:
        self._file.with_name("elsewhere").rename(self._file)


class FileUrlWorld:
    """One file on a server that knows conditions."""

    def __init__(self, server: HostileServer) -> None:
        self._server = server
        self._content = b""
        server.answer = self._answer
        self.place = server.url("/registry.json")
        self.settings = FileSettings(url=f"{self.place}?key=s3cret")

    def write(self, content: bytes) -> None:
        self._content = content

    def sent(self, content: bytes) -> list[bytes]:
        return [content]

    def hide(self) -> None:
        self._server.misbehave(answers(404))

    def show(self) -> None:
        self._server.misbehave(answers(404), lambda _request: False)

    async def _answer(self, request: Request) -> Answer:
        etag = f'"{hashlib.sha256(self._content).hexdigest()}"'
        if request.headers.get("if-none-match") == etag:
            return Answer(status=304)
        return Answer(headers={"ETag": etag}, body=self._content)


@asynccontextmanager
async def open_file_url(_folder: Path) -> AsyncIterator[World]:
    """A world around a running server."""
    async with hostile_server() as server:
        yield FileUrlWorld(server)


class GitWorld:
    """One repository on this machine."""

    def __init__(self, folder: Path) -> None:
        self._repository = GitRepository(folder / "repository")
        self.place = str(self._repository.path)
        self.settings = GitSettings(repository=self.place)

    def write(self, content: bytes) -> None:
        self._repository.commit({"registry.json": content})

    def sent(self, content: bytes) -> list[bytes]:
        return [content]

    def hide(self) -> None:
        self._repository.path.rename(self._repository.path.with_name("elsewhere"))

    def show(self) -> None:
        self._repository.path.with_name("elsewhere").rename(self._repository.path)


class ApiWorld:
    """A page of servers that were updated together; they are described by the content."""

    def __init__(self, server: HostileServer) -> None:
        self._server = server
        self._registry = PagingRegistry()
        server.answer = self._registry.answer
        self.place = server.url("/registry/public")
        self._registry.base = "/registry/public/v0.1"
        self.settings = ApiSettings(url=self.place)

    def write(self, content: bytes) -> None:
        self._registry.pass_time(1)
        self._registry.put(*NAMES)
        for entry in self._registry.entries.values():
            entry["server"]["description"] = repr(content)

    def sent(self, content: bytes) -> list[bytes]:
        servers = deepcopy([*self._registry.entries.values()])
        for entry in servers:
            entry["server"]["description"] = repr(content)
        return [json.dumps({"servers": servers, "metadata": {"count": len(NAMES)}}).encode()]

    def hide(self) -> None:
        self._server.misbehave(answers(404))

    def show(self) -> None:
        self._server.misbehave(answers(404), lambda _request: False)


@asynccontextmanager
async def open_api(_folder: Path) -> AsyncIterator[World]:
    """A world around a running server."""
    async with hostile_server() as server:
        yield ApiWorld(server)


class ConfigMapWorld:
    """One ConfigMap of one cluster."""

    place = "annals/registry"

    def __init__(self, cluster: KubernetesServer, folder: Path) -> None:
        self._cluster = cluster
        kubeconfig = cluster.kubeconfig(folder / "kubeconfig")
        self.settings = ConfigMapSettings(
            namespace="annals", name="registry", kubeconfig=kubeconfig
        )

    def write(self, content: bytes) -> None:
        self._cluster.write_binary("registry", "registry.json", content)

    def sent(self, content: bytes) -> list[bytes]:
        return [content]

    def hide(self) -> None:
        self._cluster.go_away()

    def show(self) -> None:
        self._cluster.listen()


@asynccontextmanager
async def open_configmap(folder: Path) -> AsyncIterator[World]:
    """A cluster in a thread of its own."""
    with serve_kubernetes() as cluster:
        yield ConfigMapWorld(cluster, folder)


Opening: TypeAlias = Callable[[Path], AbstractAsyncContextManager[World]]


def local(world: Callable[[Path], World]) -> Opening:
    """How to open a world that needs nothing but a folder."""

    @asynccontextmanager
    async def open_world(folder: Path) -> AsyncIterator[World]:
        yield world(folder)

    return open_world


WORLDS: dict[str, tuple[SourceType, Opening]] = {
    "file": (FILE, local(FileWorld)),
    "file-url": (FILE, open_file_url),
    "git": (GIT, local(GitWorld)),
    "configmap": (CONFIGMAP, open_configmap),
    "api": (API, open_api),
}
"""Each kind of source, with each of the worlds that it can be in."""


@attrs.frozen
class Subject:
    """A kind of source and its world; every opened source is as after a restart."""

    kind: SourceType
    world: World
    cache_dir: Path

    def open(self) -> SourcePort:
        return self.kind.open(self.world.settings, self.cache_dir)


@pytest.fixture(params=WORLDS)
async def subject(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Subject]:
    """Each world in turn, with OLD in it."""
    kind, open_world = WORLDS[request.param]
    async with open_world(tmp_path) as world:
        world.write(OLD)
        yield Subject(kind, world, tmp_path / "cache")


async def fetch(subject: Subject, known_revision: str | None = None) -> Fetched:
    result = await subject.open().fetch(known_revision)
    assert isinstance(result, Fetched)
    return result


async def read(fetched: Fetched) -> list[bytes]:
    return [payload async for payload in fetched.payloads]


async def revision_of(fetched: Fetched) -> str:
    """Asked for as a sync does: when everything has been read."""
    await read(fetched)
    return fetched.revision()


async def test_first_fetch_brings_the_content_byte_for_byte(subject: Subject) -> None:
    """What was written is what is read: no decoding, no line endings."""
    assert await read(await fetch(subject)) == subject.world.sent(OLD)
    subject.world.write(NEW)
    assert await read(await fetch(subject)) == subject.world.sent(NEW)


async def test_known_revision_is_unchanged(subject: Subject) -> None:
    """Given back its own revision, a source says so, again and again."""
    source = subject.open()
    revision = await revision_of(await fetch(subject))
    assert [await source.fetch(revision) for _ in range(2)] == [Unchanged(), Unchanged()]


async def test_revision_survives_a_restart_and_a_lost_cache(subject: Subject) -> None:
    """What a source knows of the past is in the revision alone."""
    revision = await revision_of(await fetch(subject))
    elsewhere = attrs.evolve(subject, cache_dir=subject.cache_dir / "new")
    assert await elsewhere.open().fetch(revision) == Unchanged()
    afresh = await revision_of(await fetch(elsewhere))
    assert await subject.open().fetch(afresh) == Unchanged()


async def test_change_is_fetched(subject: Subject) -> None:
    """Other content has another revision, and is then the known one."""
    old = await revision_of(await fetch(subject))
    subject.world.write(NEW)
    fetched = await fetch(subject, old)
    assert await read(fetched) == subject.world.sent(NEW)
    new = fetched.revision()
    assert new != old
    assert await subject.open().fetch(new) == Unchanged()


@pytest.mark.parametrize("revision", ["", "sha256:0", "0" * 40, "\0é", "7"])
async def test_foreign_revision_is_not_known(subject: Subject, revision: str) -> None:
    """A revision from other days or another kind of source costs a fetch, no error."""
    assert await read(await fetch(subject, revision)) == subject.world.sent(OLD)


async def test_two_fetches_at_once_agree(subject: Subject) -> None:
    """Fetches of the same source do not get in each other's way."""
    results: list[bytes] = []

    async def collect() -> None:
        results.extend(await read(await fetch(subject)))

    async with create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(collect)
    assert results == subject.world.sent(OLD) * 4


async def test_missing_source_is_an_error_until_it_is_back(subject: Subject) -> None:
    """A source that is gone says which one it is, never looks empty, and needs no restart."""
    source = subject.open()
    revision = await revision_of(await fetch(subject))
    subject.world.hide()
    with pytest.raises(SourceError, match=re.escape(subject.world.place)):
        await source.fetch(revision)
    subject.world.show()
    assert await source.fetch(revision) == Unchanged()


async def test_effective_time_is_aware(subject: Subject) -> None:
    """A source that knows since when it has its content tells it in UTC."""
    effective_at = (await fetch(subject)).effective_at
    assert effective_at is None or effective_at.utcoffset() == timedelta(0)


async def test_location_names_the_place(subject: Subject) -> None:
    """An operator recognises the source by what was configured."""
    assert subject.world.place in subject.kind.location(subject.world.settings)


def test_every_kind_is_shown() -> None:
    """No kind of source goes without these promises."""
    assert {kind.name for kind, _ in WORLDS.values()} == {kind.name for kind in SOURCES}


def test_kinds_have_names_of_their_own() -> None:
    """A configuration names a kind of source by one word, and its settings are frozen."""
    assert len({kind.name for kind in SOURCES}) == len(SOURCES)
    assert all(attrs.has(kind.settings) for kind in SOURCES)
