"""`modelwire models`."""

from __future__ import annotations

from collections.abc import Iterator

import click
import msgspec

from modelwire.catalog import PROVIDERS
from modelwire.errors import InvalidInput
from modelwire.provider import Provider
from modelwire_io.cli.debugging import debug_option
from modelwire_io.cli.terminal import note, write_line
from modelwire_io.client.plugins import load_provider, plugin_names

_SERVICE = {"live": "live", "gone": "gone", "unknown": "not known"}


@click.command(name="models")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@debug_option
@click.argument("provider", required=False)
def command(provider: str | None, as_json: bool) -> None:
    """List the providers and what is known of their services, or the models of one PROVIDER."""
    if provider is not None:
        _write_models(load_provider(provider), as_json)
        return
    providers = [*PROVIDERS.values(), *_load_plugins()]
    if as_json:
        write_line(msgspec.json.encode([_as_json(entry) for entry in providers]).decode())
    else:
        _write_table(providers)


def _load_plugins() -> Iterator[Provider]:
    """The providers of installed packages; of one that is broken, a note."""
    for name in plugin_names():
        try:
            yield load_provider(name)
        except InvalidInput as error:
            note(f"modelwire: {error}")


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
        write_line(msgspec.json.encode(_as_json(provider)).decode())
        return
    for flow in provider.flows.values():
        for model in flow.models or ():
            suffix = "  (default)" if model == flow.default_model else ""
            write_line(f"{provider.name}/{model}{suffix}")
        if flow.models is None:
            write_line(f"{provider.name}/MODEL: any model of {provider.label}")


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
