"""`modelwire login` with a real browser, headless, and a person who fills in the form.

From the login page to a chat, a conversation that continues in another process, and the logout. However a login ends,
no process is left.
"""

from __future__ import annotations

import os
import signal
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest

from chromium import (
    CHROMIUM,
    assert_gone,
    descendants,
    fill_in,
    needs_chromium,
    page_of_person,
    program_with_debugging_port,
    wait_until,
)
from command_line import PATIENCE, Home, Result, Running
from modelwire.emulators import Behaviour
from modelwire_io.emulation import EmulatorServer

pytestmark = needs_chromium

QUICK = Behaviour(pause=0.0, sign_in=0.3)


@pytest.fixture(scope="module")
def emulators() -> Iterator[EmulatorServer]:
    with EmulatorServer(behaviour=QUICK) as server:
        yield server


class Login:
    """A login under way."""

    def __init__(self, home: Home, command: Running) -> None:
        self._home = home
        self.command = command
        self.profile = home.path / "profile"
        self.processes: set[tuple[int, str]] = set()

    def note_processes(self) -> None:
        """Remember the processes that run for it."""
        self.processes |= descendants(self.command.pid)

    def finish(self) -> Result:
        """Wait for its end, after which no process may be left."""
        result = self.command.finish()
        assert_gone(self.processes)
        return result


@contextmanager
def login(home: Home, base_url: str, *options: str, temporary: Path | None = None) -> Iterator[Login]:
    """The command under way, with the home's own profile, or with a temporary one in the folder `temporary`."""
    browser = ("--headless", "--browser", str(program_with_debugging_port(home.path)))
    profile = () if temporary else ("--profile", str(home.path / "profile"))
    words = ("login", "hailuo", *browser, *profile, "--base-url", base_url, *options)
    with home.started(*words, extra={"TMPDIR": str(temporary)} if temporary else {}) as command:
        command.wait_for_note("waiting for a login to Hailuo AI")
        yield Login(home, command)


def test_from_the_login_to_the_logout(home: Home, emulators: EmulatorServer) -> None:
    url = emulators.providers["hailuo"]
    before = len(emulators.requests)
    with login(home, url) as under_way, page_of_person(under_way.profile) as page:
        under_way.note_processes()
        fill_in(page)
        result = under_way.finish()
    assert (result.code, result.out) == (0, "")
    *warnings, waiting, stored = result.notes
    assert warnings == (["modelwire: you are root: the browser runs without its sandbox"] if os.geteuid() == 0 else [])
    assert waiting == f"waiting for a login to Hailuo AI at {url}, in a hidden browser; Ctrl-C cancels"
    assert stored == f"stored the login for Hailuo AI at {url}"

    path = home.data / "hailuo.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    stored_values = msgspec.json.decode(path.read_bytes())["origins"][url]
    assert stored_values["token"] == "emulated-token"
    assert "Chrome/" in stored_values["user_agent"]
    assert {cookie["name"] for cookie in stored_values["cookies"]} == {"hailuo_session", "hailuo_seen"}
    assert stat.S_IMODE(under_way.profile.stat().st_mode) == 0o700

    # The chat sends the device's own values, and the cookie that no script can read.
    ask = home.run("chat", "-m", "hailuo", "--base-url", url, "Hello there")
    assert ask.code == 0
    assert "(This is message 1 of chat " in ask.out
    again = home.run("chat", "-c", "-m", "hailuo", "--base-url", url, "And now?")
    assert again.code == 0
    assert "(This is message 2 of chat " in again.out

    listed = home.run("auth")
    assert [line.split()[0::3] for line in listed.out.splitlines()] == [["hailuo", url]]
    assert not any(stored_values[secret] in listed.out + listed.err for secret in ("token", "uuid", "device_id"))
    assert home.run("logout", "hailuo", "--base-url", url).notes == [f"forgot the login to Hailuo AI at {url}"]
    assert home.run("auth").notes == ["no logins"]
    refused = home.run("chat", "-m", "hailuo", "--base-url", url, "Hello?")
    assert refused.code == 1
    assert refused.notes[-1].startswith(f"To log in: modelwire login hailuo --base-url {url}.")

    saw = [record for record in emulators.requests[before:] if record.provider == "hailuo"]
    assert [(record.method, record.target.partition("?")[0], record.status) for record in saw] == [
        ("GET", "/", 200),
        ("POST", "/", 200),
        ("POST", "/v4/api/chat/msg", 200),
        ("POST", "/v4/api/chat/msg", 200),
    ]
    for record in saw[2:]:
        assert "cookie" in [name.lower() for name in record.header_names]
        assert f"uuid={stored_values['uuid']}&device_id={stored_values['device_id']}&" in record.target


