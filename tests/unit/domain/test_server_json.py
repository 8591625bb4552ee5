"""server.json: every rule with its reference code, and what is allowed though it looks odd."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from domain.server_json import (
    CURRENT_SCHEMA,
    Issue,
    Severity,
    is_of_shape,
    issues_of,
    publishable,
    validate,
)

SHARED = Path(__file__).parents[3].parent / "shared"
PUBLISHER = "io.modelcontextprotocol.registry/publisher-provided"
PUBLISHER_PATH = f'_meta["{PUBLISHER}"]'
ABSENT = object()
"""In the place of a value: the member is left out."""

Location = tuple[str | int, ...]


def minimal() -> dict[str, Any]:
    return {"name": "com.example/weather", "description": "Tells the weather", "version": "1.0.0"}


def full() -> dict[str, Any]:
    """Every member that the schema knows, with a valid value."""
    secret = {
        "name": "API_KEY",
        "description": "The key",
        "isRequired": True,
        "isSecret": True,
        "format": "string",
        "value": "{prefix}-key",
        "default": "none",
        "placeholder": "abc",
        "choices": ["none", "abc"],
        "variables": {"prefix": {"description": "What comes first", "format": "number"}},
    }
    port = {"type": "named", "name": "--port", "value": "{port}", "isRepeated": False}
    directory = {"type": "positional", "valueHint": "directory", "default": ".", "isRepeated": True}
    npm = {
        "registryType": "npm",
        "registryBaseUrl": "https://packages.example.com",
        "identifier": "@example/weather",
        "version": "1.0.0",
        "fileSha256": "0123456789abcdef" * 4,
        "runtimeHint": "npx",
        "transport": {"type": "stdio"},
        "runtimeArguments": [port],
        "packageArguments": [directory],
        "environmentVariables": [secret],
    }
    local = {
        "type": "streamable-http",
        "url": "http://localhost:{--port}/{directory}?key={API_KEY}",
        "headers": [{"name": "Authorization", "value": "Bearer {API_KEY}"}],
    }
    document = {
        "$schema": CURRENT_SCHEMA,
        **minimal(),
        "title": "Weather",
        "websiteUrl": "https://example.com/weather",
        "repository": {
            "url": "https://github.com/example/weather",
            "source": "github",
            "id": "b94b5f7e",
            "subfolder": "src/server",
        },
        "icons": [
            {
                "src": "https://example.com/icon.png",
                "mimeType": "image/png",
                "sizes": ["48x48", "any"],
                "theme": "dark",
            }
        ],
        "packages": [npm, {**npm, "registryType": "oci", "transport": local}],
        "remotes": [
            {
                "type": "streamable-http",
                "url": "https://{region}.example.com/mcp",
                "headers": [secret],
                "variables": {"region": {"choices": ["eu", "us"], "default": "eu"}},
            },
            {"type": "sse", "url": "https://example.com/sse"},
        ],
        "_meta": {PUBLISHER: {"tool": "publisher-cli", "numbers": [1, 2.5, None, True]}},
    }
    return cast("dict[str, Any]", json.loads(json.dumps(document)))


def changed(document: dict[str, Any], location: Location, value: object) -> dict[str, Any]:
    """A copy of *document* with another value at *location*."""
    document = copy.deepcopy(document)
    node: Any = document
    for step in location[:-1]:
        node = node[step]
    if value is ABSENT:
        del node[location[-1]]
    else:
        node[location[-1]] = value
    return document


def locations(node: Any, location: Location = ()) -> Iterator[Location]:
    """Where a document has values, but for itself."""
    steps: Any = ()
    if isinstance(node, dict):
        steps = node.items()
    elif isinstance(node, list):
        steps = enumerate(node)
    for step, value in steps:
        yield (*location, step)
        yield from locations(value, (*location, step))


def path_of(location: Location) -> str:
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in location)
    return "".join(steps).removeprefix(".").replace(f".{PUBLISHER}", f'["{PUBLISHER}"]')


def found(document: object) -> list[tuple[str, str]]:
    return [(issue.path, issue.reference) for issue in validate(document)]


def errors(document: object) -> list[Issue]:
    return [issue for issue in validate(document) if issue.severity is Severity.ERROR]


REPOSITORY: Location = ("repository",)
ICON: Location = ("icons", 0)
PACKAGE: Location = ("packages", 0)
STDIO: Location = (*PACKAGE, "transport")
LOCAL: Location = ("packages", 1, "transport")
NAMED: Location = (*PACKAGE, "runtimeArguments", 0)
POSITIONAL: Location = (*PACKAGE, "packageArguments", 0)
SECRET: Location = (*PACKAGE, "environmentVariables", 0)
REMOTE: Location = ("remotes", 0)

VIOLATIONS: list[tuple[Location, object, str]] = [
    # the document
    (("$schema",), CURRENT_SCHEMA + "#", "schema-version-not-available"),
    (("$schema",), CURRENT_SCHEMA.replace("2025", "2024"), "schema-version-not-available"),
    (("$schema",), "", "schema-version-not-available"),
    (("name",), ABSENT, "schema-required"),
    (("name",), "com.example/" + "a" * 189, "schema-max-length"),
    (("name",), "weather", "invalid-server-name"),
    (("name",), "com.example/a/b", "invalid-server-name"),
    (("name",), "com.example/", "invalid-server-name"),
    (("name",), "/weather", "invalid-server-name"),
    (("name",), ".example/weather", "invalid-server-name"),
    (("name",), "com.example-/weather", "invalid-server-name"),
    (("name",), "com_example/weather", "invalid-server-name"),
    (("name",), "com.example/_weather", "invalid-server-name"),
    (("name",), "com.example/weather.", "invalid-server-name"),
    (("name",), "com.example/weather\n", "invalid-server-name"),
    (("name",), "com.example/wétter", "invalid-server-name"),
    (("name",), "com.example/w", "invalid-server-name"),
    (("description",), ABSENT, "schema-required"),
    (("description",), "", "schema-min-length"),
    (("description",), "d" * 101, "schema-max-length"),
    (("title",), "", "schema-min-length"),
    (("title",), "t" * 101, "schema-max-length"),
    (("title",), " \t", "title-whitespace-only"),
    (("version",), ABSENT, "schema-required"),
    (("version",), "", "schema-min-length"),
    (("version",), "1" * 256, "schema-max-length"),
    (("version",), "latest", "reserved-version-string"),
    *[
        (("version",), version, "version-looks-like-range")
        for version in (
            *("^1.2.3", "~1.2.3", ">1.2.3", ">=1.2.3", "<1.2.3", "<=1.2.3", "=1.2.3", "> 1"),
            *("1.0.0 - 2.0.0", "1 - 2", "v1.0-rc.1 - v2.0+build", "1.2 || 1.3", "1.2||1.3"),
            *("1.x", "1.X", "1.2.x", "1.*", "1.2.*", "x.1", "v1.x", "1.x-beta", "*", " 1.x "),
        )
    ],
    (("websiteUrl",), "https://exa mple.com", "invalid-website-url"),
    (("websiteUrl",), "https://", "invalid-website-url"),
    (("websiteUrl",), "https://[::1", "invalid-website-url"),
    (("websiteUrl",), "https://example.com:http/", "invalid-website-url"),
    (("websiteUrl",), "/weather", "website-url-must-be-absolute"),
    (("websiteUrl",), "//example.com/", "website-url-must-be-absolute"),
    (("websiteUrl",), "", "website-url-must-be-absolute"),
    (("websiteUrl",), "http://example.com", "website-url-invalid-scheme"),
    (("websiteUrl",), "javascript:alert(1)", "website-url-invalid-scheme"),
    (("_meta", PUBLISHER), {"text": "t" * 4086}, "publisher-provided-too-large"),
    (("_meta", PUBLISHER), {"text": "ü" * 2043}, "publisher-provided-too-large"),
    # repository
    ((*REPOSITORY, "url"), ABSENT, "schema-required"),
    ((*REPOSITORY, "source"), ABSENT, "schema-required"),
    ((*REPOSITORY, "source"), "bitbucket", "invalid-repository-url"),
    *[
        ((*REPOSITORY, "url"), url, "invalid-repository-url")
        for url in (
            *("https://github.com/example", "https://github.com/", "github.com/example/weather"),
            *("https://gitlab.com/example/weather", "https://example.com/example/weather"),
            *("https://github.com/example/weather/tree/main", "git@github.com:example/weather"),
            *("https://github.com.example.com/a/b", "https://github.com/example/weather?x"),
        )
    ],
    *[
        ((*REPOSITORY, "subfolder"), path, "invalid-subfolder-path")
        for path in ("/src", "src/", "src//server", "./src", "src/..", "..", "", "..\\src")
    ],
    # icons
    ((*ICON, "src"), ABSENT, "schema-required"),
    ((*ICON, "src"), "https://example.com/" + "i" * 236, "schema-max-length"),
    ((*ICON, "src"), "icon.png", "icon-src-not-absolute"),
    ((*ICON, "src"), "http://example.com/icon.png", "icon-src-invalid-scheme"),
    ((*ICON, "src"), "data:image/png;base64,AAAA", "icon-src-invalid-scheme"),
    ((*ICON, "src"), "https://example.com/<icon>", "icon-src-invalid-url"),
    ((*ICON, "mimeType"), "image/gif", "schema-enum"),
    ((*ICON, "sizes", 0), "48", "schema-pattern"),
    ((*ICON, "sizes", 1), "48x48\n", "schema-pattern"),
    ((*ICON, "theme"), "sepia", "schema-enum"),
    # packages
    ((*PACKAGE, "registryType"), ABSENT, "schema-required"),
    ((*PACKAGE, "identifier"), ABSENT, "schema-required"),
    ((*PACKAGE, "identifier"), "@example/the weather", "package-name-has-spaces"),
    ((*PACKAGE, "transport"), ABSENT, "schema-required"),
    ((*PACKAGE, "version"), "", "schema-min-length"),
    ((*PACKAGE, "version"), "latest", "reserved-version-string"),
    ((*PACKAGE, "version"), "^1.2.3", "version-looks-like-range"),
    ((*PACKAGE, "fileSha256"), "0123456789ABCDEF" * 4, "schema-pattern"),
    ((*PACKAGE, "fileSha256"), "0123456789abcdef" * 4 + "\n", "schema-pattern"),
    ((*PACKAGE, "fileSha256"), "0123", "schema-pattern"),
    # a package's transport
    ((*STDIO, "type"), ABSENT, "schema-required"),
    ((*STDIO, "type"), "websocket", "unsupported-transport-type"),
    ((*STDIO, "url"), "http://localhost", "stdio-transport-url-not-empty"),
    ((*LOCAL, "url"), ABSENT, "streamable-transport-url-required"),
    ((*LOCAL, "url"), "", "streamable-transport-url-required"),
    *[
        ((*LOCAL, "url"), url, "invalid-templated-url")
        for url in (
            *("localhost:8080", "ftp://localhost/", "HTTP://localhost/", "http://", "http://{}/"),
            *("http://localhost/a b", "http://localhost/{directory", "http://{unknown}/"),
            *("{unknown}/mcp", "{}/mcp", "{directory}/a b", "http://localhost/{API_KEY}/{prefix}"),
        )
    ],
    ((*LOCAL, "headers", 0, "name"), ABSENT, "schema-required"),
    # arguments and other inputs
    ((*NAMED, "type"), ABSENT, "schema-required"),
    ((*NAMED, "type"), "flag", "schema-enum"),
    ((*NAMED, "name"), "", "named-argument-name-required"),
    *[
        ((*NAMED, "name"), name, "invalid-named-argument-name")
        for name in ("--port <port>", "<port", "port>", "--port 8080", "--port=$PORT")
    ],
    ((*NAMED, "value"), "--port=8080", "argument-value-starts-with-name"),
    ((*NAMED, "default"), "--port 8080", "argument-default-starts-with-name"),
    ((*NAMED, "format"), "integer", "schema-enum"),
    ((*SECRET, "name"), ABSENT, "schema-required"),
    ((*SECRET, "format"), "path", "schema-enum"),
    ((*SECRET, "variables", "prefix", "format"), "uuid", "schema-enum"),
    # remotes
    ((*REMOTE, "type"), ABSENT, "schema-required"),
    ((*REMOTE, "type"), "stdio", "unsupported-remote-transport-type"),
    ((*REMOTE, "url"), ABSENT, "remote-transport-url-required"),
    ((*REMOTE, "url"), "", "remote-transport-url-required"),
    ((*REMOTE, "url"), "http://example.com/mcp", "invalid-remote-url"),
    ((*REMOTE, "url"), "{region}.example.com/mcp", "invalid-remote-url"),
    ((*REMOTE, "url"), "https://127.0.0.1/mcp", "invalid-remote-url"),
    ((*REMOTE, "url"), "https://{zone}.example.com/mcp", "invalid-templated-url"),
    ((*REMOTE, "headers", 0, "name"), ABSENT, "schema-required"),
    ((*REMOTE, "variables", "region", "format"), "region", "schema-enum"),
]


def case_name(value: object) -> str | None:
    if isinstance(value, tuple):
        return path_of(value)
    if isinstance(value, str) and not value.isprintable():
        return repr(value)
    return None


@pytest.mark.parametrize(("location", "value", "reference"), VIOLATIONS, ids=case_name)
def test_each_violation_is_named_where_it_is(
    location: Location, value: object, reference: str
) -> None:
    """One bad value in a full document is one issue, with its path and its reference code."""
    document = changed(full(), location, value)
    assert found(document) == [(path_of(location), reference)]
    assert errors(document) == list(validate(document))


ALLOWED: list[tuple[Location, object]] = [
    *[(("version",), text) for text in ("2021.03.15", "snapshot", "snapshot - 2025.09", "v1.0")],
    *[(("version",), text) for text in ("1.0.0-linux", "1.0.0+x.y", "1.0-x", "x86", "Latest")],
    (("version",), "1" * 255),
    (("name",), "a" * 100 + "/" + "b" * 99),
    (("name",), "io.github.some-one/My_server.v2"),
    (("description",), "☃" * 100),
    (("$schema",), ABSENT),
    ((*REPOSITORY, "url"), "https://www.github.com/example/weather.git/"),
    (REPOSITORY, {"url": "https://gitlab.com/group/subgroup/weather", "source": "gitlab"}),
    ((*REPOSITORY, "subfolder"), "src/..server/.hidden"),
    ((*PACKAGE, "version"), ABSENT),
    ((*STDIO, "url"), ""),
    ((*LOCAL, "url"), "https://weather.internal:8443/mcp"),
    ((*POSITIONAL, "value"), "."),
    ((*POSITIONAL, "name"), "<anything> $at all"),
    ((*REMOTE, "url"), "https://example.com/mcp"),
    ((*REMOTE, "url"), "https://{region}:{region}/mcp"),
    ((*REMOTE, "unknown"), {"members": ["hold", "anything"]}),
    (("_meta", PUBLISHER), {"text": "t" * 4085}),
    (("_meta", "com.example/other"), 3),
    *[((name,), []) for name in ("icons", "packages", "remotes")],
]


@pytest.mark.parametrize(("location", "value"), ALLOWED, ids=case_name)
def test_odd_values_that_are_allowed(location: Location, value: object) -> None:
    """What looks unusual and breaks no rule is no issue."""
    assert found(changed(full(), location, value)) == []


@pytest.mark.parametrize("document", [minimal(), full()], ids=["minimal", "full"])
def test_valid_documents_have_no_issues(document: dict[str, Any]) -> None:
    """A document with the three required members is valid, and so is one with everything."""
    assert validate(document) == ()


@pytest.mark.parametrize(
    "date", ["2025-07-09", "2025-09-16", "2025-09-29", "2025-10-11", "2025-10-17"]
)
def test_an_older_schema_is_a_warning(date: str) -> None:
    """A released `$schema` that is not the current one does not keep a document out."""
    (issue,) = validate({**minimal(), "$schema": CURRENT_SCHEMA.replace("2025-12-11", date)})
    assert (issue.path, issue.reference) == ("$schema", "schema-version-deprecated")
    assert issue.severity is Severity.WARNING


@pytest.mark.parametrize(
    "location",
    [spot for spot in locations(full()) if spot[:2] != ("_meta", PUBLISHER) or len(spot) == 2],
    ids=path_of,
)
def test_every_member_has_a_json_type(location: Location) -> None:
    """A number, which no member of a server.json is, is told wherever it stands."""
    document = changed(full(), location, 3.5)
    assert (path_of(location), "schema-type") in found(document)
    assert all(is_of_shape(issue) for issue in issues_of(document) if "type" in issue.reference)


@pytest.mark.parametrize("document", [None, True, 1, 1.5, "text", [], [minimal()]], ids=repr)
def test_a_document_is_an_object(document: object) -> None:
    """Anything but an object is one issue at the document itself."""
    assert found(document) == [("", "schema-type")]


def test_a_named_argument_without_a_name_and_a_positional_one_without_a_value() -> None:
    """What an argument cannot be without depends on its kind."""
    arguments = [{"type": "named"}, {"type": "positional", "default": "here"}]
    package = {**full()["packages"][0], "packageArguments": arguments}
    assert found({**minimal(), "packages": [package]}) == [
        ("packages[0].packageArguments[0].name", "named-argument-name-required"),
        ("packages[0].packageArguments[1]", "positional-argument-value-required"),
    ]


@pytest.mark.parametrize("value", [float("nan"), 2**60, "\ud800"], ids=repr)
def test_what_cannot_be_recorded_is_an_issue(value: object) -> None:
    """Values without a canonical form are told even where any value may be."""
    document = changed(full(), ("_meta", PUBLISHER, "tool"), value)
    assert found(document) == [("", "json-not-canonical")]
    assert [issue.type for issue in validate(document)] == ["json"]


def test_deep_nesting_is_an_issue() -> None:
    """Nesting that cannot be followed neither raises nor hides other problems."""
    nested: list[Any] = []
    for _ in range(100_000):
        nested = [nested]
    document = {**minimal(), "title": "", "_meta": {PUBLISHER: {"nested": nested}}}
    assert found(document) == [("", "json-not-canonical"), ("title", "schema-min-length")]


def test_all_problems_are_told_in_document_order() -> None:
    """Nothing stops at the first problem; what is missing comes before what is there."""
    document = {
        "remotes": [{"url": "http://localhost", "type": "stdio"}],
        "title": " ",
        "packages": [
            {"transport": {"type": "sse", "url": "http://{host}"}, "identifier": "a b"},
            None,
        ],
        "name": "weather",
        "version": "latest",
    }
    assert found(document) == [
        ("description", "schema-required"),
        ("remotes[0].url", "invalid-remote-url"),
        ("remotes[0].type", "unsupported-remote-transport-type"),
        ("title", "title-whitespace-only"),
        ("packages[0].registryType", "schema-required"),
        ("packages[0].transport.url", "invalid-templated-url"),
        ("packages[0].identifier", "package-name-has-spaces"),
        ("packages[1]", "schema-type"),
        ("name", "invalid-server-name"),
        ("version", "reserved-version-string"),
    ]


def test_an_issue_says_what_kind_of_check_found_it() -> None:
    """The type is `schema` for what the JSON schema demands, and `semantic` for the rest."""
    first, second = validate({**minimal(), "title": "t" * 101, "name": "weather"})
    assert (first.reference, first.type) == ("invalid-server-name", "semantic")
    assert (second.reference, second.type) == ("schema-max-length", "schema")
    assert second.message == "expected 100 characters or fewer, found 101"


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec=None, exclude_categories=()), max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
STRINGS = st.sampled_from(
    [
        *("", " ", "latest", "1.x", "stdio", "sse", "named", "positional", "github", "--port"),
        *("https://example.com/x", "http://localhost:{--port}", "https://{region}", "https://a b"),
        *("https://example.com/\u00a0", "com.example/x\n", "a/b", "1" * 300, "any"),
    ]
)


@st.composite
def almost_valid(draw: st.DrawFn) -> dict[str, Any]:
    """A full document with up to three values replaced or left out."""
    document = full()
    for _ in range(draw(st.integers(0, 3))):
        location = draw(st.sampled_from(list(locations(document))))
        document = changed(document, location, draw(st.just(ABSENT) | STRINGS | JSON))
    return document


@given(document=JSON | almost_valid())
@settings(deadline=None)
def test_validation_never_raises(document: Any) -> None:
    """Any JSON value is answered, in text that fits into an answer."""
    for issue in validate(document):
        text = json.dumps([issue.path, issue.message], ensure_ascii=False).encode()
        assert len(text) < 2000
        assert issue.type in ("json", "schema", "semantic")


@given(document=JSON | almost_valid())
@settings(deadline=None)
def test_issues_one_by_one_are_those_of_the_whole(document: Any) -> None:
    """Only the canonical form is not looked at."""
    issues = [issue for issue in validate(document) if issue.reference != "json-not-canonical"]
    assert list(issues_of(document)) == issues


def test_a_shape_is_types_and_required_members() -> None:
    """What else is amiss with a document leaves its shape."""
    document = {"name": 1, "version": "latest", "description": "x" * 200}
    shape = {issue.reference for issue in issues_of(document) if is_of_shape(issue)}
    assert shape == {"schema-type"}
    assert {"schema-required"} == {i.reference for i in issues_of({}) if is_of_shape(i)}


@pytest.fixture(scope="module")
def official_schema() -> Draft7Validator:
    path = SHARED / "spec" / "server.schema.json"
    if not path.exists():
        pytest.skip("the official JSON schema is not beside the repository")
    return Draft7Validator(json.loads(path.read_text(encoding="utf-8")))


@given(document=almost_valid())
@settings(deadline=None, max_examples=500)
def test_what_has_no_errors_satisfies_the_official_schema(
    official_schema: Draft7Validator, document: dict[str, Any]
) -> None:
    """These rules are never laxer than the JSON schema on documents near a valid one."""
    assert errors(document) or official_schema.is_valid(document)


@pytest.mark.parametrize(
    ("location", "value"),
    [
        (location, value)
        for location, value, reference in VIOLATIONS
        if reference in ("schema-required", "schema-max-length", "schema-enum", "schema-pattern")
        # Python's `$` also matches before a newline at the end, that of JSON schemas does not.
        and not str(value).endswith("\n")
    ],
    ids=case_name,
)
def test_what_is_called_a_violation_of_the_schema_is_one(
    official_schema: Draft7Validator, location: Location, value: object
) -> None:
    """The codes that are named after keywords of the JSON schema follow from it."""
    assert not official_schema.is_valid(changed(full(), location, value))


def test_a_url_may_start_with_a_variable(official_schema: Draft7Validator) -> None:
    """The one thing that is allowed here and that the JSON schema of 2025-12-11 refuses."""
    document = changed(full(), (*LOCAL, "url"), "{API_KEY}/mcp")
    assert validate(document) == ()
    assert not official_schema.is_valid(document)


def test_the_documents_of_a_real_registry_are_valid() -> None:
    """What ToolHive publishes in the upstream format has no errors."""
    path = SHARED / "data" / "upstream-registry.json"
    if not path.exists():
        pytest.skip("the registry of ToolHive is not beside the repository")
    servers = json.loads(path.read_text(encoding="utf-8"))["data"]["servers"]
    assert {server["name"]: errors(server) for server in servers} == {
        server["name"]: [] for server in servers
    }
    assert len(servers) == 12


def test_publishing_keeps_only_what_a_publisher_may_provide() -> None:
    """Other `_meta` keys are dropped, and `_meta` with them where nothing is left."""
    provided = {"tool": "publisher-cli"}
    official = {"io.modelcontextprotocol.registry/official": {"status": "active"}}
    document = {**minimal(), "_meta": {**official, PUBLISHER: provided}, "title": "Weather"}
    assert publishable(document) == {
        **minimal(),
        "_meta": {PUBLISHER: provided},
        "title": "Weather",
    }
    assert publishable({**minimal(), "_meta": official}) == minimal()
    assert document["_meta"].keys() == {*official, PUBLISHER}


@pytest.mark.parametrize("document", [minimal(), full(), {**minimal(), "_meta": "text"}])
def test_publishing_leaves_the_rest_alone(document: dict[str, Any]) -> None:
    """A document without foreign `_meta` keys is published as it is."""
    assert publishable(document) == document
