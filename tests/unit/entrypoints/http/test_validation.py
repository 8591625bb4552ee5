"""POST /validate."""

import json
from typing import Any

import pytest

from domain.json_checks import Issue
from domain.server_json import validate
from tests.harness.registry_world import RegistryWorld, server


async def post(world: RegistryWorld, body: Any):
    """The answer to a body."""
    return await world.client.post("/v0.1/validate", content=body)


async def test_a_good_server_json_is_valid(world: RegistryWorld):
    """No issue, not even a warning."""
    answer = await post(world, json.dumps(server("com.example/new")))

    assert (answer.status_code, answer.json()) == (200, {"valid": True, "issues": []})
    assert answer.headers["content-type"] == "application/json"


async def test_warnings_do_not_make_it_invalid(world: RegistryWorld):
    """An older schema is worth a word, not a refusal."""
    schema = "https://static.modelcontextprotocol.io/schemas/2025-07-09/server.schema.json"

    answer = (
        await post(world, json.dumps(server("com.example/new", **{"$schema": schema})))
    ).json()

    assert answer["valid"] is True
    assert [issue["severity"] for issue in answer["issues"]] == ["warning"]


async def test_every_issue_is_told_with_all_its_members(world: RegistryWorld):
    """Those of the domain, in their order."""
    document = {"name": "nonsense", "version": "^1.0", "description": "", "packages": [{}]}

    answer = (await post(world, json.dumps(document))).json()

    assert answer["valid"] is False
    assert [Issue(**issue) for issue in answer["issues"]] == list(validate(document))
    assert len(answer["issues"]) >= 5


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff", b"[" * 100_000, b"1" * 5000, "{}".encode("utf-16"), b'{"a":1}{}'],
)
async def test_what_is_not_json_is_an_issue_too(world: RegistryWorld, body: bytes):
    """The answer is 200 whatever the body is."""
    answer = await post(world, body)

    assert answer.status_code == 200
    (issue,) = answer.json()["issues"]
    assert issue["type"] == "json"
    assert issue["severity"] == "error"


@pytest.mark.parametrize("body", ["null", "[]", '"x"', "NaN", '{"name":"\\ud800/x"}', "\ufeff{}"])
async def test_any_json_is_judged(world: RegistryWorld, body: str):
    """Also what cannot be written in UTF-8."""
    answer = await post(world, body)

    assert (answer.status_code, answer.json()["valid"]) == (200, False)


async def test_a_large_body_is_refused(world: RegistryWorld):
    """1 MiB is read, a byte more is not."""
    largest = await post(world, b" " * (1024 * 1024 - 2) + b"{}")
    larger = await post(world, b" " * (1024 * 1024 - 1) + b"{}")

    assert largest.status_code == 200
    assert larger.status_code == 413
    assert "1048576" in larger.json()["detail"]


async def test_a_small_body_cannot_ask_for_a_large_answer(world: RegistryWorld):
    """At most 1000 issues are told."""
    document = server("com.example/new", icons=[0] * 5000)

    answer = await post(world, json.dumps(document))

    assert len(answer.json()["issues"]) == 1000
    assert answer.json()["valid"] is False


@pytest.mark.parametrize("base", ["/v0", "", "/registry/default/v0.1"])
async def test_every_base_validates(world: RegistryWorld, base: str):
    """Like all official endpoints."""
    answer = await world.client.post(f"{base}/validate", json=server("com.example/new"))

    assert answer.json()["valid"] is True
