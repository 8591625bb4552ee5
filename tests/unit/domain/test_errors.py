"""The tree of errors: complete, drawn as it is, and with messages that say what to do."""

import inspect
import re
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from domain import errors
from domain.asof import parse_as_of
from domain.errors import AnnalsError, ConfigError, ConfigProblem, NothingRecordedError

CLASSES = [
    found
    for _, found in inspect.getmembers(errors, inspect.isclass)
    if issubclass(found, BaseException)
]


def _drawn_tree() -> Iterator[tuple[int, str]]:
    """Depth and name of every class in the docstring's drawing."""
    for line in (errors.__doc__ or "").splitlines():
        if found := re.match(r"([│├└─ ]*)(\w+Error)\b", line):
            yield len(found[1]) // 4, found[2]


def _real_tree(root: type[BaseException], depth: int = 0) -> Iterator[tuple[int, str]]:
    yield depth, root.__name__
    for child in root.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from _real_tree(child, depth + 1)


def test_the_docstring_draws_the_tree_as_it_is() -> None:
    """Every error is drawn in its place, in the order of the module, and nothing else is."""
    assert list(_drawn_tree()) == list(_real_tree(AnnalsError))


def test_all_errors_are_of_one_tree() -> None:
    """One `except` catches whatever is raised on purpose."""
    assert {found.__name__ for found in CLASSES} == {name for _, name in _drawn_tree()}
    assert all(issubclass(found, AnnalsError) for found in CLASSES)


@pytest.mark.parametrize("error", CLASSES)
def test_each_error_says_what_it_is(error: type[AnnalsError]) -> None:
    """Names end in `Error`, and each class has a sentence of its own."""
    assert error.__name__.endswith("Error")
    assert inspect.getdoc(error) != inspect.getdoc(error.__base__)
    assert (error.__doc__ or "").rstrip().endswith(".")


def test_an_empty_log_says_what_to_do() -> None:
    """Before the first commit there is nothing, and a sync would change that."""
    error = NothingRecordedError("@1", None)
    assert str(error) == "Nothing was recorded by @1: the log is empty: run a sync first"
    assert error.first_recorded_at is None


def test_a_moment_before_the_log_names_its_first() -> None:
    """The first time is named in a form that can be asked for."""
    first = datetime(2026, 1, 1, 9, 30, tzinfo=UTC)
    error = NothingRecordedError("2025-01-01T00:00:00Z", first)
    assert error.first_recorded_at == first
    assert str(parse_as_of(str(error).split()[-1])) == "2026-01-01T09:30:00Z"


@pytest.mark.parametrize(
    ("line", "column", "key", "text"),
    [
        (3, 7, "sources.a", "annals.yaml:3:7: sources.a: expected text"),
        (3, None, "sources.a", "annals.yaml:3: sources.a: expected text"),
        (None, None, "", "annals.yaml: (top level): expected text"),
    ],
)
def test_a_problem_names_its_place(
    line: int | None, column: int | None, key: str, text: str
) -> None:
    """File, line and column come in the form that editors follow, then the key."""
    problem = ConfigProblem(
        file="annals.yaml", line=line, column=column, key=key, message="expected text"
    )
    assert str(problem) == text


def test_all_problems_are_told_at_once() -> None:
    """A configuration error has one line for each problem, in order."""
    problems = [
        ConfigProblem(file="a.yaml", line=n, column=1, key="k", message="m") for n in (2, 1)
    ]
    error = ConfigError(problems)
    assert error.problems == tuple(problems)
    assert str(error).splitlines() == ["a.yaml:2:1: k: m", "a.yaml:1:1: k: m"]
