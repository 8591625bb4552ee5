"""What an API source may be configured with."""

import subprocess
import sys
from pathlib import Path

import pytest

from adapters.sources.api import API, ApiSettings, ApiSource
from adapters.sources.http_access import HttpAccess

URL = "https://registry.example.com/registry/public"


def test_nothing_but_the_address_is_needed() -> None:
    """The rest is what most registries take."""
    settings = ApiSettings(url=URL)
    assert settings.access == HttpAccess()
    assert settings.full_sync_interval_seconds == 24 * 60 * 60


def test_access_is_what_was_configured() -> None:
    """Every setting of HTTP reaches the client."""
    access = HttpAccess(
        timeout_seconds=5.0,
        headers={"X-Team": "a"},
        bearer_token_file="/run/token",
        ca_file="/run/ca.pem",
    )
    settings = ApiSettings(
        url=URL,
        timeout_seconds=access.timeout_seconds,
        headers=access.headers,
        bearer_token_file=access.bearer_token_file,
        ca_file=access.ca_file,
    )
    assert settings.access == access


@pytest.mark.parametrize(
    "url",
    [
        "",
        "registry.example.com",
        "ftp://x",
        "https://",
        "https://u:p@x",
        f"{URL}?token=x",
        "h ttp:",
    ],
)
def test_no_address(url: str) -> None:
    """What cannot be the beginning of an address is told when the configuration is read."""
    with pytest.raises(ValueError, match=r"expected .*address"):
        ApiSettings(url=url)


def test_query_in_the_address_is_refused_unseen() -> None:
    """Paths are put behind the address, and what people write there is often a secret."""
    with pytest.raises(ValueError, match="without a query") as refusal:
        ApiSettings(url=f"{URL}?key=SECRET")
    assert "SECRET" not in str(refusal.value)


@pytest.mark.parametrize("seconds", [0.0, -1.0])
def test_no_interval(seconds: float) -> None:
    """A comparison that is always due is no comparison from time to time."""
    with pytest.raises(ValueError, match="expected a duration above 0s"):
        ApiSettings(url=URL, full_sync_interval_seconds=seconds)


def test_kind_opens_a_source_of_its_settings(tmp_path: Path) -> None:
    """The composition root needs nothing but the kind."""
    settings = ApiSettings(url=URL)
    assert API.open(settings, tmp_path) == ApiSource(settings=settings)
    assert API.location(settings) == URL


def test_kind_loads_no_http_client() -> None:
    """A process that reads no registry by its API does not pay for httpx."""
    code = "import sys, adapters.sources.api; assert 'httpx' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
