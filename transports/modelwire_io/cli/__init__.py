"""The `modelwire` command."""

from __future__ import annotations


def main() -> None:
    """Run the command and leave the process."""
    # Imported here: whoever imports this package for something else pays for no command line.
    from .command import run

    raise SystemExit(run())
