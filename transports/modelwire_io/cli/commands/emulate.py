"""`modelwire emulate`."""

from __future__ import annotations

import signal
import threading

import click
import msgspec

from modelwire_io.cli.debugging import debug_option
from modelwire_io.cli.terminal import note, write_line
from modelwire_io.emulation.server import EmulatorServer


@click.command(name="emulate")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, metavar="PORT", help="The port; by default one that is free."
)
@debug_option
def command(port: int) -> None:
    """Serve every provider's emulator on loopback, provider P under /P/, until interrupted.

    When it is ready, one line of JSON on stdout says where: {"url": ..., "providers": {...}}.
    """
    stop = threading.Event()
    # A service manager stops a server with SIGTERM: that is no accident, and no trace is wanted.
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with EmulatorServer(port=port) as server:
        ready = {"url": server.url, "providers": dict(server.providers)}
        write_line(msgspec.json.encode(ready).decode())
        note(f"Try: modelwire chat --base-url {server.providers['cromicle']} Hello")
        note("Ctrl-C stops the emulators")
        stop.wait()
