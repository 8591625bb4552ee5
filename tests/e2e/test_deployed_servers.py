"""The servers of a cluster, out of a configuration and a process of its own."""

from pathlib import Path

import httpx
import pytest

from tests.harness.mcp_servers_api import mcp_server, mcp_servers_api, write_kubeconfig
from tests.harness.server_process import started

CONFIGURATIONS = {
    "single": """
registryName: ours
source: {type: file, file: {path: offered.json}}
""",
    "full": """
sources: [{name: main, file: {path: offered.json}}]
registries: [{name: ours, sources: [main]}]
""",
}


@pytest.mark.parametrize("form", CONFIGURATIONS)
def test_the_configured_cluster_is_shown(tmp_path: Path, form: str) -> None:
    """A change in the cluster is in the next answer, and a cluster that is gone is told."""
    (tmp_path / "offered.json").write_text("[]")
    (tmp_path / "annals.yaml").write_text(
        f"{CONFIGURATIONS[form]}\nkubernetes: {{kubeconfig: kubeconfig, context: there}}\n"
    )
    with mcp_servers_api() as api:
        write_kubeconfig(tmp_path / "kubeconfig", api.url)
        with started(tmp_path) as server:
            server.until_ready()
            url = f"{server.url}/api/v0/deployed"
            assert httpx.get(url).json() == []
            api.objects = [mcp_server("fetch", registry="ours")]
            assert [each["name"] for each in httpx.get(url).json()] == ["fetch"]
            assert httpx.get(f"{url}/fetch").json() == httpx.get(url).json()
            api.server_close()
            api.shutdown()
            assert httpx.get(url).status_code == 502
    assert "Traceback" not in server.wrote()
