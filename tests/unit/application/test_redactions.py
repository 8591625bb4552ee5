"""Documents that are taken away, and all that stays as it was."""

from collections.abc import Mapping
from typing import Any

import anyio
import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.sources.formats.upstream import UpstreamFormat
from application.cursor import ListFilters
from application.documents import Documents
from application.moments import Moment
from application.redactions import RedactionBook, redactions_in_log
from application.replay import redacted_entries, render_file, replay
from application.verify import verify
from domain.asof import AtPosition
from domain.canonical_json import canonical_json
from domain.composition import RegistryEntry
from domain.entry import document_hash
from domain.errors import DocumentNotFoundError, DocumentRedactedError
from domain.events import DocumentRedacted, EntryRevised
from domain.guards import Guards
from domain.identifiers import DocumentHash
from domain.redaction import Redaction
from tests.harness.checkers import check_rebuildable
from tests.harness.live_view import live_version
from tests.harness.new_commits import whole_log
from tests.harness.other_storages import CopiedLog
from tests.harness.sync_world import HeldSource, SyncWorld, loaded_world, server, synced_source

SECRET = "hunter2"
LEAKY = server("b", description=f"Opens with {SECRET}.", title="Leaky")


def hash_of(document: Mapping[str, object]) -> DocumentHash:
    """The hash that the log has a document under."""
    return document_hash(canonical_json(dict(document)))


LEAKED = hash_of(LEAKY)
SOUND = hash_of(server("a"))
EVENT = DocumentRedacted(document_hash=LEAKED, reason="a key leaked", redacted_by="ann@host")


@pytest.fixture
async def world() -> SyncWorld:
    """A registry of one source with three servers, of which one says too much."""
    world = await loaded_world()
    await world.configure({"default": ["main"]})
    await sync(world, server("a"), LEAKY, server("c"))
    return world


async def sync(world: SyncWorld, *items: object) -> None:
    source = synced_source(HeldSource(*items), guards=Guards(allow_empty=True, max_removal=1.0))
    outcome = await world.syncer.sync(source)
    assert outcome.completed, outcome.failed
    await world.projector.catch_up()


def book(world: SyncWorld) -> RedactionBook:
    return RedactionBook(world.storage, world.log)


async def redact(world: SyncWorld, event: DocumentRedacted = EVENT) -> None:
    await book(world).redact(event)
    await world.projector.catch_up()


async def servers(world: SyncWorld) -> list[RegistryEntry]:
    return list((await live_version(world.projector, world.storage)).servers)


async def test_a_redaction_is_in_the_log_and_the_body_is_not(world: SyncWorld) -> None:
    """One event says which document, why and who; the log verifies, and counts it."""
    before = await whole_log(world.storage)
    done = await book(world).redact(EVENT)
    commits, events = await whole_log(world.storage)
    assert (commits[:-1], events[:-1]) == before
    assert (events[-1].stream, events[-1].type) == ("redactions", "document.redacted")
    assert done.redaction == Redaction(
        document_hash=LEAKED,
        reason="a key leaked",
        redacted_by="ann@host",
        recorded_at=events[-1].recorded_at,
    )
    assert (done.repeated, done.scrubbed) == (False, True)
    assert await world.storage.documents([LEAKED]) == {}
    found = await verify(world.storage)
    assert (found.damages, found.documents, found.redacted) == ((), 3, 1)


async def test_to_redact_again_changes_nothing(world: SyncWorld) -> None:
    """The first reason stays, and nothing is appended."""
    first = await book(world).redact(EVENT)
    before = await whole_log(world.storage)
    again = await book(world).redact(attrs.evolve(EVENT, reason="another"))
    assert again == attrs.evolve(first, repeated=True)
    assert await whole_log(world.storage) == before


