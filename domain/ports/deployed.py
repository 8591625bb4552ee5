"""Which servers run where, for registries whose servers are deployed into a cluster."""

from collections.abc import Sequence
from typing import Protocol

import attrs


@attrs.frozen(kw_only=True)
class DeployedServer:
    """A server that was deployed, under its name in the cluster. What is not known is ""."""

    name: str
    namespace: str
    status: str
    image: str
    transport: str
    ready: bool
    endpoint_url: str


class DeployedPort(Protocol):
    """One cluster, read anew each time. Servers come in the order of namespace and name."""

    async def of_registry(self, registry_name: str) -> Sequence[DeployedServer]:
        """The servers that were deployed out of the registry of that name.

        Raises:
            SourceError: the cluster could not be read, and what to do about it.
        """
        ...

    async def of_server(self, server_name: str) -> Sequence[DeployedServer]:
        """Where the server of that name, short or full, is deployed, out of whichever registry.

        Raises:
            InvalidNameError: nothing in a cluster can have that name.
            SourceError: the cluster could not be read, and what to do about it.
        """
        ...
