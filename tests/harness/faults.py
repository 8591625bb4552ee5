"""What can go wrong with a source: the rows of the table in docs/sources.md."""

import itertools
from collections.abc import Iterable, Mapping

import attrs

from domain.events import SyncStage
from tests.harness.hostile_server import (
    answers,
    cuts_off,
    drips,
    says_nothing,
    streams,
)
from tests.harness.strikes import (
    MIB,
    OTHER_HOST,
    REFS_TYPE,
    Refs,
    Strike,
    bomb,
    forget_name,
    go_in_circles,
    grow_repository,
    grow_too_large,
    is_second,
    link_in_repository,
    lose_half,
    misbehaves,
    never_end,
    point_nowhere,
    redirect_away,
    redirect_to_itself,
    repeat_victim,
    rewrite_history,
    rewritten,
    spoiled,
)


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


_HTML = b"<!DOCTYPE html><html><body><form action='/login'>Sign in</form></body></html>"
_EMPTY = b'{"servers":[' + b"{}," * 2_500_000 + b'{}],"metadata":{}}'
_DEEP = b"[" * 200_000
_FILE, _URL, _GIT, _CONFIGMAP = "file", "file by URL", "git", "configmap"
_API, _UPDATES, _TOOLHIVE = "api", "api (updates)", "api (ToolHive)"
_APIS = (_API, _UPDATES, _TOOLHIVE)
_HTTP = (_URL, *_APIS)
_WHOLE = (_FILE, _URL, _GIT, _CONFIGMAP)
_EVERY = (*_WHOLE, *_APIS)
_COMPARED = (*_WHOLE, _API, _TOOLHIVE)


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
        strike=forget_name,
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
        row="slow drip",
        variant="refs",
        strike=misbehaves(streams(Refs(drips=True), pause_seconds=0.02, Content_Type=REFS_TYPE)),
        told={_GIT: "was not read within .* raise `timeout`"},
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
            **_all("found no registry API; tried .*Let `url` be the address", _APIS),
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
            _CONFIGMAP: "answered 429: it has too much to do. Ask again later",
        },
    ),
    Fault(
        row="500 on page 2",
        strike=lambda _, server: server.misbehave(answers(500), is_second),
        told={
            **_all("status 500: sync again later", _APIS),
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
        told=_all("check that `url` leads to a registry", _APIS),
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
            **_all("expected JSON, found something else .*: check `url`", _APIS),
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
            **_all("login", _APIS),
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
        strike=redirect_to_itself,
        told={
            **_all("redirects in a circle, .*let `url` be the address", _HTTP),
            **_all("redirect", (_GIT, _CONFIGMAP)),
        },
    ),
    Fault(
        row="redirect to another host",
        strike=redirect_away,
        told={
            **_all("redirected to .*localhost.*status 401", _HTTP),
            **_all("redirect", (_GIT, _CONFIGMAP)),
        },
    ),
    Fault(
        row="a body over the limit",
        strike=grow_too_large,
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
            answers(200, bomb(), Content_Type="application/json", Content_Encoding="gzip")
        ),
        told={
            **_all("larger than 104857600 bytes: split it into several", _HTTP),
            _CONFIGMAP: "answers with more than 16777216 bytes. Check the address",
        },
        peak_mib=240,
    ),
    Fault(
        row="a page that never ends",
        strike=misbehaves(streams(itertools.repeat(b" " * MIB))),
        told={
            **_all("larger than 104857600 bytes: split it into several", _HTTP),
            _CONFIGMAP: "answers with more than 16777216 bytes. Check the address",
        },
        peak_mib=240,
    ),
    Fault(
        row="a page that never ends",
        variant="pages without end",
        strike=never_end,
        told=_all("10th page in a row without a server: its paging is broken", (_API, _UPDATES)),
    ),
    Fault(
        row="a page that never ends",
        variant="refs without end",
        strike=misbehaves(streams(Refs(), Content_Type=REFS_TYPE)),
        told={_GIT: "was not read within .* raise `timeout`"},
        hangs=True,
        peak_mib=240,
    ),
    Fault(
        row="a cursor that repeats",
        strike=go_in_circles,
        told=_all("gives a cursor that was given before: its paging", (_API, _UPDATES)),
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
        told=_all("[Cc]heck that `url` leads to a registry", _APIS),
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
        row="millions of empty entries",
        strike=rewritten(lambda _: _EMPTY),
        told=_all("found more than 10000 entries that cannot be used", _WHOLE),
        stage=SyncStage.PARSE,
        peak_mib=240,
    ),
    Fault(
        row="millions of empty entries",
        variant="a page of them",
        strike=rewritten(lambda _: _EMPTY),
        told=_all("found JSON of more than 5000000 values: check `url`", _APIS),
        peak_mib=240,
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
        strike=repeat_victim,
        told=_all("expected .*s03@1.0.0 once", (*_WHOLE, _API, _UPDATES)),
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
        told=_all("offers none of the 12 names .* set allowEmpty: true", _COMPARED),
        stage=SyncStage.GUARD,
    ),
    Fault(
        row="a list of half the size",
        strike=lose_half,
        told=_all("no longer offers 6 of 12 names: .* set maxRemoval to at least", _COMPARED),
        stage=SyncStage.GUARD,
    ),
    Fault(
        row="a Git history that was rewritten",
        strike=rewrite_history,
        told={_GIT: ""},
        stage=None,
    ),
    Fault(
        row="a repository of 4 GB",
        strike=grow_repository,
        told={_GIT: "sent more than 1 MiB: raise maxRepositoryMiB"},
    ),
    Fault(
        row="a symlink at the path",
        strike=link_in_repository,
        told={_GIT: "which is a symbolic link: let `path` name"},
    ),
    Fault(
        row="a symlink at the path",
        variant="dangling",
        strike=point_nowhere,
        told={_FILE: "does not exist: check `path`"},
    ),
]
"""Every fault, with variants."""