async def test_of_many_who_redact_at_once_one_does(world: SyncWorld) -> None:
    """All learn of the same redaction, and the log has it once."""
    done = []

    async def redact_one(reason: str) -> None:
        done.append(await book(world).redact(attrs.evolve(EVENT, reason=reason)))

    async with anyio.create_task_group() as tasks:
        for reason in ("one", "two", "three"):
            tasks.start_soon(redact_one, reason)
    assert sorted(each.repeated for each in done) == [False, True, True]
    assert len({each.redaction.reason for each in done}) == 1
    assert len(await redactions_in_log(world.log)) == 1


@pytest.mark.parametrize("unknown", ["0" * 64, LEAKED.upper(), "", "../etc"])
async def test_what_is_not_known_is_not_redacted(world: SyncWorld, unknown: str) -> None:
    """The error says where hashes are found, and the log stays as it was."""
    before = await whole_log(world.storage)
    with pytest.raises(DocumentNotFoundError, match="registry log --json"):
        await book(world).redact(attrs.evolve(EVENT, document_hash=DocumentHash(unknown)))
    assert await whole_log(world.storage) == before


async def test_the_view_is_what_the_log_tells(world: SyncWorld) -> None:
    """Folded, restored and rebuilt alike."""
    await redact(world)
    assert world.projector.live.redactions == await redactions_in_log(world.log)
    restarted = await loaded_world(world.storage)
    assert restarted.projector.live.redactions == world.projector.live.redactions
    await check_rebuildable(world.storage)


@pytest.mark.parametrize("asked_before", [True, False])
@pytest.mark.parametrize("caught_up", [True, False])
async def test_documents_are_not_given_out_any_longer(
    world: SyncWorld, asked_before: bool, caught_up: bool
) -> None:
    """Neither from memory nor from the log, told of it or not; the others are as they were."""
    listed = await servers(world)
    a, leaked, c = listed
    if asked_before:
        await world.documents.bodies(listed)
    await book(world).redact(EVENT)
    if caught_up or asked_before:  # what is in memory goes as soon as the log was followed
        await world.projector.catch_up()
    found = await world.documents.bodies_or_redactions(listed)
    assert [type(each) for each in found] == [bytes, Redaction, bytes]
    assert found[1] == (await redactions_in_log(world.log))[LEAKED]
    assert await world.documents.bodies([a, c]) == [found[0], found[2]]
    with pytest.raises(DocumentRedactedError, match=f"by ann@host: a key leaked.*{LEAKED}"):
        await world.documents.bodies([a, leaked])


@pytest.mark.parametrize("asked_before", [True, False])
async def test_only_the_name_of_what_was_redacted_is_found(
    world: SyncWorld, asked_before: bool
) -> None:
    """Its description and title are not."""
    if asked_before:
        assert await found(world, SECRET) == ["io.example/b"]
    await redact(world)
    assert await found(world, SECRET) == []
    assert await found(world, "example/b") == ["io.example/b"]


async def found(world: SyncWorld, text: str) -> list[str]:
    registry = await world.registries.asked()
    page = await registry.page(ListFilters(search=text), None, 10)
    return [served.name for served in page.servers]


async def test_a_file_leaves_it_out_and_counts_it(world: SyncWorld) -> None:
    """A replayed file can be fed to any registry, of any moment."""
    end = await world.log.end()
    await redact(world)
    commit = await world.log.resolve(AtPosition(end), world.clock)
    registry = (await replay(world.log, Moment(commit=commit))).registry()
    documents = Documents(world.storage)
    file = b"".join(await render_file(registry, documents, UpstreamFormat()))
    assert b"io.example/a" in file
    assert b"io.example/b" not in file
    assert redacted_entries(registry, documents) == 1


async def test_a_source_that_still_offers_it_brings_nothing_back(world: SyncWorld) -> None:
    """Nothing has changed, whether it is still listed or comes anew under another version."""
    await redact(world)
    await sync(world, server("a"), LEAKY, server("c"), server("d"))
    assert await world.storage.documents([LEAKED]) == {}
    await sync(world, server("a"))
    await sync(world, server("a"), LEAKY)
    assert await world.storage.documents([LEAKED]) == {}
    assert await world.offered() == {"a@1.0.0", "b@1.0.0"}
    assert (await verify(world.storage)).damages == ()


