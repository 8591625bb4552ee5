"""Reading ToolHive's own API: what it tells of a server becomes the entry that it had."""

import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from anyio import Event, fail_after

from adapters.sources.api_toolhive_entry import registry_file
from adapters.sources.formats.toolhive import ToolhiveFormat
from domain.errors import SourceContentError, SourceError, SourceLimitError
from domain.ports.source import Fetched, Unchanged
from tests.harness.annals_server import annals_server
from tests.harness.api_mirror import api_source
from tests.harness.hostile_server import Answer, HostileServer, Request, answers
from tests.harness.registry_world import RegistryWorld, registry_world
from tests.harness.strikes import MIB

IMAGE = {
    "description": "Does things.",
    "tier": "Official",
    "status": "Deprecated",
    "transport": "streamable-http",
    "tools": ["a", "b"],
    "image": "ghcr.io/example/thing:1.2.3",
    "target_port": 8080,
    "docker_tags": ["latest"],
    "env_vars": [
        {"name": "KEY", "description": "A key.", "required": True, "secret": True},
        {"name": "LEVEL", "description": "", "required": False, "default": "info"},
    ],
    "permissions": {"network": {"outbound": {"allow_port": [443]}}},
    "metadata": {"stars": 7, "pulls": 8, "last_updated": "2026-01-01T00:00:00Z"},
    "custom_metadata": {"author": "somebody", "url": "https://example.com"},
    "repository_url": "https://github.com/example/thing",
    "tags": ["x"],
    "args": ["--fast"],
}
REMOTE = {
    "description": "Does things elsewhere.",
    "tier": "Community",
    "status": "Active",
    "transport": "sse",
    "tools": [],
    "url": "https://mcp.example.com/sse",
    "metadata": {"stars": 1},
    "custom_metadata": {"license": "MIT"},
}
FILE = {
    "servers": {"thing": IMAGE, "com.example/slash +%2F?": {**IMAGE, "image": "x/y"}},
    "remote_servers": {"elsewhere": REMOTE},
}


@pytest.fixture
async def world() -> AsyncIterator[RegistryWorld]:
    """An Annals with that file."""
    async with registry_world() as world:
        await world.sync("main", FILE)
        yield world


@pytest.fixture
async def server(world: RegistryWorld) -> AsyncIterator[HostileServer]:
    """Its server."""
    async with annals_server(world) as server:
        yield server


async def fetch(server: HostileServer, known: str | None = None, **options: int) -> Fetched:
    source = api_source(server.url("/api"), attempts=1, **options)
    result = await source.fetch(known)
    assert isinstance(result, Fetched)
    return result


async def read(fetched: Fetched) -> Any:
    (payload,) = [payload async for payload in fetched.payloads]
    return json.loads(payload)


async def test_registry_file_comes_back(server: HostileServer) -> None:
    """Through an Annals and its ToolHive API, a file arrives as it was."""
    fetched = await fetch(server)
    assert await read(fetched) == FILE
    assert fetched.complete


async def test_unchanged_is_told_by_one_request(
    server: HostileServer, world: RegistryWorld
) -> None:
    """The registry tells when it changed last, and of how many servers it is."""
    revision = (await fetch(server)).revision()
    assert revision.startswith("toolhive /v0 updated ")
    assert revision.endswith(" total 3")
    before = len(server.requests)
    assert await api_source(server.url("/api")).fetch(revision) == Unchanged()
    assert len(server.requests) == before + 1
    await world.sync("main", {"servers": {"thing": IMAGE}})
    assert await read(await fetch(server, revision)) == {
        "servers": {"thing": IMAGE},
        "remote_servers": {},
    }


@pytest.mark.parametrize("info", [b"{}", b'{"last_updated": null, "total_servers": 3}', b"[]"])
async def test_registry_that_does_not_tell_is_always_read(
    server: HostileServer, info: bytes
) -> None:
    """Without the time of the last change nothing else would tell."""
    revision = (await fetch(server)).revision()
    server.misbehave(answers(200, info), lambda request: request.path.endswith("/info"))
    for _ in range(2):
        again = await fetch(server, revision)
        assert await read(again) == FILE
        revision = again.revision()


