"""What clients get in the place of a document that was redacted, now and in the past."""

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from adapters.sources.formats.upstream import UpstreamFormat
from application.redactions import RedactionBook
from domain.events import DocumentRedacted
from domain.identifiers import EntryKind, EntryName
from tests.harness.registry_world import RegistryWorld, server

NAME, SLASHED = "com.example/leaky", "com.example%2Fleaky"
REASON = (
    "order 4 O 12/26 of a court, of which more is said here than a description of 100 has room for"
)
KEY = "sk-12345"


@pytest.fixture
async def world(empty_world: RegistryWorld) -> RegistryWorld:
    """A server of two versions, whose latest one says too much, and another server."""
    await empty_world.sync(
        "main",
        [
            server(NAME, "1.0.0"),
            server(NAME, "1.1.0", description=f"Opens with {KEY}.", title="Leaky"),
            server("com.example/sound"),
        ],
    )
    return empty_world


async def redact(world: RegistryWorld) -> None:
    """Redact the latest version, and follow the log."""
    registry = await world.registries.asked()
    entries = await registry.named(EntryName(EntryKind.SERVER, NAME))
    (latest,) = (served.entry for served in entries if served.entry.is_latest)
    event = DocumentRedacted(
        document_hash=latest.document_hash, reason=REASON, redacted_by="ann@host"
    )
    await RedactionBook(world.storage, world.log).redact(event)
    await world.projector.catch_up()


async def get(world: RegistryWorld, path: str) -> Any:
    answer = await world.client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


def moments(world: RegistryWorld, path: str) -> list[str]:
    """A path now and as of the end of the log, which lies before the redaction."""
    joined = "&" if "?" in path else "?"
    return [path, f"{path}{joined}at=@{world.projector.live.position}"]


@pytest.mark.parametrize(
    "path",
    [
        f"/v0.1/servers/{SLASHED}/versions/1.1.0",
        f"/v0.1/servers/{SLASHED}/versions/latest",
        f"/v0/servers/{SLASHED}",
        f"/registry/default/v0.1/servers/{SLASHED}/versions/1.1.0",
        f"/api/v0/servers/{SLASHED}",
        f"/api/v0/servers/{SLASHED}?format=upstream",
    ],
)
async def test_one_version_is_gone(world: RegistryWorld, path: str):
    """410 with the reason, who said so and when; no cache keeps it, and no old tag is answered."""
    before = {asked: await world.client.get(asked) for asked in moments(world, path)}
    await redact(world)
    for asked, answer in before.items():
        tag = {"If-None-Match": answer.headers["etag"]}
        gone = await world.client.get(asked, headers=tag)
        assert gone.status_code == 410
        assert gone.headers["content-type"] == "application/problem+json"
        assert gone.headers["cache-control"] == "no-store"
        problem = gone.json()
        assert problem["title"] == "Gone"
        redaction = next(iter(world.projector.live.redactions.values()))
        assert f"by ann@host: {REASON}" in problem["detail"]
        assert redaction.recorded_at.isoformat()[:19] in problem["detail"]
        assert KEY not in gone.text


async def test_lists_have_a_stub_in_its_place(world: RegistryWorld):
    """All else of the list is as it was; the stub is of the documented schema."""
    paths = [
        path
        for each in (
            "/v0.1/servers",
            "/v0.1/servers?version=latest",
            f"/v0.1/servers/{SLASHED}/versions",
        )
        for path in moments(world, each)
    ]
    before = {path: await get(world, path) for path in paths}
    await redact(world)
    document = await get(world, "/openapi.json")
    schema = {"$ref": "#/components/schemas/ServerList", "components": document["components"]}
    for path in paths:
        after = await get(world, path)
        Draft202012Validator(schema).validate(after)
        assert after["metadata"] == before[path]["metadata"]
        for old, new in zip(before[path]["servers"], after["servers"], strict=True):
            assert new == (old if KEY not in str(old) else stub(world, old))


def stub(world: RegistryWorld, old: dict[str, Any]) -> dict[str, Any]:
    """What stands in the place of an entry."""
    ((known, redaction),) = world.projector.live.redactions.items()
    return {
        "server": {
            "name": NAME,
            "version": "1.1.0",
            "description": f"Redacted: {REASON}"[:99] + "…",
        },
        "_meta": {
            **old["_meta"],
            "dev.annals/redacted": {
                "reason": REASON,
                "by": "ann@host",
                "at": redaction.recorded_at.isoformat().replace("+00:00", "Z"),
                "documentHash": known,
            },
        },
    }