async def test_what_follows_a_redacted_document_is_compared_with_nothing(
    world: SyncWorld,
) -> None:
    """The revision tells of every member that the new document has, and back again."""
    await redact(world)
    await sync(world, server("a"), server("b", description="Safe."), server("c"))
    await sync(world, server("a"), LEAKY, server("c"))
    revisions = [e.event for e in await world.events() if isinstance(e.event, EntryRevised)]
    assert [revision.change.paths for revision in revisions] == [
        ("/description", "/name"),
        ("/description", "/title"),
    ]
    assert await world.storage.documents([LEAKED]) == {}


@pytest.mark.parametrize(
    ("changed", "position", "words"),
    [
        ({"erased": {}}, 7, f"document {LEAKED} was redacted, and is not erased by it"),
        ({"erased": {LEAKED: "other"}}, 7, f"document {LEAKED} was redacted, and is not erased"),
        ({"erased": {SOUND: "other"}}, 3, f"{SOUND} was erased, and no event says so"),
        ({"bodies": {}}, 3, f"document {SOUND} is missing"),
    ],
)
async def test_what_does_not_fit_is_named(
    world: SyncWorld, changed: dict[str, Any], position: int, words: str
) -> None:
    """Where the storage erased something else than the log says, or lost it."""
    await redact(world)
    commits, events = await whole_log(world.storage)
    copied = CopiedLog(
        commits_read=commits,
        events=events,
        bodies=await every_body(world),
        erased=await world.storage.erasures(),
    )
    assert (await verify(copied)).damages == ()
    damages = (await verify(attrs.evolve(copied, **changed))).damages
    assert (damages[0].position, words in damages[0].what) == (position, True)


offered = st.lists(
    st.lists(st.sampled_from("abcd"), unique=True, min_size=1).map(sorted), min_size=1, max_size=4
)


@given(history=offered, data=st.data())
def test_all_that_was_not_redacted_is_as_it_was(
    history: list[list[str]], data: st.DataObject
) -> None:
    """Events, times, positions, leaves and roots of every moment, and every other document."""
    anyio.run(_check_unchanged, history, data)


async def _check_unchanged(history: list[list[str]], data: st.DataObject) -> None:
    world = await loaded_world()
    await world.configure({"default": ["main"]})
    for number, names in enumerate(history):
        await sync(world, *(server(name, title=f"{name} {number}") for name in names))
    before, bodies = await whole_log(world.storage), await every_body(world)
    chosen = data.draw(st.sets(st.sampled_from(sorted(bodies)), max_size=4))
    for known in sorted(chosen):
        await redact(world, attrs.evolve(EVENT, document_hash=known))
    commits, events = await whole_log(world.storage)
    assert commits[: len(before[0])] == before[0]
    assert events[: len(before[1])] == before[1]
    kept = {known: body for known, body in bodies.items() if known not in chosen}
    assert await every_body(world) == kept
    assert (await verify(world.storage)).damages == ()
    await check_rebuildable(world.storage)
    for commit in before[0]:
        await _check_moment(world, commit.last_position, bodies, chosen)


async def every_body(world: SyncWorld) -> Mapping[DocumentHash, bytes]:
    hashes = [known async for batch in world.storage.all_documents() for known in batch]
    return await world.storage.documents(hashes)


async def _check_moment(
    world: SyncWorld,
    position: int,
    bodies: Mapping[DocumentHash, bytes],
    chosen: set[DocumentHash],
) -> None:
    commit = await world.log.resolve(AtPosition(position), world.clock)
    registry = (await replay(world.log, Moment(commit=commit))).registry()
    found = await world.documents.bodies_or_redactions(registry.servers)
    for served, body in zip(registry.servers, found, strict=True):
        known = served.entry.document_hash
        assert isinstance(body, Redaction) if known in chosen else body == bodies[known]
