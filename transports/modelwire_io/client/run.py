"""A chat or a job under way: iterate over it, and it happens.

The blocking and the async classes do the same with the same names.
"""

from __future__ import annotations

import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from functools import partial
from types import TracebackType
from typing import Self

import msgspec

from modelwire.download import ImageDownload
from modelwire.errors import FlowFailed, TextRevised
from modelwire.flow import Flow
from modelwire.json import JsonObject
from modelwire.limits import Limits
from modelwire.outputs import (
    CredentialsChanged,
    ImageReady,
    ImageReceived,
    Output,
    Restarted,
    TextDelta,
    TextReplaced,
    UsageReported,
)
from modelwire_io.drive import AsyncBrowser, AsyncTransport, Browser, Transport, adrive, drive
from modelwire_io.net.loops import LoopGuard
from modelwire_io.net.proxies import secrets_of
from modelwire_io.store.recordings import RecordPath, adrive_recorded, drive_recorded

from .credential_turns import AsyncRefreshGate, RefreshGate, RefreshTurn, run_to_its_end
from .flow_factory import ReadyFlow
from .images import Image, safe_name
from .summary import OutputSummary


def _conceal_proxies(flow: Flow, transport: object) -> None:
    """A proxy may say its password again, and no flow knows that one."""
    proxies = getattr(transport, "proxies", None)
    for secret in () if proxies is None else secrets_of(proxies):
        flow.conceal(secret)


class _RunState:
    """What is known of a flow so far; complete once the iteration has ended."""

    def __init__(self, prepared: ReadyFlow, limits: Limits) -> None:
        self._prepared = prepared
        self._limits = limits
        self._turn = RefreshTurn(prepared.flow, prepared.kept)
        self._told = OutputSummary()
        self._failed: FlowFailed | None = None
        held = prepared.flow.credentials
        self._held: JsonObject | None = None if held is None else msgspec.to_builtins(held)
        self._replaced: JsonObject | None = None
        self._home = LoopGuard()

    @property
    def credentials(self) -> JsonObject | None:
        """The credentials that the provider issued in the course of this, if any."""
        return self._told.credentials

    def snapshot(self) -> str:
        """The state as JSON, without credentials, to go on from in this process or another."""
        return self._prepared.flow.snapshot()

    def _to_save(self, output: Output) -> bool:
        """Take an output into account; whether it brings credentials that are to be stored."""
        self._told.note(output)
        if type(output) is not CredentialsChanged:
            return False
        self._replaced, self._held = self._held, output.credentials
        return self._prepared.kept is not None

    def _save(self, credentials: JsonObject | None) -> None:
        if credentials is not None:
            self._turn.save(credentials)
        elif self._prepared.kept is not None:
            self._prepared.kept.forget(self._replaced)

    def _note_end(self, error: BaseException) -> None:
        """The iteration came to its end, or to nothing."""
        self._turn.release()
        if isinstance(error, FlowFailed):
            self._failed = error
        elif isinstance(error, StopIteration | StopAsyncIteration) and self._failed is not None:
            # Whoever goes on after a failure must not take what came of the answer for the whole.
            raise self._failed from None


class _ChatState(_RunState):
    @property
    def answer(self) -> str:
        """The answer as it stands."""
        return self._told.text

    @property
    def conversation(self) -> JsonObject | None:
        """What to pass as `conversation` to go on with this chat; None where the provider keeps none."""
        return self._told.conversation

    @property
    def title(self) -> str | None:
        """The title that the provider gave the conversation."""
        return self._told.title

    @property
    def usage(self) -> UsageReported | None:
        """What the provider says that the answer cost."""
        return self._told.usage


class _JobState(_RunState):
    @property
    def job_id(self) -> str | None:
        """What the provider calls the job, once it has taken it."""
        return self._prepared.flow.job_id

    def _download(self, ready: ImageReady) -> ImageDownload:
        download = ImageDownload(url=ready.url, provider_url=self._prepared.origin, limits=self._limits)
        # The image may be where the job was told about: whoever is asked for it may say a secret of the job.
        for secret in self._prepared.flow.secrets:
            download.conceal(secret)
        return download

    def _image(self, ready: ImageReady, received: ImageReceived) -> Image:
        job = safe_name(self.job_id or "image")[:12]
        stem = f"{self._prepared.provider.name}-{job}-{ready.index + 1}"
        return Image(url=received.url, data=received.data, media_type=received.media_type, stem=stem)


