"""From what a user typed to a flow that is ready to be driven: names, options, addresses, credentials.

Argument over environment over file, everywhere.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, cast

import msgspec

from modelwire.catalog import split_model
from modelwire.errors import InvalidInput
from modelwire.flow import Flow
from modelwire.formats.browser_export import parse_export
from modelwire.json import convert_input
from modelwire.limits import Limits
from modelwire.login import LoginFlow
from modelwire.messages import Message, Messages, as_messages
from modelwire.provider import Provider, parse_options, resolve_model, with_base_url
from modelwire_io.store.credentials import LockingStore, Locks, Store

from .plugins import load_provider
from .stored_credentials import StoredCredentials

CredentialsInput = msgspec.Struct | Mapping[str, Any] | None


class ReadyFlow(NamedTuple):
    """A flow, the provider it is of, the address that it talks to, and where its credentials are kept.

    `kept` is None where the caller brought them, whose own they are, and where there are none.
    """

    flow: Flow
    provider: Provider
    origin: str
    kept: StoredCredentials | None


class FlowFactory:
    """Makes flows from what a client was told once and what a call adds.

    `base_url` is one for every provider, or one by name. `timeout` is seconds for a whole flow.
    """

    def __init__(
        self,
        *,
        base_url: str | Mapping[str, str] | None,
        timeout: float | None,
        limits: Limits,
        store: Store,
        environment: Mapping[str, str],
    ) -> None:
        if timeout is not None and not 0 < timeout < 1e9:
            raise InvalidInput("the timeout is a number of seconds, more than 0")
        self._base_url = base_url
        self._limits = limits if timeout is None else msgspec.structs.replace(limits, total=timeout)
        self._store = store
        # The store's own, if it has any.
        self._locks: LockingStore = store if isinstance(store, LockingStore) else Locks()
        self._environment = environment

    @property
    def limits(self) -> Limits:
        """The limits of every flow."""
        return self._limits

    def chat(
        self,
        model: str,
        messages: Messages,
        *,
        system: str | None,
        credentials: CredentialsInput,
        conversation: CredentialsInput,
        options: Any,
    ) -> ReadyFlow:
        """A flow that answers `messages`, a system message put before them."""
        history = as_messages(messages)
        if system:
            history = (Message("system", system), *history)
        work: dict[str, Any] = {"messages": history}
        provider, model_name = self._choose(model, "chat")
        if conversation is not None:
            if provider.conversation is None:
                raise InvalidInput(f"{provider.label} keeps no conversations: pass the history as messages")
            work["conversation"] = convert_input(conversation, provider.conversation, "parts of the conversation")
        return self._prepare(provider, model_name, credentials, options, work)

    def image(
        self, model: str, prompt: Messages, *, credentials: CredentialsInput, options: Mapping[str, Any]
    ) -> ReadyFlow:
        """A flow that draws `prompt`, or what the user said last."""
        provider, model_name = self._choose(model, "image")
        work = {"messages" if not isinstance(prompt, str) else "prompt": prompt}
        return self._prepare(provider, model_name, credentials, options, work)

    def restore(self, model: str, snapshot: str | bytes, *, credentials: CredentialsInput, resend: bool) -> ReadyFlow:
        """The flow of a snapshot, going on where that was taken."""
        provider = load_provider(split_model(model)[0])
        if provider.kind != "image":
            raise InvalidInput(f"{provider.label} is for chats, and only image jobs are resumed: ask again instead")
        origin = self.origin(provider)
        kept = self._kept(provider, origin, credentials)
        held = self._credentials(provider, kept, credentials)
        flow = provider.flow.restore(snapshot, credentials=held, limits=self._limits, resend=resend)
        # A snapshot brings its addresses along, and what is kept for one is not for another.
        if getattr(flow, "endpoints", None) != self._endpoints(provider):
            raise InvalidInput(
                f"the snapshot is not of a job at {origin}: give the base URL that the job was begun with"
            )
        return ReadyFlow(flow, provider, origin, kept)

    def login(self, provider: Provider, options: Mapping[str, Any]) -> ReadyFlow:
        """The flow by which a person logs in with a browser. Raises `InvalidInput` where there is none."""
        origin = self.origin(provider)
        return ReadyFlow(self._login(provider, options), provider, origin, self._kept(provider, origin, None))

    def login_url(self, provider: Provider) -> str:
        """Where a person is told to log in. Raises `InvalidInput` for a provider that has no page for that."""
        return self._login(provider, {}).login_url

    def import_login(self, provider: Provider, data: bytes, *, token: str) -> None:
        """Keep the credentials in what a browser has written to a file; `token` is one that was brought besides."""
        found = self._login(provider, {}).credentials_from_export(parse_export(data), time.time(), token=token)
        self.log_in(provider, found)

    def log_out(self, provider: Provider) -> bool:
        """Forget the credentials for the address that is used. Whether there were any."""
        origin = self.origin(provider)
        if self._store.load(provider.name, origin) is None:
            return False
        self._store.save(provider.name, origin, None)
        return True

    def log_in(self, provider: Provider, credentials: CredentialsInput) -> None:
        """Keep credentials that a person brought. Raises `InvalidInput` where they are not the provider's."""
        if provider.credentials is None:
            raise InvalidInput(f"{provider.label} needs no login")
        checked = convert_input(credentials, provider.credentials, "credentials")
        self._store.save(provider.name, self.origin(provider), msgspec.to_builtins(checked))

    def base_url(self, provider: Provider) -> str | None:
        """The base URL that takes the place of a provider's hosts, or None for its own."""
        given = self._base_url if self._base_url is None or isinstance(self._base_url, str) else None
        if isinstance(self._base_url, Mapping):
            given = self._base_url.get(provider.name)
        return given or self._environment.get(f"{provider.name.upper().replace('-', '_')}_BASE_URL") or None

    def origin(self, provider: Provider) -> str:
        """What credentials are kept under: the address that they are for.

        Raises `InvalidInput` for a base URL that is none.
        """
        self._endpoints(provider)
        return (self.base_url(provider) or provider.website).rstrip("/")

    def _endpoints(self, provider: Provider) -> msgspec.Struct:
        base_url = self.base_url(provider)
        return provider.endpoints() if base_url is None else with_base_url(provider.endpoints, base_url)

    def _login(self, provider: Provider, options: Mapping[str, Any]) -> LoginFlow:
        if provider.login is None:
            how = f"bring your own {provider.secret_field.replace('_', ' ')}" if provider.secret_field else "ask away"
            raise InvalidInput(f"{provider.label} has no page to log in on: {how}")
        # As with the other flows, every one takes these.
        make_login = cast("Callable[..., LoginFlow]", provider.login)
        return make_login(
            options=parse_options(provider.options, self._from_environment(provider, "options") | dict(options)),
            endpoints=self._endpoints(provider),
            limits=self._limits,
        )

    def _choose(self, model: str, kind: str) -> tuple[Provider, str]:
        name, model_name = split_model(model)
        provider = load_provider(name)
        if provider.kind != kind:
            raise InvalidInput(f"{provider.label} is for {provider.kind}s, not for {kind}s: choose another provider")
        resolve_model(provider.models, model_name, provider.default_model, provider.label)
        return provider, model_name or provider.default_model

    def _prepare(
        self,
        provider: Provider,
        model: str,
        credentials: CredentialsInput,
        options: Mapping[str, Any],
        work: dict[str, Any],
    ) -> ReadyFlow:
        origin = self.origin(provider)
        kept = self._kept(provider, origin, credentials)
        if provider.credentials is not None:
            work["credentials"] = self._credentials(provider, kept, credentials)
        # Every provider's flow takes these; `Flow` itself cannot say so.
        make_flow = cast("Callable[..., Flow]", provider.flow)
        flow = make_flow(
            model=model,
            options=parse_options(provider.options, self._from_environment(provider, "options") | dict(options)),
            endpoints=self._endpoints(provider),
            limits=self._limits,
            **work,
        )
        return ReadyFlow(flow, provider, origin, kept)

    def _kept(self, provider: Provider, origin: str, given: CredentialsInput) -> StoredCredentials | None:
        """Where the credentials are kept; None for those that the caller gave, and where there are none."""
        if provider.credentials is None or given is not None:
            return None
        return StoredCredentials(
            self._store,
            provider.name,
            origin,
            shape=provider.credentials,
            brought=self._from_environment(provider, "credentials"),
            lock=self._locks.lock(provider.name, origin),
        )

    def _credentials(
        self, provider: Provider, kept: StoredCredentials | None, given: CredentialsInput
    ) -> msgspec.Struct | None:
        """Given ones, else those that are kept, unless the environment brings others."""
        if provider.credentials is None:
            return None
        if kept is None:
            return convert_input(given, provider.credentials, "credentials")
        return kept.load() or kept.brought()

    def _from_environment(self, provider: Provider, what: str) -> dict[str, str]:
        """The values that the environment has for the provider's `credentials` or `options`, by name."""
        found = {}
        for variable, target in provider.environment.items():
            group, _, name = target.partition(".")
            if group == what and self._environment.get(variable):
                found[name] = self._environment[variable]
        return found
