"""Reads of the past over HTTP: how moments are written, what answers say, what is refused."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from application.pins import PinBook
from domain.asof import Asked, AtPosition, parse_as_of
from domain.identifiers import PinName
from domain.timestamps import from_rfc_3339, to_rfc_3339
from tests.harness.clock import MICROSECOND, START
from tests.harness.registry_world import RegistryWorld, enveloped, registry_world, server
from tests.harness.sync_world import HeldSource

IMMUTABLE = "public, max-age=31536000, immutable"
REVALIDATED = "public, max-age=0, must-revalidate"


@pytest.fixture
async def world() -> AsyncIterator[RegistryWorld]:
    """A source with one server, then with two, then with another one; effective days earlier."""
    async with registry_world() as world:
        for number, names in enumerate((["a"], ["a", "b", "c"], ["c", "d"])):
            port = HeldSource(*[server(f"com.example/{name}") for name in names])
            port.details["effective_at"] = START - timedelta(days=10 - number)
            await world.sync_from(port)
        yield world


async def ends(world: RegistryWorld) -> list[int]:
    """Where each commit ends."""
    return [c.last_position async for batch in world.storage.commits() for c in batch]


async def pin(world: RegistryWorld, name: str, at: str, **options: Any) -> None:
    book = PinBook(world.storage, world.log, world.clock)
    await book.set(PinName(name), Asked(at=parse_as_of(at)), **options)
    await world.projector.catch_up()


async def names(world: RegistryWorld, url: str, **query: str) -> list[str]:
    """The names that a list has."""
    answer = await world.client.get(url, params=query or None)
    assert answer.status_code == 200, answer.text
    return [entry["server"]["name"].rpartition("/")[2] for entry in answer.json()["servers"]]


async def test_an_answer_for_a_position_never_changes(world: RegistryWorld):
    """It may be kept for ever, and says what it is of."""
    (_, first, second, _) = await ends(world)
    for position in (second, second - 1):
        answer = await world.client.get(f"/registry/default@{position}/v0.1/servers")
        end = second if position == second else first
        commit = await world.storage.commit_of(end)
        assert commit
        assert answer.headers["cache-control"] == IMMUTABLE
        assert answer.headers["registry-position"] == str(end)
        assert answer.headers["registry-recorded-at"] == to_rfc_3339(commit.recorded_at)
        assert "registry-effective-at" not in answer.headers
        assert answer.headers["etag"].startswith('"')


async def test_an_answer_for_a_time_or_a_pin_says_the_position(world: RegistryWorld):
    """Both are asked about again: a pin may be moved."""
    (_, _, second, _) = await ends(world)
    commit = await world.storage.commit_of(second)
    assert commit
    await pin(world, "approved", f"@{second}")
    for at in (to_rfc_3339(commit.recorded_at), "approved"):
        for url in (f"/registry/default@{at}/v0.1/servers", f"/v0.1/servers?at={at}"):
            answer = await world.client.get(url)
            assert answer.headers["cache-control"] == REVALIDATED
            assert answer.headers["registry-position"] == str(second)


async def test_a_pin_answers_as_its_moment(world: RegistryWorld):
    """In the query and in the path; moved it answers otherwise; removed it is unknown."""
    (_, first, second, _) = await ends(world)
    await pin(world, "approved", f"@{second}")
    assert await names(world, "/registry/default@approved/v0.1/servers") == ["a", "b", "c"]
    await pin(world, "approved", f"@{first}", move=True)
    assert await names(world, "/v0.1/servers", at="approved") == ["a"]
    await PinBook(world.storage, world.log, world.clock).remove(PinName("approved"))
    await world.projector.catch_up()
    answer = await world.client.get("/registry/default@approved/v0.1/servers")
    assert answer.status_code == 404
    assert "the pins are none" in answer.json()["detail"]


async def test_pins_are_listed(world: RegistryWorld):
    """In the order of names, each with what it stands for; nobody changes them over HTTP."""
    assert (await world.client.get("/v1/pins")).json() == {"pins": []}
    (_, first, second, _) = await ends(world)
    await pin(world, "later", f"@{second}")
    book = PinBook(world.storage, world.log, world.clock)
    await book.set(PinName("earlier"), Asked(at=AtPosition(first), effective_at=START))
    await world.projector.catch_up()
    answer = await world.client.get("/v1/pins")
    recorded = [await world.storage.commit_of(position) for position in (first, second)]
    assert answer.json()["pins"] == [
        {
            "name": "earlier",
            "position": first,
            "recordedAt": to_rfc_3339(recorded[0].recorded_at),
            "effectiveAt": to_rfc_3339(START),
        },
        {
            "name": "later",
            "position": second,
            "recordedAt": to_rfc_3339(recorded[1].recorded_at),
        },
    ]
    assert answer.headers["cache-control"] == "no-store"
    assert (await world.client.post("/v1/pins")).status_code == 405


async def test_a_pin_does_not_change_what_is_served_now(world: RegistryWorld):
    """The tag of the live registry stays, so that no client fetches anything anew."""
    before = await world.client.get("/v0.1/servers")
    await pin(world, "approved", "@3")
    after = await world.client.get("/v0.1/servers")
    assert after.headers["etag"] == before.headers["etag"]


@pytest.mark.parametrize("path", ["/v0.1/servers", "/api/v0/servers", "/api/v0/info"])
async def test_who_has_a_past_answer_already_gets_304(world: RegistryWorld, path: str):
    """Strong tags, one for each moment, the same by each way to ask; 304 tells of it too."""
    (_, first, second, last) = await ends(world)
    tags = set()
    for position in (first, second, last):
        commit = await world.storage.commit_of(position)
        answers = [
            await world.client.get(f"/registry/default@{position}{path}"),
            await world.client.get(f"{path}?at=@{position}"),
            await world.client.get(f"{path}?at={to_rfc_3339(commit.recorded_at)}"),
        ]
        (tag,) = {answer.headers["etag"] for answer in answers}
        tags.add(tag)
        again = await world.client.get(
            f"/registry/default@{position}{path}", headers={"If-None-Match": tag}
        )
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["cache-control"] == IMMUTABLE
        assert again.headers["registry-position"] == str(position)
    live = await world.client.get(path)
    assert len({*tags, live.headers["etag"]}) == 4


async def test_the_past_is_open_to_every_page_and_to_head(world: RegistryWorld):
    """As its siblings of now: HEAD, preflights, and headers that pages of other origins read."""
    url = "/registry/default@4/v0.1/servers"
    whole, head = await world.client.get(url), await world.client.head(url)
    preflight = await world.client.options(url)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers == whole.headers
    assert preflight.status_code == 204
    for answer in (whole, head, preflight):
        assert answer.headers["access-control-allow-origin"] == "*"
        exposed = answer.headers["access-control-expose-headers"]
        assert "Registry-Recorded-At, Registry-Effective-At" in exposed


async def test_pages_keep_their_moment_while_commits_come(world: RegistryWorld):
    """With the moment in the path, with it in the query, and with nothing but the cursor."""
    (_, _, second, _) = await ends(world)
    commit = await world.storage.commit_of(second)
    time = to_rfc_3339(commit.recorded_at)
    for base, query in (
        (f"/registry/default@{second}", {}),
        ("", {"at": time}),
        ("", {"at": f"@{second}"}),
    ):
        first = await world.client.get(f"{base}/v0.1/servers", params={**query, "limit": 1})
        cursor = first.json()["metadata"]["nextCursor"]
        await world.sync("main", [server("com.example/new")])
        await world.sync("main", [server("com.example/newer")])
        for again in (query, {}):
            rest = await names(world, f"{base}/v0.1/servers", **again, cursor=cursor)
            assert rest == ["b", "c"]
        assert await names(world, "/v0.1/servers", cursor=cursor) == ["b", "c"]


async def test_pages_of_an_effective_time_keep_what_was_known(world: RegistryWorld):
    """Whether the time is repeated beside the cursor or not."""
    time = to_rfc_3339(START - timedelta(days=9))
    query = {"effective_at": time}
    first = await world.client.get("/v0.1/servers", params={**query, "limit": 1})
    assert first.headers["registry-effective-at"] == time
    cursor = first.json()["metadata"]["nextCursor"]
    port = HeldSource(server("com.example/late"))
    port.details["effective_at"] = START - timedelta(days=9)
    await world.sync_from(port)
    for again in (query, {}):
        assert await names(world, "/v0.1/servers", **again, cursor=cursor) == ["b", "c"]


@pytest.mark.parametrize(
    "other",
    [{"at": "@4"}, {"at": "2026-11-23"}, {"effective_at": "2026-11-22"}],
)
async def test_a_cursor_of_another_moment_is_refused(world: RegistryWorld, other: dict[str, str]):
    """Also one of the live registry."""
    world.clock.at += timedelta(days=2)
    (_, _, second, _) = await ends(world)
    for url in (f"/v0.1/servers?limit=1&at=@{second}", "/v0.1/servers?limit=1"):
        cursor = (await world.client.get(url)).json()["metadata"]["nextCursor"]
        answer = await world.client.get("/v0.1/servers", params={**other, "cursor": cursor})
        assert answer.status_code == 400, url
        assert "begin the list anew" in answer.json()["detail"]


async def test_a_cursor_in_the_official_form_goes_with_any_moment(world: RegistryWorld):
    """It names a key and nothing else."""
    (_, _, second, _) = await ends(world)
    url = f"/registry/default@{second}/v0.1/servers"
    assert await names(world, url, cursor="com.example/a:1.0.0") == ["b", "c"]


@pytest.mark.parametrize(
    ("at", "status", "told"),
    [
        ("2026-11-22T09:30:00", 400, "with an offset"),
        ("nonsense!", 400, "is not a moment"),
        ("@", 400, "is not a moment"),
        ("@-1", 400, "is not a moment"),
        ("yesterday", 404, "No pin 'yesterday'"),
        ("2036-01-01", 400, "lies in the future"),
        ("@4711", 400, "the log ends at @"),
        ("2020-01-01", 404, "the first commit was recorded at 2026-11-22T"),
        ("@0", 404, "the first commit was recorded at"),
    ],
)
async def test_a_moment_that_is_none_is_refused(
    world: RegistryWorld, at: str, status: int, told: str
):
    """With what would be one, in the query and in the path, on every read."""
    for path in ("/v0.1/servers", "/v0.1/servers/com.example%2Fa/versions", "/api/v0/servers"):
        by_query = await world.client.get(path, params={"at": at})
        by_path = await world.client.get(f"/registry/default@{at}{path}")
        for answer in (by_query, by_path):
            assert answer.status_code == status
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.headers["cache-control"] == "no-store"
            assert told in answer.json()["detail"]


@pytest.mark.parametrize(
    ("effective_at", "status", "told"),
    [
        ("2026-11-12T09:30:00", 400, "is not a time"),
        ("@3", 400, "is not a time"),
        ("2036-01-01", 400, "lies in the future"),
        ("2020-01-01", 404, "the first that is known took effect at 2026-11-12T09:30:00Z"),
    ],
)
async def test_an_effective_time_that_is_none_is_refused(
    world: RegistryWorld, effective_at: str, status: int, told: str
):
    """Likewise."""
    answer = await world.client.get("/v0.1/servers", params={"effective_at": effective_at})
    assert answer.status_code == status
    assert told in answer.json()["detail"]


async def test_an_effective_time_before_anything_was_known_says_so(world: RegistryWorld):
    """What was recorded later is no reason for anything then."""
    answer = await world.client.get("/v0.1/servers?at=@2&effective_at=2026-11-22")
    assert answer.status_code == 404
    assert "its sources have not offered anything yet" in answer.json()["detail"]


async def test_two_moments_at_once_are_refused(world: RegistryWorld):
    """One in the path and one in the query."""
    answer = await world.client.get("/registry/default@4/v0.1/servers?at=@4")
    assert answer.status_code == 400
    assert "leave `at` out" in answer.json()["detail"]


async def test_registries_are_those_of_the_moment(world: RegistryWorld):
    """One that came later is unknown then, and one that is gone by now is served as of then."""
    (before,) = (await ends(world))[-1:]
    await world.configure({"other": ["main"]})
    later = (await ends(world))[-1]
    unknown = await world.client.get(f"/registry/other@{before}/v0.1/servers")
    assert unknown.status_code == 404
    assert "the registries are default" in unknown.json()["detail"]
    assert await names(world, f"/registry/other@{later}/v0.1/servers") == ["c", "d"]
    assert (await world.client.get("/registry/default/v0.1/servers")).status_code == 404
    assert await names(world, f"/registry/default@{before}/v0.1/servers") == ["c", "d"]
    assert await names(world, f"/v0.1/servers?at=@{before}") == ["c", "d"]


async def test_both_times_together(world: RegistryWorld):
    """What had taken effect, as far as it was known at another time."""
    (_, first, second, last) = await ends(world)
    time = to_rfc_3339(START - timedelta(days=9))
    for at, expected in ((first, ["a"]), (second, ["a", "b", "c"]), (last, ["a", "b", "c"])):
        answer = await names(world, f"/registry/default@{at}/v0.1/servers", effective_at=time)
        assert answer == expected
    just_before = to_rfc_3339(START - timedelta(days=9) - MICROSECOND)
    assert await names(world, "/v0.1/servers", effective_at=just_before) == ["a"]
    one = (await world.client.get("/v0.1/servers", params={"effective_at": time})).json()
    official = one["servers"][1]["_meta"]["io.modelcontextprotocol.registry/official"]
    assert from_rfc_3339(official["updatedAt"]) == START - timedelta(days=9)


async def test_filters_work_as_they_did_then(world: RegistryWorld):
    """Statuses, latest flags, searches and times of changes are those of the moment."""
    await world.sync(
        "main",
        [
            server("com.example/x", "1.0.0", title="Finder"),
            enveloped(server("com.example/x", "2.0.0"), status="deleted"),
        ],
    )
    (*_, then) = await ends(world)
    since = to_rfc_3339((await world.storage.commit_of(then)).recorded_at - MICROSECOND)
    await world.sync("main", [server("com.example/x", "3.0.0", title="Seeker")])
    url = f"/registry/default@{then}/v0.1/servers"

    async def versions(**query: str) -> list[str]:
        answer = await world.client.get(url, params=query)
        return [entry["server"]["version"] for entry in answer.json()["servers"]]

    assert await versions(search="finder") == ["1.0.0"]
    assert await versions(search="seeker") == []
    assert await versions(version="latest") == ["1.0.0"]
    assert await versions(include_deleted="true") == ["1.0.0", "2.0.0"]
    assert await versions(updated_since=since) == ["1.0.0", "2.0.0"]
    assert await versions(updated_since=to_rfc_3339(from_rfc_3339(since) + MICROSECOND)) == []


async def test_operations_of_a_registry_take_its_path_form(world: RegistryWorld):
    """Clients that probe a base before they read from it find what they look for."""
    for path in ("/v0.1/ping", "/v0.1/health", "/v0.1/version", "/openapi.yaml"):
        assert (await world.client.get(f"/registry/default@4{path}")).status_code == 200
        assert (await world.client.get(f"/registry/default@4711{path}")).status_code == 400
