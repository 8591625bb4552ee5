"""The servers that are measured: each is started when it is first needed, all end together."""

import shutil
import statistics
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.benchmarks.data_sets import REAL, configured, registry_file
from tests.benchmarks.long_history import VERSIONS
from tests.benchmarks.memory import until_at_rest
from tests.benchmarks.programs import RAW, SERVER_CORE, Command, Program, hypercorn, serving
from tests.benchmarks.raw_app import raw_path
from tests.benchmarks.wrk import Load

_SAMPLES = 20
_OF_THE_SERVER = {"date", "server", "connection", "transfer-encoding"}


class Stage:
    """Servers over *history* and over registries of other sizes, and loads for them."""

    def __init__(self, history: Path, directory: Path) -> None:
        self.history, self.directory = history, directory
        self._programs: dict[tuple[Any, ...], Program] = {}
        self._stack = ExitStack()

    def __enter__(self) -> "Stage":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def annals(
        self, command: Command = hypercorn, core: int | None = SERVER_CORE, versions: int = VERSIONS
    ) -> Program:
        """Annals with that many versions; all history is that of the largest."""

        def start() -> Program:
            directory = self.history if versions == VERSIONS else self._small(versions)
            program = self._stack.enter_context(serving(directory, command=command, core=core))
            until_at_rest(program.process.pid)
            return program

        return self._program((command, core, versions), start)

    def real(self) -> Program:
        """Annals with what somebody published."""

        def start() -> Program:
            directory = self.directory / "real"
            directory.mkdir()
            shutil.copyfile(REAL, directory / "registry.json")
            program = self._stack.enter_context(serving(configured(directory)))
            until_at_rest(program.process.pid)
            return program

        return self._program((REAL,), start)

    def raw(self, command: Command = hypercorn, core: int | None = SERVER_CORE) -> Program:
        """The raw application."""

        def start() -> Program:
            return self._stack.enter_context(
                serving(self.directory, RAW, command, core, raw_path(200, 0, 1))
            )

        return self._program((RAW, command, core), start)

    def beside_raw(
        self,
        program: Program,
        paths: Sequence[str],
        headers: Mapping[str, str] | None = None,
        command: Command = hypercorn,
    ) -> tuple[Load, Load]:
        """A load for a server, and one for the raw application that answers at equal length."""
        base = constant(program, paths, headers or {})
        return self.load(program, paths, headers), self.load(self.raw(command), [base], headers)

    def load(
        self, program: Program, paths: Sequence[str], headers: Mapping[str, str] | None = None
    ) -> Load:
        """A load for a server."""
        return Load(program.url, paths, self.directory, headers)

    def _small(self, versions: int) -> Path:
        directory = self.directory / f"of-{versions}"
        directory.mkdir()
        registry_file(directory / "registry.json", versions)
        return configured(directory)

    def _program(self, key: tuple[Any, ...], start: Callable[[], Program]) -> Program:
        if key not in self._programs:
            self._programs[key] = start()
        return self._programs[key]


def constant(program: Program, paths: Sequence[str], headers: Mapping[str, str]) -> str:
    """Where the raw application answers as these paths are answered, by some of the last ones.

    Raises:
        RuntimeError: they are answered in different ways.
    """
    answers = [program.get(path, **headers) for path in paths[-_SAMPLES:]]
    statuses = {status for status, _, _ in answers}
    if statuses not in ({200}, {304}):
        raise RuntimeError(f"{paths[-1]}: expected 200 or 304, got {statuses}")
    size = round(statistics.mean(len(body) for _, _, body in answers))
    count = max(len(named.keys() - _OF_THE_SERVER) for _, named, _ in answers)
    return raw_path(statuses.pop(), size, count)
