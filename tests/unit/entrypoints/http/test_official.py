"""The reads of the official API."""

import pytest

from domain.entry import OFFICIAL_META
from tests.harness.registry_world import RegistryWorld, enveloped, registry_world, server

BASES = (
    "/v0.1",
    "/v0",
    "",
    "/registry/default/v0.1",
    "/registry/default/v0",
    "/registry/default",
)
ONE = "com.example%2Fone"


def keys(answer):
    """Name and version of every server in a list."""
    return [(one["server"]["name"], one["server"]["version"]) for one in answer.json()["servers"]]


async def test_an_empty_registry_is_an_empty_list(empty_world: RegistryWorld):
    """`servers` is an empty array, the count is 0, and there is no further page."""
    answer = await empty_world.client.get("/v0.1/servers")

    assert answer.status_code == 200
    assert answer.json() == {"servers": [], "metadata": {"count": 0}}


async def test_a_list_is_ordered_and_hides_deleted_versions(world: RegistryWorld):
    """Versions come by name and version, without the deleted ones."""
    answer = await world.client.get("/v0.1/servers")

    assert keys(answer) == [
        ("com.example/one", "1.0.0"),
        ("com.example/one", "1.1.0"),
        ("com.example/plus", "1.0.0+build.5"),
        ("com.example/two", "0.1.0"),
    ]
    assert answer.json()["metadata"] == {"count": 4}


@pytest.mark.parametrize("base", BASES)
async def test_every_base_answers_the_same(world: RegistryWorld, base: str):
    """With either version prefix or none, by name or by default: the same bytes."""
    for path in ("/servers", f"/servers/{ONE}/versions", f"/servers/{ONE}/versions/latest"):
        expected = await world.client.get(f"/v0.1{path}")
        answer = await world.client.get(base + path)

        assert (answer.status_code, answer.content) == (200, expected.content)


async def test_each_registry_has_its_own_servers():
    """A registry serves the sources it is made of, and an unknown one is not found."""
    async with registry_world({"first": ("a",), "second": ("a", "b")}) as world:
        await world.sync("a", [server("com.example/a")])
        await world.sync("b", [server("com.example/b"), server("com.example/a", "2.0.0")])

        for path, expected in (
            ("/v0.1/servers", [("com.example/a", "1.0.0")]),
            ("/registry/first/v0.1/servers", [("com.example/a", "1.0.0")]),
            (
                "/registry/second/v0.1/servers",
                [("com.example/a", "1.0.0"), ("com.example/b", "1.0.0")],
            ),
        ):
            assert keys(await world.client.get(path)) == expected

        missing = await world.client.get("/registry/third/v0.1/servers")
        assert missing.status_code == 404
        assert "first, second" in missing.json()["detail"]


async def test_without_any_registry_nothing_is_found():
    """Before the configuration is recorded there is no default registry to answer from."""
    async with registry_world({}) as world:
        answer = await world.client.get("/v0.1/servers")

    assert answer.status_code == 404


async def test_a_version_says_what_the_registry_knows_of_it(world: RegistryWorld):
    """`_meta` has status, times and the flag; the message only where there is one."""
    active = (await world.client.get(f"/v0.1/servers/{ONE}/versions/1.1.0")).json()
    deleted = (
        await world.client.get(f"/v0.1/servers/{ONE}/versions/2.0.0?include_deleted=true")
    ).json()

    assert active["server"] == server("com.example/one", "1.1.0", title="The One")
    official = active["_meta"][OFFICIAL_META]
    assert official == {
        "status": "active",
        "statusChangedAt": official["updatedAt"],
        "publishedAt": official["updatedAt"],
        "updatedAt": official["updatedAt"],
        "isLatest": True,
    }
    assert deleted["_meta"][OFFICIAL_META]["status"] == "deleted"
    assert deleted["_meta"][OFFICIAL_META]["statusMessage"] == "broken"
    assert deleted["_meta"][OFFICIAL_META]["isLatest"] is False


