"""Deployed servers, read over HTTP from what answers as an API server does."""

import json
import random
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from anyio import (
    CancelScope,
    create_task_group,
    fail_after,
    sleep,
    wait_all_tasks_blocked,
)
from hypothesis import assume, given
from hypothesis import strategies as st

from adapters.kubernetes import connection
from adapters.kubernetes import deployed as adapter
from adapters.kubernetes.connection import ClusterAccess
from adapters.kubernetes.deployed import (
    KubernetesDeployed,
    NoCluster,
    deployed_server,
    deployed_servers,
    registry_selector,
    server_selector,
)
from domain.errors import (
    InvalidNameError,
    SourceAccessError,
    SourceContentError,
    SourceError,
    SourceUnreachableError,
)
from domain.ports.deployed import DeployedPort, DeployedServer
from tests.harness.mcp_servers_api import (
    REGISTRY_NAME,
    REGISTRY_NAMESPACE,
    SERVER_NAME,
    Answer,
    ListRequest,
    McpServersApi,
    mcp_server,
    mcp_servers_api,
    write_kubeconfig,
)

FETCH = DeployedServer(
    name="fetch",
    namespace="team-a",
    status="Running",
    image="ghcr.io/example/fetch:1.0.0",
    transport="streamable-http",
    ready=True,
    endpoint_url="http://fetch.team-a.svc.cluster.local:8080/mcp",
)
LEGAL = st.from_regex(r"[A-Za-z0-9]([-_.A-Za-z0-9]{0,61}[A-Za-z0-9])?", fullmatch=True)
PARTS = st.sampled_from(
    [*"aZ09-_./, =!()\n", "io.github.stacklok/", "é", "\N{ARABIC-INDIC DIGIT ONE}"]
)


@pytest.fixture
def api() -> Iterator[McpServersApi]:
    """An API server without objects."""
    with mcp_servers_api() as running:
        yield running


@pytest.fixture
def access(api: McpServersApi, tmp_path: Path) -> ClusterAccess:
    """The way to it."""
    return ClusterAccess(kubeconfig=str(write_kubeconfig(tmp_path / "kubeconfig", api.url)))


@pytest.fixture
def deployed(access: ClusterAccess) -> DeployedPort:
    """What is tested."""
    return KubernetesDeployed(access)


def versions_asked(api: McpServersApi) -> list[str]:
    """Which versions were asked for since this was last looked at."""
    asked = [request.version for request in api.requests]
    api.requests.clear()
    return asked


async def test_servers_of_a_registry(api: McpServersApi, deployed: DeployedPort):
    """Those with its name whose registry has a namespace, out of all namespaces, in order."""
    nowhere = mcp_server("nowhere")
    del nowhere["metadata"]["labels"][REGISTRY_NAMESPACE]
    api.objects = [
        mcp_server("time", namespace="team-a"),
        mcp_server("fetch", namespace="team-b"),
        mcp_server("fetch", namespace="team-a"),
        mcp_server("other", registry="other"),
        nowhere,
    ]

    found = await deployed.of_registry("default")

    assert found[0] == FETCH
    assert [(one.namespace, one.name) for one in found] == [
        ("team-a", "fetch"),
        ("team-a", "time"),
        ("team-b", "fetch"),
    ]
    assert api.requests[0].selector == f"{REGISTRY_NAME}=default,{REGISTRY_NAMESPACE}"
    assert api.requests[0].authorization == "Bearer a-token"


@pytest.mark.parametrize("name", ["fetch", "io.github.stacklok/fetch"])
async def test_where_a_server_runs(api: McpServersApi, deployed: DeployedPort, name: str):
    """By the label with its short key, whichever name the object has."""
    api.objects = [
        mcp_server("fetch-2", namespace="team-a", server_name="fetch", registry="other"),
        mcp_server("fetch", server_name="another"),
    ]

    (found,) = await deployed.of_server(name)

    assert (found.namespace, found.name) == ("team-a", "fetch-2")
    assert api.requests[0].selector == f"{SERVER_NAME}=fetch"


async def test_many_objects_come_in_pages(api: McpServersApi, deployed: DeployedPort):
    """Each once, at most 500 at a time, whatever order they come in."""
    names = [f"server-{number:04}" for number in range(1200)]
    api.objects = [mcp_server(name) for name in random.Random(1).sample(names, len(names))]

    found = await deployed.of_registry("default")

    assert [one.name for one in found] == names
    assert [(request.limit, request.token) for request in api.requests] == [
        (500, ""),
        (500, "500"),
        (500, "1000"),
    ]


