"""`Client` and `AsyncClient`: the interface for most programs.

Each `chat` and `image` gives an object that iterates over the outputs as they arrive.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Any, Self

import anyio.to_thread

from modelwire.outputs import ModelsListed, Output
from modelwire_io.browsers.threaded import ThreadedBrowser
from modelwire_io.drive import AsyncTransport, Browser, Transport
from modelwire_io.store.recordings import RecordPath

from .base import ClientBase
from .flow_factory import CredentialsInput, ReadyFlow
from .plugins import load_provider
from .run import AsyncChat, AsyncFlowRun, AsyncImageJob, Chat, FlowRun, ImageJob


class Client(ClientBase[Transport, Chat, ImageJob]):
    """Chats and images, blocking.

    with Client() as client:
        for delta in client.chat("cromicle", "Hello").text():
            print(delta, end="", flush=True)

    Threads may share one. In async code use `AsyncClient`: this one blocks the event loop.
    """

    def models(self, provider: str) -> list[str]:
        """The models of a provider: those that it declares, or those that its service lists when asked.

        Empty if any name is accepted and the service cannot be asked. Raises the `FlowFailed` of a failure.
        """
        listing = self._listing(provider)
        if isinstance(listing, list):
            return listing
        with FlowRun(listing, self.transport) as run:
            return [model for output in run if isinstance(output, ModelsListed) for model in output.models]

    def log_in(self, provider: str, credentials: CredentialsInput) -> None:
        """Store credentials that a person supplied, for later chats and jobs.

        Raises `InvalidInput` if they are not the provider's.
        """
        self._settings.factory.log_in(load_provider(provider), credentials)

    def import_login(self, provider: str, data: bytes, *, token: str = "") -> None:
        """Store the login in a file that a browser exported: a HAR, or its cookies as JSON.

        `token` is one that the caller supplies besides. Raises `InvalidInput` that says what the file lacks.
        """
        self._settings.factory.import_login(load_provider(provider), data, token=token)

    def log_in_with_browser(
        self,
        provider: str,
        *,
        browser: Browser | None = None,
        on_output: Callable[[Output], object] | None = None,
        **options: Any,
    ) -> None:
        """Open a browser in which a person logs in on the provider's own page, and store the login.

        `browser` is one with settings of your own; it is closed in the end. `on_output` gets the flow's outputs,
        first `LoginRequired` with the page. Raises `InvalidInput` if there is no browser, and the `FlowFailed` of a
        login that failed.
        """
        ready = self._settings.factory.login(load_provider(provider), options)
        window = self._settings.browser() if browser is None else browser
        try:
            with FlowRun(ready, self.transport, browser=window) as run:
                for output in run:
                    if on_output is not None:
                        on_output(output)
        finally:
            window.close()

    def log_out(self, provider: str) -> bool:
        """Remove the stored login for the address in use. True if there was any."""
        return self._settings.factory.log_out(load_provider(provider))

    def close(self) -> None:
        """Close every connection, and stop the emulators."""
        try:
            if self._transport is not None:
                self._transport.close()
        finally:
            self._settings.stop_emulator()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open_transport(self) -> Transport:
        from modelwire_io.transports import H11Transport

        return H11Transport(proxy=self._settings.proxy, environment=self._settings.environment)

    def _run_chat(self, ready: ReadyFlow, record: RecordPath | None) -> Chat:
        return Chat(ready, self.transport, record=record)

    def _run_image_job(self, ready: ReadyFlow, record: RecordPath | None) -> ImageJob:
        return ImageJob(ready, self.transport, record=record)


class AsyncClient(ClientBase[AsyncTransport, AsyncChat, AsyncImageJob]):
    """Chats and images, on asyncio and on trio.

    async with AsyncClient() as client:
        async for delta in client.chat("cromicle", "Hello").text():
            print(delta, end="", flush=True)

    Several event loops may use it, one after the other or at once. Each has connections of its own, which are closed
    when the loop ends. A chat or a job stays in the event loop in which it began: elsewhere it raises
    `LocalProtocolError`.
    """

    async def models(self, provider: str) -> list[str]:
        """The models of a provider: those that it declares, or those that its service lists when asked.

        Empty if any name is accepted and the service cannot be asked. Raises the `FlowFailed` of a failure.
        """
        listing = self._listing(provider)
        if isinstance(listing, list):
            return listing
        async with AsyncFlowRun(listing, self.transport) as run:
            return [model async for output in run if isinstance(output, ModelsListed) for model in output.models]

    async def log_in(self, provider: str, credentials: CredentialsInput) -> None:
        """Store credentials that a person supplied, for later chats and jobs.

        Raises `InvalidInput` if they are not the provider's.
        """
        log_in = self._settings.factory.log_in
        await anyio.to_thread.run_sync(log_in, load_provider(provider), credentials)

    async def import_login(self, provider: str, data: bytes, *, token: str = "") -> None:
        """Store the login in a file that a browser exported: a HAR, or its cookies as JSON.

        `token` is one that the caller supplies besides. Raises `InvalidInput` that says what the file lacks.
        """
        import_login = partial(self._settings.factory.import_login, token=token)
        await anyio.to_thread.run_sync(import_login, load_provider(provider), data)

    async def log_in_with_browser(
        self,
        provider: str,
        *,
        browser: Browser | None = None,
        on_output: Callable[[Output], object] | None = None,
        **options: Any,
    ) -> None:
        """Open a browser in which a person logs in on the provider's own page, and store the login.

        `browser` is one with settings of your own; it is closed in the end, even if this is cancelled. `on_output`
        gets the flow's outputs, first `LoginRequired` with the page. Raises `InvalidInput` if there is no browser,
        and the `FlowFailed` of a login that failed.
        """
        ready = self._settings.factory.login(load_provider(provider), options)
        window = ThreadedBrowser(self._settings.browser() if browser is None else browser)
        try:
            async with AsyncFlowRun(ready, self.transport, browser=window) as run:
                async for output in run:
                    if on_output is not None:
                        on_output(output)
        finally:
            await window.close()

    async def log_out(self, provider: str) -> bool:
        """Remove the stored login for the address in use. True if there was any."""
        return await anyio.to_thread.run_sync(self._settings.factory.log_out, load_provider(provider))

    async def close(self) -> None:
        """Close every connection, and stop the emulators."""
        try:
            if self._transport is not None:
                await self._transport.close()
        finally:
            self._settings.stop_emulator()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _open_transport(self) -> AsyncTransport:
        from modelwire_io.transports import AsyncH11Transport

        return AsyncH11Transport(proxy=self._settings.proxy, environment=self._settings.environment)

    def _run_chat(self, ready: ReadyFlow, record: RecordPath | None) -> AsyncChat:
        return AsyncChat(ready, self.transport, record=record)

    def _run_image_job(self, ready: ReadyFlow, record: RecordPath | None) -> AsyncImageJob:
        return AsyncImageJob(ready, self.transport, record=record)
