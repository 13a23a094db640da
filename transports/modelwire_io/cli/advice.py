"""Advice about errors: the command or the option that helps.

The library's own messages name no command and no option, because most of its users have a program, not a terminal.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from modelwire.errors import (
    ConnectError,
    DeadlineExceeded,
    FlowFailed,
    InvalidInput,
    LoginRequiredError,
    ModelwireError,
    PageLost,
)
from modelwire.provider import Provider
from modelwire_io import browsers, emulation

# The part of a command that raised the error. `ask` is a chat or an image job; `import` reads a browser's file.
Task = Literal["ask", "log in", "import", "find job", "serve"]

_EMULATE = "To try it with the emulator: --emulate"


@contextmanager
def advised(task: Task, provider: Provider | None = None, origin: str = "") -> Iterator[None]:
    """Add advice to an error as a note. `command.run` writes the notes below the error.

    `provider` and `origin` are the provider and the address that the task is about, if it is about one.
    """
    try:
        yield
    except ModelwireError as error:
        advice = find_advice(error, task, provider, origin)
        if advice is not None:
            error.add_note(advice)
        raise


def find_advice(error: ModelwireError, task: Task, provider: Provider | None, origin: str) -> str | None:
    """The advice about an error of a task, or None.

    The class of the error decides, and a word of its message for the few causes that have no class of their own.
    """
    match task, error:
        case "serve", emulation.PortUnavailable():
            return "To choose a port: --port PORT; without it, a free one is used"
        case "find job", _:
            return "To list the jobs: modelwire jobs"
        case "import", InvalidInput() if "only cookies" in str(error):
            return "To supply the token as well: --token-stdin"
        case "log in", _ if provider is not None:
            return _about_login(error, login_command(provider, origin))
        case "ask", FlowFailed() if provider is not None:
            return _about_request(error, provider, origin)
    return None


def login_command(provider: Provider, origin: str) -> str:
    """The command that logs in to a provider at this address."""
    elsewhere = "" if origin == provider.website else f" --base-url {origin}"
    return f"modelwire login {provider.name}{elsewhere}"


def _about_login(error: ModelwireError, login: str) -> str | None:
    without = f"Without a browser: {login} --manual"
    match error:
        case browsers.BrowserUnavailable():
            return (
                "To choose a browser: --browser PATH. Without a display: --headless."
                f" {without}, or {login} --import FILE"
            )
        case DeadlineExceeded():
            return f"To allow more time: {login} --timeout SECONDS. {without}"
        # Another browser uses the profile.
        case PageLost() if "profile" in str(error):
            return f"With another profile: {login} --profile DIR. {without}"
        case FlowFailed():
            return f"To try again: {login}. {without}"
        case InvalidInput() if "profile" in str(error):
            return f"With another profile: {login} --profile DIR"
    return None


def _about_request(error: FlowFailed, provider: Provider, origin: str) -> str | None:
    if isinstance(error, LoginRequiredError) and (provider.login or provider.secret_field):
        return f"{_how_to_log_in(provider, origin)}. {_EMULATE}"
    if origin != provider.website:
        return f"Does a server listen at {origin}? {_EMULATE}" if isinstance(error, ConnectError) else None
    if provider.status == "gone":
        return f"{provider.label}: {provider.note} {_EMULATE}"
    if isinstance(error, ConnectError):
        return f"It is not known whether {provider.label} is still in service. {_EMULATE}"
    return None


def _how_to_log_in(provider: Provider, origin: str) -> str:
    what = "log in" if provider.login else f"store the {provider.secret_field.replace('_', ' ')}"
    variables = provider.variables(f"credentials.{provider.secret_field}")
    environment = f", or set {variables[0]}" if variables else ""
    return f"To {what}: {login_command(provider, origin)}{environment}"
