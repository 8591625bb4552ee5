"""Places that sources of every kind read from, which a test can fill, and a server can spoil."""

import json
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import attrs
import httpx
import pytest

from adapters.sources.api import API, ApiSettings
from adapters.sources.configmap import CONFIGMAP, ConfigMapSettings
from adapters.sources.file import FILE, FileSettings
from adapters.sources.git import GIT, GitSettings
from domain.entry import OFFICIAL_META
from domain.ports.source import SourcePort
from domain.timestamps import from_rfc_3339, to_rfc_3339
from tests.harness.git_http import serve_git
from tests.harness.git_repository import GitRepository
from tests.harness.hostile_server import Answer, HostileServer, Request

Offer: TypeAlias = Sequence[tuple[str, bytes]]
"""Short names of servers, each with its entry as it is written where the place is."""

Rewrite: TypeAlias = Callable[[bytes], bytes]

MAX_BYTES = 100 * 1024 * 1024
TOKEN = "not-for-others"
FIRST_UPDATE = datetime(2026, 1, 1, tzinfo=UTC)


def as_it_is(body: bytes) -> bytes:
    """No rewriting."""
    return body


@attrs.frozen(kw_only=True)
class Setting:
    """Where a place is set up: a folder, a server of its own, the host it is known by.

    `authority` is a file with the authority that signed the server's certificate, if it has one.
    Sources of the place lose patience after `timeout_seconds`.
    """

    folder: Path
    server: HostileServer
    host: str = "127.0.0.1"
    authority: Path | None = None
    timeout_seconds: float = 20.0

    def url(self, path: str = "") -> str:
        """The server's address by the name that it is known by."""
        return self.server.url(path, self.host)

    def token_file(self) -> str:
        """A file with the token that the place's own server may be told."""
        file = self.folder / "token"
        file.write_text(TOKEN)
        return str(file)


class Place(Protocol):
    """Where a source reads from. `where` is what a message calls it.

    `large` is more than a source of this kind takes in one piece, in bytes.
    """

    where: str
    large: int

    def entry(self, name: str, description: str = "Does things.") -> bytes:
        """A good entry as it is written here, an object."""

    def offer(self, offer: Offer, rewrite: Rewrite = as_it_is) -> None:
        """Have these and no others; what holds them all is rewritten before it is sent."""

    def open(self) -> SourcePort:
        """A source of this place."""


def server_json(name: str, description: str = "Does things.") -> bytes:
    """A server.json of `io.example/<name>`."""
    document = {"name": f"io.example/{name}", "version": "1.0.0", "description": description}
    return json.dumps(document).encode()


def registry_file(offer: Offer) -> bytes:
    """A registry file."""
    return b'{"servers":[%b]}' % b",".join([entry for _, entry in offer])


class FilePlace:
    """One file on this machine."""

    large = MAX_BYTES + 1

    def __init__(self, setting: Setting) -> None:
        self.file = setting.folder / "registry.json"
        self.where = str(self.file)
        self.entry = server_json

    def offer(self, offer: Offer, rewrite: Rewrite = as_it_is) -> None:
        self.file.unlink(missing_ok=True)
        self.file.write_bytes(rewrite(registry_file(offer)))

    def open(self) -> SourcePort:
        return _limited(FILE.open(FileSettings(path=self.where), self.file.parent))


class UrlPlace:
    """A registry file at an address."""

    large = MAX_BYTES + 1

    def __init__(self, setting: Setting) -> None:
        self.where = setting.url("/registry.json")
        self.entry = server_json
        self._setting = setting
        self._content = b""
        setting.server.answer = self._answer

    def offer(self, offer: Offer, rewrite: Rewrite = as_it_is) -> None:
        self._content = rewrite(registry_file(offer))

    def open(self) -> SourcePort:
        settings = FileSettings(url=self.where, **_asking(self._setting))
        source = FILE.open(settings, self._setting.folder)
        return attrs.evolve(_limited(source), first_wait_seconds=0)

    async def _answer(self, _request: Request) -> Answer:
        return Answer(body=self._content)


def _limited(source: Any) -> Any:
    """A source that takes less than files may have, so that too much is soon sent."""
    return attrs.evolve(source, max_bytes=MAX_BYTES)


def _asking(setting: Setting) -> dict[str, Any]:
    """The settings of how to ask over HTTP."""
    return {
        "timeout_seconds": setting.timeout_seconds,
        "bearer_token_file": setting.token_file(),
        "ca_file": setting.authority and str(setting.authority),
    }


@asynccontextmanager
async def url_place(setting: Setting) -> AsyncIterator[UrlPlace]:
    """A file at an address."""
    yield UrlPlace(setting)


