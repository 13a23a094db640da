"""The `modelwire` command."""

from __future__ import annotations


def main() -> None:
    """Run the command and leave the process."""
    try:
        # Imported here: whoever imports this package for something else pays for no command line.
        from .command import run

        code = run()
    except ModuleNotFoundError as error:
        raise SystemExit(f"modelwire: {error.name} is not installed: pip install 'modelwire[cli]'") from None
    raise SystemExit(code)
