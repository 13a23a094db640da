"""The part of `Client` and `AsyncClient` that is the same: everything that waits for nothing."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Generic, TypeVar, Unpack

from modelwire.catalog import split_model
from modelwire.messages import Messages
from modelwire.provider import Provider
from modelwire_io.store.recordings import RecordPath

from .flow_factory import CredentialsInput, ReadyFlow
from .plugins import load_provider
from .settings import ClientSettings, Configuration

if TYPE_CHECKING:
    from modelwire_io.emulation.server import EmulatorServer

TransportT = TypeVar("TransportT")
ChatT = TypeVar("ChatT")
ImageJobT = TypeVar("ImageJobT")


class ClientBase(ABC, Generic[TransportT, ChatT, ImageJobT]):
    """Chats and images over one transport, which is made when it is first needed."""

    def __init__(self, *, transport: TransportT | None = None, **configuration: Unpack[Configuration]) -> None:
        self._settings = ClientSettings(configuration)
        self._transport = transport

    @property
    def emulator(self) -> EmulatorServer | None:
        """The emulators that this client started, with the requests they received; None unless `emulate`."""
        return self._settings.emulator

    @property
    def transport(self) -> TransportT:
        """The transport for all requests: the given one, or h11's."""
        with self._settings.lock:
            if self._transport is None:
                self._transport = self._open_transport()
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
    ) -> ChatT:
        """Ask `PROVIDER` or `PROVIDER/MODEL`. `messages` is a prompt or a history; further keywords are its options.

        `record` is the path of a recording to write, without secrets. Raises `InvalidInput` for arguments that cannot
        work. The chat raises the `FlowFailed` of its failure while it is iterated over.
        """
        ready = self._settings.factory.chat(
            model, messages, system=system, credentials=credentials, conversation=conversation, options=options
        )
        return self._run_chat(ready, record)

    def image(
        self,
        model: str,
        prompt: Messages,
        *,
        credentials: CredentialsInput = None,
        record: RecordPath | None = None,
        **options: Any,
    ) -> ImageJobT:
        """Draw `prompt` with `PROVIDER` or `PROVIDER/MODEL`; further keywords are its options, such as `n` images.

        `record` is the path of a recording to write, without secrets and images. Raises `InvalidInput` for arguments
        that cannot work. The job raises the `FlowFailed` of its failure while it is iterated over.
        """
        ready = self._settings.factory.image(model, prompt, credentials=credentials, options=options)
        return self._run_image_job(ready, record)

    def resume(
        self,
        model: str,
        snapshot: str | bytes,
        *,
        credentials: CredentialsInput = None,
        resend: bool = False,
        record: RecordPath | None = None,
    ) -> ImageJobT:
        """Continue an image job from its snapshot.

        Raises `SnapshotError` for a snapshot that cannot be read, and `InDoubt` if continuing could pay twice, unless
        `resend`.
        """
        ready = self._settings.factory.restore(model, snapshot, credentials=credentials, resend=resend)
        return self._run_image_job(ready, record)

    def locate(self, model: str) -> tuple[Provider, str]:
        """The provider that `PROVIDER` or `PROVIDER/MODEL` names, and the address in use for it."""
        provider = load_provider(split_model(model)[0])
        return provider, self._settings.factory.origin(provider)

    def base_url(self, provider: str) -> str | None:
        """The base URL that replaces a provider's own hosts, or None."""
        return self._settings.factory.base_url(load_provider(provider))

    def login_url(self, provider: str) -> str:
        """The page on which a person logs in. Raises `InvalidInput` if the provider has none."""
        return self._settings.factory.login_url(load_provider(provider))

    def _listing(self, provider: str) -> ReadyFlow | list[str]:
        """The flow that asks for the models, or the models if the provider declares them."""
        found = load_provider(provider)
        ready = self._settings.factory.listing(found)
        return [model for flow in found.flows.values() for model in flow.models or ()] if ready is None else ready

    @abstractmethod
    def _open_transport(self) -> TransportT: ...

    @abstractmethod
    def _run_chat(self, ready: ReadyFlow, record: RecordPath | None) -> ChatT: ...

    @abstractmethod
    def _run_image_job(self, ready: ReadyFlow, record: RecordPath | None) -> ImageJobT: ...
