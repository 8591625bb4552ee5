"""What the parameters of a query may be."""

import pytest

from tests.harness.registry_world import RegistryWorld

SERVERS = "/v0.1/servers"
VERSIONS = "/v0.1/servers/com.example%2Fone/versions"


def location(answer):
    """Where the first error of an answer is said to be."""
    return answer.json()["errors"][0]["location"]


@pytest.mark.parametrize("limit", ["1", "100", "007", ""])
async def test_limits_that_are_taken(world: RegistryWorld, limit: str):
    """From 1 to 100; an empty one is as if not there."""
    answer = await world.client.get(f"{SERVERS}?limit={limit}")

    assert answer.status_code == 200


@pytest.mark.parametrize(
    "limit", ["0", "00", "-1", "101", "1000", "1.0", "1e1", "1_0", "%2B5", "+5", "x", "%D9%A3"]
)
async def test_limits_that_are_refused(world: RegistryWorld, limit: str):
    """422 names the parameter, what it may be, and what it was."""
    answer = await world.client.get(f"{SERVERS}?limit={limit}")

    assert answer.status_code == 422
    assert location(answer) == "query.limit"
    assert "1 to 100" in answer.json()["errors"][0]["message"]
    assert "value" in answer.json()["errors"][0]


@pytest.mark.parametrize("path", [SERVERS, VERSIONS, f"{VERSIONS}/latest"])
async def test_booleans(world: RegistryWorld, path: str):
    """include_deleted is true, false, 1 or 0, and nothing else."""
    for value in ("true", "false", "1", "0", ""):
        assert (await world.client.get(f"{path}?include_deleted={value}")).status_code == 200
    for value in ("TRUE", "yes", "2"):
        answer = await world.client.get(f"{path}?include_deleted={value}")
        assert (answer.status_code, location(answer)) == (422, "query.include_deleted")


@pytest.mark.parametrize(
    "since",
    [
        "2026-01-01T00:00:00Z",
        "2026-01-01t00:00:00.123456789z",
        "2026-01-01T00:00:00%2B01:00",
        "2026-01-01T00:00:00-01:00",
    ],
)
async def test_times_that_are_taken(world: RegistryWorld, since: str):
    """RFC 3339 with an offset."""
    assert (await world.client.get(f"{SERVERS}?updated_since={since}")).status_code == 200


@pytest.mark.parametrize("since", ["2026-01-01T00:00:00", "2026-01-01", "1767225600", "yesterday"])
async def test_times_that_are_refused(world: RegistryWorld, since: str):
    """A time without an offset means another moment to everybody."""
    answer = await world.client.get(f"{SERVERS}?updated_since={since}")

    assert (answer.status_code, location(answer)) == (400, "query.updated_since")
    assert "%2B" not in answer.json()["detail"]


async def test_a_plus_that_became_a_space_is_explained(world: RegistryWorld):
    """In a query a plus is a space: the error says what to write in its place."""
    answer = await world.client.get(f"{SERVERS}?updated_since=2026-01-01T00:00:00+01:00")

    assert answer.status_code == 400
    assert "%2B" in answer.json()["detail"]


@pytest.mark.parametrize("value", ["false", "0"])
async def test_what_changed_cannot_be_asked_for_without_deletions(world: RegistryWorld, value):
    """updated_since implies include_deleted: to deny it is a contradiction."""
    answer = await world.client.get(
        f"{SERVERS}?updated_since=2026-01-01T00:00:00Z&include_deleted={value}"
    )

    assert (answer.status_code, location(answer)) == (400, "query.include_deleted")


async def test_empty_parameters_are_as_if_not_there(world: RegistryWorld):
    """Clients send what a user has not filled in."""
    plain = await world.client.get(SERVERS)

    empty = await world.client.get(
        f"{SERVERS}?search=&version=&cursor=&limit=&updated_since=&include_deleted="
    )

    assert empty.content == plain.content


async def test_unknown_parameters_are_ignored(world: RegistryWorld):
    """add-mcp sends some."""
    plain = await world.client.get(SERVERS)

    answer = await world.client.get(f"{SERVERS}?sort=stars&q&=&&;")

    assert answer.content == plain.content


async def test_of_repeated_parameters_the_last_counts(world: RegistryWorld):
    """Also where the first could not be used."""
    answer = await world.client.get(f"{SERVERS}?limit=x&limit=1")

    assert answer.json()["metadata"]["count"] == 1


async def test_a_query_has_to_be_utf_8(world: RegistryWorld):
    """What cannot be read is refused, not guessed."""
    assert (await world.client.get(f"{SERVERS}?search=%ff")).status_code == 400
    assert (await world.client.get(f"{SERVERS}?search=%C3%A9")).status_code == 200


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        ("ONE", ["com.example/one"] * 2),
        ("the+one", ["com.example/one"]),
        ("%25", ["com.example/plus"]),
        ("100%20%25", ["com.example/plus"]),
        ("_", []),
        ("xample/T", ["com.example/two"]),
    ],
)
async def test_search_is_plain_text(world: RegistryWorld, search: str, expected: list[str]):
    """Any case, in name, title and description, and no character is special."""
    answer = await world.client.get(f"{SERVERS}?search={search}")

    assert [one["server"]["name"] for one in answer.json()["servers"]] == expected
