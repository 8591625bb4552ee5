"""Certificates that sign themselves: each is an authority of its own."""

import ssl
import subprocess
from pathlib import Path

import attrs


@attrs.frozen
class Certificate:
    """A certificate for this machine, and its key; both are PEM files."""

    file: Path
    key: Path

    def context(self) -> ssl.SSLContext:
        """For a server that shows it."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.file, self.key)
        return context


def make_certificate(folder: Path, name: str) -> Certificate:
    """A new certificate, made by openssl."""
    made = Certificate(folder / f"{name}.pem", folder / f"{name}.key")
    options = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
    extensions = (
        "subjectAltName=IP:127.0.0.1,DNS:localhost",
        "keyUsage=critical,digitalSignature,keyCertSign",
    )
    subprocess.run(
        [
            "openssl",
            *options.split(),
            *("-subj", f"/CN={name}", "-keyout", str(made.key), "-out", str(made.file)),
            *(part for extension in extensions for part in ("-addext", extension)),
        ],
        check=True,
        capture_output=True,
    )
    return made
