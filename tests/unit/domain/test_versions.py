"""Which version is the latest: precedence as semver.org has it, the rest as the spec has it."""

import itertools
from collections.abc import Sequence
from datetime import datetime, timedelta

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.entry import Status
from domain.versions import latest, precedence
from tests.harness.strategies import FIRST_COMMIT, OTHER_VERSIONS, VERSIONS

ASCENDING = [
    "0.0.0-0",
    "0.0.0",
    "0.9.10",
    "0.10.9",
    "1.0.0--1",
    "1.0.0-alpha",
    "1.0.0-alpha.1",
    "1.0.0-alpha.beta",
    "1.0.0-beta",
    "1.0.0-beta.2",
    "1.0.0-beta.11",
    "1.0.0-rc.1",
    "1.0.0",
    "1.0.1-0",
    "2.0.0",
    "2.1.0",
    "2.1.1",
    "2021.11.15",
    "99999999999999999999999.0.0",
    f"1{'0' * 5000}.0.0",
]
"""The chain of semver.org, item 11, between others."""

VALID = [
    "0.0.4",
    "1.1.2-prerelease+meta",
    "1.1.2+meta",
    "1.0.0-alpha.beta.1",
    "1.0.0-alpha0.valid",
    "1.0.0-alpha.0valid",
    "1.0.0-alpha-a.b-c-somethinglong+build.1-aef.1-its-okay",
    "1.0.0-rc.1+build.1",
    "10.2.3-DEV-SNAPSHOT",
    "2.0.0+build.1848",
    "1.2.3----RC-SNAPSHOT.12.9.1--.12+788",
    "1.2.3----R-S.12.9.1--.12+meta",
    "1.0.0+0.build.1-rc.10000aaa-kk-0.1",
    "1.0.0-0A.is.legal",
    "1.0.0-01a",
    "1.0.0+001",
    "v1.0.0",
    "2021.11.15",
]
INVALID = [
    "",
    "1",
    "1.2",
    "1.2.3.4",
    "1.2.3-0123",
    "1.2.3-0123.0123",
    "1.1.2+.123",
    "+invalid",
    "-invalid",
    "alpha_beta",
    "1.0.0-alpha_beta",
    "1.0.0-alpha..1",
    "1.0.0-",
    "1.0.0+",
    "01.1.1",
    "1.01.1",
    "1.1.01",
    "2021.03.05",
    "1.2.3.DEV",
    "1.2-SNAPSHOT",
    "-1.0.3-gamma+b7718",
    "9.8.7+meta+meta",
    "V1.0.0",
    "vv1.0.0",
    "v 1.0.0",
    "1.0.0 ",
    "1.0.0\n",
    "1.0.0-é",
    "١.0.0",
    "snapshot",
]

_identifiers = st.sampled_from(["0", "1", "9", "10", "a", "A", "-", "a1", "0a", "alpha", "rc"])
semantic_versions = st.builds(
    "{}{}.{}.{}{}{}".format,
    st.sampled_from(["", "v"]),
    *[st.sampled_from(["0", "1", "9", "10"])] * 3,
    st.lists(_identifiers, max_size=3).map(lambda parts: "-" * bool(parts) + ".".join(parts)),
    st.sampled_from(["", "+build", "+001"]),
)


@attrs.frozen
class Published:
    """A version as `latest` sees it."""

    version: str
    status: Status
    published_at: datetime


candidates = st.builds(
    Published,
    st.sampled_from(VERSIONS),
    st.sampled_from(Status),
    st.integers(0, 3).map(lambda day: FIRST_COMMIT + timedelta(days=day)),
)
one_server = st.lists(candidates, max_size=8, unique_by=lambda candidate: candidate.version)


@pytest.mark.parametrize("version", VALID)
def test_these_are_semantic(version: str) -> None:
    """Three numbers, a pre-release, build metadata, a `v` in front."""
    assert precedence(version) is not None


@pytest.mark.parametrize("version", INVALID)
def test_these_are_not_semantic(version: str) -> None:
    """Other counts of numbers, leading zeros, empty identifiers, other characters."""
    assert precedence(version) is None


@pytest.mark.parametrize(("lower", "higher"), list(itertools.pairwise(ASCENDING)))
def test_precedence_is_that_of_semver_org(lower: str, higher: str) -> None:
    """Every version of the chain is below the next one."""
    low, high = precedence(lower), precedence(higher)
    assert low is not None
    assert high is not None
    assert low < high


