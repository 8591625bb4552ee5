"""A ConfigMap as a source: its data, its messages, and a watch that nothing ends."""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest
from aiohttp import web
from anyio import fail_after
from anyio.lowlevel import checkpoint

from adapters.sources.configmap import CONFIGMAP, ConfigMapSettings, ConfigMapSource, _lines
from adapters.sources.formats import DetectedFormat
from domain.errors import (
    SourceAccessError,
    SourceContentError,
    SourceError,
    SourceUnreachableError,
)
from domain.ports.source import Fetched, Unchanged, WatchPort
from tests.harness.kubernetes_server import (
    KubernetesServer,
    serve_kubernetes,
    status,
    status_object,
)

TOOLHIVE = json.dumps(
    {
        "version": "1.0.0",
        "last_updated": "2026-01-01T00:00:00Z",
        "servers": {
            "io.github.example/time": {
                "description": "Tells the time of day",
                "tier": "Community",
                "status": "Active",
                "transport": "stdio",
                "tools": ["now"],
                "image": "ghcr.io/example/time:1.0.0",
            }
        },
    }
)
UPSTREAM = json.dumps(
    {
        "version": "1.0.0",
        "meta": {"last_updated": "2026-01-01T00:00:00Z"},
        "data": {
            "servers": [
                {
                    "name": "io.github.example/time",
                    "description": "Tells the time of day",
                    "version": "1.0.0",
                }
            ]
        },
    }
)


@pytest.fixture
def cluster() -> Iterator[KubernetesServer]:
    """A cluster whose ConfigMap annals/registry holds an empty registry."""
    with serve_kubernetes() as cluster:
        cluster.write("registry", data={"registry.json": "{}"})
        yield cluster


@pytest.fixture
def source(cluster: KubernetesServer, tmp_path: Path) -> ConfigMapSource:
    """A source of that ConfigMap that does not wait between watches."""
    return ConfigMapSource(settings=settings(cluster, tmp_path), sleep=at_once)


def settings(cluster: KubernetesServer, folder: Path, **changed: str) -> ConfigMapSettings:
    kubeconfig = cluster.kubeconfig(folder / "kubeconfig")
    return ConfigMapSettings(
        **{"namespace": "annals", "name": "registry", "kubeconfig": kubeconfig, **changed}
    )


async def at_once(_seconds: float) -> None:
    await checkpoint()


async def read(source: ConfigMapSource, known: str | None = None) -> tuple[bytes, str]:
    fetched = await source.fetch(known)
    assert isinstance(fetched, Fetched)
    (content,) = [payload async for payload in fetched.payloads]
    return content, fetched.revision()


@asynccontextmanager
async def watching(source: ConfigMapSource) -> AsyncIterator[AsyncGenerator[None, None]]:
    """The changes of a source, behind the first that tells that it is there."""
    changes = source.changes()
    try:
        with fail_after(10):
            await anext(changes)
            yield changes
    finally:
        await changes.aclose()


async def test_data_and_binary_data(cluster: KubernetesServer, source: ConfigMapSource) -> None:
    """Text and bytes both come as they were written."""
    cluster.write("registry", data={"registry.json": '{"é": 1}', "other": "x"})
    assert (await read(source))[0] == '{"é": 1}'.encode()
    cluster.write_binary("registry", "registry.json", b"\xef\xbb\xbf{}\r\n")
    assert (await read(source))[0] == b"\xef\xbb\xbf{}\r\n"


@pytest.mark.parametrize("registry", [TOOLHIVE, UPSTREAM], ids=["toolhive", "upstream"])
async def test_both_formats(
    cluster: KubernetesServer, source: ConfigMapSource, registry: str
) -> None:
    """A registry in a ConfigMap is recognised as one in a file is."""
    cluster.write("registry", data={"registry.json": registry})
    parsed = DetectedFormat().parse((await read(source))[0])
    assert [entry.key.name for entry in parsed.entries] == ["io.github.example/time"]
    assert not parsed.rejected


