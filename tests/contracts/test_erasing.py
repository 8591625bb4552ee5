"""What StoragePort promises of bodies that are erased, on every adapter."""

import attrs
import pytest

from domain.errors import DocumentNotFoundError, WrongExpectedVersionError
from domain.identifiers import CommitId, DocumentHash
from domain.log import Exactly, NewCommit, leaf_of
from domain.merkle import root_of
from domain.ports.storage import StoragePort
from tests.harness.new_commits import collect, documents_of, new_commit, whole_log, write

BODIES = documents_of([b"{}", b"[]", b"[1]" * 5000])
EMPTY, LIST, LONG = BODIES


def erasing(commit_id: str, *hashes: DocumentHash, stands_at: int = 0) -> NewCommit:
    """A commit that erases documents, in a stream of its own."""
    commit = new_commit(commit_id, write("redactions", expected=Exactly(stands_at)))
    return attrs.evolve(commit, erased=frozenset(hashes))


@pytest.fixture
async def filled(storage: StoragePort) -> StoragePort:
    """A log with three documents."""
    await storage.append(attrs.evolve(new_commit("first"), documents=BODIES))
    return storage


async def test_an_erased_body_is_gone_and_the_others_stay(filled: StoragePort) -> None:
    """It is neither read nor listed, is known as erased, and nothing is wrong with the log."""
    assert await filled.erasures() == {}
    await filled.append(erasing("second", LIST, LONG))
    assert await filled.documents(BODIES) == {EMPTY: b"{}"}
    assert await collect(filled.all_documents()) == [EMPTY]
    assert await filled.erasures() == dict.fromkeys([LIST, LONG], "second")
    assert await filled.scrub()
    assert await filled.self_check() == []


async def test_the_log_goes_on_as_it_was(filled: StoragePort) -> None:
    """Events, leaves and roots from before are the same, and those to come fit them."""
    commits, events = await whole_log(filled)
    await filled.append(erasing("second", LONG))
    await filled.append(new_commit("third"))
    after = await whole_log(filled)
    assert after[0][: len(commits)] == commits
    assert after[1][: len(events)] == events
    assert after[0][-1].root == root_of([leaf_of(event) for event in after[1]])


async def test_an_erased_body_does_not_come_back(filled: StoragePort) -> None:
    """A later commit has it in vain, staged or not; what comes with it is stored."""
    await filled.append(erasing("second", LIST, LONG))
    news = documents_of([b"2"])
    await filled.stage(CommitId("third"), {**BODIES, **documents_of([b"1"])})
    await filled.append(attrs.evolve(new_commit("third"), documents={**BODIES, **news}))
    kept = {EMPTY: b"{}", **documents_of([b"1", b"2"])}
    assert await filled.documents([*BODIES, *kept]) == kept
    assert set(await collect(filled.all_documents())) == kept.keys()


async def test_a_refused_commit_erases_nothing(filled: StoragePort) -> None:
    """Neither where its stream stands elsewhere, nor where a document is not known."""
    before = await whole_log(filled)
    with pytest.raises(WrongExpectedVersionError):
        await filled.append(erasing("second", LIST, stands_at=1))
    unknown = DocumentHash("0" * 64)
    with pytest.raises(DocumentNotFoundError, match=unknown):
        await filled.append(erasing("second", LIST, unknown))
    assert await whole_log(filled) == before
    assert await filled.documents(BODIES) == BODIES
    assert await filled.erasures() == {}


async def test_erasing_may_be_repeated(filled: StoragePort) -> None:
    """The same commit again gives the first result, and another one may name it again."""
    first = await filled.append(erasing("second", LIST))
    again = await filled.append(erasing("second", LIST))
    assert (again.commit, again.repeated) == (first.commit, True)
    await filled.append(erasing("third", LIST, EMPTY, stands_at=1))
    assert await filled.documents(BODIES) == {LONG: BODIES[LONG]}
    assert await filled.erasures() == {LIST: "second", EMPTY: "third"}
    assert await filled.self_check() == []
