"""FormatPort: what every format does with good, broken and hostile payloads."""

import copy
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.sources.formats import FORMATS, DetectedFormat
from domain.canonical_json import canonical_json
from domain.entry import Entry, Status, make_entry
from domain.errors import SourceContentError
from domain.events import RejectedEntry
from domain.identifiers import EntryKind
from domain.ports.format import FormatPort, Listed, Parsed
from tests.harness.strategies import json_values

NOON = datetime(2026, 2, 3, 12, tzinfo=UTC)
ENVIRONMENT = [{"name": "TOKEN", "description": "A token", "required": True, "secret": True}]


def toolhive_entry(name: str) -> dict[str, Any]:
    """An entry of a ToolHive registry with something in every member that is converted."""
    return {
        "image": f"ghcr.io/a/{name}:1.2.3",
        "description": "Fetches things",
        "transport": "streamable-http",
        "target_port": 8080,
        "repository_url": "https://github.com/a/b",
        "status": "Active",
        "tools": ["fetch"],
        "env_vars": copy.deepcopy(ENVIRONMENT),
    }


def server_json(name: str) -> dict[str, Any]:
    """A valid server.json with something in most members."""
    return {
        "$schema": "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json",
        "name": f"io.github.stacklok/{name}",
        "version": "1.2.3",
        "description": "Fetches things",
        "repository": {"url": "https://github.com/a/b", "source": "github"},
        "packages": [
            {
                "registryType": "oci",
                "identifier": f"ghcr.io/a/{name}:1.2.3",
                "transport": {"type": "streamable-http", "url": "http://localhost:8080"},
                "environmentVariables": [{"name": "TOKEN", "isRequired": True}],
            }
        ],
    }


def toolhive_registry(entries: Mapping[str, Any]) -> dict[str, Any]:
    """A ToolHive registry of entries by name."""
    return {"version": "1.0.0", "last_updated": "2026-01-01T00:00:00Z", "servers": dict(entries)}


def upstream_registry(entries: Mapping[str, Any]) -> dict[str, Any]:
    """An upstream registry of documents; their names do not matter."""
    return {"version": "1.0.0", "meta": {}, "data": {"servers": list(entries.values())}}


@attrs.frozen(kw_only=True)
class Sample:
    """A format with a way to write payloads in it by hand."""

    format: FormatPort
    entry: Callable[[str], dict[str, Any]]
    registry: Callable[[Mapping[str, Any]], dict[str, Any]]

    def registry_of(self, *names: str) -> dict[str, Any]:
        """A registry with an entry for each name."""
        return self.registry({name: self.entry(name) for name in names})

    def with_member(self, value: bytes) -> bytes:
        """Entries `a`, `b` and `c`, where `b` has an unknown member with that text as its value."""
        entries = {name: self.entry(name) for name in "abc"}
        entries["b"]["extra"] = "SPOILT"
        return json.dumps(self.registry(entries)).encode().replace(b'"SPOILT"', value)


TOOLHIVE = {"entry": toolhive_entry, "registry": toolhive_registry}
UPSTREAM = {"entry": server_json, "registry": upstream_registry}
SAMPLES = {
    "toolhive": Sample(format=FORMATS["toolhive"], **TOOLHIVE),
    "upstream": Sample(format=FORMATS["upstream"], **UPSTREAM),
    "toolhive, detected": Sample(format=DetectedFormat(), **TOOLHIVE),
    "upstream, detected": Sample(format=DetectedFormat(), **UPSTREAM),
}
samples = pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES)


def names_of(entries: Sequence[Entry]) -> list[str]:
    """The names of entries without their namespace."""
    return [entry.key.name.rpartition("/")[2] for entry in entries]


def rendered(format_: FormatPort, entries: Sequence[Entry]) -> bytes:
    """The file that a format makes of entries."""
    listed: dict[EntryKind, list[Listed]] = {}
    for entry in entries:
        out = Listed(document=entry.document, is_latest=True)
        listed.setdefault(entry.key.kind, []).append(out)
    return b"".join(format_.render(listed, NOON))


