"""Payloads that are taken apart: what a thread, a process and one look at all of it find."""

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import attrs
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.sources.comparison import Comparison
from adapters.sources.formats import DetectedFormat
from adapters.sources.formats.admission import key_of
from adapters.sources.formats.opened import PAGE, pages, parsed
from adapters.sources.formats.payload import open_json, read_json
from adapters.sources.judges import judges
from adapters.sources.parsing import Parser
from adapters.sources.slice_memory import SliceMemory, decoded
from domain.errors import SourceContentError, SourceLimitError
from domain.identifiers import EntryKey
from domain.ports.format import Parsed
from domain.ports.parser import ParserPort, Parsing
from domain.ports.source import LargePayload
from tests.contracts.test_format_port import server_json, toolhive_entry
from tests.harness.strategies import json_values

REAL = Path(__file__).parents[4] / "shared" / "data" / "upstream-registry.json"


def merged(found: Iterable[Parsed]) -> Parsed:
    """Pages as one."""
    kept = list(found)
    return Parsed(
        entries=tuple(entry for page in kept for entry in page.entries),
        rejected=tuple(rejected for page in kept for rejected in page.rejected),
        warnings=tuple(warning for page in kept for warning in page.warnings),
        nameless=any(page.nameless for page in kept),
        gone=tuple(key for page in kept for key in page.gone),
    )


def whole(payload: bytes) -> Parsed:
    """What one look at all of a payload finds."""
    return parsed(DetectedFormat().open(read_json(payload)))


def compared(payload: bytes, known: SliceMemory) -> tuple[Parsed, Comparison]:
    """What a comparison finds, and what it leaves."""
    opened = DetectedFormat().open(open_json(payload))
    comparison = Comparison(opened, known, opened.judge)
    found = list(pages(comparison.admitted(), comparison.warnings()))
    return merged([*found, Parsed(entries=(), gone=comparison.gone())]), comparison


def outcome(read: Callable[[], Parsed]) -> Parsed | str:
    """What was read, or that it is refused."""
    try:
        return read()
    except SourceContentError:
        return "refused"


def server(name: str, description: str = "Does things.") -> dict[str, Any]:
    return {"name": f"io.example/{name}", "version": "1.0.0", "description": description}


def registry(*servers: Any) -> bytes:
    return json.dumps({"servers": servers}).encode()


def large(payload: bytes) -> LargePayload:
    file = TemporaryFile()  # noqa: SIM115
    file.write(payload)
    file.flush()
    return LargePayload(file)


async def read(parsing: Parsing) -> Parsed:
    return merged([page async for page in parsing.pages])


async def read_apart(parser: ParserPort, payload: bytes, **revisions: str | None) -> Parsed:
    """What a process finds, without its being compared."""
    body = large(payload)
    with body.file:
        return await read(await parser.parse(body, **revisions))


