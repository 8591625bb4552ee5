"""Logs of any length, made fast."""

from domain.identifiers import CommitId, Position, StreamName
from domain.log import AnyVersion, NewCommit, NewEvent, StreamWrite
from domain.ports.storage import EventStorePort


async def lengthen(store: EventStorePort, upto: Position, *, mark: str = "") -> None:
    """Append events, in one commit, until the log has *upto*. *mark* makes them other ones."""
    head = (await store.head()).position
    events = tuple(
        NewEvent("test.happened", 1, f'{{"mark":"{mark}","n":{number}}}'.encode())
        for number in range(head, upto)
    )
    if events:
        write = StreamWrite(stream=StreamName("test"), expected=AnyVersion(), events=events)
        await store.append(NewCommit(commit_id=CommitId(f"to-{upto}{mark}"), writes=(write,)))
