"""Another registry, checked from outside."""

import json
from datetime import UTC, datetime

import attrs
import pytest

from adapters.signing.ed25519 import Ed25519Signer, verify
from application.cursor import Cursor, ListFilters, encode_cursor
from application.redactions import RedactionBook
from application.remote_registry import Seen, ServedVersions, verify_remote
from domain.checkpoints import cosign, witness_key
from domain.errors import RemoteLogError, UntrustedLogError
from domain.events import DocumentRedacted
from domain.notes import parse_note, sign_note, verifier_key
from tests.harness.hostile_log import kept, remote_of, served, swapped
from tests.harness.long_log import lengthen
from tests.harness.registry_world import RegistryWorld, registry_world, server


@pytest.fixture
async def world():
    """Some versions, revised once, in a log of more than one tile."""
    async with registry_world() as world:
        await world.sync("main", [server(f"com.example/{n}") for n in range(3)])
        await lengthen(world.storage, 300)
        await world.sync("main", [server(f"com.example/{n}", title=f"No. {n}") for n in range(4)])
        yield world


def honestly(_target: str, body: bytes) -> bytes:
    return body


async def verified(world, seen=None, services=None, alter=honestly, registry=None):
    seen = seen or Seen(key=verifier_key(world.signer))
    async with remote_of(services or world.services, alter) as (remote, _):
        return await verify_remote(remote, seen, registry, verify)


async def seen_of(world) -> Seen:
    """What somebody remembers who has verified the log as it is now."""
    result = await verified(world)
    return Seen(key=result.key, note=str(result.head.note))


async def refused(world, **how) -> str:
    """The message of the error that a verification ends in."""
    with pytest.raises(RemoteLogError) as caught:
        await verified(world, **how)
    return str(caught.value)


async def test_an_honest_registry_is_verified(world: RegistryWorld):
    """Signature, every entry, and every version that it serves."""
    result = await verified(world)
    assert result.head.checkpoint.size == (await world.storage.head()).position > 300
    assert result.entries == result.head.checkpoint.size
    assert (result.versions, result.is_first_use, result.since) == (ServedVersions(4), False, None)
    assert (await verified(world, registry="default")).versions.total == 4


async def test_without_a_key_the_first_one_is_trusted(world: RegistryWorld):
    """And the result says so."""
    result = await verified(world, Seen())
    assert (result.key, result.is_first_use) == (verifier_key(world.signer), True)


async def test_a_log_that_has_grown_is_verified_from_where_it_was(world: RegistryWorld):
    """Only the tiles that have changed are read again."""
    seen = await seen_of(world)
    await lengthen(world.storage, 1000)
    await world.sync("main", [server("com.example/1", "2.0.0")])
    result = await verified(world, seen)
    assert result.since.checkpoint.size < 320
    assert result.entries == result.head.checkpoint.size - 256
    again = await verified(world, Seen(key=result.key, note=str(result.head.note)))
    assert again.since.checkpoint == again.head.checkpoint


class Meanwhile:
    """A registry in which something happens before each of its lists is read."""

    def __init__(self, remote, happens) -> None:
        self.remote = remote
        self.happens = happens

    async def get(self, path, query=None):
        if path.endswith("/servers"):
            await self.happens()
        return await self.remote.get(path, query)


async def test_a_registry_that_changes_meanwhile_is_verified(world: RegistryWorld):
    """What is served now is proven in the tree of now, which goes on from the one verified."""
    versions = iter("123456789")

    async def happens() -> None:
        await world.sync("main", [server(f"com.example/{n}", next(versions)) for n in range(3)])

    async with remote_of(world.services) as (remote, _):
        seen = Seen(key=verifier_key(world.signer))
        result = await verify_remote(Meanwhile(remote, happens), seen, None, verify)
    assert result.versions.total == 3
    assert result.head.checkpoint.size < (await world.storage.head()).position


async def test_an_empty_log_is_verified():
    """There is nothing to check but the signature."""
    async with registry_world() as world:
        empty = await served(world, type(world.storage)(None))
        result = await verified(world, services=empty)
        assert (result.head.checkpoint.size, result.versions.total) == (0, 0)


