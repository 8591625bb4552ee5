"""Real Git repositories for tests, made with the git command, apart from any user's settings."""

import os
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

ISOLATED = {
    **os.environ,
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.org",
}
FIRST_COMMIT_AT = datetime(2024, 2, 29, 12, tzinfo=UTC)


class GitRepository:
    """A repository with a work tree. Its commits are one hour apart."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._commits = 0
        subprocess.run(["git", "init", "-q", "-b", "main", str(path)], check=True, env=ISOLATED)

    def git(self, *arguments: str) -> str:
        """What a git command in this repository prints."""
        now = (FIRST_COMMIT_AT + timedelta(hours=self._commits)).isoformat()
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.path,
            check=True,
            capture_output=True,
            text=True,
            env={**ISOLATED, "GIT_COMMITTER_DATE": now, "GIT_AUTHOR_DATE": now},
        )
        return done.stdout.strip()

    def write(self, files: Mapping[str, bytes]) -> None:
        """Put *files* into the index."""
        for name, content in files.items():
            (self.path / name).parent.mkdir(parents=True, exist_ok=True)
            (self.path / name).write_bytes(content)
        self.git("add", "--all")

    def commit(self, files: Mapping[str, bytes], *options: str) -> str:
        """Commit *files*, beside those that are there; the id of the commit."""
        self.write(files)
        self.git("commit", "-q", "--allow-empty", "-m", "change", *options)
        self._commits += 1
        return self.git("rev-parse", "HEAD")

    def bare(self, path: Path) -> Path:
        """A bare clone at *path*."""
        self.git("clone", "-q", "--bare", ".", str(path))
        return path
