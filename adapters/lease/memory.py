"""The lease of a log that no other process can see."""

from contextlib import AbstractAsyncContextManager, nullcontext


class OwnLease:
    """LeasePort of a process that shares its log with nobody: it holds it at once."""

    def held(self) -> AbstractAsyncContextManager[None]:
        return nullcontext()
