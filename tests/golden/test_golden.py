"""What earlier releases wrote is read for ever. The files beside this are never edited."""

from pathlib import Path

from tests.harness.checkers import check_readable_forever


def test_every_payload_that_was_ever_released_is_read():
    """Each file has the hash it was released with, decodes, and encodes to the same bytes."""
    check_readable_forever(Path(__file__).parent)
