"""Which of several processes over one log does what only one may do."""

from contextlib import AbstractAsyncContextManager
from typing import Protocol


class LeasePort(Protocol):
    """A lease that at most one process holds at a time.

    Who holds it loses it with its life, however that ends; then somebody else who waits gets it.
    """

    def held(self) -> AbstractAsyncContextManager[None]:
        """Wait for the lease, and hold it until the end of the block.

        Raises:
            StorageUnavailableError: it can be neither had nor waited for.
        """
        ...
