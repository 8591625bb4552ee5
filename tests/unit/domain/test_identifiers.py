"""Names that point at things: what they accept, and how keys are ordered."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidNameError
from domain.identifiers import EntryKey, EntryKind, EntryName, pin_name, registry_name, source_name
from tests.harness.strategies import unicode_text

CHECKS = [(source_name, "source"), (registry_name, "registry"), (pin_name, "pin")]
EACH = pytest.mark.parametrize(("check", "what"), CHECKS)
DNS_LABELS = ["a", "a-b", "a--b", "a0", "a" * 63]
KEYS = st.builds(EntryKey, st.sampled_from(EntryKind), unicode_text, unicode_text)


@EACH
@pytest.mark.parametrize("text", DNS_LABELS)
def test_dns_labels_are_names(check: Callable[[str], str], what: str, text: str) -> None:
    """A DNS label is returned as it is."""
    assert check(text) == text


@EACH
@pytest.mark.parametrize(
    "text", ["", "-a", "a-", "A", "a.b", "a_b", "a/b", "a ", "a\n", "é", "١", "a" * 64]
)
def test_anything_else_is_refused(check: Callable[[str], str], what: str, text: str) -> None:
    """What is not a DNS label is refused, and the message says which kind of name it was to be."""
    with pytest.raises(InvalidNameError, match=f"is not a {what} name: expected "):
        check(text)


@pytest.mark.parametrize("text", ["0", "0a", "2026-11-22"])
def test_only_pins_begin_with_a_letter(text: str) -> None:
    """Sources and registries may begin with a digit; a pin that did might be a date."""
    assert source_name(text) == registry_name(text) == text
    with pytest.raises(InvalidNameError, match="is not a pin name: expected a letter"):
        pin_name(text)


@given(KEYS, KEYS)
def test_keys_order_by_kind_and_then_bytewise(one: EntryKey, other: EntryKey) -> None:
    """Keys compare as the UTF-8 bytes of kind, name and version do."""
    assert (one.sort_key < other.sort_key) == (_bytes_of(one) < _bytes_of(other))


def _bytes_of(key: EntryKey) -> tuple[bytes, ...]:
    return tuple(part.encode() for part in (key.kind.value, key.name, key.version))


def test_a_character_beyond_16_bits_comes_last() -> None:
    """Order is that of code points, not of UTF-16 units, where U+1F600 comes before U+FB33."""
    names = ["\ufb33", "\U0001f600"]
    keys = [EntryKey(EntryKind.SERVER, name, "1") for name in reversed(names)]
    ordered = sorted(keys, key=lambda key: key.sort_key)
    assert [key.name for key in ordered] == names


def test_versions_of_one_entry_share_its_name() -> None:
    """The name of an entry is its key without the version; another kind is another name."""
    server, other_version = (EntryKey(EntryKind.SERVER, "a/b", version) for version in "12")
    skill = EntryKey(EntryKind.SKILL, "a/b", "1")
    assert server.entry_name == other_version.entry_name == EntryName(EntryKind.SERVER, "a/b")
    assert skill.entry_name != server.entry_name


def test_a_key_reads_as_name_at_version() -> None:
    """Messages show a key as `name@version`."""
    assert str(EntryKey(EntryKind.SERVER, "a/b", "1.0")) == "a/b@1.0"


def test_kinds_never_share_a_key() -> None:
    """A server, a skill and a plugin of one name and version are three things."""
    assert len({EntryKey(kind, "a/b", "1") for kind in EntryKind}) == 3
