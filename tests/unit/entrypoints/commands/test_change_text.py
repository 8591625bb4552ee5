"""Differences as lines for people."""

import io
import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from rich.console import Console
from rich.text import Text

from domain.change import ChangeClass, Difference, differences
from domain.entry import PUBLISHER_META, TOOLHIVE_META
from entrypoints.commands.change_text import classes_text, difference_text, write_differences
from tests.harness.strategies import json_objects

TEN_DIGITS = " ".join(f'+"{digit}"' for digit in "0123456789")


def _lines(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    return [difference_text(difference).plain for difference in differences(old, new)]


def _line(old: Any, new: Any, member: str = "description") -> str:
    (line,) = _lines({member: old}, {member: new})
    return line


def _styled(text: Text) -> set[tuple[str, str]]:
    return {(text.plain[span.start : span.end], str(span.style)) for span in text.spans}


def test_a_line_tells_the_operation_the_place_the_values_and_the_class() -> None:
    """A sign, a JSON pointer, what was and what is, and what that means."""
    old = {"packages": [{"identifier": "a", "fileSha256": "00"}], "status": "active"}
    new = {"packages": [{"identifier": "b", "fileSha256": "00"}], "title": None}
    assert _lines(old, new) == [
        '~ /packages/0/identifier  "a" -> "b"  [execution]',
        '- /status  "active"  [lifecycle]',
        "+ /title  null  [documentation]",
    ]


def test_what_moved_is_told_with_its_old_place() -> None:
    """ToolHive's extensions go by image; the long name they stand under is left out."""
    old = {"_meta": {PUBLISHER_META: {TOOLHIVE_META: {"a:1": {"tools": ["x"]}}}}}
    new = {"_meta": {PUBLISHER_META: {TOOLHIVE_META: {"a:2": {"tools": ["x"]}}}}}
    place = f"/_meta/…/{TOOLHIVE_META}"
    assert _lines(old, new) == [f"> {place}/a:2  was {place}/a:1  [execution]"]


def test_a_long_value_loses_its_middle() -> None:
    """Where a value begins and ends is seen, in a line that can be read."""
    end = "a" * 35
    assert _line("a" * 500, "b") == f'~ /description  "{end}…{end}" -> "b"  [documentation]'


def test_texts_that_are_much_alike_are_told_by_their_words() -> None:
    """In the notation of `git diff --word-diff`, which needs no colours."""
    line = _line("Provides the time in any zone.", "Provides the local time in any one zone.")
    expected = "Provides the {+local+} time in any {+one+} zone."
    assert line == f"~ /description  {expected}  [documentation]"
    line = _line("Get pages from the old web", "Get pages from the new web")
    assert line == "~ /description  Get pages from the [-old-]{+new+} web  [documentation]"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Get a page.", "Get any page."),
        ("Another text that has nothing of it", "and this one is not at all like"),
        ("word " * 400, "word " * 500),
    ],
)
def test_other_texts_are_told_whole(old: str, new: str) -> None:
    """Short texts, texts with nothing in common, and very long ones are told as values."""
    assert '" -> "' in _line(old, new)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (["a", "b"], ["b", "a"], "reordered"),
        (["a", "b"], ["c", "b", "a"], 'reordered +"c"'),
        (["a", "b", "d"], ["b", "a"], 'reordered -"d"'),
        (["a", "b"], ["b", "a", *"0123456789xyz"], f"reordered {TEN_DIGITS} +(3 more)"),
    ],
)
def test_of_a_reordered_array_the_items_are_told(old: list[Any], new: list[Any], told: str) -> None:
    """Not both arrays, but what one has and the other has not."""
    assert _line(old, new, "tags") == f"~ /tags  {told}  [documentation]"


HOSTILE = "\x1b[31mred \x9b2J \u202egnp.exe \r\n"


@pytest.mark.parametrize(
    "line",
    [
        _line("old", HOSTILE),
        _line(["a", "b", HOSTILE], ["b", "a"]),
        _line(f"kept words all of them but {HOSTILE}", "kept words all of them but"),
        _line(1, 2, member=HOSTILE),
        *_lines({}, {HOSTILE: {HOSTILE: HOSTILE}}),
    ],
)
def test_a_document_does_not_steer_the_terminal(line: str) -> None:
    """Control characters and those that turn the direction of text are written as escapes."""
    assert line.isprintable()
    assert "u202e" in line


@given(json_objects, json_objects)
def test_every_difference_is_one_printable_line(old: dict[str, Any], new: dict[str, Any]) -> None:
    """Whatever documents hold, there is a line for each difference."""
    lines = _lines(old, new)
    assert len(lines) == len(differences(old, new))
    assert all(line.isprintable() for line in lines)


@pytest.mark.parametrize(
    ("old", "new", "styled"),
    [
        ("a", "b", {('"a"', "red"), ('"b"', "green")}),
        (["a", "b"], ["b", "c", "a"], {(' +"c"', "green")}),
        ("one two three four five six", "one two three four five", {("[-six-]", "red")}),
    ],
)
def test_what_went_is_red_and_what_came_green(
    old: Any, new: Any, styled: set[tuple[str, str]]
) -> None:
    """The colours say what the signs say."""
    (difference,) = differences({"x": old}, {"x": new})
    assert styled <= _styled(difference_text(difference))


@pytest.mark.parametrize(
    ("classes", "style"),
    [
        ((ChangeClass.EXECUTION,), "red"),
        ((ChangeClass.INPUTS, ChangeClass.CAPABILITY, ChangeClass.IDENTITY), "yellow"),
        ((ChangeClass.LIFECYCLE,), "cyan"),
        ((ChangeClass.DOCUMENTATION, ChangeClass.POPULARITY), "dim"),
    ],
)
def test_classes_have_colours(classes: Sequence[ChangeClass], style: str) -> None:
    """What could do harm is seen first."""
    text = classes_text(classes)
    assert text.plain == " ".join(f"[{each}]" for each in classes)
    console = Console(file=io.StringIO(), force_terminal=True, color_system="standard")
    segments = [segment for segment in text.render(console) if segment.text.strip()]
    assert {str(segment.style) for segment in segments} == {style}


def test_without_a_terminal_nothing_but_text_is_written(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A line stays one line, without colours, so that `grep` finds all of it."""
    difference = Difference(
        path="/" + "a" * 300,
        operation="replace",
        change_class=ChangeClass.EXECUTION,
        old=json.dumps([1] * 100),
        new="[bold]",
    )
    write_differences([difference, difference], indent="  ")
    written = capsys.readouterr().out.splitlines()
    assert written == [f"  {difference_text(difference).plain}"] * 2
    assert "[bold]" in written[0]
