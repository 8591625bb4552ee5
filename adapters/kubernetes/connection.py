"""A conversation with a Kubernetes API server: where it is, who asks, and its answers.

Nothing here imports kubernetes-asyncio before there is a cluster to ask: it takes half a second
and 40 MB.
"""

import json
import logging
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
from anyio import fail_after, to_thread

from adapters.kubernetes.asked import Asked, cluster_error
from domain.errors import SourceAccessError, SourceContentError, SourceLimitError

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientTimeout
    from kubernetes_asyncio.client import ApiClient, Configuration

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
MAX_BYTES = 16 * 1024 * 1024
LOGIN_SECONDS = 30.0
REQUEST_SECONDS = 30.0
_MAX_ERROR_BYTES = 10_000

# What it tells of a kubeconfig is in the error that is raised, and there it has its place.
logging.getLogger("kubernetes_asyncio.config.kube_config").setLevel(logging.CRITICAL)


@attrs.frozen(kw_only=True)
class ClusterAccess:
    """Which cluster, as whom. Without a kubeconfig, whatever is at hand: see `connect`."""

    kubeconfig: str | None = None
    context: str | None = None


def in_cluster() -> bool:
    """Whether this process runs in a pod that may speak to its cluster."""
    return "KUBERNETES_SERVICE_HOST" in os.environ and (SERVICE_ACCOUNT / "token").is_file()


async def connect(access: ClusterAccess) -> "ApiClient":
    """A client with the credentials as they are now. Whoever asks for it closes it.

    An explicit kubeconfig or context comes first, then the service account of the pod, then the
    kubeconfig that kubectl would take. Tokens are rotated and logins expire: a new conversation
    takes a new client.

    Raises:
        SourceAccessError: there are no credentials, or they cannot be used.
    """
    # An import of that size in the event loop would stop everything else.
    library = await to_thread.run_sync(import_module, "kubernetes_asyncio.client")
    configuration = library.Configuration()
    # As kubectl does: the authorities of many clusters lack extensions that RFC 5280 asks for.
    configuration.disable_strict_ssl_verification = True
    if access == ClusterAccess() and in_cluster():
        place = f"the service account in {SERVICE_ACCOUNT}"
        log_in = _log_in_as_pod(configuration)
    else:
        place = access.kubeconfig or os.environ.get("KUBECONFIG") or "~/.kube/config"
        log_in = _log_in_with_kubeconfig(place, access.context, configuration)
    try:
        with fail_after(LOGIN_SECONDS):
            await log_in
        client: ApiClient = library.ApiClient(configuration)
    # Broken files meet kubernetes-asyncio unprepared: it may raise anything.
    except Exception as error:
        raise _unusable(place, error) from error
    client.user_agent = "annals"
    return client


async def _log_in_as_pod(configuration: "Configuration") -> None:
    from kubernetes_asyncio.config import load_incluster_config

    load_incluster_config(  # type: ignore[no-untyped-call]
        configuration,
        try_refresh_token=False,
        token_filename=SERVICE_ACCOUNT / "token",
        cert_filename=str(SERVICE_ACCOUNT / "ca.crt"),
    )
    _trim_token(configuration)


async def _log_in_with_kubeconfig(
    place: str, context: str | None, configuration: "Configuration"
) -> None:
    from kubernetes_asyncio.config import ConfigException
    from kubernetes_asyncio.config.kube_config import KubeConfigLoader, KubeConfigMerger

    merged = KubeConfigMerger(place).config
    if merged is None:
        raise FileNotFoundError("there is no such file")
    chosen = context or merged.value.get("current-context")
    contexts = [each["name"] for each in merged.value["contexts"]]
    if chosen not in contexts:
        raise ConfigException(f"it has no context {chosen!r}, only {', '.join(contexts) or 'none'}")
    loader = KubeConfigLoader(merged, active_context=chosen, config_base_path=None)
    await loader.load_and_set(configuration)
    _trim_token(configuration)


def _trim_token(configuration: "Configuration") -> None:
    """Without the line end that a token file written by hand has, which no header may have."""
    if "BearerToken" in configuration.api_key:
        configuration.api_key["BearerToken"] = configuration.api_key["BearerToken"].strip()


def _unusable(place: str, error: Exception) -> SourceAccessError:
    return SourceAccessError(
        f"{place} gives no access to a cluster: {_why(error)}. Check it with `kubectl config view`,"
        " or give another `kubeconfig` or `context`; in a cluster, mount a service account"
    )


def _why(error: Exception) -> str:
    from kubernetes_asyncio.config import ConfigException

    match error:
        case TimeoutError():
            return f"there was no login within {LOGIN_SECONDS:g} seconds"
        case ConfigException() | OSError():
            # A ConfigException may go on with the user as it stands in the file, token included.
            return " ".join(str(error).partition("{")[0].split())[:300]
        case _:
            return f"it is not written as a kubeconfig is ({type(error).__name__})"


@asynccontextmanager
async def ask(
    client: "ApiClient",
    asked: Asked,
    query: Mapping[str, str] | None = None,
    *,
    accept: str = "application/json",
    timeout: "ClientTimeout | float" = REQUEST_SECONDS,
) -> AsyncIterator["ClientResponse"]:
    """The answer to one request, to be read inside. *timeout* is for all of it, in seconds.

    Raises:
        SourceError: the request failed, or the answer broke off while it was read.
    """
    import aiohttp
    from kubernetes_asyncio.client import ApiException

    try:
        answer = await client.call_api(
            asked.path,
            "GET",
            query_params=list((query or {}).items()),
            header_params={"Accept": accept},
            auth_settings=["BearerToken"],
            _preload_content=False,  # else all of it is read, however much it is
            _request_timeout=timeout,
        )
        async with answer:
            if answer.history:
                raise aiohttp.TooManyRedirects(answer.request_info, answer.history)
            if answer.status != 200:
                said = await answer.content.read(_MAX_ERROR_BYTES)
                raise ApiException(answer.status, said)
            yield answer
    except (ApiException, aiohttp.ClientError, TimeoutError, OSError) as error:
        raise cluster_error(error, asked, client.configuration.host) from error


async def read_json(
    client: "ApiClient",
    asked: Asked,
    query: Mapping[str, str] | None = None,
    *,
    max_bytes: int = MAX_BYTES,
    timeout: float = REQUEST_SECONDS,
) -> dict[str, Any]:
    """The object that answers the request, within *timeout* seconds.

    Raises:
        SourceError: the request failed, or its answer is no object, or larger than *max_bytes*.
    """
    async with ask(client, asked, query, timeout=timeout) as answer:
        content = bytearray()
        async for chunk in answer.content.iter_any():
            content += chunk
            if len(content) > max_bytes:
                raise SourceLimitError(
                    f"{asked.target}: {client.configuration.host} answers with more than"
                    f" {max_bytes} bytes. Check the address of the API server"
                )
    return _object_of(bytes(content), asked, str(client.configuration.host))


def _object_of(content: bytes, asked: Asked, server: str) -> dict[str, Any]:
    try:
        answered = json.loads(content)
    except (ValueError, RecursionError):
        answered = None
    if not isinstance(answered, dict):
        raise SourceContentError(
            f"{asked.target}: {server} answered with something else than an object in JSON."
            " Check its address: a login page or a proxy may stand there"
        )
    return answered
