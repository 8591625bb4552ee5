"""Answers that were asked for before, in every form, and as long as they are right."""

import gzip
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import anyio
import attrs
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.types import ASGIApp, Message

from application.pins import PinBook
from application.redactions import RedactionBook
from domain.asof import Asked, AtPosition
from domain.events import DocumentRedacted
from domain.identifiers import PinName
from entrypoints.http.app import create_app
from tests.harness.registry_world import RegistryWorld, registry_world, server
from tests.harness.watched_scratch import watched

LIST = "/v0.1/servers"
LONG = "Does things. " * 200


@attrs.frozen
class Got:
    """An answer, byte for byte."""

    status: int
    headers: Mapping[str, str]
    body: bytes


async def get(app: ASGIApp, url: str, **headers: str) -> Got:
    """What *app* sends, where headers have underscores for their hyphens."""
    path, _, query = url.partition("?")
    raw = [(name.replace("_", "-").encode(), text.encode()) for name, text in headers.items()]
    scope = {
        "type": "http",
        "method": "GET",
        "scheme": "http",
        "path": path.replace("%2F", "/"),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(b"host", b"registry.test"), *raw],
        "server": ("registry.test", 80),
    }
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    start, *bodies = sent
    told = {name.decode(): value.decode() for name, value in start["headers"]}
    assert len(told) == len(start["headers"])
    return Got(start["status"], told, b"".join(each["body"] for each in bodies))


@pytest.fixture
async def long_world(empty_world: RegistryWorld) -> RegistryWorld:
    """A registry whose list is worth compressing."""
    await empty_world.sync("main", [server("com.example/one", description=LONG), server("com.x/s")])
    return empty_world


async def test_what_is_asked_for_again_is_kept(long_world: RegistryWorld):
    """For every coding, and for a 304."""
    reads: list[int] = []
    app = create_app(await watched(long_world, lambda: reads.append(1)))
    first = await get(app, LIST)
    second = await get(app, LIST)
    assert len(reads) == 2

    third = await get(app, LIST)
    packed = await get(app, LIST, accept_encoding="gzip")
    known = await get(app, LIST, if_none_match=first.headers["etag"])

    assert first == second == third
    assert gzip.decompress(packed.body) == first.body
    assert (known.status, known.body) == (304, b"")
    assert len(reads) == 2


async def test_what_was_dear_to_make_is_kept_at_once(long_world: RegistryWorld):
    """Compressed answers, and those in the shapes of ToolHive's API."""
    reads: list[int] = []
    app = create_app(await watched(long_world, lambda: reads.append(1)))
    for url, headers in ((LIST, {"accept_encoding": "gzip"}), ("/api/v0/servers", {})):
        reads.clear()
        first = await get(app, url, **headers)
        assert await get(app, url, **headers) == first
        assert len(reads) == 1


async def test_who_asks_at_the_same_time_gets_the_same(long_world: RegistryWorld):
    """It is made for one of them, and kept for the others, who wait while the disk is slow."""
    reads: list[int] = []
    app = create_app(await watched(long_world, lambda: reads.append(1), is_at_hand=False))
    got: list[Got] = []

    async def ask() -> None:
        got.append(await get(app, LIST))

    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(ask)
    assert got == [await get(create_app(long_world.services), LIST)] * 5
    assert len(reads) == 1


async def test_a_304_does_not_stand_in_for_a_body(long_world: RegistryWorld):
    """Who asks after somebody who had it already gets all of it."""
    app = create_app(long_world.services)
    tag = (await get(create_app(long_world.services), LIST)).headers["etag"]

    known = await get(app, LIST, if_none_match=tag)
    got = await get(app, LIST)

    assert (known.status, got.status) == (304, 200)
    assert got.headers["etag"] == known.headers["etag"] == tag
    assert b"com.example/one" in got.body


@pytest.mark.parametrize(
    ("accepted", "coding", "unpacked"),
    [("gzip", "gzip", gzip.decompress), ("zstd, gzip", "zstd", zstandard.decompress)],
)
async def test_text_is_compressed_for_who_takes_it(
    long_world: RegistryWorld, accepted: str, coding: str, unpacked: Any
):
    """With a tag of its own, and a word to caches."""
    app = create_app(long_world.services)
    for url in (LIST, "/api/v0/servers?format=upstream", "/openapi.yaml", "/docs", "/metrics"):
        plain = await get(app, url)
        packed = await get(app, url, accept_encoding=accepted)

        assert packed.headers["content-encoding"] == coding
        assert packed.headers["content-length"] == str(len(packed.body))
        assert plain.headers["vary"] == packed.headers["vary"] == "Accept-Encoding"
        assert "content-encoding" not in plain.headers
        if url != "/metrics":
            assert unpacked(packed.body) == plain.body
        if tag := plain.headers.get("etag"):
            assert packed.headers["etag"] == f'{tag[:-1]}-{coding}"'


async def test_small_and_binary_bodies_stay_as_they_are(long_world: RegistryWorld):
    """But for who refuses to get them so."""
    app = create_app(long_world.services)

    small = await get(app, "/health", accept_encoding="gzip")
    refused = await get(app, "/health", accept_encoding="gzip, identity;q=0")
    tile = await get(app, "/log/entries/000.p/4", accept_encoding="gzip, identity;q=0")

    assert "content-encoding" not in small.headers
    assert gzip.decompress(refused.body) == small.body
    assert tile.status == 200
    assert not {"content-encoding", "vary"} & tile.headers.keys()


