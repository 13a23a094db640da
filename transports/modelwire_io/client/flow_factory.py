"""From a user's words to a flow that is ready to be driven: names, options, addresses, credentials.

An argument comes before the environment, and the environment before the store.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any, NamedTuple, cast

import msgspec

from modelwire.catalog import split_model
from modelwire.errors import InvalidInput
from modelwire.flow import Flow
from modelwire.formats.browser_export import parse_export
from modelwire.http import without_query
from modelwire.json import convert_input
from modelwire.limits import Limits
from modelwire.login import LoginFlow
from modelwire.messages import Message, Messages, as_messages
from modelwire.models import ModelFlow, resolve_model
from modelwire.provider import Kind, Provider, options_type, parse_options, with_base_url
from modelwire_io.store.credentials import LockingStore, Locks, Store

from .plugins import load_provider
from .stored_credentials import StoredCredentials

CredentialsInput = msgspec.Struct | Mapping[str, Any] | None


class ReadyFlow(NamedTuple):
    """A flow, its provider, the origin it talks to, the limits, and its stored credentials.

    `stored` is None if the caller supplied the credentials, or if the provider needs none.
    """

    flow: Flow
    provider: Provider
    origin: str
    limits: Limits
    stored: StoredCredentials | None


class FlowFactory:
    """Makes flows from the settings of a client and the arguments of a call.

    `base_url` is one for every provider, or one by name. `timeout` is seconds for a whole flow. `emulated_url` gives
    the address of a provider's emulator, and replaces all other addresses.
    """

    def __init__(
        self,
        *,
        base_url: str | Mapping[str, str] | None,
        timeout: float | None,
        limits: Limits,
        store: Store,
        environment: Mapping[str, str],
        emulated_url: Callable[[Provider], str] | None = None,
    ) -> None:
        if timeout is not None and not 0 < timeout < 1e9:
            raise InvalidInput("the timeout must be a number of seconds, more than 0")
        self._base_url = base_url
        self._limits = limits if timeout is None else msgspec.structs.replace(limits, total=timeout)
        self._store = store
        # A store without locks is used by this client alone.
        self._locks: LockingStore = store if isinstance(store, LockingStore) else Locks()
        self._environment = environment
        self._emulated_url = emulated_url

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
        """A flow that answers `messages`. A system message is put before them."""
        history = as_messages(messages)
        if system:
            history = (Message("system", system), *history)
        arguments: dict[str, Any] = {"messages": history}
        provider, flow, model_name = self._choose(model, "chat")
        if conversation is not None:
            if provider.conversation is None:
                raise InvalidInput(f"{provider.label} keeps no conversations: pass the history as messages")
            arguments["conversation"] = convert_input(conversation, provider.conversation, "parts of the conversation")
        return self._make(provider, flow, model_name, credentials, options, arguments)

    def image(
        self, model: str, prompt: Messages, *, credentials: CredentialsInput, options: Mapping[str, Any]
    ) -> ReadyFlow:
        """A flow that draws `prompt`, or the last user message of a history."""
        provider, flow, model_name = self._choose(model, "image")
        arguments = {"prompt" if isinstance(prompt, str) else "messages": prompt}
        return self._make(provider, flow, model_name, credentials, options, arguments)

    def restore(self, model: str, snapshot: str | bytes, *, credentials: CredentialsInput, resend: bool) -> ReadyFlow:
        """The flow of a snapshot, which continues where the snapshot was taken."""
        provider = load_provider(split_model(model)[0])
        if provider.image is None:
            raise InvalidInput(f"{provider.label} is for chats, and only image jobs are resumed: ask again instead")
        origin = self.origin(provider)
        stored = self._stored(provider, origin, credentials)
        flow = provider.image.restore(
            snapshot,
            credentials=self._credentials(provider, stored, credentials),
            limits=self._limits,
            base_query=self._base_query(provider),
            resend=resend,
        )
        # The snapshot holds the addresses of its own provider, and the credentials are for these alone.
        if getattr(flow, "endpoints", None) != self._endpoints(provider):
            raise InvalidInput(
                f"the snapshot is not of a job at {origin}: give the base URL that the job was begun with"
            )
        return ReadyFlow(flow, provider, origin, self._limits, stored)

    def login(self, provider: Provider, options: Mapping[str, Any]) -> ReadyFlow:
        """The flow by which a person logs in with a browser. Raises `InvalidInput` if the provider has none."""
        origin = self.origin(provider)
        stored = self._stored(provider, origin, None)
        return ReadyFlow(self._login(provider, options), provider, origin, self._limits, stored)

    def listing(self, provider: Provider) -> ReadyFlow | None:
        """The flow that asks the service for its models; None if the provider has none."""
        if provider.listing is None:
            return None
        origin = self.origin(provider)
        stored = self._stored(provider, origin, None)
        arguments: dict[str, Any] = {}
        if provider.credentials is not None:
            arguments["credentials"] = self._credentials(provider, stored, None)
        make_listing = cast("Callable[..., Flow]", provider.listing)
        flow = make_listing(
            endpoints=self._endpoints(provider),
            limits=self._limits,
            base_query=self._base_query(provider),
            **self._options(provider, provider.listing, {}),
            **arguments,
        )
        return ReadyFlow(flow, provider, origin, self._limits, stored)

    def login_url(self, provider: Provider) -> str:
        """The page on which a person logs in. Raises `InvalidInput` if the provider has none."""
        return self._login(provider, {}).login_url

    def import_login(self, provider: Provider, data: bytes, *, token: str) -> None:
        """Store the credentials in a file that a browser exported; `token` is one that the caller supplies besides."""
        found = self._login(provider, {}).credentials_from_export(parse_export(data), time.time(), token=token)
        self.log_in(provider, found)

    def log_in(self, provider: Provider, credentials: CredentialsInput) -> None:
        """Store credentials that a person supplied. Raises `InvalidInput` if they are not the provider's."""
        if provider.credentials is None:
            raise InvalidInput(f"{provider.label} needs no login")
        checked = convert_input(credentials, provider.credentials, "credentials")
        self._store.save(provider.name, self.origin(provider), msgspec.to_builtins(checked))

    def log_out(self, provider: Provider) -> bool:
        """Remove the stored credentials for the origin in use. True if there were any."""
        origin = self.origin(provider)
        if self._store.load(provider.name, origin) is None:
            return False
        self._store.save(provider.name, origin, None)
        return True

    def base_url(self, provider: Provider) -> str | None:
        """The base URL that replaces a provider's hosts, or None for its own.

        Raises `InvalidInput` if every provider is to be emulated, and this one has no emulator.
        """
        if self._emulated_url is not None:
            return self._emulated_url(provider)
        argument = self._base_url.get(provider.name) if isinstance(self._base_url, Mapping) else self._base_url
        return argument or self._first_variable(provider, "base_url")

    def origin(self, provider: Provider) -> str:
        """The address under which credentials are stored. Raises `InvalidInput` for a base URL that is not valid."""
        self._endpoints(provider)
        address = without_query(self.base_url(provider) or provider.website).rstrip("/")
        query = self._base_query(provider)
        # Two base URLs that differ in their queries may be two tenants. The query itself may hold a key.
        return f"{address}#{sha256(query.encode()).hexdigest()[:8]}" if query else address

    def _base_query(self, provider: Provider) -> str:
        return (self.base_url(provider) or "").partition("?")[2]

    def _choose(self, model: str, kind: Kind) -> tuple[Provider, type[ModelFlow], str | None]:
        name, model_name = split_model(model)
        provider = load_provider(name)
        flow = provider.flows.get(kind)
        if flow is None:
            own = " and ".join(f"{own}s" for own in provider.flows)
            raise InvalidInput(f"{provider.label} is for {own}, not for {kind}s: choose another provider")
        resolve_model(flow.models, model_name, flow.default_model, provider.label)
        return provider, flow, model_name or None

    def _make(
        self,
        provider: Provider,
        flow: type[ModelFlow],
        model: str | None,
        credentials: CredentialsInput,
        options: Mapping[str, Any],
        arguments: dict[str, Any],
    ) -> ReadyFlow:
        origin = self.origin(provider)
        stored = self._stored(provider, origin, credentials)
        if provider.credentials is not None:
            arguments["credentials"] = self._credentials(provider, stored, credentials)
        # Every provider's flow takes these arguments; `Flow` itself cannot declare them.
        make_flow = cast("Callable[..., Flow]", flow)
        made = make_flow(
            model=model,
            endpoints=self._endpoints(provider),
            limits=self._limits,
            base_query=self._base_query(provider),
            **self._options(provider, flow, options),
            **arguments,
        )
        return ReadyFlow(made, provider, origin, self._limits, stored)

    def _login(self, provider: Provider, options: Mapping[str, Any]) -> LoginFlow:
        if provider.login is None:
            how = f"supply your own {provider.secret_field.replace('_', ' ')}" if provider.secret_field else "ask away"
            raise InvalidInput(f"{provider.label} has no page to log in on: {how}")
        make_login = cast("Callable[..., LoginFlow]", provider.login)
        return make_login(
            endpoints=self._endpoints(provider),
            limits=self._limits,
            base_query=self._base_query(provider),
            **self._options(provider, provider.login, options),
        )

    def _options(self, provider: Provider, flow: type[Flow], options: Mapping[str, Any]) -> dict[str, Any]:
        """The argument `options` of a flow: empty if the flow has none and none are given."""
        shape = options_type(flow)
        # A variable may be for another flow of the same provider.
        set_by_environment = {
            name: value
            for name, value in self._from_environment(provider, "options").items()
            if name in shape.__struct_fields__
        }
        parsed = parse_options(shape, set_by_environment | dict(options))
        return {"options": parsed} if shape.__struct_fields__ else {}

    def _endpoints(self, provider: Provider) -> msgspec.Struct:
        base_url = self.base_url(provider)
        return provider.endpoints if base_url is None else with_base_url(provider.endpoints, base_url)

    def _stored(self, provider: Provider, origin: str, supplied: CredentialsInput) -> StoredCredentials | None:
        """The stored credentials; None if the caller supplied some, or if the provider needs none."""
        if provider.credentials is None or supplied is not None:
            return None
        return StoredCredentials(
            self._store,
            provider.name,
            origin,
            shape=provider.credentials,
            environment=self._from_environment(provider, "credentials"),
            lock=self._locks.lock(provider.name, origin),
        )

    def _credentials(
        self, provider: Provider, stored: StoredCredentials | None, supplied: CredentialsInput
    ) -> msgspec.Struct | None:
        """The supplied credentials, else the stored ones, unless the environment supplies others."""
        if provider.credentials is None:
            return None
        if stored is None:
            return convert_input(supplied, provider.credentials, "credentials")
        return stored.load() or stored.from_environment()

    def _from_environment(self, provider: Provider, group: str) -> dict[str, str]:
        """The values of the environment for the provider's `credentials` or `options`, by name."""
        found = {}
        for target in provider.environment:
            value = self._first_variable(provider, target)
            if value and target.startswith(f"{group}."):
                found[target.removeprefix(f"{group}.")] = value
        return found

    def _first_variable(self, provider: Provider, target: str) -> str | None:
        values = (self._environment.get(variable) for variable in provider.variables(target))
        return next(filter(None, values), None)
