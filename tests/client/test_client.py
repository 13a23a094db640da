"""`Client` and `AsyncClient`, on asyncio and on trio: over emulators in memory, and over real sockets."""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import threading
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Iterable
from contextlib import aclosing, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, Unpack

import anyio
import anyio.to_thread
import msgspec
import pytest

import modelwire_io
from modelwire.catalog import PROVIDERS
from modelwire.emulators import (
    EMULATORS,
    ArtaEmulator,
    Behaviour,
    Chunk,
    CromicleEmulator,
    Emulator,
    EmulatorRequest,
    EmulatorResponse,
    HailuoEmulator,
)
from modelwire.errors import (
    ConnectError,
    DeadlineExceeded,
    InDoubt,
    InvalidInput,
    LoginRequiredError,
    SnapshotError,
    TextRevised,
)
from modelwire.limits import Limits
from modelwire.messages import Message, Messages
from modelwire.outputs import (
    ConversationChanged,
    CredentialsChanged,
    ImageReady,
    JobAccepted,
    LoginRequired,
    StatusChanged,
    TextDelta,
    TextReplaced,
    TitleChanged,
)
from modelwire.sse import encode_event
from modelwire_io import AsyncClient, AsyncImageJob, Client, ImageJob
from modelwire_io.client.client import EMULATED_CREDENTIALS, Configuration
from modelwire_io.client.run import AsyncFlowRun, Work
from modelwire_io.clock import VirtualClock
from modelwire_io.emulation import EmulatorServer
from modelwire_io.emulation import server as emulator_server
from modelwire_io.store import MemoryStore
from modelwire_io.transports import AsyncMemoryTransport, MemoryTransport
from modelwire_io.transports.memory import BASE_URL
from raw_server import OK, Connection, RawServer
from transport_variants import STYLES, Style, backend_of

pytestmark = pytest.mark.anyio

T = TypeVar("T")
AnyClient = Client | AsyncClient

CHATS = ["cromicle", "fakegpt", "hailuo", "magickpen"]
# Real time is only for what cannot be seen on a virtual clock.
FAST = Behaviour(pause=0.0, queue=0.0, work=0.0)
SIGN_UP = "/identitytoolkit/v3/relyingparty/signupNewUser?key="
SUBMIT = "/api/v1/text2image"


async def result(value: T | Awaitable[T]) -> T:
    """What a call gave, awaited where it is to be."""
    if isinstance(value, Awaitable):
        awaited: T = await value
        return awaited
    return value


async def everything(items: Iterable[T] | AsyncIterable[T]) -> list[T]:
    """All items there are, of either kind of iterable."""
    if isinstance(items, AsyncIterable):
        return [item async for item in items]
    return list(items)


async def until(kind: type[T], work: Work | AsyncFlowRun) -> T:
    """The first output of a kind; what comes after it stays where it is."""
    while True:
        output = next(work) if isinstance(work, Work) else await anext(work)
        if isinstance(output, kind):
            return output


@pytest.fixture(params=STYLES)
def style(request: pytest.FixtureRequest) -> Style:
    found: Style = request.param
    return found


@pytest.fixture
def anyio_backend(style: Style) -> str:
    return backend_of(style)


@asynccontextmanager
async def client_of(style: Style, **configuration: Unpack[Configuration]) -> AsyncIterator[AnyClient]:
    """A client over real sockets, whose environment is empty by default and which keeps nothing on disk."""
    defaults: Configuration = {"environment": {}, "store": MemoryStore()}
    if style == "blocking":
        with Client(**(defaults | configuration)) as blocking:
            yield blocking
    else:
        async with AsyncClient(**(defaults | configuration)) as asynchronous:
            yield asynchronous


class Listening:
    """An emulator, and what it was asked."""

    def __init__(self, inner: Emulator) -> None:
        self._inner = inner
        self.requests: list[EmulatorRequest] = []

    def handle(self, request: EmulatorRequest, now: float) -> EmulatorResponse:
        self.requests.append(request)
        return self._inner.handle(request, now)

    def saw(self, text: str) -> bool:
        """Whether it stood anywhere in a request."""
        return any(text in repr(msgspec.to_builtins(request)) + request.body.decode() for request in self.requests)

    def count(self, method: str, target: str) -> int:
        return sum((request.method, request.target) == (method, target) for request in self.requests)


