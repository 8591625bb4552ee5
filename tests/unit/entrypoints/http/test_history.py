"""Changes over HTTP: the feed, the history of a server, the diff of two moments."""

from datetime import timedelta
from typing import Any

import pytest

from application.pins import PinBook
from domain.asof import Asked
from domain.identifiers import PinName
from tests.harness.clock import START, SteppingClock
from tests.harness.registry_world import RegistryWorld, enveloped, registry_world, server

BASE = "/v0.1/x/dev.annals"
ONE = "com.example/one"


def image(tag: str, stars: int = 1, version: str = "1.0.0") -> dict[str, Any]:
    package = {
        "registryType": "oci",
        "identifier": f"ghcr.io/example/one:{tag}",
        "transport": {"type": "stdio"},
    }
    meta = {"io.modelcontextprotocol.registry/publisher-provided": {"stars": stars}}
    return server(ONE, version, packages=[package], _meta=meta)


@pytest.fixture
async def changing(empty_world: RegistryWorld) -> RegistryWorld:
    """A server that comes, gets stars, and becomes another one under the same version."""
    for offered in ([image("v1")], [image("v1", 2)], [image("v2", 2)]):
        await empty_world.sync("main", offered)
    return empty_world


async def got(world: RegistryWorld, path: str, **query: Any) -> Any:
    answer = await world.client.get(path if path[0] == "/" else f"{BASE}/{path}", params=query)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"] == "application/json"
    return answer.json()


async def test_the_shape_of_a_change(changing: RegistryWorld):
    """Place, times, what it means, and each version before and after."""
    *_, change = (await got(changing, "changes"))["changes"]
    (version,) = change.pop("versions")
    head = await changing.storage.head()
    recorded_at = change.pop("recordedAt")
    assert change.pop("effectiveAt") == recorded_at
    assert change == {
        "id": str(head.position - 1),
        "position": head.position,
        "kind": "server",
        "name": ONE,
        "change": "changed",
        "classes": ["execution"],
        "versionReused": True,
    }
    (entry,) = (await got_list(changing))["servers"]
    assert version.pop("entry") == entry
    before, after = version.pop("before"), version.pop("after")
    assert before["documentHash"] != after["documentHash"]
    assert {**before, "documentHash": ""} == {**after, "documentHash": ""}
    assert after["source"] == "main"
    assert version == {
        "version": "1.0.0",
        "change": "changed",
        "classes": ["execution"],
        "versionReused": True,
        "redacted": False,
        "comparedTo": None,
        "differences": [
            {
                "op": "replace",
                "path": "/packages/0/identifier",
                "class": "execution",
                "old": "ghcr.io/example/one:v1",
                "new": "ghcr.io/example/one:v2",
            }
        ],
    }


async def got_list(world: RegistryWorld) -> Any:
    return (await world.client.get("/v0.1/servers?include_deleted=true")).json()


async def test_a_reader_goes_on_from_what_it_has(changing: RegistryWorld):
    """From the `id` of its last change, from `next`, or from a position."""
    everything = await got(changing, "changes")
    assert everything["metadata"]["count"] == 3
    assert everything["metadata"]["isLast"] is True
    assert everything["metadata"]["next"] == str(everything["metadata"]["position"])
    first = await got(changing, "changes", limit=1)
    assert first["metadata"]["isLast"] is False
    for after in (
        first["metadata"]["next"],
        first["changes"][0]["id"],
        first["changes"][0]["position"],
    ):
        rest = await got(changing, "changes", after=after)
        assert rest["changes"] == everything["changes"][1:]
    end = await got(changing, "changes", after=everything["metadata"]["next"])
    assert end["changes"] == []
    assert end["metadata"] == {**everything["metadata"], "count": 0}


