"""Which version of a server is the latest (spec section 2; precedence of semver.org 2.0.0)."""

import re
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import Any, Protocol, TypeVar

from domain.entry import Status

_NUMBER = r"(?:0|[1-9][0-9]*)"
_IDENTIFIER = rf"(?:{_NUMBER}|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
_SEMANTIC = re.compile(
    rf"v?({_NUMBER})\.({_NUMBER})\.({_NUMBER})"
    rf"(?:-({_IDENTIFIER}(?:\.{_IDENTIFIER})*))?"
    r"(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?"
)

_Identifier = tuple[bool, int, str]
Precedence = tuple[_Identifier, _Identifier, _Identifier, bool, tuple[_Identifier, ...]]
"""Compares as semantic versions do: numbers, release above pre-release, its identifiers."""


@lru_cache(maxsize=4096)  # servers share the versions that they have, and keep those they had
def precedence(version: str) -> Precedence | None:
    """The precedence of a semantic version, None for any other.

    Semantic is: an optional `v`, three numbers, and optionally a pre-release and build
    metadata; the latter does not count. No number but the latter's has a leading zero.
    """
    match = _SEMANTIC.fullmatch(version)
    if match is None:
        return None
    major, minor, patch, pre_release = match.groups()
    identifiers = tuple(_identifier(part) for part in pre_release.split(".")) if pre_release else ()
    return (
        _identifier(major),
        _identifier(minor),
        _identifier(patch),
        pre_release is None,
        identifiers,
    )


def _identifier(text: str) -> _Identifier:
    """Numbers below words; numbers by value, of which the longer text has more; words bytewise.

    The text itself, because Python refuses to read numbers of thousands of digits.
    """
    return (False, len(text), text) if text.isdigit() else (True, 0, text)


class Candidate(Protocol):
    """What deciding on the latest version needs to know of one."""

    @property
    def version(self) -> str: ...
    @property
    def status(self) -> Status: ...
    @property
    def published_at(self) -> datetime: ...


C = TypeVar("C", bound=Candidate)


def latest(versions: Iterable[C]) -> C | None:
    """The latest of one server's versions, None of none.

    The highest that is not deleted; where all are, the highest of them. Of two that compare
    equal the earlier one keeps its place.
    """
    ordered = sorted(versions, key=lambda candidate: (candidate.published_at, candidate.version))
    alive = [candidate for candidate in ordered if candidate.status is not Status.DELETED]
    return max(alive or ordered, key=_rank, default=None)


def _rank(candidate: Candidate) -> tuple[bool, Any]:
    """Semantic versions above others; those by precedence, these by publication."""
    semantic = precedence(candidate.version)
    return (False, candidate.published_at) if semantic is None else (True, semantic)
