"""Checkpoints and cosignatures."""

from datetime import UTC, datetime

import pytest

from adapters.signing.ed25519 import Ed25519Signer, verify
from domain.checkpoints import (
    Checkpoint,
    cosign,
    is_cosigned,
    parse_checkpoint,
    seen_at,
    trusted_checkpoint,
    witness_key,
)
from domain.errors import InvalidNoteError
from domain.notes import Note, SignatureLine, parse_note, sign_note, verifier_key

TEXT = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
"""The example of the standard."""

CHECKPOINT = Checkpoint(
    origin="example.com/behind-the-sofa",
    size=20852163,
    root=bytes.fromhex("0ac5186a91863e8e1d90c808014aa89bf5da8e3ee1d9f07630f0378f68f1ab62"),
)
LOG = Ed25519Signer.made("example.com/behind-the-sofa")
WITNESS = Ed25519Signer.made("witness.example.com/w1")
SEEN_AT = datetime(2023, 3, 20, 13, 19, 7, tzinfo=UTC)


def test_a_checkpoint_in_writing():
    """Origin, size and root, a line each; lines of others below them are left alone."""
    assert CHECKPOINT.text == TEXT
    assert parse_checkpoint(TEXT) == CHECKPOINT
    assert parse_checkpoint(TEXT + "an extension\n") == CHECKPOINT
    empty = Checkpoint(origin="a", size=0, root=bytes(32))
    assert parse_checkpoint(empty.text) == empty


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "a\n1\n",
        TEXT[:-1],
        TEXT.removeprefix("example.com/behind-the-sofa"),
        TEXT.replace("20852163", "020852163"),
        TEXT.replace("20852163", "-1"),
        TEXT.replace("20852163", "1" * 20),
        TEXT.replace("q2I=", "q2J="),
        TEXT.replace("q2I=", ""),
    ],
)
def test_what_is_no_checkpoint_is_refused(text):
    """The message says what one is."""
    with pytest.raises(InvalidNoteError, match="expected an origin"):
        parse_checkpoint(text)


def test_a_signed_checkpoint_is_trusted():
    """With the key of its log."""
    note = parse_note(str(sign_note(TEXT, LOG)))
    assert trusted_checkpoint(note, verifier_key(LOG), verify) == CHECKPOINT


def test_a_checkpoint_that_another_log_signed_is_refused():
    """Neither the signature of another key nor the origin of another log will do."""
    namesake = Ed25519Signer.made(LOG.name)
    with pytest.raises(InvalidNoteError, match="no valid signature"):
        trusted_checkpoint(sign_note(TEXT, namesake), verifier_key(LOG), verify)
    other = Ed25519Signer.made("example.com/other")
    with pytest.raises(InvalidNoteError, match="expected one of 'example"):
        trusted_checkpoint(sign_note(TEXT, other), verifier_key(other), verify)


def test_a_witness_says_when_it_saw_a_checkpoint():
    """The time is covered, and is in the signature."""
    line = cosign(TEXT, WITNESS, SEEN_AT)
    assert seen_at(line) == SEEN_AT
    assert line.signature[:8] == (1679318347).to_bytes(8)
    assert len(line.signature) == 72
    assert is_cosigned(TEXT, line, witness_key(WITNESS), verify)
    (read,) = parse_note(str(Note(TEXT, (line,)))).signatures
    assert is_cosigned(TEXT, read, witness_key(WITNESS), verify)
    covered = f"cosignature/v1\ntime 1679318347\n{TEXT}".encode()
    assert verify(WITNESS.public_key, covered, line.signature[8:])


def test_a_witness_that_says_no_time_is_told_of():
    """A number of 64 bits can be none that there is."""
    line = SignatureLine(name="w", key_id=bytes(4), signature=b"\xff" * 72)
    with pytest.raises(InvalidNoteError, match="at second 18446744073709551615"):
        seen_at(line)


def test_a_cosignature_covers_every_byte():
    """Another text, another time, another key: not cosigned."""
    line, key = cosign(TEXT, WITNESS, SEEN_AT), witness_key(WITNESS)
    assert not is_cosigned(TEXT.replace("3\n", "4\n"), line, key, verify)
    assert not is_cosigned(TEXT, line, witness_key(Ed25519Signer.made(WITNESS.name)), verify)
    for place in range(len(line.signature)):
        changed = bytearray(line.signature)
        changed[place] ^= 1
        other = type(line)(name=line.name, key_id=line.key_id, signature=bytes(changed))
        assert not is_cosigned(TEXT, other, key, verify), place
    short = type(line)(name=line.name, key_id=line.key_id, signature=line.signature[:-1])
    assert not is_cosigned(TEXT, short, key, verify)


def test_a_signature_of_a_text_is_no_cosignature():
    """The two have different keys by their ids."""
    (line,) = sign_note(TEXT, WITNESS).signatures
    assert not is_cosigned(TEXT, line, witness_key(WITNESS), verify)
    assert not is_cosigned(TEXT, line, verifier_key(WITNESS), verify)