async def test_revision_is_the_version_of_the_object(
    cluster: KubernetesServer, source: ConfigMapSource
) -> None:
    """What was deleted and created again is another object, whatever its version says."""
    _, revision = await read(source)
    assert revision == "uid-1/1"
    assert await source.fetch(revision) == Unchanged()
    assert await source.fetch("uid-0/1") != Unchanged()
    cluster.write("registry", data={"registry.json": "{}"})
    assert (await read(source, revision))[1] == "uid-1/2"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"name": "absent"}, r'annals/absent.* answered 404 \(configmaps "absent" not found\)'),
        ({"namespace": "other"}, "other/registry.* answered 404 .*Check the name, the namespace"),
        ({"key": "absent.json"}, r"annals/registry has no key 'absent.json', only 'registry.json'"),
    ],
)
async def test_what_is_not_there(
    cluster: KubernetesServer, tmp_path: Path, changed: dict[str, str], message: str
) -> None:
    """The message tells which part of the configuration leads nowhere."""
    source = ConfigMapSource(settings=settings(cluster, tmp_path, **changed))
    with pytest.raises(SourceContentError, match=message):
        await source.fetch(None)


async def test_no_key_at_all(cluster: KubernetesServer, source: ConfigMapSource) -> None:
    """A ConfigMap may be empty, or its content null."""
    cluster.write("registry", data=None)
    with pytest.raises(SourceContentError, match="only none at all"):
        await source.fetch(None)


@pytest.mark.parametrize(
    ("code", "kind", "message"),
    [
        (401, SourceAccessError, "does not accept the credentials"),
        (403, SourceAccessError, r"resourceNames: \[registry\], verbs: \[get, watch\]"),
        (410, SourceUnreachableError, "too old"),
        (418, SourceContentError, "no answer of Kubernetes"),
        (429, SourceUnreachableError, "Ask again later"),
        (503, SourceUnreachableError, "readyz"),
    ],
)
async def test_refusal(
    cluster: KubernetesServer,
    source: ConfigMapSource,
    code: int,
    kind: type[SourceError],
    message: str,
) -> None:
    """Each refusal says what the API server said, and what to do."""
    cluster.intercept = lambda _request: status(code, "so it is")
    with pytest.raises(kind, match=rf"annals/registry: .*{code} \(so it is\): .*{message}"):
        await source.fetch(None)


@pytest.mark.parametrize(
    "body",
    ["<html>", "[]", "{}", '{"metadata": {"uid": 1}}', "[" * 100_000, "", '{"a": "\ud800'],
    ids=["login page", "array", "no metadata", "odd metadata", "deep", "nothing", "broken off"],
)
async def test_strange_answer(
    cluster: KubernetesServer, source: ConfigMapSource, body: str
) -> None:
    """What no API server sends is never taken for an empty registry, and told with its place."""
    content = body.encode(errors="surrogatepass")
    cluster.intercept = lambda _request: web.Response(body=content)
    message = f"configmaps annals/registry: {cluster.url} answered .*address"
    with pytest.raises(SourceContentError, match=message):
        await source.fetch(None)


@pytest.mark.parametrize("content", [{"data": 7}, {"data": {"registry.json": 7}}, {}])
async def test_strange_content(
    cluster: KubernetesServer, source: ConfigMapSource, content: dict[str, Any]
) -> None:
    """Nor is an object that is written otherwise than a ConfigMap."""
    cluster.write("registry", **content)
    with pytest.raises(SourceContentError, match=r"has no key 'registry\.json'"):
        await source.fetch(None)


async def test_binary_data_that_is_none(cluster: KubernetesServer, source: ConfigMapSource) -> None:
    """Broken base64 is told as such."""
    cluster.write("registry", binaryData={"registry.json": "é"})
    with pytest.raises(SourceContentError, match="annals/registry: its binary data is not base64"):
        await source.fetch(None)


async def test_endless_answer_is_cut_off(
    cluster: KubernetesServer, source: ConfigMapSource
) -> None:
    """No more is read than a ConfigMap can need."""
    cluster.intercept = lambda _request: web.Response(body=bytes(17 * 1024 * 1024))
    with pytest.raises(SourceError, match="more than 16777216 bytes"):
        await source.fetch(None)


