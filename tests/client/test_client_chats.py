"""Chats through `Client` and `AsyncClient`: answers, histories, conversations, and leaving early."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import AsyncIterable
from contextlib import aclosing

import anyio
import anyio.to_thread
import pytest

from emulated_clients import MemorySetup, collect, open_client, result
from modelwire.emulators import Behaviour, Chunk, EmulatorRequest, EmulatorResponse
from modelwire.errors import TextRevised
from modelwire.messages import Message, Messages
from modelwire.outputs import ConversationChanged, CredentialsChanged, TextDelta, TextReplaced, TitleChanged
from modelwire.sse import encode_event
from modelwire_io import AsyncClient
from modelwire_io.emulation import EmulatorServer
from modelwire_io.store import MemoryStore
from transport_variants import Style

pytestmark = pytest.mark.anyio

CHATS = ["cromicle", "fakegpt", "hailuo", "magickpen"]
# The answer takes far longer than the test: only a client that leaves can end it.
SLOW = Behaviour(pause=0.05, chunk_size=1)


class FixedEmulator:
    """An emulator that sends the same response to every request."""

    def __init__(self, *chunks: Chunk, status: int = 200) -> None:
        self._response = EmulatorResponse(status=status, chunks=chunks)

    def handle(self, request: EmulatorRequest, now: float) -> EmulatorResponse:
        return self._response


@pytest.mark.parametrize("provider", CHATS)
async def test_a_chat_in_memory(memory: MemorySetup, provider: str) -> None:
    chat = memory.log_in().client().chat(provider, "What is a flow?")
    pieces = await collect(chat.text())
    assert len(pieces) > 5
    assert "“What is a flow?”" in "".join(pieces)
    assert chat.answer == "".join(pieces)


@pytest.mark.parametrize("provider", CHATS)
async def test_a_chat_over_sockets(style: Style, provider: str, fast_emulators: None) -> None:
    async with open_client(style, emulate=True) as client:
        chat = client.chat(provider, "What is a flow?")
        pieces = await collect(chat.text())
        assert "“What is a flow?”" in "".join(pieces)
        assert client.emulator is not None
        assert {request.status for request in client.emulator.requests} == {200}
        assert {request.provider for request in client.emulator.requests} == {provider}


async def test_read_gives_the_whole_answer(memory: MemorySetup) -> None:
    chat = memory.client().chat("cromicle", "Hello")
    answer = await result(chat.read())
    assert "“Hello”" in answer
    assert chat.answer == answer
    assert await result(chat.read()) == answer


async def test_a_chat_is_an_iterator_of_outputs(memory: MemorySetup) -> None:
    chat = memory.log_in().client().chat("hailuo", "Hello")
    outputs = await collect(chat)
    kinds = {type(output) for output in outputs}
    assert kinds == {CredentialsChanged, TitleChanged, ConversationChanged, TextDelta}
    assert await collect(chat) == []
    assert chat.title == "Hello"
    assert chat.usage is None
    assert json.loads(chat.snapshot())["flow"] == "HailuoChat"


async def test_a_history_and_a_system_message(memory: MemorySetup) -> None:
    history: Messages = [
        Message("user", "Hi"),
        {"role": "assistant", "content": "Hello!"},
        {"role": "user", "content": "Bye"},
    ]
    await result(memory.client().chat("cromicle", history, system="Be brief").read())
    (request,) = memory.emulators["cromicle"].requests
    assert json.loads(request.body)["message"] == "System: Be brief\nUser: Hi\nAssistant: Hello!\nUser: Bye\nAssistant:"


@pytest.mark.parametrize("system", [None, ""])
async def test_an_empty_system_message_is_not_sent(memory: MemorySetup, system: str | None) -> None:
    await result(memory.client().chat("cromicle", "Hello", system=system).read())
    (request,) = memory.emulators["cromicle"].requests
    assert json.loads(request.body)["message"] == "Hello"


async def test_a_conversation_is_continued(memory: MemorySetup) -> None:
    client = memory.log_in().client()
    first = client.chat("hailuo", "Hello")
    assert "message 1 of chat" in await result(first.read())
    assert first.conversation is not None
    second = client.chat("hailuo", "And now?", conversation=first.conversation)
    assert "message 2 of chat" in await result(second.read())
    assert second.conversation == first.conversation
    assert "message 1 of chat" in await result(client.chat("hailuo", "New").read())


async def test_a_conversation_of_another_login_is_not_continued(memory: MemorySetup) -> None:
    client = memory.log_in().client()
    first = client.chat("hailuo", "Hello")
    await result(first.read())
    assert first.conversation is not None
    other = first.conversation | {"token": "other"}
    assert "message 1 of chat" in await result(client.chat("hailuo", "Hello", conversation=other).read())


async def test_a_revised_answer_replaces_the_text(style: Style) -> None:
    def event(content: str) -> bytes:
        return encode_event(json.dumps({"data": {"messageResult": {"content": content}}}), event="message_result")

    chunks = [Chunk(event("Hello")), Chunk(event("Goodbye")), Chunk(event("Goodbye!"))]
    end = Chunk(encode_event("{}", event="close_chunk"))
    memory = MemorySetup(style, {"hailuo": FixedEmulator(*chunks, end)}).log_in()
    with pytest.raises(TextRevised) as raised:
        await collect(memory.client().chat("hailuo", "Hi").text())
    assert raised.value.whole == "Goodbye"
    assert await result(memory.client().chat("hailuo", "Hi").read()) == "Goodbye!"
    outputs = await collect(memory.client().chat("hailuo", "Hi"))
    assert outputs == [TextDelta("Hello"), TextReplaced("Goodbye"), TextDelta("!")]


async def test_leaving_the_text_early_closes_the_connection(style: Style) -> None:
    with EmulatorServer(behaviour=SLOW) as server:
        async with open_client(style, base_url=server.providers) as client:
            chat = client.chat("cromicle", "Hello")
            text = chat.text()
            if isinstance(text, AsyncIterable):
                async with aclosing(text):
                    assert await anext(text)
            else:
                assert next(text)
                text.close()
            assert await anyio.to_thread.run_sync(
                server.wait_for, lambda requests: [request.closed_early for request in requests] == [True]
            )


async def test_leaving_the_context_of_a_chat_closes_the_connection(style: Style) -> None:
    with EmulatorServer(behaviour=SLOW) as server:
        async with open_client(style, base_url=server.providers) as client:
            chat = client.chat("cromicle", "Hello")
            if isinstance(chat, AsyncIterable):
                async with chat:
                    assert await anext(chat)
            else:
                with chat:
                    assert next(chat)
            assert await anyio.to_thread.run_sync(
                server.wait_for, lambda requests: [request.closed_early for request in requests] == [True]
            )


def test_leaving_a_loop_inside_a_context_causes_no_error_in_the_event_loop() -> None:
    errors: list[str] = []

    async def leave(server: EmulatorServer) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context["message"]))
        client = AsyncClient(base_url=server.providers, environment={}, store=MemoryStore())
        async with client, client.chat("cromicle", "Hello") as chat:
            async for _ in chat.text():
                break

    with EmulatorServer(behaviour=SLOW) as server:
        asyncio.run(leave(server))
    gc.collect()
    assert errors == []


async def test_one_client_runs_several_chats_at_once(style: Style, fast_emulators: None) -> None:
    answers: list[str] = []
    async with open_client(style, emulate=True) as client:

        async def ask(prompt: str) -> None:
            answers.append(await result(client.chat("cromicle", prompt).read()))

        async with anyio.create_task_group() as tasks:
            for number in range(5):
                tasks.start_soon(ask, f"number {number}")
    assert sorted(answer.count("“number ") for answer in answers) == [1] * 5
    assert len(set(answers)) == 5
