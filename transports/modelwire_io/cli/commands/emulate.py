"""`modelwire emulate`."""

from __future__ import annotations

import signal
import threading
from contextlib import ExitStack

import click
import msgspec

from modelwire_io.cli.advice import advised
from modelwire_io.cli.debugging import debug_option
from modelwire_io.cli.plugins import load_plugins
from modelwire_io.cli.terminal import note, write_line
from modelwire_io.emulation.server import EmulatorServer


@click.command(name="emulate")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, metavar="PORT", help="The port; by default a free one."
)
@debug_option
def command(port: int) -> None:
    """Serve every provider's emulator on loopback, provider P under /P/, until interrupted.

    When it is ready, it writes one line of JSON to stdout: {"url": ..., "providers": {...}}.
    """
    stop = threading.Event()
    # A service manager stops a server with SIGTERM: that ends it with exit code 0.
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with ExitStack() as stack:
        with advised("serve"):
            server = stack.enter_context(EmulatorServer(port=port))
        for provider in load_plugins():
            if provider.emulator is not None:
                server.add(provider.name, provider.emulator)
        ready = {"url": server.url, "providers": dict(server.providers)}
        write_line(msgspec.json.encode(ready).decode())
        note(f"Try: modelwire chat --base-url {server.providers['cromicle']} Hello")
        note("Ctrl-C stops the emulators")
        stop.wait()
