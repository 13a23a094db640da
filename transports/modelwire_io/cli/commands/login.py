"""`modelwire login`."""

from __future__ import annotations

import click

from modelwire.errors import InvalidInput
from modelwire.formats.browser_export import LONGEST_EXPORT
from modelwire.outputs import LoginRequired, Output
from modelwire.provider import Provider
from modelwire_io.browsers.playwright import PlaywrightBrowser
from modelwire_io.cli.advice import advised
from modelwire_io.cli.debugging import debug_option
from modelwire_io.cli.manual_login import as_credentials, ask_for_token, read_token, read_values, secret_name
from modelwire_io.cli.terminal import note
from modelwire_io.client.client import Client
from modelwire_io.client.plugins import load_provider

_BROWSER_OPTIONS = ("browser", "profile", "headless", "timeout", "proxy")


@click.command(name="login")
@click.option("--browser", metavar="PATH", help="The Chrome or Chromium to use. Default: the one that is installed.")
@click.option("--profile", metavar="DIR", help="A folder for the browser's profile. Default: a temporary one.")
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
    """Log in to PROVIDER: open its page in a browser, wait until you have logged in there, and store the login.

    The login is stored in a file that only you can read. For a key, such as ARTA's, it asks instead. --token-stdin
    also takes a JSON object with all of the provider's credentials.
    """
    found = load_provider(provider)
    if found.credentials is None or not (found.login or found.secret_field):
        raise InvalidInput(f"{found.label} needs no login: modelwire chat -m {found.name} PROMPT")
    if manual and (token_stdin or file is not None):
        raise click.UsageError("--manual excludes --token-stdin and --import")
    if found.login is None or manual or token_stdin or file is not None:
        _check_no_browser_options(context)
    with Client(base_url=base_url, timeout=timeout, proxy=proxy) as client:
        _, origin = client.locate(found.name)
        what = secret_name(found) if found.login is None or token_stdin else "login"
        if file is not None:
            with advised("import"):
                client.import_login(found.name, _read(file), token=read_token(found) if token_stdin else "")
        elif token_stdin:
            client.log_in(found.name, as_credentials(found, read_token(found)))
        elif found.login is None:
            client.log_in(found.name, as_credentials(found, ask_for_token(found)))
        elif manual:
            client.log_in(found.name, read_values(found, client.login_url(found.name), found.login.console_expressions))
        else:
            with advised("log in", found, origin):
                window = PlaywrightBrowser(executable=browser, profile=profile, headless=headless, proxy=proxy)
                _log_in_with_browser(client, found, window, is_visible=not headless)
    note(f"stored the {what} for {found.label} at {origin}")


def _check_no_browser_options(context: click.Context) -> None:
    for name in _BROWSER_OPTIONS:
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError(f"--{name} is for a browser, and this login opens none")


def _read(file: str) -> bytes:
    try:
        with open(file, "rb") as opened:
            return opened.read(LONGEST_EXPORT + 1)
    except OSError as error:
        raise InvalidInput(f"cannot read {file}: {error.strerror}") from None


def _log_in_with_browser(client: Client, provider: Provider, browser: PlaywrightBrowser, *, is_visible: bool) -> None:
    """Open a browser, and note what to do in it."""
    if browser.warning is not None:
        note(f"modelwire: {browser.warning}")

    def show(output: Output) -> None:
        if isinstance(output, LoginRequired):
            visible, hidden = ("log in", "the browser that opens"), ("waiting for a login", "a hidden browser")
            what, where = visible if is_visible else hidden
            note(f"{what} to {output.label} at {output.url}, in {where}; Ctrl-C cancels")

    client.log_in_with_browser(provider.name, browser=browser, on_output=show)
