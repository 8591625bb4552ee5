"""Which commit a configuration means, of the refs that a repository advertises."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from itertools import islice

import attrs

from adapters.sources.git import GitSettings
from domain.errors import SourceContentError

_MAX_COMPARED = 1000


@attrs.frozen(kw_only=True)
class Advertised:
    """Refs by full name, with `^{}` entries for what annotated tags point to.

    `default` is the full name of the branch that HEAD stands for, where the server tells it.
    """

    refs: Mapping[str, str]
    default: str | None


@attrs.frozen(kw_only=True)
class Target:
    """A ref to fetch, the commit id it has now, and its name for people."""

    ref: str
    commit: str
    label: str


def choose_target(settings: GitSettings, advertised: Advertised) -> Target:
    """The ref that *settings* name, or the default branch.

    Raises:
        SourceContentError: the repository has no such ref.
    """
    if not advertised.refs:
        raise SourceContentError(
            f"{settings.repository} is empty: push a commit that has {settings.path!r}"
        )
    if settings.branch is not None:
        return _named(settings, advertised, "branch", "refs/heads/", settings.branch)
    if settings.tag is not None:
        return _named(settings, advertised, "tag", "refs/tags/", settings.tag)
    return _default(settings, advertised)


def _named(
    settings: GitSettings, advertised: Advertised, kind: str, prefix: str, name: str
) -> Target:
    existing = _names(advertised, prefix)
    if name not in existing:
        raise SourceContentError(
            f"{settings.repository} has no {kind} {name!r}. {nearest(name, existing)}"
        )
    ref = prefix + name
    commit = advertised.refs.get(f"{ref}^{{}}", advertised.refs[ref])
    return Target(ref=ref, commit=commit, label=f"{kind} {name}")


def _default(settings: GitSettings, advertised: Advertised) -> Target:
    if "HEAD" not in advertised.refs:
        branches = _names(advertised, "refs/heads/")
        raise SourceContentError(
            f"{settings.repository} has no default branch: set branch. {nearest('main', branches)}"
        )
    name = (advertised.default or "HEAD").removeprefix("refs/heads/")
    shown = name if name.isprintable() else repr(name)
    return Target(ref="HEAD", commit=advertised.refs["HEAD"], label=f"branch {shown}")


def _names(advertised: Advertised, prefix: str) -> list[str]:
    return [
        ref.removeprefix(prefix)
        for ref in advertised.refs
        if ref.startswith(prefix) and not ref.endswith("^{}")
    ]


def nearest(name: str, existing: Iterable[str]) -> str:
    """A sentence with the existing names that are most like *name*, or else with the first."""
    compared = list(islice(existing, _MAX_COMPARED))
    found = get_close_matches(name, compared)
    if found:
        return f"Nearest: {', '.join(map(repr, found))}"
    if compared:
        return f"It has, among others: {', '.join(map(repr, compared[:3]))}"
    return "It has none"
