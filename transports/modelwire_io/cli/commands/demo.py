"""`modelwire demo`: a show of every provider in a few seconds, without a network and without keys."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import click

from modelwire.catalog import PROVIDERS
from modelwire.provider import Provider
from modelwire_io.cli.debugging import debug_option
from modelwire_io.cli.saving import save_all
from modelwire_io.cli.terminal import write_line, write_text
from modelwire_io.client.client import Client
from modelwire_io.emulation.server import EmulatorServer

QUESTION = "What is a sans-IO protocol?"
PICTURE = "a dragon over a quiet sea"


class Row(NamedTuple):
    """A row of the summary. `first` and `total` are the seconds until the first output and until the end."""

    provider: str
    requests: int
    first: float
    total: float
    result: str


@click.command(name="demo")
@click.option("-O", "directory", metavar="DIR", help="Where the picture is saved. Default: a new temporary folder.")
@debug_option
def command(directory: str | None) -> None:
    """Run every provider end to end, over real sockets, against the emulators that ship with modelwire."""
    folder = Path(directory) if directory else Path(tempfile.mkdtemp(prefix="modelwire-demo-"))
    with Client(emulate=True) as client:
        server = client.emulator
        assert server is not None
        write_line(f"The emulators listen on {server.url}; every request below goes over a real socket.")
        rows = [_show(client, server, provider, folder) for provider in PROVIDERS.values()]
    write_line()
    _write_summary(rows)
    write_line()
    write_line("Your turn: modelwire chat --emulate 'How are you?'")


def _show(client: Client, server: EmulatorServer, provider: Provider, folder: Path) -> Row:
    """Show one provider: the prompt, the result, and the requests that it took."""
    write_line()
    write_line(provider.label, style="bold")
    before, started_at = len(server.requests), time.perf_counter()
    show = _show_chat if provider.chat is not None else _show_image
    first, result = show(client, provider, folder)
    total = time.perf_counter() - started_at
    requests = list(server.requests)[before:]
    for request in requests:
        write_line(f"  {request.method} {request.target.partition('?')[0]} -> {request.status}", style="dim")
    return Row(provider.name, len(requests), first - started_at, total, result)


def _show_chat(client: Client, provider: Provider, folder: Path) -> tuple[float, str]:
    write_line(f"> {QUESTION}")
    first = 0.0
    with client.chat(provider.name, QUESTION) as chat:
        for piece in chat.text():
            first = first or time.perf_counter()
            write_text(piece)
    write_line()
    return first, f"{len(chat.answer)} characters"


def _show_image(client: Client, provider: Provider, folder: Path) -> tuple[float, str]:
    write_line(f"> {PICTURE}")
    with client.image(provider.name, PICTURE) as job:
        paths = save_all(job, folder, _StdoutDisplay(), as_json=False)
    return time.perf_counter(), f"{len(paths)} picture, {sum(path.stat().st_size for path in paths):,} bytes"


class _StdoutDisplay:
    """A `JobDisplay` that writes everything to stdout, as part of the show."""

    def show_status(self, text: str) -> None:
        write_line(text)

    def show_saved(self, path: Path) -> None:
        write_line(str(path))


def _write_summary(rows: list[Row]) -> None:
    write_line(f"{'PROVIDER':<11}{'REQUESTS':>8}{'FIRST':>11}{'TOTAL':>11}  RESULT", style="bold")
    for row in rows:
        write_line(
            f"{row.provider:<11}{row.requests:>8}{row.first * 1000:>8,.0f} ms{row.total * 1000:>8,.0f} ms  {row.result}"
        )