async def test_failed_detail_fails_the_sync(server: HostileServer) -> None:
    """Half an entry would look like a change."""
    server.misbehave(answers(500), lambda request: request.path.endswith("/thing"))
    with pytest.raises(SourceError, match="500"):
        await read(await fetch(server))


@pytest.mark.parametrize("body", [b"[]", b'"x"', b"{}", b"<html>"])
async def test_detail_that_is_none_names_its_address(server: HostileServer, body: bytes) -> None:
    """Whatever a server has in the place of an entry."""
    server.misbehave(answers(200, body), lambda request: request.path.endswith("/thing"))
    with pytest.raises(SourceContentError, match=r"/api/v0/servers/thing: expected"):
        await read(await fetch(server))


@pytest.mark.parametrize("servers", [None, {}, [1], [{}], [{"name": 1}]])
async def test_list_without_names_is_an_error(server: HostileServer, servers: object) -> None:
    """Of a server without a name nothing can be asked."""
    body = json.dumps({"servers": servers, "total": 1}).encode()
    fetched = await fetch(server)
    server.misbehave(answers(200, body), lambda request: request.path.endswith("/servers"))
    with pytest.raises(SourceContentError, match=r"/servers: expected the array `servers`"):
        await read(fetched)


async def test_details_have_a_limit_together(server: HostileServer) -> None:
    """Many answers of a size that each may have are still too much."""
    with pytest.raises(SourceLimitError, match="more than 1000 bytes"):
        await read(await fetch(server, max_bytes=1000))


async def test_details_are_held_within_the_limit_of_a_file(server: HostileServer) -> None:
    """Whatever the pages of the official API may have together: those come one by one."""
    zipped = gzip.compress(b'{"name": "thing"' + b" " * 52 * MIB + b"}", 1)
    strike = answers(200, zipped, Content_Encoding="gzip")
    fetched = await fetch(server)
    server.misbehave(strike, lambda request: "/servers/" in request.path)
    with pytest.raises(SourceLimitError, match="more than 104857600 bytes"):
        await read(fetched)


async def test_some_details_are_asked_for_at_once(
    server: HostileServer, world: RegistryWorld
) -> None:
    """Eight at most, each once."""
    file = {f"s{number:02}": IMAGE for number in range(30)}
    await world.sync("main", {"servers": file})
    fetched, answer = await fetch(server), server.answer
    waiting, most, eight = 0, 0, Event()

    async def counted(request: Request) -> Answer:
        nonlocal waiting, most
        if not request.path.endswith("/servers"):
            waiting += 1
            most = max(most, waiting)
            if waiting == 8:
                eight.set()
            await eight.wait()
            waiting -= 1
        return await answer(request)

    server.answer = counted
    with fail_after(10):
        assert await read(fetched) == {"servers": file, "remote_servers": {}}
    assert most == 8
    assert len(server.requests) == 5 + 30


def test_what_is_neither_image_nor_remote_is_left_to_the_format() -> None:
    """It says by name why such an entry cannot be used."""
    file = registry_file({"x": {"name": "x", "description": "X", "transport": "", "metadata": 7}})
    assert file == {"servers": {"x": {"description": "X"}}, "remote_servers": {}}


@pytest.mark.parametrize(
    "odd",
    ['"image": "x"', '"x": {"a": 1, "a": 2}', '"x": NaN', f'"x": {"9" * 5000}', '"x": "\\ud800"'],
)
async def test_odd_detail_is_left_to_the_format(server: HostileServer, odd: str) -> None:
    """Such an entry is rejected by itself; it is not repaired on the way, nor are others lost."""
    body = json.dumps({"name": "thing", **IMAGE})[:-1] + f", {odd}}}"
    server.misbehave(answers(200, body.encode()), lambda request: request.path.endswith("/thing"))
    (payload,) = [payload async for payload in (await fetch(server)).payloads]
    parsed = ToolhiveFormat().parse(payload)
    assert [rejected.name for rejected in parsed.rejected] == ["io.github.stacklok/thing"]
    assert len(parsed.entries) == 2