async def test_a_tombstone_has_no_entry(changing: RegistryWorld):
    """It says what was there."""
    await changing.sync("main", [])
    *_, change = (await got(changing, "changes"))["changes"]
    (version,) = change["versions"]
    assert (change["change"], version["change"]) == ("removed", "removed")
    assert (version["entry"], version["after"]) == (None, None)
    assert version["before"]["isLatest"] is True


async def test_classes_choose_changes_and_differences(changing: RegistryWorld):
    """The feed has all if nothing is said, the history for people leaves popularity out."""
    assert len((await got(changing, "changes"))["changes"]) == 3
    history = f"servers/{ONE}/history"
    assert len((await got(changing, history))["changes"]) == 2
    assert len((await got(changing, history, **{"class": "all"}))["changes"]) == 3
    (listed, stars) = (await got(changing, history, **{"class": "popularity"}))["changes"]
    assert listed["change"] == "added"
    assert [each["path"].rpartition("/")[2] for each in stars["versions"][0]["differences"]] == [
        "stars"
    ]
    lifecycle = await got(changing, "changes", **{"class": "lifecycle,capability"})
    assert [each["change"] for each in lifecycle["changes"]] == ["added"]


async def test_a_history_takes_names_with_and_without_a_slash(changing: RegistryWorld):
    """As all paths do, below every registry, and has no entries."""
    encoded = await got(changing, f"servers/{ONE.replace('/', '%2F')}/history")
    named = await got(changing, f"/registry/default{BASE}/servers/{ONE}/history")
    assert encoded == named
    assert "entry" not in encoded["changes"][0]["versions"][0]


@pytest.mark.parametrize("path", ["changes", f"servers/{ONE}/history"])
async def test_changes_up_to_a_moment(changing: RegistryWorld, path: str):
    """By the query or by the path: what was recorded by then."""
    everything = (await got(changing, path, **{"class": "all"}))["changes"]
    position = everything[1]["position"]
    asked = await got(changing, path, at=f"@{position}", **{"class": "all"})
    pinned = await got(changing, f"/registry/default@{position}{BASE}/{path}", **{"class": "all"})
    assert asked == pinned
    assert asked["changes"] == everything[:2]
    assert asked["metadata"]["position"] == position
    assert asked["metadata"]["isLast"] is True


async def test_a_diff_tells_what_lies_between(changing: RegistryWorld):
    """Both ways, and with what was compared."""
    first = (await got(changing, "changes", limit=1))["changes"][0]["position"]
    diff = await got(changing, "diff", **{"from": f"@{first}"})
    (change,) = diff["changes"]
    assert "id" not in change
    assert (change["classes"], change["versionReused"]) == (["execution", "popularity"], True)
    (found,) = change["versions"][0]["differences"]
    assert (found["old"], found["new"]) == ("ghcr.io/example/one:v1", "ghcr.io/example/one:v2")
    metadata = diff["metadata"]
    assert (metadata["count"], metadata["next"]) == (1, None)
    assert metadata["from"]["position"] == first
    assert metadata["to"]["position"] == (await changing.storage.head()).position

    back = await got(
        changing, "diff", **{"from": f"@{metadata['to']['position']}", "to": f"@{first}"}
    )
    (again,) = back["changes"][0]["versions"][0]["differences"]
    assert (again["old"], again["new"]) == (found["new"], found["old"])
    assert not (await got(changing, "diff", **{"from": f"@{first}", "class": "inputs"}))["changes"]


async def test_a_moment_in_the_path_is_what_a_diff_leads_to(changing: RegistryWorld):
    """As with every read, it goes with no other one."""
    changes = (await got(changing, "changes"))["changes"]
    first, last = changes[0]["position"], changes[-1]["position"]
    path = f"/registry/default@{last}{BASE}/diff"
    diff = await got(changing, path, **{"from": f"@{first}"})
    assert diff == await got(changing, "diff", **{"from": f"@{first}", "to": f"@{last}"})
    answer = await changing.client.get(f"{path}?from=@{first}&to=@{last}")
    assert answer.status_code == 400
    assert "The path names a moment already" in answer.json()["detail"]


