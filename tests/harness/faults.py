"""What can go wrong with a source: the rows of the table in docs/sources.md, brought about."""

import gzip
import random
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from itertools import repeat
from typing import Any, TypeAlias
from unittest.mock import patch

import attrs

from domain.events import SyncStage
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
    answers,
    cuts_off,
    drips,
    leads_away,
    redirects,
    says_nothing,
    streams,
    unknown_host,
)

NAMES = [f"s{number:02}" for number in range(12)]
VICTIM = "s03"
MIB = 2**20

OTHER_HOST = "localhost"

Strike: TypeAlias = Callable[[Any, HostileServer], object]
"""Lets it happen to a place or its server; what it returns is awaited if it can be."""


@attrs.frozen(kw_only=True)
class Fault:
    """One thing that goes wrong, for each kind of source that it happens to.

    `told` has what the message says, by kind of source, as a regular expression. A fault with a
    `stage` fails the sync there, one without leaves a rejected entry or a note. `hangs` says
    that the source keeps its reader waiting, `peak_mib` what a sync of it may take.
    """

    row: str
    strike: Strike
    told: Mapping[str, str]
    variant: str = ""
    stage: SyncStage | None = SyncStage.FETCH
    rejects: bool = False
    hangs: bool = False
    tls: bool = False
    host: str = "127.0.0.1"
    peak_mib: int | None = None


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


def _twice(place: Place, _server: HostileServer) -> None:
    index = NAMES.index(VICTIM) + 1
    again = (VICTIM, place.entry(VICTIM, "Does other things."))
    place.offer([*good(place)[:index], again, *good(place)[index:]])


