"""`Client` and `AsyncClient`: what most people use.

Each `chat` and `image` gives an object that iterates over what the provider tells, as it tells it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypedDict, Unpack

import anyio.to_thread

from modelwire.catalog import split_model
from modelwire.json import JsonObject
from modelwire.limits import DEFAULT_LIMITS, Limits
from modelwire.messages import Messages
from modelwire.names import find_name
from modelwire.outputs import Output
from modelwire.provider import Provider
from modelwire_io.browsers.threaded import ThreadedBrowser
from modelwire_io.drive import AsyncTransport, Browser, Transport
from modelwire_io.store.credentials import FileStore, MemoryStore, Store, credentials_directory
from modelwire_io.store.recordings import RecordPath
from modelwire_io.transports.default import default_async_transport, default_transport

from .flow_factory import CredentialsInput, FlowFactory
from .plugins import load_provider
from .run import AsyncChat, AsyncFlowRun, AsyncImageJob, Chat, ImageJob, Work

if TYPE_CHECKING:
    from modelwire_io.emulation.server import EmulatorServer

# What the emulators accept where a user would bring something of their own.
EMULATED_CREDENTIALS: dict[str, JsonObject] = {
    "arta": {"api_key": "emulated-key"},
    "hailuo": {"token": "emulated-token"},
}


class Configuration(TypedDict, total=False):
    """What both clients are told once, by keyword. Everything may be left out."""

    base_url: str | Mapping[str, str] | None
    """What takes the place of a provider's hosts: one URL for all, or by provider name."""
    proxy: str | None
    """The proxy for every request (`""`: none); by default the environment's."""
    timeout: float | None
    """Seconds for a whole chat or job; by default 600 and 300."""
    limits: Limits
    """Every other bound on time, tries and sizes."""
    store: Store
    """Where credentials are kept; by default in private files of the user's."""
    emulate: bool
    """Start the emulators inside this process, aim everything at them, and keep nothing."""
    environment: Mapping[str, str]
    """Read for `<PROVIDER>_BASE_URL`, keys and proxies; by default the process's."""


class _ClientSettings:
    """A configuration, made ready to be used."""

    def __init__(self, configuration: Configuration) -> None:
        for name in configuration:
            find_name(name, Configuration.__annotations__, "keyword of a client")
        base_url = configuration.get("base_url")
        if isinstance(base_url, Mapping):
            for name in base_url:
                load_provider(name)
        environment = configuration.get("environment", os.environ)
        store = configuration.get("store")
        self.proxy = configuration.get("proxy")
        self.environment = environment
        self.emulator: EmulatorServer | None = None
        # Whoever is first makes the transport for all threads.
        self.lock = threading.Lock()
        if configuration.get("emulate"):
            base_url, environment = self._start_emulator(), {}
            store = _emulated_store(base_url)
        self.store = FileStore(credentials_directory()) if store is None else store
        try:
            self.preparation = FlowFactory(
                base_url=base_url,
                timeout=configuration.get("timeout"),
                limits=configuration.get("limits", DEFAULT_LIMITS),
                store=self.store,
                environment=environment,
            )
        except BaseException:
            self.stop_emulator()
            raise

    def _start_emulator(self) -> Mapping[str, str]:
        from modelwire_io.emulation.server import EmulatorServer

        self.emulator = EmulatorServer()
        return self.emulator.__enter__().providers

    def browser(self) -> Browser:
        """A browser window for a login. Raises `InvalidInput` where there can be none."""
        from modelwire_io.browsers.playwright import PlaywrightBrowser

        return PlaywrightBrowser(proxy=self.proxy)

    def stop_emulator(self) -> None:
        """Stop the emulators, if they run."""
        if self.emulator is not None:
            self.emulator.__exit__(None, None, None)
            self.emulator = None


def _emulated_store(base_urls: Mapping[str, str]) -> MemoryStore:
    store = MemoryStore()
    for provider, credentials in EMULATED_CREDENTIALS.items():
        store.save(provider, base_urls[provider], credentials)
    return store