def at(pointer: str, value: Any) -> Any:
    """What a JSON pointer points to."""
    for step in pointer.split("/")[1:]:
        plain = step.replace("~1", "/").replace("~0", "~")
        value = value[int(plain)] if isinstance(value, list) else value[plain]
    return value


def places_in(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every member and item of a JSON value, as what holds it and the key there."""
    if isinstance(value, dict | list):
        keys = list(value) if isinstance(value, dict) else range(len(value))
        for key in keys:
            yield value, key
            yield from places_in(value[key])


@samples
def test_every_format_is_a_format_port_in_the_table(sample: Sample):
    """Each sample's format fits the port, and every format of the table has a sample."""
    port: FormatPort = sample.format

    assert port.parse(json.dumps(sample.registry_of("a")).encode()).entries
    assert {s.format for s in SAMPLES.values()} >= set(FORMATS.values())


@samples
def test_entries_come_in_the_order_of_the_payload(sample: Sample):
    """Nothing is sorted, left out or warned of in a payload that is in order."""
    parsed = sample.format.parse(json.dumps(sample.registry_of("bb", "aa", "cc")).encode())

    assert names_of(parsed.entries) == ["bb", "aa", "cc"]
    assert (parsed.rejected, parsed.warnings) == ((), ())


@samples
def test_documents_are_in_canonical_form(sample: Sample):
    """The bytes of an entry are those that RFC 8785 gives its document."""
    (entry,) = sample.format.parse(json.dumps(sample.registry_of("a")).encode()).entries

    assert entry.document == canonical_json(json.loads(entry.document))
    assert entry.key.version == "1.2.3"
    assert entry.lifecycle.status is Status.ACTIVE


@samples
def test_a_byte_order_mark_is_skipped(sample: Sample):
    """Windows editors write one."""
    text = json.dumps(sample.registry_of("a")).encode()

    assert sample.format.parse(b"\xef\xbb\xbf" + text) == sample.format.parse(text)


@samples
@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b" \n",
        b"null",
        b"4",
        b'"servers"',
        b"{}",
        b'{"error": "not found"}',
        b'{"servers": 4}',
        b'{"servers": "x"}',
        b'{"data": {}}',
        b'{"data": []}',
        b'{"servers": {"a": {}}',
        b"version: 1\nservers: {}\n",
        b"\x00\x01\x02",
        '{"servers": {}}'.encode("utf-16"),
        b"[" * 100_000,
        b'{"servers":' * 100_000,
        b'{"servers": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
    ids=lambda payload: repr(payload[:24]),
)
def test_what_is_no_registry_is_refused_as_a_whole(sample: Sample, payload: bytes):
    """The message says what was expected instead."""
    with pytest.raises(SourceContentError, match="expected"):
        sample.format.parse(payload)


@samples
@pytest.mark.parametrize("page", [b"<!DOCTYPE html><html>", b"\n <html><body>Sign in</body>"])
def test_a_login_page_is_recognised(sample: Sample, page: bytes):
    """What a proxy puts in the place of a registry is the commonest cause."""
    with pytest.raises(SourceContentError, match="login page"):
        sample.format.parse(page)


@samples
@given(payload=st.binary(max_size=40) | json_values.map(lambda v: json.dumps(v).encode()))
def test_no_payload_raises_anything_else(sample: Sample, payload: bytes):
    """Any bytes are parsed or refused."""
    with suppress(SourceContentError):
        assert isinstance(sample.format.parse(payload), Parsed)


