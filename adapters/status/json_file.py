"""Statuses in a JSON file for other programs to read, replaced atomically."""

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import anyio
import anyio.to_thread

from adapters.status.status_json import UNREADABLE, status_members, status_of
from domain.errors import StorageUnavailableError
from domain.identifiers import SourceName
from domain.ports.status import SourceStatus


class JsonFileStatus:
    """StatusPort in one file: an object with a member per source. A reader never sees half."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writing = anyio.Lock()

    async def save(self, source: SourceName, status: SourceStatus) -> None:
        async with self._writing:
            await self._replace({**await self.load(), source: status})

    async def load(self) -> Mapping[SourceName, SourceStatus]:
        return await anyio.to_thread.run_sync(_read, self._path)

    async def discard(self, source: SourceName) -> None:
        async with self._writing:
            kept = {name: status for name, status in (await self.load()).items() if name != source}
            await self._replace(kept)

    async def close(self) -> None:
        pass

    async def _replace(self, statuses: Mapping[SourceName, SourceStatus]) -> None:
        members = {name: status_members(status) for name, status in sorted(statuses.items())}
        text = json.dumps(members, indent=2) + "\n"
        await anyio.to_thread.run_sync(_write, self._path, text)


def _read(path: Path) -> dict[SourceName, SourceStatus]:
    try:
        members = json.loads(path.read_text(encoding="utf-8"))
        return {SourceName(name): status_of(status) for name, status in members.items()}
    except FileNotFoundError:
        return {}
    except (OSError, *UNREADABLE) as error:
        raise StorageUnavailableError(
            f"{path}: {error}: it holds no history, so it may be deleted"
        ) from error


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            Path(name).chmod(0o644)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise StorageUnavailableError(f"{path}: {error.strerror}: is it writable?") from error
