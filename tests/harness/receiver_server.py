"""A receiver of webhooks behind a real socket, which can misbehave."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import anyio

from tests.harness.hostile_server import Request
from tests.harness.webhook_receiver import VerifyingReceiver


class Receiver(ThreadingHTTPServer):
    """Takes messages, and answers with `status` instead where there is one: 0 hangs up.

    `told` has all that was answered. It `goes_on` unless that is cleared, when it was `asked`.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behind = VerifyingReceiver()
        self.status: int | None = None
        self.told: list[int] = []
        self.asked, self.goes_on = threading.Event(), threading.Event()
        self.goes_on.set()

    @property
    def url(self) -> str:
        """Where messages go."""
        return f"http://127.0.0.1:{self.server_port}/hook"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        headers = {name.lower(): text for name, text in self.headers.items()}
        body = self.rfile.read(int(headers["content-length"]))
        self.server.asked.set()
        self.server.goes_on.wait()
        request = Request(method="POST", target=self.path, headers=headers, body=body)
        status = self.server.status
        if status is None:
            status = anyio.run(self.server.behind.answer, request).status
        if status:
            with suppress(OSError):  # whoever asked may be gone
                self.send_response(status)
                self.end_headers()
        self.server.told.append(status)

    def log_message(self, *_parts: Any) -> None:
        """Says nothing."""


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver at work."""
    with Receiver() as receiver:
        thread = threading.Thread(target=receiver.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield receiver
        finally:
            receiver.shutdown()
            thread.join()