async def test_a_walk_goes_on_over_it(world: RegistryWorld):
    """Page by page, with cursors from before."""
    first = await get(world, "/v0.1/servers?limit=1")
    await redact(world)
    second = await get(world, f"/v0.1/servers?limit=1&cursor={first['metadata']['nextCursor']}")
    third = await get(world, f"/v0.1/servers?limit=1&cursor={second['metadata']['nextCursor']}")
    names = [page["servers"][0]["server"]["name"] for page in (first, second, third)]
    assert names == [NAME, NAME, "com.example/sound"]


@pytest.mark.parametrize("text", [KEY, "opens", "Leaky "])
async def test_it_is_not_found_by_what_it_said(world: RegistryWorld, text: str):
    """Nor by the stub; by its name it is, live and past."""
    for path in moments(world, f"/v0.1/servers?search={text}"):
        await get(world, path)
    for path in moments(world, "/v0.1/servers?search=example/leaky"):
        assert (await get(world, path))["metadata"]["count"] == 2
    paths = moments(world, f"/v0.1/servers?search={text}")
    await redact(world)
    for path in paths:
        assert (await get(world, path))["metadata"]["count"] == 0
    for path in moments(world, "/v0.1/servers?search=example/leaky"):
        assert (await get(world, path))["metadata"]["count"] == 2


async def test_toolhives_lists_have_something_short(world: RegistryWorld):
    """A server without anything to run, described as redacted."""
    await redact(world)
    listed = await get(world, "/api/v0/servers")
    assert listed["total"] == 2
    (leaky,) = (one for one in listed["servers"] if one["name"] == NAME)
    assert leaky["description"].startswith("Redacted: order")
    upstream = await get(world, "/api/v0/servers?format=upstream")
    assert [one["name"] for one in upstream["servers"]] == [NAME, "com.example/sound"]
    assert (await get(world, "/api/v0/info"))["total_servers"] == 2


async def test_what_was_kept_of_a_moment_is_made_anew(world: RegistryWorld):
    """The tag is another one, also of what is said to be immutable."""
    for path in moments(world, "/v0.1/servers"):
        before = await world.client.get(path)
        tag = {"If-None-Match": before.headers["etag"]}
        assert (await world.client.get(path, headers=tag)).status_code == 304
    await redact(world)
    after = await world.client.get(path, headers=tag)
    assert after.status_code == 200
    assert KEY not in after.text
    assert after.headers["registry-position"] == before.headers["registry-position"]


async def test_the_proof_of_its_place_stays(world: RegistryWorld):
    """The same leaf, path and checkpoint, with the redaction where the document was."""
    path = f"/v0.1/x/dev.annals/proof?server={NAME}&version=1.1.0&at=@5"
    path = path.replace("@5", f"@{world.projector.live.position}")
    before = await get(world, path)
    await redact(world)
    after = await get(world, path)
    redaction = after.pop("redaction")
    assert redaction["reason"] == REASON
    assert after == {**before, "document": None}


async def test_another_document_for_the_version_is_served(world: RegistryWorld):
    """What the source says now is read again; the past stays without it."""
    end = world.projector.live.position
    await redact(world)
    await world.sync("main", [server(NAME, "1.0.0"), server(NAME, "1.1.0", title="Sound")])
    path = f"/v0.1/servers/{SLASHED}/versions/1.1.0"
    assert (await get(world, path))["server"]["title"] == "Sound"
    assert (await world.client.get(f"{path}?at=@{end}")).status_code == 410


async def test_a_mirror_does_not_take_the_stub_for_a_document(world: RegistryWorld):
    """What it knew of the server stays; who begins with it has all the others, and is told."""
    await redact(world)
    page = (await world.client.get("/v0.1/servers")).content
    parsed = UpstreamFormat().parse(page)
    assert [str(entry.key) for entry in parsed.entries] == [
        f"{NAME}@1.0.0",
        "com.example/sound@1.0.0",
    ]
    (rejected,) = parsed.rejected
    assert (rejected.name, rejected.path) == (NAME, "/servers/1")
    assert "redacted" in rejected.reason
