"""Filters: name globs against an independent matcher, tags, and which of them wins."""

import contextlib
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidFilterError
from domain.filters import Filter, NamePattern

POSTGRES = "io.github.stacklok/postgres-mcp"

Token = tuple[str, str]
"""A piece of a glob as it is written, and the characters it takes, `""` for any."""

LETTERS = "ab-/]"
tokens = st.sampled_from(
    [
        ("a", "a"),
        ("b", "b"),
        ("-", "-"),
        ("/", "/"),
        ("?", ""),
        ("*", ""),
        ("[ab]", "ab"),
        ("[a-b]", "ab"),
        ("[!a-b]", "-/]"),
        ("[a-]", "a-"),
        ("[-a]", "a-"),
        ("[]]", "]"),
        ("[!]]", "ab-/"),
    ]
)
names = st.text(LETTERS, max_size=8)


def _takes(glob: Sequence[Token], name: str) -> bool:
    """The rules of globs, spelt out character by character."""
    if not glob:
        return not name
    (written, taken), rest = glob[0], glob[1:]
    if written == "*":
        return any(_takes(rest, name[start:]) for start in range(len(name) + 1))
    return bool(name) and (not taken or name[0] in taken) and _takes(rest, name[1:])


def _patterns(*texts: str) -> tuple[NamePattern, ...]:
    return tuple(NamePattern(text) for text in texts)


@given(st.lists(tokens, min_size=1, max_size=6), names)
def test_globs_match_as_spelt_out(glob: Sequence[Token], name: str) -> None:
    """Any glob takes the names that a character-by-character matcher takes.

    Without a slash in the pattern it may also be what stands behind the slash of the name.
    """
    text = "".join(written for written, _ in glob)
    _, slash, short = name.partition("/")
    expected = _takes(glob, name) or bool(slash and "/" not in text and _takes(glob, short))
    assert NamePattern(text).matches(name) == expected


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("*", POSTGRES, True),
        ("*", "", True),
        ("postgres-*", POSTGRES, True),
        ("postgres-mcp", POSTGRES, True),
        ("postgres", POSTGRES, False),
        ("stacklok*", POSTGRES, False),
        ("io.github.stacklok/*", POSTGRES, True),
        ("io.github.*", POSTGRES, True),
        ("io.*-mcp", POSTGRES, True),
        ("io.github.?tacklok/postgres-mcp", POSTGRES, True),
        ("*/postgres-*", POSTGRES, True),
        ("*/postgres-*", "postgres-mcp", False),
        ("/postgres-mcp", POSTGRES, False),
        ("POSTGRES-*", POSTGRES, False),
        ("postgres-mc?", POSTGRES, True),
        ("postgres-mcp?", POSTGRES, False),
        ("b/c", "a/b/c", False),
        ("b?c", "a/b/c", True),
        ("server-[0-9]", "server-7", True),
        ("server-[0-9]", "server-x", False),
        ("server-[!0-9]", "server-x", True),
        ("server-[!0-9]", "server-7", False),
        ("server-[abc]", "server-b", True),
        ("[a-cx-z]", "y", True),
        ("[a-a]", "a", True),
        ("[^a]", "^", True),
        ("[^a]", "b", False),
        ("[[]", "[", True),
        ("[]-a]", "_", True),
        ("[\\]", "\\", True),
        ("[*?]", "*", True),
        ("[*?]", "x", False),
        ("[&&~~||]", "|", True),
        ("[a!]", "!", True),
        ("]", "]", True),
        ("a.c", "abc", False),
        ("a+", "aa", False),
        ("^a$", "a", False),
        ("(a|b)", "a", False),
        ("a\\d", "a1", False),
        ("{a,b}", "a", False),
        ("a?c", "a\nc", True),
        ("*", "a\nb", True),
        ("é😀?", "é😀😀", True),
    ],
)
def test_patterns(pattern: str, name: str, matches: bool) -> None:
    """Whole names, short names, sets, and characters that mean nothing in a glob."""
    assert NamePattern(pattern).matches(name) is matches


@pytest.mark.parametrize(
    ("pattern", "complaint"),
    [
        ("", "an empty name pattern matches nothing"),
        ("a[", "the '\\[' at 2 is not closed"),
        ("[]", "the '\\[' at 1 is not closed"),
        ("[!]", "the '\\[' at 1 is not closed"),
        ("[a][b", "the '\\[' at 4 is not closed"),
        ("[z-a]", "the range z-a runs backwards"),
        ("[a-c-]x[9-0]", "the range 9-0 runs backwards"),
    ],
)
def test_a_pattern_that_cannot_be_parsed_is_an_error(pattern: str, complaint: str) -> None:
    """What is wrong with a pattern is said, with its place."""
    with pytest.raises(InvalidFilterError, match=complaint):
        NamePattern(pattern)


