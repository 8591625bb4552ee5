"""A mirror of a large registry: the first sync, and one of a few changes, in a real process."""

import json
import time
from bisect import bisect_right
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import httpx

from domain.timestamps import from_rfc_3339, to_rfc_3339
from tests.benchmarks.conftest import VERSIONS
from tests.harness.generator import documents
from tests.harness.hostile_server import Answer, hostile_server
from tests.harness.registry_world import enveloped
from tests.harness.server_process import started, until

_CHANGES = 100
_PATIENCE_SECONDS = 600


class LargeRegistry:
    """An official registry whose pages are found by bisection."""

    def __init__(self, versions: int) -> None:
        long_ago = datetime.now(UTC) - timedelta(days=30)
        rows = sorted((d["name"], d["version"], d) for d in documents(versions))
        self.keys = [f"{name}:{version}" for name, version, _ in rows]
        self.documents = [document for _, _, document in rows]
        self.updated = [long_ago + timedelta(seconds=number % 86400) for number in range(versions)]

    def change(self, count: int) -> None:
        """Let that many documents be others now."""
        for number in range(0, len(self.keys), len(self.keys) // count):
            self.documents[number] = {**self.documents[number], "title": "Another"}
            self.updated[number] = datetime.now(UTC)

    async def answer(self, request):
        """What it says to a request."""
        if request.path != "/v0.1/servers":
            return Answer(status=404)
        headers = {
            "Content-Type": "application/json",
            "Date": format_datetime(datetime.now(UTC), usegmt=True),
        }
        return Answer(headers=headers, body=json.dumps(self._page(request.query)).encode())

    def _page(self, query):
        start = bisect_right(self.keys, query.get("cursor", ""))
        chosen = range(start, len(self.keys))
        if "updated_since" in query:
            since = from_rfc_3339(query["updated_since"])
            chosen = [number for number in chosen if self.updated[number] > since]
        shown = chosen[: int(query["limit"])]
        more = {"nextCursor": self.keys[shown[-1]]} if len(shown) < len(chosen) else {}
        return {
            "servers": [self._served(number) for number in shown],
            "metadata": {"count": len(shown), **more},
        }

    def _served(self, number):
        said = to_rfc_3339(self.updated[number])
        return enveloped(self.documents[number], status="active", updatedAt=said, publishedAt=said)


@asynccontextmanager
async def served(registry):
    async with hostile_server() as server:
        server.answer = registry.answer
        yield server


def test_mirror(benchmark, bench, tmp_path):
    """100,000 versions of 2 KB synced over HTTP, then 100 changes: time, requests, memory."""
    registry = LargeRegistry(VERSIONS)
    with bench.portal.wrap_async_context_manager(served(registry)) as server:
        _configure(tmp_path, server.url(""))
        begun = time.perf_counter()
        with started(tmp_path) as process:
            until(process.is_ready, _PATIENCE_SECONDS)
            first = time.perf_counter() - begun
            asked = len(server.requests)
            registry.change(_CHANGES)

            def sync():
                answer = httpx.post(f"{process.url}/v1/sources/upstream/sync", timeout=60)
                assert answer.json()["counts"]["revised"] == _CHANGES, answer.text

            benchmark.pedantic(sync, rounds=1)
            benchmark.extra_info["first_sync_seconds"] = round(first, 1)
            benchmark.extra_info["first_sync_requests"] = asked
            benchmark.extra_info["requests_for_100_changes"] = len(server.requests) - asked
            benchmark.extra_info["peak_memory_mib"] = _peak_mib(process.process.pid)


def _configure(directory: Path, url: str) -> None:
    (directory / "annals.yaml").write_text(
        f"sources: [{{name: upstream, api: {{url: '{url}'}}, syncPolicy: {{interval: 24h}}}}]\n"
    )


def _peak_mib(pid: int) -> int:
    """The largest resident set of a process so far (proc(5), VmHWM)."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) // 1024