async def test_cosignatures_beside_do_not_matter(world: RegistryWorld):
    """They are those of others."""
    text = (await world.transparency.head()).text
    line = cosign(text, world.witness, datetime(2026, 11, 22, tzinfo=UTC))
    await world.transparency.cosign(text, [line])
    assert len((await verified(world)).head.note.signatures) == 2


async def test_a_witness_that_is_asked_for_must_have_cosigned(world: RegistryWorld):
    """The end of the log, or an older checkpoint that it goes on from; the result says which."""
    seen = attrs.evolve(await seen_of(world), witnesses=(witness_key(world.witness),))
    assert "No witness has cosigned" in await refused(world, seen=seen)
    head, at = await world.transparency.head(), datetime(2026, 11, 22, 9, tzinfo=UTC)
    await world.transparency.cosign(head.text, [cosign(head.text, world.witness, at)])
    for size in (head.size, 700):
        await lengthen(world.storage, size)
        (witnessed,) = (await verified(world, seen)).witnessed
        assert (witnessed.witness.name, witnessed.size) == (world.witness.name, head.size)
        assert witnessed.at == at
    other = attrs.evolve(seen, witnesses=(witness_key(Ed25519Signer.made("another")),))
    assert "another has not cosigned" in await refused(world, seen=other)


async def test_another_key_is_refused(world: RegistryWorld):
    """Who was given a key believes no other."""
    other = Seen(key=verifier_key(Ed25519Signer.made(world.signer.name)))
    assert "no valid signature" in await refused(world, seen=other)


async def test_a_fork_is_refused_with_both_notes(world: RegistryWorld):
    """Two logs that begin alike: whoever saw one shows by two notes that there is another."""
    before = kept(world)
    await world.sync("main", [server("com.example/1", "2.0.0")])
    seen = await seen_of(world)
    await lengthen(before, (await world.storage.head()).position, mark="other")
    message = await refused(world, seen=seen, services=await served(world, before))
    assert "has signed two trees" in message
    await lengthen(before, 400, mark="other")
    message = await refused(world, seen=seen, services=await served(world, before))
    assert "does not go on from" in message
    assert seen.note in message
    notes = message.split(":\n\n", 1)[1].split(f"\n\n{world.signer.name}\n")
    assert len(notes) == 2


async def test_the_evidence_of_a_fork_convinces_others(world: RegistryWorld):
    """Both notes are valid, of one log, and cannot both be true."""
    before = kept(world)
    await world.sync("main", [server("com.example/1", "2.0.0")])
    seen = await seen_of(world)
    await lengthen(before, 400, mark="other")
    with pytest.raises(UntrustedLogError) as caught:
        await verified(world, seen, await served(world, before))
    first, second = map(parse_note, caught.value.evidence)
    assert str(first) == seen.note
    assert second == sign_note(second.text, world.signer)


async def test_a_truncated_log_is_refused(world: RegistryWorld):
    """One that has fewer events than before, or does not serve those it has signed."""
    before = kept(world)
    await world.sync("main", [server("com.example/1", "2.0.0")])
    message = await refused(world, seen=await seen_of(world), services=await served(world, before))
    assert "and now has" in message
    short = await served(world, before)
    short = attrs.evolve(short, transparency=Claiming(short.transparency, world.transparency))
    assert "answered 404" in await refused(world, services=short)


@attrs.frozen
class Claiming:
    """A log that signs the checkpoints of a longer one."""

    short: object
    long: object

    def __getattr__(self, name):
        return getattr(self.short if name == "tile" else self.long, name)


async def test_a_reordered_log_is_refused(world: RegistryWorld):
    """At once, because entries tell their positions; and by who has seen it before."""
    reordered = await served(world, swapped(kept(world), 17, 18))
    assert "position 17 says that it is another" in await refused(world, services=reordered)
    seen = await seen_of(world)
    assert "has signed two trees" in await refused(world, seen=seen, services=reordered)


async def test_every_changed_byte_is_refused(world: RegistryWorld):
    """Of the checkpoint, of every tile, every bundle of entries and every proof."""
    seen = await seen_of(world)
    async with remote_of(world.services) as (remote, bodies):
        await verify_remote(remote, Seen(key=seen.key), None, verify)
    targets = [target for target in bodies if "/log/" in target or "/proof" in target]
    assert len(targets) == 1 + 2 + 2 + 1 + 4
    for target in targets:
        for place in range(0, len(bodies[target]), len(bodies[target]) // 9 + 1):
            await refused(world, alter=flipping(target, place))


def flipping(target, place):
    def alter(asked: str, body: bytes) -> bytes:
        if asked != target:
            return body
        return body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]

    return alter


