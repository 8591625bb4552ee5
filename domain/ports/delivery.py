"""Who is told of changes."""

from typing import Protocol


class DeliveryPort(Protocol):
    """The receiver of a webhook."""

    @property
    def address(self) -> str:
        """Where it is, for people, without secrets."""
        ...

    async def deliver(self, message_id: str, body: bytes) -> None:
        """Hand over a message, JSON. One that comes again has the same id.

        Returns when the receiver has taken it. Whether it did is unknown after an error.

        Raises:
            DeliveryError: it did not, or did not say so in time.
            ReceiverGoneError: it wants no more messages.
        """
        ...