@given(semantic_versions, semantic_versions)
def test_precedence_agrees_with_the_rules_of_semver_org(one: str, other: str) -> None:
    """Any two compare as item 11, spelt out step by step, compares them."""
    left, right = precedence(one), precedence(other)
    assert left is not None
    assert right is not None
    assert (left > right) - (left < right) == _compare_by_item_11(one, other)


def _compare_by_item_11(one: str, other: str) -> int:
    (core, pre), (other_core, other_pre) = _parts(one), _parts(other)
    if core != other_core:
        return 1 if core > other_core else -1
    if not pre or not other_pre:
        return bool(other_pre) - bool(pre)
    for left, right in zip(pre, other_pre, strict=False):
        if left != right:
            return _compare_identifiers(left, right)
    return (len(pre) > len(other_pre)) - (len(pre) < len(other_pre))


def _parts(version: str) -> tuple[list[int], list[str]]:
    core, _, pre = version.removeprefix("v").partition("+")[0].partition("-")
    return [int(number) for number in core.split(".")], pre.split(".") if pre else []


def _compare_identifiers(left: str, right: str) -> int:
    if left.isdigit() and right.isdigit():
        return 1 if int(left) > int(right) else -1
    if left.isdigit() or right.isdigit():
        return -1 if left.isdigit() else 1
    return 1 if left > right else -1


@given(st.permutations(ASCENDING))
def test_precedence_orders_totally(versions: Sequence[str]) -> None:
    """Sorting gives the one chain from any order, so comparing is total and transitive."""
    assert sorted(versions, key=lambda version: precedence(version) or ()) == ASCENDING


def test_prefix_and_build_metadata_do_not_count() -> None:
    """A `v` and what stands behind a `+` change nothing."""
    assert precedence("v1.0.0-a+x") == precedence("1.0.0-a+001") == precedence("1.0.0-a")


@given(st.text("0123456789.-+va", max_size=60) | st.text(max_size=20))
def test_any_text_has_a_precedence_or_none(version: str) -> None:
    """No text makes the question fail."""
    assert precedence(version) == precedence(f"{version}+001") or "+" in version


@given(one_server.flatmap(st.permutations))
def test_the_latest_is_what_the_spec_says(versions: Sequence[Published]) -> None:
    """The latest is the one that displaces all others, in whatever order they are given."""
    assert latest(versions) == _latest_by_the_spec(versions)


def _latest_by_the_spec(versions: Sequence[Published]) -> Published | None:
    alive = [one for one in versions if one.status is not Status.DELETED]
    holder = None
    for candidate in sorted(alive or versions, key=lambda one: (one.published_at, one.version)):
        if holder is None or _displaces(candidate, holder):
            holder = candidate
    return holder


def _displaces(candidate: Published, holder: Published) -> bool:
    ours, theirs = precedence(candidate.version), precedence(holder.version)
    if ours and theirs:
        return ours > theirs
    if ours or theirs:
        return ours is not None
    return candidate.published_at > holder.published_at


def _on_day(version: str, day: int, status: Status = Status.ACTIVE) -> Published:
    return Published(version, status, FIRST_COMMIT + timedelta(days=day))


def test_no_versions_have_no_latest() -> None:
    """Of nothing there is no latest."""
    assert latest([]) is None


@pytest.mark.parametrize("other", OTHER_VERSIONS)
def test_a_semantic_version_beats_any_other(other: str) -> None:
    """However late it comes, a version that is not semantic stays behind."""
    semantic = _on_day("0.0.1-alpha", 0)
    assert latest([semantic, _on_day(other, 9)]) == semantic


def test_equal_precedence_does_not_displace() -> None:
    """Of versions that differ in `v` or build metadata only, the first published stays."""
    first = _on_day("1.0.0+b", 0)
    assert latest([_on_day("v1.0.0", 1), first, _on_day("1.0.0+a", 1)]) == first


def test_of_other_versions_the_later_publication_is_the_latest() -> None:
    """Without numbers to compare, time decides."""
    later = _on_day("2021.03.05", 2)
    assert latest([later, _on_day("snapshot", 1)]) == later


def test_a_deleted_version_is_the_latest_of_deleted_ones_only() -> None:
    """The highest that is not deleted has the flag; where all are deleted the highest keeps it."""
    low, high = _on_day("1.0.0", 0), _on_day("2.0.0", 0, Status.DELETED)
    assert latest([low, high]) == low
    assert latest([attrs.evolve(low, status=Status.DELETED), high]) == high
    deprecated = attrs.evolve(low, status=Status.DEPRECATED)
    assert latest([deprecated, high]) == deprecated
