"""A small API server of Kubernetes over real HTTP: ConfigMaps, watches, and ways to fail them."""

import asyncio
import base64
import json
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
from aiohttp import web
from anyio.from_thread import BlockingPortal, start_blocking_portal

Answer = Callable[[web.Request], web.Response]


@attrs.frozen(kw_only=True)
class KubernetesRequest:
    """A request as it came in."""

    path: str
    query: Mapping[str, str]
    authorization: str | None

    @property
    def is_watch(self) -> bool:
        return self.query.get("watch") == "true"


class KubernetesServer:
    """One cluster in a thread of its own; every method may be called from any other.

    With `token`, requests have to carry it. `intercept` may answer a request in place of the
    cluster. Versions count up over all objects, as etcd counts.
    """

    def __init__(self, portal: BlockingPortal, tls: ssl.SSLContext | None) -> None:
        self.requests: list[KubernetesRequest] = []
        self.token: str | None = None
        self.intercept: Callable[[web.Request], web.Response | None] = lambda _request: None
        self.port = 0
        self._portal = portal
        self._tls = tls
        self._version = 0
        self._objects: dict[str, dict[str, Any]] = {}
        self._watches: dict[asyncio.Queue[dict[str, Any] | None], web.Request] = {}
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def watched(self) -> int:
        """How many watches were asked for."""
        return sum(request.is_watch for request in self.requests)

    def kubeconfig(self, file: Path, **user: str) -> str:
        """Write a kubeconfig with one context, called `test`; *user* is what it logs in with."""
        config = {
            "current-context": "test",
            "clusters": [{"name": "test", "cluster": {"server": self.url}}],
            "users": [{"name": "test", "user": user}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        }
        file.write_text(json.dumps(config))
        return str(file)

    def write(self, name: str, *, namespace: str = "annals", **content: Mapping[str, Any]) -> None:
        """Create the ConfigMap or replace its content: `data` and `binaryData`."""
        self._portal.call(self._write, f"{namespace}/{name}", content)

    def write_binary(self, name: str, key: str, content: bytes) -> None:
        """Let the ConfigMap have that binary data and nothing else."""
        self.write(name, binaryData={key: base64.b64encode(content).decode()})

    def delete(self, name: str, *, namespace: str = "annals") -> None:
        """Delete the ConfigMap."""
        self._portal.call(self._delete, f"{namespace}/{name}")

    def tell(self, event: dict[str, Any] | None) -> None:
        """Send *event* to all who watch; None ends their watches, as after a time-out."""
        self._portal.call(self._tell, event)

    def hang_up(self) -> None:
        """Reset the connections of all who watch."""
        self._portal.call(self._hang_up)

    def listen(self) -> None:
        """Take connections, again on the same port."""
        self._portal.call(self._listen)

    def go_away(self) -> None:
        """Hang up on everybody, and take no more connections."""
        self._portal.call(self._go_away)

    def _write(self, place: str, content: Mapping[str, Any]) -> None:
        self._version += 1
        old = self._objects.get(place)
        namespace, name = place.split("/")
        metadata = {
            "namespace": namespace,
            "name": name,
            "uid": old["metadata"]["uid"] if old else f"uid-{self._version}",
            "resourceVersion": str(self._version),
        }
        self._objects[place] = {"kind": "ConfigMap", "metadata": metadata, **content}
        self._tell(_event("MODIFIED" if old else "ADDED", self._objects[place]))

    def _delete(self, place: str) -> None:
        self._version += 1
        gone = self._objects.pop(place)
        version = {"resourceVersion": str(self._version)}
        self._tell(_event("DELETED", {**gone, "metadata": {**gone["metadata"], **version}}))

    def _tell(self, event: dict[str, Any] | None) -> None:
        for watch in self._watches:
            watch.put_nowait(event)

    def _hang_up(self) -> None:
        for request in self._watches.values():
            assert request.transport
            request.transport.abort()

    async def _listen(self) -> None:
        application = web.Application()
        place = "/api/v1/namespaces/{namespace}/configmaps"
        application.router.add_get(place, self._checked(self._watch))
        application.router.add_get(place + "/{name}", self._checked(self._get))
        self._runner = web.AppRunner(application, shutdown_timeout=0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, ssl_context=self._tls)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def _go_away(self) -> None:
        self._tell(None)
        if self._runner:
            await self._runner.cleanup()

    def _checked(self, handler: Callable[[web.Request], Any]) -> Callable[[web.Request], Any]:
        async def handle(request: web.Request) -> web.StreamResponse:
            authorization = request.headers.get("Authorization")
            self.requests.append(
                KubernetesRequest(
                    path=request.path, query=dict(request.query), authorization=authorization
                )
            )
            if self.token is not None and authorization != f"Bearer {self.token}":
                return status(401, "Unauthorized")
            answer: web.StreamResponse = self.intercept(request) or await handler(request)
            return answer

        return handle

    async def _get(self, request: web.Request) -> web.StreamResponse:
        found = self._objects.get("{namespace}/{name}".format(**request.match_info))
        if found is None:
            return status(404, f'configmaps "{request.match_info["name"]}" not found')
        return web.json_response(found)

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        name = request.query["fieldSelector"].removeprefix("metadata.name=")
        found = self._objects.get(f"{request.match_info['namespace']}/{name}")
        events: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        if found:
            events.put_nowait(_event("ADDED", found))
        self._watches[events] = request
        try:
            return await _send(events, request)
        finally:
            del self._watches[events]


async def _send(
    events: asyncio.Queue[dict[str, Any] | None], request: web.Request
) -> web.StreamResponse:
    answer = web.StreamResponse()
    await answer.prepare(request)
    while (event := await events.get()) is not None:
        await answer.write(json.dumps(event).encode() + b"\n")
    return answer


def _event(kind: str, config_map: dict[str, Any]) -> dict[str, Any]:
    return {"type": kind, "object": config_map}


def status(code: int, message: str) -> web.Response:
    """How Kubernetes says no."""
    return web.json_response(status_object(code, message), status=code)


def status_object(code: int, message: str) -> dict[str, Any]:
    """A Status object, which refusals and errors within a watch have."""
    return {"kind": "Status", "status": "Failure", "code": code, "message": message}


@contextmanager
def serve_kubernetes(tls: ssl.SSLContext | None = None) -> Iterator[KubernetesServer]:
    """A cluster without any object, until the block ends."""
    with start_blocking_portal() as portal:
        server = KubernetesServer(portal, tls)
        server.listen()
        try:
            yield server
        finally:
            server.go_away()
