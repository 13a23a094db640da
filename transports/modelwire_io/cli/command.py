"""The command `modelwire`: its subcommands, its exit codes, and how it reports errors."""

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

# Subcommand -> its line of the help. Each is a module of `commands` with a click command named `command`.
_SUBCOMMANDS = {
    "demo": "Run every provider end to end against the emulators.",
    "chat": "Ask a provider, and print the answer as it arrives.",
    "image": "Have a provider draw pictures, and save them.",
    "jobs": "List the image jobs that are not finished.",
    "resume": "Get the pictures of a job that was interrupted.",
    "replay": "Replay a recording, and show where the protocol has changed.",
    "models": "List the providers, or the models of one.",
    "emulate": "Serve the emulators on a port of this machine.",
    "login": "Log in to a provider, or store the key that it asks for.",
    "auth": "List the logins and keys that are stored.",
    "logout": "Forget the stored login or key of a provider.",
}


class _LazyGroup(click.Group):
    """A group that imports a subcommand when it is used, so that `modelwire --help` is fast."""

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
    """Run the command, and return its exit code.

    Every error is one line on stderr that says what to do, and its advice, if any, another. Raises `KeyboardInterrupt`
    if the user interrupts it, or ends the input of a prompt.
    """
    prepare_streams()
    invocation = Invocation()
    try:
        cli.main(arguments, prog_name="modelwire", standalone_mode=False, obj=invocation)
    except click.exceptions.Abort:
        raise KeyboardInterrupt from None
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return EXIT_USAGE
    except click.ClickException as error:
        return _report_usage(error)
    except OSError as error:
        return _report_os_error(error, invocation)
    except ModelwireError as error:
        return _report(error, invocation)
    return 0


def _report_usage(error: click.ClickException) -> int:
    context = error.ctx if isinstance(error, click.UsageError) else None
    command = context.command_path if context is not None else "modelwire"
    note(f"modelwire: {error.format_message().rstrip('.')}; see: {command} --help")
    return EXIT_USAGE


def _report(error: ModelwireError, invocation: Invocation) -> int:
    if invocation.is_debugging:
        traceback.print_exception(error)
    note(f"modelwire: {error}")
    for advice in getattr(error, "__notes__", ()):
        note(advice)
    return EXIT_USAGE if isinstance(error, InvalidInput) and not isinstance(error, FlowFailed) else EXIT_FAILURE


def _report_os_error(error: OSError, invocation: Invocation) -> int:
    """Report a failure to write to stdout, such as a full disk; not one because the reader has closed the pipe."""
    if not isinstance(error, BrokenPipeError):
        if invocation.is_debugging:
            traceback.print_exception(error)
        note(f"modelwire: {error.strerror or error}")
    # Python flushes stdout at exit, and would complain about what is left in its buffer.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return EXIT_FAILURE
