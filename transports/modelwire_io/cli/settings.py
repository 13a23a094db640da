"""The options that the commands for providers share."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import click

from modelwire.provider import Kind, Provider, options_type, parse_options
from modelwire_io.client.client import Client
from modelwire_io.client.settings import Configuration

from .debugging import debug_option

R = TypeVar("R")


class Settings(NamedTuple):
    """The shared options: how to reach a provider, what to ask of it, and how to report."""

    emulate: bool
    base_url: str | None
    proxy: str | None
    timeout: float | None
    as_json: bool
    options: dict[str, str]
    record: str | None = None

    def options_for(self, provider: Provider, kind: Kind) -> dict[str, Any]:
        """The user's options for the provider's flow of a kind; none if it has no such flow.

        Raises `InvalidInput` for an option that the flow does not have, and for a bad value.
        """
        flow = provider.flows.get(kind)
        if flow is None:
            return {}
        parse_options(options_type(flow), self.options)
        return {key.replace("-", "_"): value for key, value in self.options.items()}

    def open_client(self) -> Client:
        """A client with these settings."""
        configuration = Configuration(
            emulate=self.emulate, base_url=self.base_url, proxy=self.proxy, timeout=self.timeout
        )
        return Client(**configuration)


_OPTIONS = (
    click.option("--emulate", is_flag=True, help="Talk to emulators inside this process: no network, no keys."),
    click.option("--base-url", metavar="URL", help="Use this address instead of the provider's hosts."),
    click.option("--proxy", metavar="URL", help="Go through this proxy; '' for none. Default: the environment's."),
    click.option("--timeout", type=float, metavar="S", help="Seconds for all of it. Default: 600, for images 300."),
    click.option("--json", "as_json", is_flag=True, help="Write the outputs as JSON lines."),
    click.option("-o", "options", nargs=2, multiple=True, metavar="KEY VALUE", help="Set an option of the provider."),
    click.option("--record", metavar="FILE", help="Record the session for modelwire replay, without its secrets."),
)


def provider_options(command: Callable[..., R]) -> Callable[..., R]:
    """Give a command the shared options. It receives them as one argument, `settings`."""

    @functools.wraps(command)
    def with_settings(
        emulate: bool,
        base_url: str | None,
        proxy: str | None,
        timeout: float | None,
        as_json: bool,
        options: tuple[tuple[str, str], ...],
        record: str | None,
        **rest: Any,
    ) -> R:
        if emulate and base_url:
            raise click.UsageError("--emulate and --base-url exclude each other")
        settings = Settings(emulate, base_url, proxy, timeout, as_json, dict(options), record)
        return command(settings=settings, **rest)

    with_settings = debug_option(with_settings)
    for option in reversed(_OPTIONS):
        with_settings = option(with_settings)
    return with_settings