async def test_what_a_source_says_about_times_is_kept(empty_world: RegistryWorld):
    """publishedAt and statusChangedAt are the source's, updatedAt is this registry's."""
    said = {"publishedAt": "2020-02-03T04:05:06Z", "statusChangedAt": "2021-02-03T04:05:06.7Z"}
    await empty_world.sync("main", [enveloped(server("com.example/one"), **said)])

    answer = await empty_world.client.get(f"/v0.1/servers/{ONE}/versions/1.0.0")

    official = answer.json()["_meta"][OFFICIAL_META]
    assert official["publishedAt"] == "2020-02-03T04:05:06Z"
    assert official["statusChangedAt"] == "2021-02-03T04:05:06.700000Z"
    assert official["updatedAt"].startswith("2026-")


async def test_latest_is_the_highest_version_that_is_not_deleted(world: RegistryWorld):
    """2.0.0 is deleted, so 1.1.0 is the latest; asking for deleted ones does not change that."""
    for query in ("", "?include_deleted=true"):
        answer = await world.client.get(f"/v0.1/servers/{ONE}/versions/latest{query}")

        assert answer.json()["server"]["version"] == "1.1.0"


async def test_where_all_versions_are_deleted_latest_has_to_be_asked_for(world: RegistryWorld):
    """The highest version keeps the flag, and stays hidden."""
    path = "/v0.1/servers/com.example%2Fgone/versions"

    assert (await world.client.get(f"{path}/latest")).status_code == 404
    assert (await world.client.get(path)).status_code == 404
    shown = await world.client.get(f"{path}/latest?include_deleted=true")
    assert (
        shown.json()["_meta"][OFFICIAL_META] | {"status": "deleted", "isLatest": True}
        == (shown.json()["_meta"][OFFICIAL_META])
    )
    assert len((await world.client.get(f"{path}?include_deleted=1")).json()["servers"]) == 1


async def test_versions_come_newest_publication_first(empty_world: RegistryWorld):
    """The order is that of publication, not of precedence."""
    await empty_world.sync(
        "main",
        [
            enveloped(server("com.example/one", "2.0.0"), publishedAt="2020-01-01T00:00:00Z"),
            enveloped(server("com.example/one", "1.9.9"), publishedAt="2020-01-03T00:00:00Z"),
            enveloped(server("com.example/one", "1.0.0"), publishedAt="2020-01-02T00:00:00Z"),
        ],
    )

    answer = await empty_world.client.get(f"/v0.1/servers/{ONE}/versions")

    assert [version for _, version in keys(answer)] == ["1.9.9", "1.0.0", "2.0.0"]
    assert answer.json()["metadata"] == {"count": 3}


async def test_all_versions_of_a_server_come_at_once(empty_world: RegistryWorld):
    """The list of versions has no pages."""
    versions = [f"1.0.{number}" for number in range(150)]
    await empty_world.sync("main", [server("com.example/one", version) for version in versions])

    answer = await empty_world.client.get(f"/v0.1/servers/{ONE}/versions?limit=10")

    assert answer.json()["metadata"] == {"count": 150}


@pytest.mark.parametrize(
    "path",
    [
        "/v0.1/servers/com.example%2Fplus/versions/1.0.0%2Bbuild.5",
        "/v0.1/servers/com.example/plus/versions/1.0.0+build.5",
        "/v0.1/servers/com%2Eexample%2fplus/versions/1.0.0%2bbuild.5",
        "/v0/servers/com.example/plus",
        "/v0/servers/com.example%2Fplus",
        "/servers/com.example/plus",
        "/registry/default/v0.1/servers/com.example/plus",
    ],
)
async def test_names_and_versions_may_be_encoded_or_not(world: RegistryWorld, path: str):
    """A slash in a name and a plus in a version arrive in either form."""
    answer = await world.client.get(path)

    assert answer.status_code == 200
    assert answer.json()["server"]["version"] == "1.0.0+build.5"


