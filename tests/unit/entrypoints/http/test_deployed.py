"""The endpoints that tell which servers run in a cluster."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import attrs
import httpx
import pytest

from adapters.kubernetes.connection import ClusterAccess
from adapters.kubernetes.deployed import KubernetesDeployed
from tests.harness.mcp_servers_api import (
    REGISTRY_NAME,
    Answer,
    McpServersApi,
    mcp_server,
    mcp_servers_api,
    write_kubeconfig,
)
from tests.harness.registry_world import RegistryWorld, client_of, registry_world

BASES = ("/api/v0", "/registry/default/api/v0")
LISTS = ("/deployed", "/servers/deployed")


@pytest.fixture
def api() -> Iterator[McpServersApi]:
    """An API server with two servers out of one registry and one out of another."""
    with mcp_servers_api() as running:
        running.objects = [
            mcp_server("time", namespace="b"),
            mcp_server("fetch", namespace="b", phase="Pending"),
            mcp_server("fetch", namespace="a", registry="ours"),
        ]
        yield running


@pytest.fixture
async def world() -> AsyncIterator[RegistryWorld]:
    """Two registries."""
    async with registry_world({"default": ("main",), "ours": ("main",)}) as made:
        yield made


@pytest.fixture
async def client(
    world: RegistryWorld, api: McpServersApi, tmp_path: Path
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the registries beside that cluster."""
    kubeconfig = write_kubeconfig(tmp_path / "kubeconfig", api.url)
    deployed = KubernetesDeployed(ClusterAccess(kubeconfig=str(kubeconfig)))
    async with client_of(attrs.evolve(world.services, deployed=deployed)) as made:
        yield made


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("path", LISTS)
async def test_the_deployed_servers(client: httpx.AsyncClient, base: str, path: str):
    """A JSON array in the order of namespace and name, by the newer path and the older one."""
    answer = await client.get(base + path)

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == [
        {
            "name": "fetch",
            "namespace": "b",
            "status": "Pending",
            "image": "ghcr.io/example/fetch:1.0.0",
            "transport": "streamable-http",
            "ready": False,
            "endpoint_url": "http://fetch.b.svc.cluster.local:8080/mcp",
        },
        {
            "name": "time",
            "namespace": "b",
            "status": "Running",
            "image": "ghcr.io/example/time:1.0.0",
            "transport": "streamable-http",
            "ready": True,
            "endpoint_url": "http://time.b.svc.cluster.local:8080/mcp",
        },
    ]


@pytest.mark.parametrize("path", LISTS)
async def test_those_of_another_registry(client: httpx.AsyncClient, api: McpServersApi, path: str):
    """The one that the path names."""
    answer = await client.get(f"/registry/ours/api/v0{path}")

    assert [one["namespace"] for one in answer.json()] == ["a"]
    assert f"{REGISTRY_NAME}=ours" in api.requests[0].selector


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize(
    "name", ["fetch", "io.github.stacklok%2Ffetch", "io.github.stacklok/fetch"]
)
async def test_where_one_server_runs(client: httpx.AsyncClient, base: str, path: str, name: str):
    """By its short key or its full name, out of whichever registry."""
    answer = await client.get(f"{base}{path}/{name}")

    assert [(one["namespace"], one["name"]) for one in answer.json()] == [
        ("a", "fetch"),
        ("b", "fetch"),
    ]


@pytest.mark.parametrize("path", LISTS)
async def test_a_server_that_runs_nowhere(client: httpx.AsyncClient, path: str):
    """An empty array: it may run soon."""
    answer = await client.get(f"/api/v0{path}/nobody")

    assert (answer.status_code, answer.json()) == (200, [])


async def test_no_cache_keeps_it(client: httpx.AsyncClient):
    """The cluster changes without the registry knowing."""
    answer = await client.get("/api/v0/deployed")

    assert answer.headers["cache-control"] == "no-store"
    assert "etag" not in answer.headers


@pytest.mark.parametrize("path", [*LISTS, *(f"{path}/fetch" for path in LISTS)])
async def test_an_unknown_registry_is_not_found(
    client: httpx.AsyncClient, api: McpServersApi, path: str
):
    """The cluster is not asked about it."""
    assert (await client.get(f"/registry/nobody/api/v0{path}")).status_code == 404
    assert not api.requests


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize(
    "name", ["com.example/fetch", "a,b", "a%3Db", "-a", "a%20b", "%2F", "x" * 64, "%C3%A9"]
)
async def test_what_no_label_has_is_refused(
    client: httpx.AsyncClient, api: McpServersApi, path: str, name: str
):
    """400 says what was expected, and the cluster is not asked."""
    answer = await client.get(f"/api/v0{path}/{name}")

    assert answer.status_code == 400
    assert "expected 1 to 63" in answer.json()["error"]
    assert not api.requests


@pytest.mark.parametrize("name", ["a%0A", "%0Aa", "a%0D%0A", "a%00"])
async def test_what_no_url_has_is_refused(client: httpx.AsyncClient, api: McpServersApi, name: str):
    """A line feed at the end is not dropped on the way."""
    assert (await client.get(f"/api/v0/deployed/{name}")).status_code == 400
    assert not api.requests


@pytest.mark.parametrize("path", ["/deployed", "/deployed/fetch"])
async def test_a_cluster_that_refuses_is_told(
    client: httpx.AsyncClient, api: McpServersApi, path: str
):
    """502 with what to do about it."""
    api.intercept = lambda _request: Answer(403)

    answer = await client.get(f"/api/v0{path}")

    assert answer.status_code == 502
    assert answer.headers["content-type"] == "application/problem+json"
    assert "verbs: [list]" in answer.json()["detail"]


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("path", [*LISTS, *(f"{path}/fetch" for path in LISTS)])
async def test_nothing_is_deployed_without_a_cluster(world: RegistryWorld, base: str, path: str):
    """An empty array."""
    answer = await world.client.get(base + path)

    assert (answer.status_code, answer.json()) == (200, [])
