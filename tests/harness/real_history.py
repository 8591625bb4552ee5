"""The 387 real revisions of ToolHive's registry, one file's history in a Git bundle."""

import json
import subprocess
from pathlib import Path
from typing import Any

REGISTRY_PATH = "pkg/registry/data/registry.json"


class RealHistory:
    """A bare clone of the bundle whose branch can be moved to any of its revisions."""

    def __init__(self, bundle: Path, directory: Path) -> None:
        self.repository = directory / "history.git"
        _git("clone", "--quiet", "--bare", "--branch", "main", str(bundle), str(self.repository))
        listed = self._git("log", "--reverse", "--format=%H", "main")
        self.revisions = listed.split()

    def move_to(self, revision: str) -> None:
        """Let the branch `main` point at *revision*."""
        self._git("update-ref", "refs/heads/main", revision)

    def registry(self, revision: str) -> dict[str, Any]:
        """What the file held at *revision*."""
        content = self._git("show", f"{revision}:{REGISTRY_PATH}")
        parsed: dict[str, Any] = json.loads(content)
        return parsed

    def commit_seconds(self) -> list[int]:
        """The time of each revision's commit, in seconds since 1970."""
        return [int(line) for line in self._git("log", "--reverse", "--format=%ct", "main").split()]

    def _git(self, *arguments: str) -> str:
        return _git("--git-dir", str(self.repository), *arguments)


def _git(*arguments: str) -> str:
    done = subprocess.run(("git", *arguments), check=True, capture_output=True, text=True)
    return done.stdout