@samples
@pytest.mark.parametrize(
    "value",
    [
        b'"\xff\xfe"',
        b'"\\ud800"',
        b'{"\\udfff": 1}',
        b"NaN",
        b"-Infinity",
        b"1e999",
        b"9007199254740993",
        b"1" * 10_000,
        b"[" * 700 + b"]" * 700,
    ],
    ids=lambda value: repr(value[:12]),
)
def test_content_without_a_canonical_form_rejects_its_entry_alone(sample: Sample, value: bytes):
    """The others are kept, and the rejected one is told by the name it would have."""
    parsed = sample.format.parse(sample.with_member(value))

    assert names_of(parsed.entries) == ["a", "c"]
    assert [rejected.name for rejected in parsed.rejected] == ["io.github.stacklok/b"]


@samples
@pytest.mark.parametrize("junk", [None, 4, "x", [], {}, {"name": 4}, {"description": "x"}])
def test_junk_among_entries_is_rejected_alone(sample: Sample, junk: Any):
    """Whatever stands in the place of an entry, the others are kept."""
    registry = sample.registry({"a": sample.entry("a"), "b": junk, "c": sample.entry("c")})
    parsed = sample.format.parse(json.dumps(registry).encode())

    assert names_of(parsed.entries) == ["a", "c"]
    assert len(parsed.rejected) == 1


@samples
def test_a_very_large_entry_is_rejected_alone(sample: Sample):
    """A document of four megabytes is an entry, one of five is not."""
    for megabytes, names in ((4, ["a", "b", "c"]), (5, ["a", "c"])):
        large = json.dumps("x" * megabytes * 10**6).encode()
        parsed = sample.format.parse(sample.with_member(large))
        assert names_of(parsed.entries) == names
        assert [one.name for one in parsed.rejected] == ["io.github.stacklok/b"][: megabytes - 4]


@samples
@pytest.mark.parametrize("member", [b'1, "description": "Last"', b'{"x": 1, "y": {}, "x": 1}'])
def test_a_repeated_member_rejects_its_entry_alone(sample: Sample, member: bytes):
    """Parsers disagree on which one counts, so nobody could say what was listed."""
    parsed = sample.format.parse(sample.with_member(member))

    assert names_of(parsed.entries) == ["a", "c"]
    assert [one.name for one in parsed.rejected] == ["io.github.stacklok/b"]
    assert "twice" in parsed.rejected[0].reason


@pytest.mark.parametrize("format_", [*FORMATS.values(), DetectedFormat()])
def test_a_registry_that_repeats_its_own_members_is_none(format_: FormatPort):
    """A second list of servers may be the one that was meant."""
    with pytest.raises(SourceContentError, match=r"expected each member once, found .*'servers'"):
        format_.parse(b'{"servers": {}, "servers": []}')


@pytest.mark.parametrize("format_", [*FORMATS.values(), DetectedFormat()])
@pytest.mark.parametrize("junk", [b"{}", b"0", b'""', b"[]"])
def test_a_list_of_nothing_but_junk_is_no_registry(format_: FormatPort, junk: bytes):
    """Ten thousand entries that cannot be used are enough, and millions are not even read."""
    some = b",".join(b'"%d":%b' % (number, junk) for number in range(10_001))
    with pytest.raises(SourceContentError):
        format_.parse(b'{"servers":{%b}}' % some)
    with pytest.raises(SourceContentError):
        format_.parse(b'{"servers":[%b]}' % b",".join([junk] * 10_001))
    with pytest.raises(SourceContentError, match="more than 5000000 values"):
        format_.parse(b"[" + b",".join([junk] * 5_000_001) + b"]")


@samples
def test_an_entry_that_does_not_tell_its_name_may_be_any(sample: Sample):
    """A name that is damaged or missing says so; one that is legible does not."""
    nameless = sample.format.parse(json.dumps(sample.registry_of("a", "b\ud800")).encode())
    named = sample.format.parse(sample.with_member(b"NaN"))

    assert (nameless.nameless, named.nameless) == (True, False)