async def test_names_of_any_script_are_found(empty_world: RegistryWorld):
    """Names that break the official pattern occur in sources, and are served."""
    await empty_world.sync("main", [server("com.example/größe 😀", "1 0/β")])

    answer = await empty_world.client.get(
        "/v0.1/servers/com.example%2Fgr%C3%B6%C3%9Fe%20%F0%9F%98%80/versions/1%200%2F%CE%B2"
    )

    assert answer.json()["server"]["name"] == "com.example/größe 😀"


@pytest.mark.parametrize("word", ["versions", "status"])
async def test_a_name_may_be_a_word_of_the_paths(empty_world: RegistryWorld, word: str):
    """The last `/versions/` splits name and version."""
    await empty_world.sync("main", [server(f"com.example/{word}")])

    for name in (f"com.example%2F{word}", f"com.example/{word}"):
        answer = await empty_world.client.get(f"/v0.1/servers/{name}/versions/1.0.0")
        assert answer.json()["server"]["name"] == f"com.example/{word}"


async def test_a_server_may_be_called_status(empty_world: RegistryWorld):
    """The path of another method does not hide a server from older clients."""
    await empty_world.sync("main", [server("com.example/status")])

    answer = await empty_world.client.get("/v0/servers/com.example/status")

    assert answer.status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/v0.1/servers/com.example%2Fnobody",
        "/v0.1/servers/com.example%2Fnobody/versions",
        "/v0.1/servers/com.example%2Fnobody/versions/latest",
        f"/v0.1/servers/{ONE}/versions/9.9.9",
        f"/v0.1/servers/{ONE}/versions/2.0.0",
        "/v0.1/servers/com.example/versions/1.0.0",
        "/v0.1/servers/COM.EXAMPLE%2Fone/versions/latest",
        "/v0.1/servers/%2F",
    ],
)
async def test_what_is_not_there_is_not_found(world: RegistryWorld, path: str):
    """One body for the OpenAPI document's clients and for those of the official server."""
    answer = await world.client.get(path)

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "title": "Not Found",
        "status": 404,
        "detail": "Server not found",
        "errors": [],
        "error": "Server not found",
    }


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/publish"),
        ("PUT", f"/servers/{ONE}/versions/1.0.0"),
        ("DELETE", f"/servers/{ONE}/versions/1.0.0"),
        ("PATCH", f"/servers/{ONE}/versions/1.0.0/status"),
        ("PATCH", f"/servers/{ONE}/status"),
    ],
)
async def test_publishing_is_not_offered(world: RegistryWorld, base: str, method: str, path: str):
    """501 says where servers come from instead."""
    answer = await world.client.request(method, base + path, json={})

    assert answer.status_code == 501
    assert "fed from its sources" in answer.json()["error"]


@pytest.mark.parametrize("base", [base for base in BASES if "v0" in base])
async def test_the_official_operations(world: RegistryWorld, base: str):
    """Health, ping and version have the shapes of the official API under its prefixes."""
    answers = [(await world.client.get(base + path)).json() for path in ("/health", "/ping")]
    version = (await world.client.get(f"{base}/version")).json()

    assert answers == [{"status": "ok"}, {"pong": True}]
    assert version == {
        "version": "1.2.3",
        "git_commit": "0123abc",
        "build_time": "2026-01-01T00:00:00Z",
    }


async def test_operations_of_an_unknown_registry_are_not_found(world: RegistryWorld):
    """What is below the name of a registry needs that registry."""
    for method, path in (
        ("GET", "/v0.1/health"),
        ("GET", "/v0/ping"),
        ("GET", "/v0.1/version"),
        ("POST", "/v0.1/publish"),
        ("POST", "/v0.1/validate"),
        ("GET", "/openapi.yaml"),
        ("GET", "/api/v0/deployed"),
        ("GET", "/api/v0/info"),
    ):
        answer = await world.client.request(method, f"/registry/nobody{path}")
        assert answer.status_code == 404, path