async def test_token_of_a_file_is_read_anew(cluster: KubernetesServer, tmp_path: Path) -> None:
    """A token that is rotated on disk counts from the next request on, line end or not."""
    token_file = tmp_path / "token"
    kubeconfig = cluster.kubeconfig(tmp_path / "kubeconfig", tokenFile="token")
    source = ConfigMapSource(
        settings=ConfigMapSettings(namespace="annals", name="registry", kubeconfig=kubeconfig)
    )
    for cluster.token in ("first", "second"):
        token_file.write_text(f"{cluster.token}\n")
        await read(source)
    token_file.write_text("stale")
    with pytest.raises(SourceAccessError, match="renew the login"):
        await source.fetch(None)


async def test_change_is_told(cluster: KubernetesServer, source: ConfigMapSource) -> None:
    """The watch brings a change, a deletion and a return; others' objects do not matter."""
    assert isinstance(source, WatchPort)
    async with watching(source) as changes:
        cluster.write("registry", data={"registry.json": "1"})
        await anext(changes)
        cluster.delete("registry")
        await anext(changes)
        cluster.write("registry", data={"registry.json": "2"})
        await anext(changes)
    assert cluster.watched == 1
    assert cluster.requests[0].query["fieldSelector"] == "metadata.name=registry"


async def test_change_of_a_large_object_is_told(
    cluster: KubernetesServer, source: ConfigMapSource
) -> None:
    """An event may have all of the object, or what `kubectl apply` has noted of it."""
    async with watching(source) as changes:
        for content in ("1" * 900_000, "2" * 900_000):
            cluster.write("registry", data={"registry.json": content})
            await anext(changes)
    assert cluster.watched == 1


async def test_event_without_end_is_none() -> None:
    """A server that sends one line for ever is given up."""

    async def chunks() -> AsyncIterator[bytes]:
        while True:
            yield b" " * 2**20

    with pytest.raises(SourceContentError, match="what is no event of a watch"):
        _ = [line async for line in _lines(chunks(), "here")]


EXPIRED = {"type": "ERROR", "object": status_object(410, "too old resource version")}
BOOKMARK = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "9"}}}


