"""A registry file in a Kubernetes ConfigMap, read and watched through the API server."""

import base64
import binascii
import json
import logging
import random
import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import attrs

from adapters.kubernetes.asked import Asked
from adapters.kubernetes.connection import REQUEST_SECONDS, ClusterAccess, ask, connect, read_json
from adapters.sources.source_type import SourceType
from adapters.sources.spool import only
from domain.errors import SourceContentError, SourceUnreachableError
from domain.ports.source import Fetched, FetchResult, Unchanged

if TYPE_CHECKING:
    from kubernetes_asyncio.client import ApiClient

_log = logging.getLogger(__name__)

_METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"
_MAX_EVENT_BYTES = 4 * 1024 * 1024
_LABEL = "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"


def _check(pattern: str, expected: str, _settings: object, _field: object, value: str) -> None:
    if not re.fullmatch(pattern, value) or len(value) > 253:
        raise ValueError(f"expected {expected}")


_is_namespace = partial(_check, _LABEL, "the name of a namespace: 1 to 63 of a-z, 0-9 and '-'")
_is_name = partial(
    _check,
    rf"{_LABEL}(\.{_LABEL})*",
    "the name of a ConfigMap: up to 253 of a-z, 0-9, '-' and '.'",
)
_is_key = partial(
    _check, "[-._a-zA-Z0-9]+", "a key of a ConfigMap: up to 253 of A-Z, a-z, 0-9, '-', '_' and '.'"
)


@attrs.frozen(kw_only=True)
class ConfigMapSettings:
    """Which key of which ConfigMap, and how its cluster is reached.

    Without `kubeconfig` and `context` the cluster is the one that this process runs in, else the
    one that kubectl would take.
    """

    namespace: str = attrs.field(validator=_is_namespace)
    name: str = attrs.field(validator=_is_name)
    key: str = attrs.field(default="registry.json", validator=_is_key)
    kubeconfig: str | None = attrs.field(default=None, metadata={"path": True})
    context: str | None = None

    @property
    def access(self) -> ClusterAccess:
        """How the cluster is reached."""
        return ClusterAccess(kubeconfig=self.kubeconfig, context=self.context)


@attrs.frozen(kw_only=True)
class ConfigMapSource:
    """Reads one key of one ConfigMap. Its revision is the object's uid and resource version.

    `request_seconds` are for one read, and for the connection of a watch. A watch ends after
    `watch_seconds`, or when nothing came for `silence_seconds`: an API server sends a bookmark
    each minute. The waits between watches double from `first_wait_seconds` to
    `longest_wait_seconds` while the API server refuses; while it does not answer they double once.
    They start again behind a watch that held for `steady_seconds`.
    """

    settings: ConfigMapSettings
    request_seconds: float = REQUEST_SECONDS
    watch_seconds: int = 1800
    silence_seconds: float = 150.0
    first_wait_seconds: float = 0.5
    longest_wait_seconds: float = 15.0
    steady_seconds: float = 30.0
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep
    chance: Callable[[], float] = random.random

    async def fetch(self, known_revision: str | None) -> FetchResult:
        """Read the object, unless it is still at the known revision.

        Raises:
            SourceError: the cluster cannot be read, or has no such ConfigMap or key.
        """
        async with await connect(self.settings.access) as client:
            asked = self._asked("get")
            config_map = await read_json(client, asked, timeout=self.request_seconds)
            revision = _revision_of(config_map, _place(asked, client))
        if revision == known_revision:
            return Unchanged()
        content = _content_of(config_map, self.settings)
        return Fetched(revision=lambda: revision, payloads=only(content))

    async def changes(self) -> AsyncGenerator[None, None]:
        """Yields when the object is there, was changed, or was deleted.

        Each watch starts with the object as it is then, and so tells what came between two of
        them; only a deletion in between is left to the interval. Nothing but a cancellation
        ends it.
        """
        seen, told, failures = "", "", 0
        while True:
            started = anyio.current_time()
            try:
                async with aclosing(self._watch()) as revisions:
                    async for revision in revisions:
                        if revision != seen:
                            seen = revision
                            yield
                told = ""
            except Exception as error:  # noqa: BLE001  # whatever broke it, the next one may hold
                if str(error) != told:
                    _log.warning("%s: not watched: %s", _location(self.settings), error)
                told = str(error)
                if isinstance(error, SourceUnreachableError):
                    failures = min(failures, 1)  # it may be back any moment, with changes
            held = anyio.current_time() - started >= self.steady_seconds
            failures = 0 if held else failures + 1
            await self.sleep(self._wait_seconds(failures))

    def _wait_seconds(self, failures: int) -> float:
        wait = self.first_wait_seconds * 2.0 ** min(max(failures - 1, 0), 10)
        return min(wait, self.longest_wait_seconds) * (1 - self.chance() / 2)

    async def _watch(self) -> AsyncGenerator[str, None]:
        """The revisions that one watch tells of, until the API server ends it."""
        from aiohttp import ClientTimeout

        limits = ClientTimeout(
            total=self.watch_seconds + self.silence_seconds,
            sock_connect=self.request_seconds,
            sock_read=self.silence_seconds,
        )
        query = {
            "watch": "true",
            "fieldSelector": f"metadata.name={self.settings.name}",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(self.watch_seconds),
        }
        asked = self._asked("watch")
        async with (
            await connect(self.settings.access) as client,
            ask(client, asked, query, accept=_METADATA, timeout=limits) as answer,
        ):
            place = _place(asked, client)
            async for line in _lines(answer.content.iter_any(), place):
                revision = _revision_told(json.loads(line), place)
                if revision is not None:
                    yield revision

    def _asked(self, verb: str) -> Asked:
        return Asked(
            verb=verb,
            resource="configmaps",
            namespace=self.settings.namespace,
            name=self.settings.name,
            needed_verbs=("get", "watch"),
        )


