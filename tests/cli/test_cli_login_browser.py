"""`modelwire login` with a real browser, headless, and a person who fills in the form.

The whole way: login page, form, stored credentials, a chat, the conversation gone on with in another process, logout.
And however a login ends, no process is left.
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

from chromium import CHROMIUM, assert_gone, descendants, fill_in, needs_chromium, open_to_persons, person_at, wait_until
from command_line import Home, Result, Running
from modelwire.emulators import Behaviour
from modelwire_io.emulation import EmulatorServer

pytestmark = needs_chromium

QUICK = Behaviour(pause=0.0, sign_in=0.3)


@pytest.fixture(scope="module")
def emulators() -> Iterator[EmulatorServer]:
    with EmulatorServer(behaviour=QUICK) as server:
        yield server


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


class Login:
    """A login under way."""

    def __init__(self, home: Home, command: Running) -> None:
        self._home = home
        self.command = command
        self.profile = home.path / "profile"
        self.processes: set[tuple[int, str]] = set()

    def note_processes(self) -> None:
        """Remember all that runs for it."""
        self.processes |= descendants(self.command.pid)

    def finish(self) -> Result:
        """Wait for its end, after which nothing may be left."""
        result = self.command.finish()
        assert_gone(self.processes)
        return result


@contextmanager
def login(home: Home, base_url: str, *options: str, temporary: Path | None = None) -> Iterator[Login]:
    """The command under way, with a profile that is kept, or a temporary one in that folder."""
    browser = ("--headless", "--browser", str(open_to_persons(home.path)))
    kept = () if temporary else ("--profile", str(home.path / "profile"))
    words = ("login", "hailuo", *browser, *kept, "--base-url", base_url, *options)
    with home.started(*words, extra={"TMPDIR": str(temporary)} if temporary else {}) as command:
        command.wait_for_note("waiting for a login to Hailuo AI")
        yield Login(home, command)


def test_the_whole_way(home: Home, emulators: EmulatorServer) -> None:
    url = emulators.providers["hailuo"]
    before = len(emulators.requests)
    with login(home, url) as under_way, person_at(under_way.profile) as page:
        under_way.note_processes()
        fill_in(page)
        result = under_way.finish()
    assert (result.code, result.out) == (0, "")
    *warnings, waiting, stored = result.notes
    assert warnings == (["modelwire: you are root: the browser runs without its sandbox"] if os.geteuid() == 0 else [])
    assert waiting == f"waiting for a login to Hailuo AI at {url}, in a hidden browser; Ctrl-C leaves"
    assert stored == f"stored the login for Hailuo AI at {url}"

    path = home.data / "hailuo.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    kept = msgspec.json.decode(path.read_bytes())["origins"][url]
    assert kept["token"] == "emulated-token"
    assert "Chrome/" in kept["user_agent"]
    assert {cookie["name"] for cookie in kept["cookies"]} == {"hailuo_session", "hailuo_seen"}
    assert stat.S_IMODE(under_way.profile.stat().st_mode) == 0o700

    # Not where the credentials would be guessed, but with those of the device, and the cookie that no script can read.
    ask = home.run("chat", "-m", "hailuo", "--base-url", url, "Hello there")
    assert ask.code == 0
    assert "(This is message 1 of chat " in ask.out
    again = home.run("chat", "-c", "-m", "hailuo", "--base-url", url, "And now?")
    assert again.code == 0
    assert "(This is message 2 of chat " in again.out

    listed = home.run("auth")
    assert [line.split()[0::3] for line in listed.out.splitlines()] == [["hailuo", url]]
    assert not any(kept[secret] in listed.out + listed.err for secret in ("token", "uuid", "device_id"))
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
        assert f"uuid={kept['uuid']}&device_id={kept['device_id']}&" in record.target


def test_a_profile_that_is_kept_is_logged_in_already(home: Home, emulators: EmulatorServer) -> None:
    url = emulators.providers["hailuo"]
    with login(home, url) as under_way, person_at(under_way.profile) as page:
        under_way.note_processes()
        fill_in(page)
        assert under_way.finish().code == 0
    before = len(emulators.requests)
    with login(home, url, "--timeout", "20") as under_way:
        assert under_way.command.finish().code == 0
    assert [record.method for record in emulators.requests[before:] if record.provider == "hailuo"] == ["GET"]


def test_a_window_that_is_closed_ends_it(home: Home, emulators: EmulatorServer) -> None:
    with login(home, emulators.providers["hailuo"]) as under_way, person_at(under_way.profile) as page:
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


def begun(under_way: Login, emulators: EmulatorServer, before: int) -> None:
    """Wait until the browser has asked for the page, and remember what runs."""
    assert emulators.wait_for(lambda records: len(records) > before, 20.0)
    under_way.note_processes()


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A folder for temporary files, of a short name: the browser has a socket there."""
    with TemporaryDirectory() as folder:
        yield Path(folder)


def test_a_command_that_is_killed_leaves_nothing(home: Home, emulators: EmulatorServer, temporary: Path) -> None:
    before = len(emulators.requests)
    with login(home, emulators.providers["hailuo"], temporary=temporary) as under_way:
        begun(under_way, emulators, before)
        assert list(temporary.glob("*profile*")), "the profile is a temporary one"
        under_way.command.stop(signal.SIGKILL)
        assert under_way.finish().code == -signal.SIGKILL
    wait_until(lambda: not list(temporary.glob("playwright*")))


def test_ctrl_c_ends_it(home: Home, emulators: EmulatorServer, temporary: Path) -> None:
    """On a terminal, where Ctrl-C goes to all that runs there, the browser's driver included."""
    before = len(emulators.requests)
    words = ("login", "hailuo", "--headless", "--browser", str(CHROMIUM))
    extra = {"TMPDIR": str(temporary), "HAILUO_BASE_URL": emulators.providers["hailuo"]}
    with home.terminal(*words, extra=extra) as terminal:
        assert emulators.wait_for(lambda records: len(records) > before, 20.0)
        processes = descendants(terminal.pid)
        terminal.interrupt()
        result = terminal.finish()
    assert result.code == 130
    assert result.notes[-1].removeprefix("^C") == "interrupted"
    assert "Traceback" not in result.err
    assert_gone(processes)
    assert not list(temporary.glob("playwright*"))


def test_a_page_that_does_not_load_ends_it(home: Home) -> None:
    result = home.run("login", "hailuo", "--headless", "--browser", str(CHROMIUM), "--base-url", "http://127.0.0.1:1/x")
    assert result.code == 1
    assert result.notes[-2].startswith("modelwire: the browser could not show the page: net::ERR_")
