"""The command line."""

import click

from entrypoints.commands.config import config
from entrypoints.commands.diff import diff
from entrypoints.commands.history import history
from entrypoints.commands.key import key
from entrypoints.commands.log import log
from entrypoints.commands.pin import pin, pins
from entrypoints.commands.redact import redact
from entrypoints.commands.replay import replay
from entrypoints.commands.serve import serve
from entrypoints.commands.status import status
from entrypoints.commands.sync import sync
from entrypoints.commands.verify import verify
from entrypoints.commands.version import version


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def main() -> None:
    """Annals, the registry of MCP servers that never forgets.

    Exit codes: 0 done, 1 failed, 2 used wrongly.
    """


_READING = (replay, history, diff, log, status, verify)
for command in (serve, sync, *_READING, pin, pins, redact, key, config, version):
    main.add_command(command)
