"""The log over HTTP."""

from datetime import UTC, datetime

import pytest

from adapters.signing.ed25519 import Ed25519Signer, verify
from domain.checkpoints import cosign, trusted_checkpoint
from domain.merkle import leaf_hash, root_of
from domain.notes import parse_note, parse_verifier_key
from domain.tiles import unpack_entries, unpack_hashes
from tests.harness.long_log import lengthen
from tests.harness.registry_world import RegistryWorld

NOW = datetime(2026, 11, 22, tzinfo=UTC)
TEXT = "text/plain; charset=utf-8"


@pytest.fixture
async def long_world(empty_world: RegistryWorld) -> RegistryWorld:
    """A log of 300 events."""
    await lengthen(empty_world.storage, 300)
    return empty_world


async def checkpoint(world):
    answer = await world.client.get("/log/checkpoint")
    key = parse_verifier_key((await world.client.get("/log/key")).text.strip())
    return trusted_checkpoint(parse_note(answer.content), key, verify)


async def test_the_checkpoint_is_a_signed_note(long_world):
    """Of the newest size, and no cache may keep it."""
    answer = await long_world.client.get("/log/checkpoint")
    assert (answer.status_code, answer.headers["content-type"]) == (200, TEXT)
    assert answer.headers["cache-control"] == "no-cache"
    found = await checkpoint(long_world)
    assert (found.origin, found.size) == ("example.com/log", 300)
    assert found.root == (await long_world.storage.head()).root


async def test_tiles_and_entries_are_served_for_ever(long_world):
    """What they hold never changes, and hashes to the root of the checkpoint."""
    hashes = []
    for path in ("000", "001.p/44"):
        tile = await long_world.client.get(f"/log/tile/0/{path}")
        entries = await long_world.client.get(f"/log/tile/entries/{path}")
        assert entries.content == (await long_world.client.get(f"/log/entries/{path}")).content
        for answer in (tile, entries):
            assert answer.headers["content-type"] == "application/octet-stream"
            assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert [leaf_hash(entry) for entry in unpack_entries(entries.content)] == unpack_hashes(
            tile.content
        )
        hashes += unpack_hashes(tile.content)
    assert root_of(hashes) == (await checkpoint(long_world)).root
    upper = await long_world.client.get("/log/tile/1/000.p/1")
    assert upper.content == root_of(hashes[:256])


async def test_partial_tiles_of_older_trees_stay(long_world):
    """Whoever holds an older checkpoint finds the tiles of its tree."""
    whole = (await long_world.client.get("/log/tile/0/000")).content
    for width in (1, 44, 255):
        answer = await long_world.client.get(f"/log/tile/0/000.p/{width}")
        assert answer.content == whole[: width * 32]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("tile/0/001", "in a tree of size 300"),
        ("tile/0/001.p/45", "in a tree of size 300"),
        ("tile/1/000", "in a tree of size 300"),
        ("tile/1/000.p/2", "in a tree of size 300"),
        ("tile/entries/002", "in a tree of size 300"),
        ("entries/001.p/45", "in a tree of size 300"),
        ("tile/0/0", "expected LEVEL/INDEX"),
        ("tile/0/000.p/256", "expected LEVEL/INDEX"),
        ("tile/hello", "expected LEVEL/INDEX"),
        ("entries/0/000", "expected LEVEL/INDEX"),
    ],
)
async def test_there_are_no_other_tiles(long_world, path, message):
    """Only those of the tree as it is, each under one path; errors are not kept."""
    answer = await long_world.client.get(f"/log/{path}")
    assert answer.status_code == 404
    assert message in answer.json()["detail"]
    assert answer.headers["cache-control"] == "no-store"


async def test_nothing_is_witnessed_before_a_witness_cosigned(long_world):
    """The message says who may."""
    answer = await long_world.client.get("/log/checkpoint/witnessed")
    assert answer.status_code == 404
    assert "log.witnesses" in answer.json()["detail"]


async def test_a_cosigned_note_is_taken_and_served(long_world):
    """As a whole note or as lines for the newest checkpoint; then with the checkpoint."""
    plain = (await long_world.client.get("/log/checkpoint")).text
    line = str(cosign(parse_note(plain).text, long_world.witness, NOW))
    for body in (plain + line, line):
        answer = await long_world.client.post("/log/cosignatures", content=body.encode())
        assert answer.status_code == 200
        assert answer.json() == {
            "checkpoint": parse_note(plain).text,
            "witnesses": [long_world.witness.name],
        }
    assert (await long_world.client.get("/log/checkpoint")).text == plain + line
    await lengthen(long_world.storage, 301)
    assert line not in (await long_world.client.get("/log/checkpoint")).text
    assert (await long_world.client.get("/log/checkpoint/witnessed")).text == plain + line


async def test_what_is_no_cosignature_is_refused(long_world):
    """The message says why."""
    plain = (await long_world.client.get("/log/checkpoint")).text
    stranger = str(cosign(parse_note(plain).text, Ed25519Signer.made("stranger"), NOW))
    forged = str(cosign("other\n", long_world.witness, NOW))
    for body, message in (
        (b"", "not a signed note"),
        (b"\xff", "expected UTF-8"),
        (plain.encode(), "no cosignature of a witness"),
        (stranger.encode(), "no cosignature of a witness"),
        (forged.encode(), "is not of this checkpoint"),
        (f"other\n1\n\n{forged}".encode(), "not a checkpoint"),
    ):
        answer = await long_world.client.post("/log/cosignatures", content=body)
        assert answer.status_code == 400, body
        assert message in answer.json()["detail"]
    answer = await long_world.client.post("/log/cosignatures", content=bytes(2**20 + 1))
    assert answer.status_code == 413
