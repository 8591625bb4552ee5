"""A namespace of one's own behind the Kubernetes API server that KUBECONFIG names."""

import asyncio
import json
import ssl
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import httpx
from kubernetes_asyncio.client import Configuration
from kubernetes_asyncio.config import load_kube_config

from tests.harness.example_files import manifest

_CLUSTER_WIDE = ("Namespace", "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition")


@attrs.frozen(kw_only=True)
class Cluster:
    """What a test does in a cluster. It removes what it has created itself."""

    namespace: str
    access: Configuration
    client: httpx.Client
    created: list[str] = attrs.Factory(list)

    def create(self, item: Mapping[str, Any]) -> None:
        """Make an object."""
        self.client.post(self._collection(item), json=item).raise_for_status()
        self.created.append(self._path(item))

    def has(self, item: Mapping[str, Any]) -> bool:
        """Whether there is an object of that kind and name."""
        return self.client.get(self._path(item)).status_code == 200

    def warnings(self, item: Mapping[str, Any]) -> list[str]:
        """What the API server warns of in an object that it takes, but does not keep."""
        answer = self.client.post(
            self._collection(item),
            params={"dryRun": "All", "fieldValidation": "Strict"},
            json=item,
        )
        assert answer.status_code == 201, answer.text
        return answer.headers.get_list("Warning")

    def change(self, item: Mapping[str, Any], part: str = "") -> None:
        """Merge into an object, or into a part of it such as `status`."""
        answer = self.client.patch(
            f"{self._path(item)}/{part}".rstrip("/"),
            headers={"Content-Type": "application/merge-patch+json"},
            json=item,
        )
        answer.raise_for_status()

    def delete(self, item: Mapping[str, Any]) -> None:
        """Remove an object."""
        self.client.delete(self._path(item)).raise_for_status()
        self.created.remove(self._path(item))

    def here(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """The same object in this namespace; what belongs to no namespace is named after it."""
        moved: dict[str, Any] = json.loads(json.dumps(item))
        if moved["kind"] in _CLUSTER_WIDE:
            moved["metadata"]["name"] = self.namespace
        else:
            moved["metadata"]["namespace"] = self.namespace
        for subject in moved.get("subjects", ()):
            subject["namespace"] = self.namespace
        if moved.get("roleRef", {}).get("kind") == "ClusterRole":
            moved["roleRef"]["name"] = self.namespace
        return moved

    def write_kubeconfig(self, path: Path, service_account: str) -> None:
        """Let a kubeconfig be for a service account of this namespace, for an hour."""
        answer = self.client.post(
            f"/api/v1/namespaces/{self.namespace}/serviceaccounts/{service_account}/token",
            json={"spec": {"expirationSeconds": 3600}},
        )
        user = {"token": answer.raise_for_status().json()["status"]["token"]}
        cluster = {"server": self.access.host, "insecure-skip-tls-verify": True}
        if self.access.verify_ssl:
            trusted = self.access.ssl_ca_cert
            cluster = {"server": self.access.host, "certificate-authority": trusted}
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "here",
            "clusters": [{"name": "cluster", "cluster": cluster}],
            "users": [{"name": "user", "user": user}],
            "contexts": [{"name": "here", "context": {"cluster": "cluster", "user": "user"}}],
        }
        path.write_text(json.dumps(content))

    def _path(self, item: Mapping[str, Any]) -> str:
        return f"{self._collection(item)}/{item['metadata']['name']}"

    def _collection(self, item: Mapping[str, Any]) -> str:
        version = item["apiVersion"]
        base = f"/apis/{version}" if "/" in version else f"/api/{version}"
        plural = f"{item['kind'].lower()}s"
        if item["kind"] in _CLUSTER_WIDE:
            return f"{base}/{plural}"
        namespace = item["metadata"].get("namespace", self.namespace)
        return f"{base}/namespaces/{namespace}/{plural}"


@contextmanager
def real_cluster() -> Iterator[Cluster]:
    """A new namespace as in the example; all that was created is removed again, the last first."""
    access = Configuration()
    asyncio.run(load_kube_config(client_configuration=access))
    namespace = f"annals-test-{uuid.uuid4().hex[:8]}"
    with _client(access) as client:
        cluster = Cluster(namespace=namespace, access=access, client=client)
        cluster.create(cluster.here(manifest("Namespace", "annals")))
        try:
            yield cluster
        finally:
            for path in reversed(cluster.created):
                client.delete(path)


def _client(access: Configuration) -> httpx.Client:
    trusted = ssl.create_default_context(cafile=access.ssl_ca_cert)
    # As kubectl does: the authorities of many clusters lack extensions that RFC 5280 asks for.
    trusted.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if access.cert_file:
        trusted.load_cert_chain(access.cert_file, access.key_file)
    return httpx.Client(
        base_url=access.host,
        verify=trusted if access.verify_ssl else False,
        headers={"Authorization": token} if (token := access.api_key.get("BearerToken")) else {},
        timeout=30,
    )