class GitPlace:
    """A repository whose requests Git itself answers, by way of the server."""

    large = 8 * 2**20 + 1

    def __init__(self, setting: Setting, git: httpx.AsyncClient) -> None:
        self.repository = GitRepository(setting.folder / "root" / "catalog")
        self.where = setting.url("/catalog/.git")
        self.entry = server_json
        self._setting = setting
        self._git = git
        setting.server.answer = self._answer

    def offer(self, offer: Offer, rewrite: Rewrite = as_it_is) -> None:
        self.repository.git("rm", "-rfq", "--ignore-unmatch", ".")
        self.repository.commit({"registry.json": rewrite(registry_file(offer))})

    def open(self) -> SourcePort:
        settings = GitSettings(
            repository=self.where,
            token_file=self._setting.token_file(),
            max_repository_mib=1,
            timeout_seconds=10 * self._setting.timeout_seconds,
        )
        return attrs.evolve(
            GIT.open(settings, self._setting.folder / "cache"),
            first_wait_seconds=0,
            stall_seconds=self._setting.timeout_seconds,
            max_bytes=self.large - 1,
        )

    async def _answer(self, request: Request) -> Answer:
        kept = {name: value for name, value in request.headers.items() if name != "host"}
        got = await self._git.request(
            request.method, request.target, headers=kept, content=request.body
        )
        kind = {"Content-Type": got.headers["Content-Type"]}
        return Answer(status=got.status_code, headers=kind, body=got.content)


class OfficialApiPlace:
    """The official API, five servers to a page. Its cursors are where a page begins.

    It is asked for updates alone, unless everything is compared each time.
    """

    large = MAX_BYTES + 1

    def __init__(self, setting: Setting, *, compares_all: bool) -> None:
        self.where = setting.url()
        self.entry = server_json
        self._setting = setting
        self._settings = {"full_sync_interval_seconds": 1e-6} if compares_all else {}
        self._offer: Offer = ()
        self._rewrite: Rewrite = as_it_is
        self._updated: dict[tuple[str, bytes], datetime] = {}
        setting.server.answer = self._answer

    def offer(self, offer: Offer, rewrite: Rewrite = as_it_is) -> None:
        now = datetime.now(UTC) if self._offer else FIRST_UPDATE
        self._updated = {each: self._updated.get(each, now) for each in offer}
        self._offer, self._rewrite = offer, rewrite

    def open(self) -> SourcePort:
        return _api_source(self._setting, **self._settings)

    def next_cursor(self, end: int, length: int) -> str | None:
        """The cursor behind the servers that come before the *end*, of so many."""
        return str(end) if end < length else None

    async def _answer(self, request: Request) -> Answer:
        if request.path != "/v0.1/servers":
            return Answer(status=404)
        since = from_rfc_3339(request.query.get("updated_since", "2000-01-01T00:00:00Z"))
        found = [each for each in self._offer if self._updated[each] > since]
        start = int(request.query.get("cursor", 0))
        page = found[start : start + 5]
        metadata = {"count": len(page), "nextCursor": self.next_cursor(start + 5, len(found))}
        servers = b",".join(map(self._response, page))
        body = b'{"servers":[%b],"metadata":%b}' % (servers, json.dumps(metadata).encode())
        now = format_datetime(datetime.now(UTC), usegmt=True)
        headers = {"Content-Type": "application/json", "Date": now}
        return Answer(headers=headers, body=self._rewrite(body))

    def _response(self, each: tuple[str, bytes]) -> bytes:
        official = {"status": "active", "updatedAt": to_rfc_3339(self._updated[each])}
        return b'{"server":%b,"_meta":%b}' % (
            each[1],
            json.dumps({OFFICIAL_META: official}).encode(),
        )


class ToolhiveApiPlace:
    """ToolHive's own API. Whatever is offered, it tells that it has changed."""

    large = MAX_BYTES + 1

    def __init__(self, setting: Setting) -> None:
        self.where = setting.url()
        self._setting = setting
        self._offer: Offer = ()
        self._rewrite: Rewrite = as_it_is
        self._version = 0
        setting.server.answer = self._answer

    def entry(self, name: str, description: str = "Does things.") -> bytes:
        details = {
            "name": name,
            "description": description,
            "tier": "Community",
            "status": "Active",
            "transport": "stdio",
            "tools": ["do"],
            "image": f"ghcr.io/example/{name}:1.0.0",
        }
        return json.dumps(details).encode()

    def offer(self, offer: Offer, rewrite: Rewrite = as_it_is) -> None:
        self._offer, self._rewrite = offer, rewrite
        self._version += 1

    def open(self) -> SourcePort:
        return _api_source(self._setting)

    async def _answer(self, request: Request) -> Answer:
        names = [{"name": name} for name, _ in self._offer]
        match request.path.removeprefix("/v0/").split("/"):
            case ["info"]:
                info = {"last_updated": f"version {self._version}", "total_servers": len(names)}
                return Answer(body=json.dumps(info).encode())
            case ["servers"]:
                found = {"servers": names, "total": len(names)}
                return Answer(body=self._rewrite(json.dumps(found).encode()))
            case ["servers", name]:
                return Answer(body=dict(self._offer)[name])
            case _:
                return Answer(status=404)