def _half(place: Place, _server: HostileServer) -> None:
    place.offer(good(place)[: len(NAMES) // 2])


def _large(place: Place, _server: HostileServer) -> None:
    place.offer(better(place), lambda body: body.ljust(place.large))


def _dangling(place: FilePlace, _server: HostileServer) -> None:
    place.file.unlink()
    place.file.symlink_to("elsewhere.json")


def _link_in_repository(place: GitPlace, _server: HostileServer) -> None:
    file = place.repository.path / "registry.json"
    file.unlink()
    file.symlink_to("/etc/passwd")
    place.repository.commit({})


def _rewritten_history(place: GitPlace, _server: HostileServer) -> None:
    place.repository.git("commit", "-q", "--amend", "-m", "another history")


def _random_files(place: GitPlace, _server: HostileServer) -> None:
    place.repository.commit({"large": random.Random(0).randbytes(2 * MIB)})


def _forgotten_name(_place: Place, server: HostileServer) -> None:
    server.damage.enter_context(unknown_host(OTHER_HOST))


def _to_itself(_place: Place, server: HostileServer) -> None:
    server.misbehave(redirects(lambda request: request.target))


def _to_another_host(_place: Place, server: HostileServer) -> None:
    server.misbehave(leads_away(server, OTHER_HOST))


def _is_second(request: Request) -> bool:
    """Whether it asks for what comes behind a first answer."""
    is_page = "cursor" in request.query
    return is_page or request.path.endswith(f"/{VICTIM}") or request.method == "POST"


def _circle(place: OfficialApiPlace, server: HostileServer) -> None:
    server.damage.enter_context(patch.object(place, "next_cursor", lambda _end: "5"))


def _bottomless(place: OfficialApiPlace, server: HostileServer) -> None:
    server.damage.enter_context(patch.object(place, "next_cursor", str))


@cache
def _bomb() -> bytes:
    """101 MiB of white space in 100 KB."""
    return gzip.compress(b" " * 101 * MIB, 1)


_HTML = b"<!DOCTYPE html><html><body><form action='/login'>Sign in</form></body></html>"
_DEEP = b"[" * 200_000
_FILE, _URL, _GIT, _CONFIGMAP = "file", "file by URL", "git", "configmap"
_API, _TOOLHIVE = "api", "api (ToolHive)"
_HTTP = (_URL, _API, _TOOLHIVE)
_WHOLE = (_FILE, _URL, _GIT, _CONFIGMAP)
_EVERY = (*_WHOLE, _API, _TOOLHIVE)


def _all(told: str, kinds: Iterable[str] = _EVERY) -> dict[str, str]:
    return dict.fromkeys(kinds, told)


FAULTS = [
    Fault(
        row="connection refused",
        strike=lambda _, server: server.go_away(),
        told={
            **_all("refuses connections: check host and port of `url`", _HTTP),
            _GIT: "failed to connect.* Check the address and the network",
            _CONFIGMAP: "cannot be reached .*Check that it runs, its address, the network",
        },
    ),
    Fault(
        row="DNS failure",
        strike=_forgotten_name,
        host=OTHER_HOST,
        told={
            **_all("no address is known for this host .*check `url` and the DNS", _HTTP),
            _CONFIGMAP: "cannot be reached .*Check that it runs, its address, the network",
        },
    ),
    Fault(
        row="TLS failure",
        strike=lambda _, server: server.become_a_stranger(),
        tls=True,
        told={
            **_all("certificate that is not trusted .*: let caFile name the certificate", _HTTP),
            _GIT: "certificate.* Let SSL_CERT_FILE name a file",
            _CONFIGMAP: "cannot be trusted .*Compare its certificate",
        },
    ),
    Fault(
        row="time-out",
        strike=misbehaves(says_nothing),
        told={
            **_all("did not answer to the end within .*sync again, or raise `timeout`", _HTTP),
            _GIT: "timed out.* Check the address and the network",
            _CONFIGMAP: "did not answer in time. Check that it runs",
        },
        hangs=True,
    ),
    Fault(
        row="slow drip",
        strike=misbehaves(drips),
        told={
            **_all("did not answer to the end within .*sync again, or raise `timeout`", _HTTP),
            _CONFIGMAP: "did not answer in time. Check that it runs",
        },
        hangs=True,
    ),
    Fault(
        row="401",
        strike=misbehaves(answers(401, WWW_Authenticate='Basic realm="x"')),
        told={
            **_all("status 401: let bearerTokenFile name a file with a valid token", _HTTP),
            _GIT: "refuses the credentials: renew what tokenFile names",
            _CONFIGMAP: "answered 401: it does not accept the credentials.* renew the login",
        },
    ),
    Fault(
        row="403",
        strike=misbehaves(answers(403)),
        told={
            **_all("status 403: let bearerTokenFile name a file with a valid token", _HTTP),
            _GIT: "status code: 403.* a private repository needs tokenFile",
            _CONFIGMAP: "answered 403: the account may not get this. Bind it to a Role",
        },
    ),
    Fault(
        row="404",
        strike=misbehaves(answers(404)),
        told={
            _URL: "status 404: check `url`",
            **_all("found no registry API; tried .*Let `url` be the address", (_API, _TOOLHIVE)),
            _GIT: "status code: 404. Check the address",
            _CONFIGMAP: "answered 404: there is no such thing. Check the name",
        },
    ),
    Fault(
        row="429",
        strike=misbehaves(answers(429, Retry_After="600")),
        told={
            **_all("Retry-After: 600: too many requests: let `interval` be longer", _HTTP),
            _GIT: "status code: 429",
            _CONFIGMAP: "answered 429: it has too much to do. Sync less often",
        },
    ),
    Fault(
        row="500 on page 2",
        strike=lambda _, server: server.misbehave(answers(500), _is_second),
        told={
            **_all("status 500: sync again later", (_API, _TOOLHIVE)),
            _GIT: "status code: 500.* Check the address and the network",
        },
    ),
    Fault(
        row="truncated JSON",
        strike=rewritten(lambda body: body[: len(body) // 2]),
        told=_all("expected JSON, found something else .*check that the address", _WHOLE),
        stage=SyncStage.PARSE,
    ),
    Fault(
        row="truncated JSON",
        variant="a page of it",
        strike=rewritten(lambda body: body[: len(body) // 2]),
        told=_all("check that `url` leads to a registry", (_API, _TOOLHIVE)),
    ),
    Fault(
        row="truncated JSON",
        variant="cut off on the way",
        strike=lambda _, server: server.misbehave(cuts_off(server.answer)),
        told={
            **_all("broke its answer off, .*: sync again", _HTTP),
            _GIT: "Check the address",
            _CONFIGMAP: "Check that it runs",
        },
    ),
    Fault(
        row="wrong content type",
        strike=misbehaves(answers(200, b"\x89PNG\r\n\x1a\n", Content_Type="image/png")),
        told={
            **_all("expected JSON, found something else .*: check `url`", (_API, _TOOLHIVE)),
            _GIT: "content-type.* Let `repository` be the address that `git clone` takes",
            _CONFIGMAP: "something else than an object in JSON. Check its address",
        },
    ),
    Fault(
        row="wrong content type",
        variant="of a file",
        strike=misbehaves(answers(200, b"\x89PNG\r\n\x1a\n", Content_Type="image/png")),
        told={_URL: "expected JSON, found something else .check that the address is that of"},
        stage=SyncStage.PARSE,
    ),
    Fault(
        row="HTML login page with 200",
        strike=misbehaves(answers(200, _HTML, Content_Type="text/html; charset=utf-8")),
        told={
            **_all("login", (_API, _TOOLHIVE)),
            _GIT: "content-type.* Let `repository` be the address that `git clone` takes",
            _CONFIGMAP: "something else than an object in JSON. Check its address: a login",
        },
    ),
    Fault(
        row="HTML login page with 200",
        variant="saved as the file",
        strike=rewritten(lambda _: _HTML),
        told=_all(
            "what looks like HTML .probably a login page: check the address",
            _WHOLE,
        ),
        stage=SyncStage.PARSE,
    ),
    Fault(
        row="redirect loop",
        strike=_to_itself,
        told={
            **_all("redirects in a circle, .*let `url` be the address", _HTTP),
            **_all("redirect", (_GIT, _CONFIGMAP)),
        },
    ),
    Fault(
        row="redirect to another host",
        strike=_to_another_host,
        told={
            **_all("redirected to .*localhost.*status 401", _HTTP),
            **_all("redirect", (_GIT, _CONFIGMAP)),
        },
    ),
    Fault(
        row="a body over the limit",
        strike=_large,
        told=_all("is larger than .*split it into several sources", (_FILE, _GIT)),
        peak_mib=16,
    ),
    Fault(
        row="a body over the limit",
        variant="on the wire",
        strike=misbehaves(streams([b" " * MIB] * 101)),
        told={
            **_all("larger than 104857600 bytes: split it into several", _HTTP),
            _CONFIGMAP: "answers with more than 16777216 bytes. Check the address",
        },
        peak_mib=240,
    ),
    Fault(
        row="a gzip bomb",
        strike=lambda _, server: server.misbehave(
            answers(200, _bomb(), Content_Type="application/json", Content_Encoding="gzip")
        ),
        told={
            **_all("larger than 104857600 bytes: split it into several", _HTTP),
            _CONFIGMAP: "answers with more than 16777216 bytes. Check the address",
        },
        peak_mib=240,
    ),
    Fault(
        row="a page that never ends",
        strike=misbehaves(streams(repeat(b" " * MIB))),
        told={
            **_all("larger than 104857600 bytes: split it into several", _HTTP),
            _CONFIGMAP: "answers with more than 16777216 bytes. Check the address",
        },
        peak_mib=240,
    ),
    Fault(
        row="a page that never ends",
        variant="pages without end",
        strike=_bottomless,
        told={_API: "10th page in a row without a server: its paging is broken"},
    ),
    Fault(
        row="a cursor that repeats",
        strike=_circle,
        told={_API: "gives a cursor that was given before: its paging is broken"},
    ),
    Fault(
        row="invalid UTF-8",
        strike=spoiled(b'"title":"\xff"'),
        told=_all("expected Unicode"),
        stage=None,
        rejects=True,
    ),
    Fault(
        row="deeply nested JSON",
        strike=rewritten(lambda _: _DEEP),
        told=_all("nested too deeply", _WHOLE),
        stage=SyncStage.PARSE,
    ),
    Fault(
        row="deeply nested JSON",
        variant="a page of it",
        strike=rewritten(lambda _: _DEEP),
        told=_all("[Cc]heck that `url` leads to a registry", (_API, _TOOLHIVE)),
    ),
    Fault(
        row="deeply nested JSON",
        variant="an entry of it",
        strike=spoiled(b'"_meta":{"x":' + b"[" * 200 + b"]" * 200 + b"}"),
        told=_all("nested too deeply"),
        stage=None,
        rejects=True,
    ),
    Fault(
        row="NaN",
        strike=spoiled(b'"_meta":{"x":NaN}'),
        told=_all("nan is not a JSON number"),
        stage=None,
        rejects=True,
    ),
    Fault(
        row="duplicate keys",
        strike=spoiled(b'"description":"Does other things."'),
        told=_all("twice|duplicate"),
        stage=None,
        rejects=True,
    ),
    Fault(
        row="duplicate entries",
        strike=_twice,
        told=_all("expected .*s03@1.0.0 once", (*_WHOLE, _API)),
        stage=None,
        rejects=True,
    ),
    Fault(
        row="an entry of 5 MB",
        strike=spoiled(b'"_meta":{"x":"' + b"x" * 5 * MIB + b'"}'),
        told=_all("expected at most 4194304 bytes, found 52"),
        stage=None,
        rejects=True,
    ),
    Fault(
        row="an empty list",
        strike=lambda place, _: place.offer([]),
        told=_all("offers none of the 12 names .* set allowEmpty: true"),
        stage=SyncStage.GUARD,
    ),
    Fault(
        row="a list of half the size",
        strike=_half,
        told=_all("no longer offers 6 of 12 names: .* set maxRemoval to at least"),
        stage=SyncStage.GUARD,
    ),
    Fault(
        row="a Git history that was rewritten",
        strike=_rewritten_history,
        told={_GIT: ""},
        stage=None,
    ),
    Fault(
        row="a repository of 4 GB",
        strike=_random_files,
        told={_GIT: "sent more than 1 MiB: raise maxRepositoryMiB"},
    ),
    Fault(
        row="a symlink at the path",
        strike=_link_in_repository,
        told={_GIT: "which is a symbolic link: let `path` name"},
    ),
    Fault(
        row="a symlink at the path",
        variant="dangling",
        strike=_dangling,
        told={_FILE: "does not exist: check `path`"},
    ),
]
"""Every fault, with variants."""
