"""Who signs what this log says of itself, and how signatures of others are checked."""

from typing import Protocol


class SignerPort(Protocol):
    """An Ed25519 key (RFC 8032) with the name that it signs under."""

    @property
    def name(self) -> str:
        """The name of the key: the origin of a log, or what a witness calls itself."""
        ...

    @property
    def public_key(self) -> bytes:
        """The 32 bytes that others check signatures with."""
        ...

    def sign(self, message: bytes) -> bytes:
        """The 64 bytes of a signature. The same message always has the same one."""
        ...


class VerifyPort(Protocol):
    """Checks signatures of Ed25519."""

    def __call__(self, public_key: bytes, message: bytes, signature: bytes) -> bool:
        """Whether *signature* is that of *message*. Whatever is malformed is not."""
        ...
