"""What is asked of a server under load, and what is to be reached."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from domain.timestamps import from_rfc_3339
from tests.benchmarks import paths
from tests.benchmarks.data_sets import REAL
from tests.benchmarks.long_history import BEGUN, VERSIONS
from tests.benchmarks.programs import SERVERS, Command, Program, hypercorn, two_workers
from tests.benchmarks.raw_app import raw_path
from tests.benchmarks.rounds import Target
from tests.benchmarks.stage import Stage
from tests.benchmarks.wrk import Load

_SMALLEST, _MIDDLE = 100, 10_000
_NEVER_ASKED = "never asked before"
_A_FEW = 8  # pages that are asked for again and again
_BATCHES = 2  # of connections: one for each worker


def noise(stage: Stage) -> Iterator[Target]:
    """The raw application against itself."""
    first, second = (stage.load(stage.raw(), [raw_path(200, 60_000, 8)]) for _ in range(2))
    yield Target(part="noise", what="raw server against itself", load=first, base=second)


def lists(stage: Stage) -> Iterator[Target]:
    """Pages of the list."""
    pages, latest = paths.pages(VERSIONS), paths.pages(VERSIONS, paths.LATEST)
    yield _target(stage, "list", f"list page of 30, {_NEVER_ASKED}", 0.6, pages)
    yield _target(stage, "list", "list page of 30, asked before", 0.6, [paths.LIST])
    yield _target(stage, "list", f"latest, page of 50, {_NEVER_ASKED}", 0.6, latest)
    yield _target(stage, "list", "latest, page of 50, asked before", 0.6, [paths.LATEST])


def single(stage: Stage) -> Iterator[Target]:
    """One version, always another one."""
    versions = paths.single_versions(VERSIONS)
    yield _target(stage, "one", "one server version", 0.7, versions)


def unchanged(stage: Stage) -> Iterator[Target]:
    """Answers that say that nothing has changed."""
    for what, path in (("list", paths.LIST), ("one version", paths.single_versions(VERSIONS)[0])):
        _, headers, _ = stage.annals().get(path)
        tag = {"If-None-Match": headers["etag"]}
        yield _target(stage, "unchanged", f"304 on {what}", 0.85, [path], tag)


def search(stage: Stage) -> Iterator[Target]:
    """Searches, each for something else or in another place."""
    for what, asked in searches().items():
        yield _target(stage, "search", f"search, {what}", 0.4, asked)


def searches() -> Mapping[str, Sequence[str]]:
    """What is searched for, by what it shows."""
    return {
        "hits": paths.hits(VERSIONS),
        "misses": paths.misses(),
        "two letters": paths.two_letters(VERSIONS),
        "non-ASCII": paths.non_ascii(VERSIONS),
    }


def since(stage: Stage) -> Iterator[Target]:
    """What was updated since a time, always another one."""
    before, last = _last_commits(stage.annals())
    moment_ago = paths.updated_since(before, last)
    year_ago = paths.updated_since(BEGUN, BEGUN + timedelta(days=1))
    yield _target(stage, "since", "updated_since a moment ago", 0.55, moment_ago)
    yield _target(stage, "since", "updated_since a year ago", 0.55, year_ago)


def past(stage: Stage) -> Iterator[Target]:
    """Pages of the middle of history."""
    pages = paths.as_of(position(stage.annals()) // 2, VERSIONS)
    yield _target(stage, "past", "page of a past moment, asked before", 0.55, pages[:_A_FEW])
    yield _target(stage, "past", "another page of a moment asked before", None, pages)


def compressed(stage: Stage) -> Iterator[Target]:
    """Compressed answers."""
    pages = paths.pages(VERSIONS)[-_A_FEW:]
    for coding in ("gzip", "zstd", "br"):
        accepted = {"Accept-Encoding": coding}
        _, headers, _ = stage.annals().get(pages[0], **accepted)
        if headers.get("content-encoding") == coding:
            yield _target(stage, "compressed", f"{coding}, asked before", 0.7, pages, accepted)


def flat(stage: Stage) -> Iterator[Target]:
    """The same, never asked before, of registries of different sizes."""
    asked = {"list page of 30": paths.pages, "one version": paths.single_versions}
    for what, make in asked.items():
        for versions in (_MIDDLE, VERSIONS):
            yield Target(
                part="flat",
                what=f"{what} of {versions:,} versions against {_SMALLEST}",
                at_least=0.8,
                load=_of_size(stage, make, versions),
                base=_of_size(stage, make, _SMALLEST),
            )


def _of_size(stage: Stage, make: Callable[[int], Sequence[str]], versions: int) -> Load:
    """Whole pages only: those at the end of a small registry are short."""
    program = stage.annals(versions=versions)
    sizes = {path: len(program.get(path)[2]) for path in make(versions)[:_SMALLEST]}
    whole = [path for path, size in sizes.items() if size > max(sizes.values()) / 2]
    return stage.load(program, list(paths.unlike(whole, VERSIONS)))


def servers(stage: Stage) -> Iterator[Target]:
    """The other ASGI servers that are installed."""
    pages = paths.pages(VERSIONS)
    for name, command in SERVERS.items():
        yield _target(stage, "servers", f"list page of 30, {name}", None, pages, command=command)


def real(stage: Stage) -> Iterator[Target]:
    """Documents that people wrote, where there are some beside the repository."""
    if REAL.exists():
        pages = list(paths.unlike([paths.LIST], VERSIONS))
        load, base = stage.beside_raw(stage.real(), pages)
        what = f"list page, real documents, {_NEVER_ASKED}"
        yield Target(part="real", what=what, at_least=0.6, load=load, base=base)


def workers(stage: Stage) -> Iterator[Target]:
    """Two processes against one; nothing is pinned, so the load takes from the second core."""
    pages = paths.pages(VERSIONS)
    two, one = (
        Load(stage.annals(command, None).url, pages, stage.directory, core=None, batches=_BATCHES)
        for command in (two_workers, hypercorn)
    )
    what = "list page of 30, two workers against one"
    yield Target(part="workers", what=what, at_least=1.4, load=two, base=one)


TARGETS = {
    "noise": noise,
    "list": lists,
    "one": single,
    "unchanged": unchanged,
    "search": search,
    "since": since,
    "past": past,
    "compressed": compressed,
    "flat": flat,
    "real": real,
    "servers": servers,
}
"""The parts that are measured in the same rounds."""


def position(program: Program) -> int:
    """Where the log of a server ended when an answer last changed."""
    return int(program.get(paths.LIST)[1]["registry-position"])


def _target(
    stage: Stage,
    part: str,
    what: str,
    at_least: float | None,
    asked: Sequence[str],
    headers: Mapping[str, str] | None = None,
    command: Command = hypercorn,
) -> Target:
    load, base = stage.beside_raw(stage.annals(command), asked, headers, command)
    return Target(part=part, what=what, at_least=at_least, load=load, base=base)


def _last_commits(program: Program) -> tuple[datetime, datetime]:
    """When the last commit that changed an answer was recorded, and the one before it."""
    last = _recorded(program, position(program))
    before, step = last, 1
    while before == last:
        before = _recorded(program, position(program) - step)
        step *= 2
    return before, last


def _recorded(program: Program, at: int) -> datetime:
    return from_rfc_3339(program.get(f"{paths.LIST}&at=@{at}")[1]["registry-recorded-at"])
