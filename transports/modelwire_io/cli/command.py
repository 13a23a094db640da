"""The command itself: its subcommands, its exit codes, and the one line that an error is worth."""

from __future__ import annotations

import importlib
import os
import sys
import traceback

import click

import modelwire
from modelwire.errors import FlowFailed, InvalidInput, ModelwireError
from modelwire.names import find_name

from .debugging import Invocation, debug_option
from .terminal import note, prepare_streams

EXIT_FAILURE = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130

# Subcommand -> what it does. Each is a module of this package with a function `command`, imported when it is used.
_SUBCOMMANDS = {
    "demo": "Run every provider end to end against the emulators.",
    "chat": "Ask a provider, and print the answer as it comes.",
    "image": "Have a provider draw pictures, and save them.",
    "jobs": "List the image jobs that are not finished.",
    "resume": "Get the pictures of a job that was interrupted.",
    "replay": "Play a recording back, and show where the protocol has changed.",
    "models": "List the providers, or the models of one.",
    "emulate": "Serve the emulators on a port of this machine.",
    "login": "Log in to a provider, or store the key that it asks for.",
    "auth": "List the logins and keys that are kept.",
    "logout": "Forget the login or key that is kept for a provider.",
}


class _LazyGroup(click.Group):
    """A group that imports a subcommand when it is used: `modelwire --help` need not know them all."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_SUBCOMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _SUBCOMMANDS:
            return None
        found: click.Command = importlib.import_module(f"{__package__}.commands.{cmd_name}").command
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = find_name(args[0], _SUBCOMMANDS, "command")
        return super().resolve_command(ctx, [name, *args[1:]])

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_SUBCOMMANDS.items()))


@click.command(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(modelwire.__version__, prog_name="modelwire")
@debug_option
def cli() -> None:
    """Chat and image providers from the terminal. Try: modelwire demo"""


def run(arguments: list[str] | None = None) -> int:
    """Run the command, and return its exit code. Every error is one line on stderr that says what to do."""
    prepare_streams()
    invocation = Invocation()
    try:
        cli.main(arguments, prog_name="modelwire", standalone_mode=False, obj=invocation)
    except click.exceptions.Abort:
        note("interrupted")
        return EXIT_INTERRUPTED
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return EXIT_USAGE
    except click.ClickException as error:
        return _report_usage(error)
    except OSError as error:
        return _stop_writing(error, invocation)
    except ModelwireError as error:
        return _report(error, invocation)
    return 0


def _report_usage(error: click.ClickException) -> int:
    context = error.ctx if isinstance(error, click.UsageError) else None
    where = context.command_path if context is not None else "modelwire"
    note(f"modelwire: {error.format_message().rstrip('.')}; see: {where} --help")
    return EXIT_USAGE


def _report(error: ModelwireError, invocation: Invocation) -> int:
    if invocation.is_debugging:
        traceback.print_exception(error)
    note(f"modelwire: {error}")
    for advice in getattr(error, "__notes__", ()):
        note(advice)
    return EXIT_USAGE if isinstance(error, InvalidInput) and not isinstance(error, FlowFailed) else EXIT_FAILURE


def _stop_writing(error: OSError, invocation: Invocation) -> int:
    """Whoever read our output has seen enough, or cannot take it (a full disk)."""
    if not isinstance(error, BrokenPipeError):
        if invocation.is_debugging:
            traceback.print_exception(error)
        note(f"modelwire: {error.strerror or error}")
    # Python would complain at exit about what is left in the buffer.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return EXIT_FAILURE