async def test_an_expired_page_starts_over(api: McpServersApi, deployed: DeployedPort):
    """The state that the pages were of is gone: what it held is forgotten and read anew."""
    api.objects = [mcp_server(f"server-{number:04}") for number in range(600)]

    def expire_once(request: ListRequest) -> Answer | None:
        if request.token and len(api.requests) == 2:
            api.objects = api.objects[1:]
            return Answer(410)
        return None

    api.intercept = expire_once

    found = await deployed.of_registry("default")

    assert [one.name for one in found] == [f"server-{number:04}" for number in range(1, 600)]
    assert [request.token for request in api.requests] == ["", "500", "", "500"]


async def test_pages_that_do_not_end_are_an_error(api: McpServersApi, deployed: DeployedPort):
    """A proxy that loses the token would send the same page for ever."""
    body = json.dumps({"metadata": {"continue": "again"}, "items": []}).encode()
    api.intercept = lambda _request: Answer(200, body)

    with pytest.raises(SourceContentError, match="the same page again and again"):
        await deployed.of_registry("default")
    assert len(api.requests) == 2


@pytest.mark.parametrize("versions", [["v1beta1"], ["v1alpha1"], ["v1beta1", "v1alpha1"]])
async def test_either_version_tells_all(
    api: McpServersApi, deployed: DeployedPort, versions: list[str]
):
    """Nothing is told twice where both are served; v1beta1 is asked for first."""
    api.objects = [mcp_server("fetch", namespace="team-a")]
    api.versions = versions

    assert list(await deployed.of_registry("default")) == [FETCH]
    assert versions_asked(api)[-1] == versions[0]


async def test_the_version_that_answered_is_asked_first(api: McpServersApi, deployed: DeployedPort):
    """Until it is no longer served: then it is found out anew."""
    api.objects = [mcp_server("fetch", namespace="team-a")]
    api.versions = ["v1alpha1"]
    await deployed.of_registry("default")
    assert versions_asked(api) == ["v1beta1", "v1alpha1"]

    await deployed.of_server("fetch")
    assert versions_asked(api) == ["v1alpha1"]

    api.versions = ["v1beta1"]
    assert list(await deployed.of_registry("default")) == [FETCH]
    assert versions_asked(api) == ["v1alpha1", "v1beta1"]


async def test_a_cluster_without_toolhive_has_none(api: McpServersApi, deployed: DeployedPort):
    """Before the resource is defined nothing is deployed, and afterwards it is found."""
    api.objects = [mcp_server("fetch", namespace="team-a")]
    api.versions = []
    assert list(await deployed.of_registry("default")) == []
    assert list(await deployed.of_server("fetch")) == []

    api.versions = ["v1alpha1"]
    assert list(await deployed.of_server("fetch")) == [FETCH]


async def test_what_the_account_may_not_is_told(api: McpServersApi, deployed: DeployedPort):
    """With the rule that it needs, over all namespaces."""
    api.intercept = lambda _request: Answer(403, b'{"message": "not you"}')

    with pytest.raises(SourceAccessError) as told:
        await deployed.of_registry("default")

    message = str(told.value)
    assert "not you" in message
    assert "a ClusterRole" in message
    assert 'apiGroups: ["toolhive.stacklok.dev"]' in message
    assert "resources: [mcpservers]" in message
    assert "verbs: [list]" in message
    assert "a-token" not in message


async def test_a_token_that_was_rotated_is_used(
    api: McpServersApi, deployed: DeployedPort, access: ClusterAccess
):
    """Credentials are read anew for each question."""
    api.intercept = lambda request: (
        None if request.authorization == "Bearer second" else Answer(401)
    )
    with pytest.raises(SourceAccessError, match="401"):
        await deployed.of_registry("default")

    write_kubeconfig(Path(access.kubeconfig or ""), api.url, token="second")

    assert list(await deployed.of_registry("default")) == []


async def test_a_cluster_that_is_gone_is_told(tmp_path: Path):
    """And where it should be."""
    with mcp_servers_api() as api:
        url = api.url
    kubeconfig = write_kubeconfig(tmp_path / "kubeconfig", url)

    with pytest.raises(SourceUnreachableError, match=f"mcpservers: {url} cannot be reached"):
        await KubernetesDeployed(ClusterAccess(kubeconfig=str(kubeconfig))).of_server("fetch")


async def test_a_cluster_that_takes_too_long_is_told(
    deployed: DeployedPort, monkeypatch: pytest.MonkeyPatch
):
    """All pages together have a time limit, so that no client waits for ever."""
    monkeypatch.setattr(adapter, "_ALL_PAGES_SECONDS", 0.0)

    with pytest.raises(SourceUnreachableError, match="did not answer in time"):
        await deployed.of_registry("default")


