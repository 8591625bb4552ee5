"""The key of a log in its file."""

import subprocess
import sys
from pathlib import Path

import pytest

from adapters.signing.ed25519 import Ed25519Signer, open_key, read_key, verify
from domain.errors import StorageUnavailableError
from domain.notes import parse_signer_key


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "log.key"


def test_a_key_is_made_once(path):
    """The first start makes it for its owner alone; every later one reads it."""
    first = open_key(path, None)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["log.key"]
    assert str(open_key(path, None)) == str(first) == path.read_text().strip()


def test_a_key_without_a_name_gets_one_of_its_own(path):
    """Two logs have two names, and each keeps its own."""
    names = {open_key(path, None).name, Ed25519Signer.made().name}
    assert len(names) == 2
    assert all(name.startswith("annals/") and len(name) == 23 for name in names)
    assert parse_signer_key(path.read_text().strip())[0] == open_key(path, None).name


def test_a_key_keeps_the_name_it_was_made_with(path):
    """Another name in the configuration is an error, not another key."""
    open_key(path, "example.com/log")
    assert open_key(path, None).name == "example.com/log"
    with pytest.raises(StorageUnavailableError, match="a log keeps its name"):
        open_key(path, "example.com/other")


@pytest.mark.parametrize("content", [b"", b"PRIVATE+KEY+x", b"\xff", b"key\nkey\n"])
def test_what_is_no_key_is_told_and_stays(path, content):
    """A damaged file is never replaced: the log would become another one."""
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(StorageUnavailableError, match="restore it from a backup"):
        open_key(path, None)
    assert path.read_bytes() == content


def test_a_key_that_must_be_there_is_not_made(path):
    """Who only wants to see it makes none."""
    with pytest.raises(StorageUnavailableError, match="there is no key"):
        read_key(path, None)
    assert not path.exists()


def test_a_place_that_cannot_be_written_is_told(tmp_path):
    """The message names the file."""
    (tmp_path / "data").write_text("a file")
    with pytest.raises(StorageUnavailableError, match=r"log\.key"):
        open_key(tmp_path / "data" / "log.key", None)


OPEN = """
import sys
from pathlib import Path
from adapters.signing.ed25519 import open_key
sys.stdin.read()
print(open_key(Path(sys.argv[1]), None))
"""


def test_processes_that_start_at_once_end_with_one_key(path):
    """Whoever comes first makes it; the others take it."""
    command = [sys.executable, "-c", OPEN, str(path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    started = [subprocess.Popen(command, **pipes) for _ in range(4)]
    for process in started:
        process.stdin.close()
    keys = set()
    for process in started:
        keys.add(process.stdout.read())
        assert process.wait(30) == 0
        process.stdout.close()
    assert keys == {path.read_bytes()}
    assert [file.name for file in path.parent.iterdir()] == ["log.key"]


def test_signatures_are_those_of_rfc_8032():
    """The second test vector of the standard."""
    seed = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    signer = Ed25519Signer("test", Ed25519PrivateKey.from_private_bytes(seed))
    public = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    signature = bytes.fromhex(
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )
    assert signer.public_key.hex() == public
    assert signer.sign(b"r") == signature
    assert verify(signer.public_key, b"r", signature)
    assert not verify(signer.public_key, b"s", signature)
    assert not verify(signer.public_key, b"r", signature[:-1])
    assert not verify(b"short", b"r", signature)