def test_a_profile_from_before_is_logged_in_already(home: Home, emulators: EmulatorServer) -> None:
    url = emulators.providers["hailuo"]
    with login(home, url) as under_way, page_of_person(under_way.profile) as page:
        under_way.note_processes()
        fill_in(page)
        assert under_way.finish().code == 0
    before = len(emulators.requests)
    with login(home, url, "--timeout", "60") as under_way:
        assert under_way.command.finish().code == 0
    assert [record.method for record in emulators.requests[before:] if record.provider == "hailuo"] == ["GET"]


def test_closing_the_window_ends_the_login(home: Home, emulators: EmulatorServer) -> None:
    with login(home, emulators.providers["hailuo"]) as under_way, page_of_person(under_way.profile) as page:
        under_way.note_processes()
        page.close()
        result = under_way.finish()
    assert result.code == 1
    again = f"modelwire login hailuo --base-url {emulators.providers['hailuo']}"
    assert result.notes[-2:] == [
        "modelwire: the page was closed too early",
        f"To try again: {again}. Without a browser: {again} --manual",
    ]
    assert not home.data.exists()


def wait_for_browser(under_way: Login, emulators: EmulatorServer, before: int) -> None:
    """Wait until the browser has requested the page, and remember the processes."""
    assert emulators.wait_for(lambda records: len(records) > before, PATIENCE)
    under_way.note_processes()


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A folder for temporary files, with a short path: the browser has a socket there."""
    with TemporaryDirectory() as folder:
        yield Path(folder)


def test_a_command_that_is_killed_leaves_nothing(home: Home, emulators: EmulatorServer, temporary: Path) -> None:
    before = len(emulators.requests)
    with login(home, emulators.providers["hailuo"], temporary=temporary) as under_way:
        wait_for_browser(under_way, emulators, before)
        assert list(temporary.glob("*profile*")), "the profile is a temporary one"
        under_way.command.stop(signal.SIGKILL)
        assert under_way.finish().code == -signal.SIGKILL
    wait_until(lambda: not list(temporary.glob("playwright*")))


def test_ctrl_c_ends_the_login(home: Home, emulators: EmulatorServer, temporary: Path) -> None:
    """On a terminal, Ctrl-C goes to every process there, the driver of the browser included."""
    before = len(emulators.requests)
    words = ("login", "hailuo", "--headless", "--browser", str(CHROMIUM))
    extra = {"TMPDIR": str(temporary), "HAILUO_BASE_URL": emulators.providers["hailuo"]}
    with home.terminal(*words, extra=extra) as terminal:
        assert emulators.wait_for(lambda records: len(records) > before, PATIENCE)
        processes = descendants(terminal.pid)
        terminal.interrupt()
        result = terminal.finish()
    assert result.code == 130
    assert result.notes[-1].removeprefix("^C") == "interrupted"
    assert "Traceback" not in result.err
    assert_gone(processes)
    assert not list(temporary.glob("playwright*"))


def test_a_page_that_does_not_load_ends_the_login(home: Home) -> None:
    result = home.run("login", "hailuo", "--headless", "--browser", str(CHROMIUM), "--base-url", "http://127.0.0.1:1/x")
    assert result.code == 1
    assert result.notes[-2].startswith("modelwire: the browser could not show the page: net::ERR_")
