"""`modelwire models`."""

from __future__ import annotations

import click
import msgspec

from modelwire.catalog import PROVIDERS
from modelwire.provider import Provider
from modelwire_io.cli.debugging import debug_option
from modelwire_io.cli.plugins import load_plugins
from modelwire_io.cli.terminal import note, write_line
from modelwire_io.client.client import Client
from modelwire_io.client.plugins import load_provider

_SERVICE = {"live": "live", "gone": "gone", "unknown": "not known"}


@click.command(name="models")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@debug_option
@click.argument("provider", required=False)
def command(provider: str | None, as_json: bool) -> None:
    """List the providers and what is known of their services, or the models of one PROVIDER.

    A service that can list its models is asked.
    """
    if provider is not None:
        _write_models(load_provider(provider), as_json)
        return
    providers = [*PROVIDERS.values(), *load_plugins()]
    if as_json:
        write_line(msgspec.json.encode([_as_json(entry) for entry in providers]).decode())
    else:
        _write_table(providers)


def _as_json(provider: Provider) -> dict[str, object]:
    return {
        "name": provider.name,
        "label": provider.label,
        "kinds": {
            kind: {"default_model": flow.default_model, "models": None if flow.models is None else list(flow.models)}
            for kind, flow in provider.flows.items()
        },
        "website": provider.website,
        "status": provider.status,
        "note": provider.note,
    }


def _write_models(provider: Provider, as_json: bool) -> None:
    if as_json:
        with Client() as client:
            fields = _as_json(provider) | {"models": client.models(provider.name)}
        write_line(msgspec.json.encode(fields).decode())
        return
    defaults = {flow.default_model for flow in provider.flows.values()}
    with Client() as client:
        for model in client.models(provider.name):
            suffix = "  (default)" if model in defaults else ""
            write_line(f"{provider.name}/{model}{suffix}")
    if provider.listing is None and any(flow.models is None for flow in provider.flows.values()):
        note(f"{provider.label} accepts any model that it has: {provider.name}/MODEL")


def _write_table(providers: list[Provider]) -> None:
    rows = [("PROVIDER", "KIND", "DEFAULT MODEL", "SERVICE")]
    rows += [
        (entry.name, kind, flow.default_model or "none", _SERVICE[entry.status])
        for entry in providers
        for kind, flow in entry.flows.items()
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for number, row in enumerate(rows):
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        write_line(line, style="bold" if number == 0 else None)
    write_line()
    for entry in providers:
        write_line(f"{entry.label}: {entry.note}")
