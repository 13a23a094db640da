"""A chat or a job under way: iterating over it drives its flow.

The blocking and the async classes do the same under the same names.
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
from modelwire.json import JsonObject
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
from modelwire_io.drive import AsyncBrowser, AsyncTransport, Browser, SecretHolder, Transport, adrive, drive
from modelwire_io.net.loops import LoopGuard
from modelwire_io.store.recordings import RecordPath, adrive_recorded, drive_recorded

from .credential_turns import AsyncRefreshGate, RefreshGate, RefreshTurn, run_to_its_end
from .flow_factory import ReadyFlow
from .images import Image, safe_name
from .summary import OutputSummary


class _RunState:
    """The state of a flow as far as its outputs show it; complete once the iteration has ended."""

    def __init__(self, ready: ReadyFlow, transport: Transport | AsyncTransport) -> None:
        self._ready = ready
        self._turn = RefreshTurn(ready.flow, ready.stored)
        self._summary = OutputSummary()
        self._failure: FlowFailed | None = None
        credentials = ready.flow.credentials
        self._credentials: JsonObject | None = None if credentials is None else msgspec.to_builtins(credentials)
        self._replaced: JsonObject | None = None
        if isinstance(transport, SecretHolder):
            # A proxy may echo its password, which the flow does not know.
            for secret in transport.secrets:
                ready.flow.conceal(secret)

    @property
    def credentials(self) -> JsonObject | None:
        """The credentials that the provider issued during this run, if any."""
        return self._summary.credentials

    def snapshot(self) -> str:
        """The state as JSON, without credentials: this process or another can continue from it."""
        return self._ready.flow.snapshot()

    def _must_store(self, output: Output) -> bool:
        """Take an output into account. True if it brings credentials that are to be stored."""
        self._summary.add(output)
        if type(output) is not CredentialsChanged:
            return False
        self._replaced, self._credentials = self._credentials, output.credentials
        return self._ready.stored is not None

    def _store(self, credentials: JsonObject | None) -> None:
        if credentials is not None:
            self._turn.save(credentials)
        elif self._ready.stored is not None:
            self._ready.stored.forget(self._replaced)

    def _note_end(self, error: BaseException) -> None:
        """The iteration ended, or failed."""
        self._turn.release()
        if isinstance(error, FlowFailed):
            self._failure = error
        elif isinstance(error, StopIteration | StopAsyncIteration) and self._failure is not None:
            # A caller that goes on after a failure must not take a part of the answer for the whole.
            raise self._failure from None


class _ChatState(_RunState):
    @property
    def answer(self) -> str:
        """The answer as it stands."""
        return self._summary.text

    @property
    def conversation(self) -> JsonObject | None:
        """The value to pass as `conversation` to continue this chat; None if the provider keeps none."""
        return self._summary.conversation

    @property
    def title(self) -> str | None:
        """The title that the provider gave the conversation."""
        return self._summary.title

    @property
    def usage(self) -> UsageReported | None:
        """The tokens that the provider counted."""
        return self._summary.usage


class _JobState(_RunState):
    @property
    def job_id(self) -> str | None:
        """The provider's name for the job, once it has accepted it."""
        return self._ready.flow.job_id

    def _download(self, image: ImageReady) -> ImageDownload:
        download = ImageDownload(url=image.url, provider_url=self._ready.origin, limits=self._ready.limits)
        # The image may be on the provider's own host, which could echo the job's secrets: hide them here too.
        for secret in self._ready.flow.secrets:
            download.conceal(secret)
        return download

    def _image(self, ready: ImageReady, received: ImageReceived) -> Image:
        job = safe_name(self.job_id or "image")[:12]
        stem = f"{self._ready.provider.name}-{job}-{ready.index + 1}"
        return Image(url=received.url, data=received.data, media_type=received.media_type, stem=stem)


