"""Advice below an error: the command and the options that help, which the library itself does not name."""

from __future__ import annotations

import pytest

from command_line import Inside
from modelwire.errors import DeadlineExceeded, InvalidInput, ModelwireError, PageLost
from modelwire_io.browsers import BrowserUnavailable
from modelwire_io.cli.commands import login
from modelwire_io.client import Client

URL = "http://127.0.0.1:9/h"
LOGIN = f"modelwire login hailuo --base-url {URL}"
WITHOUT = f"Without a browser: {LOGIN} --manual"


class Browser:
    """A browser that is never opened."""

    warning = None


def test_a_browser_that_cannot_be_used_is_reported_with_the_options_that_help(inside: Inside) -> None:
    result = inside.run("login", "hailuo", "--headless", "--browser", "no-such", "--base-url", URL)
    assert (result.code, result.out, len(result.notes)) == (2, "", 2)
    assert result.err.startswith("modelwire: 'no-such' is not a program: name ")
    assert result.notes[1] == (
        f"To choose a browser: --browser PATH. Without a display: --headless. {WITHOUT}, or {LOGIN} --import FILE"
    )


def test_a_folder_that_is_not_a_profile_is_reported_with_the_option_for_another(
    inside: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**options: object) -> None:
        raise InvalidInput("the profile x is not a folder: choose another")

    monkeypatch.setattr(login, "PlaywrightBrowser", refuse)
    result = inside.run("login", "hailuo", "--base-url", URL, "--profile", "x")
    assert (result.code, result.out) == (2, "")
    assert result.notes == [
        "modelwire: the profile x is not a folder: choose another",
        f"With another profile: {LOGIN} --profile DIR",
    ]


@pytest.mark.parametrize(
    ("error", "code", "advice"),
    [
        (DeadlineExceeded("nobody has logged in"), 1, f"To allow more time: {LOGIN} --timeout SECONDS. {WITHOUT}"),
        (PageLost("the page was closed too early"), 1, f"To try again: {LOGIN}. {WITHOUT}"),
        (PageLost("another browser uses this profile"), 1, f"With another profile: {LOGIN} --profile DIR. {WITHOUT}"),
        (BrowserUnavailable("no browser"), 2, "To choose a browser: --browser PATH. Without a display: --headless. "),
    ],
)
def test_a_login_that_fails_is_reported_with_the_options_that_help(
    inside: Inside, monkeypatch: pytest.MonkeyPatch, error: ModelwireError, code: int, advice: str
) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise error

    monkeypatch.setattr(login, "PlaywrightBrowser", lambda **options: Browser())
    monkeypatch.setattr(Client, "log_in_with_browser", fail)
    result = inside.run("login", "hailuo", "--base-url", URL)
    assert (result.code, result.out) == (code, "")
    assert result.notes[0] == f"modelwire: {error}"
    assert result.notes[1].startswith(advice)


def test_at_the_providers_own_address_the_advice_needs_no_base_url(
    inside: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise PageLost("the page was closed too early")

    monkeypatch.setattr(login, "PlaywrightBrowser", lambda **options: Browser())
    monkeypatch.setattr(Client, "log_in_with_browser", fail)
    assert inside.run("login", "hailuo").notes[1] == (
        "To try again: modelwire login hailuo. Without a browser: modelwire login hailuo --manual"
    )
