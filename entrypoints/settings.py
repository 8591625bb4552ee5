"""Which configuration and which data directory: options first, then the environment."""

import os
from pathlib import Path

import attrs

from domain.definitions import Definitions
from domain.errors import ConfigError, ConfigProblem
from entrypoints.config import Config, example_config, load

CONFIG_VARIABLE = "REGISTRY_CONFIG"
DATA_DIR_VARIABLE = "REGISTRY_DATA_DIR"
DEFAULT_DATA_DIR = Path("data")


@attrs.frozen(kw_only=True)
class Settings:
    """A configuration, the file it came from (None: the embedded example), and the data.

    `address` is where to listen instead of where the configuration says.
    """

    config: Config
    config_file: Path | None
    data_dir: Path
    address: str | None = None

    @property
    def listen(self) -> str:
        """Where to listen, as `server.address` is written."""
        return self.address or self.config.server.address


def read_settings(config_file: Path | None = None, data_dir: Path | None = None) -> Settings:
    """Take what is given, else what the environment says, else the embedded example in ./data.

    Raises:
        ConfigError
    """
    file = config_file or _path_from_environment(CONFIG_VARIABLE)
    return Settings(
        config=load(file) if file else example_config(),
        config_file=file,
        data_dir=data_dir or _path_from_environment(DATA_DIR_VARIABLE) or DEFAULT_DATA_DIR,
    )


def refuse_forgotten_config(settings: Settings, definitions: Definitions) -> None:
    """Without a configuration the example is served, but never in place of something else.

    Raises:
        ConfigError: the data directory belongs to a configuration that was not named.
    """
    example = {source.name for source in settings.config.sources}
    if settings.config_file is None and definitions.sources.keys() - example:
        known = ", ".join(sorted(definitions.sources))
        raise ConfigError(
            [
                ConfigProblem(
                    file=str(settings.data_dir),
                    line=None,
                    column=None,
                    key="",
                    message=f"this directory holds the history of {known}: name their "
                    f"configuration with --config or {CONFIG_VARIABLE}, or another --data-dir",
                )
            ]
        )


def _path_from_environment(variable: str) -> Path | None:
    value = os.environ.get(variable)
    return Path(value) if value else None