async def test_a_cluster_that_comes_back_is_read(api: McpServersApi, deployed: DeployedPort):
    """After an error the next question is a fresh one."""
    api.intercept = lambda _request: Answer(500)
    with pytest.raises(SourceUnreachableError):
        await deployed.of_registry("default")

    api.intercept = lambda _request: None

    assert list(await deployed.of_registry("default")) == []


class HeldAnswers:
    """Lists that an API server answers when the test lets it, and as it is then."""

    def __init__(self, api: McpServersApi) -> None:
        self._api = api
        self._may_answer = threading.Semaphore(0)
        api.intercept = self._intercept

    def _intercept(self, _request: ListRequest) -> None:
        self._may_answer.acquire(timeout=10)

    async def next(self, number: int) -> None:
        """Wait for the list of that number, counted from 1, and answer it."""
        await self.asked(number)
        self._may_answer.release()

    async def asked(self, number: int) -> None:
        """Wait until the list of that number was asked for."""
        with fail_after(10):
            while len(self._api.requests) < number:  # noqa: ASYNC110
                await sleep(0.001)


async def test_who_asks_at_once_shares_a_list(api: McpServersApi, deployed: DeployedPort):
    """One that began after they asked: of one that is under way nobody knows what it has seen."""
    held, found = HeldAnswers(api), list[Sequence[DeployedServer]]()

    async def ask() -> None:
        found.append(await deployed.of_server("fetch"))

    async with create_task_group() as tasks:
        tasks.start_soon(ask)
        await held.asked(1)
        for _ in range(50):
            tasks.start_soon(ask)
        await wait_all_tasks_blocked()
        await held.next(1)
        await held.asked(2)
        api.objects = [mcp_server("fetch", namespace="team-a")]
        await held.next(2)

    assert list(map(list, found)) == [[], *[[FETCH]] * 50]
    assert len(api.requests) == 2


async def test_a_list_goes_on_without_who_began_it(api: McpServersApi, deployed: DeployedPort):
    """Whoever waited for it as well asks in their place."""
    held, found = HeldAnswers(api), list[Sequence[DeployedServer]]()
    api.objects = [mcp_server("fetch", namespace="team-a")]
    first, second = CancelScope(), CancelScope()

    async def ask(scope: CancelScope) -> None:
        with scope:
            found.append(await deployed.of_server("fetch"))

    async with create_task_group() as tasks:
        for scope in (first, second, CancelScope(), CancelScope()):
            tasks.start_soon(ask, scope)
        await held.asked(1)
        first.cancel()
        await held.asked(2)
        second.cancel()
        for number in (1, 2, 3):
            await held.next(number)

    assert list(map(list, found)) == [[FETCH]] * 2
    assert len(api.requests) == 3


async def test_an_error_is_told_to_all_who_share_it(api: McpServersApi, deployed: DeployedPort):
    """None of them waits for a time-out of their own."""
    api.intercept = lambda _request: Answer(503)
    told = list[SourceError]()

    async def ask() -> None:
        with pytest.raises(SourceUnreachableError) as refused:
            await deployed.of_server("fetch")
        told.append(refused.value)

    async with create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(ask)

    assert len(told) == 10
    assert len(api.requests) <= 2


async def test_other_questions_do_not_wait(api: McpServersApi, deployed: DeployedPort):
    """A list is shared by those who ask for the same server or registry."""
    held = HeldAnswers(api)

    async with create_task_group() as tasks:
        tasks.start_soon(deployed.of_server, "fetch")
        await held.asked(1)
        tasks.start_soon(deployed.of_server, "time")
        await held.next(2)
        await held.next(2)


async def test_a_kubeconfig_that_is_not_there_is_told(tmp_path: Path):
    """By its name."""
    access = ClusterAccess(kubeconfig=str(tmp_path / "nothing"))

    with pytest.raises(SourceAccessError, match="nothing gives no access"):
        await KubernetesDeployed(access).of_registry("default")


@pytest.mark.parametrize(
    "body", [b"<html>", b"[]", b"{}", b'{"items": 5}', b'{"items": {}}', b"[" * 100_000, b"\xff"]
)
async def test_something_else_than_a_list_is_an_error(
    api: McpServersApi, deployed: DeployedPort, body: bytes
):
    """A login page or a proxy is no cluster in which nothing runs."""
    api.intercept = lambda _request: Answer(200, body)

    with pytest.raises(SourceError, match="Check its address"):
        await deployed.of_registry("default")


async def test_a_list_of_nothing(api: McpServersApi, deployed: DeployedPort):
    """Go writes an empty list as null where nobody made one."""
    api.intercept = lambda _request: Answer(200, b'{"items": null}')

    assert list(await deployed.of_registry("default")) == []