documents = st.one_of(
    st.builds(
        lambda name, text: {**server_json(name), "description": text},
        st.sampled_from("abc"),
        st.sampled_from(["x", "y", "", "z" * 101]),
    ),
    st.builds(server, st.sampled_from("abc")),
    json_values,
)
registries = st.one_of(
    st.builds(lambda found: {"servers": found, "meta": {}}, st.lists(documents, max_size=5)),
    st.builds(lambda found: {"data": {"servers": found}}, st.lists(documents, max_size=5)),
    st.lists(documents, max_size=5),
    st.builds(
        lambda names, junk: {
            "servers": {name: toolhive_entry(name) for name in names} | junk,
            "groups": [{"servers": {"a": {}}}],
        },
        st.lists(st.sampled_from("abc")),
        st.dictionaries(st.sampled_from("de"), json_values),
    ),
)
NOISE = (
    *(b'"', b"\\", b",", b":", b"{", b"}", b"[", b"]", b"\xff", b"\xef\xbb\xbf", b"\\ud800"),
    *(b"NaN", b"1e999", b" ", b"\n", b"\0", b'"servers":[],', b'"a":1,', b"null", b"-"),
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A registry, and now and then some noise in its bytes."""
    text = json.dumps(draw(registries), ensure_ascii=draw(st.booleans())).encode()
    for _ in range(draw(st.integers(0, 2))):
        place = draw(st.integers(0, len(text)))
        text = text[:place] + draw(st.sampled_from(NOISE)) + text[place + draw(st.integers(0, 2)) :]
    return text


@given(payload=damaged())
@settings(max_examples=300)
def test_slices_come_to_what_the_whole_comes_to(payload: bytes) -> None:
    """Entries, rejections, warnings with their paths, and refusals: all are the same."""
    assert outcome(lambda: DetectedFormat().parse(payload)) == outcome(lambda: whole(payload))


@given(before=st.lists(documents, max_size=6), after=st.lists(documents, max_size=6))
@settings(max_examples=300)
def test_a_comparison_finds_what_reading_all_finds(
    before: Sequence[Any], after: Sequence[Any]
) -> None:
    """What it leaves out is as it was; what it calls gone is gone; the rest is the same."""
    full = whole(registry(*after))
    _, earlier = compared(registry(*before), SliceMemory())
    known = earlier.memory if earlier.is_memorable else SliceMemory()
    found, later = compared(registry(*after), known)

    old = {entry.key: entry for entry in whole(registry(*before)).entries}
    said = {entry.key for entry in found.entries}
    kept = [entry for entry in full.entries if entry.key not in said]
    assert all(old[entry.key] == entry for entry in kept)
    assert found.entries == tuple(entry for entry in full.entries if entry.key in said)
    assert (found.rejected, found.warnings) == (full.rejected, full.warnings)
    assert set(found.gone) == set(gone(known, full))
    assert later.is_memorable == (not full.rejected)


def gone(known: SliceMemory, full: Parsed) -> set[EntryKey]:
    """The keys of a memory that a payload no longer has."""
    return {key_of(text) for text in known.keys.values()} - {entry.key for entry in full.entries}


@given(
    servers=st.lists(documents, max_size=6),
    indent=st.sampled_from([None, 0, 4, "\t"]),
    separators=st.sampled_from([(",", ":"), (" , ", " : ")]),
)
def test_other_white_space_is_no_change(
    servers: Sequence[Any], indent: int | str | None, separators: tuple[str, str]
) -> None:
    """The entries of a registry that was only laid out anew are not read again."""
    _, earlier = compared(registry(*servers), SliceMemory())
    laid_out = json.dumps({"servers": servers}, indent=indent, separators=separators).encode()
    found, later = compared(laid_out, earlier.memory)

    if earlier.is_memorable:
        assert found == Parsed(entries=(), warnings=whole(laid_out).warnings)
        assert later.memory == earlier.memory


def test_white_space_in_a_text_is_content() -> None:
    """What stands between quotation marks is kept as it is."""
    _, earlier = compared(registry(server("a", 'Says "a": b.')), SliceMemory())
    changed = server("a", 'Says "a":b.')
    found, _ = compared(registry(changed), earlier.memory)

    assert found == whole(registry(changed))


@given(before=st.lists(documents, max_size=6), after=st.lists(documents, max_size=6))
def test_a_memory_of_a_memory_is_as_good(before: Sequence[Any], after: Sequence[Any]) -> None:
    """What a comparison leaves is what reading all would have left."""
    _, earlier = compared(registry(*before), SliceMemory())
    _, later = compared(registry(*after), earlier.memory)
    _, anew = compared(registry(*after), SliceMemory())

    if earlier.is_memorable and anew.is_memorable:
        assert later.memory == anew.memory
        assert decoded(later.memory.encoded("rules"), "rules") == later.memory


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text[:-1],
        lambda text: text[:40] + b"\0" + text[41:],
        lambda _: b"",
        lambda _: b"\xff" * 100,
    ],
)
def test_a_damaged_memory_is_none(spoil: Callable[[bytes], bytes]) -> None:
    """It has a digest of its own, and tells by which rules it came to be."""
    memory = compared(registry(server("a")), SliceMemory())[1].memory
    text = memory.encoded("rules")

    assert decoded(text, "rules") == memory
    assert decoded(spoil(text), "rules") is None
    assert decoded(text, "others") is None


@pytest.mark.skipif(not REAL.exists(), reason="needs the real file")
async def test_a_real_registry_is_read_alike_everywhere() -> None:
    """In a thread, in a process, and at one look."""
    payload = REAL.read_bytes()

    assert await read(await Parser().parse(payload)) == whole(payload)
    assert await read_apart(Parser(), payload) == whole(payload)


async def test_a_large_payload_is_read_in_a_process_and_compared(tmp_path: Path) -> None:
    """Pages in order; then what changed, what is new, and what is gone."""
    parser = Parser(memory_dir=tmp_path)
    servers = [server(f"s{number}") for number in range(2 * PAGE + 1)]
    with (first := large(registry(*servers))).file:
        parsing = await parser.parse(first, revision="1")
        found = [page async for page in parsing.pages]
    assert [len(page.entries) for page in found] == [PAGE, PAGE, 1]
    assert (merged(found), parsing.compared) == (whole(registry(*servers)), False)

    changed = [server("new"), *servers[2:], server("s0", "Changed.")]
    random.Random(1).shuffle(changed)
    with (second := large(registry(*changed))).file:
        parsing = await parser.parse(second, revision="2", known_revision="1")
        found = [page async for page in parsing.pages]
    assert parsing.compared
    assert {entry.key.name for entry in merged(found).entries} == {
        "io.example/new",
        "io.example/s0",
    }
    assert [key.name for key in merged(found).gone] == ["io.example/s1"]


async def test_a_few_changes_among_many_are_found(tmp_path: Path) -> None:
    """Each of them, and nothing else, wherever it stands."""
    parser = Parser(memory_dir=tmp_path)
    servers = [server(f"s{number}", "x" * 80) for number in range(5000)]
    await read_apart(parser, registry(*servers), revision="1")
    changed = {number: server(f"s{number}", "y" * 80) for number in range(0, 5000, 50)}
    servers = [changed.get(number, each) for number, each in enumerate(servers)]

    found = await read_apart(parser, registry(*servers), revision="2", known_revision="1")
    assert found == whole(registry(*changed.values()))
    assert len(memories(tmp_path)) == 2


async def test_memories_are_kept_of_two_revisions(tmp_path: Path) -> None:
    """Those of the known one and of the new one. What rejects something leaves none."""
    parser = Parser(memory_dir=tmp_path)
    for known, revision in ((None, "1"), ("1", "2"), ("2", "3")):
        await read_apart(parser, registry(server("a")), revision=revision, known_revision=known)
    assert len(memories(tmp_path)) == 2

    await read_apart(parser, registry(server("a"), {}), revision="4", known_revision="3")
    body = large(registry(server("a")))
    with body.file:
        parsing = await parser.parse(body, revision="5", known_revision="4")
        assert not parsing.compared
        assert len((await read(parsing)).entries) == 1


def memories(folder: Path) -> list[str]:
    return [memory.name for memory in folder.iterdir()]


async def test_other_rules_read_all_of_it(tmp_path: Path) -> None:
    """A memory is of use only to those who would have made the same of the same text."""
    parser = Parser(memory_dir=tmp_path, rules="a")
    await read_apart(parser, registry(server("a")), revision="1")
    for other in (attrs.evolve(parser, rules="b"), attrs.evolve(parser, format="upstream")):
        body = large(registry(server("a")))
        with body.file:
            parsing = await other.parse(body, revision="2", known_revision="1")
            assert not parsing.compared
            await read(parsing)


@pytest.mark.parametrize(
    "payload", [b"", b"<html>", b"[" * 100_000, b'{"servers": {}, "servers": []}']
)
async def test_what_is_refused_is_refused_in_the_same_words(payload: bytes) -> None:
    """Small or large."""
    with pytest.raises(SourceContentError) as small:
        await Parser().parse(payload)
    with pytest.raises(SourceContentError) as apart:
        await read_apart(Parser(), payload)

    assert str(apart.value) == str(small.value)


async def test_bytes_of_a_large_payload_are_read_apart_too() -> None:
    """A source need not know what is large."""
    payload = registry(*[server(f"s{number}") for number in range(20)])

    assert await read(await Parser(large_bytes=100).parse(payload)) == whole(payload)


SHARED = [
    *[server(f"s{number}") for number in range(700)],
    *[{"name": number} for number in range(300)],
    *[server(f"s{number}", "Again.") for number in range(0, 700, 100)],
    *[server(f"t{number}", "long" * 40) for number in range(300)],
    {**server("fraction"), "_meta": {"x": 1.5e300}},
    server("s1"),
]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_helpers_find_what_one_process_finds(count: int) -> None:
    """Entries in order, which of several is the first, and what is told of the others."""
    payload = registry(*SHARED)
    opened = DetectedFormat().open(open_json(payload))
    with judges(opened, count, lambda: None) as judge:
        comparison = Comparison(opened, SliceMemory(), judge)
        found = merged(pages(comparison.admitted(), comparison.warnings()))

    assert found == whole(payload)
    assert len(found.rejected) == 300 + 7 + 1
    assert not comparison.is_memorable


def test_helpers_tell_an_error_where_it_is() -> None:
    """Behind all that came before it."""
    deep = b"[" * 100_000 + b"]" * 100_000
    slices = [*(json.dumps(each).encode() for each in SHARED[:600]), deep]
    opened = DetectedFormat().open({"servers": [*map(msgspec.Raw, slices)]})
    with judges(opened, 2, lambda: None) as judge:
        found = Comparison(opened, SliceMemory(), judge).admitted()
        assert len(list(islice(found, 600))) == 600
        with pytest.raises(SourceContentError, match="nested too deeply"):
            next(found)


def test_an_end_of_a_helper_is_noticed() -> None:
    """Whoever waits for it does not wait for ever."""
    opened = DetectedFormat().open(open_json(registry(*SHARED)))
    broken = attrs.evolve(opened, candidate=lambda _slice: os._exit(1))
    with judges(broken, 2, lambda: None) as judge, pytest.raises(ChildProcessError):
        list(Comparison(broken, SliceMemory(), judge).admitted())


_KILLED_WITH_HELPERS = """
import os, signal, sys
from adapters.sources import judges
from adapters.sources.formats import DetectedFormat
from adapters.sources.formats.payload import open_json

judges.die_with_parent = lambda: None
opened = DetectedFormat().open(open_json(sys.stdin.buffer.read()))
with judges.judges(opened, 3, lambda: None):
    print("opened", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_helpers_end_where_no_signal_tells_them_to() -> None:
    """They notice by their pipes that nobody is left who reads them."""
    servers = [server(f"s{number}", "x" * 90) for number in range(20_000)]
    done = subprocess.run(
        [sys.executable, "-c", _KILLED_WITH_HELPERS],
        input=registry(*servers),
        stdout=subprocess.PIPE,  # which they have as well: it ends when the last one does
        timeout=30,
    )

    assert (done.returncode, done.stdout) == (-signal.SIGKILL, b"opened\n")


async def test_a_process_that_is_killed_is_told_of() -> None:
    """The sync fails, and the server lives on."""
    servers = [server(f"s{number}", "x" * 90) for number in range(20_000)]
    with (body := large(registry(*servers))).file:
        parsing = await Parser().parse(body)
        (child,) = children()
        os.kill(child, signal.SIGKILL)
        with pytest.raises(SourceLimitError, match="ended with -9"):
            await read(parsing)


async def test_a_process_ends_with_whoever_asked() -> None:
    """Pages that nobody takes any more are not made, and its helpers are gone as well."""
    servers = [server(f"s{number}", "x" * 90) for number in range(20_000)]
    with (body := large(registry(*servers))).file:
        parsing = await Parser().parse(body)
        await anext(parsing.pages)
        (child,) = children()
        await parsing.pages.aclose()
        assert not children()
        assert child not in [session for _, _, session in processes()]


def children() -> list[int]:
    """The processes of this one that take payloads apart, each in a session of its own."""
    return [pid for pid, parent, session in processes() if (parent, session) == (os.getpid(), pid)]


def processes() -> Iterator[tuple[int, int, int]]:
    """Each process, with its parent and its session."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            _, parent, _, session = stat.read_text().rpartition(")")[2].split()[:4]
            yield int(stat.parent.name), int(parent), int(session)


def test_every_parser_is_a_port() -> None:
    """The application asks it and nothing else."""
    port: ParserPort = Parser()

    assert isinstance(port, Parser)


async def test_pages_are_small_in_bytes_too() -> None:
    """Ten documents of a megabyte do not lie on one page."""
    wide = [server(f"s{number}") | {"_meta": {"x": "x" * 2**20}} for number in range(10)]
    with (body := large(registry(*wide))).file:
        parsing = await Parser().parse(body)
        sizes = [len(page.entries) async for page in parsing.pages]

    assert sum(sizes) == 10
    assert max(sizes) <= 4