class Work(_RunState):
    """A flow under way over a blocking transport: an iterator of its outputs. Close it to leave it early."""

    def __init__(
        self,
        prepared: ReadyFlow,
        transport: Transport,
        limits: Limits,
        *,
        record: RecordPath | None = None,
        browser: Browser | None = None,
    ) -> None:
        super().__init__(prepared, limits)
        self._transport = transport
        flow = prepared.flow
        _conceal_proxies(flow, transport)
        if self._turn.is_shared:
            transport = RefreshGate(transport, self._turn)
            weakref.finalize(self, self._turn.release)
        if record is None:
            self._outputs = drive(flow, transport, browser=browser)
        else:
            self._outputs = drive_recorded(flow, transport, record)

    def __iter__(self) -> Iterator[Output]:
        return self

    def __next__(self) -> Output:
        try:
            output = next(self._outputs)
        except BaseException as error:
            self._note_end(error)
            raise
        if self._to_save(output):
            self._save(self.credentials)
        return output

    def close(self) -> None:
        """End it now; the connection is closed."""
        try:
            self._outputs.close()
        finally:
            self._turn.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Chat(Work, _ChatState):
    """An answer under way."""

    def text(self) -> Generator[str, None, None]:
        """The answer alone, piece by piece. Leaving the loop early closes the connection.

        Raises `TextRevised` when the server takes back what it had said: `.whole` is what stands instead.
        """
        try:
            for output in self:
                if isinstance(output, TextDelta):
                    yield output.text
                elif isinstance(output, TextReplaced | Restarted):
                    raise TextRevised(self.answer)
        finally:
            self.close()

    def read(self) -> str:
        """The whole answer, once it has come."""
        for _ in self:
            pass
        return self.answer


class ImageJob(Work, _JobState):
    """A job under way."""

    def images(self) -> Generator[Image, None, None]:
        """The images, each fetched when its turn comes."""
        try:
            for output in self:
                if isinstance(output, ImageReady):
                    yield self.fetch(output)
        finally:
            self.close()

    def fetch(self, ready: ImageReady) -> Image:
        """Get one image."""
        received = list(drive(self._download(ready), self._transport))
        return self._image(ready, next(output for output in received if isinstance(output, ImageReceived)))


class AsyncFlowRun(_RunState):
    """A flow under way over an async transport: an async iterator of its outputs.

    To leave it early, use it as a context manager, or call `close`.
    """

    def __init__(
        self,
        prepared: ReadyFlow,
        transport: AsyncTransport,
        limits: Limits,
        *,
        record: RecordPath | None = None,
        browser: AsyncBrowser | None = None,
    ) -> None:
        super().__init__(prepared, limits)
        self._transport = transport
        self._is_closing = False
        flow = prepared.flow
        _conceal_proxies(flow, transport)
        if self._turn.is_shared:
            transport = AsyncRefreshGate(transport, self._turn)
            weakref.finalize(self, self._turn.release)
        if record is None:
            self._outputs = adrive(flow, transport, browser=browser)
        else:
            self._outputs = adrive_recorded(flow, transport, record)

    def __aiter__(self) -> AsyncIterator[Output]:
        return self

    async def __anext__(self) -> Output:
        self._home.check()
        try:
            output = await anext(self._outputs)
        except BaseException as error:
            self._note_end(error)
            raise
        if self._to_save(output):
            await run_to_its_end(partial(self._save, self.credentials))
        return output

    async def close(self) -> None:
        """End it now; the connection is closed."""
        # An iterator of `text` that was left early is closed by the event loop, in a task of its own, beside us.
        if not self._is_closing:
            self._is_closing = True
            try:
                await self._outputs.aclose()
            finally:
                self._is_closing = False
                self._turn.release()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


class AsyncChat(AsyncFlowRun, _ChatState):
    """An answer under way."""

    async def text(self) -> AsyncGenerator[str, None]:
        """The answer alone, piece by piece.

        Raises `TextRevised` when the server takes back what it had said: `.whole` is what stands instead.
        """
        try:
            async for output in self:
                if isinstance(output, TextDelta):
                    yield output.text
                elif isinstance(output, TextReplaced | Restarted):
                    raise TextRevised(self.answer)
        finally:
            await self.close()

    async def read(self) -> str:
        """The whole answer, once it has come."""
        async for _ in self:
            pass
        return self.answer


class AsyncImageJob(AsyncFlowRun, _JobState):
    """A job under way."""

    async def images(self) -> AsyncGenerator[Image, None]:
        """The images, each fetched when its turn comes."""
        try:
            async for output in self:
                if isinstance(output, ImageReady):
                    yield await self.fetch(output)
        finally:
            await self.close()

    async def fetch(self, ready: ImageReady) -> Image:
        """Get one image."""
        received = [output async for output in adrive(self._download(ready), self._transport)]
        return self._image(ready, next(output for output in received if isinstance(output, ImageReceived)))
