"""Three servers in a row, each a process of its own: a change at the first arrives at the last."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.harness.registry_world import enveloped, server
from tests.harness.server_process import ServerProcess, started, until

A, B = "com.example/a", "com.example/b"


@contextmanager
def running(folder: Path, source: str, port: int | None = None) -> Iterator[ServerProcess]:
    """A server whose only source is looked at every second."""
    folder.mkdir(exist_ok=True)
    (folder / "annals.yaml").write_text(
        f"sources: [{{name: main, {source}, syncPolicy: {{interval: 1s}}}}]\n"
    )
    with started(folder, port=port) as process:
        process.until_ready()
        yield process


def following(process: ServerProcess) -> str:
    """The source of a server that follows another one."""
    return f"api: {{url: '{process.url}/registry/default'}}"


def offer(folder: Path, *entries: Any) -> None:
    """Let the head offer these from now on."""
    draft = folder / "draft.json"
    draft.write_text(json.dumps(entries))
    draft.rename(folder / "registry.json")


def served(process: ServerProcess) -> list[tuple[str, Any]]:
    """What a server lists: documents as it sends them, and what it says about each."""
    listed = httpx.get(f"{process.url}/v0.1/servers?include_deleted=true&limit=100").json()
    for entry in listed["servers"]:
        (said,) = entry["_meta"].values()
        del said["updatedAt"]  # when that server recorded the last change
    return [(json.dumps(entry["server"]), entry["_meta"]) for entry in listed["servers"]]


def versions(process: ServerProcess) -> list[tuple[str, str, bool]]:
    """Version, status and flag of each entry."""
    found = []
    for text, meta in served(process):
        (said,) = meta.values()
        found.append((json.loads(text)["version"], said["status"], said["isLatest"]))
    return found


CHANGES = [
    [server(A, title="Revised"), server(A, "2.0.0"), server(B)],
    [
        server(A, title="Revised"),
        enveloped(server(A, "2.0.0"), status="deleted"),
        enveloped(server(B), status="deprecated", statusMessage="use a"),
    ],
    [server(A, title="Revised"), enveloped(server(B), status="deprecated")],
]
"""A new version, one that was deleted, and one that was withdrawn."""


def test_a_chain_converges_after_every_change(tmp_path: Path) -> None:
    """What happens at the head arrives at the tail, also after the middle was killed meanwhile."""
    head_folder, middle_folder = tmp_path / "head", tmp_path / "middle"
    head_folder.mkdir()
    offer(head_folder, server(A), server(B))
    with ExitStack() as others:
        head = others.enter_context(running(head_folder, "file: {path: registry.json}"))
        with running(middle_folder, following(head)) as middle:
            tail = others.enter_context(running(tmp_path / "tail", following(middle)))
            for change in CHANGES:
                before = served(head)
                offer(head_folder, *change)
                until(lambda before=before: served(head) != before)
                until(lambda: served(tail) == served(head))
        assert versions(tail) == [("1.0.0", "active", True), ("1.0.0", "deprecated", True)]

        before = served(tail)
        offer(head_folder, server(A), server(A, "3.0.0"))
        until(lambda: "3.0.0" in httpx.get(f"{head.url}/v0.1/servers").text)
        until(lambda: phase(tail) == "Failed")
        assert served(tail) == before
        with running(middle_folder, following(head), middle.port):
            until(lambda: served(tail) == served(head))
        assert [version for version, *_ in versions(tail)] == ["1.0.0", "3.0.0"]


def phase(process: ServerProcess) -> str:
    """Where the sync of its source stands."""
    source = httpx.get(f"{process.url}/v1/sources/main").json()
    return str(source["syncStatus"]["phase"])
