"""Scratch files on a disk: what only they can do, and what can go wrong with them."""

import errno
import gc
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from adapters.scratch import file as scratch_file
from adapters.scratch.file import FileScratch
from domain.errors import StorageUnavailableError

MEGABYTE = 1024 * 1024


def test_nobody_else_sees_a_file_and_it_goes_with_who_has_it(tmp_path: Path) -> None:
    """It has no name, and its descriptor is closed."""
    before = open_descriptors()
    file = FileScratch(tmp_path).open()
    file.append(b"secret")
    assert not list(tmp_path.iterdir())
    assert open_descriptors() == before + 1

    del file
    assert open_descriptors() == before


def open_descriptors() -> int:
    """How many files this process has open, and uses."""
    gc.collect()
    return len(list(Path("/dev/fd").iterdir()))


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """It says which one, and what to look after."""
    with pytest.raises(StorageUnavailableError, match=r"nowhere.*writable, with free space"):
        FileScratch(tmp_path / "nowhere").open()


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """A disk that is soon full, as far as this process can tell."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_what_finds_no_room_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    """It can be written to again when there is room."""
    file = FileScratch(tmp_path).open()
    file.append(b"kept")
    with files_of_at_most(1000), pytest.raises(StorageUnavailableError):
        file.append(b"x" * 5000)

    assert file.size == 4
    assert file.append(b"next") == 4
    assert file.read([(0, 8)]) == [b"keptnext"]


def test_what_is_not_there_is_an_error(tmp_path: Path) -> None:
    """Nothing is read beyond the end."""
    file = FileScratch(tmp_path).open()
    file.append(b"short")
    assert file.at_hand(b"", [(0, 9)], b"") is None
    with pytest.raises(StorageUnavailableError, match="lost"):
        file.read([(0, 9)])


@pytest.mark.parametrize("flags", [None, 0x7FFFFFFF])
def test_where_nothing_is_known_to_be_at_hand_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: int | None
) -> None:
    """On systems, and on file systems, that cannot tell what would have to wait for the disk."""
    monkeypatch.setattr(scratch_file, "_AT_HAND", flags)
    file = FileScratch(tmp_path).open()
    file.append(b"there")
    assert file.at_hand(b"", [(0, 5)], b"") is None
    assert file.at_hand(b"", [(0, 5)], b"") is None
    assert file.read([(0, 5)]) == [b"there"]


@pytest.mark.skipif(scratch_file._AT_HAND is None, reason="this system cannot tell")
def test_what_would_wait_for_the_disk_is_not_at_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is there when the disk was asked."""
    file = FileScratch(tmp_path).open()
    file.append(b"there")
    assert file.at_hand(b"<", [(0, 5), (1, 2)], b">") == b"<thereh>"

    def wait(*_: object) -> int:
        raise BlockingIOError(errno.EAGAIN, "not yet")

    monkeypatch.setattr(os, "preadv", wait)
    assert file.at_hand(b"", [(0, 5)], b"") is None
    monkeypatch.undo()
    assert file.at_hand(b"", [(0, 5)], b"") == b"there"


def test_what_lies_around_is_brought_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A part of the file for one span, as much in all for many; where that is not there, none."""
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(
        os, "posix_fadvise", lambda _, start, size, __: asked.append((start, size)), raising=False
    )
    file = FileScratch(tmp_path).open()
    file.append(b"x" * 5_000_000)
    assert file.read([(4_999_999, 5_000_000)]) == [b"x"]
    assert asked == [(4 * MEGABYTE, 2 * MEGABYTE)]

    asked.clear()
    file.read([(0, 10), (3 * MEGABYTE + 7, 3 * MEGABYTE + 9)])
    assert asked == [(0, MEGABYTE), (3 * MEGABYTE, MEGABYTE)]

    monkeypatch.delattr(os, "posix_fadvise")
    assert file.read([(0, 2)]) == [b"xx"]
