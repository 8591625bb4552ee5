"""Changes with their documents: classes, reused versions, statuses, redactions."""

from collections.abc import Sequence
from typing import Any

import pytest

from application.change_details import ALL_CLASSES, SHOWN, ServerChange, parse_classes
from application.change_feed import BEGINNING, ChangeFeed
from application.documents import Documents
from application.redactions import RedactionBook
from domain.change import ChangeClass
from domain.comparison import Outcome
from domain.errors import InvalidInputError
from domain.events import DocumentRedacted
from tests.harness.registry_world import RegistryWorld, enveloped, registry_world, server

NAME = "com.example/one"
EXECUTION = frozenset({ChangeClass.EXECUTION})


def image(tag: str, version: str = "1.0.0", **members: Any) -> dict[str, Any]:
    """A server that runs an image."""
    package = {
        "registryType": "oci",
        "identifier": f"ghcr.io/example/one:{tag}",
        "transport": {"type": "stdio"},
    }
    return server(NAME, version, packages=[package], **members)


async def changes(*offers: Any) -> Sequence[ServerChange]:
    """What the feed tells of a source that offered these, one after the other."""
    async with registry_world() as world:
        return await changes_in(world, *offers)


async def changes_in(world: RegistryWorld, *offers: Any) -> Sequence[ServerChange]:
    for offer in offers:
        await world.sync("main", [offer])
    return (await world.services.feed.page(None, BEGINNING, 100)).changes


async def test_a_definition_under_an_old_version_reuses_it():
    """The rug-pull signal; another status or more stars are no other definition."""
    _, pulled = await changes(image("v1"), image("v2"))
    assert pulled.version_reused
    assert pulled.classes == {ChangeClass.EXECUTION}

    _, deprecated = await changes(image("v1"), enveloped(image("v1"), status="deprecated"))
    assert not deprecated.version_reused
    assert deprecated.classes == {ChangeClass.LIFECYCLE}


async def test_a_new_version_is_no_reused_one():
    """However much is different; and the one that it replaced is in the same change."""
    _, moved = await changes(image("v1", "1.0.0"), image("v2", "1.1.0"))
    assert not moved.version_reused
    assert moved.outcome is Outcome.CHANGED
    assert [each.comparison.outcome for each in moved.versions] == [
        Outcome.REMOVED,
        Outcome.ADDED,
    ]
    for version in moved.versions:
        assert [each.path for each in version.differences] == ["/packages/0/identifier"]
        assert version.classes == {ChangeClass.EXECUTION}


async def test_to_come_and_to_go_is_of_the_lifecycle():
    """Also where nothing but the number of the version is another one: it is not hidden."""
    _, bumped = await changes(server(NAME, "1.0.0"), server(NAME, "1.1.0"))
    assert bumped.classes == {ChangeClass.LIFECYCLE}
    assert bumped.is_shown(SHOWN)
    assert not bumped.is_shown(EXECUTION)


async def test_what_is_said_beside_a_document_is_told():
    """Status and message, at the places where an answer has them."""
    said = {"status": "deprecated", "statusMessage": "use another"}
    _, change = await changes(server(NAME), enveloped(server(NAME), **said))
    found = {each.path.rpartition("/")[2]: each for each in change.versions[0].differences}
    assert (found["status"].old, found["status"].new) == ("active", "deprecated")
    assert (found["statusMessage"].old, found["statusMessage"].new) == (None, "use another")
    assert all(each.path.startswith("/_meta/io.modelcontextprotocol") for each in found.values())


async def test_differences_of_other_classes_are_left_out():
    """And those of the first version of all, which there is nothing to compare with."""
    listed, change = await changes(image("v1"), image("v2", title="One"))
    (version,) = change.versions
    assert [each.path for each in version.shown_differences(EXECUTION)] == [
        "/packages/0/identifier"
    ]
    assert len(version.shown_differences(ALL_CLASSES)) == 2
    assert not listed.versions[0].shown_differences(ALL_CLASSES)
    assert ChangeClass.EXECUTION in listed.classes


async def test_a_change_of_what_was_redacted_is_told():
    """Nobody can tell what differs, so it may be of any class; what is beside it still is told."""
    async with registry_world() as world:
        _, before = await changes_in(
            world, image("v1"), enveloped(image("v2"), status="deprecated")
        )
        (version,) = before.versions
        assert version.comparison.before
        event = DocumentRedacted(
            document_hash=version.comparison.before.entry.document_hash,
            reason="a court said so",
            redacted_by="someone",
        )
        await RedactionBook(world.storage, world.log).redact(event)

        feed = ChangeFeed(world.storage, world.registries, Documents(world.storage))
        listed, change = (await feed.page(None, BEGINNING, 100)).changes
        assert change.redacted
        assert change.versions[0].redacted
        assert change.classes == {ChangeClass.LIFECYCLE}
        assert [each.path.rpartition("/")[2] for each in change.versions[0].differences] == [
            "status"
        ]
        assert change.is_shown(EXECUTION)
        assert listed.redacted


async def test_a_version_that_keeps_its_redacted_document_has_not_changed_in_it():
    """Another status alone is compared as ever."""
    async with registry_world() as world:
        (listed,) = await changes_in(world, image("v1"))
        served = listed.versions[0].comparison.after
        assert served
        event = DocumentRedacted(
            document_hash=served.entry.document_hash, reason="an accident", redacted_by="someone"
        )
        await RedactionBook(world.storage, world.log).redact(event)
        change = (await changes_in(world, enveloped(image("v1"), status="deleted")))[-1]
        assert not change.redacted
        assert change.classes == {ChangeClass.LIFECYCLE}


def test_classes_are_read():
    """With commas between, or all of them."""
    assert parse_classes("all") == ALL_CLASSES
    assert parse_classes("execution, inputs") == {ChangeClass.EXECUTION, ChangeClass.INPUTS}


@pytest.mark.parametrize("text", ["", "other", "execution,", "ALL"])
def test_other_classes_are_refused(text: str):
    """With all names that there are."""
    with pytest.raises(InvalidInputError, match=r"execution, inputs, .* or all"):
        parse_classes(text)
