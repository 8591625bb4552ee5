"""The installed `registry` command, run as people run it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import attrs

COMMAND = Path(sys.executable).with_name("registry")
PATIENCE_SECONDS = 60
_OWN_VARIABLES = ("REGISTRY_CONFIG", "REGISTRY_DATA_DIR")


@attrs.frozen(kw_only=True)
class Done:
    """How a command ended, and what it wrote."""

    code: int
    output: bytes
    errors: str

    @property
    def text(self) -> str:
        """Standard output."""
        return self.output.decode()

    @property
    def json(self) -> Any:
        """Standard output, which must be one JSON value."""
        return json.loads(self.output)


def environment(**variables: str) -> dict[str, str]:
    """This process's environment without what configures Annals, and with *variables*."""
    kept = {name: value for name, value in os.environ.items() if name not in _OWN_VARIABLES}
    return {**kept, **variables}


def registry(*arguments: object, cwd: Path, **variables: str) -> Done:
    """Run `registry` with *arguments* in a working directory, to its end."""
    done = subprocess.run(
        [COMMAND, *map(str, arguments)],
        cwd=cwd,
        env=environment(**variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=PATIENCE_SECONDS,
    )
    return Done(code=done.returncode, output=done.stdout, errors=done.stderr.decode())
