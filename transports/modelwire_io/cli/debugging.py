"""The option `--debug`, which may stand anywhere on the command line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])


class Invocation:
    """One run of the command. `is_debugging` is set by `--debug`."""

    def __init__(self) -> None:
        self.is_debugging = False


def debug_option(command: FunctionT) -> FunctionT:
    """Give a command or a group the option `--debug`. The function itself does not receive it."""
    option = click.option(
        "--debug", is_flag=True, expose_value=False, callback=_remember, help="Show the trace of an error."
    )
    return option(command)


def _remember(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value:
        context.find_root().ensure_object(Invocation).is_debugging = True
