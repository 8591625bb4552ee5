"""How places and their servers go wrong."""

import gzip
import itertools
import random
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, TypeAlias
from unittest.mock import patch

import attrs

from tests.harness.fault_places import (
    FilePlace,
    GitPlace,
    Offer,
    OfficialApiPlace,
    Place,
    Rewrite,
)
from tests.harness.hostile_server import (
    HostileServer,
    Misbehaviour,
    Request,
    leads_away,
    redirects,
    unknown_host,
)

NAMES = [f"s{number:02}" for number in range(12)]
VICTIM = "s03"
MIB = 2**20
OTHER_HOST = "localhost"

Strike: TypeAlias = Callable[[Any, HostileServer], object]
"""Lets it happen to a place or its server; what it returns is awaited if it can be."""


def good(place: Place) -> Offer:
    """What a place has before anything happens."""
    return [(name, place.entry(name)) for name in NAMES]


def better(place: Place) -> Offer:
    """What it has afterwards: one server more."""
    return [*good(place), ("new", place.entry("new"))]


def rewritten(rewrite: Rewrite) -> Strike:
    """The place sends what it has rewritten."""
    return lambda place, _: place.offer(better(place), rewrite)


def spoiled(member: bytes) -> Strike:
    """The victim's entry gets one more member."""

    def strike(place: Place, _server: HostileServer) -> None:
        entries = dict(good(place))
        entries[VICTIM] = entries[VICTIM][:-1] + b"," + member + b"}"
        place.offer(list(entries.items()))

    return strike


def misbehaves(misbehaviour: Misbehaviour) -> Strike:
    """Whatever is asked, the server answers so."""
    return lambda _, server: server.misbehave(misbehaviour)


def repeat_victim(place: Place, _server: HostileServer) -> None:
    """The victim stands in the list twice, the second time otherwise."""
    index = NAMES.index(VICTIM) + 1
    again = (VICTIM, place.entry(VICTIM, "Does other things."))
    place.offer([*good(place)[:index], again, *good(place)[index:]])


def lose_half(place: Place, _server: HostileServer) -> None:
    """The place has only half of what it had."""
    place.offer(good(place)[: len(NAMES) // 2])


def grow_too_large(place: Place, _server: HostileServer) -> None:
    """The place sends one byte too many."""
    place.offer(better(place), lambda body: body.ljust(place.large))


def point_nowhere(place: FilePlace, _server: HostileServer) -> None:
    """The file is a link to one that does not exist."""
    place.file.unlink()
    place.file.symlink_to("elsewhere.json")


def link_in_repository(place: GitPlace, _server: HostileServer) -> None:
    """The file in the repository is a link out of it."""
    file = place.repository.path / "registry.json"
    file.unlink()
    file.symlink_to("/etc/passwd")
    place.repository.commit({})


def rewrite_history(place: GitPlace, _server: HostileServer) -> None:
    """The last commit is replaced by another one with the same content."""
    place.repository.git("commit", "-q", "--amend", "-m", "another history")


def grow_repository(place: GitPlace, _server: HostileServer) -> None:
    """The repository has more to send than its source may receive."""
    place.repository.commit({"large": random.Random(0).randbytes(2 * MIB)})


def forget_name(_place: Place, server: HostileServer) -> None:
    """The name of the server means nothing any more."""
    server.damage.enter_context(unknown_host(OTHER_HOST))


def redirect_to_itself(_place: Place, server: HostileServer) -> None:
    """The server sends everybody back to where they are."""
    server.misbehave(redirects(lambda request: request.target))


def redirect_away(_place: Place, server: HostileServer) -> None:
    """The server sends everybody to another host."""
    server.misbehave(leads_away(server, OTHER_HOST))


def is_second(request: Request) -> bool:
    """Whether it asks for what comes behind a first answer."""
    is_page = "cursor" in request.query
    return is_page or request.path.endswith(f"/{VICTIM}") or request.method == "POST"


def go_in_circles(place: OfficialApiPlace, server: HostileServer) -> None:
    """Every page is followed by the second one."""
    server.damage.enter_context(patch.object(place, "next_cursor", lambda _end, _length: "5"))


def never_end(place: OfficialApiPlace, server: HostileServer) -> None:
    """Every page is followed by another one."""
    server.damage.enter_context(patch.object(place, "next_cursor", lambda end, _length: str(end)))


@cache
def bomb() -> bytes:
    """101 MiB of white space in 100 KB."""
    return gzip.compress(b" " * 101 * MIB, 1)


REFS_TYPE = "application/x-git-upload-pack-advertisement"


@attrs.frozen
class Refs:
    """What a Git server says before it is asked for anything: its refs, and ever more of them."""

    drips: bool = False

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks():
            yield from (bytes([byte]) for byte in chunk) if self.drips else [chunk]

    def _chunks(self) -> Iterator[bytes]:
        yield b"001e# service=git-upload-pack\n0000"
        for number in itertools.count():
            lines = [b"%040x refs/heads/x%d-%d\n" % (1, number, each) for each in range(1000)]
            yield b"".join(b"%04x%b" % (len(line) + 4, line) for line in lines)