class FlowRun(_RunState):
    """A flow under way over a blocking transport: an iterator of its outputs. Close it to leave it early."""

    def __init__(
        self,
        ready: ReadyFlow,
        transport: Transport,
        *,
        record: RecordPath | None = None,
        browser: Browser | None = None,
    ) -> None:
        super().__init__(ready, transport)
        self._transport = transport
        if self._turn.is_shared:
            transport = RefreshGate(transport, self._turn)
            weakref.finalize(self, self._turn.release)
        if record is None:
            self._outputs = drive(ready.flow, transport, browser=browser)
        else:
            self._outputs = drive_recorded(ready.flow, transport, record)

    def __iter__(self) -> Iterator[Output]:
        return self

    def __next__(self) -> Output:
        try:
            output = next(self._outputs)
        except BaseException as error:
            self._note_end(error)
            raise
        if self._must_store(output):
            self._store(self.credentials)
        return output

    def close(self) -> None:
        """End it now, and close the connection."""
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


class Chat(FlowRun, _ChatState):
    """An answer under way."""

    def text(self) -> Generator[str, None, None]:
        """The answer alone, piece by piece. Leaving the loop early closes the connection.

        Raises `TextRevised` if the provider revises text that it has sent: `.whole` is the new text.
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
        """The whole answer, once it is complete."""
        for _ in self:
            pass
        return self.answer


class ImageJob(FlowRun, _JobState):
    """A job under way."""

    def images(self) -> Generator[Image, None, None]:
        """The images, each downloaded when the loop asks for it."""
        try:
            for output in self:
                if isinstance(output, ImageReady):
                    yield self.fetch(output)
        finally:
            self.close()

    def fetch(self, image: ImageReady) -> Image:
        """Download one image."""
        received = list(drive(self._download(image), self._transport))
        return self._image(image, next(output for output in received if isinstance(output, ImageReceived)))


class AsyncFlowRun(_RunState):
    """A flow under way over an async transport: an async iterator of its outputs.

    To leave it early, use it as a context manager, or call `close`.
    """

    def __init__(
        self,
        ready: ReadyFlow,
        transport: AsyncTransport,
        *,
        record: RecordPath | None = None,
        browser: AsyncBrowser | None = None,
    ) -> None:
        super().__init__(ready, transport)
        self._transport = transport
        self._loop = LoopGuard()
        self._is_closing = False
        if self._turn.is_shared:
            transport = AsyncRefreshGate(transport, self._turn)
            weakref.finalize(self, self._turn.release)
        if record is None:
            self._outputs = adrive(ready.flow, transport, browser=browser)
        else:
            self._outputs = adrive_recorded(ready.flow, transport, record)

    def __aiter__(self) -> AsyncIterator[Output]:
        return self

    async def __anext__(self) -> Output:
        self._loop.check()
        try:
            output = await anext(self._outputs)
        except BaseException as error:
            self._note_end(error)
            raise
        if self._must_store(output):
            await run_to_its_end(partial(self._store, self.credentials))
        return output

    async def close(self) -> None:
        """End it now, and close the connection."""
        # The event loop closes an iterator of `text` that was left early, in a task of its own, at the same time.
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

        Raises `TextRevised` if the provider revises text that it has sent: `.whole` is the new text.
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
        """The whole answer, once it is complete."""
        async for _ in self:
            pass
        return self.answer


class AsyncImageJob(AsyncFlowRun, _JobState):
    """A job under way."""

    async def images(self) -> AsyncGenerator[Image, None]:
        """The images, each downloaded when the loop asks for it."""
        try:
            async for output in self:
                if isinstance(output, ImageReady):
                    yield await self.fetch(output)
        finally:
            await self.close()

    async def fetch(self, image: ImageReady) -> Image:
        """Download one image."""
        received = [output async for output in adrive(self._download(image), self._transport)]
        return self._image(image, next(output for output in received if isinstance(output, ImageReceived)))
