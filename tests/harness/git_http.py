"""A smart HTTP server for real repositories: git's own http-backend behind http.server."""

import subprocess
import sys
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import attrs

from tests.harness.git_repository import ISOLATED


@attrs.frozen(kw_only=True)
class GitRequest:
    """A request as it came in."""

    method: str
    path: str
    authorization: str | None


@attrs.frozen(kw_only=True)
class GitAnswer:
    """An answer to give in place of Git's own."""

    status: int
    headers: Mapping[str, str] = attrs.field(factory=dict)
    body: bytes = b""


class GitHttpServer(ThreadingHTTPServer):
    """Serves every repository under *root*; keeps the requests that came.

    With *token*, requests have to carry it: as a Basic password, or with *scheme* "Bearer" as it
    is. `intercept` may answer a request before Git does, `variables` are for Git's environment.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, root: Path, token: str | None = None, scheme: str = "Basic") -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.root = root
        self.token = token
        self.scheme = scheme
        self.requests: list[GitRequest] = []
        self.variables: dict[str, str] = {}
        self.intercept: Callable[[GitRequest], GitAnswer | None] = lambda _request: None

    def url(self, name: str, host: str = "127.0.0.1") -> str:
        """The address of the repository that is called *name* under the root."""
        return f"http://{host}:{self.server_port}/{name}"

    def count(self, method: str) -> int:
        """How many requests came: GET lists refs, POST fetches."""
        return sum(request.method == method for request in self.requests)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that hang up: giving up is what some tests are about."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def refuses(self, request: GitRequest) -> bool:
        """Whether *request* lacks the token."""
        if self.token is None:
            return False
        scheme, _, given = (request.authorization or "").partition(" ")
        if scheme == "Basic":
            given = b64decode(given).decode().partition(":")[2]
        return (scheme, given) != (self.scheme, self.token)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: GitHttpServer

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        request = GitRequest(
            method=self.command,
            path=self.path,
            authorization=self.headers.get("Authorization"),
        )
        self.server.requests.append(request)
        self._send(self._answer(request, body))

    do_POST = do_GET  # noqa: N815 - http.server looks for this name

    def _answer(self, request: GitRequest, body: bytes) -> GitAnswer:
        if self.server.refuses(request):
            challenge = {"WWW-Authenticate": f'{self.server.scheme} realm="git"'}
            return GitAnswer(status=401, headers=challenge)
        return self.server.intercept(request) or self._run_git(body)

    def _run_git(self, body: bytes) -> GitAnswer:
        path, _, query = self.path.partition("?")
        variables = {
            "GIT_PROJECT_ROOT": str(self.server.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "REMOTE_ADDR": self.client_address[0],
        }
        backend = subprocess.run(
            ["git", "http-backend"],
            input=body,
            env={**ISOLATED, **variables, **self.server.variables},
            capture_output=True,
        )
        head, _, content = backend.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        status = int(headers.pop("Status", "200").split()[0])
        return GitAnswer(status=status, headers=headers, body=content)

    def _send(self, answer: GitAnswer) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, *_: object) -> None:
        """Keep the tests' output clean: the server has the requests."""


@contextmanager
def serve_git(
    root: Path, token: str | None = None, scheme: str = "Basic"
) -> Iterator[GitHttpServer]:
    """A running server for the repositories under *root*."""
    with GitHttpServer(root, token, scheme) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