class Memory:
    """Emulators in memory, and clients for them. What they keep, they keep in `store`."""

    def __init__(self, style: Style, **emulators: Emulator) -> None:
        self._style = style
        self.clock = VirtualClock()
        every = {name: kind() for name, kind in EMULATORS.items()} | emulators
        self.emulators = {name: Listening(inner) for name, inner in every.items()}
        self.base_urls = {name: f"{BASE_URL}/{name}" for name in self.emulators}
        self.store = MemoryStore()

    def log_in(self) -> Memory:
        """Keep what the emulators take as a login."""
        for name, credentials in EMULATED_CREDENTIALS.items():
            self.store.save(name, self.base_urls[name], credentials)
        return self

    def client(self, **configuration: Unpack[Configuration]) -> AnyClient:
        settings: Configuration = {
            "base_url": {name: self.base_urls[name] for name in PROVIDERS if name in self.base_urls},
            "store": self.store,
            "environment": {},
        }
        settings |= configuration
        if self._style == "blocking":
            return Client(transport=MemoryTransport(self.emulators, self.clock), **settings)
        return AsyncClient(transport=AsyncMemoryTransport(self.emulators, self.clock), **settings)


@pytest.fixture
def memory(style: Style) -> Memory:
    return Memory(style)


class Saying:
    """An emulator that answers every request with the same bytes."""

    def __init__(self, *chunks: Chunk, status: int = 200) -> None:
        self._response = EmulatorResponse(status=status, chunks=chunks)

    def handle(self, request: EmulatorRequest, now: float) -> EmulatorResponse:
        return self._response


# Chats.


@pytest.mark.parametrize("provider", CHATS)
async def test_a_chat_in_memory(memory: Memory, provider: str) -> None:
    chat = memory.log_in().client().chat(provider, "What is a flow?")
    pieces = await everything(chat.text())
    assert len(pieces) > 5
    assert "“What is a flow?”" in "".join(pieces)
    assert chat.answer == "".join(pieces)


@pytest.mark.parametrize("provider", CHATS)
async def test_a_chat_over_sockets(style: Style, provider: str, fast_emulators: None) -> None:
    async with client_of(style, emulate=True) as client:
        chat = client.chat(provider, "What is a flow?")
        pieces = await everything(chat.text())
        assert "“What is a flow?”" in "".join(pieces)
        assert client.emulator is not None
        assert {request.status for request in client.emulator.requests} == {200}
        assert {request.provider for request in client.emulator.requests} == {provider}


@pytest.fixture
def fast_emulators(monkeypatch: pytest.MonkeyPatch) -> None:
    """`emulate=True` starts emulators that take no time."""
    monkeypatch.setattr(emulator_server, "EmulatorServer", partial(EmulatorServer, behaviour=FAST))


async def test_read_gives_the_whole_answer(memory: Memory) -> None:
    chat = memory.client().chat("cromicle", "Hello")
    answer = await result(chat.read())
    assert "“Hello”" in answer
    assert chat.answer == answer
    assert await result(chat.read()) == answer


async def test_a_chat_is_an_iterator_of_outputs(memory: Memory) -> None:
    chat = memory.log_in().client().chat("hailuo", "Hello")
    outputs = await everything(chat)
    kinds = {type(output) for output in outputs}
    assert kinds == {CredentialsChanged, TitleChanged, ConversationChanged, TextDelta}
    assert await everything(chat) == []
    assert chat.title == "Hello"
    assert chat.usage is None
    assert json.loads(chat.snapshot())["flow"] == "HailuoChat"


async def test_a_history_and_a_system_message(memory: Memory) -> None:
    history: Messages = [
        Message("user", "Hi"),
        {"role": "assistant", "content": "Hello!"},
        {"role": "user", "content": "Bye"},
    ]
    await result(memory.client().chat("cromicle", history, system="Be brief").read())
    (request,) = memory.emulators["cromicle"].requests
    assert json.loads(request.body)["message"] == "System: Be brief\nUser: Hi\nAssistant: Hello!\nUser: Bye\nAssistant:"


@pytest.mark.parametrize("system", [None, ""])
async def test_no_system_message(memory: Memory, system: str | None) -> None:
    await result(memory.client().chat("cromicle", "Hello", system=system).read())
    (request,) = memory.emulators["cromicle"].requests
    assert json.loads(request.body)["message"] == "Hello"