async def test_a_redacted_document_is_proven_by_its_hash(world: RegistryWorld):
    """Everything else still holds, and the result tells how many there are."""
    (served_entry,) = (await world.registry()).servers[1:2]
    await RedactionBook(world.storage, world.log).redact(
        DocumentRedacted(
            document_hash=served_entry.entry.document_hash, reason="a secret", redacted_by="legal"
        )
    )
    assert (await verified(world)).versions == ServedVersions(4, redacted=1)


async def test_a_redaction_of_what_the_log_does_not_have_is_refused(world: RegistryWorld):
    """Nobody can serve another version by saying that it was redacted."""

    def alter(target: str, body: bytes) -> bytes:
        if "/servers" not in target:
            return body
        page = json.loads(body)
        page["servers"][0]["_meta"]["dev.annals/redacted"] = {"documentHash": "0" * 64}
        return json.dumps(page).encode()

    assert "the log has another document" in await refused(world, alter=alter)


async def test_a_document_that_the_log_does_not_have_is_refused(world: RegistryWorld):
    """However it is served: in the list alone, or in list and proof."""

    def in_list(target: str, body: bytes) -> bytes:
        return (
            body.replace(b"Does things.", b"Does other things.") if "/servers" in target else body
        )

    def everywhere(target: str, body: bytes) -> bytes:
        return body.replace(b"Does things.", b"Does other things.")

    assert "the log has another document" in await refused(world, alter=in_list)
    assert "the log has another document" in await refused(world, alter=everywhere)


async def test_a_server_that_the_log_does_not_have_is_refused(world: RegistryWorld):
    """Also with the proof of another one."""

    def renamed(target: str, body: bytes) -> bytes:
        return body.replace(b"com.example/3", b"com.example/2") if "/servers" in target else body

    assert "is served and not proven" in await refused(world, alter=renamed)


@pytest.mark.parametrize(
    "change",
    [
        {"position": 1},
        {"position": "1"},
        {"proof": []},
        {"proof": None},
        {"leaf": {}},
        {"event": []},
        {"checkpoint": "none\n"},
        {"leaf": {"position": 1e999}},
    ],
)
async def test_what_is_no_proof_is_refused(world: RegistryWorld, change):
    """Whatever its shape."""

    def alter(target: str, body: bytes) -> bytes:
        return json.dumps({**json.loads(body), **change}).encode() if "/proof" in target else body

    await refused(world, alter=alter)


@pytest.mark.parametrize("page", [b"<html>", b"{}", b"[]", b'{"servers":[{}],"metadata":{}}'])
async def test_what_is_no_list_is_refused(world: RegistryWorld, page):
    """Whatever its shape."""
    await refused(world, alter=lambda target, body: page if "/servers" in target else body)


@pytest.mark.parametrize("keeps", [True, False])
async def test_a_list_without_an_end_is_refused(world: RegistryWorld, keeps):
    """There cannot be more versions than events, nor pages of nothing."""
    from_the_start = encode_cursor(Cursor(("", ""), ListFilters(include_deleted=True)))

    def alter(target: str, body: bytes) -> bytes:
        if "/servers" not in target:
            return body
        servers = json.loads(body)["servers"] * keeps
        page = {"servers": servers, "metadata": {"nextCursor": from_the_start}}
        return json.dumps(page).encode()

    assert "more versions than its log has events" in await refused(world, alter=alter)


async def test_a_proof_in_an_older_tree_is_refused(world: RegistryWorld):
    """What is served has to be in the tree that was checked."""
    async with remote_of(world.services) as (remote, _):
        query = {"server": "com.example/1", "at": "@302"}
        old = (await remote.get("/v0.1/x/dev.annals/proof", query)).body

    def alter(target: str, body: bytes) -> bytes:
        return old if "/proof" in target else body

    assert "leads to another tree" in await refused(world, alter=alter)


async def test_a_registry_that_is_not_there_is_told_of(world: RegistryWorld):
    """With what it answered."""
    assert "answered 404" in await refused(world, registry="nobody")