@given(st.text("[]!-^\\*?a&~|#/ \n", max_size=12) | st.text(max_size=12), names)
def test_any_text_is_a_pattern_or_an_invalid_filter(text: str, name: str) -> None:
    """No text reaches the regular expressions as a syntax of theirs."""
    with contextlib.suppress(InvalidFilterError):
        assert NamePattern(text).matches(name) in (True, False)


@pytest.mark.parametrize("piece", ["*a", "*?", "*[ab]", "**a"])
def test_many_stars_do_not_multiply(piece: str) -> None:
    """A pattern of many stars is answered at once, also for a long name that does not fit."""
    assert not NamePattern(piece * 60 + "*!").matches("a" * 2000)
    assert NamePattern(piece * 60 + "*").matches("a" * 2000)


@pytest.mark.parametrize(
    ("settings", "kept"),
    [
        ({}, True),
        ({"include_names": _patterns("postgres-*")}, True),
        ({"include_names": _patterns("mysql-*", "postgres-*")}, True),
        ({"include_names": _patterns("mysql-*")}, False),
        ({"exclude_names": _patterns("postgres-*")}, False),
        ({"exclude_names": _patterns("mysql-*")}, True),
        ({"include_names": _patterns("*"), "exclude_names": _patterns("*-mcp")}, False),
        ({"include_tags": ("db",)}, True),
        ({"include_tags": ("web", "db")}, True),
        ({"include_tags": ("web",)}, False),
        ({"include_tags": ("d*",)}, False),
        ({"include_tags": ("DB",)}, False),
        ({"exclude_tags": ("sql",)}, False),
        ({"exclude_tags": ("web",)}, True),
        ({"include_tags": ("db",), "exclude_tags": ("sql",)}, False),
        ({"include_names": _patterns("*"), "include_tags": ("web",)}, False),
        ({"include_names": _patterns("x"), "include_tags": ("db",)}, False),
        ({"exclude_names": _patterns("x"), "include_tags": ("db",)}, True),
    ],
)
def test_name_and_tags_must_pass_and_exclude_wins(settings: Any, kept: bool) -> None:
    """An entry with the tags `db` and `sql`, held against small filters."""
    assert Filter(**settings).keeps(POSTGRES, ["db", "sql"]) is kept


def test_without_tags_only_an_include_refuses() -> None:
    """An entry that has no tags has none that could be excluded, and none that are asked for."""
    assert Filter(exclude_tags=("db",)).keeps(POSTGRES, [])
    assert not Filter(include_tags=("db",)).keeps(POSTGRES, [])


_tags = st.frozensets(st.sampled_from(["db", "sql", "web"]))
_globs = st.frozensets(st.sampled_from(["*", "a*", "b", "x/?"]), max_size=2)


@given(_globs, _globs, _tags, _tags, names, _tags)
def test_each_rule_can_only_refuse(
    include: frozenset[str],
    exclude: frozenset[str],
    include_tags: frozenset[str],
    exclude_tags: frozenset[str],
    name: str,
    tags: frozenset[str],
) -> None:
    """A filter keeps what each of its four rules keeps alone."""
    rules: list[dict[str, Any]] = [
        {"include_names": _patterns(*sorted(include))},
        {"exclude_names": _patterns(*sorted(exclude))},
        {"include_tags": tuple(sorted(include_tags))},
        {"exclude_tags": tuple(sorted(exclude_tags))},
    ]
    whole = Filter(**{member: value for rule in rules for member, value in rule.items()})
    assert whole.keeps(name, tags) == all(Filter(**rule).keeps(name, tags) for rule in rules)


def test_the_hash_tells_filters_apart() -> None:
    """Equal filters have one hash; a pattern or tag in another place has another."""
    filters = [
        Filter(),
        Filter(include_names=_patterns("a")),
        Filter(exclude_names=_patterns("a")),
        Filter(include_tags=("a",)),
        Filter(exclude_tags=("a",)),
        Filter(include_names=_patterns("a", "b")),
        Filter(include_names=_patterns("a,b")),
    ]
    assert len({one.hash for one in filters}) == len(filters)
    assert Filter(include_names=_patterns("a")).hash == filters[1].hash
    assert len(Filter().hash) == 64


def test_patterns_compare_by_their_text() -> None:
    """Two patterns of one text are one pattern."""
    assert NamePattern("a*") == NamePattern("a*") != NamePattern("a?")
    assert repr(NamePattern("a*")) == "NamePattern(text='a*')"
