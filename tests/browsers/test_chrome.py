"""What a browser needs before it can be started: the program, a display, a profile of its own, and Playwright."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest

from modelwire.errors import InvalidInput, LocalProtocolError
from modelwire.outputs import LoginRequired
from modelwire.providers.hailuo_login import HailuoLogin
from modelwire_io.browsers import PlaywrightBrowser
from modelwire_io.browsers import playwright as playwright_browser
from modelwire_io.browsers.chrome import check_browser, find_browser, has_display, prepare_profile
from modelwire_io.drive import drive
from modelwire_io.transports import MemoryTransport


def program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n", encoding="utf-8")
    path.chmod(0o700)
    return path


def test_the_browser_that_is_installed_is_found(tmp_path: Path) -> None:
    environment = {"PATH": f"{tmp_path / 'a'}:{tmp_path / 'b'}"}
    with pytest.raises(InvalidInput) as caught:
        find_browser(environment, "linux")
    assert str(caught.value) == (
        "there is no Chrome or Chromium: install one, name it with --browser PATH,"
        " or log in without one, with --manual or --import"
    )
    chromium = program(tmp_path / "a" / "chromium")
    assert find_browser(environment, "linux") == str(chromium)
    google = program(tmp_path / "b" / "google-chrome")
    assert find_browser(environment, "linux") == str(google), "Chrome itself comes first"
    (tmp_path / "b" / "google-chrome").chmod(0o600)
    assert find_browser(environment, "linux") == str(chromium)


@pytest.mark.parametrize(
    ("platform", "variable", "place"),
    [
        ("darwin", "HOME", "Applications/Google Chrome.app/Contents/MacOS/Google Chrome"),
        ("darwin", "HOME", "Applications/Chromium.app/Contents/MacOS/Chromium"),
        ("win32", "PROGRAMFILES", "Google/Chrome/Application/chrome.exe"),
        ("win32", "PROGRAMFILES(X86)", "Google/Chrome/Application/chrome.exe"),
        ("win32", "LOCALAPPDATA", "Chromium/Application/chrome.exe"),
    ],
)
def test_it_is_found_where_its_system_has_it(tmp_path: Path, platform: str, variable: str, place: str) -> None:
    found = program(tmp_path / place)
    environment = {"PATH": "", variable: str(tmp_path)}
    assert find_browser(environment, platform) == str(found)
    with pytest.raises(InvalidInput):
        find_browser(environment, "linux")


def test_a_browser_may_be_named(tmp_path: Path) -> None:
    path = str(program(tmp_path / "my browser"))
    assert check_browser(path) == path
    assert check_browser("sh").endswith("/sh")
    for wrong in (str(tmp_path), str(tmp_path / "none"), "no-such-browser"):
        with pytest.raises(InvalidInput, match="is not a program: name Chrome or Chromium with --browser PATH, or"):
            check_browser(wrong)


@pytest.mark.parametrize(
    ("environment", "platform", "expected"),
    [
        ({}, "linux", False),
        ({"DISPLAY": ""}, "linux", False),
        ({"DISPLAY": ":0"}, "linux", True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", True),
        ({}, "darwin", True),
        ({}, "win32", True),
    ],
)
def test_whether_there_is_a_display(environment: dict[str, str], platform: str, expected: bool) -> None:
    assert has_display(environment, platform) is expected


def test_a_profile_is_private_and_may_be_used_again(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "profile"
    prepare_profile(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    (folder / "Cookies").write_bytes(b"C-1")
    prepare_profile(folder)
    assert (folder / "Cookies").read_bytes() == b"C-1"


def test_an_empty_folder_may_become_a_profile(tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    folder.mkdir(mode=0o755)
    prepare_profile(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_what_is_no_profile_of_ours_is_left_alone(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o755)
    (home / "Local State").write_text("{}", encoding="utf-8")
    with pytest.raises(InvalidInput, match="holds something else than a profile of ours: choose a new one"):
        prepare_profile(home)
    assert stat.S_IMODE(home.stat().st_mode) == 0o755
    assert [path.name for path in home.iterdir()] == ["Local State"]
    with pytest.raises(InvalidInput, match="is not a folder: choose another with --profile DIR"):
        prepare_profile(home / "Local State")


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    path = str(program(tmp_path / "browser"))
    profile = tmp_path / "profile"
    with pytest.raises(InvalidInput, match="there is no display to show a browser on: log in without one, with --man"):
        PlaywrightBrowser(executable=path, profile=profile)
    assert not profile.exists()
    PlaywrightBrowser(executable=path, profile=profile, headless=True)
    assert profile.exists()
    monkeypatch.setattr(playwright_browser, "find_spec", lambda name: None)
    with pytest.raises(InvalidInput, match=r"a browser needs Playwright: pip install 'modelwire\[login\]', or log in"):
        PlaywrightBrowser(executable=path, headless=True)


@pytest.mark.parametrize(
    ("url", "settings"),
    [
        ("http://proxy.example:8080", {"server": "http://proxy.example:8080"}),
        (
            "http://ada:s%40cret@proxy.example",
            {"server": "http://proxy.example", "username": "ada", "password": "s@cret"},
        ),
        ("http://ada@proxy.example", {"server": "http://proxy.example", "username": "ada", "password": ""}),
        ("socks5h://127.0.0.1:1080", {"server": "socks5://127.0.0.1:1080"}),
    ],
)
def test_a_proxy_as_the_browser_is_told_it(url: str, settings: Any) -> None:
    assert playwright_browser.as_proxy(url) == settings


def test_a_flow_with_pages_needs_a_browser() -> None:
    outputs = drive(HailuoLogin(), MemoryTransport())
    assert isinstance(next(outputs), LoginRequired)
    with pytest.raises(LocalProtocolError, match="this flow has a page opened: give its driver a browser"):
        next(outputs)
