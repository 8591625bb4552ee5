"""registry serve"""

from pathlib import Path

import click

from entrypoints.commands.options import common_options, listening, run, server_option


@click.command()
@click.option(
    "--address",
    metavar="[HOST]:PORT",
    help="Where to listen.  [default: server.address of the configuration, else :8080]",
)
@server_option
@common_options
def serve(
    address: str | None,
    server: str,
    config_file: Path | None,
    data_dir: Path | None,
    as_json: bool,
) -> None:
    """Serve the registry over HTTP and keep its sources in sync.

    Stops on SIGTERM or Ctrl-C: first /readiness says 503, then open requests end, then the
    log is closed. SIGHUP, or a change of the configuration file, makes it read the file again.
    With --json log lines are JSON.
    """
    from entrypoints.serve import serve as serve_until_stopped
    from entrypoints.settings import read_settings

    async def work() -> None:
        settings = read_settings(config_file, data_dir)
        if address is not None:
            settings = listening(settings, address)
        await serve_until_stopped(settings, server, json_logs=as_json)

    run(work, serves=True)
