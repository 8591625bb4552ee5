"""Signed notes, against what Go's own implementation makes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.signing.ed25519 import Ed25519Signer, verify
from domain.errors import InvalidNoteError
from domain.notes import (
    COSIGNATURE,
    ED25519,
    Note,
    SignatureLine,
    VerifierKey,
    is_key_name,
    is_signed,
    key_by,
    parse_note,
    parse_signatures,
    parse_signer_key,
    parse_verifier_key,
    sign_note,
    verifier_key,
)

PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETER_SIGNER = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
TEXT = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
)
PETERS_NOTE = (
    f"{TEXT}\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKv"
    "qfqdngotpRZb6KE6RyyBwJnAM=\n"
)
"""Key and note of the documentation of golang.org/x/mod/sumdb/note."""

SIGNER = Ed25519Signer.made("example.com/log")
KEY = verifier_key(SIGNER)


def test_a_note_of_go_is_valid():
    """What Go signed is read and checked, and comes out the same when signed here."""
    note = parse_note(PETERS_NOTE)
    assert note.text == TEXT
    assert is_signed(note, parse_verifier_key(PETER), verify)
    assert str(sign_note(TEXT, Ed25519Signer.parsed(PETER_SIGNER))) == PETERS_NOTE


def test_keys_are_written_as_go_writes_them():
    """Both halves of a key come back as they were, and the one follows from the other."""
    assert str(parse_verifier_key(PETER)) == PETER
    signer = Ed25519Signer.parsed(PETER_SIGNER)
    assert str(signer) == PETER_SIGNER
    assert str(verifier_key(signer)) == PETER


@given(st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1))
def test_what_was_signed_is_valid_and_nothing_else(text):
    """A text may hold anything but control characters, empty lines included."""
    note = parse_note(str(sign_note(f"{text}\n\n{text}\n", SIGNER)))
    assert is_signed(note, KEY, verify)
    assert not is_signed(Note(note.text + "\n", note.signatures), KEY, verify)


def test_any_changed_byte_shows():
    """A note with one other character is none, or is not signed."""
    whole = str(sign_note("a text\nof two lines\n", SIGNER)).encode()
    for place in range(len(whole)):
        changed = bytearray(whole)
        changed[place] ^= 1
        try:
            note = parse_note(bytes(changed))
        except InvalidNoteError:
            continue
        assert not is_signed(note, KEY, verify), place


def test_signatures_of_others_do_not_matter():
    """Lines of unknown keys stand beside, also under the same name."""
    namesake = Ed25519Signer.made("example.com/log")
    note = Note(
        "text\n", sign_note("text\n", namesake).signatures + sign_note("text\n", SIGNER).signatures
    )
    assert is_signed(parse_note(str(note)), KEY, verify)
    assert not is_signed(sign_note("text\n", namesake), KEY, verify)
    assert key_by([verifier_key(namesake), KEY], note.signatures[1]) == KEY
    assert key_by([], note.signatures[1]) is None


def test_all_signatures_of_a_key_must_fit():
    """A wrong one beside a right one makes the note invalid, as in Go."""
    right = sign_note("text\n", SIGNER).signatures
    wrong = sign_note("other\n", SIGNER).signatures
    assert not is_signed(Note("text\n", right + wrong), KEY, verify)


def test_a_key_of_another_algorithm_signs_no_text():
    """Cosignatures cover something else."""
    key = VerifierKey(name=KEY.name, algorithm=COSIGNATURE, public_key=KEY.public_key)
    line = SignatureLine(name=key.name, key_id=key.key_id, signature=SIGNER.sign(b"text\n"))
    assert not is_signed(Note("text\n", (line,)), key, verify)
    assert key.key_id != KEY.key_id


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "text\n",
        "text\n\n",
        "text\n\n— a AAAAAAA=",
        "text\n\n- a AAAAAAA=\n",
        "text\n\n—a AAAAAAA=\n",
        "text\n\n— a+b AAAAAAA=\n",
        "text\n\n— a AAAA\n",
        "text\n\n— a AAAAAAB=\n",
        "text\n\n— a AAAAAAA= \n",
        "text\n\n— a A A\n",
        "text\n\n—  AAAAAAA=\n",
        "a\ttext\n\n— a AAAAAAA=\n",
        "a\r\n\n— a AAAAAAA=\n",
        b"\xff\n\n\xe2\x80\x94 a AAAAAAA=\n",
        "text\n\n" + "— a AAAAAAA=\n" * 101,
        "x" * 1_000_001,
    ],
)
def test_what_is_no_note_is_refused(raw):
    """The message says what was expected."""
    with pytest.raises(InvalidNoteError, match=r"expected|at most"):
        parse_note(raw)


def test_lines_come_alone_too():
    """Witnesses answer with lines of signatures."""
    (line,) = parse_signatures("— a AAAAAAA=\n")
    assert line == SignatureLine(name="a", key_id=bytes(4), signature=b"\0")
    assert str(line) == "— a AAAAAAA=\n"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name",
        "name+00000000",
        PETER.replace("c7", "c8"),
        PETER.replace("c74f", "C74F"),
        PETER[:-1],
        PETER + "=",
        PETER.replace("Peter", "Peter "),
        "PRIVATE+KEY+" + PETER,
        PETER + "\n",
        "a++",
    ],
)
def test_what_is_no_verifier_key_is_refused(text):
    """The message says what one looks like."""
    with pytest.raises(InvalidNoteError, match="expected NAME"):
        parse_verifier_key(text)


def test_a_verifier_key_of_an_unknown_algorithm_is_refused():
    """The message tells which are known."""
    key = VerifierKey(name="a", algorithm=2, public_key=bytes(32))
    with pytest.raises(InvalidNoteError, match="of algorithm 2: expected 1 "):
        parse_verifier_key(str(key))


@pytest.mark.parametrize(
    "text", ["", PETER, PETER_SIGNER[:-4], PETER_SIGNER.replace("AYEK", "BYEK")]
)
def test_what_is_no_signer_key_is_refused(text):
    """The message does not tell the secret."""
    with pytest.raises(InvalidNoteError, match="not a") as caught:
        parse_signer_key(text)
    assert "EKFALVF" not in str(caught.value)


def test_a_signer_key_with_another_id_is_refused():
    """The id of a signer key is that of its public key."""
    with pytest.raises(InvalidNoteError, match="its id"):
        Ed25519Signer.parsed(PETER_SIGNER.replace("c74f20a3", "c74f20a4"))


@pytest.mark.parametrize(
    ("name", "fits"),
    [
        ("a.b/c", True),
        ("", False),
        ("a b", False),
        ("a+b", False),
        ("a\u00a0b", False),
        ("é", True),
    ],
)
def test_names_of_keys(name, fits):
    """Neither spaces of any kind nor a plus."""
    assert is_key_name(name) is fits


def test_algorithms_are_those_of_the_standard():
    """They stand in every key, so they stay."""
    assert (ED25519, COSIGNATURE) == (1, 4)
