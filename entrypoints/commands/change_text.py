"""Differences for people: one line each, in colours on a terminal and plain elsewhere."""

import json
from collections.abc import Iterable, Iterator
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from rich.text import Text

    from domain.change import ChangeClass, Difference

_Parts: TypeAlias = Iterator[tuple[str, str]]
"""Pieces of a line, each with its style."""


def write_differences(differences: "Iterable[Difference]", indent: str = "") -> None:
    """A line for each difference on standard output."""
    write_lines(map(difference_text, differences), indent)


def write_lines(lines: "Iterable[Text]", indent: str = "") -> None:
    """Lines on standard output, however long they are; in colours on a terminal alone."""
    from rich.console import Console

    console = Console()
    for line in lines:
        console.print(indent, line, sep="", soft_wrap=True)


def difference_text(difference: "Difference") -> "Text":
    """What differs and where, as `~ /title  "a" -> "b"  [documentation]`."""
    from rich.text import Text

    sign, style = _SIGNS[difference.operation]
    line = Text.assemble((f"{sign} ", style), f"{_place(difference.path)}  ")
    for part in _told(difference):
        line.append(*part)
    return line.append("  ").append_text(classes_text((difference.change_class,)))


def classes_text(classes: "Iterable[ChangeClass]") -> "Text":
    """The classes in their colours, as `[execution] [inputs]`."""
    from rich.text import Text

    labels = [Text(f"[{each}]", _CLASS_STYLES.get(each, "dim")) for each in classes]
    return Text(" ").join(labels)


def _told(difference: "Difference") -> _Parts:
    old, new = difference.old, difference.new
    match difference.operation:
        case "add":
            yield _shown(new), _GREEN
        case "remove":
            yield _shown(old), _RED
        case "move":
            yield f"was {_place(difference.origin or '')}", ""
        case "replace" if isinstance(old, list) and isinstance(new, list):
            yield from _items(old, new)
        case "replace" if isinstance(old, str) and isinstance(new, str):
            yield from _texts(old, new)
        case "replace":
            yield from _both(_shown(old), _shown(new))


def _both(old: str, new: str) -> _Parts:
    yield old, _RED
    yield " -> ", ""
    yield new, _GREEN


def _items(old: list[Any], new: list[Any]) -> _Parts:
    """What an array lost and got; its order alone may be another one too."""
    before, after = dict.fromkeys(map(_json, old)), dict.fromkeys(map(_json, new))
    gone = [item for item in before if item not in after]
    come = [item for item in after if item not in before]
    yield "reordered", ""
    for sign, items, style in (("-", gone, _RED), ("+", come, _GREEN)):
        for item in items[:_MOST_ITEMS]:
            yield f" {sign}{_shortened(item)}", style
        if items[_MOST_ITEMS:]:
            yield f" {sign}({len(items) - _MOST_ITEMS} more)", style


def _texts(old: str, new: str) -> _Parts:
    """Two texts that have much in common are told by their words."""
    before, after = _visible(old).split(" "), _visible(new).split(" ")
    if not _FEWEST_WORDS <= max(len(before), len(after)) <= _MOST_WORDS:
        return _both(_shown(old), _shown(new))
    words = SequenceMatcher(None, before, after, autojunk=False)
    if words.ratio() < _ALIKE:
        return _both(_shown(old), _shown(new))
    return _words(words, before, after)


def _words(words: SequenceMatcher[str], before: list[str], after: list[str]) -> _Parts:
    """In the notation of `git diff --word-diff`: `kept [-gone-]{+come+} kept`."""
    for position, (operation, start, end, new_start, new_end) in enumerate(words.get_opcodes()):
        yield " " if position else "", ""
        if operation == "equal":
            yield _shortened(" ".join(before[start:end])), "dim"
            continue
        if start < end:
            yield f"[-{_shortened(' '.join(before[start:end]))}-]", _RED
        if new_start < new_end:
            yield f"{{+{_shortened(' '.join(after[new_start:new_end]))}+}}", _GREEN


def _shown(value: Any) -> str:
    return _shortened(_json(value))


def _json(value: Any) -> str:
    return _visible(json.dumps(value, ensure_ascii=False))


def _shortened(text: str) -> str:
    """A long text without its middle."""
    half = _LONGEST // 2
    return text if len(text) <= _LONGEST else f"{text[:half]}…{text[-half:]}"


def _visible(text: str) -> str:
    """Without what would steer a terminal: documents are written by others."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else f"\\u{ord(each):04x}" for each in text)


def _place(pointer: str) -> str:
    """A JSON pointer; the long name that publishers' own members stand under is left out."""
    from domain.entry import PUBLISHER_META

    escaped = PUBLISHER_META.replace("/", "~1")
    return _visible(pointer.replace(f"/_meta/{escaped}/", "/_meta/…/", 1))


_LONGEST = 72
_MOST_ITEMS = 10
_FEWEST_WORDS, _MOST_WORDS = 6, 300
_ALIKE = 0.5
_RED, _GREEN = "red", "green"
_SIGNS = {
    "add": ("+", _GREEN),
    "remove": ("-", _RED),
    "replace": ("~", "yellow"),
    "move": (">", "yellow"),
}
_CLASS_STYLES = {
    "execution": "red",
    "inputs": "yellow",
    "capability": "yellow",
    "identity": "yellow",
    "lifecycle": "cyan",
}