async def test_a_conversation_goes_on(memory: Memory) -> None:
    client = memory.log_in().client()
    first = client.chat("hailuo", "Hello")
    assert "message 1 of chat" in await result(first.read())
    assert first.conversation is not None
    second = client.chat("hailuo", "And now?", conversation=first.conversation)
    assert "message 2 of chat" in await result(second.read())
    assert second.conversation == first.conversation
    assert "message 1 of chat" in await result(client.chat("hailuo", "New").read())


async def test_a_conversation_of_another_login_begins_anew(memory: Memory) -> None:
    client = memory.log_in().client()
    first = client.chat("hailuo", "Hello")
    await result(first.read())
    assert first.conversation is not None
    other = first.conversation | {"token": "other"}
    assert "message 1 of chat" in await result(client.chat("hailuo", "Hello", conversation=other).read())


async def test_a_revised_answer(style: Style) -> None:
    def event(content: str) -> bytes:
        return encode_event(json.dumps({"data": {"messageResult": {"content": content}}}), event="message_result")

    chunks = [Chunk(event("Hello")), Chunk(event("Goodbye")), Chunk(event("Goodbye!"))]
    end = Chunk(encode_event("{}", event="close_chunk"))
    memory = Memory(style, hailuo=Saying(*chunks, end)).log_in()
    with pytest.raises(TextRevised) as raised:
        await everything(memory.client().chat("hailuo", "Hi").text())
    assert raised.value.whole == "Goodbye"
    assert await result(memory.client().chat("hailuo", "Hi").read()) == "Goodbye!"
    outputs = await everything(memory.client().chat("hailuo", "Hi"))
    assert outputs == [TextDelta("Hello"), TextReplaced("Goodbye"), TextDelta("!")]


async def test_leaving_the_text_early_closes_the_connection(style: Style) -> None:
    # The answer takes far longer than the test: only a client that goes can end it.
    with EmulatorServer(behaviour=Behaviour(pause=0.05, chunk_size=1)) as server:
        async with client_of(style, base_url=server.providers) as client:
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
    with EmulatorServer(behaviour=Behaviour(pause=0.05, chunk_size=1)) as server:
        async with client_of(style, base_url=server.providers) as client:
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


def test_leaving_a_loop_within_a_context_is_no_error_of_the_event_loop() -> None:
    told: list[str] = []

    async def leave(server: EmulatorServer) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["message"]))
        client = AsyncClient(base_url=server.providers, environment={}, store=MemoryStore())
        async with client, client.chat("cromicle", "Hello") as chat:
            async for _ in chat.text():
                break

    with EmulatorServer(behaviour=Behaviour(pause=0.05, chunk_size=1)) as server:
        asyncio.run(leave(server))
    gc.collect()
    assert told == []


async def test_chats_side_by_side(style: Style, fast_emulators: None) -> None:
    answers: list[str] = []
    async with client_of(style, emulate=True) as client:

        async def ask(prompt: str) -> None:
            answers.append(await result(client.chat("cromicle", prompt).read()))

        async with anyio.create_task_group() as tasks:
            for number in range(5):
                tasks.start_soon(ask, f"number {number}")
    assert sorted(answer.count("“number ") for answer in answers) == [1] * 5
    assert len(set(answers)) == 5


# Images.


async def make_images(client: AnyClient, **options: Any) -> tuple[ImageJob | AsyncImageJob, list[Any]]:
    job = client.image("arta/flux", "a dragon", **options)
    return job, await everything(job.images())


