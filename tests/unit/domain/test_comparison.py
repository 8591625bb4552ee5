"""Two states of a registry side by side."""

import attrs
import pytest

from domain.catalog import CatalogEntry
from domain.comparison import Comparison, Outcome, compare, outcome_of
from domain.composition import RegistryEntry
from domain.entry import Lifecycle
from domain.identifiers import DocumentHash, EntryKey, EntryKind, SourceName
from tests.harness.strategies import FIRST_COMMIT


def version(number: str, document: str = "a", *, is_latest: bool = False) -> RegistryEntry:
    """A version with a document of that hash."""
    entry = CatalogEntry(
        key=EntryKey(EntryKind.SERVER, "io.example/a", number),
        document_hash=DocumentHash(document),
        document_position=1,
        title=None,
        tags=(),
        lifecycle=Lifecycle(),
        first_recorded_at=FIRST_COMMIT,
        status_recorded_at=FIRST_COMMIT,
        changed_at=FIRST_COMMIT,
        is_latest=is_latest,
    )
    return RegistryEntry(entry=entry, source=SourceName("main"), updated_at=FIRST_COMMIT)


@pytest.mark.parametrize(
    ("was_there", "is_there", "outcome"),
    [
        (False, True, Outcome.ADDED),
        (True, True, Outcome.CHANGED),
        (True, False, Outcome.REMOVED),
    ],
)
def test_what_became_of_something(was_there: bool, is_there: bool, outcome: Outcome):
    """It came, is another one, or left."""
    assert outcome_of(was_there, is_there) is outcome


def test_what_stayed_as_it_is_is_not_told():
    """Only versions that differ in anything are compared, in the order of versions."""
    one, two, other_two = version("1"), version("2"), version("2", "b")
    assert compare([one, two], [one, two]) == ()
    assert compare([one, two], [one, other_two]) == (Comparison(before=two, after=other_two),)
    assert [each.version for each in compare([], [version("2"), version("1")])] == ["1", "2"]


def test_an_image_that_moves_on_is_compared_with_what_it_replaced():
    """The version that left and the one that came are told by each other."""
    old, new = version("v1", is_latest=True), version("v2", "b", is_latest=True)
    left, came = compare([old], [new])
    assert (left.outcome, left.old, left.new) == (Outcome.REMOVED, old, new)
    assert (came.outcome, came.old, came.new) == (Outcome.ADDED, old, new)


def test_a_version_that_comes_beside_others_is_compared_with_the_latest():
    """It comes after that, although that is still there."""
    first, latest = version("1.0.0"), version("1.1.0", is_latest=True)
    came = version("2.0.0", "b", is_latest=True)
    now = [first, attrs.evolve(latest, entry=version("1.1.0").entry), came]
    flagged, added = compare([first, latest], now)
    assert (added.version, added.other) == ("2.0.0", latest)
    assert (flagged.outcome, flagged.other) == (Outcome.CHANGED, None)


def test_the_first_and_the_last_version_are_compared_with_nothing():
    """There is nothing that they came after, or that replaced them."""
    (came,), (left,) = compare([], [version("1")]), compare([version("1")], [])
    assert (came.other, came.old) == (None, None)
    assert (left.other, left.new) == (None, None)
