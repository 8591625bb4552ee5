"""A whole server, while one of its sources fails in one way after the other."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import attrs
import httpx
from anyio import to_thread

from tests.harness.command_line import PATIENCE_SECONDS
from tests.harness.fault_places import Setting, UrlPlace, registry_file
from tests.harness.faults import FAULTS, Fault
from tests.harness.hostile_server import hostile_server
from tests.harness.server_process import ServerProcess, started
from tests.harness.strikes import NAMES, better, good

CONFIGURATION = """
sources:
  - name: main
    file: {{url: "{url}", timeout: 300ms}}
    syncPolicy: {{interval: 1h}}
  - name: healthy
    file: {{path: healthy.json}}
    syncPolicy: {{interval: 1s}}
registries:
  - {{name: main, sources: [main]}}
  - {{name: healthy, sources: [healthy]}}
server: {{drain: 0s}}
"""
ROWS = {
    "a list of half the size": "guard",
    "time-out": "fetch",
    "HTML login page with 200": "parse",
}
STATUSES = {"fetch": 502, "parse": 502, "guard": 409}
MOST_MIB = 400


@attrs.frozen(kw_only=True)
class Watched:
    """A server, the place of its source, and the file of its healthy one."""

    process: ServerProcess
    client: httpx.AsyncClient
    place: UrlPlace
    setting: Setting

    async def served(self, registry: str) -> bytes:
        """What a registry answers."""
        answer = await self.client.get(f"/registry/{registry}/v0.1/servers?limit=100")
        return answer.raise_for_status().content

    async def status(self) -> Any:
        """What operators are told of the source."""
        answer = await self.client.get("/v1/sources/main")
        return answer.raise_for_status().json()["syncStatus"]

    async def sync(self) -> httpx.Response:
        """Sync the source now."""
        return await self.client.post("/v1/sources/main/sync")

    def offer_beside(self, name: str) -> None:
        """Let the healthy source have one more server than the first."""
        offer = [(each, self.place.entry(each)) for each in ("beside", name)]
        (self.setting.folder / "healthy.json").write_bytes(registry_file(offer))

    async def until_served_beside(self, name: str) -> None:
        """Wait until the healthy source was synced, on its interval of a second."""
        while name.encode() not in await self.served("healthy"):  # noqa: ASYNC110
            await anyio.sleep(0.05)

    def peak_mib(self) -> int:
        """The most memory that the process has had."""
        status = Path(f"/proc/{self.process.process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) // 1024


@asynccontextmanager
async def watched(folder: Path) -> AsyncIterator[Watched]:
    """A server whose sources have been synced."""
    async with hostile_server() as hostile:
        setting = Setting(folder=folder, server=hostile)
        place = UrlPlace(setting)
        place.offer(good(place))
        (folder / "annals.yaml").write_text(CONFIGURATION.format(url=place.where))
        (folder / "healthy.json").write_bytes(registry_file([]))
        with started(folder) as process:
            await to_thread.run_sync(process.until_ready)
            async with httpx.AsyncClient(base_url=process.url, timeout=PATIENCE_SECONDS) as client:
                yield Watched(process=process, client=client, place=place, setting=setting)


def fault_of(row: str, stage: str) -> Fault:
    """The fault of that row which happens to a file by URL."""
    return next(f for f in FAULTS if (f.row, f.stage) == (row, stage) and "file by URL" in f.told)


async def test_faults_one_after_the_other(tmp_path: Path) -> None:
    """Each is told to operators, takes nothing that is served, delays nobody, and passes."""
    async with watched(tmp_path) as server:
        for row, stage in ROWS.items():
            fault, news = fault_of(row, stage), row.replace(" ", "-")
            served = await server.served("main")
            assert served.count(b"io.example/") >= len(NAMES)
            fault.strike(server.place, server.setting.server)
            server.offer_beside(news)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(server.until_served_beside, news)
                answer = await server.sync()
            assert (answer.status_code, answer.json()["stage"]) == (STATUSES[stage], stage)
            status = await server.status()
            assert status["phase"] == "Failed"
            assert re.search(fault.told["file by URL"], status["message"]), status
            assert await server.served("main") == served
            await server.setting.server.behave()
            server.place.offer(better(server.place))
            assert (await server.sync()).status_code == 200
            assert (await server.status())["phase"] == "Complete"
        assert b"io.example/new" in await server.served("main")
        assert server.peak_mib() < MOST_MIB
    assert "Traceback" not in server.process.wrote()