async def test_a_tag_of_any_coding_that_is_taken_is_known(long_world: RegistryWorld):
    """The 304 names the form that the client has; a coding it does not take is no use to it."""
    app = create_app(long_world.services)
    plain = (await get(app, LIST)).headers["etag"]
    packed = (await get(app, LIST, accept_encoding="gzip")).headers["etag"]

    for known, accepted, told in (
        (packed, "zstd, gzip", packed),
        (plain, "zstd, gzip", plain),
        (f"{plain}, W/{packed}", "gzip", packed),
        ("*", "gzip", plain),
        ("*", "gzip, identity;q=0", packed),
    ):
        got = await get(app, LIST, if_none_match=known, accept_encoding=accepted)
        assert (got.status, got.headers["etag"], got.body) == (304, told, b"")
        assert got.headers["vary"] == "Accept-Encoding"
    unsaid = await get(app, LIST, if_none_match=packed)
    refused = await get(app, LIST, if_none_match=packed, accept_encoding="identity")
    assert (unsaid.status, refused.status) == (304, 200)


async def test_errors_are_not_kept(empty_world: RegistryWorld):
    """Nor is anything else that does not follow from a registry version."""
    app = create_app(empty_world.services)
    url = f"{LIST}/com.example%2Fone/versions/latest"
    assert (await get(app, url)).status == 404

    await empty_world.sync("main", [server("com.example/one")])

    assert (await get(app, url)).status == 200
    empty_world.readiness = "stopping"
    assert (await get(app, "/readiness")).status == 503


async def test_a_slash_at_the_end_is_not_the_name_of_one(empty_world: RegistryWorld):
    """Paths are told apart as they came, before they were decoded."""
    app = create_app(empty_world.services)
    await empty_world.sync("main", [server("com.example/one")])

    assert (await get(app, f"{LIST}/com.example%2Fone")).status == 200
    assert (await get(app, f"{LIST}/com.example/one")).status == 200
    assert (await get(app, f"{LIST}/com.example/one/")).status == 308


URLS = (
    LIST,
    f"{LIST}?limit=1",
    f"{LIST}?version=latest&search=a",
    f"{LIST}?at=last",
    f"{LIST}?at=2026-11-22T10:00:00Z",
    f"{LIST}?at=@3",
    "/registry/default@3/v0.1/servers",
    "/registry/other/v0.1/servers?include_deleted=true",
    f"{LIST}/com.example%2Fa",
    f"{LIST}/com.example%2Fa/versions",
    f"{LIST}/com.example%2Fb/versions/latest?effective_at=2026-11-22T10:00:00Z",
    "/api/v0/info",
    "/api/v0/servers",
    "/api/v0/servers/com.example%2Fb?format=upstream",
)
offers = st.dictionaries(st.sampled_from("abc"), st.integers(1, 3), max_size=3)
steps = st.one_of(
    st.tuples(st.just("sync"), offers),
    st.tuples(st.just("fail"), st.none()),
    st.tuples(st.just("redact"), st.none()),
    st.tuples(st.just("pin"), st.none()),
    st.tuples(st.just("configure"), st.booleans()),
)


async def take(world: RegistryWorld, step: str, argument: Any) -> None:
    """A commit of some kind."""
    match step:
        case "sync":
            offered = [
                server(f"com.example/{name}", f"{number}.0.0", description=LONG)
                for name, number in argument.items()
            ]
            await world.sync("main", offered)
        case "fail":
            await world.fail("main")
        case "configure":
            names = ("default", "other") if argument else ("other", "default")
            await world.configure(dict.fromkeys(names, ("main",)))
        case "pin":
            book = PinBook(world.storage, world.log, world.clock)
            at = AtPosition(world.projector.live.position)
            await book.set(PinName("last"), Asked(at=at), move=True)
            await world.projector.catch_up()
        case "redact":
            for served in (await world.registry("default")).servers[:1]:
                event = DocumentRedacted(
                    document_hash=served.entry.document_hash, reason="r", redacted_by="ann@host"
                )
                await RedactionBook(world.storage, world.log).redact(event)
                await world.projector.catch_up()


@settings(max_examples=20, deadline=None)
@given(taken=st.lists(steps, min_size=1, max_size=5), accepted=st.sampled_from(["gzip", "", "*"]))
async def test_a_kept_answer_is_the_one_that_would_be_made(taken: list[Any], accepted: str):
    """Whatever was recorded since: the same status, headers and body, byte for byte."""
    async with registry_world({"default": ("main",), "other": ("main",)}) as world:
        app = create_app(world.services)
        known: dict[str, str] = {}
        for step in taken:
            await take(world, *step)
            world.clock.at += timedelta(hours=1)  # so that the times in URLS are past
            for url in URLS:
                fresh = create_app(world.services)
                for asked in ({}, {"if_none_match": known.get(url, "*")}):
                    headers = {"accept_encoding": accepted, **asked}
                    expected = await get(fresh, url, **headers)
                    for _ in range(2):
                        assert await get(app, url, **headers) == expected
                    known[url] = expected.headers.get("etag", "*")
