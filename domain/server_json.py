"""What a valid server.json is: the official JSON schema of 2025-12-11, and the rules beside it.

The tables at the end are the schema. Where the official registry has a reference code for a
rule, it is that one.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from domain.canonical_json import canonical_json
from domain.entry import PUBLISHER_META
from domain.errors import InvalidDocumentError
from domain.json_checks import (
    Check,
    Issue,
    Place,
    Severity,
    array_of,
    expect,
    length,
    map_of,
    object_of,
    one_of,
    shown,
    string,
    typed,
)
from domain.server_json_urls import (
    OVER_HTTP,
    REPOSITORY_SOURCES,
    UrlFlaw,
    https_url,
    package_url,
    remote_url,
    repository_url,
    url_required,
)

__all__ = [
    "CURRENT_SCHEMA",
    "Issue",
    "Severity",
    "is_of_shape",
    "issues_of",
    "publishable",
    "validate",
]

CURRENT_SCHEMA = "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"

_OLDER_SCHEMAS = tuple(
    CURRENT_SCHEMA.replace("2025-12-11", date)
    for date in ("2025-07-09", "2025-09-16", "2025-09-29", "2025-10-11", "2025-10-17")
)
_MOST_PUBLISHER_BYTES = 4096


def validate(document: object) -> tuple[Issue, ...]:
    """Every problem of a JSON value that should be a server.json, in the document's order.

    Never raises. Rules that need more than the document are not among them.
    """
    return (*_canonical(document, Place()), *issues_of(document))


def issues_of(document: object, size: int | None = None) -> Iterator[Issue]:
    """The problems of `validate` one by one, but for a missing canonical form.

    *size* is that of the canonical form in bytes, where it is known.
    """
    is_small = size is not None and size <= _MOST_PUBLISHER_BYTES
    check = _SMALL_SERVER if is_small else _SERVER
    return iter(check(document, Place()))


def is_of_shape(issue: Issue) -> bool:
    """Whether it tells of a wrong JSON type or of a missing required member."""
    return issue.reference in ("schema-type", "schema-required")


def publishable(document: dict[str, Any]) -> dict[str, Any]:
    """The document as it is published: of `_meta`, only what a publisher may provide."""
    meta = document.get("_meta")
    if not isinstance(meta, dict):
        return document
    if PUBLISHER_META in meta:
        return {**document, "_meta": {PUBLISHER_META: meta[PUBLISHER_META]}}
    return {member: value for member, value in document.items() if member != "_meta"}


def _canonical(document: object, place: Place) -> Iterator[Issue]:
    """What has no canonical form cannot be recorded."""
    try:
        canonical_json(document)
    except InvalidDocumentError as error:
        yield place.issue("json-not-canonical", str(error))


def _publisher_size(provided: dict[str, Any], place: Place) -> Iterator[Issue]:
    try:
        size = len(canonical_json(provided))
    except InvalidDocumentError:
        return
    if size > _MOST_PUBLISHER_BYTES:
        message = f"expected {_MOST_PUBLISHER_BYTES} bytes of JSON or fewer, found {size}"
        yield place.issue("publisher-provided-too-large", message)


def _schema_version(url: str, place: Place) -> Iterator[Issue]:
    message = f"expected {CURRENT_SCHEMA}, found {shown(url)}"
    if url in _OLDER_SCHEMAS:
        yield place.issue("schema-version-deprecated", message, Severity.WARNING)
    elif url != CURRENT_SCHEMA:
        yield place.issue("schema-version-not-available", message)


_VERSION_NUMBER = r"v?[0-9]+(?:\.[0-9]+)*(?:[-+][0-9A-Za-z.+-]+)?"
_HYPHEN_RANGE = re.compile(rf"{_VERSION_NUMBER}\s+-\s*{_VERSION_NUMBER}")


def _is_one_version(version: str) -> bool:
    """Whether *version* has no sign of a range: a comparator, ` - `, `||` or a wildcard."""
    version = version.strip()
    if version.startswith(tuple("^~<>=")) or "||" in version or _HYPHEN_RANGE.fullmatch(version):
        return False
    parts = re.split("[-+]", version, maxsplit=1)[0].split(".")
    return "*" not in parts and (len(parts) == 1 or not {"x", "X"}.intersection(parts))


def _is_subfolder(path: str) -> bool:
    return not {"", ".", ".."}.intersection(re.split(r"[/\\]", path))


def _argument(argument: dict[str, Any], place: Place) -> Iterator[Issue]:
    """What each kind of argument cannot be without."""
    kind = argument.get("type")
    if kind == "named" and not argument.get("name"):
        message = "expected the flag that a named argument is written with"
        yield place.member("name", argument).issue("named-argument-name-required", message)
    if kind == "positional" and not {"value", "valueHint"}.intersection(argument):
        message = "expected the value or the valueHint of a positional argument"
        yield place.issue("positional-argument-value-required", message)


def _flag(name: str, place: Place) -> Iterator[Issue]:
    if place.owners[0].get("type") == "named" and set("<> $").intersection(name):
        message = f"expected a flag without '<', '>', space and '$', found {shown(name)}"
        yield place.issue("invalid-named-argument-name", message)


def _without_flag(reference: str) -> Check:
    def check(text: str, place: Place) -> Iterator[Issue]:
        kind, name = (place.owners[0].get(member) for member in ("type", "name"))
        if kind == "named" and isinstance(name, str) and name and text.startswith(name):
            message = f"expected what follows {shown(name)}, without repeating it"
            yield place.issue(reference, message)

    return check


_TEXT = string()
_BOOLEAN = typed(bool)
_VERSION = string(
    length(1, 255),
    expect("reserved-version-string", "a version, not the word", lambda text: text != "latest"),
    expect("version-looks-like-range", "one version, not a range", _is_one_version),
)
_SHA256 = re.compile("[0-9a-f]{64}")
_ICON_SIZE = re.compile("[0-9]+x[0-9]+|any")
_SERVER_NAME = re.compile(
    "[a-zA-Z0-9][a-zA-Z0-9.-]*[a-zA-Z0-9]/[a-zA-Z0-9][a-zA-Z0-9._-]*[a-zA-Z0-9]"
)

_INPUT = {
    "description": _TEXT,
    "isRequired": _BOOLEAN,
    "isSecret": _BOOLEAN,
    "format": string(one_of("string", "number", "boolean", "filepath")),
    "value": _TEXT,
    "default": _TEXT,
    "placeholder": _TEXT,
    "choices": array_of(_TEXT),
}
_VARIABLES = map_of(object_of(_INPUT))
_NAMED_INPUTS = array_of(
    object_of({**_INPUT, "variables": _VARIABLES, "name": _TEXT}, required=("name",))
)
_ARGUMENTS = array_of(
    object_of(
        {
            **_INPUT,
            "variables": _VARIABLES,
            "type": string(one_of("positional", "named")),
            "name": string(_flag),
            "valueHint": _TEXT,
            "isRepeated": _BOOLEAN,
            "value": string(_without_flag("argument-value-starts-with-name")),
            "default": string(_without_flag("argument-default-starts-with-name")),
        },
        _argument,
        required=("type",),
    )
)
_PACKAGE_TRANSPORT = object_of(
    {
        "type": string(one_of("stdio", *OVER_HTTP, reference="unsupported-transport-type")),
        "url": string(package_url),
        "headers": _NAMED_INPUTS,
    },
    url_required("streamable-transport-url-required"),
    required=("type",),
)
_REMOTE = object_of(
    {
        "type": string(one_of(*OVER_HTTP, reference="unsupported-remote-transport-type")),
        "url": string(remote_url),
        "headers": _NAMED_INPUTS,
        "variables": _VARIABLES,
    },
    url_required("remote-transport-url-required"),
    required=("type",),
)
_PACKAGE = object_of(
    {
        "registryType": _TEXT,
        "registryBaseUrl": _TEXT,
        "identifier": string(
            expect("package-name-has-spaces", "no spaces", lambda text: " " not in text)
        ),
        "version": _VERSION,
        "fileSha256": string(
            expect("schema-pattern", "64 lower-case hex digits", _SHA256.fullmatch)
        ),
        "runtimeHint": _TEXT,
        "transport": _PACKAGE_TRANSPORT,
        "runtimeArguments": _ARGUMENTS,
        "packageArguments": _ARGUMENTS,
        "environmentVariables": _NAMED_INPUTS,
    },
    required=("registryType", "identifier", "transport"),
)
_REPOSITORY = object_of(
    {
        "url": string(repository_url),
        "source": string(one_of(*REPOSITORY_SOURCES, reference="invalid-repository-url")),
        "id": _TEXT,
        "subfolder": string(
            expect("invalid-subfolder-path", "a path below the repository's root", _is_subfolder)
        ),
    },
    required=("url", "source"),
)
_WEBSITE_URL = https_url(
    {
        UrlFlaw.MALFORMED: "invalid-website-url",
        UrlFlaw.RELATIVE: "website-url-must-be-absolute",
        UrlFlaw.SCHEME: "website-url-invalid-scheme",
    }
)
_ICON_URL = https_url(
    {
        UrlFlaw.MALFORMED: "icon-src-invalid-url",
        UrlFlaw.RELATIVE: "icon-src-not-absolute",
        UrlFlaw.SCHEME: "icon-src-invalid-scheme",
    }
)
_ICON = object_of(
    {
        "src": string(length(0, 255), _ICON_URL),
        "mimeType": string(
            one_of("image/png", "image/jpeg", "image/jpg", "image/svg+xml", "image/webp")
        ),
        "sizes": array_of(string(expect("schema-pattern", "WxH or any", _ICON_SIZE.fullmatch))),
        "theme": string(one_of("light", "dark")),
    },
    required=("src",),
)
_MEMBERS: Mapping[str, Check] = {
    "$schema": string(_schema_version),
    "name": string(
        length(3, 200),
        expect("invalid-server-name", "a name like com.example/server", _SERVER_NAME.fullmatch),
    ),
    "title": string(
        length(1, 100),
        expect("title-whitespace-only", "a title", lambda text: not text.isspace()),
    ),
    "description": string(length(1, 100)),
    "version": _VERSION,
    "websiteUrl": string(_WEBSITE_URL),
    "repository": _REPOSITORY,
    "icons": array_of(_ICON),
    "packages": array_of(_PACKAGE),
    "remotes": array_of(_REMOTE),
}


def _server(*publisher_checks: Check) -> Check:
    meta = object_of({PUBLISHER_META: object_of({}, *publisher_checks)})
    return object_of({**_MEMBERS, "_meta": meta}, required=("name", "description", "version"))


_SERVER = _server(_publisher_size)
_SMALL_SERVER = _server()
"""What is small has no large part: its size need not be found."""
