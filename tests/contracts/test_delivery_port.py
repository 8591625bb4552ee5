"""What DeliveryPort promises, over HTTP and by the double that other tests hold."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest

from adapters.webhooks import HttpReceiver
from domain.errors import DeliveryError, ReceiverGoneError
from domain.ports.delivery import DeliveryPort
from tests.harness.clock import SteppingClock
from tests.harness.hostile_server import answers, hostile_server
from tests.harness.webhook_receiver import (
    GONE,
    REFUSED,
    SECRET,
    TAKEN_UNSEEN,
    HeldReceiver,
    VerifyingReceiver,
)

BODY = json.dumps({"data": "é", "empty": ""}, ensure_ascii=False).encode()


@attrs.frozen
class Receiver:
    """Where messages go. `answer_once` lets the next one be answered otherwise."""

    port: DeliveryPort
    messages: list[tuple[str, Any]]
    answer_once: Callable[[str], Awaitable[None]]


@asynccontextmanager
async def over_http(folder: Path) -> AsyncIterator[Receiver]:
    secret = folder / "secret"
    secret.write_text(SECRET)
    behind = VerifyingReceiver()
    async with hostile_server() as server:
        server.answer = behind.answer
        port = HttpReceiver(
            url=server.url("/hook?key=k"), secret_file=str(secret), clock=SteppingClock()
        )

        async def answer_once(answer: str) -> None:
            asked = len(server.requests) + 1

            async def misbehave(request: Any, writer: Any) -> None:
                if answer == TAKEN_UNSEEN:
                    await behind.answer(request)
                    writer.transport.abort()
                else:
                    await answers(410 if answer == GONE else 500)(request, writer)

            server.misbehave(misbehave, lambda _request: len(server.requests) == asked)

        yield Receiver(port, behind.messages, answer_once)


@asynccontextmanager
async def held(_folder: Path) -> AsyncIterator[Receiver]:
    port = HeldReceiver()

    async def answer_once(answer: str) -> None:
        port.answers.append(answer)

    yield Receiver(port, port.messages, answer_once)


@pytest.fixture(params=[over_http, held], ids=["http", "held"])
async def receiver(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Receiver]:
    async with request.param(tmp_path) as receiver:
        yield receiver


async def test_a_message_arrives_as_it_was_sent(receiver: Receiver):
    """With its id, and one after the other."""
    await receiver.port.deliver("msg_1", BODY)
    await receiver.port.deliver("msg_2", b"{}")
    assert receiver.messages == [("msg_1", json.loads(BODY)), ("msg_2", {})]


async def test_a_message_that_was_refused_can_be_sent_again(receiver: Receiver):
    """Nothing of it was taken before."""
    await receiver.answer_once(REFUSED)
    with pytest.raises(DeliveryError) as refused:
        await receiver.port.deliver("msg_1", BODY)
    assert not isinstance(refused.value, ReceiverGoneError)
    assert receiver.messages == []
    await receiver.port.deliver("msg_1", BODY)
    assert len(receiver.messages) == 1


async def test_an_answer_that_is_lost_is_an_error(receiver: Receiver):
    """The message may have been taken: it comes again under the same id."""
    await receiver.answer_once(TAKEN_UNSEEN)
    with pytest.raises(DeliveryError):
        await receiver.port.deliver("msg_1", BODY)
    await receiver.port.deliver("msg_1", BODY)
    assert receiver.messages == [("msg_1", json.loads(BODY))] * 2


async def test_a_receiver_may_be_gone(receiver: Receiver):
    """That is another error, for it is not worth another try."""
    await receiver.answer_once(GONE)
    with pytest.raises(ReceiverGoneError):
        await receiver.port.deliver("msg_1", BODY)


async def test_its_address_is_for_people(receiver: Receiver):
    """Without the secrets that may stand in a URL."""
    assert receiver.port.address
    assert "key" not in receiver.port.address
