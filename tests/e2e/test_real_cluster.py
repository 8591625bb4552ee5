"""A real Kubernetes API server: the one that KUBECONFIG names."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.harness.example_files import manifest, manifests
from tests.harness.mcp_servers_api import GROUP, mcp_server
from tests.harness.real_cluster import Cluster, real_cluster
from tests.harness.server_process import ServerProcess, started, until

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(
        "KUBECONFIG" not in os.environ, reason="set KUBECONFIG to that of a cluster to try it in"
    ),
]

PROMISED_SECONDS = 2
CONFIGURATION = """
registryName: {namespace}
source:
  type: configmap
  configmap: {{namespace: {namespace}, name: mcp-registry{access}}}
syncPolicy: {{interval: 1h}}
kubernetes: {kubernetes}
"""
ANY = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
MCP_SERVERS = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": f"mcpservers.{GROUP}"},
    "spec": {
        "group": GROUP,
        "scope": "Namespaced",
        "names": {"kind": "MCPServer", "plural": "mcpservers"},
        "versions": [
            {
                "name": name,
                "served": True,
                "storage": name == "v1beta1",
                "subresources": {"status": {}},
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {"spec": ANY, "status": ANY},
                    }
                },
            }
            for name in ("v1alpha1", "v1beta1")
        ],
    },
}


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with real_cluster() as cluster:
        yield cluster


def configure(directory: Path, cluster: Cluster, kubeconfig: str = "") -> None:
    """A source in the cluster, read once an hour, as the user of a kubeconfig."""
    text = CONFIGURATION.format(
        namespace=cluster.namespace,
        access=kubeconfig and f", kubeconfig: {kubeconfig}",
        kubernetes=f"{{kubeconfig: {kubeconfig}}}" if kubeconfig else "{}",
    )
    (directory / "annals.yaml").write_text(text)


def config_map(cluster: Cluster, *names: str) -> Mapping[str, Any]:
    """A ConfigMap that offers servers of these names."""
    image = '{"image": "ghcr.io/a/b:1.0.0", "description": "Does things.", "transport": "stdio"}'
    servers = ", ".join(f'"{name}": {image}' for name in names)
    return {
        **cluster.here(manifest("ConfigMap", "mcp-registry")),
        "data": {"registry.json": f'{{"version": "1.0.0", "servers": {{{servers}}}}}'},
    }


def names_at(server: ServerProcess) -> list[str]:
    """The short names that the server lists."""
    answer = httpx.get(f"{server.url}/api/v0/servers").raise_for_status().json()
    return [str(each["name"]) for each in answer["servers"]]


def status_at(server: ServerProcess, cluster: Cluster) -> dict[str, Any]:
    """How the last sync of the source went."""
    answer = httpx.get(f"{server.url}/v1/sources/{cluster.namespace}").raise_for_status().json()
    status: dict[str, Any] = answer["syncStatus"]
    return status


def until_listed(server: ServerProcess, *names: str, seconds: float = PROMISED_SECONDS) -> None:
    """Wait until the server lists exactly these."""
    until(lambda: sorted(names_at(server)) == sorted(names), within_seconds=seconds)


def test_a_config_map_is_followed(tmp_path: Path, cluster: Cluster) -> None:
    """What is changed in the cluster shows at once, however seldom the source is read; a
    ConfigMap that is gone takes nothing away, and one that is back is followed again."""
    cluster.create(config_map(cluster, "a"))
    configure(tmp_path, cluster)
    with started(tmp_path) as server:
        server.until_ready()
        assert names_at(server) == ["a"]
        cluster.change(config_map(cluster, "a", "b"))
        until_listed(server, "a", "b")
        cluster.delete(config_map(cluster))
        until(
            lambda: status_at(server, cluster)["phase"] == "Failed",
            within_seconds=PROMISED_SECONDS,
        )
        assert "404" in status_at(server, cluster)["message"]
        assert sorted(names_at(server)) == ["a", "b"]
        cluster.create(config_map(cluster, "a", "b", "c"))
        until_listed(server, "a", "b", "c")
        assert status_at(server, cluster)["phase"] == "Complete"
    assert "Traceback" not in server.wrote()


def test_the_example_role_is_what_a_source_needs(tmp_path: Path, cluster: Cluster) -> None:
    """Without the Role of the example the status names the missing rule; with it the ConfigMap
    is read and followed, without a restart."""
    cluster.create(cluster.here(manifest("ServiceAccount", "annals")))
    cluster.create(config_map(cluster, "a"))
    cluster.write_kubeconfig(tmp_path / "kubeconfig", "annals")
    configure(tmp_path, cluster, "kubeconfig")
    with started(tmp_path) as server:
        server.until_ready()
        message = status_at(server, cluster)["message"]
        assert "answered 403" in message
        assert f"a Role in the namespace {cluster.namespace}" in message
        assert 'apiGroups: [""], resources: [configmaps], resourceNames: [mcp-registry]' in message
        cluster.create(cluster.here(manifest("Role", "annals-source")))
        cluster.create(cluster.here(manifest("RoleBinding", "annals-source")))
        until_listed(server, "a", seconds=30)
        cluster.change(config_map(cluster, "a", "b"))
        until_listed(server, "a", "b", seconds=30)  # by the watch, which is tried again ever later
    assert "Traceback" not in server.wrote()


@pytest.fixture
def mcp_servers(cluster: Cluster) -> Cluster:
    """A cluster that has MCPServers: its own kind of them, else one for the test."""
    if not cluster.has(MCP_SERVERS):
        cluster.create(MCP_SERVERS)
    until(lambda: cluster.client.get(f"/apis/{GROUP}/v1beta1/mcpservers").status_code == 200)
    return cluster


def test_what_is_deployed_is_shown(tmp_path: Path, mcp_servers: Cluster) -> None:
    """To whom the example's ClusterRole is bound: the MCPServers with the labels of the registry,
    ready when they run. To others: which rule is missing."""
    cluster = mcp_servers
    cluster.create(cluster.here(manifest("ServiceAccount", "annals")))
    cluster.write_kubeconfig(tmp_path / "kubeconfig", "annals")
    configure(tmp_path, cluster, "kubeconfig")
    ours = mcp_server("fetch", namespace=cluster.namespace, registry=cluster.namespace)
    with started(tmp_path) as server:
        server.until_ready()
        url = f"{server.url}/api/v0/deployed"
        refused = httpx.get(url)
        assert refused.status_code == 502
        assert f'apiGroups: ["{GROUP}"], resources: [mcpservers]' in refused.json()["detail"]
        cluster.create(cluster.here(manifest("ClusterRole", "annals-deployed")))
        cluster.create(cluster.here(manifest("ClusterRoleBinding", "annals-deployed")))
        until(lambda: httpx.get(url).status_code == 200)
        cluster.create(ours)
        cluster.create(mcp_server("other", namespace=cluster.namespace, registry="another"))
        (pending,) = httpx.get(url).json()
        assert (pending["name"], pending["namespace"]) == ("fetch", cluster.namespace)
        assert (pending["status"], pending["ready"]) == ("", False)
        cluster.change(ours, "status")
        (running,) = httpx.get(url).json()
        assert (running["status"], running["ready"]) == ("Running", True)
        assert running["endpoint_url"] == ours["status"]["url"]
        assert running in httpx.get(f"{url}/fetch").json()
        assert running in httpx.get(f"{server.url}/api/v0/servers/deployed/fetch").json()
    assert "Traceback" not in server.wrote()


def test_the_example_manifests_are_accepted(cluster: Cluster) -> None:
    """The API server takes every object of the example without a warning, such as one that a pod
    breaks the security standard of its namespace."""
    for each in manifests():
        if each["kind"] != "Namespace":  # that of the test was made of it
            assert cluster.warnings(cluster.here(each)) == [], each["kind"]
