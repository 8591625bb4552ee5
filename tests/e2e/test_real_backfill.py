"""ToolHive's real history, recorded by the first sync of a fresh install."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path
from typing import Any

import attrs
import pytest

from adapters.sources.formats.toolhive_conversion import SECTIONS
from application.moments import resolve_from_log
from application.replay import render_file, replay
from domain.asof import Asked
from domain.errors import NothingInEffectError
from domain.events import HistoryCompleted, RevisionRecorded
from entrypoints.config import load
from entrypoints.container import Container, formats, opened
from tests.harness.clock import MICROSECOND
from tests.harness.command_line import registry
from tests.harness.new_commits import collect
from tests.harness.real_history import REGISTRY_PATH, RealHistory

BUNDLE = Path("data", "toolhive-registry-history.bundle")
SAMPLED, MANY = 5, 60
CONFIGURATION = """
sources:
  - name: history
    format: toolhive
    git: {{repository: {repository}, branch: main, path: {path}, history: full}}
"""


@attrs.frozen
class Installed:
    """A log that was filled by one `registry sync`, and what it was filled from."""

    history: RealHistory
    directory: Path
    times: Mapping[str, datetime]

    @property
    def config_file(self) -> Path:
        return self.directory / "annals.yaml"

    @property
    def data_dir(self) -> Path:
        return self.directory / "data"

    def revision_at(self, time: datetime) -> str | None:
        """Git's own answer: what was current then."""
        return next((each for each, at in reversed(self.times.items()) if at <= time), None)


@pytest.fixture(scope="module")
def installed(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    directory = tmp_path_factory.mktemp("backfill")
    history = RealHistory(shared / BUNDLE, directory)
    text = CONFIGURATION.format(repository=history.repository, path=REGISTRY_PATH)
    (directory / "annals.yaml").write_text(text)
    synced = registry("sync", "--json", "--config", "annals.yaml", cwd=directory)
    assert synced.code == 0, synced.errors
    seconds = accumulate(history.commit_seconds(), max)
    times = (datetime.fromtimestamp(second, UTC) for second in seconds)
    return Installed(history, directory, dict(zip(history.revisions, times, strict=True)))


def sections_of(registry: dict[str, Any]) -> dict[str, Any]:
    """The entries of a ToolHive file; null and absent are empty sections, as in Go."""
    return {section: registry.get(section) or {} for section in SECTIONS}


async def test_every_revision_is_recorded_as_of_its_commit(installed: Installed) -> None:
    """The log has one commit per revision, with the Git commit's id and time, and no more."""
    async with opened(load(installed.config_file), installed.data_dir) as container:
        logged = await collect(container.log().read())
    revisions = [each for each in logged if isinstance(each.event, RevisionRecorded)]
    assert {each.event.revision: each.effective_at for each in revisions} == installed.times
    assert [each.event.revision for each in revisions] == installed.history.revisions
    assert len({each.commit_id for each in revisions}) == len(revisions)
    assert not [each.event for each in revisions if each.event.problem or each.event.rejected]
    assert HistoryCompleted(problem=None) in [each.event for each in logged]


async def in_effect(container: Container, time: datetime) -> dict[str, Any]:
    """The registry by effective time, in ToolHive's format."""
    moment = await resolve_from_log(Asked(effective_at=time), container.log(), container.clock())
    found = (await replay(container.log(), moment)).registry()
    file = await render_file(found, container.documents(), formats()["toolhive"])
    return sections_of(json.loads(b"".join(file)))


def spread(revisions: Sequence[str], count: int) -> Sequence[str]:
    """That many of *revisions* at even distances, the first and the last among them."""
    last = len(revisions) - 1
    return [revisions[round(last * number / (count - 1))] for number in range(count)]


@pytest.mark.parametrize(
    "count",
    [
        pytest.param(SAMPLED, id="sample"),
        pytest.param(MANY, id="many", marks=pytest.mark.slow),
    ],
)
async def test_the_registry_is_what_git_says_it_was(installed: Installed, count: int) -> None:
    """At the commit, a microsecond before and a microsecond after, by effective time."""
    async with opened(load(installed.config_file), installed.data_dir) as container:
        for revision in spread(installed.history.revisions, count):
            for moment in (-MICROSECOND, 0 * MICROSECOND, MICROSECOND):
                time = installed.times[revision] + moment
                expected = installed.revision_at(time)
                if expected is None:
                    with pytest.raises(NothingInEffectError):
                        await in_effect(container, time)
                else:
                    wanted = sections_of(installed.history.registry(expected))
                    assert await in_effect(container, time) == wanted


def test_the_command_line_answers_for_a_date(installed: Installed) -> None:
    """`registry replay --effective-at` gives what the repository had at that midnight."""
    given = registry(
        "replay",
        "--effective-at",
        "2025-09-01",
        "--format",
        "toolhive",
        cwd=installed.directory,
    )
    assert given.code == 0, given.errors
    revision = installed.revision_at(datetime(2025, 9, 1, tzinfo=UTC))
    assert revision
    assert sections_of(given.json) == sections_of(installed.history.registry(revision))
