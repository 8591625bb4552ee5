"""What holds for every request, whatever it asks for."""

import json
import logging
from collections.abc import Mapping
from typing import Any

import pytest

from application.registries import Registries
from domain.errors import StorageUnavailableError
from entrypoints.http.app import create_app
from entrypoints.http.services import Services
from tests.harness.registry_world import RegistryWorld, client_of, server
from tests.harness.watched_scratch import watched

OPEN = {
    "access-control-allow-origin": "*",
    "access-control-allow-methods": "GET, OPTIONS",
    "access-control-allow-headers": "Authorization, Content-Type",
    "access-control-expose-headers": "ETag, Registry-Position, Registry-Withdrawals, "
    "Registry-Recorded-At, Registry-Effective-At",
}


def assert_problem(answer, status: int):
    """The one error body, with nothing in it that is not for clients."""
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body.keys() == {"title", "status", "detail", "errors", "error"}
    assert body["status"] == status
    assert body["detail"] == body["error"]
    assert OPEN.items() <= dict(answer.headers).items()


@pytest.mark.parametrize(
    "path", ["/v0.1/servers", "/v0.1/servers?limit=0", "/nothing", "/v0.1/servers/", "/health"]
)
async def test_every_answer_is_open_to_web_pages(world: RegistryWorld, path: str):
    """CORS headers are on successes, errors and redirects."""
    answer = await world.client.get(path, headers={"Origin": "https://example.com"})

    assert OPEN.items() <= dict(answer.headers).items()


@pytest.mark.parametrize(
    "path",
    ["/v0.1/servers", "/v0/servers/a%2Fb/versions", "/registry/default/v0.1/servers/a%2Fb"],
)
async def test_preflights_are_granted(world: RegistryWorld, path: str):
    """204 without a body, for a day."""
    answer = await world.client.options(
        path, headers={"Origin": "https://example.com", "Access-Control-Request-Method": "GET"}
    )

    assert (answer.status_code, answer.content) == (204, b"")
    assert OPEN.items() <= dict(answer.headers).items()
    assert answer.headers["access-control-max-age"] == "86400"
    assert "GET" in answer.headers["allow"]


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("POST", "/v0.1/servers", "GET, HEAD, OPTIONS"),
        ("DELETE", "/registry/default/v0/servers", "GET, HEAD, OPTIONS"),
        ("GET", "/v0.1/publish", "OPTIONS, POST"),
        ("HEAD", "/validate", "OPTIONS, POST"),
        ("POST", "/v0.1/servers/a%2Fb/versions/1", "DELETE, GET, HEAD, OPTIONS, PUT"),
        ("PUT", "/health", "GET, HEAD, OPTIONS"),
        ("PUT", "/api/v0/servers", "GET, HEAD, OPTIONS"),
    ],
)
async def test_other_methods_are_refused(world: RegistryWorld, method: str, path: str, allow: str):
    """405 says which methods the path has."""
    answer = await world.client.request(method, path)

    assert answer.status_code == 405
    assert answer.headers["allow"] == allow
    if method != "HEAD":
        assert_problem(answer, 405)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/nothing",
        "/v0.1",
        "/v0.1/nothing",
        "/v2/servers",
        "/registry/default",
        "/registry/x/y",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
async def test_other_paths_are_not_found(world: RegistryWorld, method: str, path: str):
    """404 with the error body."""
    assert_problem(await world.client.request(method, path), 404)


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/v0.1/servers/?limit=1&cursor=a%2Fb", "/v0.1/servers?limit=1&cursor=a%2Fb"),
        ("/v0.1/servers/a%2Fb/", "/v0.1/servers/a%2Fb"),
        ("/v0.1/servers///", "/v0.1/servers"),
        ("/registry/default/v0.1/servers/", "/registry/default/v0.1/servers"),
        ("/nothing/", "/nothing"),
        ("//evil.example/", "/evil.example"),
        ("/%5Cevil.example/", "/%5Cevil.example"),
    ],
)
async def test_a_slash_at_the_end_is_redirected(world: RegistryWorld, path: str, location: str):
    """308 keeps method and query, and never leads to another host."""
    answer = await world.client.get(f"http://registry.test{path}")

    assert (answer.status_code, answer.headers["location"]) == (308, location)
    posted = await world.client.post(f"http://registry.test{path}")
    assert (posted.status_code, posted.headers["location"]) == (308, location)


async def test_a_redirect_leads_to_the_answer(world: RegistryWorld):
    """A client that follows gets what it asked for."""
    answer = await world.client.get("/v0.1/servers/?limit=1", follow_redirects=True)

    assert answer.json()["metadata"]["count"] == 1


@pytest.mark.parametrize(
    "path",
    [
        "/v0.1/servers/a%00b",
        "/v0.1/servers?search=%00",
        "/v0.1/servers?%00=1",
        "/nothing%00",
        "/v0.1/servers/%00/",
    ],
)
async def test_a_nul_is_refused(world: RegistryWorld, path: str):
    """In the path and in the query."""
    assert_problem(await world.client.get(path), 400)


