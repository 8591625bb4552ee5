"""The OpenAPI document: that it tells the truth."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

from domain.checkpoints import cosign
from entrypoints.http.app import ENDPOINTS
from entrypoints.http.endpoint import PATH_PARAMETERS, path_parameters
from tests.harness.registry_world import RegistryWorld, server

VALUES = {
    "registryName": "default",
    "serverName": "com.example%2Fone",
    "sourceName": "main",
    "version": "1.1.0",
    "name": "com.example%2Fone",
    "tilePath": "000.p/1",
}
NEEDED = {"/proof": "?server=com.example/one", "/diff": "?from=@2"}
"""What the query of an endpoint has to say."""

LOCAL = {"Host": "localhost"}
SEEN_AT = datetime(2026, 11, 22, tzinfo=UTC)
SAMPLES: dict[str, tuple[str, ...]] = {
    "limit": ("1", "0"),
    "search": ("one",),
    "cursor": ("com.example/one:1.0.0", "!"),
    "version": ("latest", "9"),
    "include_deleted": ("true", "maybe"),
    "updated_since": ("2020-01-01T00:00:00Z", "yesterday"),
    "format": ("upstream", "yaml"),
    "at": ("@9999", "2020-01-01", "once"),
    "effective_at": ("2020-01-01", "once"),
    "server": ("com.example/one", "com.example/none"),
    "after": ("1", "-1"),
    "class": ("execution", "other"),
    "from": ("@2", "once"),
    "to": ("@2", "once"),
    "from_effective_at": ("2020-01-01", "once"),
    "to_effective_at": ("2020-01-01", "once"),
    "to_registry": ("default", "nobody"),
}


def _posts_first(operation: tuple[str, str, dict[str, Any]]) -> bool:
    return operation[1] != "POST"


async def fetched(world: RegistryWorld) -> dict[str, Any]:
    """The document as JSON."""
    return (await world.client.get("/openapi.json")).json()


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Path, method and description of everything documented, references followed."""
    for path, item in document["paths"].items():
        if "$ref" in item:
            item = document["paths"][item["$ref"].removeprefix("#/paths/").replace("~1", "/")]
        for method in ("get", "put", "post", "delete", "patch"):
            if method in item:
                yield path, method.upper(), item[method]


def url(path: str, values: dict[str, str] = VALUES) -> str:
    """A path template with values in it, and with the query that it needs."""
    needed = next((query for end, query in NEEDED.items() if path.endswith(end)), "")
    level = "0/" if "/tile/" in path else ""
    for name in path_parameters(path):
        path = path.replace(f"{{{name}}}", values[name])
    return path.replace("/tile/", f"/tile/{level}") + needed


async def test_everything_that_is_served_is_documented_and_nothing_else(document: dict[str, Any]):
    """Every method of every path, below every base."""
    served = {
        (base + endpoint.path, endpoint.method) for endpoint in ENDPOINTS for base in endpoint.bases
    }

    assert {(path, method) for path, method, _ in operations(document)} == served


@pytest.fixture
async def document(world: RegistryWorld) -> dict[str, Any]:
    """The document, of a server that stops: so answers that have no end have one."""
    world.services.stopping.set()
    return await fetched(world)


async def test_everything_that_is_documented_is_served(
    world: RegistryWorld, document: dict[str, Any]
):
    """With good values it answers with the success that it promises."""
    for path, method, operation in sorted(operations(document), key=_posts_first):
        content = json.dumps(server("com.example/new")) if method == "POST" else None
        if path == "/log/cosignatures":
            content = str(cosign((await world.transparency.head()).text, world.witness, SEEN_AT))
        answer = await world.client.request(method, url(path), content=content, headers=LOCAL)

        expected = 501 if "501" in operation["responses"] else 200
        assert answer.status_code == expected, (method, path)
        assert_described(document, operation, answer)