@pytest.mark.parametrize("event", [EXPIRED, None, {}, {"type": "ADDED", "object": 1}])
async def test_watch_goes_on_after_its_end(
    cluster: KubernetesServer,
    source: ConfigMapSource,
    event: dict[str, Any] | None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Expired, timed out or broken: the next watch tells the next change, and no change twice."""
    async with watching(source) as changes:
        cluster.tell(event)
        cluster.write("registry", data={"registry.json": "1"})
        await anext(changes)
        cluster.write("registry", data={"registry.json": "2"})
        await anext(changes)
    assert cluster.watched == 2
    told = f"not watched: configmaps annals/registry: {cluster.url}" in caplog.text
    assert told == (event is not None)


async def test_watch_goes_on_after_a_disconnect(
    cluster: KubernetesServer, source: ConfigMapSource
) -> None:
    """A connection that is reset is made anew, and what came meanwhile is told."""
    async with watching(source) as changes:
        cluster.hang_up()
        cluster.write("registry", data={"registry.json": "1"})
        await anext(changes)


def writes(cluster: KubernetesServer, waits: list[float]) -> Callable[[float], Awaitable[None]]:
    """A sleep during which the ConfigMap changes."""

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        cluster.write("registry", data={"registry.json": str(len(waits))})
        await checkpoint()

    return sleep


async def test_silent_connection_is_given_up(
    cluster: KubernetesServer, source: ConfigMapSource
) -> None:
    """A connection that leads nowhere any more looks like one on which nothing happens."""
    waits: list[float] = []
    source = attrs.evolve(source, silence_seconds=0.05, sleep=writes(cluster, waits))
    async with watching(source) as changes:
        await anext(changes)
    assert len(waits) == 1


@pytest.mark.parametrize(
    ("code", "expected"), [(403, [0.5, 1, 2, 4, 8, 15]), (503, [0.5, 1, 1, 1, 1, 1])]
)
async def test_waits_between_watches_double(
    cluster: KubernetesServer, source: ConfigMapSource, code: int, expected: list[float]
) -> None:
    """A server that refuses is asked less and less often, one that is gone may soon be back; and
    never do all ask at once."""
    waits: list[float] = []
    cluster.write("registry", data={})

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 6:
            cluster.intercept = lambda _request: None
        await checkpoint()

    cluster.intercept = lambda _request: status(code, "starting")
    source = attrs.evolve(source, sleep=sleep, chance=lambda: 0.0)
    async with watching(source):
        assert waits == expected
    waits.clear()
    cluster.intercept = lambda _request: status(code, "starting") if not waits else None
    async with watching(attrs.evolve(source, chance=lambda: 1.0, steady_seconds=0)):
        assert waits == [0.25]


async def test_watch_survives_a_restart_of_the_server(
    cluster: KubernetesServer, source: ConfigMapSource, caplog: pytest.LogCaptureFixture
) -> None:
    """While nobody answers the watch tries again, says so once, and then tells what is new."""
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            cluster.listen()
            cluster.write("registry", data={"registry.json": "new"})

    async with watching(attrs.evolve(source, sleep=sleep)) as changes:
        cluster.go_away()
        await anext(changes)
    assert len([record for record in caplog.records if "not watched" in record.message]) == 1


async def test_watch_takes_the_rotated_token(cluster: KubernetesServer, tmp_path: Path) -> None:
    """When the token of a watch is no longer good, the next one comes with the new token."""
    token_file = tmp_path / "token"
    token_file.write_text("first")
    cluster.token = "first"
    kubeconfig = cluster.kubeconfig(tmp_path / "kubeconfig", tokenFile="token")

    async def sleep(_seconds: float) -> None:
        token_file.write_text("second")

    source = ConfigMapSource(
        settings=ConfigMapSettings(namespace="annals", name="registry", kubeconfig=kubeconfig),
        sleep=sleep,
    )
    async with watching(source) as changes:
        cluster.token = "second"
        cluster.tell(None)
        cluster.write("registry", data={"registry.json": "new"})
        await anext(changes)
    assert [request.authorization for request in cluster.requests] == [
        "Bearer first",
        "Bearer second",
    ]


async def test_watch_waits_for_a_kubeconfig(cluster: KubernetesServer, tmp_path: Path) -> None:
    """Not even a missing kubeconfig ends the watch."""
    missing = settings(cluster, tmp_path, kubeconfig=str(tmp_path / "later"))

    async def sleep(_seconds: float) -> None:
        cluster.kubeconfig(tmp_path / "later")

    async with watching(ConfigMapSource(settings=missing, sleep=sleep)):
        assert cluster.watched == 1


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"namespace": "Annals"}, "expected the name of a namespace"),
        ({"namespace": "a" * 64}, "expected the name of a namespace"),
        ({"name": "a_b"}, "expected the name of a ConfigMap"),
        ({"name": "a..b"}, "expected the name of a ConfigMap"),
        ({"name": ".".join(["a" * 63] * 4)}, "expected the name of a ConfigMap"),
        ({"key": "a/b"}, "expected a key of a ConfigMap"),
        ({"key": ""}, "expected a key of a ConfigMap"),
        ({"key": "a" * 254}, "expected a key of a ConfigMap"),
    ],
)
def test_impossible_settings_are_refused(changed: dict[str, str], message: str) -> None:
    """What can be no name in Kubernetes is told when the configuration is read."""
    with pytest.raises(ValueError, match=message):
        ConfigMapSettings(**{"namespace": "annals", "name": "registry", **changed})


def test_kind_opens_a_source_of_its_settings(tmp_path: Path) -> None:
    """The composition root needs nothing but the kind."""
    plain = ConfigMapSettings(namespace="annals", name="registry.v1")
    assert CONFIGMAP.open(plain, tmp_path) == ConfigMapSource(settings=plain)
    assert CONFIGMAP.location(plain) == "annals/registry.v1 registry.json"
