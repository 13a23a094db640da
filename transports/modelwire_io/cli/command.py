"""The command itself: its subcommands, its exit codes, and the one line that an error is worth."""

from __future__ import annotations

import importlib
import os
import sys
import traceback

import click

import modelwire
from modelwire.errors import FlowFailed, InvalidInput, ModelwireError

from .terminal import note, prepare_streams

EXIT_FAILURE = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130

# Subcommand -> what it does. Each is a module of this package with a function `command`, imported when it is used.
_SUBCOMMANDS = {
    "demo": "Run every provider end to end against the emulators.",
    "chat": "Ask a provider, and print the answer as it comes.",
    "image": "Have a provider draw pictures, and save them.",
    "models": "List the providers, or the models of one.",
    "emulate": "Serve the emulators on a port of this machine.",
    "login": "Store the token or key that a provider asks for.",
}


class _LazyGroup(click.Group):
    """A group that imports a subcommand when it is used: `modelwire --help` need not know them all."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_SUBCOMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _SUBCOMMANDS:
            return None
        found: click.Command = importlib.import_module(f"{__package__}.{cmd_name}").command
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_SUBCOMMANDS.items()))


@click.command(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(modelwire.__version__, prog_name="modelwire")
@click.option("--debug", is_flag=True, help="Show the trace of an error.")
@click.pass_context
def cli(context: click.Context, debug: bool) -> None:
    """Chat and image providers from the terminal. Try: modelwire demo"""
    context.obj = debug


def run(arguments: list[str] | None = None) -> int:
    """Run the command, and return its exit code. Every error is one line on stderr that says what to do."""
    prepare_streams()
    words = sys.argv[1:] if arguments is None else arguments
    try:
        cli.main(words, prog_name="modelwire", standalone_mode=False)
    except click.exceptions.Abort:
        note("interrupted")
        return EXIT_INTERRUPTED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except BrokenPipeError:
        return _stop_writing()
    except ModelwireError as error:
        return _report(error, "--debug" in words)
    return 0


def _report(error: ModelwireError, is_debugging: bool) -> int:
    if is_debugging:
        traceback.print_exception(error)
    note(f"modelwire: {error}")
    return EXIT_USAGE if isinstance(error, InvalidInput) and not isinstance(error, FlowFailed) else EXIT_FAILURE


def _stop_writing() -> int:
    """Whoever read our output has seen enough. Python would complain at exit about what is left in the buffer."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return EXIT_FAILURE
