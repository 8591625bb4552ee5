"""What every source promises to whoever syncs it, shown on each with a world of its own."""

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

import attrs
import pytest
from anyio import create_task_group

from adapters.sources import SOURCES
from adapters.sources.file import FileSettings
from adapters.sources.git import GitSettings
from adapters.sources.source_type import SourceType
from domain.errors import SourceError
from domain.ports.source import Fetched, SourcePort, Unchanged
from tests.harness.git_repository import GitRepository

OLD = b'{"servers": {}}'
NEW = b'\xef\xbb\xbf{"servers":\r\n {"a\x00b": 1}}'


class World(Protocol):
    """Where a source reads from, in the hands of a test."""

    settings: Any
    place: str

    def write(self, content: bytes) -> None:
        """Let the source have *content* and nothing else."""

    def hide(self) -> None:
        """Let the source be gone."""

    def show(self) -> None:
        """Let the source be back."""


class FileWorld:
    """One file."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "registry.json"
        self.place = str(self._file)
        self.settings = FileSettings(self.place)

    def write(self, content: bytes) -> None:
        self._file.write_bytes(content)

    def hide(self) -> None:
        self._file.rename(self._file.with_name("elsewhere"))

    def show(self) -> None:
        self._file.with_name("elsewhere").rename(self._file)


class GitWorld:
    """One repository on this machine."""

    def __init__(self, folder: Path) -> None:
        self._repository = GitRepository(folder / "repository")
        self.place = str(self._repository.path)
        self.settings = GitSettings(repository=self.place)

    def write(self, content: bytes) -> None:
        self._repository.commit({"registry.json": content})

    def hide(self) -> None:
        self._repository.path.rename(self._repository.path.with_name("elsewhere"))

    def show(self) -> None:
        self._repository.path.with_name("elsewhere").rename(self._repository.path)


WORLDS: dict[str, Callable[[Path], World]] = {"file": FileWorld, "git": GitWorld}


@attrs.frozen
class Subject:
    """A kind of source and its world; every opened source is as after a restart."""

    kind: SourceType
    world: World
    cache_dir: Path

    def open(self) -> SourcePort:
        return self.kind.open(self.world.settings, self.cache_dir)


@pytest.fixture(params=SOURCES, ids=lambda kind: kind.name)
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Subject:
    """Each kind of source in turn, with OLD in its world."""
    kind: SourceType = request.param
    world = WORLDS[kind.name](tmp_path)
    world.write(OLD)
    return Subject(kind, world, tmp_path / "cache")


async def fetch(subject: Subject, known_revision: str | None = None) -> Fetched:
    result = await subject.open().fetch(known_revision)
    assert isinstance(result, Fetched)
    return result


async def read(fetched: Fetched) -> list[bytes]:
    return [payload async for payload in fetched.payloads]


async def test_first_fetch_brings_the_content_byte_for_byte(subject: Subject) -> None:
    """What was written is what is read: no decoding, no line endings."""
    assert await read(await fetch(subject)) == [OLD]
    subject.world.write(NEW)
    assert await read(await fetch(subject)) == [NEW]


async def test_known_revision_is_unchanged(subject: Subject) -> None:
    """Given back its own revision, a source says so, again and again."""
    source = subject.open()
    revision = (await fetch(subject)).revision()
    assert [await source.fetch(revision) for _ in range(2)] == [Unchanged(), Unchanged()]


async def test_revision_survives_a_restart_and_a_lost_cache(subject: Subject) -> None:
    """What a source knows of the past is in the revision alone."""
    revision = (await fetch(subject)).revision()
    elsewhere = attrs.evolve(subject, cache_dir=subject.cache_dir / "new")
    assert await elsewhere.open().fetch(revision) == Unchanged()
    assert (await fetch(elsewhere)).revision() == revision


async def test_change_is_fetched(subject: Subject) -> None:
    """Other content has another revision, and is then the known one."""
    old = await fetch(subject)
    subject.world.write(NEW)
    new = await fetch(subject, old.revision())
    assert await read(new) == [NEW]
    assert new.revision() != old.revision()
    assert await subject.open().fetch(new.revision()) == Unchanged()


@pytest.mark.parametrize("revision", ["", "sha256:0", "0" * 40, "\0é", "7"])
async def test_foreign_revision_is_not_known(subject: Subject, revision: str) -> None:
    """A revision from other days or another kind of source costs a fetch, no error."""
    assert await read(await fetch(subject, revision)) == [OLD]


async def test_two_fetches_at_once_agree(subject: Subject) -> None:
    """Fetches of the same source do not get in each other's way."""
    results: list[bytes] = []

    async def collect() -> None:
        results.extend(await read(await fetch(subject)))

    async with create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(collect)
    assert results == [OLD] * 4


async def test_missing_source_is_an_error_until_it_is_back(subject: Subject) -> None:
    """A source that is gone says which one it is, never looks empty, and needs no restart."""
    source = subject.open()
    revision = (await fetch(subject)).revision()
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


def test_kinds_have_names_of_their_own() -> None:
    """A configuration names a kind of source by one word, and its settings are frozen."""
    assert len({kind.name for kind in SOURCES}) == len(SOURCES)
    assert all(attrs.has(kind.settings) for kind in SOURCES)
