"""The revision of an API source: text for people, from which the next fetch goes on."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.sources.api_revision import (
    OfficialRevision,
    ToolhiveRevision,
    read_revision,
    token,
)

texts = st.none() | st.text().map(token)
moments = st.datetimes(datetime(1971, 1, 1), timezones=st.just(UTC))
FULL = datetime(2026, 11, 22, 10, tzinfo=UTC)


@given(
    full_at=moments,
    since=st.none() | st.integers(0, 2**51),
    withdrawals=texts,
    answer=texts,
)
def test_official_revision_comes_back(
    full_at: datetime, since: int | None, withdrawals: str | None, answer: str | None
) -> None:
    """All that is known is in the text, which is one printable line."""
    revision = OfficialRevision(
        prefix="/v0", full_at=full_at, since=since, withdrawals=withdrawals, answer=answer
    )
    assert read_revision(str(revision)) == revision
    assert str(revision).isascii()
    assert str(revision).isprintable()


@given(updated=texts, total=st.none() | st.integers())
def test_toolhive_revision_comes_back(updated: str | None, total: int | None) -> None:
    """The same for ToolHive's API."""
    revision = ToolhiveRevision(prefix="/v0", updated=updated, total=total)
    assert read_revision(str(revision)) == revision


def test_registry_that_ignores_the_question_is_noted() -> None:
    """It has no time to ask from."""
    revision = OfficialRevision(prefix="/v0.1", full_at=FULL, ignores_since=True)
    assert str(revision) == "official /v0.1 since ignored full 2026-11-22T10:00:00Z"
    assert read_revision(str(revision)) == revision


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "sha256:0",
        "official",
        "official /v0.1",
        "official /v0.1 since 2026-11-22T10:00:00Z",
        "official /v0.1 full now",
        "official /v0.1 full 2026-11-22T10:00:00Z since 2026-11-22T10:00:00Z",
        "official /v0.1 full 2026-11-22T10:00:00Z more x",
        "official /v0.1 full 2026-11-22T10:00:00Z full 2026-11-22T10:00:00Z",
        "official /v0.1 full 2026-11-22T10:00:00Z since",
        "toolhive /v0 total many",
        "toolhive /v0 total 01",
        "gopher /v0 total 1",
        "toolhive  /v0 total 1",
    ],
)
def test_any_other_text_tells_nothing(text: str | None) -> None:
    """Nothing is guessed: a full walk is always right."""
    assert read_revision(text) is None


def test_what_a_server_said_is_one_word() -> None:
    """Whatever a header has in it, and however much."""
    assert token(None) is None
    assert token("abc") == "abc"
    assert token("a b") == "c8687a08aa5d6ed2"
    assert len(token("x" * 10_000) or "") == 16
