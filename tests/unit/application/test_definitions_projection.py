"""The configured sources and registries as rows of a view."""

from datetime import datetime, timedelta

from application.event_log import CONFIG_STREAM, LoggedEvent
from application.projections import DEFINITIONS
from domain.definitions import Definitions
from domain.events import ConfigEvent, RegistryRetired, SourceRetired
from domain.identifiers import CommitId, RegistryName, SourceName
from tests.harness.clock import START
from tests.harness.sync_world import desired

WANTED = desired({"default": ["a", "b"], "second": ["b"]})


def logged(*events: ConfigEvent, at: datetime = START) -> list[LoggedEvent]:
    """A commit as it comes out of the log."""
    return [
        LoggedEvent(
            position=number,
            commit_id=CommitId("c"),
            recorded_at=at,
            effective_at=at,
            stream=CONFIG_STREAM,
            event=event,
        )
        for number, event in enumerate(events, 1)
    ]


def test_no_row_is_no_definition() -> None:
    """A new view has neither sources nor registries."""
    assert DEFINITIONS.restore([]) == Definitions()


def test_the_row_restores_the_state() -> None:
    """Sources, registries, their order and times come back from the view."""
    step = DEFINITIONS.step(Definitions(), logged(*WANTED.sources, *WANTED.registries))
    assert step.state.sources == {source.name: source for source in WANTED.sources}
    assert [r.sources for r in step.state.registries.values()] == [("a", "b"), ("b",)]
    assert {r.defined_at for r in step.state.registries.values()} == {START}
    assert DEFINITIONS.restore(step.changes[-1].puts.items()) == step.state


def test_what_is_retired_is_gone() -> None:
    """The row is put anew, and the state before stays as it was."""
    state = DEFINITIONS.step(Definitions(), logged(*WANTED.sources, *WANTED.registries)).state
    retired = (RegistryRetired(name=RegistryName("second")), SourceRetired(name=SourceName("a")))
    step = DEFINITIONS.step(state, logged(*retired, at=START + timedelta(hours=1)))
    restored = DEFINITIONS.restore(step.changes[-1].puts.items())
    assert (set(restored.sources), set(restored.registries)) == ({"b"}, {"default"})
    assert (set(state.sources), set(state.registries)) == ({"a", "b"}, {"default", "second"})