@pytest.mark.parametrize("path", ["/v0.1/servers%0A", "/v0.1/servers/com.example%2Fone%0A", "/%0A"])
async def test_a_line_feed_is_refused(world: RegistryWorld, path: str):
    """Nothing is answered as if it were not there."""
    assert_problem(await world.client.get(path), 400)


@pytest.mark.parametrize("path", ["/v0.1/servers/a%ffb", "/%c3%28", "/v0.1/servers/%ff/"])
async def test_a_path_has_to_be_utf_8(world: RegistryWorld, path: str):
    """What cannot be read is refused, not guessed."""
    assert_problem(await world.client.get(path), 400)


async def test_a_replacement_character_is_a_character(world: RegistryWorld):
    """What servers put in place of bytes they cannot read may also be sent as such."""
    assert_problem(await world.client.get("/v0.1/servers/a%EF%BF%BDb"), 404)


async def failing(world: RegistryWorld, error: Exception) -> Services:
    """Services of which the disk is away, or worse."""

    def fail() -> None:
        raise error

    return await watched(world, fail)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (RuntimeError("secret: /var/lib/annals"), 500),
        (StorageUnavailableError("secret: /var/lib/annals"), 503),
    ],
)
async def test_what_goes_wrong_inside_stays_inside(
    world: RegistryWorld, caplog: pytest.LogCaptureFixture, error: Exception, status: int
):
    """The client hears that it failed, the log hears why."""
    broken = await failing(world, error)

    with caplog.at_level(logging.ERROR):
        async with client_of(broken) as client:
            answer = await client.get("/v0.1/servers")

    assert_problem(answer, status)
    assert "secret" not in answer.text
    assert "secret: /var/lib/annals" in caplog.text


async def test_a_failed_page_is_not_kept(world: RegistryWorld):
    """When the disk is back the page is there."""
    errors: list[Exception] = [RuntimeError()]

    def fail_once() -> None:
        if errors:
            raise errors.pop()

    async with client_of(await watched(world, fail_once)) as client:
        assert (await client.get("/v0.1/servers")).status_code == 500
        assert (await client.get("/v0.1/servers")).status_code == 200


async def call(app: Any, scope: Mapping[str, Any]) -> list[Any]:
    """What an application sends to a scope."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    await app({"headers": [], "root_path": "", **scope}, receive, send)
    return sent


async def test_a_server_may_leave_the_raw_path_out(world: RegistryWorld):
    """`raw_path` is optional in ASGI."""
    app = create_app(world.services)
    scope = {"type": "http", "method": "GET", "query_string": b""}

    found = await call(app, {**scope, "path": "/v0.1/servers/com.example/one"})
    moved = await call(app, {**scope, "path": "/v0.1/servers/größe/"})
    everything = await call(app, {**scope, "path": "*", "method": "OPTIONS"})

    assert found[0]["status"] == 200
    assert everything[0]["status"] == 404
    assert (b"location", b"/v0.1/servers/gr%C3%B6%C3%9Fe") in moved[0]["headers"]


async def test_an_application_below_a_prefix(world: RegistryWorld):
    """A server that is told of a prefix hands it on as `root_path`."""
    app = create_app(world.services)

    sent = await call(
        app,
        {
            "type": "http",
            "method": "GET",
            "path": "/mcp/v0.1/servers",
            "raw_path": b"/mcp/v0.1/servers",
            "root_path": "/mcp",
            "query_string": b"",
        },
    )

    assert sent[0]["status"] == 200


async def test_who_hangs_up_gets_no_answer(world: RegistryWorld):
    """A client that goes away while it sends is no error."""
    scope = {"type": "http", "method": "POST", "path": "/v0.1/validate", "query_string": b""}

    assert await call(create_app(world.services), scope) == []


async def test_only_http_is_spoken(world: RegistryWorld):
    """There is nothing to do for a lifespan: who made the services ends them."""
    assert await call(create_app(world.services), {"type": "lifespan"}) == []


async def test_a_change_is_seen_at_once(world: RegistryWorld):
    """The first request after a sync gets what it brought."""
    before = await world.client.get("/v0.1/servers")
    await world.sync("main", [server("com.example/new")])

    after = await world.client.get("/v0.1/servers")

    assert int(after.headers["registry-position"]) > int(before.headers["registry-position"])
    assert json.loads(after.content)["servers"][0]["server"]["name"] == "com.example/new"


async def test_registries_are_those_of_the_configuration(world: RegistryWorld):
    """A registry that was configured away is gone, another is there."""
    assert isinstance(world.services.registries, Registries)
    await world.configure({"team": ("main",)})

    assert (await world.client.get("/registry/default/v0.1/servers")).status_code == 404
    assert (await world.client.get("/registry/team/v0.1/servers")).status_code == 200
    assert (await world.client.get("/v0.1/servers")).json()["metadata"]["count"] == 4
