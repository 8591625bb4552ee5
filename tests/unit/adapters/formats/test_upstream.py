"""Lists of server.json: the shapes they come in, life cycles, and what is rejected and why."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from adapters.sources.formats.upstream import UpstreamFormat
from domain.canonical_json import canonical_json
from domain.entry import OFFICIAL_META, PUBLISHER_META, TOOLHIVE_META, Lifecycle, Status
from domain.errors import SourceContentError
from domain.identifiers import EntryKind
from domain.ports.format import Listed, Parsed

NOON = datetime(2026, 2, 3, 12, tzinfo=UTC)
IMAGE = "ghcr.io/a/fetch:1.2.3"
SERVER: dict[str, Any] = {
    "name": "com.example/fetch",
    "version": "1.2.3",
    "description": "Fetches",
    "packages": [{"registryType": "oci", "identifier": IMAGE, "transport": {"type": "stdio"}}],
}
SKILL: dict[str, Any] = {
    "namespace": "com.example",
    "name": "fetching",
    "version": "1.0.0",
    "description": "How to fetch",
}
OFFICIAL: dict[str, Any] = {
    "status": "deprecated",
    "statusMessage": "use another",
    "statusChangedAt": "2026-01-02T03:04:05.123456789Z",
    "publishedAt": "2025-01-02T05:04:05+02:00",
    "updatedAt": "2026-01-02T03:04:05Z",
    "isLatest": True,
}
SAID = Lifecycle(
    status=Status.DEPRECATED,
    status_message="use another",
    status_changed_at=datetime(2026, 1, 2, 3, 4, 5, 123456, tzinfo=UTC),
    published_at=datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC),
)


def parsed(registry: Any) -> Parsed:
    """What the format makes of JSON."""
    return UpstreamFormat().parse(json.dumps(registry).encode())


def extended(status: Any) -> dict[str, Any]:
    """A server with a status in the extension of ToolHive."""
    return {
        **SERVER,
        "_meta": {PUBLISHER_META: {TOOLHIVE_META: {IMAGE: {"status": status}}}},
    }


@pytest.mark.parametrize(
    ("registry", "place"),
    [
        ([SERVER, 4], "/1"),
        ({"servers": [SERVER, 4], "metadata": {"count": 2}}, "/servers/1"),
        ({"version": "1.0.0", "meta": {}, "data": {"servers": [SERVER, 4]}}, "/data/servers/1"),
        ([{"server": SERVER, "_meta": {}}, 4], "/1"),
    ],
)
def test_every_shape_of_a_list_is_read(registry: Any, place: str):
    """A file, a bare array, a page of the API; servers alone or in envelopes."""
    found = parsed(registry)

    assert [entry.document for entry in found.entries] == [canonical_json(SERVER)]
    assert [(r.name, r.path, r.reason) for r in found.rejected] == [
        ("servers[1]", place, "expected an object, found a number")
    ]


def test_null_is_an_empty_list():
    """Go writes empty lists so."""
    assert parsed({"data": {"servers": None, "skills": [SKILL]}}).entries[0].key.name == (
        "com.example/fetching"
    )


@pytest.mark.parametrize(
    "registry",
    [{"servers": {}}, {"data": {"skills": []}}, {"data": {"servers": [], "plugins": 4}}],
)
def test_anything_else_is_refused(registry: Any):
    """The message hints at the other format."""
    with pytest.raises(SourceContentError, match="set the format to `toolhive`"):
        parsed(registry)


def test_the_envelope_tells_the_life_cycle():
    """Times in any offset and precision, and none of it in the document."""
    (entry,) = parsed([{"server": SERVER, "_meta": {OFFICIAL_META: OFFICIAL}}]).entries

    assert entry.lifecycle == SAID
    assert entry.document == canonical_json(SERVER)


def test_older_documents_hold_their_life_cycle_themselves():
    """It is taken out: with it, every release of the official registry would change them."""
    alone = {**SERVER, "_meta": {OFFICIAL_META: OFFICIAL}}
    beside = {**SERVER, "_meta": {OFFICIAL_META: OFFICIAL, PUBLISHER_META: {"a": 1}}}
    for document, meta in [(alone, {}), (beside, {"_meta": {PUBLISHER_META: {"a": 1}}})]:
        (entry,) = parsed([document]).entries

        assert entry.lifecycle == SAID
        assert json.loads(entry.document) == {**SERVER, **meta}


@pytest.mark.parametrize(
    ("official", "lifecycle"),
    [
        ({}, Lifecycle()),
        ({"status": "active", "statusMessage": None, "publishedAt": None}, Lifecycle()),
        ({"status": "deleted"}, Lifecycle(status=Status.DELETED)),
    ],
)
def test_what_the_envelope_does_not_say_is_not_known(
    official: dict[str, Any], lifecycle: Lifecycle
):
    """A server that is not said to be anything else is active."""
    (entry,) = parsed([{"server": SERVER, "_meta": {OFFICIAL_META: official}}]).entries

    assert entry.lifecycle == lifecycle


@pytest.mark.parametrize(
    ("official", "place", "reason"),
    [
        ("active", "", "expected an object, found a string"),
        ({"status": "gone"}, "/status", "expected one of active, deprecated, deleted"),
        ({"status": 4}, "/status", "expected a string"),
        ({"statusMessage": 4}, "/statusMessage", "expected a string"),
        ({"publishedAt": "yesterday"}, "/publishedAt", "expected an RFC 3339 time"),
        ({"publishedAt": "2026-01-01T00:00:00"}, "/publishedAt", "with an offset"),
        ({"statusChangedAt": "0001-01-01T00:00:00+01:00"}, "/statusChangedAt", "expected an RFC"),
    ],
)
def test_a_life_cycle_that_cannot_be_read_rejects_the_server(
    official: Any, place: str, reason: str
):
    """It would be served with another status than its source gave it."""
    found = parsed([{"server": SERVER, "_meta": {OFFICIAL_META: official}}])

    assert found.entries == ()
    (rejected,) = found.rejected
    assert rejected.name == "com.example/fetch"
    assert rejected.path == "/0/_meta/io.modelcontextprotocol.registry~1official" + place
    assert reason in rejected.reason


@pytest.mark.parametrize("status", ["Deprecated", "deprecated"])
def test_the_extension_of_toolhive_can_deprecate_a_server(status: str):
    """Unless the official registry says something else of it."""
    alone = parsed([extended(status)])
    official = parsed([{"server": extended(status), "_meta": {OFFICIAL_META: {}}}])

    assert alone.entries[0].lifecycle == Lifecycle(status=Status.DEPRECATED)
    assert official.entries[0].lifecycle == Lifecycle()


@pytest.mark.parametrize(
    ("members", "place", "reason"),
    [
        ({"name": None}, "/name", "expected a string, found null"),
        ({"name": ""}, "/name", "expected one or more characters"),
        ({"version": ""}, "/version", "expected one or more characters"),
        ({"version": "1\x00"}, "/version", "none of them a control character"),
        ({"version": "latest"}, "/version", "expected a version, not the word"),
        ({"packages": {}}, "/packages", "expected an array, found an object"),
        ({"packages": [{}]}, "/packages/0/registryType", "expected this member"),
        ({"_meta": {PUBLISHER_META: []}}, f"/_meta/{PUBLISHER_META.replace('/', '~1')}", "object"),
    ],
)
def test_what_cannot_be_served_is_rejected(members: dict[str, Any], place: str, reason: str):
    """By its name where it has one, else by its place in the list."""
    for item, envelope in [
        ({**SERVER, **members}, ""),
        ({"server": {**SERVER, **members}}, "/server"),
    ]:
        found = parsed({"data": {"servers": [item]}})

        assert found.entries == ()
        (rejected,) = found.rejected
        assert rejected.name == (members.get("name", SERVER["name"]) or "servers[0]")
        assert rejected.path == "/data/servers/0" + envelope + place
        assert reason in rejected.reason


def test_what_breaks_official_rules_only_is_kept_with_a_warning():
    """One warning for each rule, and the place of what breaks it."""
    package = {**SERVER["packages"][0], "version": "^1.0.0"}
    found = parsed([{**SERVER, "description": "x" * 101, "packages": [package]}])

    assert len(found.entries) == 1
    assert found.rejected == ()
    assert [(w.name, w.path) for w in found.warnings] == [
        ("com.example/fetch", "/0/description"),
        ("com.example/fetch", "/0/packages/0/version"),
    ]


def test_of_two_servers_with_one_name_and_version_the_first_is_kept():
    """Both places are told."""
    found = parsed([SERVER, {"server": {**SERVER, "title": "Second"}}])

    assert [entry.title for entry in found.entries] == [None]
    (rejected,) = found.rejected
    assert rejected.path == "/1/server"
    assert "com.example/fetch@1.2.3 once: /0 is kept, /1/server is not" in rejected.reason


def test_versions_of_one_server_are_entries_each():
    """A page of the official API has many."""
    found = parsed([SERVER, {**SERVER, "version": "1.2.4"}])

    assert [entry.key.version for entry in found.entries] == ["1.2.3", "1.2.4"]


def test_skills_and_plugins_are_entries():
    """They keep their namespace apart, and are listed by both."""
    found = parsed({"data": {"servers": [], "skills": [SKILL], "plugins": [SKILL]}})

    assert [(e.key.kind, str(e.key)) for e in found.entries] == [
        (EntryKind.SKILL, "com.example/fetching@1.0.0"),
        (EntryKind.PLUGIN, "com.example/fetching@1.0.0"),
    ]
    assert json.loads(found.entries[0].document) == SKILL


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("active", Status.ACTIVE),
        ("deprecated", Status.DEPRECATED),
        ("archived", Status.ACTIVE),
        (None, Status.ACTIVE),
    ],
)
def test_a_skill_can_be_deprecated(status: Any, expected: Status):
    """Archived ones can still be had."""
    (entry,) = parsed({"data": {"servers": [], "skills": [{**SKILL, "status": status}]}}).entries

    assert entry.lifecycle == Lifecycle(status=expected)


@pytest.mark.parametrize("member", ["namespace", "name", "version", "description"])
@pytest.mark.parametrize("value", ["", None, 4])
def test_a_skill_needs_four_texts(member: str, value: Any):
    """It is rejected by its full name where it has one."""
    found = parsed({"data": {"servers": [], "skills": [{**SKILL, member: value}]}})

    (rejected,) = found.rejected
    is_named = member in ("version", "description")
    assert rejected.name == ("com.example/fetching" if is_named else "skills[0]")
    assert rejected.path == f"/data/skills/0/{member}"


def listed(document: dict[str, Any], is_latest: bool = True) -> Listed:
    """A document on its way out."""
    return Listed(document=canonical_json(document), is_latest=is_latest)


def rendered(entries: Mapping[EntryKind, Iterable[Listed]], at: datetime = NOON) -> bytes:
    """The file that the format makes of entries."""
    return b"".join(UpstreamFormat().render(entries, at))


def test_documents_are_written_byte_for_byte():
    """In the order given, all versions, each as the API serves it."""
    second = {**SERVER, "version": "1.2.2"}
    written = rendered({EntryKind.SERVER: [listed(SERVER), listed(second, is_latest=False)]})

    assert canonical_json(SERVER) + b"," + canonical_json(second) in written
    assert list(json.loads(written)) == ["$schema", "version", "meta", "data"]
    assert list(json.loads(written)["data"]) == ["servers"]


def test_skills_and_plugins_are_written_where_there_are_some():
    """Each in the list of its kind."""
    written = rendered({EntryKind.PLUGIN: [listed(SKILL)], EntryKind.SKILL: [listed(SKILL)]})

    assert json.loads(written)["data"] == {"servers": [], "skills": [SKILL], "plugins": [SKILL]}


def test_a_published_registry_is_read_and_written_as_it_is(shared: Path):
    """Real servers without a single complaint."""
    payload = (shared / "data" / "upstream-registry.json").read_bytes()
    found = UpstreamFormat().parse(payload)
    entries = [Listed(document=entry.document, is_latest=True) for entry in found.entries]
    at = datetime(2025, 11, 26, 0, 27, 46, tzinfo=UTC)
    written = rendered({EntryKind.SERVER: entries}, at)

    assert (found.rejected, found.warnings) == ((), ())
    assert json.loads(written) == json.loads(payload)


@pytest.mark.parametrize(("icons", "entries", "warnings"), [(30, 1, 20), (1_001, 0, 0)])
def test_an_entry_with_nothing_but_problems_is_rejected(icons: int, entries: int, warnings: int):
    """A thousand are too many; of fewer that can be lived with, twenty are told."""
    found = parsed([{**SERVER, "icons": [{"src": "http://example.com/a.png"}] * icons}])

    assert (len(found.entries), len(found.warnings)) == (entries, warnings)
    assert [one.reason for one in found.rejected] == ["expected at most 1000 issues"][entries:]
