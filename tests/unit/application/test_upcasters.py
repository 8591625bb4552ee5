"""Payloads of earlier releases."""

from collections.abc import Callable

import pytest

from application.codec import EVENT_TYPES, EventType, decode
from application.upcasters import UPCASTERS, Payload, upcast
from domain.errors import CorruptLogError
from domain.events import SyncFailed, SyncStage
from domain.identifiers import CommitId, StreamName
from domain.log import StoredEvent
from tests.harness.clock import START


def adds(letter: str) -> Callable[[Payload], Payload]:
    """A step that leaves a mark at the end of the reason."""
    return lambda payload: {**payload, "reason": payload["reason"] + letter}


def failed(schema_version: int) -> StoredEvent:
    """A failure as a release of long ago stored it."""
    return StoredEvent(
        position=7,
        commit_id=CommitId("c"),
        recorded_at=START,
        effective_at=START,
        stream=StreamName("sync-main"),
        stream_version=1,
        type="sync.failed",
        schema_version=schema_version,
        data=b'{"reason":"","stage":"fetch"}',
        leaf_hash=b"",
    )


@pytest.fixture
def third_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """A release whose failures are of version 3."""
    monkeypatch.setitem(EVENT_TYPES, "sync.failed", EventType(SyncFailed, 3))
    monkeypatch.setitem(UPCASTERS, ("sync.failed", 1), adds("a"))
    monkeypatch.setitem(UPCASTERS, ("sync.failed", 2), adds("b"))


@pytest.mark.usefixtures("third_version")
@pytest.mark.parametrize(("version", "reason"), [(1, "ab"), (2, "b"), (3, "")])
def test_steps_run_in_order_from_the_stored_version(version: int, reason: str) -> None:
    """An event goes through each step from its own version to that of today."""
    assert decode(failed(version)) == SyncFailed(stage=SyncStage.FETCH, reason=reason)


@pytest.mark.usefixtures("third_version")
def test_a_missing_step_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A chain with a hole reads nothing, and the position is named."""
    monkeypatch.delitem(UPCASTERS, ("sync.failed", 2))
    with pytest.raises(CorruptLogError, match="position 7"):
        decode(failed(1))


def test_todays_payload_stays_as_it_is() -> None:
    """Without a step to go the very payload comes back."""
    payload: Payload = {"reason": ""}
    assert upcast("sync.failed", 1, 1, payload) is payload


def test_every_older_version_has_its_step() -> None:
    """For each version below today's there is an upcaster, and for no other."""
    assert UPCASTERS.keys() == {
        (name, version)
        for name, event_type in EVENT_TYPES.items()
        for version in range(1, event_type.schema_version)
    }