async def check_images(client: AnyClient, folder: Path) -> None:
    job, images = await make_images(client, n=2)
    paths = [image.save(folder) for image in images]
    assert job.job_id is not None
    assert [path.name for path in paths] == [f"arta-{job.job_id[:12]}-{number}.png" for number in (1, 2)]
    assert all(path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n") for path in paths)
    assert paths[0].read_bytes() != paths[1].read_bytes()
    assert [image.media_type for image in images] == ["image/png"] * 2


async def test_images_in_memory(memory: Memory, tmp_path: Path) -> None:
    await check_images(memory.log_in().client(), tmp_path / "out")
    assert memory.emulators["arta"].count("POST", SUBMIT) == 1


async def test_images_over_sockets(style: Style, fast_emulators: None, tmp_path: Path) -> None:
    async with client_of(style, emulate=True) as client:
        await check_images(client, tmp_path / "out")


async def test_a_job_is_an_iterator_of_outputs(memory: Memory) -> None:
    job = memory.log_in().client().image("arta", "a dragon")
    outputs = await everything(job)
    assert [type(output) for output in outputs] == [
        CredentialsChanged,
        JobAccepted,
        StatusChanged,
        StatusChanged,
        StatusChanged,
        ImageReady,
    ]
    assert isinstance(outputs[-1], ImageReady)
    image = await result(job.fetch(outputs[-1]))
    assert image.url == outputs[-1].url
    assert job.credentials is not None
    assert set(job.credentials) == {"api_key", "id_token", "refresh_token", "expires_in", "issued_at"}


async def test_a_prompt_for_an_image_may_be_a_history(memory: Memory) -> None:
    await everything(memory.log_in().client().image("arta", [Message("user", "a red dragon")]))
    assert memory.emulators["arta"].saw("prompt=a+red+dragon&")


# Resuming.


async def test_a_job_that_took_too_long_goes_on(memory: Memory) -> None:
    memory.log_in()
    with pytest.raises(DeadlineExceeded) as raised:
        await make_images(memory.client(timeout=1.0))
    snapshot = raised.value.failure.snapshot
    assert snapshot is not None
    assert "emulated-key" not in snapshot
    job = memory.client().resume("arta", snapshot)
    (image,) = await everything(job.images())
    assert image.data.startswith(b"\x89PNG")
    assert memory.emulators["arta"].count("POST", SUBMIT) == 1
    assert (
        memory.emulators["arta"].count("POST", "/identitytoolkit/v3/relyingparty/signupNewUser?key=emulated-key") == 1
    )


async def test_a_job_that_was_left_goes_on(memory: Memory) -> None:
    client = memory.log_in().client()
    job = client.image("arta", "a dragon", n=2)
    accepted = await until(JobAccepted, job)
    snapshot = job.snapshot()
    await result(job.close())
    again = memory.client().resume("arta/flux", snapshot.encode())
    assert len(await everything(again.images())) == 2
    assert memory.emulators["arta"].saw(f"/{accepted.job_id}/status")
    assert memory.emulators["arta"].count("POST", SUBMIT) == 1


async def test_a_job_goes_on_over_sockets_without_being_submitted_twice(style: Style) -> None:
    with EmulatorServer(behaviour=FAST) as server:
        store = MemoryStore()
        store.save("arta", server.providers["arta"], {"api_key": "key"})
        async with client_of(style, base_url=server.providers, store=store) as client:
            job = client.image("arta", "a dragon")
            await until(JobAccepted, job)
            snapshot = job.snapshot()
            await result(job.close())
        async with client_of(style, base_url=server.providers, store=store) as client:
            assert len(await everything(client.resume("arta", snapshot).images())) == 1
        assert [request.target for request in server.requests].count(SUBMIT) == 1


async def test_a_snapshot_of_another_place_is_refused(style: Style, memory: Memory) -> None:
    elsewhere = Memory(style, evil=ArtaEmulator())
    elsewhere.store.save("arta", f"{BASE_URL}/evil", {"api_key": "key"})
    job = elsewhere.client(base_url=f"{BASE_URL}/evil").image("arta", "a dragon")
    await until(JobAccepted, job)
    await result(job.close())
    with pytest.raises(InvalidInput, match="give the base URL that the job was begun with"):
        memory.log_in().client().resume("arta", job.snapshot())


async def test_what_is_no_snapshot_is_refused(memory: Memory) -> None:
    for snapshot in ("", "{}", b"\xff", "[" * 100_000, json.dumps({"flow": "CromicleChat"})):
        with pytest.raises(SnapshotError):
            memory.client().resume("arta", snapshot)


async def test_what_may_have_been_paid_for_is_not_sent_again(style: Style) -> None:
    class Losing:
        """It takes the job, and its answer is lost."""

        def __init__(self) -> None:
            self._inner = ArtaEmulator()
            self.loses = True

        def handle(self, request: EmulatorRequest, now: float) -> EmulatorResponse:
            response = self._inner.handle(request, now)
            if self.loses and request.target == SUBMIT:
                return msgspec.structs.replace(response, chunks=(), stays_open=True)
            return response

    losing = Losing()
    memory = Memory(style, arta=losing).log_in()
    job = memory.client().image("arta", "a dragon")
    with pytest.raises(InDoubt):
        await everything(job)
    assert memory.emulators["arta"].count("POST", SUBMIT) == 1
    losing.loses = False
    snapshot = job.snapshot()
    with pytest.raises(InDoubt, match="resend=True"):
        memory.client().resume("arta", snapshot)
    assert len(await everything(memory.client().resume("arta", snapshot, resend=True).images())) == 1


# Names, options, input.


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("cromicl", "unknown provider 'cromicl': did you mean 'cromicle'?"),
        ("cromicle/gpt-3.5", "unknown model 'gpt-3.5' for Cromicle: did you mean 'gpt-3.5-turbo'?"),
        ("arta", "ARTA is for images, not for chats: choose another provider"),
    ],
)
def test_a_chat_with_nobody(memory: Memory, model: str, message: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        memory.client().chat(model, "Hello")
    assert str(raised.value) == message


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("artta", "unknown provider 'artta': did you mean 'arta'?"),
        ("arta/fluxx", "unknown model 'fluxx' for ARTA: did you mean 'flux'?"),
        ("cromicle", "Cromicle is for chats, not for images: choose another provider"),
    ],
)
def test_an_image_by_nobody(memory: Memory, model: str, message: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        memory.client().image(model, "a dragon")
    assert str(raised.value) == message


@pytest.mark.parametrize("prompt", ["", " \n", [], [Message("user", "")]])
def test_an_empty_prompt(memory: Memory, prompt: Any) -> None:
    with pytest.raises(InvalidInput, match="the prompt is empty"):
        memory.client().chat("cromicle", prompt, system="Be brief")
    with pytest.raises(InvalidInput, match="the prompt is empty"):
        memory.client().image("arta", prompt)


def test_a_lone_surrogate(memory: Memory) -> None:
    for arguments in (("\ud800", None), ("Hello", "\ud800")):
        with pytest.raises(InvalidInput, match="lone surrogate"):
            memory.client().chat("cromicle", arguments[0], system=arguments[1])


def test_an_unknown_option_is_refused_with_the_nearest(memory: Memory) -> None:
    with pytest.raises(InvalidInput, match=r"unknown option 'step': did you mean 'steps'\?"):
        memory.client().image("arta", "a dragon", step=1)
    with pytest.raises(InvalidInput, match="unknown option 'temperature'"):
        memory.client().chat("cromicle", "Hello", temperature=1)


@pytest.mark.parametrize("options", [{"n": "two"}, {"n": 0}, {"aspect_ratio": "wide"}, {"steps": -1}])
def test_a_bad_option_is_refused(memory: Memory, options: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="bad option"):
        memory.client().image("arta", "a dragon", **options)


async def test_options_may_be_text(memory: Memory) -> None:
    job = memory.log_in().client().image("arta/watercolor", "a dragon", n="2", steps="7", seed="42", cfg_scale="1.5")
    assert len(await everything(job.images())) == 2
    for field in ("images_num=2", "steps=7", "seed=42", "cfg_scale=1.5", "style=Watercolor"):
        assert memory.emulators["arta"].saw(field)


def test_no_conversation_where_there_are_none(memory: Memory) -> None:
    with pytest.raises(InvalidInput, match="Cromicle keeps no conversations"):
        memory.client().chat("cromicle", "Hello", conversation={})
    with pytest.raises(InvalidInput, match="the conversation do"):
        memory.client().chat("hailuo", "Hello", conversation={})


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf")])
def test_a_timeout_that_is_none(memory: Memory, timeout: float) -> None:
    with pytest.raises(InvalidInput, match="the timeout is a number of seconds, more than 0"):
        memory.client(timeout=timeout)


async def test_a_timeout_ends_a_chat(style: Style) -> None:
    memory = Memory(style, cromicle=CromicleEmulator(Behaviour(pause=1.0)))
    began = memory.clock.now()
    with pytest.raises(DeadlineExceeded, match="not finished within 3 seconds"):
        await result(memory.client(timeout=3).chat("cromicle", "Hello").read())
    assert memory.clock.now() - began == 3


# Where a provider is.


def at(style: Style, *places: str) -> Memory:
    """Emulators of Cromicle alone, each in a place of its own."""
    return Memory(style, **{place: CromicleEmulator() for place in places})


@pytest.mark.parametrize(
    ("base_url", "environment", "place"),
    [
        (f"{BASE_URL}/a", {}, "a"),
        (f"{BASE_URL}/a/", {}, "a"),
        ({"cromicle": f"{BASE_URL}/a", "hailuo": f"{BASE_URL}/b"}, {}, "a"),
        (None, {"CROMICLE_BASE_URL": f"{BASE_URL}/a", "HAILUO_BASE_URL": f"{BASE_URL}/b"}, "a"),
        (f"{BASE_URL}/a", {"CROMICLE_BASE_URL": f"{BASE_URL}/b"}, "a"),
        ({"cromicle": f"{BASE_URL}/a"}, {"CROMICLE_BASE_URL": f"{BASE_URL}/b"}, "a"),
        ({"hailuo": f"{BASE_URL}/b"}, {"CROMICLE_BASE_URL": f"{BASE_URL}/a"}, "a"),
        ({"hailuo": f"{BASE_URL}/b"}, {"CROMICLE_BASE_URL": ""}, "cromicle"),
        (None, {}, "cromicle"),
    ],
)
async def test_a_base_url_takes_the_place_of_the_hosts(
    style: Style, base_url: Any, environment: dict[str, str], place: str
) -> None:
    memory = at(style, "a", "b")
    await result(memory.client(base_url=base_url, environment=environment).chat("cromicle", "Hello").read())
    assert [name for name, emulator in memory.emulators.items() if emulator.requests] == [place]


@pytest.mark.parametrize(
    "base_url", ["ftp://example.org", "example.org", "http://", "http://example.org/?a", "http://[::1"]
)
def test_a_base_url_that_is_none(memory: Memory, base_url: str) -> None:
    client = memory.client(base_url=base_url)
    for call in (partial(client.chat, "cromicle", "Hello"), partial(client.locate, "cromicle")):
        with pytest.raises(InvalidInput):
            call()


def test_locate_tells_provider_and_address(memory: Memory) -> None:
    assert memory.client().locate("cromicle/gpt-3.5-turbo") == (PROVIDERS["cromicle"], f"{BASE_URL}/cromicle")
    assert memory.client(base_url=None).locate("arta") == (PROVIDERS["arta"], "https://ai-arta.com")
    assert memory.client().base_url("cromicle") == f"{BASE_URL}/cromicle"
    assert memory.client(base_url=None).base_url("arta") is None


# Credentials.


async def test_without_a_login_a_person_has_to_log_in(memory: Memory) -> None:
    chat = memory.client().chat("hailuo", "Hello")
    assert await until(LoginRequired, chat) == LoginRequired("Hailuo AI", f"{BASE_URL}/hailuo")
    with pytest.raises(LoginRequiredError):
        await until(TextDelta, chat)
    assert memory.emulators["hailuo"].requests == []


async def test_credentials_are_kept_by_provider_and_place(style: Style) -> None:
    memory = Memory(style, a=ArtaEmulator(entropy=b"a"), b=ArtaEmulator(entropy=b"b"))
    places = {name: f"{BASE_URL}/{name}" for name in ("a", "b")}
    tokens = {}
    for name, url in places.items():
        client = memory.client(base_url=url, environment={"ARTA_API_KEY": "key"})
        await make_images(client)
        kept = memory.store.load("arta", url)
        assert kept is not None
        tokens[name] = {kept["id_token"], kept["refresh_token"]}
        # The second job uses what the first was issued.
        await make_images(client)
    assert len(tokens["a"] | tokens["b"]) == 4
    for name, other in (("a", "b"), ("b", "a")):
        assert memory.emulators[name].count("POST", f"{SIGN_UP}key") == 1
        assert not any(memory.emulators[name].saw(str(token)) for token in tokens[other])
    assert memory.store.load("arta", memory.base_urls["arta"]) is None


async def test_a_login_for_one_place_is_never_sent_to_another(style: Style) -> None:
    memory = Memory(style, elsewhere=HailuoEmulator()).log_in()
    await result(memory.client().chat("hailuo", "Hello").read())
    with pytest.raises(LoginRequiredError):
        await result(memory.client(base_url=f"{BASE_URL}/elsewhere").chat("hailuo", "Hello").read())
    assert memory.emulators["elsewhere"].requests == []


async def test_given_credentials_are_used_and_not_kept(memory: Memory) -> None:
    job = memory.client().image("arta", "a dragon", credentials={"api_key": "given"})
    await everything(job)
    assert memory.emulators["arta"].saw("key=given")
    assert job.credentials is not None
    assert memory.store.load("arta", memory.base_urls["arta"]) is None


async def test_given_credentials_leave_kept_ones_alone(memory: Memory) -> None:
    memory.log_in()
    before = memory.store.load("hailuo", memory.base_urls["hailuo"])
    with pytest.raises(LoginRequiredError):
        await result(memory.client().chat("hailuo", "Hello", credentials={"token": "bad"}).read())
    assert memory.store.load("hailuo", memory.base_urls["hailuo"]) == before


@pytest.mark.parametrize(
    ("given", "environment", "used"),
    [("given", "brought", "given"), (None, "brought", "brought"), (None, None, "kept"), ("given", None, "given")],
)
async def test_argument_over_environment_over_file(
    memory: Memory, given: str | None, environment: str | None, used: str
) -> None:
    memory.store.save("arta", memory.base_urls["arta"], {"api_key": "kept"})
    client = memory.client(environment={} if environment is None else {"ARTA_API_KEY": environment})
    await everything(client.image("arta", "a dragon", credentials=None if given is None else {"api_key": given}))
    assert [key for key in ("given", "brought", "kept") if memory.emulators["arta"].saw(f"key={key}")] == [used]


async def test_refused_credentials_are_forgotten_and_replaced(memory: Memory) -> None:
    memory.store.save("fakegpt", memory.base_urls["fakegpt"], {"access_token": "old", "cookies": []})
    outputs = await everything(memory.client().chat("fakegpt", "Hello"))
    first, second = (output for output in outputs if isinstance(output, CredentialsChanged))
    assert first == CredentialsChanged(None)
    assert memory.store.load("fakegpt", memory.base_urls["fakegpt"]) == second.credentials


@pytest.mark.parametrize("credentials", [{}, {"token": 1}, {"tokn": "x"}, PROVIDERS["hailuo"].options()])
def test_credentials_that_do_not_fit(memory: Memory, credentials: Any) -> None:
    with pytest.raises(InvalidInput, match="the credentials do not fit"):
        memory.client().chat("hailuo", "Hello", credentials=credentials)


async def test_logging_in_keeps_a_login(memory: Memory) -> None:
    await result(memory.client().log_in("hailuo", {"token": "emulated-token"}))
    assert "“Hello”" in await result(memory.client().chat("hailuo", "Hello").read())


async def test_logging_in_where_there_is_no_login(memory: Memory) -> None:
    with pytest.raises(InvalidInput, match="Cromicle needs no login"):
        await result(memory.client().log_in("cromicle", {"token": "x"}))
    with pytest.raises(InvalidInput, match="the credentials do not fit"):
        await result(memory.client().log_in("hailuo", {}))


# The embedded emulators.


def emulator_of(client: AnyClient) -> EmulatorServer | None:
    """The emulators of a client, which may stop at any time."""
    return client.emulator


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A home without anything in it, where every directory of the user's is."""
    for name in ("HOME", "USERPROFILE", "LOCALAPPDATA", "APPDATA"):
        monkeypatch.setenv(name, str(tmp_path))
    for name in ("XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    return tmp_path


async def test_emulating_keeps_nothing_on_disk(style: Style, home: Path, fast_emulators: None) -> None:
    client = Client(emulate=True) if style == "blocking" else AsyncClient(emulate=True)
    await make_images(client)
    await result(client.chat("hailuo", "Hello").read())
    await result(client.log_in("hailuo", {"token": "emulated-token"}))
    await result(client.close())
    assert list(home.iterdir()) == []


async def test_otherwise_credentials_are_kept_on_disk(style: Style, home: Path) -> None:
    with EmulatorServer(behaviour=FAST) as server:
        configuration: Configuration = {"base_url": server.providers, "environment": {"ARTA_API_KEY": "key"}}
        client = Client(**configuration) if style == "blocking" else AsyncClient(**configuration)
        await make_images(client)
        await result(client.close())
    (file,) = home.rglob("*.json")
    assert server.providers["arta"] in json.loads(file.read_bytes())["origins"]
    assert file.stat().st_mode & 0o077 == 0


async def test_emulating_asks_no_real_provider_whatever_the_environment_says(
    style: Style, fast_emulators: None
) -> None:
    with RawServer() as server:
        environment = {"CROMICLE_BASE_URL": server.url, "ALL_PROXY": server.url, "ARTA_API_KEY": "secret"}
        async with client_of(style, emulate=True, base_url=server.url, environment=environment) as client:
            assert "“Hello”" in await result(client.chat("cromicle", "Hello").read())
            await make_images(client)
        assert server.connections == []


async def test_closing_a_client_stops_the_emulators(style: Style) -> None:
    async with client_of(style, emulate=True) as client:
        emulator = emulator_of(client)
        assert emulator is not None
        url = emulator.url
    assert emulator_of(client) is None
    async with client_of(style, base_url=f"{url}/cromicle", limits=Limits(tries=1)) as other:
        with pytest.raises(ConnectError):
            await result(other.chat("cromicle", "Hello").read())
    await result(client.close())


def test_a_client_that_cannot_be_made_leaves_no_emulators(style: Style) -> None:
    before = set(threading.enumerate())
    make: Any = Client if style == "blocking" else AsyncClient
    # The error is kept, and with it all that the garbage collector could stop.
    with pytest.raises(InvalidInput) as raised:
        make(emulate=True, timeout=-1)
    assert set(threading.enumerate()) <= before, raised.value


# What a client is made of.


async def test_a_store_that_is_empty_is_a_store(style: Style, home: Path) -> None:
    class Shelf(MemoryStore):
        def __len__(self) -> int:
            return len(self._kept)

    memory = Memory(style)
    memory.store = shelf = Shelf()
    await everything(memory.client(environment={"ARTA_API_KEY": "key"}).image("arta", "a dragon"))
    assert len(shelf) == 1
    assert list(home.iterdir()) == []


async def test_requests_go_through_a_proxy(style: Style) -> None:
    def script(connection: Connection) -> None:
        connection.respond(OK)
        connection.wait_for_end()

    with RawServer(script, script) as proxy:
        base_url = "http://name.invalid"
        configurations: list[Configuration] = [
            {"base_url": base_url, "proxy": proxy.url},
            {"base_url": base_url, "environment": {"HTTP_PROXY": proxy.url}},
        ]
        for configuration in configurations:
            async with client_of(style, **configuration) as client:
                assert await result(client.chat("cromicle", "Hello").read()) == "ok"
        assert [connection.received.split(b"\r\n")[0] for connection in proxy.connections] == [
            b"POST http://name.invalid/chat HTTP/1.1"
        ] * 2


@pytest.mark.parametrize("configuration", [{"proxy": "ftp://proxy"}, {"environment": {"HTTP_PROXY": "ftp://proxy"}}])
async def test_a_bad_proxy_is_told_at_the_first_use(style: Style, configuration: Configuration) -> None:
    async with client_of(style, **configuration) as client:
        with pytest.raises(InvalidInput, match="which is not a proxy URL"):
            client.chat("cromicle", "Hello")


async def test_a_missing_library_is_told_at_the_first_use(style: Style, monkeypatch: pytest.MonkeyPatch) -> None:
    for library in ("httpx", "httpx2", "h11"):
        monkeypatch.setitem(sys.modules, library, None)
    async with client_of(style) as client:
        with pytest.raises(InvalidInput, match=r"pip install 'modelwire\[httpx\]'"):
            client.chat("cromicle", "Hello")


async def test_closing_goes_on_where_the_transport_cannot_be_closed(style: Style) -> None:
    class Broken(MemoryTransport):
        def close(self) -> None:
            raise OSError("it is stuck")

    class AsyncBroken(AsyncMemoryTransport):
        async def close(self) -> None:
            raise OSError("it is stuck")

    client: AnyClient
    if style == "blocking":
        client = Client(transport=Broken(), emulate=True)
    else:
        client = AsyncClient(transport=AsyncBroken(), emulate=True)
    with pytest.raises(OSError, match="stuck"):
        await result(client.close())
    assert emulator_of(client) is None


def test_a_client_that_was_not_used_has_opened_nothing(style: Style) -> None:
    client = Client() if style == "blocking" else AsyncClient()
    assert client.emulator is None
    assert client._transport is None


def test_the_package_offers_what_most_people_use() -> None:
    names = {"AsyncChat", "AsyncClient", "AsyncImageJob", "Chat", "Client", "Image", "ImageJob"}
    assert names == set(modelwire_io.__all__)
    assert all(hasattr(modelwire_io, name) for name in modelwire_io.__all__)
