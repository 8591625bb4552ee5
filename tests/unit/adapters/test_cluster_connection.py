"""How a cluster is reached: by service account or kubeconfig, and what is told when it is not."""

import asyncio
import gc
import json
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from kubernetes_asyncio.client import ApiException

from adapters.kubernetes import connection
from adapters.kubernetes.asked import Asked, cluster_error
from adapters.kubernetes.connection import ClusterAccess, ask, connect, in_cluster, read_json
from domain.errors import (
    SourceAccessError,
    SourceContentError,
    SourceError,
    SourceUnreachableError,
)
from tests.harness.certificates import Certificate, make_certificate
from tests.harness.kubernetes_server import KubernetesServer, serve_kubernetes

ASKED = Asked(verb="get", resource="configmaps", namespace="annals", name="registry")
SECRET = "s3cret-token"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """What the API server shows."""
    return make_certificate(tmp_path_factory.mktemp("tls"), "kubernetes")


@pytest.fixture
def cluster(certificate: Certificate) -> Iterator[KubernetesServer]:
    """A cluster that is spoken to over TLS, with the ConfigMap annals/registry."""
    with serve_kubernetes(certificate.context()) as cluster:
        cluster.write("registry", data={})
        yield cluster


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let this machine's own cluster and kubeconfig be out of sight."""
    monkeypatch.setattr(connection, "SERVICE_ACCOUNT", tmp_path / "serviceaccount")
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def pod(
    cluster: KubernetesServer,
    certificate: Certificate,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Path:
    """Be a pod of the cluster: the folder that its service account is mounted at."""
    account = tmp_path / "serviceaccount"
    account.mkdir()
    (account / "token").write_text(SECRET)
    (account / "ca.crt").write_bytes(certificate.file.read_bytes())
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(cluster.port))
    return account


async def name_read(access: ClusterAccess | None = None) -> str:
    async with await connect(access or ClusterAccess()) as client:
        config_map = await read_json(client, ASKED)
    return str(config_map["metadata"]["name"])


def write_kubeconfig(
    file: Path, cluster: KubernetesServer, certificate: Certificate, **user: Any
) -> ClusterAccess:
    """A kubeconfig that trusts the certificate."""
    config = json.loads(Path(cluster.kubeconfig(file, **user)).read_text())
    config["clusters"][0]["cluster"]["certificate-authority"] = str(certificate.file)
    file.write_text(json.dumps(config))
    return ClusterAccess(kubeconfig=str(file))


def redirected(cluster: KubernetesServer, folder: Path, address: str) -> ClusterAccess:
    """A kubeconfig that leads to *address*."""
    file = Path(cluster.kubeconfig(folder / "config"))
    file.write_text(file.read_text().replace(cluster.url, address))
    return ClusterAccess(kubeconfig=str(file))


async def test_pod_uses_its_service_account(cluster: KubernetesServer, pod: Path) -> None:
    """Within a cluster nothing has to be configured, and a rotated token is the next one sent."""
    assert in_cluster()
    for cluster.token in (SECRET, "rotated"):
        (pod / "token").write_text(cluster.token)
        assert await name_read() == "registry"
    assert [request.authorization for request in cluster.requests] == [
        f"Bearer {SECRET}",
        "Bearer rotated",
    ]


async def test_explicit_kubeconfig_comes_before_the_service_account(
    cluster: KubernetesServer, certificate: Certificate, pod: Path, tmp_path: Path
) -> None:
    """A pod may read another cluster than its own, or its own as somebody else."""
    access = write_kubeconfig(tmp_path / "other", cluster, certificate, token="other")
    await name_read(access)
    assert cluster.requests[-1].authorization == "Bearer other"


@pytest.mark.parametrize("variable", [True, False], ids=["KUBECONFIG", "~/.kube/config"])
async def test_kubeconfig_of_kubectl(
    cluster: KubernetesServer,
    certificate: Certificate,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    variable: bool,
) -> None:
    """Outside of a cluster, what kubectl would take is taken, as the variable is set now."""
    file = tmp_path / ("mine" if variable else ".kube/config")
    file.parent.mkdir(exist_ok=True)
    write_kubeconfig(file, cluster, certificate, token="mine")
    if variable:
        monkeypatch.setenv("KUBECONFIG", str(file))
    assert not in_cluster()
    assert await name_read() == "registry"


