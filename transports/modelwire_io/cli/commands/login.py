"""`modelwire login`."""

from __future__ import annotations

import click

from modelwire.errors import FlowFailed, InvalidInput
from modelwire.formats.browser_export import LONGEST_EXPORT
from modelwire.outputs import LoginRequired, Output
from modelwire.provider import Provider
from modelwire_io.browsers.playwright import PlaywrightBrowser
from modelwire_io.cli.by_hand import as_credentials, ask_for_token, read_token, read_values, token_of
from modelwire_io.cli.debugging import debug_option
from modelwire_io.cli.reporting import login_command
from modelwire_io.cli.terminal import note
from modelwire_io.client.client import Client
from modelwire_io.client.plugins import load_provider

# What only a browser is told.
_FOR_A_BROWSER = ("browser", "profile", "headless", "timeout", "proxy")


@click.command(name="login")
@click.option("--browser", metavar="PATH", help="The Chrome or Chromium to use. Default: the one that is installed.")
@click.option("--profile", metavar="DIR", help="Keep the browser's profile there. Default: a temporary one.")
@click.option("--headless", is_flag=True, help="Show no window: for a profile that is logged in already.")
@click.option("--timeout", type=float, metavar="S", help="Seconds to wait for the login. Default: 300.")
@click.option("--proxy", metavar="URL", help="Let the browser go through this proxy; '' for none.")
@click.option("--manual", is_flag=True, help="Open no browser: copy the values from the tools of your own.")
@click.option("--import", "file", metavar="FILE", help="Open no browser: read a HAR or a JSON export of cookies.")
@click.option("--token-stdin", is_flag=True, help="Open no browser: read the token or key from stdin.")
@click.option("--base-url", metavar="URL", help="The address that the login is for, if not the provider's own.")
@debug_option
@click.argument("provider")
@click.pass_context
def command(
    context: click.Context,
    provider: str,
    browser: str | None,
    profile: str | None,
    headless: bool,
    timeout: float | None,
    proxy: str | None,
    manual: bool,
    file: str | None,
    token_stdin: bool,
    base_url: str | None,
) -> None:
    """Log in to PROVIDER: its page is opened in a browser, and once you have logged in there, the login is kept.

    It is kept in a file that is yours alone. A key, such as ARTA's, is asked for instead. --token-stdin takes a JSON
    object with all of the provider's credentials as well.
    """
    found = load_provider(provider)
    if found.credentials is None or not (found.login or found.secret_field):
        raise InvalidInput(f"{found.label} needs no login: modelwire chat -m {found.name} PROMPT")
    if manual and (token_stdin or file is not None):
        raise click.UsageError("--manual goes with neither --token-stdin nor --import")
    if found.login is None or manual or token_stdin or file is not None:
        _check_no_browser(context)
    with Client(base_url=base_url, timeout=timeout, proxy=proxy) as client:
        _, origin = client.locate(found.name)
        what = token_of(found) if found.login is None or token_stdin else "login"
        if file is not None:
            client.import_login(found.name, _read(file), token=read_token(found) if token_stdin else "")
        elif token_stdin:
            client.log_in(found.name, as_credentials(found, read_token(found)))
        elif found.login is None:
            client.log_in(found.name, as_credentials(found, ask_for_token(found)))
        elif manual:
            client.log_in(found.name, read_values(found, client.login_url(found.name), found.login.console_expressions))
        else:
            window = PlaywrightBrowser(executable=browser, profile=profile, headless=headless, proxy=proxy)
            _log_in(client, found, window, login_command(found, origin), is_shown=not headless)
    note(f"stored the {what} for {found.label} at {origin}")


def _check_no_browser(context: click.Context) -> None:
    for name in _FOR_A_BROWSER:
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError(f"--{name} is for a browser, and none is opened")


def _read(file: str) -> bytes:
    try:
        with open(file, "rb") as opened:
            return opened.read(LONGEST_EXPORT + 1)
    except OSError as error:
        raise InvalidInput(f"cannot read {file}: {error.strerror}") from None


def _log_in(client: Client, provider: Provider, window: PlaywrightBrowser, again: str, *, is_shown: bool) -> None:
    """Open a browser, and say what to do in it; `again` is what to type where nothing comes of it."""
    if window.warning is not None:
        note(f"modelwire: {window.warning}")

    def show(output: Output) -> None:
        if isinstance(output, LoginRequired):
            shown, hidden = ("log in", "the browser that opens"), ("waiting for a login", "a hidden browser")
            what, where = shown if is_shown else hidden
            note(f"{what} to {output.label} at {output.url}, in {where}; Ctrl-C leaves")

    try:
        client.log_in_with_browser(provider.name, browser=window, show=show)
    except FlowFailed as error:
        error.add_note(f"To try again: {again}. Without a browser: {again} --manual")
        raise