async def test_every_answer_is_of_its_schema(world: RegistryWorld, document: dict[str, Any]):
    """Also errors, for every parameter with values that are good and ones that are not."""
    other = {**VALUES, "serverName": "x%2Fy", "name": "x", "version": "9"}
    for path, method, operation in operations(document):
        queries = [
            f"?{parameter['name']}={value}"
            for parameter in operation.get("parameters", ())
            for value in SAMPLES[parameter["name"]]
        ]
        for target in (
            url(path, other),
            url(path, {**VALUES, "registryName": "nobody", "sourceName": "nobody"}),
            *(
                url(path) + query.replace("?", "&" if "?" in url(path) else "?")
                for query in queries
            ),
        ):
            answer = await world.client.request(method, target, headers=LOCAL)
            assert_described(document, operation, answer)


def assert_described(document: dict[str, Any], operation: dict[str, Any], answer: Any) -> None:
    """An answer has a status, a type and a body that the document describes."""
    described = operation["responses"][str(answer.status_code)]
    if "$ref" in described:
        described = document["components"]["responses"][described["$ref"].rpartition("/")[2]]
    content = described["content"][answer.headers["content-type"]]
    if "schema" in content:
        jsonschema.validate(
            answer.json(),
            {**content["schema"], "components": document["components"]},
            cls=jsonschema.Draft202012Validator,
        )


async def test_the_schemas_are_schemas(document: dict[str, Any]):
    """Of JSON schema 2020-12, as OpenAPI 3.1 has it."""
    assert document["openapi"].startswith("3.1.")
    for schema in document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


async def test_every_reference_leads_somewhere(document: dict[str, Any]):
    """And every component is used."""
    text = json.dumps(document)
    for part, components in document["components"].items():
        for name in components:
            assert f'"#/components/{part}/{name}"' in text
    for reference in _references(document):
        found = document
        for step in reference.removeprefix("#/").split("/"):
            found = found[step.replace("~1", "/")]


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for inner in value.values():
            yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)


async def test_every_path_parameter_is_declared(document: dict[str, Any]):
    """By the path, as required."""
    for path, item in document["paths"].items():
        if "$ref" not in item:
            declared = [one["$ref"].rpartition("/")[2] for one in item.get("parameters", ())]
            assert declared == path_parameters(path)
    assert all(
        document["components"]["parameters"][name]["required"] is True for name in PATH_PARAMETERS
    )


async def test_clients_recognise_the_standard(document: dict[str, Any]):
    """ToolHive's registry server reads this version and looks for this address."""
    assert document["info"]["version"] == "1.0.0"
    assert "https://github.com/modelcontextprotocol/registry" in document["info"]["description"]


@pytest.mark.parametrize(
    "path",
    [
        "/openapi.yaml",
        "/registry/default/openapi.yaml",
        "/api/v0/openapi.yaml",
        "/registry/default/api/v0/openapi.yaml",
    ],
)
async def test_the_document_as_yaml(world: RegistryWorld, path: str):
    """The same document, without anchors and with its parts in order."""
    answer = await world.client.get(path)

    assert answer.headers["content-type"] == "application/yaml"
    assert YAML(typ="safe", pure=True).load(answer.text) == await fetched(world)
    assert answer.text.startswith("openapi: 3.1.0\ninfo:\n")
    assert "&id" not in answer.text


async def test_the_page_for_people_names_every_path(world: RegistryWorld):
    """It needs nothing from anywhere else."""
    answer = await world.client.get("/docs")

    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    for endpoint in ENDPOINTS:
        for base in endpoint.bases:
            assert f"<code>{base + endpoint.path}</code>" in answer.text
    assert "src=" not in answer.text


async def test_valid_entries_satisfy_the_official_schema(empty_world: RegistryWorld, shared: Path):
    """What a source has written well is served well."""
    upstream = json.loads((shared / "data" / "upstream-registry.json").read_bytes())
    schema = json.loads((shared / "spec" / "server.schema.json").read_bytes())
    await empty_world.sync("main", upstream)

    listed = (await empty_world.client.get("/v0.1/servers?limit=100")).json()

    assert len(listed["servers"]) == len(upstream["data"]["servers"])
    for one in listed["servers"]:
        jsonschema.validate(one["server"], schema)
