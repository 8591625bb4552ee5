"""Which release this is."""

import os
import platform
from importlib.metadata import version


def current_release() -> dict[str, str]:
    """Version, and what it runs on. Builds set commit and date through the environment."""
    return {
        "version": version("annals-registry"),
        "commit": os.environ.get("REGISTRY_COMMIT", "unknown"),
        "build_date": os.environ.get("REGISTRY_BUILD_DATE", "unknown"),
        "python_version": platform.python_version(),
        "platform": f"{platform.system().lower()}/{platform.machine()}",
    }
