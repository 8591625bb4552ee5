"""What a Kubernetes API server answers about `MCPServer` objects, over real HTTP."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import attrs

GROUP = "toolhive.stacklok.dev"
REGISTRY_NAME = "toolhive.stacklok.io/registry-name"
REGISTRY_NAMESPACE = "toolhive.stacklok.io/registry-namespace"
SERVER_NAME = "toolhive.stacklok.io/server-name"


@attrs.frozen(kw_only=True)
class ListRequest:
    """A list that was asked for. A limit of 0 is none."""

    version: str
    selector: str
    limit: int
    token: str
    authorization: str | None


@attrs.frozen
class Answer:
    """What to answer in place of the list."""

    status: int
    body: bytes = b"{}"


class McpServersApi(ThreadingHTTPServer):
    """Serves `objects` in each of `versions`, selected and page by page; keeps the requests.

    `intercept` may answer a request before that.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.objects: Sequence[Any] = ()
        self.versions = ["v1beta1"]
        self.requests: list[ListRequest] = []
        self.intercept: Callable[[ListRequest], Answer | None] = lambda _request: None

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.server_port}"

    def answer(self, request: ListRequest) -> Answer:
        """What the API server would answer."""
        if request.version not in self.versions:
            return Answer(404, b"404 page not found\n")
        selected = [each for each in self.objects if _is_selected(each, request.selector)]
        start = int(request.token or 0)
        end = start + request.limit if request.limit else len(selected)
        metadata = {"continue": str(end)} if end < len(selected) else {}
        body = {"kind": "MCPServerList", "metadata": metadata, "items": selected[start:end]}
        return Answer(200, json.dumps(body).encode())


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: McpServersApi

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        _, apis, group, version, plural = url.path.split("/")
        assert (apis, group, plural) == ("apis", GROUP, "mcpservers"), self.path
        request = ListRequest(
            version=version,
            selector=query["labelSelector"],
            limit=int(query.get("limit", 0)),
            token=query.get("continue", ""),
            authorization=self.headers["Authorization"],
        )
        self.server.requests.append(request)
        self._send(self.server.intercept(request) or self.server.answer(request))

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, *_: object) -> None:
        """Keep the tests' output clean: the server has the requests."""


@contextmanager
def mcp_servers_api() -> Iterator[McpServersApi]:
    """A running API server without objects."""
    with McpServersApi() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def write_kubeconfig(path: Path, url: str, token: str = "a-token") -> Path:
    """A kubeconfig whose context `there` is that of the API server at *url*."""
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "there",
        "clusters": [{"name": "cluster", "cluster": {"server": url}}],
        "users": [{"name": "user", "user": {"token": token}}],
        "contexts": [{"name": "there", "context": {"cluster": "cluster", "user": "user"}}],
    }
    path.write_text(json.dumps(content))
    return path


def mcp_server(
    name: str,
    *,
    namespace: str = "default",
    registry: str = "default",
    server_name: str | None = None,
    phase: str = "Running",
) -> dict[str, Any]:
    """An object as ToolHive's operator leaves it."""
    return {
        "apiVersion": f"{GROUP}/v1beta1",
        "kind": "MCPServer",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {
                REGISTRY_NAME: registry,
                REGISTRY_NAMESPACE: "toolhive-system",
                SERVER_NAME: server_name or name,
            },
        },
        "spec": {"image": f"ghcr.io/example/{name}:1.0.0", "transport": "streamable-http"},
        "status": {"phase": phase, "url": f"http://{name}.{namespace}.svc.cluster.local:8080/mcp"},
    }


def _is_selected(item: Any, selector: str) -> bool:
    labels = item["metadata"]["labels"]
    return all(
        labels.get(key) == value if equals else key in labels
        for key, equals, value in (part.partition("=") for part in selector.split(","))
    )