class Client:
    """Chats and images, blocking.

    with Client() as client:
        for delta in client.chat("cromicle", "Hello").text():
            print(delta, end="", flush=True)

    Threads may share one. In async code it works, but nothing else does meanwhile: use `AsyncClient` there.
    """

    def __init__(self, *, transport: Transport | None = None, **configuration: Unpack[Configuration]) -> None:
        self._configured = _ClientSettings(configuration)
        self._transport = transport

    @property
    def emulator(self) -> EmulatorServer | None:
        """The emulators that this client started, with the requests that they got; None unless `emulate`."""
        return self._configured.emulator

    @property
    def transport(self) -> Transport:
        """What carries the requests: the given one, or one over the library that is installed."""
        with self._configured.lock:
            if self._transport is None:
                self._transport = default_transport(self._configured.proxy, self._configured.environment)
            return self._transport

    def chat(
        self,
        model: str,
        messages: Messages,
        *,
        system: str | None = None,
        credentials: CredentialsInput = None,
        conversation: CredentialsInput = None,
        record: RecordPath | None = None,
        **options: Any,
    ) -> Chat:
        """Ask `PROVIDER` or `PROVIDER/MODEL`. `messages` is a prompt or a history; further keywords are its options.

        `record` is where a recording of it is to be written, without its secrets. Raises `InvalidInput` for what
        cannot work, and, while it is iterated over, the `FlowFailed` of its failure.
        """
        prepared = self._configured.preparation.chat(
            model, messages, system=system, credentials=credentials, conversation=conversation, options=options
        )
        limits = self._configured.preparation.limits
        return Chat(prepared, self.transport, limits, record=record)

    def image(
        self,
        model: str,
        prompt: Messages,
        *,
        credentials: CredentialsInput = None,
        record: RecordPath | None = None,
        **options: Any,
    ) -> ImageJob:
        """Have `PROVIDER` or `PROVIDER/MODEL` draw `prompt`; further keywords are its options, `n` images for one.

        `record` is where a recording of it is to be written, without its secrets and without the images. Raises
        `InvalidInput` for what cannot work, and, while it is iterated over, the `FlowFailed` of its failure.
        """
        prepared = self._configured.preparation.image(model, prompt, credentials=credentials, options=options)
        limits = self._configured.preparation.limits
        return ImageJob(prepared, self.transport, limits, record=record)

    def resume(
        self,
        model: str,
        snapshot: str | bytes,
        *,
        credentials: CredentialsInput = None,
        resend: bool = False,
        record: RecordPath | None = None,
    ) -> ImageJob:
        """Go on with an image job from a snapshot of it.

        Raises `SnapshotError` for one that cannot be read, `InDoubt` where going on could pay twice, unless `resend`.
        """
        prepared = self._configured.preparation.restore(model, snapshot, credentials=credentials, resend=resend)
        limits = self._configured.preparation.limits
        return ImageJob(prepared, self.transport, limits, record=record)

    def locate(self, model: str) -> tuple[Provider, str]:
        """The provider that `PROVIDER` or `PROVIDER/MODEL` names, and the address that is used for it."""
        provider = load_provider(split_model(model)[0])
        return provider, self._configured.preparation.origin(provider)

    def base_url(self, provider: str) -> str | None:
        """The base URL that is used instead of a provider's own hosts, or None."""
        return self._configured.preparation.base_url(load_provider(provider))

    def log_in(self, provider: str, credentials: CredentialsInput) -> None:
        """Keep the credentials that a person brought, where later chats and jobs find them.

        Raises `InvalidInput` where they are not the provider's.
        """
        self._configured.preparation.log_in(load_provider(provider), credentials)

    def login_url(self, provider: str) -> str:
        """Where a person is told to log in. Raises `InvalidInput` for a provider that has no page for that."""
        return self._configured.preparation.login_url(load_provider(provider))

    def import_login(self, provider: str, data: bytes, *, token: str = "") -> None:
        """Keep the login in what a browser has written to a file: a HAR, or a JSON export of its cookies.

        `token` is one that was brought besides. Raises `InvalidInput` that says what the file lacks.
        """
        self._configured.preparation.import_login(load_provider(provider), data, token=token)

    def log_in_with_browser(
        self,
        provider: str,
        *,
        browser: Browser | None = None,
        show: Callable[[Output], object] | None = None,
        **options: Any,
    ) -> None:
        """Open a browser in which a person logs in on the provider's own page, and keep the login once it is there.

        `browser` is one with a profile, say; it is closed in the end. `show` gets what the flow tells: where to log
        in, to begin with. Raises `InvalidInput` where there is no browser, and the `FlowFailed` of a login that came
        to nothing.
        """
        prepared = self._configured.preparation.login(load_provider(provider), options)
        limits = self._configured.preparation.limits
        shown = self._configured.browser() if browser is None else browser
        try:
            with Work(prepared, self.transport, limits, browser=shown) as work:
                for output in work:
                    if show is not None:
                        show(output)
        finally:
            shown.close()

    def log_out(self, provider: str) -> bool:
        """Forget the login that is kept for the address that is used. Whether there was any."""
        return self._configured.preparation.log_out(load_provider(provider))

    def close(self) -> None:
        """Close every connection, and stop the emulators."""
        try:
            if self._transport is not None:
                self._transport.close()
        finally:
            self._configured.stop_emulator()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncClient:
    """Chats and images, on asyncio and on trio.

    async with AsyncClient() as client:
        async for delta in client.chat("cromicle", "Hello").text():
            print(delta, end="", flush=True)

    It may be used in several event loops, one after the other or at once: each keeps connections of its own, which are
    closed when it ends. A chat or a job that was begun stays in its event loop: elsewhere it raises
    `LocalProtocolError`.
    """

    def __init__(self, *, transport: AsyncTransport | None = None, **configuration: Unpack[Configuration]) -> None:
        self._configured = _ClientSettings(configuration)
        self._transport = transport

    @property
    def emulator(self) -> EmulatorServer | None:
        """The emulators that this client started, with the requests that they got; None unless `emulate`."""
        return self._configured.emulator

    @property
    def transport(self) -> AsyncTransport:
        """What carries the requests: the given one, or one over the library that is installed."""
        with self._configured.lock:
            if self._transport is None:
                self._transport = default_async_transport(self._configured.proxy, self._configured.environment)
            return self._transport

    def chat(
        self,
        model: str,
        messages: Messages,
        *,
        system: str | None = None,
        credentials: CredentialsInput = None,
        conversation: CredentialsInput = None,
        record: RecordPath | None = None,
        **options: Any,
    ) -> AsyncChat:
        """Ask `PROVIDER` or `PROVIDER/MODEL`. `messages` is a prompt or a history; further keywords are its options.

        `record` is where a recording of it is to be written, without its secrets. Raises `InvalidInput` for what
        cannot work, and, while it is iterated over, the `FlowFailed` of its failure.
        """
        prepared = self._configured.preparation.chat(
            model, messages, system=system, credentials=credentials, conversation=conversation, options=options
        )
        limits = self._configured.preparation.limits
        return AsyncChat(prepared, self.transport, limits, record=record)

    def image(
        self,
        model: str,
        prompt: Messages,
        *,
        credentials: CredentialsInput = None,
        record: RecordPath | None = None,
        **options: Any,
    ) -> AsyncImageJob:
        """Have `PROVIDER` or `PROVIDER/MODEL` draw `prompt`; further keywords are its options, `n` images for one.

        `record` is where a recording of it is to be written, without its secrets and without the images. Raises
        `InvalidInput` for what cannot work, and, while it is iterated over, the `FlowFailed` of its failure.
        """
        prepared = self._configured.preparation.image(model, prompt, credentials=credentials, options=options)
        limits = self._configured.preparation.limits
        return AsyncImageJob(prepared, self.transport, limits, record=record)

    def resume(
        self,
        model: str,
        snapshot: str | bytes,
        *,
        credentials: CredentialsInput = None,
        resend: bool = False,
        record: RecordPath | None = None,
    ) -> AsyncImageJob:
        """Go on with an image job from a snapshot of it.

        Raises `SnapshotError` for one that cannot be read, `InDoubt` where going on could pay twice, unless `resend`.
        """
        prepared = self._configured.preparation.restore(model, snapshot, credentials=credentials, resend=resend)
        limits = self._configured.preparation.limits
        return AsyncImageJob(prepared, self.transport, limits, record=record)

    def locate(self, model: str) -> tuple[Provider, str]:
        """The provider that `PROVIDER` or `PROVIDER/MODEL` names, and the address that is used for it."""
        provider = load_provider(split_model(model)[0])
        return provider, self._configured.preparation.origin(provider)

    def base_url(self, provider: str) -> str | None:
        """The base URL that is used instead of a provider's own hosts, or None."""
        return self._configured.preparation.base_url(load_provider(provider))

    async def log_in(self, provider: str, credentials: CredentialsInput) -> None:
        """Keep the credentials that a person brought, where later chats and jobs find them.

        Raises `InvalidInput` where they are not the provider's.
        """
        log_in = self._configured.preparation.log_in
        await anyio.to_thread.run_sync(log_in, load_provider(provider), credentials)

    def login_url(self, provider: str) -> str:
        """Where a person is told to log in. Raises `InvalidInput` for a provider that has no page for that."""
        return self._configured.preparation.login_url(load_provider(provider))

    async def import_login(self, provider: str, data: bytes, *, token: str = "") -> None:
        """Keep the login in what a browser has written to a file: a HAR, or a JSON export of its cookies.

        `token` is one that was brought besides. Raises `InvalidInput` that says what the file lacks.
        """
        import_login = partial(self._configured.preparation.import_login, token=token)
        await anyio.to_thread.run_sync(import_login, load_provider(provider), data)

    async def log_in_with_browser(
        self,
        provider: str,
        *,
        browser: Browser | None = None,
        show: Callable[[Output], object] | None = None,
        **options: Any,
    ) -> None:
        """Open a browser in which a person logs in on the provider's own page, and keep the login once it is there.

        `browser` is one with a profile, say; it is closed in the end, also where this is cancelled. `show` gets what
        the flow tells: where to log in, to begin with. Raises `InvalidInput` where there is no browser, and the
        `FlowFailed` of a login that came to nothing.
        """
        prepared = self._configured.preparation.login(load_provider(provider), options)
        limits = self._configured.preparation.limits
        shown = ThreadedBrowser(self._configured.browser() if browser is None else browser)
        try:
            async with AsyncFlowRun(prepared, self.transport, limits, browser=shown) as work:
                async for output in work:
                    if show is not None:
                        show(output)
        finally:
            await shown.close()

    async def log_out(self, provider: str) -> bool:
        """Forget the login that is kept for the address that is used. Whether there was any."""
        return await anyio.to_thread.run_sync(self._configured.preparation.log_out, load_provider(provider))

    async def close(self) -> None:
        """Close every connection, and stop the emulators."""
        try:
            if self._transport is not None:
                await self._transport.close()
        finally:
            self._configured.stop_emulator()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
