"""Versions with their proofs, over HTTP."""

import base64
import hashlib
import json

import pytest
import rfc8785

from adapters.signing.ed25519 import verify
from domain.checkpoints import trusted_checkpoint
from domain.merkle import leaf_hash, verify_inclusion
from domain.notes import parse_note, verifier_key
from tests.harness.registry_world import RegistryWorld, server

PATH = "/v0.1/x/dev.annals/proof"


def sha256(value) -> str:
    """Of a JSON value in canonical form, by somebody else's implementation."""
    return hashlib.sha256(rfc8785.dumps(value)).hexdigest()


async def proven(world, **query):
    """The checkpoint that a proof leads to, and the proof, once everything in it was recomputed."""
    answer = await world.client.get(PATH, params=query)
    assert answer.status_code == 200, answer.text
    proof = answer.json()
    leaf, event = proof["leaf"], proof["event"]
    assert sha256(proof["document"]) == proof["documentHash"] == event["data"]["document_hash"]
    assert sha256(event["data"]) == leaf["data_sha256"]
    assert (event["type"], event["schemaVersion"]) == (leaf["type"], leaf["schema_version"])
    assert leaf["position"] == proof["position"]
    note = parse_note(proof["checkpoint"])
    checkpoint = trusted_checkpoint(note, verifier_key(world.signer), verify)
    assert verify_inclusion(
        leaf_hash(rfc8785.dumps(leaf)),
        proof["position"] - 1,
        checkpoint.size,
        [base64.b64decode(node) for node in proof["proof"]],
        checkpoint.root,
    )
    return checkpoint, proof


async def test_every_version_that_is_served_has_a_proof(world: RegistryWorld):
    """Deleted ones too; each leads to the checkpoint of the end of the log."""
    listed = (await world.client.get("/v0.1/servers?include_deleted=true&limit=100")).json()
    assert len(listed["servers"]) == 6
    for one in listed["servers"]:
        document = one["server"]
        checkpoint, proof = await proven(
            world, server=document["name"], version=document["version"]
        )
        assert proof["document"] == document
        assert checkpoint.size == (await world.storage.head()).position


async def test_latest_is_proven_where_no_version_is_said(world: RegistryWorld):
    """As everywhere."""
    _, proof = await proven(world, server="com.example/one")
    assert proof["document"]["version"] == "1.1.0"


async def test_a_revised_document_is_proven_by_its_revision(world: RegistryWorld):
    """And as of the moment before by what was there then, in the tree of that moment."""
    before = (await world.storage.head()).position
    await world.sync("main", [server("com.example/two", "0.1.0", title="Other")])
    now, revised = await proven(world, server="com.example/two", version="0.1.0")
    assert revised["event"]["type"] == "entry.revised"
    then, listed = await proven(world, server="com.example/two", version="0.1.0", at=f"@{before}")
    assert (listed["event"]["type"], then.size) == ("entry.listed", before)
    assert now.size > then.size


async def test_a_proof_of_a_position_never_changes(world: RegistryWorld):
    """So any cache may keep it, and gets a 304 for its tag."""
    position = (await world.storage.head()).position
    query = {"server": "com.example/one", "at": f"@{position}"}
    before = await world.client.get(PATH, params=query)
    assert before.headers["cache-control"] == "public, max-age=31536000, immutable"
    await world.sync("main", [server("com.example/one", "1.0.0", title="Changed")])
    after = await world.client.get(PATH, params=query)
    assert (after.content, after.headers["etag"]) == (before.content, before.headers["etag"])
    tag = {"If-None-Match": after.headers["etag"]}
    assert (await world.client.get(PATH, params=query, headers=tag)).status_code == 304


async def test_a_live_proof_has_another_tag_when_the_log_has_grown(world: RegistryWorld):
    """Also where nothing happened to the registry."""
    query = {"server": "com.example/one"}
    before = await world.client.get(PATH, params=query)
    await world.fail("main")
    after = await world.client.get(PATH, params=query)
    assert after.headers["etag"] != before.headers["etag"]


@pytest.mark.parametrize(
    ("query", "status", "message"),
    [
        ("", 400, "expected the name of a server"),
        ("server=", 400, "expected the name of a server"),
        ("server=com.example/none", 404, "Server not found"),
        ("server=com.example/one&version=9", 404, "Server not found"),
        ("server=com.example/one&at=@1", 404, ""),
        ("server=com.example/one&at=yesterday!", 400, ""),
    ],
)
async def test_what_is_not_served_has_no_proof(world: RegistryWorld, query, status, message):
    """The message says what was expected."""
    answer = await world.client.get(f"{PATH}?{query}")
    assert answer.status_code == status
    assert message in answer.json()["detail"]


async def test_every_registry_proves_its_own(world: RegistryWorld):
    """Below its name, also with a moment in the path."""
    position = (await world.storage.head()).position
    for base in ("/registry/default", f"/registry/default@{position}"):
        answer = await world.client.get(f"{base}{PATH}", params={"server": "com.example/one"})
        assert json.loads(answer.content)["document"]["name"] == "com.example/one"
