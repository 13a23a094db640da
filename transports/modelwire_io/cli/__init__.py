"""The `modelwire` command."""

from __future__ import annotations

import signal
import sys
from types import FrameType

EXIT_INTERRUPTED = 130


def main() -> None:
    """Run the command and exit."""
    # A parent such as nohup may have SIGINT ignored: that stays so.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt_once)
    try:
        # Imported here, so that an import of this package alone needs neither click nor the client.
        from .command import run

        code = run()
    except ModuleNotFoundError as error:
        raise SystemExit(f"modelwire: {error.name} is not installed: pip install 'modelwire[cli]'") from None
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr, flush=True)
        code = EXIT_INTERRUPTED
    raise SystemExit(code)


def _interrupt_once(number: int, frame: FrameType | None) -> None:
    """Interrupt the command, and ignore further Ctrl-C.

    A second one could cut short the code that ends a thread, for which Python would then wait for ever; or it could end
    the process with a traceback and without the exit code.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise KeyboardInterrupt