@samples
@pytest.mark.parametrize("end", ["\x00", "\n", "\x1f", "\x7f", "\x9f"])
def test_names_with_control_characters_are_rejected(sample: Sample, end: str):
    """Nobody could ask for them, and separators of ours would be forged."""
    parsed = sample.format.parse(json.dumps(sample.registry_of("a", "b" + end)).encode())

    assert names_of(parsed.entries) == ["a"]
    assert [rejected.name for rejected in parsed.rejected] == [f"io.github.stacklok/b{end}"]


@samples
def test_what_is_told_of_a_rejected_entry_can_be_recorded(sample: Sample):
    """Half a character in a name is replaced wherever it is told, and the name is not guessed."""
    parsed = sample.format.parse(json.dumps(sample.registry_of("a", "b\ud800")).encode())

    assert [rejected.name for rejected in parsed.rejected] == ["servers[1]"]
    assert all(text.encode() for text in attrs.astuple(parsed.rejected[0]))


@samples
@given(data=st.data())
def test_whatever_is_admitted_can_be_written_in_every_format(sample: Sample, data: st.DataObject):
    """Registries with arbitrary damage: pointers fit the payload, texts are UTF-8, and each
    entry that was let through is rendered by every format.
    """
    registry = sample.registry_of("a", "b")
    for _ in range(data.draw(st.integers(1, 3))):
        holder, key = data.draw(st.sampled_from(list(places_in(registry))))
        holder[key] = data.draw(json_values)
    try:
        parsed = sample.format.parse(json.dumps(registry).encode())
    except SourceContentError:
        return
    for told in (*parsed.rejected, *parsed.warnings):
        assert_well_told(told, registry)
    for format_ in FORMATS.values():
        written = rendered(format_, parsed.entries)
        assert not format_.parse(written).rejected


def assert_well_told(told: RejectedEntry, registry: Any) -> None:
    """It has a name, a reason, and a pointer whose last step alone may be what is missing."""
    assert all(text.encode() for text in (told.name, told.reason))
    try:
        at(told.path, registry)
    except KeyError:
        at(told.path.rpartition("/")[0], registry)


@samples
def test_a_registry_survives_being_written(sample: Sample):
    """Rendering the latest versions and parsing them gives the same entries."""
    parsed = sample.format.parse(json.dumps(sample.registry_of("b", "a")).encode())
    written = rendered(sample.format, parsed.entries)

    assert set(sample.format.parse(written).entries) == set(parsed.entries)


@samples
def test_the_same_entries_give_the_same_bytes(sample: Sample):
    """One line of UTF-8 that ends in a newline."""
    entries = sample.format.parse(json.dumps(sample.registry_of("a", "é")).encode()).entries
    written = rendered(sample.format, entries)

    assert written == rendered(sample.format, entries)
    assert written.endswith(b"}\n")
    assert written.count(b"\n") == 1
    assert "é" in written.decode()
    assert b'"last_updated":"2026-02-03T12:00:00Z"' in written


@samples
def test_an_empty_registry_can_be_written_and_read(sample: Sample):
    """Nothing is not an error for a format; guards are for syncs."""
    assert sample.format.parse(rendered(sample.format, [])) == Parsed(entries=())


def test_a_payload_tells_its_format():
    """Servers by key are ToolHive's; anything else is upstream's, with its errors."""
    detected = DetectedFormat()
    remote = {"remote_servers": {"a": {"url": "https://example.com/mcp", "description": "x"}}}

    assert names_of(detected.parse(json.dumps(remote).encode()).entries) == ["a"]
    assert names_of(detected.parse(json.dumps([server_json("a")]).encode()).entries) == ["a"]
    with pytest.raises(SourceContentError, match="list of"):
        detected.parse(b"{}")


def test_detection_does_not_lose_what_toolhive_cannot_write():
    """A source without a configured format is written as upstream, which has skills."""
    skill = make_entry(EntryKind.SKILL, {"name": "a", "namespace": "n", "version": "1"})

    assert b'"skills":[%b]' % skill.document in rendered(DetectedFormat(), [skill])
