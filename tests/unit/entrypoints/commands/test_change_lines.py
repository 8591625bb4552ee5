"""Changes of servers for people."""

from collections.abc import Sequence
from typing import Any

import attrs
import pytest

from application.change_details import ALL_CLASSES, SHOWN, ServerChange
from application.change_feed import BEGINNING
from entrypoints.commands.change_lines import tell_of_popularity, write_changes
from tests.harness.registry_world import registry_world, server

ONE = "com.example/one"


async def changes_of(*offers: Sequence[Any]) -> Sequence[ServerChange]:
    async with registry_world() as world:
        for offered in offers:
            await world.sync("main", offered)
        return (await world.services.feed.page(None, BEGINNING, 100)).changes


async def test_a_version_that_replaces_another_tells_of_both(capsys: pytest.CaptureFixture[str]):
    """What differs is said once."""
    *_, change = await changes_of([server(ONE, "1")], [server(ONE, "2", title="Two")])
    write_changes([change], SHOWN, as_timeline=False)
    assert capsys.readouterr().out.splitlines() == [
        "com.example/one  changed",
        "  - 1 replaced by 2  [documentation]  from main",
        "  + 2 after 1  [documentation]  from main",
        '      + /title  "Two"  [documentation]',
    ]


async def test_the_flag_of_the_latest_is_told(capsys: pytest.CaptureFixture[str]):
    """A version that loses or gains it is there, although nothing of it differs."""
    one, two = server(ONE, "1.0.0"), server(ONE, "2.0.0")
    _, came, left = await changes_of([one], [one, two], [one])
    write_changes([came, left], SHOWN, as_timeline=False)
    assert capsys.readouterr().out.splitlines() == [
        "com.example/one  changed",
        "  ~ 1.0.0, no longer the latest  from main",
        "  + 2.0.0 after 1.0.0  [lifecycle]  from main",
        "com.example/one  changed",
        "  ~ 1.0.0, the latest now  from main",
        "  - 2.0.0  [documentation] [identity] [lifecycle]  from main",
    ]


async def test_a_timeline_tells_when(capsys: pytest.CaptureFixture[str]):
    """And when it took effect, where that is another time."""
    (change,) = await changes_of([server(ONE)])
    assert change.commit
    earlier = change.commit.recorded_at.replace(year=2020)
    backdated = attrs.evolve(change, commit=attrs.evolve(change.commit, effective_at=earlier))
    write_changes([change, backdated], SHOWN, as_timeline=True)
    one, _, other, _ = capsys.readouterr().out.splitlines()
    assert one == "@4  2026-11-22T09:33:00Z  added"
    assert other == "@4  2026-11-22T09:33:00Z  effective 2020-11-22T09:33:00Z  added"


async def test_another_source_and_a_redaction_are_told(capsys: pytest.CaptureFixture[str]):
    """Where it is from now, and where it was from."""
    async with registry_world({"default": ("first", "second")}) as world:
        await world.sync("second", [server(ONE)])
        await world.sync("first", [server(ONE, title="Mine")])
        _, change = (await world.services.feed.page(None, BEGINNING, 10)).changes
    (version,) = change.versions
    redacted = attrs.evolve(version, redacted=True, differences=())
    write_changes([attrs.evolve(change, versions=(redacted,))], ALL_CLASSES, as_timeline=False)
    assert capsys.readouterr().out.splitlines()[1] == (
        "  ~ 1.0.0  redacted: nobody can tell any longer what differs  from first, was from second"
    )


@pytest.mark.parametrize(("asked", "told"), [(None, "--class all"), ("all", ""), ("inputs", "")])
def test_what_is_hidden_is_said(asked: str | None, told: str, capsys: pytest.CaptureFixture[str]):
    """Unless somebody has said what to show."""
    tell_of_popularity(asked)
    assert told in capsys.readouterr().err
