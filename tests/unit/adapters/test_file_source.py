"""A registry file on this machine: links, limits, and what else can lie at a path."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.sources.file import FILE, MAX_BYTES, FileSettings, FileSource
from adapters.sources.spool import LARGE_BYTES
from domain.errors import (
    SourceAccessError,
    SourceContentError,
    SourceLimitError,
    SourceUnreachableError,
)
from domain.ports.source import Fetched, FetchResult, LargePayload, Unchanged


async def fetch(
    path: Path, known_revision: str | None = None, max_bytes: int = MAX_BYTES
) -> FetchResult:
    source = FileSource(path=str(path), max_bytes=max_bytes)
    return await source.fetch(known_revision)


async def revision_of(path: Path) -> str:
    result = await fetch(path)
    assert isinstance(result, Fetched)
    return result.revision()


@pytest.fixture
def unreadable_file(tmp_path: Path) -> Iterator[Path]:
    """A file without read permission; tests that run as root, whom nothing stops, become nobody."""
    file = tmp_path / "registry.json"
    file.touch(mode=0)
    user = os.geteuid()
    os.seteuid(user or 65534)
    yield file
    os.seteuid(user)


async def test_revision_is_the_digest_that_sha256sum_prints(tmp_path: Path) -> None:
    """Anyone can recompute a revision without this program."""
    file = tmp_path / "registry.json"
    file.write_bytes(b"abc")
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert await revision_of(file) == f"sha256:{digest}"


@given(old=st.binary(max_size=8), new=st.binary(max_size=8))
async def test_unchanged_means_equal_content(old: bytes, new: bytes) -> None:
    """Two states of a file have the same revision exactly when they have the same bytes."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "registry.json"
        file.write_bytes(old)
        source = FileSource(path=str(file), settled_seconds=3600.0)
        revision = await read(source, None)
        file.write_bytes(new)
        for another in (source, FileSource(path=str(file))):
            assert (await another.fetch(revision) == Unchanged()) == (old == new)


async def test_rewritten_file_with_the_same_content_is_unchanged(tmp_path: Path) -> None:
    """Neither the time of a file nor its inode matters."""
    file = tmp_path / "registry.json"
    file.write_bytes(b"{}")
    revision = await revision_of(file)
    file.unlink()
    file.write_bytes(b"{}")
    os.utime(file, (0, 0))
    assert await fetch(file, revision) == Unchanged()


async def test_links_are_followed_as_a_configmap_mounts_them(tmp_path: Path) -> None:
    """Kubernetes swaps a link to the folder of the new content under an unmoved file."""
    for version in ("1", "2"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "registry.json").write_text(version)
    (tmp_path / "..data").symlink_to("1")
    (tmp_path / "registry.json").symlink_to("..data/registry.json")
    old = await revision_of(tmp_path / "registry.json")
    (tmp_path / "..tmp").symlink_to("2")
    (tmp_path / "..tmp").replace(tmp_path / "..data")
    assert await revision_of(tmp_path / "registry.json") != old


async def test_file_at_the_limit_is_read(tmp_path: Path) -> None:
    """The limit is the largest size that is still taken."""
    file = tmp_path / "registry.json"
    file.write_bytes(b"1234")
    assert isinstance(await fetch(file, max_bytes=4), Fetched)
    with pytest.raises(SourceLimitError, match="larger than 3 bytes: split it"):
        await fetch(file, max_bytes=3)


async def test_huge_file_is_refused_by_its_size(tmp_path: Path) -> None:
    """What says that it is too large is not read."""
    file = tmp_path / "registry.json"
    with file.open("wb") as sparse:
        sparse.truncate(1 << 40)
    with pytest.raises(SourceLimitError, match="larger than 536870912 bytes"):
        await fetch(file)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux")
async def test_file_that_is_larger_than_it_says_is_refused(tmp_path: Path) -> None:
    """The limit holds while reading too: files of /proc call themselves empty."""
    with pytest.raises(SourceLimitError):
        await fetch(Path("/proc/self/status"), max_bytes=10)


@pytest.mark.parametrize("name", ["absent.json", "registry.json/below", "dangling"])
async def test_missing_file(tmp_path: Path, name: str) -> None:
    """Whatever makes a path lead nowhere, the message tells what to check."""
    (tmp_path / "registry.json").touch()
    (tmp_path / "dangling").symlink_to("nowhere")
    with pytest.raises(SourceUnreachableError, match="does not exist: check `path`, and that its"):
        await fetch(tmp_path / name)