async def test_a_diff_in_pages(empty_world: RegistryWorld):
    """`next` of one is `after` of the next."""
    start = (await empty_world.storage.head()).position
    await empty_world.sync("main", [server(f"com.example/s{n}") for n in range(7)])
    found, query = [], {"from": f"@{start}", "limit": "3"}
    while True:
        page = await got(empty_world, "diff", **query)
        found += page["changes"]
        if page["metadata"]["next"] is None:
            break
        query["after"] = page["metadata"]["next"]
    assert [change["name"][-1] for change in found] == list("0123456")


async def test_a_diff_of_two_registries():
    """Each as of its own moment; a name that both have from other sources is compared."""
    async with registry_world({"default": ("one",), "staging": ("two",)}) as world:
        await world.sync("one", [image("v1"), server("com.example/old")])
        await world.sync("two", [image("v2"), server("com.example/new")])
        end = (await world.storage.head()).position
        diff = await got(world, "diff", **{"from": f"@{end}", "to_registry": "staging"})
        assert {change["name"]: change["change"] for change in diff["changes"]} == {
            "com.example/new": "added",
            "com.example/old": "removed",
            ONE: "changed",
        }
        (one,) = [change for change in diff["changes"] if change["name"] == ONE]
        sides = [one["versions"][0][side]["source"] for side in ("before", "after")]
        assert sides == ["one", "two"]
        assert diff["metadata"]["to"]["registry"] == "staging"


async def test_a_status_is_a_difference(empty_world: RegistryWorld):
    """It is said beside the document, and of the lifecycle."""
    await empty_world.sync("main", [server(ONE)])
    await empty_world.sync("main", [enveloped(server(ONE), status="deprecated")])
    _, change = (await got(empty_world, f"servers/{ONE}/history"))["changes"]
    assert change["classes"] == ["lifecycle"]
    (found,) = change["versions"][0]["differences"]
    assert found["path"] == "/_meta/io.modelcontextprotocol.registry~1official/status"
    assert change["versions"][0]["after"]["status"] == "deprecated"


async def test_a_pin_of_an_effective_time_is_no_place_in_the_feed(changing: RegistryWorld):
    """Changes have the order in which they were recorded, and no other."""
    clock = SteppingClock(at=START + timedelta(days=1))
    book = PinBook(changing.storage, changing.log, clock)
    await book.set(PinName("then"), Asked(effective_at=START + timedelta(minutes=5)))
    await changing.projector.catch_up()
    for path in ("changes", "changes.atom"):
        answer = await changing.client.get(f"{BASE}/{path}?at=then")
        assert answer.status_code == 400
        assert "use `at`" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("path", "status", "detail"),
    [
        ("changes?after=x", 400, "after: 'x' is no place in the feed"),
        ("changes?class=stars", 400, "class: 'stars' are no classes"),
        ("changes?limit=1001", 422, "limit: expected a number from 1 to 1000"),
        ("changes?at=@9999", 400, "lies in the future"),
        ("changes?effective_at=2026-01-01", 400, "use `at`"),
        ("diff", 400, "from: missing"),
        ("diff?from=once", 404, "once"),
        ("diff?from=@2&after=x", 400, "after: expected the `next`"),
        ("diff?from=@2&to_registry=none", 404, "No registry 'none'"),
        ("servers/com.example%2Fnone/history", 404, "Server not found"),
        ("/registry/none/v0.1/x/dev.annals/changes", 404, "No registry 'none'"),
    ],
)
async def test_what_cannot_be_answered(
    changing: RegistryWorld, path: str, status: int, detail: str
):
    """Says what was expected."""
    answer = await changing.client.get(path if path[0] == "/" else f"{BASE}/{path}")
    assert answer.status_code == status, answer.text
    assert detail in answer.json()["detail"]
