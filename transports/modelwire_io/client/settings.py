"""The settings of a client."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, TypedDict

from modelwire.errors import InvalidInput, LocalProtocolError
from modelwire.json import JsonObject
from modelwire.limits import DEFAULT_LIMITS, Limits
from modelwire.names import find_name
from modelwire.provider import Provider
from modelwire_io.drive import Browser
from modelwire_io.store.credentials import FileStore, MemoryStore, Store, credentials_directory

from .flow_factory import FlowFactory
from .plugins import load_provider

if TYPE_CHECKING:
    from modelwire_io.emulation.server import EmulatorServer

# Credentials that the emulators accept, for providers that need some.
EMULATED_CREDENTIALS: dict[str, JsonObject] = {
    "arta": {"api_key": "emulated-key"},
    "hailuo": {"token": "emulated-token"},
}


class Configuration(TypedDict, total=False):
    """The keywords of both clients. All are optional."""

    base_url: str | Mapping[str, str] | None
    """Replaces a provider's hosts: one URL for all providers, or URLs by provider name."""
    proxy: str | None
    """The proxy for every request (`""`: none); by default the environment's."""
    timeout: float | None
    """Seconds for a whole chat or job; by default 600 and 300."""
    limits: Limits
    """Every other bound on time, tries and sizes."""
    store: Store
    """Where credentials are stored; by default in private files of the user's."""
    emulate: bool
    """Start the emulators inside this process, send every request to them, and store nothing."""
    environment: Mapping[str, str]
    """Read for `<PROVIDER>_BASE_URL`, keys and proxies; by default the process's environment."""


class ClientSettings:
    """A configuration, checked, with the objects that it stands for."""

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
        # Threads share a client: the first to need the transport makes it.
        self.lock = threading.Lock()
        is_emulated = bool(configuration.get("emulate"))
        if is_emulated:
            environment = {}
            store = _emulated_store(self._start_emulator())
        self.store = FileStore(credentials_directory()) if store is None else store
        try:
            self.factory = FlowFactory(
                base_url=base_url,
                timeout=configuration.get("timeout"),
                limits=configuration.get("limits", DEFAULT_LIMITS),
                store=self.store,
                environment=environment,
                emulated_url=self._emulated_url if is_emulated else None,
            )
        except BaseException:
            self.stop_emulator()
            raise

    def _start_emulator(self) -> Mapping[str, str]:
        from modelwire_io.emulation.server import EmulatorServer

        self.emulator = EmulatorServer()
        return self.emulator.__enter__().providers

    def _emulated_url(self, provider: Provider) -> str:
        server = self.emulator
        if server is None:
            raise LocalProtocolError("the emulators of this client have stopped: it is closed")
        if provider.name in server.providers:
            return server.providers[provider.name]
        if provider.emulator is None:
            raise InvalidInput(f"{provider.label} has no emulator: choose another provider, or do not emulate")
        return server.add(provider.name, provider.emulator)

    def browser(self) -> Browser:
        """A browser window for a login. Raises `InvalidInput` if there can be none."""
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