async def test_odd_objects_do_not_spoil_the_others(api: McpServersApi, deployed: DeployedPort):
    """They are told as far as they can be read."""
    odd = mcp_server("odd", namespace="a")
    odd["spec"], odd["status"] = [], {"phase": 5, "url": None}
    api.objects = [mcp_server("fetch", namespace="team-a"), odd]

    first, second = await deployed.of_registry("default")

    assert (first.name, first.status, first.image, first.ready) == ("odd", "", "", False)
    assert second == FETCH


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(
        st.sampled_from(["metadata", "spec", "status", "name", "namespace", "image", "url"]), inner
    ),
))  # fmt: skip
def test_every_object_has_a_reading(item: Any):
    """Whatever JSON it is: a text for every member, and not ready without a phase."""
    read = deployed_server(item)

    assert {type(getattr(read, name)) for name in DeployedServer.__slots__ if name[0] != "_"} == {
        str,
        bool,
    }
    assert not read.ready


@pytest.mark.parametrize("phase", ["Pending", "Failed", "Terminating", "running", "", None])
def test_only_a_running_server_is_ready(phase: Any):
    """The phase is told as it is."""
    item = mcp_server("fetch", phase=phase)

    assert not deployed_server(item).ready
    assert deployed_server(item).status == (phase or "")
    assert deployed_server(mcp_server("fetch", phase="Running")).ready
    assert deployed_server(mcp_server("fetch", phase="Ready")).ready


@given(LEGAL)
def test_a_legal_value_is_asked_for_unchanged(value: str):
    """It stands in the selector as it is."""
    assert server_selector(value) == f"{SERVER_NAME}={value}"
    assert registry_selector(value) == f"{REGISTRY_NAME}={value},{REGISTRY_NAMESPACE}"


@given(LEGAL)
def test_a_full_name_of_toolhive_has_its_short_key(value: str):
    """Labels have no slash, and ToolHive's own are short."""
    assert server_selector(f"io.github.stacklok/{value}") == server_selector(value)


@given(st.text() | st.lists(PARTS, max_size=70).map("".join) | LEGAL.map(lambda value: value * 64))
def test_an_illegal_value_is_refused(value: str):
    """A selector of it would select something else, or everything."""
    key = value.removeprefix("io.github.stacklok/")
    assume(len(key) > 63 or not is_label_value(key))

    with pytest.raises(InvalidNameError, match="is not the value of a label"):
        server_selector(value)
    with pytest.raises(InvalidNameError):
        registry_selector(value)


def is_label_value(text: str) -> bool:
    """What Kubernetes says, written another way."""
    allowed = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
    inner = allowed | set("-_.")
    ends = text[:1] in allowed and text[-1:] in allowed
    return bool(text) and len(text) <= 63 and ends and set(text) <= inner


async def test_nothing_is_asked_about_an_illegal_value(api: McpServersApi, deployed: DeployedPort):
    """It is refused before anybody is asked."""
    with pytest.raises(InvalidNameError):
        await deployed.of_server("com.example/fetch")
    with pytest.raises(InvalidNameError):
        await deployed.of_registry("a,b")
    assert not api.requests


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A process that no cluster is around, which knows of none; where its account would be."""
    for variable in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(connection, "SERVICE_ACCOUNT", tmp_path / "account")
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path / "account"


async def test_without_a_cluster_there_are_none(outside: Path):
    """The kubeconfig that happens to be in the home directory is nobody's choice."""
    (outside.parent / ".kube").mkdir()
    write_kubeconfig(outside.parent / ".kube" / "config", "http://127.0.0.1:1")

    nowhere = deployed_servers(ClusterAccess())

    assert isinstance(nowhere, NoCluster)
    assert list(await nowhere.of_registry("default")) == []
    assert list(await nowhere.of_server("com.example/fetch")) == []


async def test_the_cluster_of_the_environment(
    outside: Path, api: McpServersApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """KUBECONFIG names it."""
    file = write_kubeconfig(tmp_path / "kubeconfig", api.url)
    monkeypatch.setenv("KUBECONFIG", str(file))
    api.objects = [mcp_server("fetch", namespace="team-a")]

    assert list(await deployed_servers(ClusterAccess()).of_server("fetch")) == [FETCH]


def test_the_cluster_around_this_process(outside: Path, monkeypatch: pytest.MonkeyPatch):
    """A pod with a service account is in one."""
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    assert isinstance(deployed_servers(ClusterAccess()), NoCluster)

    outside.mkdir()
    (outside / "token").write_text("token")

    assert isinstance(deployed_servers(ClusterAccess()), KubernetesDeployed)


def test_the_library_is_not_loaded_before_somebody_asks():
    """Who has no cluster does not pay for it."""
    code = (
        "import sys; from adapters.kubernetes.deployed import *;"
        "deployed_servers(ClusterAccess(kubeconfig='k'));"
        "assert not {'kubernetes_asyncio', 'aiohttp'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