async def test_login_command_is_run_for_each_conversation(
    cluster: KubernetesServer, certificate: Certificate, tmp_path: Path
) -> None:
    """A login that expires is made anew, as the clouds' kubeconfigs do it."""
    status = json.dumps(
        {
            "apiVersion": "client.authentication.k8s.io/v1",
            "kind": "ExecCredential",
            "status": {"token": SECRET},
        }
    )
    command = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": "echo",
        "args": [status],
    }
    cluster.token = SECRET
    assert await name_read(
        write_kubeconfig(tmp_path / "config", cluster, certificate, exec=command)
    )


async def test_login_command_that_fails(
    cluster: KubernetesServer, certificate: Certificate, tmp_path: Path
) -> None:
    """What the command says is passed on."""
    command = {"apiVersion": "client.authentication.k8s.io/v1", "command": "false"}
    access = write_kubeconfig(tmp_path / "config", cluster, certificate, exec=command)
    with pytest.raises(SourceAccessError, match="process returned 1"):
        await connect(access)


async def test_login_command_that_hangs(
    cluster: KubernetesServer,
    certificate: Certificate,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A command that waits for a person does not stop a server."""
    monkeypatch.setattr(connection, "LOGIN_SECONDS", 0.05)
    command = {"apiVersion": "client.authentication.k8s.io/v1", "command": "sleep", "args": ["9"]}
    access = write_kubeconfig(tmp_path / "config", cluster, certificate, exec=command)
    with pytest.raises(SourceAccessError, match=r"no login within 0\.05 seconds"):
        await connect(access)
    for each in gc.get_objects():
        if issubclass(type(each), asyncio.SubprocessTransport):
            each.close()  # kubernetes-asyncio lets the command go on
    await asyncio.sleep(0)  # in which the loop lets go of its pipes


async def test_nothing_at_hand(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Without any credentials the message tells the ways to have some, and nothing else does."""
    with pytest.raises(SourceAccessError, match=r"no such file.*`kubeconfig`.*service account"):
        await connect(ClusterAccess())
    assert not caplog.records


async def test_unknown_context(
    cluster: KubernetesServer, certificate: Certificate, tmp_path: Path
) -> None:
    """The message names the contexts that there are."""
    access = write_kubeconfig(tmp_path / "config", cluster, certificate)
    with pytest.raises(SourceAccessError, match="no context 'prod', only test"):
        await connect(ClusterAccess(kubeconfig=access.kubeconfig, context="prod"))


BROKEN = {
    "empty": "",
    "a list": "[]",
    "no YAML": f"token: {SECRET}: [",
    "binary": "\x00\x01",
    "no contexts": "{current-context: a}",
    "contexts of nothing": "{current-context: a, contexts: [null]}",
    "no cluster": "{current-context: a, contexts: [{name: a, context: {cluster: b}}]}",
    "a misplaced token": json.dumps(
        {
            "current-context": "a",
            "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
            "clusters": [{"name": "a", "cluster": {"server": "https://127.0.0.1:1"}}],
            "users": [{"name": "a", "token": SECRET}],
        }
    ),
    "no certificate": json.dumps(
        {
            "current-context": "a",
            "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
            "clusters": [
                {
                    "name": "a",
                    "cluster": {
                        "server": "https://127.0.0.1:1",
                        "certificate-authority-data": "bm9uZQ==",
                    },
                }
            ],
            "users": [{"name": "a", "user": {"token": SECRET}}],
        }
    ),
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
async def test_broken_kubeconfig(tmp_path: Path, content: str) -> None:
    """Whatever is wrong with it, the message names the file, and nothing secret in it."""
    file = tmp_path / "config"
    file.write_text(content)
    with pytest.raises(SourceAccessError, match=f"^{file} gives no access to a cluster") as caught:
        await connect(ClusterAccess(kubeconfig=str(file)))
    assert SECRET not in str(caught.value)


async def test_stranger_is_not_trusted(
    cluster: KubernetesServer, pod: Path, tmp_path: Path
) -> None:
    """Another authority than the one that is mounted gets no token."""
    (pod / "ca.crt").write_bytes(make_certificate(tmp_path, "other").file.read_bytes())
    with pytest.raises(SourceAccessError, match=r"cannot be trusted .*certificate authority"):
        await name_read()
    assert not cluster.requests


async def test_nobody_answers(cluster: KubernetesServer, pod: Path) -> None:
    """The message has the address that nothing listens at."""
    cluster.go_away()
    with pytest.raises(SourceUnreachableError, match=f"127.0.0.1:{cluster.port} cannot be reached"):
        await name_read()
    cluster.listen()
    assert await name_read() == "registry"


async def test_unknown_host(tmp_path: Path, cluster: KubernetesServer) -> None:
    """A name that no DNS server knows is an API server that cannot be reached."""
    access = redirected(cluster, tmp_path, f"https://cluster.invalid:{cluster.port}")
    with pytest.raises(SourceUnreachableError, match=r"cluster\.invalid:.* cannot be reached"):
        await name_read(access)


@pytest.mark.parametrize("server", ["ftp://127.0.0.1", "nonsense", "https://"])
async def test_address_that_is_none(cluster: KubernetesServer, tmp_path: Path, server: str) -> None:
    """An address that cannot be one is an error as all others are."""
    access = redirected(cluster, tmp_path, server)
    with pytest.raises(SourceError, match=r"annals/registry: .*Check"):
        await name_read(access)


async def test_server_that_speaks_something_else(cluster: KubernetesServer, tmp_path: Path) -> None:
    """A port of another service is named as such."""

    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example.com ESMTP\r\n")
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as other:
        address = f"http://127.0.0.1:{other.sockets[0].getsockname()[1]}"
        access = redirected(cluster, tmp_path, address)
        with pytest.raises(SourceContentError, match="does not speak as an API server"):
            await name_read(access)


async def test_time_out_is_for_the_whole_request(tmp_path: Path) -> None:
    """A server that accepts and says nothing more is given up."""
    watch = Asked(verb="watch", resource="configmaps", namespace="annals", name="registry")
    query = {"watch": "true", "fieldSelector": "metadata.name=registry"}
    with serve_kubernetes() as plain:
        access = ClusterAccess(kubeconfig=plain.kubeconfig(tmp_path / "config"))
        async with await connect(access) as client:
            with pytest.raises(SourceUnreachableError, match="did not answer in time"):
                async with ask(client, watch, query, timeout=0.05) as answer:
                    await answer.read()


@pytest.mark.parametrize(
    ("asked", "path", "rule"),
    [
        (
            ASKED,
            "/api/v1/namespaces/annals/configmaps/registry",
            'Role in the namespace annals with the rule {apiGroups: [""], resources: [configmaps],',
        ),
        (
            Asked(verb="list", resource="mcpservers", group="example.com", version="v1beta1"),
            "/apis/example.com/v1beta1/mcpservers",
            'ClusterRole with the rule {apiGroups: ["example.com"], resources: [mcpservers], verbs',
        ),
    ],
)
def test_forbidden_request_names_the_rule_to_grant(asked: Asked, path: str, rule: str) -> None:
    """Whoever may grant access can copy what the message says."""
    assert asked.path == path
    assert rule in str(cluster_error(ApiException(403, "no"), asked))


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ApiException(500, "\x1b[31mred" * 1000), SourceUnreachableError),
        (ApiException(404, '{"message": 7}'), SourceContentError),
        (ApiException(404, "[" * 100_000), SourceContentError),
        (TimeoutError(), SourceUnreachableError),
        (aiohttp.ServerDisconnectedError(), SourceUnreachableError),
        (aiohttp.ClientPayloadError(), SourceUnreachableError),
        (ssl.SSLError("bad"), SourceUnreachableError),
    ],
)
def test_every_error_becomes_one_printable_line(error: Exception, kind: type[SourceError]) -> None:
    """Nothing that a server says reaches a terminal as it is, or at any length."""
    message = str(cluster_error(error, ASKED))
    assert message.isprintable()
    assert len(message) < 1000
    assert isinstance(cluster_error(error, ASKED), kind)
