"""Events as sentences."""

from typing import get_args

import pytest

from application.describe import describe
from domain.change import Change, ChangeClass
from domain.entry import Lifecycle, Status
from domain.events import (
    DelistReason,
    DocumentRedacted,
    EntryDelisted,
    EntryListed,
    EntryRevised,
    EntryStatusChanged,
    Event,
    HistoryCompleted,
    PinRemoved,
    PinSet,
    RegistryDefined,
    RegistryRetired,
    RevisionRecorded,
    SourceDefined,
    SourceRetired,
    SyncCompleted,
    SyncCounts,
    SyncFailed,
    SyncStage,
)
from domain.identifiers import (
    DocumentHash,
    EntryKey,
    EntryKind,
    PinName,
    RegistryName,
    SourceName,
)

KEY = EntryKey(EntryKind.SERVER, "io.example/a", "1.0.0")
HASH = DocumentHash("0" * 64)
MAIN, OTHER = SourceName("main"), SourceName("other")


def _completed(*, unread: bool) -> SyncCompleted:
    return SyncCompleted(
        revision="r1",
        unread=unread,
        filter_hash="",
        settings_hash="",
        counts=SyncCounts(
            listed=1, revised=2, status_changed=3, delisted=4, unchanged=5, rejected=6
        ),
        rejected=(),
        notes=(),
    )


def _revision(problem: str | None) -> RevisionRecorded:
    return RevisionRecorded(
        revision="0123456789abcdef",
        number=7,
        problem=problem,
        filter_hash="",
        settings_hash="",
        counts=SyncCounts(listed=1, delisted=2),
        rejected=(),
    )


SENTENCES: list[tuple[Event, str]] = [
    (
        EntryListed(key=KEY, document_hash=HASH, title=None, tags=(), lifecycle=Lifecycle()),
        "io.example/a@1.0.0 listed",
    ),
    (
        EntryRevised(
            key=KEY,
            document_hash=HASH,
            previous_hash=HASH,
            title=None,
            tags=(),
            change=Change(
                paths=("/packages", "/title"),
                classes=(ChangeClass.DOCUMENTATION, ChangeClass.EXECUTION),
            ),
        ),
        "io.example/a@1.0.0 revised: documentation, execution",
    ),
    (
        EntryStatusChanged(key=KEY, lifecycle=Lifecycle(status=Status.DEPRECATED)),
        "io.example/a@1.0.0 is deprecated now",
    ),
    *(
        (EntryDelisted(key=KEY, reason=reason), f"io.example/a@1.0.0 delisted: {words}")
        for reason, words in {
            DelistReason.WITHDRAWN: "withdrawn",
            DelistReason.FILTERED: "filtered",
            DelistReason.SOURCE_RETIRED: "source retired",
        }.items()
    ),
    (_completed(unread=True), "synced: the source is unchanged"),
    (
        _completed(unread=False),
        "synced: 1 listed, 2 revised, 3 with another status, 4 delisted, 5 unchanged, 6 rejected",
    ),
    (
        SyncFailed(stage=SyncStage.GUARD, reason="too few are left"),
        "sync failed at guard: too few are left",
    ),
    (
        _revision(None),
        (
            "revision 0123456789ab: 1 listed, 0 revised, 0 with another status, 2 delisted, "
            "0 unchanged, 0 rejected"
        ),
    ),
    (_revision("no JSON"), "revision 0123456789ab is left out: no JSON"),
    (HistoryCompleted(problem=None), "history recorded"),
    (HistoryCompleted(problem="it was rewritten"), "history recorded in part: it was rewritten"),
    (
        SourceDefined(name=MAIN, type="git", format="", location="/srv/a.git", settings_hash=""),
        "source main defined: git /srv/a.git",
    ),
    (SourceRetired(name=MAIN), "source main retired"),
    (
        RegistryDefined(name=RegistryName("default"), sources=(MAIN, OTHER), rank=0),
        "registry default defined: main, other",
    ),
    (RegistryRetired(name=RegistryName("default")), "registry default retired"),
    (
        PinSet(name=PinName("release-7"), position=4711, effective_at=None),
        "pin release-7 set at @4711",
    ),
    (PinRemoved(name=PinName("release-7")), "pin release-7 removed"),
    (
        DocumentRedacted(document_hash=HASH, reason="a key leaked", redacted_by="ann@host"),
        f"document {HASH} redacted by ann@host: a key leaked",
    ),
]


@pytest.mark.parametrize(("event", "sentence"), SENTENCES)
def test_an_event_is_a_sentence(event: Event, sentence: str) -> None:
    """A reader of the log learns in one line what happened, and to whom."""
    assert describe(event) == sentence


def test_every_event_has_a_sentence() -> None:
    """No type of event is left out."""
    assert {type(event) for event, _ in SENTENCES} == set(get_args(Event))
