"""Deployed servers: the `MCPServer` objects of ToolHive's operator, in all namespaces."""

import os
import re
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from anyio import fail_after

from adapters.kubernetes.asked import Asked, cluster_error
from adapters.kubernetes.connection import ClusterAccess, connect, in_cluster, read_json
from adapters.kubernetes.shared_listing import SharedListing
from domain.entry import TOOLHIVE_META
from domain.errors import InvalidNameError, SourceContentError, SourceError
from domain.ports.deployed import DeployedPort, DeployedServer

if TYPE_CHECKING:
    from kubernetes_asyncio.client import ApiClient

_GROUP, _RESOURCE = "toolhive.stacklok.dev", "mcpservers"
_VERSIONS = ("v1beta1", "v1alpha1")
_LABELS = "toolhive.stacklok.io"
_LABEL_VALUE = re.compile(r"[A-Za-z0-9]([-_.A-Za-z0-9]{0,61}[A-Za-z0-9])?")
_READY = {"Running", "Ready"}  # as the operator calls it in v1alpha1 and in v1beta1
_PAGE = 500
_ALL_PAGES_SECONDS = 30.0


def deployed_servers(access: ClusterAccess) -> DeployedPort:
    """The servers of the cluster that *access* names, else of the one around this process, else
    of the one that KUBECONFIG names. Without any of them there are none.
    """
    if access == ClusterAccess() and not in_cluster() and not os.environ.get("KUBECONFIG"):
        return NoCluster()
    return KubernetesDeployed(access)


class NoCluster:
    """Where nothing is deployed."""

    async def of_registry(self, _registry_name: str) -> Sequence[DeployedServer]:
        """None."""
        return ()

    async def of_server(self, _server_name: str) -> Sequence[DeployedServer]:
        """None."""
        return ()


class KubernetesDeployed:
    """Asks a cluster, each time with the credentials as they are then."""

    def __init__(self, access: ClusterAccess) -> None:
        self._access = access
        self._versions: Sequence[str] = _VERSIONS
        self._listings = WeakValueDictionary[str, SharedListing]()  # as long as anybody asks

    async def of_registry(self, registry_name: str) -> Sequence[DeployedServer]:
        """Those with the labels of the registry.

        Raises:
            InvalidNameError, SourceError
        """
        return await self._selected(registry_selector(registry_name))

    async def of_server(self, server_name: str) -> Sequence[DeployedServer]:
        """Those with the label of the server.

        Raises:
            InvalidNameError, SourceError
        """
        return await self._selected(server_selector(server_name))

    async def _selected(self, selector: str) -> Sequence[DeployedServer]:
        new = SharedListing(partial(self._list, selector))
        return await self._listings.setdefault(selector, new).servers()

    async def _list(self, selector: str) -> Sequence[DeployedServer]:
        """Every version has all objects: the one that answered last is asked first."""
        async with await connect(self._access) as client:
            for version in self._versions:
                found = await _in_version(client, version, selector)
                if found is not None:
                    self._versions = sorted(self._versions, key=lambda each: each != version)
                    return sorted(found, key=lambda server: (server.namespace, server.name))
        return ()


def registry_selector(registry_name: str) -> str:
    """What selects the servers that were deployed out of a registry.

    Raises:
        InvalidNameError
    """
    value = _label_value(registry_name)
    return f"{_LABELS}/registry-name={value},{_LABELS}/registry-namespace"


def server_selector(server_name: str) -> str:
    """What selects a server. Its label has the short key of ToolHive's files.

    Raises:
        InvalidNameError
    """
    return f"{_LABELS}/server-name={_label_value(server_name.removeprefix(f'{TOOLHIVE_META}/'))}"


def deployed_server(item: Any) -> DeployedServer:
    """What an `MCPServer` tells, whichever of it is there."""
    status = _text(item, "status", "phase")
    return DeployedServer(
        name=_text(item, "metadata", "name"),
        namespace=_text(item, "metadata", "namespace"),
        status=status,
        image=_text(item, "spec", "image"),
        transport=_text(item, "spec", "transport"),
        ready=status in _READY,
        endpoint_url=_text(item, "status", "url"),
    )


async def _in_version(
    client: "ApiClient", version: str, selector: str
) -> list[DeployedServer] | None:
    """All objects, None where the cluster does not have that version of them."""
    asked = Asked(verb="list", resource=_RESOURCE, group=_GROUP, version=version)
    try:
        with fail_after(_ALL_PAGES_SECONDS):
            return await _all_pages(client, asked, selector)
    except TimeoutError as error:
        raise cluster_error(error, asked, str(client.configuration.host)) from error
    except SourceError as error:
        if _status(error) == 404:
            return None
        raise


async def _all_pages(client: "ApiClient", asked: Asked, selector: str) -> list[DeployedServer]:
    """Page by page, and from the beginning where the state that they are of has expired."""
    start = {"labelSelector": selector, "limit": str(_PAGE)}
    query, found = start, list[DeployedServer]()
    while True:
        try:
            page = await read_json(client, asked, query)
        except SourceError as error:
            if _status(error) != 410 or query is start:
                raise
            query, found = start, []
            continue
        found += map(deployed_server, _items(page, asked))
        token = _text(page, "metadata", "continue")
        if not token:
            return found
        if token == query.get("continue"):
            raise _not_a_list(asked, "the same page again and again")
        query = {**start, "continue": token}


def _items(page: dict[str, Any], asked: Asked) -> list[Any]:
    items = page.get("items", page)
    if not isinstance(items, list | None):
        raise _not_a_list(asked, "something else than a list")
    return items or []


def _not_a_list(asked: Asked, what: str) -> SourceContentError:
    return SourceContentError(
        f"{asked.target}: the API server answered with {what}. Check its address: a proxy may"
        " stand there"
    )


def _label_value(text: str) -> str:
    """*text* if it can be the value of a label: anything else could end the selector early."""
    if not _LABEL_VALUE.fullmatch(text):
        raise InvalidNameError(
            f"{text!r} is not the value of a label in Kubernetes, so nothing is deployed under it:"
            " expected 1 to 63 of A-Z, a-z, 0-9, '-', '_' and '.', with a letter or digit at both"
            " ends"
        )
    return text


def _text(item: Any, *path: str) -> str:
    """The text at a path, "" where there is none: anybody may have written anything into it."""
    for member in path:
        item = item.get(member) if isinstance(item, dict) else None
    return item if isinstance(item, str) else ""


def _status(error: SourceError) -> int | None:
    """The HTTP status behind an error, where the API server gave one."""
    return getattr(error.__cause__, "status", None)