def _place(asked: Asked, client: "ApiClient") -> str:
    return f"{asked.target}: {client.configuration.host}"


async def _lines(chunks: AsyncIterator[bytes], place: str) -> AsyncGenerator[bytes, None]:
    """Lines, longer than aiohttp reads them: `kubectl apply` notes 256 KB in an annotation."""
    rest = b""
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line
        if len(rest) > _MAX_EVENT_BYTES:
            raise SourceContentError(f"{place} answered with what is no event of a watch")


def _revision_of(config_map: Any, place: str) -> str:
    match config_map:
        case {"metadata": {"uid": str(uid), "resourceVersion": str(version)}}:
            return f"{uid}/{version}"
        case _:
            raise SourceContentError(
                f"{place} answered with an object that has no uid and resourceVersion, as every"
                " object of Kubernetes has. Check the address of the API server"
            )


def _revision_told(event: Any, place: str) -> str | None:
    """The revision that an event of a watch brings, if it brings one."""
    match event:
        case {"type": "ADDED" | "MODIFIED" | "DELETED", "object": config_map}:
            return _revision_of(config_map, place)
        case {"type": "BOOKMARK"}:
            return None
        case {"type": "ERROR", "object": {"code": int(code), "message": str(message)}}:
            raise SourceUnreachableError(f"{place} ended the watch: {code} {message}")
        case _:
            raise SourceContentError(f"{place} answered with what is no event of a watch")


def _content_of(config_map: Any, settings: ConfigMapSettings) -> bytes:
    where = f"ConfigMap {settings.namespace}/{settings.name}"
    match config_map:
        case {"data": {settings.key: str(text)}}:
            return text.encode(errors="surrogatepass")
        case {"binaryData": {settings.key: str(text)}}:
            return _decoded(text, where)
        case _:
            raise SourceContentError(
                f"{where} has no key {settings.key!r}, only {_keys_of(config_map)}: let `key` name"
                " the one that holds the registry"
            )


def _decoded(text: str, where: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise SourceContentError(
            f"{where}: its binary data is not base64 ({error}): check the address of the API server"
        ) from error


def _keys_of(config_map: dict[str, Any]) -> str:
    parts = [config_map.get(field) for field in ("data", "binaryData")]
    keys = sorted(repr(key) for part in parts if isinstance(part, dict) for key in part)
    return ", ".join(keys[:20]) or "none at all"


def _open(settings: ConfigMapSettings, _cache_dir: Path) -> ConfigMapSource:
    return ConfigMapSource(settings=settings)


def _location(settings: ConfigMapSettings) -> str:
    return f"{settings.namespace}/{settings.name} {settings.key}"


CONFIGMAP = SourceType(name="configmap", settings=ConfigMapSettings, open=_open, location=_location)