def _api_source(setting: Setting, **settings: Any) -> SourcePort:
    opened = API.open(
        ApiSettings(url=setting.url(), **_asking(setting), **settings), setting.folder
    )
    return attrs.evolve(opened, first_wait_seconds=0)


@asynccontextmanager
async def api_place(setting: Setting) -> AsyncIterator[OfficialApiPlace]:
    """The official API, of which everything is compared each time."""
    yield OfficialApiPlace(setting, compares_all=True)


@asynccontextmanager
async def updates_place(setting: Setting) -> AsyncIterator[OfficialApiPlace]:
    """The official API, of which only updates are asked for after the first time."""
    yield OfficialApiPlace(setting, compares_all=False)


@asynccontextmanager
async def toolhive_api_place(setting: Setting) -> AsyncIterator[ToolhiveApiPlace]:
    """ToolHive's API."""
    yield ToolhiveApiPlace(setting)


class ConfigMapPlace:
    """A ConfigMap, as an API server shows it."""

    large = 16 * 2**20 + 1

    def __init__(self, setting: Setting) -> None:
        self.where = "configmaps tools/registry"
        self.entry = server_json
        self._kubeconfig = setting.folder / "kubeconfig"
        self._kubeconfig.write_text(json.dumps(_kubeconfig(setting)))
        self._patience = setting.timeout_seconds
        self._version = 0
        self._content = b""
        setting.server.answer = self._answer

    def offer(self, offer: Offer, rewrite: Rewrite = as_it_is) -> None:
        self._content = rewrite(registry_file(offer))
        self._version += 1

    def open(self) -> SourcePort:
        settings = ConfigMapSettings(
            namespace="tools", name="registry", kubeconfig=str(self._kubeconfig)
        )
        opened = CONFIGMAP.open(settings, self._kubeconfig.parent)
        return attrs.evolve(opened, request_seconds=self._patience)

    async def _answer(self, _request: Request) -> Answer:
        # Only what is UTF-8 can be in `data`.
        content = {"binaryData": {"registry.json": b64encode(self._content).decode()}}
        with suppress(UnicodeDecodeError):
            content = {"data": {"registry.json": self._content.decode()}}
        metadata = {
            "namespace": "tools",
            "name": "registry",
            "uid": "u",
            "resourceVersion": str(self._version),
        }
        config_map = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": metadata, **content}
        return Answer(body=json.dumps(config_map).encode())


def _kubeconfig(setting: Setting) -> Any:
    cluster: dict[str, str] = {"server": setting.url()}
    if setting.authority:
        cluster["certificate-authority"] = str(setting.authority)
    return {
        "clusters": [{"name": "here", "cluster": cluster}],
        "users": [{"name": "me", "user": {"token": TOKEN}}],
        "contexts": [{"name": "main", "context": {"cluster": "here", "user": "me"}}],
        "current-context": "main",
    }


@asynccontextmanager
async def configmap_place(setting: Setting) -> AsyncIterator[ConfigMapPlace]:
    """A ConfigMap."""
    yield ConfigMapPlace(setting)


@asynccontextmanager
async def file_place(setting: Setting) -> AsyncIterator[FilePlace]:
    """A file, which needs no server."""
    yield FilePlace(setting)


@asynccontextmanager
async def git_place(setting: Setting) -> AsyncIterator[GitPlace]:
    """A repository, which libgit2 reads with the authority of the place."""
    with pytest.MonkeyPatch.context() as variables:
        if setting.authority:
            variables.setenv("SSL_CERT_FILE", str(setting.authority))
        (setting.folder / "root").mkdir()
        with serve_git(setting.folder / "root") as git:
            async with httpx.AsyncClient(base_url=git.url("")) as client:
                yield GitPlace(setting, client)


PLACES: dict[str, Callable[[Setting], AbstractAsyncContextManager[Place]]] = {
    "file": file_place,
    "file by URL": url_place,
    "git": git_place,
    "api": api_place,
    "api (updates)": updates_place,
    "api (ToolHive)": toolhive_api_place,
    "configmap": configmap_place,
}
"""How to have a place for each kind of source."""