async def test_link_to_itself(tmp_path: Path) -> None:
    """A link that leads in a circle ends in an error."""
    (tmp_path / "registry.json").symlink_to("registry.json")
    with pytest.raises(SourceUnreachableError, match="Too many levels of symbolic links"):
        await fetch(tmp_path / "registry.json")


async def test_directory(tmp_path: Path) -> None:
    """A folder is not searched for a registry."""
    with pytest.raises(SourceContentError, match="is a directory or a device: let `path` name"):
        await fetch(tmp_path)


async def test_fifo_does_not_hang(tmp_path: Path) -> None:
    """Nobody will ever write into this pipe, and the fetch does not wait for it."""
    os.mkfifo(tmp_path / "registry.json")
    with pytest.raises(SourceContentError, match="is a directory or a device"):
        await fetch(tmp_path / "registry.json")


async def test_device() -> None:
    """An endless device is not read."""
    with pytest.raises(SourceContentError, match="is a directory or a device"):
        await fetch(Path("/dev/zero"))


async def test_socket(tmp_path: Path) -> None:
    """A socket cannot even be opened."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "registry.json"))
        with pytest.raises(SourceUnreachableError, match="cannot be read"):
            await fetch(tmp_path / "registry.json")


async def test_file_without_permission(unreadable_file: Path) -> None:
    """The message names the user that needs the permission."""
    with pytest.raises(SourceAccessError, match=r"may not be read by .*\(uid \d+\): grant it"):
        await fetch(unreadable_file)


@pytest.mark.parametrize("path", ["", "a\0b"])
def test_impossible_path_is_refused_in_the_configuration(path: str) -> None:
    """What cannot be a path is told when the configuration is read."""
    with pytest.raises(ValueError, match="expected the path of a file"):
        FileSettings(path=path)


def test_kind_opens_a_source_of_its_settings(tmp_path: Path) -> None:
    """The composition root needs nothing but the kind."""
    settings = FileSettings(path="catalog/registry.json")
    assert FILE.open(settings, tmp_path) == FileSource(
        path="catalog/registry.json", spool_dir=tmp_path
    )
    assert FILE.location(settings) == "catalog/registry.json"


async def test_large_file_is_copied(tmp_path: Path) -> None:
    """Whoever truncates the file afterwards takes nothing from what is read."""
    file = tmp_path / "registry.json"
    file.write_bytes(b"x" * (LARGE_BYTES + 1))
    result = await fetch(file)
    assert isinstance(result, Fetched)
    file.write_bytes(b"")
    async for payload in result.payloads:
        assert isinstance(payload, LargePayload)
        assert os.fstat(payload.file.fileno()).st_nlink == 0
        assert payload.file.read() == b"x" * (LARGE_BYTES + 1)
        content = payload.file
    assert content.closed


async def test_large_file_is_not_copied_to_see_that_it_is_the_same(tmp_path: Path) -> None:
    """It is, when it was written again."""
    file, spools = tmp_path / "registry.json", tmp_path / "spools"
    file.write_bytes(b"x" * (LARGE_BYTES + 1))
    source = FileSource(path=str(file), spool_dir=spools, settled_seconds=3600.0)
    result = await source.fetch(None)
    assert isinstance(result, Fetched)
    assert len([payload async for payload in result.payloads]) == 1
    spools.rmdir()
    assert await source.fetch(result.revision()) == Unchanged()
    assert not spools.exists()


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="needs Linux")
async def test_file_that_looks_the_same_is_not_read_again(tmp_path: Path) -> None:
    """If it was left alone before it was read; else, and when it changes, it is."""
    file = tmp_path / "registry.json"
    file.write_bytes(b"x" * LARGE_BYTES)
    for settled_seconds, is_read in ((-3600.0, False), (3600.0, True)):
        source = FileSource(path=str(file), settled_seconds=settled_seconds)
        revision = await read(source, None)
        before = bytes_read()
        assert await source.fetch(revision) == Unchanged()
        assert (bytes_read() - before > LARGE_BYTES) == is_read

    source = FileSource(path=str(file), settled_seconds=-3600.0)
    revision = await read(source, None)
    file.write_bytes(b"y" * LARGE_BYTES)
    assert await read(source, revision) != revision


async def read(source: FileSource, known_revision: str | None) -> str:
    result = await source.fetch(known_revision)
    assert isinstance(result, Fetched)
    return result.revision()


def bytes_read() -> int:
    """What this process has read so far, from anything."""
    return int(Path("/proc/self/io").read_text().split()[1])
